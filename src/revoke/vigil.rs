//! How old a node's list may be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::revoke::store::Reach;
use crate::time::{Clock, UnixMillis, millis};

/// Since when this node does not know itself complete.
#[derive(Debug)]
pub(crate) struct Vigil {
    reach: Reach,
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl Vigil {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            wall: AtomicU64::new(0),
            monotonic: AtomicU64::new(0),
        }
    }

    /// The list is complete now.
    pub(super) fn complete(&self, clock: &dyn Clock) {
        self.wall.store(clock.now().as_millis(), Ordering::Release);
        self.monotonic
            .store(millis(clock.monotonic()), Ordering::Release);
    }

    /// How long ago this node last knew its list to be complete: the larger of what both clocks say,
    /// so that neither a clock set back nor a machine that slept hides anything.
    ///
    /// Zero for a store in this process, which has no other source of news than this process.
    pub(crate) fn staleness(&self, clock: &dyn Clock) -> Duration {
        if self.reach == Reach::Process {
            return Duration::ZERO;
        }
        let wall = clock
            .now()
            .since(UnixMillis::new(self.wall.load(Ordering::Acquire)));
        let then = Duration::from_millis(self.monotonic.load(Ordering::Acquire));
        wall.max(clock.monotonic().saturating_sub(then))
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }
}
