//! What ships with the library, run as its users run it: the example application as a process of its own, asked
//! over HTTP and by a browser, and the command line.

#![cfg(all(feature = "actix", feature = "redb"))]

mod chromium;
mod cli_check;
mod cli_errors;
mod cli_keys;
mod cli_sessions;
mod cli_store;
mod clock;
mod disk;
mod entries;
mod keys;
mod kill;
#[cfg(feature = "metrics")]
mod metrics;
mod requests;
mod sessions;
mod start;
mod strangers;
