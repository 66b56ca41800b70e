//! A core that can be copied and compared, for the model checker.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::replicate::core::state::Core;
use crate::revoke::completeness::{Completeness, Moment, SharedCompleteness};
use crate::revoke::list::List;
use crate::revoke::{Incarnation, Revocation, Spared, Target};
use crate::time::UnixMillis;

impl Core {
    /// A copy that shares nothing.
    pub(crate) fn fork(&self) -> Self {
        let completeness = SharedCompleteness::default();
        completeness.change(|it| *it = self.completeness());
        Self {
            list: Arc::new(self.list.fork()),
            completeness: Arc::new(completeness),
            ..self.clone()
        }
    }

    /// Since when the store said that it knows of sessions.
    pub(crate) fn store_since(&self) -> UnixMillis {
        self.recovery.store_since
    }

    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    pub(crate) fn completeness(&self) -> Completeness {
        self.completeness.get()
    }

    /// Whether the list holds all that the store does now, and no comparison is due in the next minute.
    pub(crate) fn has_seen_everything(&self, now: Moment) -> bool {
        let soon = now.monotonic + std::time::Duration::from_secs(60);
        self.recovery.has_seen
            && self.completeness().staleness(now).is_zero()
            && self.following.compare_at >= soon
    }

    pub(crate) fn has_seen(&self) -> bool {
        self.recovery.has_seen
    }

    /// When the store was last heard of.
    pub(crate) fn heard_at(&self) -> Option<Moment> {
        self.recovery.heard
    }

    /// When the list was last known to be complete.
    pub(crate) fn complete_at(&self) -> Option<Moment> {
        self.recovery.complete_at
    }

    pub(crate) fn is_sure(&self) -> bool {
        self.recovery.is_sure
    }

    pub(crate) fn known(&self) -> Option<Incarnation> {
        self.recovery.known
    }

    /// Replaces the list by an empty one, as a core would that assigns what it loads.
    pub(crate) fn forget_list(&mut self) {
        self.list = Arc::new(List::small());
    }

    /// All that the list holds, in one order.
    pub(crate) fn entries(&self) -> Vec<Revocation> {
        let mut all = Vec::new();
        self.list.for_each(|revocation| all.push(revocation));
        all.sort_by_key(Revocation::key);
        all
    }

    pub(crate) fn digest(&self, state: &mut impl Hasher, target: Target) {
        self.entries().hash(state);
        self.list.complete_since().hash(state);
        let state_of_target = self.list.of_session(target, Spared::NOBODY.session);
        state_of_target.marked.hash(state);
        self.completeness().hash(state);
        self.announcement.hash(state);
        self.recovery.hash(state);
        let following = &self.following;
        (following.cursor, following.asked, following.compare_at).hash(state);
        if let Some(loading) = &following.loading {
            (loading.asked, &loading.told).hash(state);
            if let Some(comparison) = &loading.comparison {
                comparison.digest(state);
            }
        }
        self.repair.hash(state);
        self.outbox.hash(state);
        self.requests.hash(state);
        self.clocks_agree.hash(state);
    }
}
