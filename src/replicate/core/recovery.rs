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
//! An attestation that the store lost is made again by every node that is sure (rule 2). Nodes may find out in any
//! order (rule 3).
//!
//! What these rules rest on, all of it `None`, false or zero at the start but where it says otherwise:
//!
//! | field | written by | read by | for |
//! |---|---|---|---|
//! | `recovery.known` | `meet` | `heard`, `saw_everything`, `to_attest`; the repair | is it a loss? |
//! | `recovery.left` | `meet` | `heard_aside` | what an answer says that comes late |
//! | `recovery.heard` | `heard` | `meet` | rule 2, `max_outage` |
//! | `recovery.has_seen` | `saw_everything`; `meet` takes it back | `meet` | rule 2, every store in between |
//! | `recovery.complete_at` | `saw_everything` of who does not wait; a gap takes it back | `meet` | rules 2 and 3 |
//! | `recovery.is_sure` | `saw_everything` of a store that has settled; `meet` takes it back | `saw_everything`, `to_attest` | rule 2 |
//! | `recovery.has_restored` | the repair, when nothing is lacking; `meet` takes it back | `to_attest`; the repair's purpose; what is compared | rules 2 and 4 |
//! | `recovery.store_since` | `heard` | `to_attest` | rule 4 |
//! | `recovery.losses` | `meet`; `saw_everything` of a store that has settled | `report_loss` | the log alone |
//! | `repair.lacking` | a comparison, and what is told; `meet`, and what fails, take it back | the repair | rule 4 |
//! | `repair.must_announce` | `heard`, the repair | the repair | a store that forgot what it has to keep |
//! | `repair.under_way` | the repair | the repair | one step at a time |
//! | `list.complete_since` | `saw_everything`; a clock that was set back behind a sweep | requests, `to_attest` | rule 1 |
//! | `completeness`: `at` | `saw_everything` | requests | staleness |
//! | `completeness`: `waits`, true at the start | `meet`; `saw_everything` of a store that has settled takes it back | requests, `saw_everything` | rule 3 |
//! | `completeness`: `met` | `meet` | requests | rule 3 |
//! | `completeness`: `settles_until` | `heard` | requests | 503 instead of a refusal |
//!
//! None follows from the others. `complete_at` comes nearest to what `completeness` holds for the staleness; but a
//! gap ends the one and not the other, for until a loss the list is as old as it was.

use std::time::Duration;

use crate::replicate::core::state::Core;
use crate::revoke::completeness::Moment;
use crate::revoke::node::check_clocks;
use crate::revoke::{Incarnation, LogState};
use crate::time::UnixMillis;

/// How many losses without a store that settled are told as an error.
const MANY_LOSSES: u8 = 3;

impl Core {
    /// The store said what it is. Whether it is another one than was known.
    pub(super) fn heard(&mut self, state: &LogState) -> bool {
        let is_another = self.recovery.known != Some(state.incarnation);
        if is_another {
            self.meet(state);
        }
        self.recovery.heard = Some(self.now);
        let settles_until = self.now.monotonic.saturating_add(state.settling);
        self.completeness
            .change(|it| it.settles_until = settles_until);
        self.recovery.store_since = state.complete_since;
        self.list.announce(state.announced.longest);
        self.announcement = self.announcement.join(state.announced);
        self.repair.must_announce = self.announcement != state.announced;
        self.unreadable = state.unreadable;
        self.clocks_agree = check_clocks(self.now.wall, state.now).is_ok();
        is_another
    }

    /// The answer to a request said what the store is. It can be older than what was heard since: of a store that this
    /// node has left it says nothing.
    pub(super) fn heard_aside(&mut self, state: &LogState) {
        if self.recovery.left != Some(state.incarnation) {
            self.heard(state);
        }
    }

    /// Another store than the one that was known.
    fn meet(&mut self, state: &LogState) {
        let was_whole = self.was_whole();
        let (now, trust, recovery) = (self.now, &self.trust, &mut self.recovery);
        let is_within = |then: Option<Moment>, most| then.is_some_and(|it| now.since(it) <= most);
        let in_time = is_within(recovery.heard, trust.max_outage);
        recovery.is_sure &= was_whole && in_time && recovery.has_seen;
        if !is_within(recovery.complete_at, trust.max_staleness) {
            self.completeness.change(|it| it.waits = true);
        }
        recovery.has_seen = false;
        recovery.has_restored = false;
        recovery.left = recovery.known.replace(state.incarnation);
        self.completeness.change(|it| it.met = state.now);
        self.repair.lacking = None;
        if let Some(left) = recovery.left {
            recovery.losses = recovery.losses.saturating_add(1);
            self.report_loss(left, state);
            self.compare_after(Duration::ZERO);
        }
    }

    /// Whether the list was complete when the store was last heard of.
    fn was_whole(&self) -> bool {
        match (self.recovery.heard, self.recovery.complete_at) {
            (Some(heard), Some(complete)) => heard.since(complete) <= self.trust.max_staleness,
            _ => false,
        }
    }

    fn report_loss(&self, left: Incarnation, state: &LogState) {
        if left.epoch != state.incarnation.epoch {
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
        let recovery = &mut self.recovery;
        if recovery.known != Some(state.incarnation) {
            return;
        }
        let was_sure = recovery.is_sure;
        recovery.has_seen = true;
        if state.settling.is_zero() {
            recovery.losses = 0;
            recovery.is_sure = true;
            self.completeness.change(|it| it.waits = false);
        }
        if !self.completeness.get().waits {
            recovery.complete_at = Some(asked);
        }
        self.completeness.change(|it| it.at = asked);
        let own = self.list.complete_since();
        let since = match was_sure {
            true => own.min(state.complete_since),
            false => state.complete_since,
        };
        if since != own {
            tracing::info!(%since, "the revocation list is complete since a different time");
            self.list.set_complete_since(since);
        }
    }

    /// What this node knows better than the store: since when its list is complete.
    pub(super) fn to_attest(&self) -> Option<(Incarnation, UnixMillis)> {
        let own = self.list.complete_since();
        let known = self.recovery.known?;
        let is_due =
            self.recovery.is_sure && self.recovery.has_restored && self.recovery.store_since > own;
        is_due.then_some((known, own))
    }
}
