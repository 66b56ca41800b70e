//! Refusals and troubles, for the log and the counters.
//!
//! Anyone can send rubbish, so the log is rate-limited: a few lines a second, with the number of those that were left
//! out. Lines carry the reason and the key id, never the cookie. Counters count all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::csrf::CrossSite;
use crate::error::Rejected;
use crate::ids::SessionId;
use crate::observe;
use crate::time::Clock;

/// Lines a second.
const LIMIT: u64 = 10;

pub(crate) struct Log {
    clock: Arc<dyn Clock>,
    /// Apart from troubles: anyone can bring about a refusal, which must not crowd out a trouble's line.
    refusals: Limit,
    troubles: Limit,
    unknown_keys: AtomicU64,
}

impl Log {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            refusals: Limit::default(),
            troubles: Limit::default(),
            unknown_keys: AtomicU64::new(0),
        }
    }

    /// A cookie was refused.
    pub(crate) fn rejected(&self, reason: &Rejected) {
        observe::rejected(reason);
        if matches!(reason, Rejected::UnknownKey(_)) {
            observe::count(observe::UNKNOWN_KEY, 1);
            self.unknown_keys.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(left_out) = self.refusals.admit(&*self.clock) {
            tracing::info!(%reason, left_out, "refused a session cookie");
        }
    }

    /// How many cookies named a key that the ring does not hold.
    pub(crate) fn unknown_keys(&self) -> u64 {
        self.unknown_keys.load(Ordering::Relaxed)
    }

    /// A request is answered with 503: whether its cookie is a session cannot be said at the moment.
    pub(crate) fn unavailable(&self, staleness: Duration, settling: bool) {
        observe::count(observe::UNAVAILABLE, 1);
        if let Some(left_out) = self.troubles.admit(&*self.clock) {
            let staleness = staleness.as_millis();
            tracing::warn!(
                staleness_ms = u64::try_from(staleness).unwrap_or(u64::MAX),
                settling,
                left_out,
                "the revocation list cannot be trusted at the moment; a request was turned away"
            );
        }
    }

    /// A request of another site, or without the token that is demanded, is answered with 403.
    pub(crate) fn cross_site(&self, problem: &CrossSite) {
        observe::count(observe::CROSS_SITE, 1);
        if let Some(left_out) = self.refusals.admit(&*self.clock) {
            tracing::info!(%problem, left_out, "refused a request that may be forged");
        }
    }

    /// A session that moved in from another library lacks an entry.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn entry_left_behind(&self, entry: &str, problem: &str) {
        if let Some(left_out) = self.refusals.admit(&*self.clock) {
            tracing::warn!(
                entry,
                problem,
                left_out,
                "an entry of a session of actix-session was left behind"
            );
        }
    }

    /// A session of another library names a user that cannot be logged in here.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn no_subject(&self) {
        if let Some(left_out) = self.refusals.admit(&*self.clock) {
            tracing::warn!(
                left_out,
                "the user of a session of actix-session is no subject, a name of 1 to 255 bytes; it was not taken over"
            );
        }
    }

    /// A changed session was not sealed, because it was ended while its request ran.
    pub(crate) fn dropped(&self, session: &SessionId, reason: &Rejected) {
        if let Some(left_out) = self.refusals.admit(&*self.clock) {
            let session = observe::tag(session.as_bytes());
            tracing::info!(%session, %reason, left_out, "a session ended while its request ran; its changes are dropped");
        }
    }
}

/// How much of one kind is written.
#[derive(Debug, Default)]
struct Limit {
    second: AtomicU64,
    written: AtomicU64,
    left_out: AtomicU64,
}

impl Limit {
    /// How many lines were left out since the last one, if another may be written now.
    ///
    /// Races between threads can let a few more through, which does no harm.
    fn admit(&self, clock: &dyn Clock) -> Option<u64> {
        let second = clock.monotonic().as_secs() + 1;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.written.store(0, Ordering::Relaxed);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) < LIMIT {
            Some(self.left_out.swap(0, Ordering::Relaxed))
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let clock = ManualClock::default();
        let limit = Limit::default();
        let written = (0..1000).filter(|_| limit.admit(&clock).is_some()).count();
        assert_eq!(written, 10);
        clock.advance(Duration::from_secs(1));
        assert_eq!(limit.admit(&clock), Some(990));
        assert_eq!(limit.admit(&clock), Some(0));
    }
}
