//! The example application, run as its users run it: a process of its own, asked over HTTP.

#![cfg(all(feature = "actix", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

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
