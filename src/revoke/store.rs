//! The contract of a revocation store.
//!
//! A store remembers revocations for all nodes and hands out generations. It is told and asked at
//! logins and logouts only: requests are checked against the node's own list. It sees no keys, no
//! names, no records and no plaintext.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::error::StoreError;
use crate::id::{Generation, RaiseId, Serial, SessionId, SubjectKey};
use crate::revoke::lattice::{Revocation, SessionEntry, SubjectEntry};

/// What every backend promises.
///
/// - **`Err` means "could not find out" or "may not have reached the others"**, never "not revoked".
///   The caller then fails closed and, where it told something, tells it again.
/// - **What returned `Ok` is remembered** as durably as the store's documentation says, until the
///   entry's `until` has passed by the store's clock. Entries are dropped after it, never before.
/// - **Publishing is joining** (see [`Revocation`]): repeated, reordered and concurrent publications
///   end in the same state.
/// - **Generations only grow**: every raise returns [`Generation::next`] of what is stored and what
///   the caller knows, at the store's time. Two raises never return the same value, unless the
///   second repeats the [`RaiseId`] of one of the last four.
/// - **Nobody's names**: subjects arrive as [`SubjectKey`].
///
/// The suite `testing::conformance` (feature `testing`) checks all of it against any store.
#[async_trait]
pub trait RevocationStore: Send + Sync + fmt::Debug + 'static {
    /// What the store is called in logs and health reports: `"redb"`, `"memory"`.
    fn name(&self) -> &'static str;

    /// Who else writes to the store.
    fn reach(&self) -> Reach;

    /// Tells how long a cookie of this node can live at the longest, skew included. The store
    /// remembers the longest that any node ever announced, and keeps generations that long, so that
    /// nodes with different settings do not revive each other's sessions.
    ///
    /// # Errors
    /// When it may not have been remembered.
    async fn announce(&self, longest: Duration) -> Result<(), StoreError>;

    /// Joins `revocations` into the store's state, all or none, and returns one [`Published`] each.
    /// Revoking twice is success.
    ///
    /// # Errors
    /// When they may not all have been remembered. Publishing again is safe.
    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError>;

    /// Publishes what a node holds and the store has lost. For [`SETTLING`] after the last time, nobody
    /// can take the store for whole because it says no more ([`SnapshotEnd::settling`]).
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError>;

    /// Raises a generation, atomically.
    ///
    /// A repeat of one of the last four raises of the same target (the same [`RaiseId`]) returns what
    /// that one returned and raises nothing: a retry after a lost reply ends no login that came in
    /// between.
    ///
    /// # Errors
    /// When it may not have been raised, or at the top of the range ([`StoreError::Exhausted`]).
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError>;

    /// Reads what a login needs: the generations, the store's time, and when the store was born.
    ///
    /// # Errors
    /// When it could not be read. There is then no login.
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError>;

    /// Reads what is stored about one session: its own entries, its subject's, everyone's. For
    /// requests that cannot rely on a list which may be seconds old.
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

    /// Waits for what was published after `position` and returns it, at the latest after a second or
    /// two without news. A store that other nodes write to is followed by one caller at a time, so
    /// [`Sessions`](crate::Sessions) refuse to start on one that others in the process already have.
    ///
    /// # Errors
    /// When the store cannot be reached. The caller is then stale, and compares all it knows with the
    /// store when it is reached again. So this must also fail, once, when another server may have taken
    /// the place of the one that something was told to: `position` need not show it.
    async fn follow(&self, position: Position) -> Result<Followed, StoreError>;

    /// Says that the store now holds all that was revoked since `born`, so that it may vouch for
    /// sessions from then on. Entries come first, this comes last.
    ///
    /// Changes nothing if the store is not in `epoch` any more, for what was published to it may be lost
    /// again, or if it is older already. The first word counts: nobody can vouch for a time before an
    /// earlier vouch in the same epoch, or before the last [`reborn`](Self::reborn): see
    /// [`SnapshotEnd::floor`]. Returns since when the store vouches now; `None` if it is in another epoch.
    ///
    /// # Errors
    /// When it may not have been remembered.
    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError>;

    /// Makes the store vouch for no session from before now, and returns now: for one that was restored
    /// from a backup, which does not know what was revoked since. No node can vouch against it.
    ///
    /// Where the store was born up to a minute after now by its clock, its birth stays. One that was born
    /// later than that was begun by a clock that was ahead, and is born now.
    ///
    /// # Errors
    /// When it may not have been remembered.
    async fn reborn(&self) -> Result<UnixMillis, StoreError>;

    /// Forgets a limited number of entries whose `until` has passed by the store's clock, and returns
    /// how many. Called every minute or so, and again at once while it returns more than zero.
    ///
    /// # Errors
    /// When the store cannot be reached, or its clock cannot be right ([`StoreError::Clock`]);
    /// nothing is forgotten then.
    async fn sweep(&self) -> Result<usize, StoreError>;

    /// How many entries of the last snapshot were not understood, and how many publications since the
    /// store was opened. Zero for stores that refuse to open such a list.
    fn unreadable(&self) -> u64 {
        0
    }
}

/// How long after it began anew, and after anything was given back to it, a store may still lack what
/// other nodes hold.
pub const SETTLING: Duration = Duration::from_secs(30);

/// Who else writes to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// Nobody: the store lives in this process, which hears of every write at once. A list behind it
    /// is never stale, and nobody else could vouch for sessions from before its birth.
    Process,
    /// Other nodes: the list behind it is as fresh as the last word from the store.
    Network,
}

/// What became of one published entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// Its serial or generation was above what the store held: of two renewals at once, this one won.
    Fresh,
    /// The store held an equal or larger one already.
    Known,
    /// The store held [`Serial::SUCCEEDED`]: a login over this session has made another one, which lives
    /// on. Said of every publication about such a session, [`Revocation::Visitor`] too, whose succession
    /// is among the other sessions.
    Succeeded,
}

impl Published {
    pub(crate) fn fresh_if(is_news: bool) -> Self {
        if is_news { Self::Fresh } else { Self::Known }
    }

    /// The same of a session whose entry in the main list, before, was `held`.
    pub(crate) fn over(held: Option<SessionEntry>, is_news: bool) -> Self {
        match held {
            Some(entry) if entry.serial == Serial::SUCCEEDED => Self::Succeeded,
            _ => Self::fresh_if(is_news),
        }
    }
}

/// A request to raise a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl Raise {
    /// The request.
    pub fn new(target: Target, id: RaiseId, known: Generation, until: UnixMillis) -> Self {
        Self {
            target,
            id,
            known,
            until,
        }
    }
}

/// Whose generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// When the store began to remember. Of raises from before it knows nothing, so that `previous` may
    /// be too low for a session from before.
    pub born: UnixMillis,
}

impl Raised {
    /// The answer to a [`Raise`].
    pub fn new(
        previous: Generation,
        generation: Generation,
        until: UnixMillis,
        born: UnixMillis,
    ) -> Self {
        Self {
            generation,
            previous,
            until,
            born,
        }
    }
}

/// What a login reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// The subject's generation.
    pub subject: Generation,
    /// Everyone's generation.
    pub everyone: Generation,
    /// The store's time.
    pub now: UnixMillis,
    /// When the store began to remember.
    pub born: UnixMillis,
}

impl Reading {
    /// The answer to [`RevocationStore::read`].
    pub fn new(
        subject: Generation,
        everyone: Generation,
        now: UnixMillis,
        born: UnixMillis,
    ) -> Self {
        Self {
            subject,
            everyone,
            now,
            born,
        }
    }
}

/// What a store knows about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// All that concerns it.
    pub revocations: Vec<Revocation>,
    /// When the store began to remember. About a session from before it knows nothing.
    pub born: UnixMillis,
}

impl Found {
    /// The answer to [`RevocationStore::find`].
    pub fn new(revocations: Vec<Revocation>, born: UnixMillis) -> Self {
        Self { revocations, born }
    }
}

/// What a snapshot ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotEnd {
    /// Where to follow from.
    pub position: Position,
    /// When the store began to remember. A session made at or before that cannot be vouched for.
    pub born: UnixMillis,
    /// Nobody can vouch for a time before this: it was vouched for first, or [ordered](RevocationStore::reborn).
    pub floor: UnixMillis,
    /// The longest life of a cookie, skew included, that any node announced.
    pub longest: Duration,
    /// For how long nodes may still give back what the store has lost; zero if it has not.
    pub settling: Duration,
}

impl SnapshotEnd {
    /// The end of a store's snapshot that has lost nothing, was told of no life and vouched for no time.
    pub fn new(position: Position, born: UnixMillis) -> Self {
        Self {
            position,
            born,
            floor: UnixMillis::EPOCH,
            longest: Duration::ZERO,
            settling: Duration::ZERO,
        }
    }
}

/// A place in a store's sequence of publications. Its meaning is the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Position {
    /// Which list: another one when the store has lost everything and begun anew.
    pub epoch: u64,
    /// How far in the list's sequence.
    pub sequence: u64,
    /// Names the publication there, so that another history of the same length is recognised.
    pub mark: u64,
}

impl Position {
    /// The place.
    pub fn new(epoch: u64, sequence: u64, mark: u64) -> Self {
        Self {
            epoch,
            sequence,
            mark,
        }
    }
}

/// What became of following.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// What was published since.
    News(News),
    /// Something may have been missed: take a new snapshot.
    Gap {
        /// The store's epoch now.
        epoch: u64,
    },
}

/// What was published after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct News {
    /// The publications, in any order, possibly none.
    pub revocations: Vec<Revocation>,
    /// Since when the store remembers, if that has changed.
    pub born: Option<UnixMillis>,
    /// Where to follow from next.
    pub position: Position,
    /// Whether this is all that was published before the call: the caller was complete then.
    pub complete: bool,
    /// As in [`SnapshotEnd`], as of this call. A store that other nodes write to says it with all news that are
    /// complete: nodes that were cut off wait for it.
    pub settling: Option<Duration>,
}

impl News {
    /// All that was published, up to `position`.
    pub fn new(revocations: Vec<Revocation>, position: Position) -> Self {
        Self {
            revocations,
            born: None,
            position,
            complete: true,
            settling: None,
        }
    }
}
