//! The example application and the command line, run as their users run them: as processes of their own, asked over
//! HTTP.

#![cfg(all(feature = "actix", feature = "redb"))]

mod cli_check;
mod cli_devices;
mod cli_errors;
mod cli_keys;
mod cli_sessions;
mod cli_store;
mod clock;
mod device_list;
mod device_pages;
mod devices;
mod disk;
mod entries;
mod keys;
mod kill;
#[cfg(feature = "metrics")]
mod metrics;
mod pages;
mod places;
mod requests;
mod roles;
mod sessions;
mod small;
mod start;
mod strangers;
