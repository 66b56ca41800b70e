//! Keeping the list what the store is: load everything, follow what comes.
//!
//! 1. Nothing is answered before everything was loaded once.
//! 2. What is loaded is joined, never assigned: a store that lost everything erases nothing here.
//! 3. What may have been missed is a gap, and after a gap everything is loaded before anything is followed.
//! 4. After a connection failed, when another server was met, and from time to time in any case, the list
//!    is compared with the store's whole state. Following goes on meanwhile: that may take longer than a list may
//!    be old.
//! 5. What the store turns out to lack is restored to it ([`repair`](super::repair)).

use std::time::Duration;

use crate::error::StoreError;
use crate::observe;
use crate::replicate::core::comparison::Comparison;
use crate::replicate::core::event::{Call, Load, Reply, STARTED, Timer};
use crate::replicate::core::state::{Core, Following, Loading};
use crate::revoke::node::check_clocks;
use crate::revoke::{Delta, Followed, Revocation, SnapshotEnd};

/// The wait after an error; doubles up to [`SLOWEST`].
const BACKOFF: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(2);
/// How long after the last a comparison is made at the latest although nothing seems to be missed, and how
/// much longer each entry makes that.
const COMPARE: Duration = Duration::from_secs(300);
const COMPARE_PER_ENTRY: Duration = Duration::from_millis(1);
/// Over how long the nodes of a fleet spread loading that they all have to do, at most, and for each entry.
const SPREAD: Duration = Duration::from_secs(2);
const SPREAD_PER_ENTRY: Duration = Duration::from_micros(20);

impl Following {
    fn next_backoff(&mut self) -> Duration {
        let backoff = self.backoff;
        self.backoff = (backoff * 2).clamp(BACKOFF, SLOWEST);
        backoff
    }
}

impl Core {
    pub(super) fn load(&mut self, load: Load) {
        let with_anonymous = !self.recovery.has_restored;
        let compares = self.following.cursor.is_some();
        self.following.loading = Some(Loading {
            load,
            asked: self.now,
            comparison: compares.then(|| Comparison::new(with_anonymous)),
            told: Vec::new(),
        });
        self.call(Call::Load(load));
    }

    pub(super) fn take_piece(&mut self, load: Load, revocations: &[Revocation]) {
        for revocation in revocations {
            self.list.join(revocation);
        }
        let loading = self.following.loading.as_mut();
        let loading = loading.filter(|it| it.load == load);
        if let Some(comparison) = loading.and_then(|it| it.comparison.as_mut()) {
            comparison.holds(revocations, &self.list);
        }
    }

    pub(super) fn loaded(&mut self, load: Load, end: Result<SnapshotEnd, StoreError>) {
        let loading = &mut self.following.loading;
        let Some(loading) = loading.take_if(|it| it.load == load) else {
            return;
        };
        match load {
            Load::Follow => self.loaded_to_follow(loading, end),
            Load::Compare(_) => self.loaded_to_compare(loading, end),
        }
    }

    fn loaded_to_follow(&mut self, loading: Loading, end: Result<SnapshotEnd, StoreError>) {
        let is_first = self.following.cursor.is_none();
        let end = end.and_then(|end| {
            let is_another = self.heard(&end.state);
            // A list that began by a clock which was behind would claim to know of sessions from before it.
            check_clocks(self.now.wall, end.state.now).map(|()| (end, is_another))
        });
        match end {
            Ok((end, is_another)) => {
                self.saw_everything(&end.state, loading.asked);
                self.following.cursor = Some(end.cursor);
                // A server that was met just now was not asked for anonymous sessions: it is compared anew.
                if is_first || !is_another {
                    self.compared(loading);
                }
                if is_first {
                    self.reply(STARTED, Ok(Reply::Done));
                }
                self.follow();
            }
            Err(error) if is_first => self.reply(STARTED, Err(error)),
            Err(error) => {
                tracing::warn!(%error, "the revocation store cannot be loaded");
                let after = self.following.next_backoff();
                self.wake(Timer::Load, after / 2, after / 2);
            }
        }
    }

    fn loaded_to_compare(&mut self, loading: Loading, end: Result<SnapshotEnd, StoreError>) {
        match end {
            // What was compared may be of the one before.
            Ok(end) if self.heard(&end.state) => (),
            Ok(_) => self.compared(loading),
            Err(error) => {
                tracing::warn!(%error, "the revocation store's list cannot be compared with this node's");
                self.compare_after(SLOWEST);
            }
        }
    }

    /// The store is known to hold what was loaded, and what it told meanwhile.
    fn compared(&mut self, loading: Loading) {
        self.following.compare_at = self.next_comparison();
        let lacking = loading.comparison.map(|mut comparison| {
            comparison.holds(&loading.told, &self.list);
            comparison.lacking(&self.list, self.now.wall)
        });
        self.begin_repair(lacking.unwrap_or_default());
    }

    pub(super) fn follow(&mut self) {
        if let Some(cursor) = self.following.cursor {
            self.following.asked = Some(self.now);
            self.call(Call::Follow(cursor));
        }
    }

    pub(super) fn followed(&mut self, followed: Result<Followed, StoreError>) {
        match followed {
            Ok(Followed::Delta(delta)) => self.take(delta),
            Ok(Followed::Gap(state)) => {
                observe::count(observe::GAPS, 1);
                tracing::warn!(
                    "what the revocation store published may have been missed; loading everything"
                );
                if !self.heard(&state) {
                    // The list is not known to be complete any more.
                    self.recovery.complete_at = None;
                }
                self.following.loading = None;
                let after = self.following.next_backoff();
                self.wake(Timer::Load, after, self.spread());
            }
            Err(error) => {
                tracing::warn!(%error, "the revocation store cannot be followed");
                // Behind the next connection there may be a server that lacks what this node told the last
                // one, at a cursor that fits. A comparison with the one before says nothing of that one.
                self.repair.lacking = None;
                self.compare_after(Duration::ZERO);
                let after = self.following.next_backoff();
                self.wake(Timer::Follow, after / 2, after / 2);
            }
        }
    }

    fn take(&mut self, delta: Delta) {
        for revocation in &delta.revocations {
            self.list.join(revocation);
        }
        self.repair.told(&delta.revocations);
        self.following.cursor = Some(delta.cursor);
        self.following.backoff = Duration::ZERO;
        if let Some(comparing) = &mut self.following.loading {
            comparing.told.extend(&delta.revocations);
        }
        if let Some(state) = &delta.state {
            self.heard(state);
            if let Some(asked) = self.following.asked
                && delta.is_complete
            {
                self.saw_everything(state, asked);
            }
        }
        self.repair_if_due();
        let is_due = self.now.monotonic >= self.following.compare_at;
        if is_due && self.following.loading.is_none() {
            self.following.comparisons = self.following.comparisons.wrapping_add(1);
            self.load(Load::Compare(self.following.comparisons));
        }
        self.follow();
    }

    /// The list is compared with the store after a while, a different one for each node, so that a whole fleet does
    /// not do it at once. A comparison that is under way is given up.
    pub(super) fn compare_after(&mut self, after: Duration) {
        let loading = &mut self.following.loading;
        loading.take_if(|it| it.load != Load::Follow);
        let soon = self.now.monotonic + after + self.part_of(self.spread());
        self.following.compare_at = self.following.compare_at.min(soon);
    }

    fn next_comparison(&self) -> Duration {
        let every = COMPARE + COMPARE_PER_ENTRY.saturating_mul(self.count());
        // Between half and the whole of it.
        self.now.monotonic + every / 2 + self.part_of(every / 2)
    }

    fn spread(&self) -> Duration {
        SPREAD_PER_ENTRY.saturating_mul(self.count()).min(SPREAD)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }
}
