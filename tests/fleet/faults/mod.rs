//! A fleet of real nodes on a real Redis, over networks that fail on demand.
//!
//! 1. Each fault is one test: what was revoked before it, during it and after it is refused by every
//!    node, nobody else is logged out, and a node that starts afterwards knows all of it.
//! 2. A watcher asks every node about everybody all the while (`watch.rs`), so what must never be is
//!    looked for at every moment and not only at the end.
//! 3. What takes time is waited for and printed (`--nocapture` shows it). Only what must be is asserted.
#![cfg(all(unix, feature = "actix", feature = "redb", feature = "redis"))]
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod fleet;
mod node;
mod watch;

mod clocks;
mod cut;
mod failover;
mod lost;
mod partition;
mod paused;
mod quiet;
mod restart;
