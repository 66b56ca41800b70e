//! What happens to a node, and what it has to do.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{RaiseId, SessionId, SubjectKey};
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, Revocation, SnapshotEnd, Target,
};
use crate::time::UnixMillis;

/// Names what a request waits for.
pub(crate) type Ticket = u64;

/// Waits for the end of the first loading.
pub(crate) const STARTED: Ticket = 0;

/// What happens.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is handed on, and not kept"
)]
pub(crate) enum Event {
    /// The node starts: the first of all.
    Start,
    /// A request asks.
    Asked(Ticket, Ask),
    /// A piece of what is being loaded has come.
    Piece(Load, Vec<Revocation>),
    /// The store answered, or did not.
    Answered(Answer),
    /// The time of an [`Effect::Wake`] has come.
    Woken(Timer),
    /// Whoever closes wants the store to be told now what it did not take.
    Closing,
}

/// What a request asks for, as [`Backend`](crate::revoke::node::Backend) says of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// `is_news`: it was not known here.
    Publish {
        revocation: Revocation,
        is_news: bool,
    },
    /// The session that is spared, and an id that was drawn for this raise.
    Raise(Target, Option<SessionId>, RaiseId),
    Read(Vec<SubjectKey>),
    Find(SessionId, Vec<SubjectKey>),
    Sweep,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Call the store, at most for [`ATTEMPT`](super::state::ATTEMPT) but for loading and following, and tell
    /// its result.
    Call(Call),
    /// Say so after a while.
    Wake(Timer, Duration),
    /// Tell a request.
    Reply(Ticket, Result<Reply, StoreError>),
}

/// A call of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Announce(Announcement),
    Load(Load),
    Follow(Cursor),
    Publish(Vec<Revocation>, PublishFor),
    Raise(Raise, RaiseFor),
    Read(Ticket, Vec<SubjectKey>),
    Find(Ticket, SessionId, Vec<SubjectKey>),
    Attest(Incarnation, UnixMillis),
    Sweep(Option<Ticket>),
}

/// The result of a call.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Announced(Result<(), StoreError>),
    Loaded(Load, Result<SnapshotEnd, StoreError>),
    Followed(Result<Followed, StoreError>),
    Published(Vec<Revocation>, PublishFor, Result<Receipt, StoreError>),
    Raised(Raise, RaiseFor, Result<Raised, StoreError>),
    Read(Ticket, Vec<SubjectKey>, Result<Reading, StoreError>),
    Found(Ticket, Result<Found, StoreError>),
    Attested(Result<Option<LogState>, StoreError>),
    Swept(Option<Ticket>, Result<usize, StoreError>),
}

/// Why everything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    /// To follow from there: at the start, and after a gap.
    Follow,
    /// To compare, while following goes on. Comparisons are numbered.
    Compare(u32),
}

/// On whose account something is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PublishFor {
    /// A request.
    Request(Ticket),
    /// Requests that anyone can make as often as they like, one for each revocation.
    Bulk(Vec<Ticket>),
    /// The outbox: the store did not take it before.
    Retry,
    /// The repair of what the store lacks.
    Repair { is_first: bool },
}

impl PublishFor {
    pub(crate) fn purpose(&self) -> Purpose {
        match self {
            Self::Repair { is_first: true } => Purpose::FirstRestoration,
            Self::Repair { is_first: false } => Purpose::Restoration,
            Self::Request(_) | Self::Bulk(_) | Self::Retry => Purpose::Revoke,
        }
    }
}

/// On whose account a generation is raised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RaiseFor {
    /// A request.
    Request(Ticket),
    /// A login of these subjects, which has to come after the raise.
    Login(Ticket, Vec<SubjectKey>),
    /// The outbox.
    Retry,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// To follow again after an error.
    Follow,
    /// To load again after a gap or an error.
    Load,
    /// To restore more of what the store lacks.
    Repair,
    /// To tell the store what it did not take.
    Retry,
    /// To forget what has expired.
    Sweep,
}

/// What a request is told if it succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Everything was loaded for the first time, or swept, or a generation raised.
    Done,
    Published(Published),
    Read(Reading),
    /// Since when the store knows of sessions.
    Found(UnixMillis),
}
