//! The index of sessions: which ones a subject has, for people and for a limit.
//!
//! Sessions live in cookies, so nobody knows of them all. A store may remember some rows per subject beside its
//! revocations: this is what "your devices" shows, and what a limit of sessions counts.
//!
//! 1. **The index is advice.** Whether a session counts is the revocations' to say. A store that lost its index has lost
//!    the list of devices and nothing else, and it fills again as sessions are seen.
//! 2. **A store counts, the node judges.** A store knows of a row which session it is, when that was last seen, until
//!    when it can live, and what state it is in ([`IndexRow`]). What it takes to tell whether the session still counts is
//!    opaque to the store, and the label is sealed.
//! 3. **One atomic step** ([`IndexUpdate`]) drops rows, puts one and keeps to a limit.

#[cfg(any(test, feature = "redb", feature = "redis"))]
mod form;
mod row;
mod update;

use std::fmt;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::time::UnixMillis;

pub use row::{IndexRow, IndexRows, RowState};
pub use update::{IndexUpdate, MOST_ROWS, RowLimit, WhenRowsFull};

/// What a store promises that keeps an index of sessions. Optional: a store without one revokes as well as any.
/// Implementations need the attribute of the crate `async-trait`, as for the other two contracts.
///
/// A store says that it keeps one by [`Journal::session_index`](crate::revoke::Journal::session_index) or
/// [`ReplicatedLog::session_index`](crate::revoke::ReplicatedLog::session_index).
///
/// - **`Ok` need not be durable**: what is lost is seen again.
/// - **An update is one step**, as [`IndexUpdate::apply`] says: two at once for one subject end as if one had come after
///   the other.
/// - **A row that is not understood** is left as it is, not counted against a limit, and counted in
///   [`IndexRows::unreadable`]. Nothing is put in its place, and [`IndexRows::is_full`] does not say so.
/// - **Subjects do not mix**: an update concerns the rows of its subject alone.
///
/// The suite `testing::conformance` (feature `testing`) checks all of it against any index.
#[async_trait]
pub trait SessionIndex: Send + Sync + fmt::Debug + 'static {
    /// The rows of a subject, in any order. Also those whose time has passed, if they were not dropped yet.
    ///
    /// # Errors
    /// When they could not be read.
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError>;

    /// Changes the rows of a subject in one step, and returns those that are there then.
    ///
    /// # Errors
    /// When it may not have happened.
    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError>;

    /// Forgets rows whose `until` has passed, some ten thousand at the most so that nothing else waits for long, and returns
    /// how many. Called every minute or so, and what is left comes then. A store that forgets by itself does nothing.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError>;

    /// Hands the rows of every subject to `receive`, subject by subject. For tools that copy a store; no node calls it.
    ///
    /// # Errors
    /// When not everything could be read.
    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError>;
}
