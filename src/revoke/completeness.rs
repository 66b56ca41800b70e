//! How far a node's list can be relied on.
//!
//! A store of this process has no other writers, and the list is the store: it is always complete. Behind a
//! shared store two things can be missing:
//!
//! 1. what others published since this node last heard of everything: a number, the *staleness*;
//! 2. what the store has lost and others have not restored yet. A node that was not whole when the store was
//!    lost waits until it has settled. Meanwhile it can judge only sessions that began after it met the server.
//!
//! Every request reads these, so they are atomics. One writer sets them: what follows the store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::time::{Clock, UnixMillis, millis};

/// A point in time by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Moment {
    pub(crate) wall: UnixMillis,
    pub(crate) monotonic: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// How long ago `then` was: the larger of what both clocks say, so that neither a clock set back nor a
    /// machine that slept hides anything.
    pub(crate) fn since(self, then: Self) -> Duration {
        let wall = self.wall.since(then.wall);
        wall.max(self.monotonic.saturating_sub(then.monotonic))
    }
}

/// What is known of the completeness of a list.
#[derive(Debug)]
pub(crate) struct Completeness {
    is_shared: bool,
    /// When the list last held all that the store did, by both clocks.
    wall: AtomicU64,
    monotonic: AtomicU64,
    /// Whether the list may lack what the store has lost, until that has settled.
    waits: AtomicBool,
    /// Until when nodes may restore what the store lost, by this node's monotonic clock.
    settles_until: AtomicU64,
    /// When this node met the server, by the server's clock: the last time there is while it is not known.
    met: AtomicU64,
}

impl Completeness {
    /// Of a list that is the store itself.
    pub(crate) fn local() -> Self {
        Self::new(false)
    }

    /// Of a list that follows a shared store, of which nothing is known yet.
    pub(crate) fn shared() -> Self {
        Self::new(true)
    }

    fn new(is_shared: bool) -> Self {
        Self {
            is_shared,
            wall: AtomicU64::new(0),
            monotonic: AtomicU64::new(0),
            waits: AtomicBool::new(is_shared),
            settles_until: AtomicU64::new(0),
            met: AtomicU64::new(u64::MAX),
        }
    }

    /// All that it says, for a checker that tries every order.
    #[cfg(test)]
    pub(crate) fn values(&self) -> [u64; 5] {
        let waits = u64::from(self.waits.load(Ordering::Acquire));
        let numbers = [&self.wall, &self.monotonic, &self.settles_until, &self.met];
        let [a, b, c, d] = numbers.map(|number| number.load(Ordering::Acquire));
        [a, b, c, d, waits]
    }

    /// A copy that shares nothing.
    #[cfg(test)]
    pub(crate) fn fork(&self) -> Self {
        let [wall, monotonic, settles_until, met, waits] = self.values().map(AtomicU64::new);
        Self {
            is_shared: self.is_shared,
            wall,
            monotonic,
            settles_until,
            met,
            waits: AtomicBool::new(waits.into_inner() == 1),
        }
    }

    /// Whether other nodes write to the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The list holds all that the store held at `moment`.
    pub(crate) fn set_complete_at(&self, moment: Moment) {
        self.wall.store(moment.wall.as_millis(), Ordering::Release);
        self.monotonic
            .store(millis(moment.monotonic), Ordering::Release);
    }

    /// How long ago this node last knew its list to hold all that the store did. Zero where it is the store.
    pub(crate) fn staleness(&self, now: Moment) -> Duration {
        if !self.is_shared {
            return Duration::ZERO;
        }
        now.since(Moment {
            wall: UnixMillis::new(self.wall.load(Ordering::Acquire)),
            monotonic: Duration::from_millis(self.monotonic.load(Ordering::Acquire)),
        })
    }

    /// Whether the list may lack what the store has lost.
    pub(crate) fn set_waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::Release);
    }

    /// Whether the list may lack what the store has lost.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// Whether the list can tell of a session that began then, by the store's clock, whether it was ended.
    pub(crate) fn can_judge(
        &self,
        began: UnixMillis,
        now: Moment,
        max_staleness: Duration,
    ) -> bool {
        self.staleness(now) <= max_staleness && (!self.waits() || began > self.met())
    }

    /// The store says that for so long nodes may still restore what it lost.
    pub(crate) fn set_settling(&self, now: Moment, settling: Duration) {
        let until = now.monotonic.saturating_add(settling);
        self.settles_until.store(millis(until), Ordering::Release);
    }

    /// Whether nodes may still restore what the store lost.
    pub(crate) fn is_settling(&self, now: Moment) -> bool {
        millis(now.monotonic) < self.settles_until.load(Ordering::Acquire)
    }

    /// This node met a server that it did not know, by whose clock it was `theirs` then, or a while later.
    pub(crate) fn set_met(&self, theirs: UnixMillis) {
        self.met.store(theirs.as_millis(), Ordering::Release);
    }

    /// When this node met the server, by the server's clock; the last time there is while that is not known.
    pub(crate) fn met(&self) -> UnixMillis {
        UnixMillis::new(self.met.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment {
            wall: UnixMillis::from_secs(seconds),
            monotonic: Duration::from_secs(seconds),
        }
    }

    fn time(seconds: u64) -> UnixMillis {
        UnixMillis::from_secs(seconds)
    }

    #[test]
    fn a_list_that_is_the_store_can_judge_everything() {
        let local = Completeness::local();
        assert!(local.can_judge(UnixMillis::EPOCH, at(1_000), MAX));
        assert_eq!(local.staleness(at(1_000)), Duration::ZERO);
    }

    #[test]
    fn staleness_is_the_larger_of_both_clocks() {
        let shared = Completeness::shared();
        shared.set_complete_at(at(100));
        let slept = Moment {
            wall: time(103),
            monotonic: Duration::from_secs(101),
        };
        assert_eq!(shared.staleness(slept), 3 * SECOND);
        let set_back = Moment {
            wall: time(50),
            monotonic: Duration::from_secs(105),
        };
        assert_eq!(shared.staleness(set_back), 5 * SECOND);
    }

    #[test]
    fn a_node_that_waits_judges_what_began_after_it_met_the_server() {
        let shared = Completeness::shared();
        shared.set_complete_at(at(101));
        assert!(!shared.can_judge(UnixMillis::new(u64::MAX), at(101), MAX));
        shared.set_met(time(100));
        assert!(!shared.can_judge(time(100), at(101), MAX));
        assert!(shared.can_judge(time(101), at(101), MAX));
        assert!(!shared.can_judge(time(101), at(112), MAX), "it is stale");
        shared.set_waits(false);
        assert!(shared.can_judge(UnixMillis::EPOCH, at(101), MAX));
    }
}
