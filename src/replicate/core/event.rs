//! What happens to a node, and what it has to do.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, Revocation, SnapshotEnd, Target,
};
use crate::time::UnixMillis;

/// Names what a request waits for.
pub(crate) type Ticket = u64;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// The node starts: the first of all.
    Start,
    /// A request asks.
    Asked(Ticket, Ask),
    /// A piece of what is being loaded has come.
    Piece(Load, Vec<Revocation>),
    /// The store answered, or did not.
    Answered(Answer),
    /// The time of a [`Command::Wake`] has come.
    Woken(Timer),
    /// Whoever closes wants the store to be told now what it did not take.
    Closing,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// Tell the store what holds here already. `is_news`: it was not known here.
    Publish {
        revocation: Revocation,
        is_news: bool,
    },
    /// Mark the target and raise its generation; `familiar`: on the server that is known alone.
    Raise { target: Target, familiar: bool },
    /// Read what a login needs.
    Read(SubjectKey),
    /// Ask the store for all that it knows of a session.
    Find(SessionId, Option<SubjectKey>),
    /// Forget what has expired.
    Sweep,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Call the store, at most for [`ATTEMPT`](super::ATTEMPT) but for loading and following, and tell its result.
    Call(Call),
    /// Say so after a while: `after`, and a random part of `spread`, so that the nodes of a fleet which noticed
    /// the same thing do not act as one.
    Wake {
        timer: Timer,
        after: Duration,
        spread: Duration,
    },
    /// Tell a request.
    Reply(Ticket, Reply),
}

/// A call of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Announce(Announcement),
    Load(Load),
    Follow(Cursor),
    Publish(Publication),
    Raise(Raise, Attempted),
    Read(SubjectKey, ReadFor),
    Find(Ticket, SessionId, Option<SubjectKey>),
    Attest(Incarnation, UnixMillis),
    Sweep(Option<Ticket>),
}

/// Why everything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    /// To follow from there: at the start, and after a gap.
    Follow,
    /// To compare, while following goes on. Comparisons are numbered.
    Compare(u32),
}

/// Something that is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Publication {
    pub(crate) revocations: Vec<Revocation>,
    pub(crate) cause: Cause,
}

/// On whose account something is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// A request.
    Request(Ticket),
    /// Requests that anyone can make as often as they like, one for each revocation.
    Crowd(Vec<Ticket>),
    /// The outbox: the store did not take it before.
    Retry,
    /// The repair of what the store lacks.
    Repair { is_first: bool },
}

impl Publication {
    pub(crate) fn purpose(&self) -> Purpose {
        match self.cause {
            Cause::Repair { is_first: true } => Purpose::FirstRestoration,
            Cause::Repair { is_first: false } => Purpose::Restoration,
            Cause::Request(_) | Cause::Crowd(_) | Cause::Retry => Purpose::Revoke,
        }
    }
}

/// On whose account a generation is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Attempted {
    /// A request; whether it covers an earlier raise that was still outstanding.
    Request { ticket: Ticket, covers: bool },
    /// A login, before which it has to be told.
    Login(Ticket),
    /// The outbox.
    Retry,
}

/// What something is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadFor {
    /// A login.
    Login(Ticket),
    /// A raise that the store carried out, and of whose outcome only this is known.
    Adopt(Raise),
}

/// The result of a call.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Announced(Result<(), StoreError>),
    Loaded(Load, Result<SnapshotEnd, StoreError>),
    Followed(Result<Followed, StoreError>),
    Published(Publication, Result<Receipt, StoreError>),
    Raised(Raise, Attempted, Result<Raised, StoreError>),
    Read(SubjectKey, ReadFor, Result<Reading, StoreError>),
    Found(Ticket, Result<Found, StoreError>),
    Attested(Result<Option<LogState>, StoreError>),
    Swept(Option<Ticket>, Result<usize, StoreError>),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// To follow again after an error.
    Follow,
    /// To load again after a gap or an error.
    Load,
    /// To give the store more of what it lacks.
    Repair,
    /// To tell the store what it did not take.
    Retry,
    /// To forget what has expired.
    Sweep,
}

/// What a request is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Started(Result<(), StoreError>),
    Published(Result<Published, StoreError>),
    Raised(Result<Raised, StoreError>),
    Read(Result<Reading, StoreError>),
    Found(Result<UnixMillis, StoreError>),
    Swept(Result<(), StoreError>),
}
