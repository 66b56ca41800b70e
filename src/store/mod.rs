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

#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{Redis, RedisOptions};
pub use crate::error::StoreError;
pub use memory::Memory;
#[cfg(feature = "redb")]
#[cfg_attr(docsrs, doc(cfg(feature = "redb")))]
pub use redb::Redb;

use std::time::Duration;

use crate::replicate::Shared;
use crate::revoke::{Journal, ReplicatedLog, Store};
use crate::time::LONGEST;
use crate::time::UnixMillis;

pub(crate) use self::local::Local;

impl Store {
    /// A store of one process that keeps `journal`.
    pub fn journal(journal: impl Journal) -> Self {
        Self::of(Local::new(Box::new(journal)))
    }

    /// A store that other nodes write to.
    pub fn shared(log: impl ReplicatedLog) -> Self {
        Self::of(Shared::new(std::sync::Arc::new(log)))
    }
}

impl From<Memory> for Store {
    fn from(memory: Memory) -> Self {
        Self::journal(memory)
    }
}

#[cfg(feature = "redb")]
impl From<Redb> for Store {
    fn from(redb: Redb) -> Self {
        Self::journal(redb)
    }
}

#[cfg(feature = "redis")]
impl From<Redis> for Store {
    fn from(redis: Redis) -> Self {
        Self::shared(redis)
    }
}

/// How many expired entries one sweep of a shared store forgets at most, so that no sweep keeps writers waiting
/// long.
#[cfg(any(test, feature = "redis", feature = "testing"))]
pub(crate) const SWEEP_BATCH: usize = 10_000;

/// How far a clock may stand behind the last sweep.
pub(crate) const BACKWARD: Duration = Duration::from_secs(60);

/// How far a clock may stand ahead of the last sweep: no session lives longer than this, so a list
/// that was not swept for so long has nothing left to tell.
pub(crate) const FORWARD: Duration = LONGEST;

/// Whether `now` can follow a sweep at `last_sweep`.
pub(crate) fn check_clock(now: UnixMillis, last_sweep: UnixMillis) -> Result<(), StoreError> {
    if now + BACKWARD < last_sweep {
        return Err(StoreError::Clock(format!(
            "it is {now}, but the list was last swept at {last_sweep}, which is later. Set the \
             clock right; if it is right now, then it was wrong at that sweep, entries may have \
             been forgotten too early, and the list must be replaced by a new one"
        )));
    }
    if now > last_sweep + FORWARD {
        return Err(StoreError::Clock(format!(
            "it is {now}, but the list was last swept at {last_sweep}, more than 400 days before. \
             Set the clock right; if it is right, then every session that the list could concern \
             has ended, and the list must be replaced by a new one"
        )));
    }
    Ok(())
}
