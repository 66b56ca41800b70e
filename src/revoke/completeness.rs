//! How far a node's list can be relied on.
//!
//! A store of this process has no other writers, and the list is the store: it is always complete. Behind a
//! shared store two things can be missing:
//!
//! 1. what others published since this node last heard of everything: a number, the *staleness*;
//! 2. what the store has lost and others have not restored yet. A node that was not whole when the store was
//!    lost waits until it has settled. Meanwhile it can judge only sessions that began after it met the server.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::time::{Clock, UnixMillis};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Completeness {
    /// When the list last held all that the store did.
    pub(crate) at: Moment,
    /// Whether the list may lack what the store has lost, until that has settled.
    pub(crate) waits: bool,
    /// Until when nodes may restore what the store lost, by this node's monotonic clock.
    pub(crate) settles_until: Duration,
    /// When this node met the server, by the server's clock: the last time there is while it is not known.
    pub(crate) met: UnixMillis,
}

/// Of a list that follows a shared store, of which nothing is known yet.
impl Default for Completeness {
    fn default() -> Self {
        Self {
            at: Moment::default(),
            waits: true,
            settles_until: Duration::ZERO,
            met: UnixMillis::MAX,
        }
    }
}

impl Completeness {
    /// How long ago this node last knew its list to hold all that the store did.
    pub(crate) fn staleness(&self, now: Moment) -> Duration {
        now.since(self.at)
    }

    /// Whether the list can tell of a session that began then, by the store's clock, whether it was ended.
    pub(crate) fn can_judge(
        &self,
        began: UnixMillis,
        now: Moment,
        max_staleness: Duration,
    ) -> bool {
        self.staleness(now) <= max_staleness && (!self.waits || began > self.met)
    }

    /// Whether nodes may still restore what the store lost.
    pub(crate) fn is_settling(&self, now: Moment) -> bool {
        now.monotonic < self.settles_until
    }
}

/// What is known now. Only what follows the store changes it, so a change takes no lock; who reads
/// never waits.
#[derive(Debug, Default)]
pub(crate) struct SharedCompleteness(ArcSwap<Completeness>);

impl SharedCompleteness {
    pub(crate) fn get(&self) -> Completeness {
        **self.0.load()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Completeness)) {
        let mut completeness = self.get();
        change(&mut completeness);
        self.0.store(Arc::new(completeness));
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
    fn staleness_is_the_larger_of_both_clocks() {
        let shared = Completeness {
            at: at(100),
            ..Completeness::default()
        };
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
        let shared = SharedCompleteness::default();
        shared.change(|it| it.at = at(101));
        let can_judge = |began, now| shared.get().can_judge(began, now, MAX);
        assert!(!can_judge(UnixMillis::new(u64::MAX), at(101)));
        shared.change(|it| it.met = time(100));
        assert!(!can_judge(time(100), at(101)));
        assert!(can_judge(time(101), at(101)));
        assert!(!can_judge(time(101), at(112)), "it is stale");
        shared.change(|it| it.waits = false);
        assert!(can_judge(UnixMillis::EPOCH, at(101)));
    }
}
