//! The interface that gives the suite its journals.

use crate::revoke::Journal;

/// Opens journals for the suite.
pub trait JournalHarness: Send + Sync {
    /// A new journal with nothing in it, which shares nothing with those from before.
    ///
    /// # Errors
    /// When there is none; the check that asked for it then fails with this message.
    fn fresh(&self) -> Result<Box<dyn Journal>, String>;

    /// Opens the place of the last [`fresh`](Self::fresh) one again, as a restarted process would, also before
    /// anything was written: a fresh journal must leave a place that can be opened. `None`, the default, says that
    /// it does not survive that, as where [`Journal::is_durable`] is false.
    ///
    /// # Errors
    /// When it cannot be opened. That is what it must do while it is open elsewhere.
    fn open(&self) -> Option<Result<Box<dyn Journal>, String>> {
        None
    }

    /// Lets every append to the last [`fresh`](Self::fresh) one fail, or no longer. False, the default, says that
    /// this cannot be done. A limit on the size of the process's files (`prlimit --fsize`) does it to a file.
    fn fail_appends(&self, fail: bool) -> bool {
        let _ = fail;
        false
    }
}
