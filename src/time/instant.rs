//! Points in time.
//!
//! 1. One unit: milliseconds since 1970 (UTC). A session and the list of revocations can begin within the same
//!    second, and it counts which came first.
//! 2. Arithmetic saturates: a time from outside can be absurd, but it cannot overflow.
//! 3. Converting does not saturate: a time that the other type cannot hold is an error.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use sealed_session::time::UnixMillis;
/// use std::time::Duration;
///
/// let start: UnixMillis = "2026-11-21T08:00:00Z".parse()?;
/// assert_eq!((start + Duration::from_secs(90)).to_string(), "2026-11-21T08:01:30Z");
/// # Ok::<(), sealed_session::time::ParseTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Later than any other time; used where something never ends.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `millis` milliseconds after 1970.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// The time `seconds` seconds after 1970.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How much later this time is than `earlier`; zero if it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This time less `duration`, not earlier than 1970.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// Saturates at [`UnixMillis::MAX`].
impl std::ops::Add<Duration> for UnixMillis {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// As milliseconds since 1970.
impl serde::Serialize for UnixMillis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.as_millis())
    }
}

/// RFC 3339 in UTC, with milliseconds where there are any.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = OffsetDateTime::try_from(*self).ok();
        let text = date.and_then(|date| date.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            // Past the year 9999, where RFC 3339 ends.
            None => write!(f, "@{}ms", self.0),
        }
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads RFC 3339, with any offset.
impl std::str::FromStr for UnixMillis {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        let bad = || ParseTimeError(text.chars().take(64).collect());
        let date = OffsetDateTime::parse(text.trim(), &Rfc3339).map_err(|_| bad())?;
        Self::try_from(date).map_err(|_| bad())
    }
}

/// What is finer than a millisecond is cut off. Fails before 1970.
impl TryFrom<SystemTime> for UnixMillis {
    type Error = TimeOutOfRange;

    fn try_from(time: SystemTime) -> Result<Self, TimeOutOfRange> {
        let since = time
            .duration_since(UNIX_EPOCH)
            .map_err(|_| TimeOutOfRange)?;
        let millis = u64::try_from(since.as_millis());
        millis.map(Self).map_err(|_| TimeOutOfRange)
    }
}

/// Fails for times that the operating system cannot express, far in the future.
impl TryFrom<UnixMillis> for SystemTime {
    type Error = TimeOutOfRange;

    fn try_from(time: UnixMillis) -> Result<Self, TimeOutOfRange> {
        let since = Duration::from_millis(time.0);
        UNIX_EPOCH.checked_add(since).ok_or(TimeOutOfRange)
    }
}

/// What is finer than a millisecond is cut off. Fails before 1970.
impl TryFrom<OffsetDateTime> for UnixMillis {
    type Error = TimeOutOfRange;

    fn try_from(date: OffsetDateTime) -> Result<Self, TimeOutOfRange> {
        let millis = date.unix_timestamp_nanos().div_euclid(1_000_000);
        u64::try_from(millis).map(Self).map_err(|_| TimeOutOfRange)
    }
}

/// In UTC. Fails past the year 9999.
impl TryFrom<UnixMillis> for OffsetDateTime {
    type Error = TimeOutOfRange;

    fn try_from(time: UnixMillis) -> Result<Self, TimeOutOfRange> {
        let nanos = i128::from(time.0) * 1_000_000;
        Self::from_unix_timestamp_nanos(nanos).map_err(|_| TimeOutOfRange)
    }
}

/// A text that is no RFC 3339 time from 1970 on. Shows at most 64 characters of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time such as 2026-11-21T08:00:00Z")]
pub struct ParseTimeError(String);

/// A time that cannot be converted: before 1970, or too late for the other type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is before 1970 or too far in the future")]
#[non_exhaustive]
pub struct TimeOutOfRange;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(UnixMillis::MAX + Duration::MAX, UnixMillis::MAX);
        assert_eq!(UnixMillis::EPOCH.minus(Duration::MAX), UnixMillis::EPOCH);
        assert_eq!(UnixMillis::EPOCH.since(UnixMillis::MAX), Duration::ZERO);
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["2026-11-21T08:00:00Z", "2026-11-21T08:00:00.25Z"] {
            assert_eq!(text.parse::<UnixMillis>().unwrap().to_string(), text);
        }
        let offset: UnixMillis = "2026-11-21T09:00:00+01:00".parse().unwrap();
        assert_eq!(offset.to_string(), "2026-11-21T08:00:00Z");
        assert_eq!(UnixMillis::MAX.to_string(), format!("@{}ms", u64::MAX));
    }

    #[test]
    fn bad_times_are_errors() {
        for text in ["", "yesterday", "2026-11-21", "1969-12-31T23:59:59Z"] {
            let error = text.parse::<UnixMillis>().unwrap_err();
            assert!(error.to_string().contains("RFC 3339"), "{text:?}: {error}");
        }
    }

    #[test]
    fn conversions_go_both_ways_and_refuse_what_the_other_type_cannot_hold() {
        let time: UnixMillis = "2026-11-21T08:00:00.25Z".parse().unwrap();
        let finer = Duration::from_nanos(999_999);
        let system = SystemTime::try_from(time).unwrap();
        assert_eq!(system, UNIX_EPOCH + Duration::from_millis(time.0));
        assert_eq!(UnixMillis::try_from(system + finer), Ok(time));
        let date = OffsetDateTime::try_from(time).unwrap();
        assert_eq!(date.unix_timestamp(), 1_795_248_000);
        assert_eq!(UnixMillis::try_from(date + finer), Ok(time));

        let early = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(UnixMillis::try_from(early), Err(TimeOutOfRange));
        let early = OffsetDateTime::from(early);
        assert_eq!(UnixMillis::try_from(early), Err(TimeOutOfRange));
        let late = OffsetDateTime::try_from(UnixMillis::MAX);
        assert_eq!(late, Err(TimeOutOfRange));
        assert_eq!(UnixMillis::try_from(UNIX_EPOCH), Ok(UnixMillis::EPOCH));
    }
}
