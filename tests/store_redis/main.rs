//! The store on a Redis server, against real servers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod chain;
#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod failovers;
mod harness;
mod load;
mod servers;
mod tools;
mod unreadable;
