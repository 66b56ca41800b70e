//! A model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod actions;
mod broken;
mod config;
mod effects;
mod faults;
mod following;
mod hash;
mod held;
mod judge;
mod node;
mod occurrences;
mod onlooker;
mod properties;
mod requests;
mod state;
mod store;
mod symmetry;
mod tests;
mod transport;
