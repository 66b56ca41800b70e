//! Points in time, clocks, and how long sessions live.

mod clock;
mod instant;
pub(crate) mod lifetime;

pub use clock::{Clock, SystemClock};
pub(crate) use instant::millis;
pub use instant::{ParseTimeError, TimeOutOfRange, UnixMillis};
pub use lifetime::{Class, LONGEST, Limits};
pub(crate) use lifetime::{Lifetimes, SKEW};
