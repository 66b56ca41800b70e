//! Clocks.
//!
//! Time is an input. Nothing in this crate but [`SystemClock`] asks the machine what time it is.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::instant::UnixMillis;

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
        UnixMillis::try_from(SystemTime::now()).unwrap_or(UnixMillis::EPOCH)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
