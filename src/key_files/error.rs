//! Why an edit was not made.

use crate::error::ConfigError;
use crate::ids::KeyId;
use crate::random::RandomError;
use crate::time::UnixMillis;

/// Why an edit was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// A rotation is under way.
    #[error("key {id} is waiting to activate at {activate}; a rotation is under way")]
    Pending {
        /// The key that is not active yet.
        id: KeyId,
        /// When it will be.
        activate: UnixMillis,
    },
    /// The tables hold no such key.
    #[error("key {0} is not in the tables")]
    Unknown(KeyId),
    /// `everyone_before` would go back, and sessions that were ended would live again.
    #[error("everyone_before is {0} already; an earlier time would revive sessions")]
    Backwards(UnixMillis),
    /// `everyone_before` would end sessions that do not exist yet.
    #[error("{0} is in the future; everyone_before can be at most a minute ahead")]
    Future(UnixMillis),
    /// A duration that makes no sense.
    #[error("{0}")]
    Duration(&'static str),
    /// The tables or their file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}
