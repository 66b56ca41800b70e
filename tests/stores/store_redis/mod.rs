//! The store on a Redis server, against real servers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod access;
mod chain;
mod conformance;
mod failovers;
mod forgetting;
pub mod harness;
mod index;
mod load;
mod losses;
mod replication;
mod servers;
mod tools;
mod unreadable;
