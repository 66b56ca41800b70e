//! What the store was told and did not take.
//!
//! 1. It is kept and told again until it is taken or has expired. What the store never takes does not hold up
//!    the rest.
//! 2. While a raise of a generation is outstanding its target is marked: logged out on this node, but for whoever
//!    logs others out. The newest raise of a target lifts the mark.
//! 3. Ends of anonymous sessions are kept as a store keeps them: where there are too many, those of the sessions
//!    that began first go, and `since` is told in their place, before all.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::StoreError;
use crate::replicate::core::event::{Call, PublishFor, RaiseFor};
use crate::replicate::core::state::{ATTEMPT, BATCH, Core, Outbox, Outstanding, Round};
use crate::revoke::{EntryKey, Raise, Receipt, Revocation, Spared, Target};
use crate::time::{SKEW, UnixMillis};

/// How often what the store did not take is told again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

impl Outbox {
    fn insert(&mut self, revocation: Revocation) {
        let held = self.revocations.entry(revocation.key());
        let kept = held.or_insert(revocation);
        *kept = kept.join(revocation);
        if let Revocation::AnonymousSession { id, created, .. } = *kept {
            self.anonymous.insert((created, id));
        }
    }

    /// Returns what has to hold in place of what was dropped.
    fn make_room(&mut self, capacity: usize, now: UnixMillis) -> Option<Revocation> {
        let mut since = None;
        while self.anonymous.len() > capacity
            && let Some(&(first, _)) = self.anonymous.first()
            && first <= now + SKEW
        {
            since = Some(Revocation::Anonymous { since: first });
            while let Some(&(created, id)) = self.anonymous.first()
                && created <= first
            {
                self.anonymous.pop_first();
                self.revocations.remove(&EntryKey::AnonymousSession(id));
            }
        }
        self.insert(since?);
        since
    }

    /// What was joined into one of these meanwhile has to be told again.
    fn taken(&mut self, told: &[Revocation]) {
        for revocation in told {
            if self.revocations.get(&revocation.key()) == Some(revocation) {
                self.forget(revocation);
            }
        }
    }

    fn forget(&mut self, revocation: &Revocation) {
        self.revocations.remove(&revocation.key());
        if let Revocation::AnonymousSession { id, created, .. } = revocation {
            self.anonymous.remove(&(*created, *id));
        }
    }

    fn forget_expired(&mut self, now: UnixMillis) {
        let all = self.revocations.values();
        let expired: Vec<_> = all.filter(|it| it.until() < now).copied().collect();
        for revocation in expired {
            self.forget(&revocation);
        }
    }
}

impl Core {
    /// Remembers what the store did not take.
    pub(super) fn keep(&mut self, revocation: Revocation) {
        self.outbox.insert(revocation);
        let capacity = self.announcement.capacity();
        if let Some(since) = self.outbox.make_room(capacity, self.now.wall) {
            self.list.join(&since);
        }
    }

    /// Tells everything once more, unless that is under way.
    pub(super) fn retry(&mut self) {
        self.outbox.forget_expired(self.now.wall);
        if self.outbox.round.is_none() && self.outbox.len() > 0 {
            self.outbox.round = Some(Round {
                began: self.now,
                size: BATCH,
                refused: BTreeSet::new(),
                targets: self.outbox.raises.keys().copied().collect(),
            });
            self.tell_next();
        }
    }

    /// The next of a round; its end where nothing is left, or the store is so slow that it is not there.
    pub(super) fn tell_next(&mut self) {
        let Some(round) = &mut self.outbox.round else {
            return;
        };
        let is_late = self.now.since(round.began) > ATTEMPT && !round.refused.is_empty();
        let revocations = self.outbox.revocations.iter();
        let untried = revocations.filter(|(key, _)| !round.refused.contains(key));
        let revocations: Vec<_> = untried.map(|(_, it)| *it).take(round.size).collect();
        if !revocations.is_empty() && !is_late {
            return self.call(Call::Publish(revocations, PublishFor::Retry));
        }
        while let Some(target) = round.targets.pop() {
            // Asked for anew each time: what was taken or replaced meanwhile must not be told again, for it
            // would end a login that came in between.
            if let Some(&outstanding) = self.outbox.raises.get(&target) {
                return self.call_raise(target, outstanding, RaiseFor::Retry);
            }
        }
        if !round.refused.is_empty() {
            tracing::warn!(
                outstanding = self.outbox.len(),
                "the revocation store still does not know of revocations that hold on this node"
            );
        }
        self.outbox.round = None;
    }

    pub(super) fn retried(&mut self, told: &[Revocation], receipt: Result<Receipt, StoreError>) {
        let Some(round) = &mut self.outbox.round else {
            return;
        };
        match receipt {
            Ok(_) => self.outbox.taken(told),
            Err(_) if round.size > 1 && told.len() > 1 => round.size = 1,
            Err(_) => round.refused.extend(told.iter().map(Revocation::key)),
        }
        self.tell_next();
    }

    pub(super) fn call_raise(&mut self, target: Target, it: Outstanding, raise_for: RaiseFor) {
        let held = self.list.held(target);
        let until = self.list.until(self.now.wall);
        let raise = Raise {
            spared: it.spared.map(|session| Spared {
                session,
                generation: held.least(session),
            }),
            ..Raise::new(target, it.id, held.generation, until)
        };
        self.call(Call::Raise(raise, raise_for));
    }

    /// The raise has come to something. The mark goes if nothing else is outstanding: an older raise does not
    /// cover what came after it.
    pub(super) fn finish_raise(&mut self, raise: &Raise) {
        let outstanding = self.outbox.raises.get(&raise.target);
        if outstanding.is_some_and(|it| it.id == raise.id) {
            self.outbox.raises.remove(&raise.target);
            self.list.unmark(raise.target);
        }
    }
}
