//! The errors of a session's methods.

use crate::error::StoreError;
use crate::random::RandomError;
use crate::session::refusal::Obstacle;
use crate::wire::chunks::TooLarge;

/// Why a session cannot be written now. What it holds stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWritable {
    /// The response's head is on its way: no cookie can be set any more. Revocations still work.
    #[error("the response was sent already")]
    AlreadyCommitted,
    /// The session was renewed by another request and this one carries the older cookie, which only
    /// reads.
    #[error("the session was renewed by another request")]
    Superseded,
    /// The browser replaced this cookie less than two minutes ago, by a login or a renewal, or gave it up by a
    /// logout less than ten seconds ago. It holds or awaits a successor, which an answer to this request
    /// would overwrite. A login may, and so may whatever comes after
    /// [`Session::start_over`](crate::Session::start_over).
    #[error("the browser has just replaced this session cookie, or given it up")]
    Replaced,
    /// The cookie may be a session on another node, or later: its key or format is not known here (yet), it
    /// is ahead of this node's clock, or older than the revocation list so far. As for
    /// [`Replaced`](Self::Replaced).
    #[error("the session cookie may be good on another node, or later")]
    MayLiveElsewhere,
    /// The request carries more cookies of this name than are tried. As for [`Replaced`](Self::Replaced).
    #[error("the request carries too many session cookies")]
    NotTried,
    /// Another site sent the request, to a path where that is allowed. It begins no session but by a login. Answer 403.
    #[error("a request of another site begins no session")]
    CrossSite,
    /// The session was ended while the request ran. Nothing but a login begins another one.
    #[error("the session was ended while the request ran")]
    EndedMeanwhile,
}

impl From<Obstacle> for NotWritable {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Replaced => Self::Replaced,
            Obstacle::Later | Obstacle::Unread => Self::MayLiveElsewhere,
            Obstacle::Untried => Self::NotTried,
            Obstacle::EndedMeanwhile => Self::EndedMeanwhile,
        }
    }
}

/// A value was there but could not be read as the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session entry {key:?}: {problem}")]
pub struct SessionGetError {
    pub(crate) key: String,
    pub(crate) problem: String,
}

impl SessionGetError {
    /// The entry's name.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A value was not inserted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionInsertError {
    /// The value cannot be serialized.
    #[error("session entry {key:?}: {problem}")]
    Encode {
        /// The entry's name.
        key: String,
        /// What the serializer said.
        problem: String,
    },
    /// The value is nested deeper than a session takes: more than 128 lists, maps, structs and enums with
    /// data in one another. Reading a deeper one could exhaust the stack.
    #[error("session entry {key:?}: nested more than 128 levels deep")]
    TooDeep {
        /// The entry's name.
        key: String,
    },
    /// Names that begin with U+0000 are the library's own.
    #[error("session entry {key:?}: names that begin with U+0000 are reserved")]
    ReservedName {
        /// The entry's name.
        key: String,
    },
    /// The session would not fit into its cookies.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The session cannot be written now.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// No random id could be drawn for a new session.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// No token against cross-site requests could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrfTokenError {
    /// There is no session, and none can begin now.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// No id for a new session, or no mask, could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// No key is active.
    #[error("no key is active, so no token can be made")]
    NoActiveKey,
}

/// A value was not updated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionUpdateError {
    /// The old value could not be read.
    #[error(transparent)]
    Get(#[from] SessionGetError),
    /// The new value could not be inserted.
    #[error(transparent)]
    Insert(#[from] SessionInsertError),
}

/// Nobody was logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// A subject is a name of 1 to 255 bytes.
    #[error("a subject is a name of 1 to 255 bytes")]
    InvalidSubject,
    /// There is no login to repeat.
    #[error("nobody is logged in")]
    NotAuthenticated,
    /// A session has up to 32 roles, which are names of 1 to 64 bytes.
    #[error("a session has up to 32 roles, which are names of 1 to 64 bytes")]
    InvalidRoles,
    /// A session belongs to up to 8 groups, whose kinds and names have 1 to 255 bytes.
    #[error("a session belongs to up to 8 groups, whose kinds and names have 1 to 255 bytes")]
    InvalidGroups,
    /// The user has as many sessions as they may, and the settings refuse another one
    /// ([`WhenFull::Refuse`](crate::settings::WhenFull::Refuse), which says how a login page lets them end one). Answer 409.
    #[error("the user has as many sessions as they may")]
    TooManySessions,
    /// The session's entries do not fit, or the session cannot be written now.
    #[error(transparent)]
    Insert(#[from] SessionInsertError),
    /// The store could not say what the new session starts from, or may not know that the old one
    /// ended.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotWritable> for LoginError {
    fn from(error: NotWritable) -> Self {
        Self::Insert(error.into())
    }
}

/// A logout did not happen, or other nodes may not know of it yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutError {
    /// There is no login whose sessions could be ended.
    #[error("nobody is logged in")]
    NotAuthenticated,
    /// A login over this cookie has made another session, which lives on: the browser holds its cookie, and
    /// that was not removed. Answer 409.
    #[error("a login over this session has made another one, which lives on")]
    Succeeded,
    /// The request's cookie is one that this node cannot read, did not try, or (for all of a user's sessions)
    /// cannot judge yet: it may be a session on another node, or later. Nothing was ended, and the browser keeps
    /// it. Answer 503.
    #[error("the session cookie cannot be read here, and may be good on another node")]
    MayLiveElsewhere,
    /// The session was renewed or kept so often that its cookie cannot be replaced once more. Nothing was done. A login
    /// makes another one.
    #[error("the session's cookie cannot be replaced any more")]
    TooManyRenewals,
    /// The other sessions were ended, and this one too: it had been ended before, or meanwhile.
    #[error("this session was ended as well")]
    Ended,
    /// The request's cookie is one that only reads, or the response was sent already.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// The sessions are ended on this node, and the cookie of one that is ended is removed from this browser; other
    /// nodes learn of it when the store takes it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// There is no session, or it was ended, here or on another node. Answer 401.
    #[error("there is no session, or it was ended")]
    Ended,
    /// Nobody could find out. Answer 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}
