//! Revocation stores: where revocations are remembered.
//!
//! | store | for | what survives a restart |
//! |---|---|---|
//! | [`Memory`] | tests, throw-away processes | nothing: sessions from before are refused |
#![cfg_attr(
    feature = "redb",
    doc = "| [`Redb`] | one process | everything that was acknowledged |"
)]
#![cfg_attr(
    feature = "redis",
    doc = "| [`Redis`] | nodes that share a server | of the nodes: everything; of the server: as it is set up |"
)]
//!
//! One of your own keeps one of two contracts: a [`Journal`] for one process, a [`ReplicatedLog`] for nodes that
//! share it.

mod local;
mod memory;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redis")]
mod redis;
pub(crate) mod sweep;

#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{Redis, RedisOptions};
pub use crate::error::StoreError;
pub use memory::Memory;
#[cfg(any(test, feature = "testing"))]
pub(crate) use memory::MemoryIndex;
#[cfg(feature = "redb")]
#[cfg_attr(docsrs, doc(cfg(feature = "redb")))]
pub use redb::Redb;

use crate::replicate::Shared;
use crate::revoke::{Journal, ReplicatedLog, Store};

pub(crate) use self::local::Local;

impl Store {
    /// A store of one process that keeps `journal`.
    pub fn journal(journal: impl Journal) -> Self {
        Self::of(Local::new(Box::new(journal)))
    }

    /// A store that other nodes write to.
    pub fn shared(log: impl ReplicatedLog) -> Self {
        Self::of(Shared(std::sync::Arc::new(log)))
    }
}

impl<J: Journal> From<J> for Store {
    fn from(journal: J) -> Self {
        Self::journal(journal)
    }
}

#[cfg(feature = "redis")]
impl From<Redis> for Store {
    fn from(redis: Redis) -> Self {
        Self::shared(redis)
    }
}
