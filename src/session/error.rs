//! What a handler can get wrong or be refused.

use crate::error::{RandomError, StoreError};
use crate::wire::chunks::TooLarge;

/// Why a session can not be written now. What it holds stays as it was.
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
    /// The request carries a cookie that another node may understand, or whose session ended within
    /// the last minute: writing would overwrite what the browser may just have received. Only a login
    /// may.
    #[error("the browser holds a session cookie that can not be replaced now")]
    CookieHeld,
}

/// A value was there but could not be read as the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session entry {key:?}: {problem}")]
pub struct SessionGetError {
    pub(crate) key: String,
    pub(crate) problem: String,
}

/// A value was not inserted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionInsertError {
    /// The value can not be serialized.
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
    /// The session can not be written now.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// No random id could be drawn for a new session.
    #[error(transparent)]
    Random(#[from] RandomError),
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
    /// The session's entries do not fit, or the session can not be written now.
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
    /// The request's cookie is one that only another node may understand, or that only reads.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// The sessions are ended on this node and their cookie is removed from this browser; other nodes
    /// learn of it when the store takes it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
