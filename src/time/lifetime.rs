//! How long sessions live.
//!
//! 1. Two classes, chosen at login: `standard` (the browser forgets the cookie when it closes, unless all
//!    cookies are persistent) and `remembered` ("keep me logged in").
//! 2. Two limits each: idle (since the last use) and absolute (since the login). Nothing extends
//!    a session past its absolute end.
//! 3. Both are enforced by the server. The cookie's Max-Age is only a courtesy to the browser.
//! 4. No limit exceeds 400 days, the age that browsers grant a cookie (RFC 6265bis, section 5.5).
//! 5. Three more lengths of time stand here: how often the browser is told of a use (`refresh_after`), the grace of a
//!    renewal, and by how much clocks may differ.

use std::time::Duration;

use super::instant::UnixMillis;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// By how much the clocks of two machines may differ.
pub(crate) const SKEW: Duration = MINUTE;

/// The longest that any session may live (RFC 6265bis, section 5.5).
pub const LONGEST: Duration = Duration::from_secs(400 * 24 * 3600);

/// The class of a session's lifetime, chosen at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Class {
    /// Ends with the browser, or earlier.
    #[default]
    Standard,
    /// "Keep me logged in": the cookie outlives the browser.
    Remembered,
}

/// The limits of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// A session that was not used for this long is dead. Exact to [`Lifetimes::refresh_after()`].
    pub idle: Duration,
    /// A session is dead this long after it began, however busy it is.
    pub absolute: Duration,
}

impl Limits {
    /// The limits.
    pub fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute }
    }
}

/// The lifetimes of all sessions of an application.
///
/// | setting | default |
/// |---|---|
/// | standard, idle | 1 hour |
/// | standard, absolute | 24 hours |
/// | remembered, idle | 14 days |
/// | remembered, absolute | 30 days |
/// | refresh after | 5 minutes, or a quarter of the shorter idle limit |
/// | renewal grace | 10 seconds |
///
/// NIST SP 800-63B-4 (section 2.2.3) asks for at most 24 hours overall and 1 hour idle at assurance
/// level 2, which the standard class meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifetimes {
    /// Sessions that end with the browser.
    pub standard: Limits,
    /// Sessions whose login asked to be remembered.
    pub remembered: Limits,
    /// How often a session that is used tells the browser so, which moves its idle limit. Smaller means
    /// more Set-Cookie headers and a more exact idle limit. Must be shorter than both idle limits.
    ///
    /// Default: none, which means 5 minutes, or a quarter of the shorter idle limit if that is less.
    pub refresh_after: Option<Duration>,
    /// How long the cookie from before a renewal still reads, for requests in flight. May be zero.
    pub renew_grace: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            standard: Limits::new(HOUR, DAY),
            remembered: Limits::new(14 * DAY, 30 * DAY),
            refresh_after: None,
            renew_grace: Duration::from_secs(10),
        }
    }
}

impl Lifetimes {
    /// The limits of a class.
    pub fn of(&self, class: Class) -> Limits {
        match class {
            Class::Standard => self.standard,
            Class::Remembered => self.remembered,
        }
    }

    /// How often a session that is used tells the browser so: as it is set, or as the idle limits ask for.
    pub fn refresh_after(&self) -> Duration {
        let shorter = self.standard.idle.min(self.remembered.idle);
        self.refresh_after.unwrap_or((5 * MINUTE).min(shorter / 4))
    }

    /// The longest that a session can live.
    pub(crate) fn longest_absolute(&self) -> Duration {
        self.standard.absolute.max(self.remembered.absolute)
    }

    /// When a session is dead by its absolute limit: the earlier of its sealed end and today's limit,
    /// so that a limit which is shortened works at once.
    pub(crate) fn end(&self, class: Class, created: UnixMillis, sealed: UnixMillis) -> UnixMillis {
        sealed.min(created + self.of(class).absolute)
    }

    /// # Errors
    /// When limits contradict each other or have no meaning. `wrong` makes the error, of a setting and its problem.
    pub(crate) fn validate<E>(&self, wrong: impl Fn(&'static str, String) -> E) -> Result<(), E> {
        let classes = [
            ("lifetime.idle", "lifetime.absolute", self.standard),
            (
                "lifetime.remembered_idle",
                "lifetime.remembered_absolute",
                self.remembered,
            ),
        ];
        for (idle, absolute, limits) in classes {
            let (setting, problem) = if limits.idle.is_zero() {
                (idle, "must be longer than zero".to_owned())
            } else if limits.absolute < limits.idle {
                (absolute, format!("must not be shorter than `{idle}`"))
            } else if limits.absolute > LONGEST {
                let problem = "must not exceed 400 days, the age that browsers grant a cookie";
                (absolute, problem.to_owned())
            } else if self.refresh_after() >= limits.idle {
                let problem =
                    format!("must be shorter than `{idle}`, or sessions in use would die idle");
                ("lifetime.refresh_after", problem)
            } else {
                continue;
            };
            return Err(wrong(setting, problem));
        }
        if self.renew_grace > 5 * MINUTE {
            let problem =
                "must not exceed 5 minutes: until it ends, a stolen old cookie still reads";
            return Err(wrong("lifetime.renew_grace", problem.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(setting: &'static str, problem: String) -> String {
        format!("{setting}: {problem}")
    }

    #[test]
    fn defaults_are_valid() {
        Lifetimes::default().validate(problem).unwrap();
    }

    #[test]
    fn lifetimes_that_contradict_each_other_are_refused() {
        let changes: [fn(&mut Lifetimes); 6] = [
            |l| l.standard.idle = Duration::ZERO,
            |l| l.standard.absolute = MINUTE,
            |l| l.remembered.absolute = LONGEST + Duration::from_millis(1),
            |l| l.refresh_after = Some(HOUR),
            |l| l.remembered.idle = 31 * DAY,
            |l| l.renew_grace = HOUR,
        ];
        for change in changes {
            let mut lifetimes = Lifetimes::default();
            change(&mut lifetimes);
            assert!(lifetimes.validate(problem).is_err(), "{lifetimes:?}");
        }
    }

    #[test]
    fn a_short_limit_shortens_a_refresh_that_was_not_set() {
        let mut lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.refresh_after(), 5 * MINUTE);
        lifetimes.remembered.idle = MINUTE;
        assert_eq!(lifetimes.refresh_after(), MINUTE / 4);
        lifetimes.standard.idle = MINUTE / 2;
        assert_eq!(lifetimes.refresh_after(), MINUTE / 8);
        lifetimes.validate(problem).unwrap();
        lifetimes.refresh_after = Some(MINUTE / 2);
        assert_eq!(lifetimes.refresh_after(), MINUTE / 2);
        lifetimes.validate(problem).unwrap_err();
    }

    #[test]
    fn a_shorter_limit_works_at_once_and_a_longer_one_not_at_all() {
        let lifetimes = Lifetimes::default();
        let created = UnixMillis::new(1000);
        let end = |sealed| lifetimes.end(Class::Standard, created, sealed);
        assert_eq!(end(created + 2 * DAY), created + DAY);
        assert_eq!(end(created + HOUR), created + HOUR);
    }
}
