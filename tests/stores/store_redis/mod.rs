//! The store on a Redis server, against real servers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod chain;
mod conformance;
pub mod harness;
mod failovers;
mod load;
mod servers;
mod tools;
mod unreadable;
