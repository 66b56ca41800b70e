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
//! What they have in common, decided here once:
//!
//! 1. **A subject is kept as long as any cookie could need it.** Its generation is at least the
//!    time of its raise in milliseconds, so "generation + longest life announced" is a lower bound
//!    for `until` that also holds for raises from before a longer life was announced. Being a
//!    function of the joined state, it keeps the order of publications irrelevant.
//! 2. **A clock that cannot be right forgets nothing.** A sweep compares the clock with that of the
//!    sweep before.
//! 3. **A repeated raise is recognised** if it is one of the target's last few.

mod feed;
mod memory;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redis")]
mod redis;

use std::time::Duration;

#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{Redis, RedisOptions};
pub use crate::error::StoreError;
pub use memory::Memory;
#[cfg(feature = "redb")]
#[cfg_attr(docsrs, doc(cfg(feature = "redb")))]
pub use redb::{Redb, RedbOptions};

use crate::clock::UnixMillis;
use crate::lifetime::LONGEST;
use crate::revoke::SubjectEntry;

/// How many expired entries one sweep forgets at most, so that no sweep keeps writers waiting long.
const SWEEP_BATCH: usize = 10_000;

/// How far a clock may stand behind the last sweep.
const BACKWARD: Duration = Duration::from_secs(60);

/// How far a clock may stand ahead of the last sweep: no session lives longer than this, so a list
/// that was not swept for so long has nothing left to tell.
const FORWARD: Duration = LONGEST;

/// The entry with an `until` that covers every cookie of a node which announced `longest`.
fn kept(entry: SubjectEntry, longest: Duration) -> SubjectEntry {
    let raised = UnixMillis::new(entry.generation.get());
    SubjectEntry {
        until: entry.until.max(raised + longest),
        ..entry
    }
}

/// Since when a list vouches that was `born` then and is ordered to be reborn. A birth in the future is
/// of a clock that was ahead: nobody could log in until then.
fn reborn(born: UnixMillis, now: UnixMillis) -> UnixMillis {
    if born > now + BACKWARD {
        return now;
    }
    born.max(now)
}

/// Whether `now` can follow a sweep at `last_sweep`.
fn check_clock(now: UnixMillis, last_sweep: UnixMillis) -> Result<(), StoreError> {
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
