//! What a shared store is asked with, and what it answers.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId, Serial, SubjectKey};
use crate::revoke::revocation::{Revocation, SessionEntry, Spared, SubjectEntry};
use crate::time::UnixMillis;

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
    /// How many entries of anonymous sessions are kept. Zero, of who announces none: [`ANONYMOUS_CAPACITY`].
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

    /// How many entries of anonymous sessions are kept.
    pub(crate) fn capacity(&self) -> usize {
        let capacity = match self.anonymous_capacity {
            0 => ANONYMOUS_CAPACITY,
            announced => announced,
        };
        usize::try_from(capacity).unwrap_or(usize::MAX)
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
    /// A node found that the store lacks it, in its first restoration to this incarnation.
    FirstRestoration,
}

/// The result of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// One for each revocation.
    pub published: Vec<Published>,
    /// Who took them.
    pub incarnation: Incarnation,
}

impl Receipt {
    /// The answer to [`ReplicatedLog::publish`](crate::revoke::ReplicatedLog::publish).
    pub fn new(published: Vec<Published>, incarnation: Incarnation) -> Self {
        Self {
            published,
            incarnation,
        }
    }
}

/// The result of publishing one entry.
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

    /// The result for a session whose entry in the main list, before, was `held`.
    pub(crate) fn over(self, held: Option<SessionEntry>) -> Self {
        let is_succeeded = held.is_some_and(|it| it.serial == Serial::SUCCEEDED);
        if is_succeeded { Self::Succeeded } else { self }
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
    /// The subject's session that is not ended, and from which generation on it lives as far as the caller knows.
    pub spared: Option<Spared>,
    /// Until when the store must remember it, whatever its own clock and the lives that were announced
    /// to it come to: a store that has lost what it knew has also lost how long it has to remember.
    pub until: UnixMillis,
}

impl Raise {
    /// The request, which spares nobody.
    pub fn new(target: Target, id: RaiseId, known: Generation, until: UnixMillis) -> Self {
        Self {
            target,
            id,
            known,
            spared: None,
            until,
        }
    }

    /// What is stored once it is carried out over `held`, at the time `now`: the rule of every store. The session
    /// that is spared keeps what held for it, and so stays as dead or alive as before.
    ///
    /// `None` at the top of the range.
    pub fn over(&self, held: SubjectEntry, now: UnixMillis) -> Option<SubjectEntry> {
        let raised = held.raised(self.known, self.spared, now)?;
        Some(SubjectEntry {
            until: raised.until.max(self.until),
            ..raised
        })
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
    /// The subject, if it is one.
    pub fn subject(self) -> Option<SubjectKey> {
        match self {
            Self::Subject(key) => Some(key),
            Self::Everyone => None,
        }
    }

    /// What says that this holds of it. Of everyone only the generation does.
    pub(crate) fn at(self, entry: SubjectEntry) -> Revocation {
        match self {
            Self::Subject(key) => Revocation::Subject { key, entry },
            Self::Everyone => Revocation::Everyone {
                generation: entry.generation,
            },
        }
    }
}

/// A raise was carried out, now or by the request that this one repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Raised {
    /// What is stored of the target now: until the store's time plus the longest announced life of a cookie, or
    /// until the caller asked for if that is later; for ever if it is everyone's.
    pub entry: SubjectEntry,
    /// Why it may still be lost, if it is not known that enough replicas have it ([`StoreError::NotReplicated`]). The
    /// caller is told so, and the store is told again.
    pub unreplicated: Option<StoreError>,
    /// The store's state.
    pub state: LogState,
}

impl Raised {
    /// The answer to a [`Raise`].
    pub fn new(entry: SubjectEntry, state: LogState) -> Self {
        Self {
            entry,
            unreplicated: None,
            state,
        }
    }

    /// What is stored, where enough replicas have it.
    pub(crate) fn acknowledged(self) -> Result<SubjectEntry, StoreError> {
        self.unreplicated.map_or(Ok(self.entry), Err)
    }
}

/// What a login reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// The generations of the subjects that were asked for, in the same order.
    pub subjects: Vec<Generation>,
    /// Everyone's generation.
    pub everyone: Generation,
    /// The store's state.
    pub state: LogState,
}

impl Reading {
    /// The answer to [`ReplicatedLog::read`](crate::revoke::ReplicatedLog::read).
    pub fn new(subjects: Vec<Generation>, everyone: Generation, state: LogState) -> Self {
        Self {
            subjects,
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
    /// The answer to [`ReplicatedLog::find`](crate::revoke::ReplicatedLog::find).
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

/// The result of following.
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
