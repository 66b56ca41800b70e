//! The contract of a store that nodes share.
//!
//! Such a store is a log that every node follows. Of requests only logins, logouts, renewals and `confirm` tell it
//! something or ask it: the others are checked against the node's own list. It sees no keys, no names, no records and
//! no plaintext. A store of one process keeps a [`Journal`](crate::revoke::Journal) instead, which promises much less.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::StoreError;
#[cfg(doc)]
use crate::ids::{Generation, RaiseId};
use crate::ids::{SessionId, SubjectKey};
use crate::index::SessionIndex;
#[cfg(doc)]
use crate::revoke::answers::Published;
use crate::revoke::answers::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Purpose, Raise, Raised, Reading,
    Receipt, SnapshotEnd,
};
use crate::revoke::revocation::Revocation;
#[cfg(doc)]
use crate::revoke::revocation::SubjectEntry;
use crate::time::UnixMillis;

/// What a store promises that several nodes write to.
///
/// - **`Err` means "could not find out" or "may not have reached the others"**, never "not revoked".
///   The caller then fails closed and, where it told something, tells it again.
/// - **What returned `Ok` is remembered** as durably as the store's documentation says, until the
///   entry's `until` has passed by the store's clock. Entries are dropped after it, never before, but for those
///   of anonymous sessions, in whose place [`Revocation::Anonymous`] rises in the same step.
/// - **Publishing is joining** (see [`Revocation`]): repeated, reordered and concurrent publications
///   end in the same state. A subject is kept as [`SubjectEntry::kept`] says.
/// - **Generations only grow**: every raise stores what [`Raise::over`] says. Two raises never come to the same generation,
///   unless the second repeats the [`RaiseId`] of one of the last four of its target.
/// - **A loss shows.** A store that finds itself empty, or with less than there must be, begins a new
///   [`epoch`](Incarnation::epoch). One whose server was replaced has another [`server`](Incarnation::server).
/// - **Nobody's names**: subjects arrive as [`SubjectKey`].
///
/// The suite `testing::conformance` (feature `testing`) checks all of it against any store.
#[async_trait]
pub trait ReplicatedLog: Send + Sync + fmt::Debug + 'static {
    /// What the store is called in logs and health reports: `"redis"`.
    fn name(&self) -> &'static str;

    /// The index of sessions that the store keeps beside: none, unless the store says otherwise.
    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        None
    }

    /// Tells what this node needs of the store, which remembers the largest of each that any node ever
    /// announced.
    ///
    /// # Errors
    /// When it may not have been remembered.
    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError>;

    /// Joins `revocations` into the store's state, all or none, in this order. Revoking twice is success.
    ///
    /// An entry of an anonymous session that began at or before the store's [`Revocation::Anonymous`] is not
    /// stored: its session has ended ([`Published::Ended`]). Where there would be more of them than announced,
    /// those past their `until` go first, then all that began first, and [`Revocation::Anonymous`] rises to that
    /// time in the same step and the same publication. It never exceeds the store's time by more than the skew:
    /// an entry that would is refused ([`StoreError::Clock`]).
    ///
    /// # Errors
    /// When they may not all have been remembered. Publishing again is safe.
    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError>;

    /// Raises a generation, atomically.
    ///
    /// A repeat of one of the last four raises of the same target (the same [`RaiseId`]) raises nothing, and returns
    /// what is stored: a retry after a lost reply ends no login that came in between.
    ///
    /// # Errors
    /// When it may not have been raised, and at the top of the range ([`StoreError::Exhausted`]).
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError>;

    /// Reads what a login needs: the generations of `subjects` (the user's, and of the groups that the session belongs
    /// to), of everyone, and the store's state with its time, all of one moment.
    ///
    /// # Errors
    /// When it could not be read. There is then no login.
    async fn read(&self, subjects: &[SubjectKey]) -> Result<Reading, StoreError>;

    /// Reads what is stored about one session: its own entries, those of `subjects`, everyone's, and since when
    /// anonymous sessions live. For requests that cannot rely on a list which may be seconds old.
    ///
    /// # Errors
    /// When it could not be read.
    async fn find(&self, session: SessionId, subjects: &[SubjectKey]) -> Result<Found, StoreError>;

    /// Hands everything that is stored to `receive`, in batches of any size and order, and tells from
    /// which position on [`follow`](Self::follow) continues. The position is noted before the first
    /// entry is read: seeing an entry twice is harmless, missing one is not.
    ///
    /// # Errors
    /// When not everything could be read.
    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError>;

    /// Waits for what was published after `cursor` and returns it, at the latest after a second or
    /// two without news. It is called by one caller at a time, so
    /// [`Sessions`](crate::Sessions) refuse to start on a store that others in the process already follow.
    ///
    /// # Errors
    /// When the store cannot be reached. The caller is then stale, and compares all it knows with the
    /// store when it is reached again. So this must also fail, once, when another server may have taken
    /// the place of the one that something was told to: the cursor need not show it.
    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError>;

    /// Says that the store now holds all that was revoked since `since`, so that it knows of sessions from
    /// then on. What was restored comes first in the stream, this comes after it.
    ///
    /// The earliest attestation of an epoch counts. Changes nothing if the store is not of `incarnation` any
    /// more, for what was told to that may be lost; returns `None` then, else the store's state.
    ///
    /// # Errors
    /// When it may not have been remembered.
    async fn attest(
        &self,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError>;

    /// Forgets a limited number of entries whose `until` has passed by the store's clock, and returns
    /// how many. Called every minute or so, and again at once while it returns more than zero.
    ///
    /// # Errors
    /// When the store cannot be reached, or its clock cannot be right ([`StoreError::Clock`]);
    /// nothing is forgotten then.
    async fn sweep(&self) -> Result<usize, StoreError>;
}
