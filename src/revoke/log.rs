//! The contract of a store that nodes share.
//!
//! Such a store is a log that every node follows. It is told and asked at logins and logouts only: requests are
//! checked against the node's own list. It sees no keys, no names, no records and no plaintext. A store of one
//! process keeps a [`Journal`](crate::revoke::Journal) instead, which promises much less.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId, Serial, SessionId, SubjectKey};
use crate::revoke::revocation::{Revocation, SessionEntry, SubjectEntry};
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
/// - **Generations only grow**: every raise returns [`Generation::next`] of what is stored and what
///   the caller knows, at the store's time. Two raises never return the same value, unless the
///   second repeats the [`RaiseId`] of one of the last four of its target.
/// - **A loss shows.** A store that finds itself empty, or with less than there must be, begins a new
///   [`epoch`](Incarnation::epoch). One whose server was replaced has another [`server`](Incarnation::server).
/// - **Nobody's names**: subjects arrive as [`SubjectKey`].
///
/// The suite `testing::conformance` (feature `testing`) checks all of it against any store.
#[async_trait]
pub trait ReplicatedLog: Send + Sync + fmt::Debug + 'static {
    /// What the store is called in logs and health reports: `"redis"`.
    fn name(&self) -> &'static str;

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
    /// A repeat of one of the last four raises of the same target (the same [`RaiseId`]) returns what
    /// that one returned and raises nothing: a retry after a lost reply ends no login that came in
    /// between.
    ///
    /// # Errors
    /// When it may not have been raised; at the top of the range ([`StoreError::Exhausted`]); and where
    /// [`Raise::on`] names another incarnation ([`StoreError::Replaced`]): nothing was raised then.
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError>;

    /// Reads what a login needs: the generations, and the store's time.
    ///
    /// # Errors
    /// When it could not be read. There is then no login.
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError>;

    /// Reads what is stored about one session: its own entries, its subject's, everyone's, and since when
    /// anonymous sessions live. For requests that cannot rely on a list which may be seconds old.
    ///
    /// # Errors
    /// When it could not be read.
    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError>;

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

/// How long after it began anew, after another server took its place, and after anything was restored that it
/// lacked, a store may still lack what nodes hold.
pub const SETTLING: Duration = Duration::from_secs(30);

/// How many entries of anonymous sessions a store keeps unless a node announces more.
pub const ANONYMOUS_CAPACITY: u64 = 500_000;

/// What a node needs of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Announcement {
    /// How long a cookie of the node can live, skew included. Generations are kept that long, so that nodes
    /// with different settings do not revive each other's sessions.
    pub longest: Duration,
    /// How many entries of anonymous sessions are kept.
    pub anonymous_capacity: u64,
    /// For how long after a loss nodes may restore what was lost: the longest that a store settles.
    pub max_outage: Duration,
}

impl Announcement {
    /// What a node needs.
    pub fn new(longest: Duration, anonymous_capacity: u64, max_outage: Duration) -> Self {
        Self {
            longest,
            anonymous_capacity,
            max_outage,
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            longest: self.longest.max(other.longest),
            anonymous_capacity: self.anonymous_capacity.max(other.anonymous_capacity),
            max_outage: self.max_outage.max(other.max_outage),
        }
    }
}

/// Which list it is, and on which server. Another one has lost something, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Incarnation {
    /// Which list: another one when the store has lost entries and begun anew.
    pub epoch: u64,
    /// Which server: another one when a copy has taken the place of the one before, or it was restarted.
    pub server: u64,
}

impl Incarnation {
    /// The list `epoch` on the server `server`.
    pub fn new(epoch: u64, server: u64) -> Self {
        Self { epoch, server }
    }
}

/// What a store says of itself with each answer. The incarnation is found out by the same call that reads or
/// writes, so that a server which took another's place shows before anybody relies on its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LogState {
    /// Which list on which server.
    pub incarnation: Incarnation,
    /// The store's time.
    pub now: UnixMillis,
    /// Since when the store knows of sessions: the earliest time that was attested in this epoch, else when the
    /// epoch began.
    pub complete_since: UnixMillis,
    /// For how much longer nodes may restore what the store has lost; zero once it has settled.
    ///
    /// A store settles for [`SETTLING`] after its epoch began or its server changed. Each restored batch that
    /// told it something prolongs that to [`SETTLING`] from then, but not beyond the announced
    /// [`max_outage`](Announcement::max_outage) after the epoch began or the server changed; each batch of a
    /// node's first restoration ([`Purpose::FirstRestoration`]) prolongs it without that end.
    pub settling: Duration,
    /// The largest of each that was announced.
    pub announced: Announcement,
    /// How many entries, and publications since it was opened, were not understood. Each counts as revoked,
    /// where it can be told whose it is.
    pub unreadable: u64,
}

impl LogState {
    /// The state of a store that has settled, was told of nothing to announce and understood everything.
    pub fn new(incarnation: Incarnation, now: UnixMillis, complete_since: UnixMillis) -> Self {
        Self {
            incarnation,
            now,
            complete_since,
            settling: Duration::ZERO,
            announced: Announcement::default(),
            unreadable: 0,
        }
    }
}

/// Why something is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It was just revoked.
    Revoke,
    /// A node found that the store lacks it.
    Restoration,
    /// The same, in the first restoration of a node to this incarnation.
    FirstRestoration,
}

/// What came of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// One for each revocation.
    pub published: Vec<Published>,
    /// Who took them.
    pub incarnation: Incarnation,
}

impl Receipt {
    /// The answer to [`ReplicatedLog::publish`].
    pub fn new(published: Vec<Published>, incarnation: Incarnation) -> Self {
        Self {
            published,
            incarnation,
        }
    }
}

/// What came of one published entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Published {
    /// Its serial, generation or time was above what the store held: of two renewals at once, this one won.
    Fresh,
    /// The store held an equal or larger one already.
    Known,
    /// The store held [`Serial::SUCCEEDED`]: a login over this session has made another one, which lives
    /// on. Said of every publication about such a session, [`Revocation::AnonymousSession`] too, whose
    /// succession is among the other sessions.
    Succeeded,
    /// It is of an anonymous session that began at or before [`Revocation::Anonymous`]. Nothing was stored:
    /// the session has ended.
    Ended,
}

impl Published {
    pub(crate) fn fresh_if(is_news: bool) -> Self {
        if is_news { Self::Fresh } else { Self::Known }
    }

    /// The same of a session whose entry in the main list, before, was `held`.
    pub(crate) fn over(self, held: Option<SessionEntry>) -> Self {
        match held {
            Some(entry) if entry.serial == Serial::SUCCEEDED => Self::Succeeded,
            _ => self,
        }
    }
}

/// A request to raise a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Raise {
    /// Whose generation.
    pub target: Target,
    /// Names the request, so that a repeat is recognised.
    pub id: RaiseId,
    /// The largest generation of the target that the caller has seen.
    pub known: Generation,
    /// Until when the store must remember it, whatever its own clock and the lives that were announced
    /// to it come to: a store that has lost what it knew has also lost how long it has to remember.
    pub until: UnixMillis,
    /// The only incarnation that may raise it, if that matters.
    pub on: Option<Incarnation>,
}

impl Raise {
    /// The request, to whichever incarnation.
    pub fn new(target: Target, id: RaiseId, known: Generation, until: UnixMillis) -> Self {
        Self {
            target,
            id,
            known,
            until,
            on: None,
        }
    }
}

/// Whose generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// One subject's.
    Subject(SubjectKey),
    /// Everyone's.
    Everyone,
}

impl Target {
    /// What says that its generation is this one.
    pub(crate) fn at(self, generation: Generation, until: UnixMillis) -> Revocation {
        match self {
            Self::Subject(key) => Revocation::Subject {
                key,
                entry: SubjectEntry { generation, until },
            },
            Self::Everyone => Revocation::Everyone { generation },
        }
    }
}

/// A raised generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Raised {
    /// The new generation.
    pub generation: Generation,
    /// The one before: the larger of what was stored and what the caller knew. A session of a lower
    /// generation was dead before this raise. A repeat is told the same.
    pub previous: Generation,
    /// How long the store remembers it: its time plus the longest announced life of a cookie, or what
    /// the caller asked for if that is later; [`UnixMillis::MAX`] for everyone's.
    pub until: UnixMillis,
    /// The store's state.
    pub state: LogState,
}

impl Raised {
    /// The answer to a [`Raise`].
    pub fn new(
        previous: Generation,
        generation: Generation,
        until: UnixMillis,
        state: LogState,
    ) -> Self {
        Self {
            generation,
            previous,
            until,
            state,
        }
    }
}

/// What a login reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Reading {
    /// The subject's generation.
    pub subject: Generation,
    /// Everyone's generation.
    pub everyone: Generation,
    /// The store's state.
    pub state: LogState,
}

impl Reading {
    /// The answer to [`ReplicatedLog::read`].
    pub fn new(subject: Generation, everyone: Generation, state: LogState) -> Self {
        Self {
            subject,
            everyone,
            state,
        }
    }
}

/// What a store knows about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// All that concerns it.
    pub revocations: Vec<Revocation>,
    /// The store's state.
    pub state: LogState,
}

impl Found {
    /// The answer to [`ReplicatedLog::find`].
    pub fn new(revocations: Vec<Revocation>, state: LogState) -> Self {
        Self { revocations, state }
    }
}

/// What a snapshot ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SnapshotEnd {
    /// Where to follow from.
    pub cursor: Cursor,
    /// The store's state, once everything was read.
    pub state: LogState,
}

impl SnapshotEnd {
    /// The end of a snapshot.
    pub fn new(cursor: Cursor, state: LogState) -> Self {
        Self { cursor, state }
    }
}

/// A place in a store's sequence of publications. Its meaning is the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Cursor {
    /// In which list.
    pub epoch: u64,
    /// How far in the list's sequence.
    pub sequence: u64,
    /// Names the publication there, so that another history of the same length is recognised.
    pub mark: u64,
}

impl Cursor {
    /// The place.
    pub fn new(epoch: u64, sequence: u64, mark: u64) -> Self {
        Self {
            epoch,
            sequence,
            mark,
        }
    }
}

/// What came of following.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// What was published since.
    Delta(Delta),
    /// Something may have been missed: take a new snapshot.
    Gap(LogState),
}

/// What was published after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// The revocations, in any order, possibly none.
    pub revocations: Vec<Revocation>,
    /// Where to follow from next.
    pub cursor: Cursor,
    /// The store's state, if it was asked for it. A store says it at least once a second.
    pub state: Option<LogState>,
    /// Whether this is all that was published before the call: the caller was complete then.
    pub is_complete: bool,
}

impl Delta {
    /// All that was published, up to `cursor`.
    pub fn new(revocations: Vec<Revocation>, cursor: Cursor, state: LogState) -> Self {
        Self {
            revocations,
            cursor,
            state: Some(state),
            is_complete: true,
        }
    }
}
