//! The contract of a store of one process.
//!
//! Such a store only keeps bytes. The library decides once, for all of them, what the bytes mean, how revocations
//! join, how generations are handed out, and when entries are forgotten.

use std::sync::Arc;

use crate::error::StoreError;
use crate::index::SessionIndex;

/// Where the revocations of one process are kept: a file, or whatever else one process writes to.
///
/// The library loads it once, appends to it, and now and then replaces all of it by the entries that still count.
/// All calls come from one thread, one after the other; they may block.
///
/// The bytes are the library's: a sequence of frames with length and checksum. A journal need not know where one
/// ends, and need not notice damage. It promises this:
///
/// - **What it was given is what it returns**, in the order in which it came, as one sequence. Only the bytes
///   of an append that failed, or was under way when the process ended, may be missing or cut off at the end.
/// - **What returned `Ok` is durable**, as far as the journal's documentation says.
/// - **It belongs to one process.** Opening it takes a lock that excludes others, until it is dropped. Where
///   [`compact`](Self::compact) renames a new file over the old one, the lock is on a sibling that is never
///   replaced: a lock on the old file would not exclude whoever opens the new one.
/// - **[`compact`](Self::compact) replaces everything or nothing.** A process that ends in the middle leaves
///   the bytes from before, or the new ones.
///
/// After a failed append the library appends nothing more before a compaction has succeeded: the end of the
/// bytes is unknown, and after a failed fsync a page cache may show bytes that the disk lacks. A torn end that it
/// finds when it loads is cut off by the library too, through a compaction: a journal never truncates.
///
/// Errors and events name the store by its `Debug`: it says the place, such as a path or an address, and no
/// secrets.
///
/// The suite `testing::conformance` (feature `testing`) checks all of it against any journal.
pub trait Journal: Send + std::fmt::Debug + 'static {
    /// What the store is called in logs and health reports: `"redb"`, `"memory"`.
    fn name(&self) -> &'static str;

    /// Whether what was appended can be loaded again when the process has ended: true, unless the journal says
    /// otherwise. Where it cannot, nothing is ever appended.
    fn is_durable(&self) -> bool {
        true
    }

    /// The index of sessions that the store keeps beside: none, unless the journal says otherwise. Asked once, before
    /// anything else; it is used from other threads.
    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        None
    }

    /// Hands everything to `receive`, in pieces of any length. Nothing is there before the first compaction.
    /// Called once, before anything else.
    ///
    /// # Errors
    /// When not everything could be read ([`StoreError::Unavailable`]), or it is known not to be what was
    /// written ([`StoreError::Damaged`]).
    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError>;

    /// Adds `bytes` at the end.
    ///
    /// # Errors
    /// When they may not be durable.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Replaces everything by `pieces`, in their order. Durable when it returns.
    ///
    /// # Errors
    /// When the bytes from before may still be there.
    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError>;
}
