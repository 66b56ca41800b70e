//! The store on a Redis server, against real servers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod chain;
mod conformance;
mod failovers;
pub mod harness;
mod load;
mod servers;
mod tools;
mod unreadable;
