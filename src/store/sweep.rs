//! When a store may forget: not by a clock that cannot be right.

use std::time::Duration;

use crate::error::StoreError;
use crate::time::{LONGEST, UnixMillis};

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
