//! A model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod actions;
mod config;
mod effects;
mod held;
mod judge;
mod node;
mod properties;
mod state;
mod store;
mod tests;
