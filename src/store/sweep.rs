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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_a_minute_behind_the_last_sweep_and_400_days_after_it() {
        let swept = UnixMillis::from_secs(1_800_000_000);
        let (behind, ahead) = (
            swept.minus(Duration::from_secs(60)),
            swept + Duration::from_secs(400 * 24 * 3600),
        );
        for now in [behind, swept, ahead] {
            assert_eq!(check_clock(now, swept), Ok(()));
        }
        let millisecond = Duration::from_millis(1);
        for (now, says) in [
            (behind.minus(millisecond), "which is later"),
            (ahead + millisecond, "400 days"),
        ] {
            let error = check_clock(now, swept).unwrap_err();
            assert!(
                matches!(&error, StoreError::Clock(told) if told.contains(says)),
                "{error}"
            );
        }
    }
}
