//! How old a node's list may be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, UnixMillis, millis};
use crate::revoke::store::{Reach, SETTLING};

/// A point in time by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Moment {
    pub(super) wall: UnixMillis,
    pub(super) monotonic: Duration,
}

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// How long ago `then` was at the least trusting: the larger of what both clocks say, so that neither
    /// a clock set back nor a machine that slept hides anything.
    pub(super) fn since(self, then: Self) -> Duration {
        let wall = self.wall.since(then.wall);
        wall.max(self.monotonic.saturating_sub(then.monotonic))
    }
}

/// Since when this node does not know itself complete.
#[derive(Debug)]
pub(crate) struct Vigil {
    reach: Reach,
    wall: AtomicU64,
    monotonic: AtomicU64,
    /// Until when nodes may still give back what the store lost.
    settled: AtomicU64,
    /// Until when the store may be a copy that nodes have not given back yet what it lacks.
    copy: AtomicU64,
    /// When this node met the server, by the server's clock: the last time there is while it is not known.
    met: AtomicU64,
}

impl Vigil {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            wall: AtomicU64::new(0),
            monotonic: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            copy: AtomicU64::new(0),
            met: AtomicU64::new(u64::MAX),
        }
    }

    /// The list holds all that the store held at `moment`.
    pub(super) fn complete(&self, moment: Moment) {
        self.wall.store(moment.wall.as_millis(), Ordering::Release);
        self.monotonic
            .store(millis(moment.monotonic), Ordering::Release);
    }

    /// How long ago this node last knew its list to be complete.
    ///
    /// Zero for a store in this process, which has no other source of news than this process.
    pub(crate) fn staleness(&self, clock: &dyn Clock) -> Duration {
        if self.reach == Reach::Process {
            return Duration::ZERO;
        }
        let then = Moment {
            wall: UnixMillis::new(self.wall.load(Ordering::Acquire)),
            monotonic: Duration::from_millis(self.monotonic.load(Ordering::Acquire)),
        };
        Moment::now(clock).since(then)
    }

    /// The store said that for so long nodes may still give back what it lost.
    pub(super) fn settles(&self, clock: &dyn Clock, settling: Duration) {
        let settled = clock.monotonic().saturating_add(settling);
        self.settled.store(millis(settled), Ordering::Release);
    }

    /// Whether the store may still be given back what it lost. Nobody else knows anything of a store in
    /// this process.
    pub(crate) fn is_settling(&self, clock: &dyn Clock) -> bool {
        self.reach == Reach::Network
            && millis(clock.monotonic()) < self.settled.load(Ordering::Acquire)
    }

    /// This node met a server that it did not know, or may have: one that took another's place need not know
    /// what others were told.
    pub(super) fn met(&self, clock: &dyn Clock) {
        // In this order: nobody is measured by a meeting from before.
        self.met.store(u64::MAX, Ordering::Release);
        let known = clock.monotonic().saturating_add(SETTLING);
        self.copy.store(millis(known), Ordering::Release);
    }

    /// The server's time at the meeting, or a while after it.
    pub(super) fn met_at(&self, theirs: UnixMillis) {
        self.met.store(theirs.as_millis(), Ordering::Release);
    }

    /// Whether the server's time at the last meeting is still to be found out.
    pub(super) fn is_met_unknown(&self) -> bool {
        self.reach == Reach::Network && self.met.load(Ordering::Acquire) == u64::MAX
    }

    /// When this node met the server, by the server's clock, if that may not know of raises from before: a copy
    /// that took another's place, or one that has lost data and is being given it back.
    pub(crate) fn may_lag(&self, clock: &dyn Clock) -> Option<UnixMillis> {
        let now = millis(clock.monotonic());
        let just_met = self.reach == Reach::Network && now < self.copy.load(Ordering::Acquire);
        (just_met || self.is_settling(clock))
            .then(|| UnixMillis::new(self.met.load(Ordering::Acquire)))
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }
}
