//! Clocks.
//!
//! Time is an input. Nothing in this crate but [`SystemClock`] asks the machine what time it is, and the conformance
//! suite, for intervals.

use std::fmt;
use std::time::{Duration, Instant};

use super::instant::UnixMillis;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::instant::millis;

/// Where this crate asks for the time.
///
/// [`SystemClock`] is the default. Tests use a clock that they move by hand
/// (`testing::ManualClock`, feature `testing`).
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time of day.
    fn now(&self) -> UnixMillis;

    /// Time since some fixed point in the past, which never jumps. Tells how long nothing was heard.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
///
/// On Linux and Android the time of day is that of the kernel's last tick, as a rule one to ten milliseconds ago. So it may
/// be a little before what `SystemTime::now()` has told. A time that is to have come, such as that of a key which seals at
/// once, lies further back, or is this clock's.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // A machine whose clock stands before 1970 refuses every session rather than panicking.
        time_of_day().unwrap_or(UnixMillis::EPOCH)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The kernel's time as of its last tick. With the counter, which is read to know what passed since, a read of a cached
/// token takes 9 % more time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn time_of_day() -> Option<UnixMillis> {
    use rustix::time::{ClockId, clock_gettime};

    let since = Duration::try_from(clock_gettime(ClockId::RealtimeCoarse)).ok()?;
    Some(UnixMillis::new(millis(since)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn time_of_day() -> Option<UnixMillis> {
    UnixMillis::try_from(std::time::SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_time_of_day_is_the_machines() {
        let machine = || UnixMillis::try_from(SystemTime::now()).unwrap();
        let before = machine();
        let now = SystemClock::default().now();
        // A tick, and what a clock that is set meanwhile may make of it.
        let second = Duration::from_secs(1);
        assert!(before < now + second && now < machine() + second, "{now:?}");
    }
}
