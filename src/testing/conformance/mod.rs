//! The conformance suite for revocation stores.
//!
//! 1. One suite for every backend, ours and third parties': each check is one sentence of a contract.
//! 2. A check that cannot be run on a store is reported as skipped, with the reason, never as passed.
//! 3. The suite moves the clock instead of waiting, where it can.

mod index;
mod journal;
mod log;
mod report;

pub use index::{IndexHarness, session_index};
pub use journal::{JournalHarness, journal};
pub use log::{LogHarness, log};
pub use report::{Outcome, Report};
