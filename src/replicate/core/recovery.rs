//! Which store this is, whether it was lost, and what this node may say of it then.
//!
//! A store that lost everything begins a new *epoch*; one whose server was replaced has another identity, and may
//! lack what the one before took last. Either is a *loss*. The rules:
//!
//! 1. A list is **complete** if it holds all that was revoked since its `complete_since`.
//! 2. A node that was complete when it last heard of the lost store, at most `max_outage` before it met the next
//!    one, and has met every one in between, stays **sure** of its `complete_since`. It attests that once the
//!    store has taken its list. Any other takes the store's, until the store has settled.
//! 3. A node is **fresh** through a loss if its list was complete at most `max_staleness` before it met the next
//!    store. It goes on from its list. Any other **waits** until the store has settled, so that others had the
//!    time to restore what it never heard of. So does a node that starts.
//! 4. The store's `complete_since` counts for whoever holds all that the store does, and can only move back
//!    in an epoch: what was attested follows what was restored.
//!
//! Rule 2 is why a node can take an attestation for granted which the store has lost: it is told again by whoever
//! is sure. Rule 3 is why it does not matter in which order nodes find out.

use crate::replicate::core::Core;
use crate::revoke::completeness::Moment;
use crate::revoke::policy::Trust;
use crate::revoke::{Incarnation, LogState};
use crate::time::UnixMillis;

/// What is known of the store, and of the list as a copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Recovery {
    /// The last that was heard of.
    known: Option<Incarnation>,
    /// The one before it. Answers of it can still be under way.
    left: Option<Incarnation>,
    /// When the store that is known was heard of last.
    heard: Option<Moment>,
    /// Whether the list holds all that it did at some time since this node met it.
    has_seen: bool,
    /// When the list was last known to be complete; `None` while it is known not to be.
    complete_at: Option<Moment>,
    /// Whether the list may lack what the store lost (rule 3).
    waits: bool,
    /// Whether the list's `complete_since` is known to be right, whatever the store says (rule 2).
    is_sure: bool,
    /// Whether the store has taken the whole list.
    pub(super) has_restored: bool,
    /// How many stores were lost since one has settled.
    losses: u8,
}

/// How many losses without a store that settled are told as an error.
const MANY_LOSSES: u8 = 3;

impl Recovery {
    pub(super) fn known(&self) -> Option<Incarnation> {
        self.known
    }

    #[cfg(test)]
    pub(super) fn has_seen(&self) -> bool {
        self.has_seen
    }

    #[cfg(test)]
    pub(super) fn is_sure(&self) -> bool {
        self.is_sure
    }

    #[cfg(test)]
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Another store than the one that was known.
    fn meet(&mut self, state: &LogState, now: Moment, trust: &Trust) {
        let since = |then: Option<Moment>| then.map(|then| now.since(then));
        let was_whole = match (self.heard, self.complete_at) {
            (Some(heard), Some(complete)) => heard.since(complete) <= trust.max_staleness,
            _ => false,
        };
        let in_time = since(self.heard).is_some_and(|away| away <= trust.max_outage);
        let is_fresh = since(self.complete_at).is_some_and(|age| age <= trust.max_staleness);
        self.is_sure &= was_whole && in_time && self.has_seen;
        self.waits |= !is_fresh;
        self.left = self.known.replace(state.incarnation);
        if self.left.is_some() {
            self.losses = self.losses.saturating_add(1);
        }
        self.has_seen = false;
        self.has_restored = false;
    }

    /// The list held all that the store did at `asked`.
    fn saw_everything(&mut self, state: &LogState, asked: Moment) {
        self.has_seen = true;
        if state.settling.is_zero() {
            self.losses = 0;
            self.waits = false;
            self.is_sure = true;
        }
        if !self.waits {
            self.complete_at = Some(asked);
        }
    }

    /// Something was missed of the store that is known.
    pub(super) fn missed(&mut self) {
        self.complete_at = None;
    }
}

impl Core {
    /// The store said what it is. Whether it is another one than was known.
    pub(super) fn heard(&mut self, state: &LogState, now: Moment) -> bool {
        let known = self.recovery.known;
        let is_another = known != Some(state.incarnation);
        if is_another {
            self.completeness.meets(now);
            self.completeness.met_at(state.now);
            self.recovery.meet(state, now, &self.trust);
            self.completeness.set_waits(self.recovery.waits);
            self.repair.give_up();
            if let Some(known) = known {
                self.report_loss(known, state);
                self.compare_soon(now);
            }
        }
        self.recovery.heard = Some(now);
        self.completeness.settles(now, state.settling);
        self.completeness.set_store_since(state.complete_since);
        self.list.announce(state.announced.longest);
        self.announcement = self.announcement.join(state.announced);
        self.repair.must_announce = self.announcement != state.announced;
        self.unreadable = state.unreadable;
        // What it means for sweeping is all that counts here: loading and logins check it for themselves.
        let _ = self.check_clocks(state, now);
        is_another
    }

    /// The same by the answer to a request, which can be older than what was heard since: of a store that this node
    /// has left it says nothing.
    pub(super) fn heard_aside(&mut self, state: &LogState, now: Moment) {
        if self.recovery.left != Some(state.incarnation) {
            self.heard(state, now);
        }
    }

    fn report_loss(&self, known: Incarnation, state: &LogState) {
        if known.epoch != state.incarnation.epoch {
            tracing::error!(
                "the revocation store began a new list: entries were lost, or its clock was set back; \
                 nodes restore what they hold"
            );
        } else {
            tracing::warn!(
                "another server has taken the revocation store's place; nodes restore what it lacks"
            );
        }
        if self.recovery.losses >= MANY_LOSSES {
            tracing::error!(
                losses = self.recovery.losses,
                "the revocation store is lost again and again before it has settled; sessions may be lost with it"
            );
        }
    }

    /// The list held all that the store did at `asked`, and the store said so in `state`.
    pub(super) fn saw_everything(&mut self, state: &LogState, asked: Moment) {
        if self.recovery.known != Some(state.incarnation) {
            return;
        }
        let was_sure = self.recovery.is_sure;
        self.recovery.saw_everything(state, asked);
        self.completeness.set_waits(self.recovery.waits);
        self.completeness.complete(asked);
        let own = self.list.complete_since();
        let since = match was_sure {
            true => own.min(state.complete_since),
            false => state.complete_since,
        };
        if since != own {
            tracing::info!(%since, "the revocation list is complete since another time");
            self.list.set_complete_since(since);
        }
    }

    /// What this node knows better than the store: since when its list is complete.
    pub(super) fn to_attest(&self) -> Option<(Incarnation, UnixMillis)> {
        let own = self.list.complete_since();
        let known = self.recovery.known?;
        let is_due = self.recovery.is_sure
            && self.recovery.has_restored
            && self.completeness.store_since() > own;
        is_due.then_some((known, own))
    }
}
