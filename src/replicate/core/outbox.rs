//! What the store was told and did not take.
//!
//! 1. It is kept and told again until it is taken or has expired. What the store never takes does not hold up
//!    the rest.
//! 2. While a raise of a generation is outstanding its target is marked: logged out on this node. The newest
//!    raise of a target lifts the mark.
//! 3. Ends of anonymous sessions are kept as a store keeps them: where there are too many, those of the sessions
//!    that began first go, and `since` is told in their place, before all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId, SessionId};
use crate::replicate::core::{ATTEMPT, Attempted, Call, Cause, Command, Core, Publication};
use crate::revoke::completeness::Moment;
use crate::revoke::{Incarnation, Matter, Raise, Receipt, Revocation, Target};
use crate::time::SKEW;
use crate::time::UnixMillis;

/// How often what the store did not take is told again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How many entries one publication tells.
const BATCH: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outbox {
    /// No other node has it.
    number: u64,
    /// How many raises were named.
    raised: u64,
    revocations: BTreeMap<Matter, Revocation>,
    /// The anonymous ones of them, by when their sessions began.
    anonymous: BTreeSet<(UnixMillis, SessionId)>,
    raises: BTreeMap<Target, Outstanding>,
    /// A round of telling that is under way.
    round: Option<Round>,
}

/// A raise that is outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Outstanding {
    pub(super) id: RaiseId,
    /// The target's generation when it was named.
    pub(super) known: Generation,
    /// Which store was known when it was named.
    pub(super) named_on: Option<Incarnation>,
    /// The only server that may carry it out, while nobody has been told that it failed. A repeat elsewhere would
    /// end who logs others out.
    pub(super) on: Option<Incarnation>,
}

/// A round of telling everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Round {
    began: Moment,
    /// How many are told together: one, after a batch was not taken, because one entry may be the reason.
    size: usize,
    /// What was tried and not taken.
    refused: BTreeSet<Matter>,
    /// Raises that are still to be tried.
    targets: Vec<Target>,
}

impl Outbox {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            raised: 0,
            revocations: BTreeMap::new(),
            anonymous: BTreeSet::new(),
            raises: BTreeMap::new(),
            round: None,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How many revocations the store may not know.
    pub(super) fn len(&self) -> usize {
        self.revocations.len() + self.raises.len()
    }

    pub(super) fn raise(&self, target: Target) -> Option<Outstanding> {
        self.raises.get(&target).copied()
    }

    /// Names a raise, which is outstanding from now on. Whether it covers an earlier one.
    pub(super) fn name(
        &mut self,
        target: Target,
        known: Generation,
        named_on: Option<Incarnation>,
        familiar: bool,
    ) -> (Outstanding, bool) {
        self.raised = self.raised.wrapping_add(1);
        let mut bytes = [0; 16];
        let (node, count) = bytes.split_at_mut(8);
        node.copy_from_slice(&self.number.to_be_bytes());
        count.copy_from_slice(&self.raised.to_be_bytes());
        let id = RaiseId::from_bytes(bytes);
        let outstanding = Outstanding {
            id,
            known,
            named_on,
            on: named_on.filter(|_| familiar),
        };
        let earlier = self.raises.insert(target, outstanding);
        (outstanding, earlier.is_some())
    }

    /// Whoever asked was told that the raise failed: any server may carry it out from now on.
    pub(super) fn free(&mut self, target: Target, id: RaiseId) {
        let outstanding = self.raises.get_mut(&target);
        if let Some(outstanding) = outstanding.filter(|it| it.id == id) {
            outstanding.on = None;
        }
    }

    /// The raise has come to something. Whether nothing is outstanding any more: an older one does not cover
    /// what came after it.
    pub(super) fn raised(&mut self, target: Target, id: RaiseId) -> bool {
        let is_newest = self.raises.get(&target).is_some_and(|it| it.id == id);
        if is_newest {
            self.raises.remove(&target);
        }
        is_newest
    }

    /// Remembers what the store did not take. Returns what has to hold on this node besides.
    pub(super) fn keep(
        &mut self,
        revocation: Revocation,
        capacity: u64,
        now: UnixMillis,
    ) -> Option<Revocation> {
        let matter = revocation.matter();
        let kept = self
            .revocations
            .get(&matter)
            .map_or(revocation, |held| held.join(revocation));
        self.revocations.insert(matter, kept);
        if let Revocation::AnonymousSession { id, created, .. } = kept {
            self.anonymous.insert((created, id));
        }
        self.make_room(capacity, now)
    }

    fn make_room(&mut self, capacity: u64, now: UnixMillis) -> Option<Revocation> {
        let mut since = None;
        while self.anonymous.len() as u64 > capacity
            && let Some(&(first, _)) = self.anonymous.first()
            && first <= now + SKEW
        {
            since = Some(Revocation::Anonymous { since: first });
            while let Some(&(created, id)) = self.anonymous.first()
                && created <= first
            {
                self.anonymous.pop_first();
                self.revocations.remove(&Matter::AnonymousSession(id));
            }
        }
        let since = since?;
        let held = self.revocations.get(&Matter::Anonymous);
        let joined = held.map_or(since, |held| held.join(since));
        self.revocations.insert(Matter::Anonymous, joined);
        Some(joined)
    }

    /// What was joined into one of these meanwhile has to be told again.
    fn taken(&mut self, told: &[Revocation]) {
        for revocation in told {
            if self.revocations.get(&revocation.matter()) == Some(revocation) {
                self.forget(revocation);
            }
        }
    }

    fn forget(&mut self, revocation: &Revocation) {
        self.revocations.remove(&revocation.matter());
        if let Revocation::AnonymousSession { id, created, .. } = revocation {
            self.anonymous.remove(&(*created, *id));
        }
    }

    fn forget_expired(&mut self, now: UnixMillis) {
        let all = self.revocations.values();
        let expired: Vec<_> = all.filter(|it| it.until() <= now).copied().collect();
        for revocation in expired {
            self.forget(&revocation);
        }
    }
}

impl Core {
    /// Remembers what the store did not take.
    pub(super) fn keep(&mut self, revocation: Revocation, now: Moment) {
        let capacity = self.announcement.anonymous_capacity;
        if let Some(since) = self.outbox.keep(revocation, capacity, now.wall) {
            self.list.join(&since);
        }
    }

    /// Tells everything once more, unless that is under way.
    pub(super) fn retry(&mut self, now: Moment) -> Vec<Command> {
        self.outbox.forget_expired(now.wall);
        if self.outbox.round.is_some() || self.outbox.len() == 0 {
            return Vec::new();
        }
        self.outbox.round = Some(Round {
            began: now,
            size: BATCH,
            refused: BTreeSet::new(),
            targets: self.outbox.raises.keys().copied().collect(),
        });
        self.tell_next(now)
    }

    /// The next of a round; its end where nothing is left, or the store is so slow that it is not there.
    fn tell_next(&mut self, now: Moment) -> Vec<Command> {
        let Some(round) = &mut self.outbox.round else {
            return Vec::new();
        };
        let is_late = now.since(round.began) > ATTEMPT && !round.refused.is_empty();
        let revocations = self.outbox.revocations.iter();
        let untried = revocations.filter(|(matter, _)| !round.refused.contains(matter));
        let revocations: Vec<_> = untried.map(|(_, it)| *it).take(round.size).collect();
        if !revocations.is_empty() && !is_late {
            let cause = Cause::Retry;
            return vec![Command::Call(Call::Publish(Publication {
                revocations,
                cause,
            }))];
        }
        while let Some(target) = round.targets.pop() {
            // Asked for anew each time: what was taken or replaced meanwhile must not be told again, for it
            // would end a login that came in between.
            if let Some(outstanding) = self.outbox.raises.get(&target).copied() {
                return vec![self.call_raise(target, outstanding, Attempted::Retry, now)];
            }
        }
        if !round.refused.is_empty() {
            tracing::warn!(
                outstanding = self.outbox.len(),
                "the revocation store still does not know of revocations that hold on this node"
            );
        }
        self.outbox.round = None;
        Vec::new()
    }

    pub(super) fn retried(
        &mut self,
        publication: &Publication,
        receipt: Result<Receipt, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let told = &publication.revocations;
        let Some(round) = &mut self.outbox.round else {
            return Vec::new();
        };
        match receipt {
            Ok(_) => self.outbox.taken(told),
            Err(_) if round.size > 1 && told.len() > 1 => round.size = 1,
            Err(_) => round.refused.extend(told.iter().map(Revocation::matter)),
        }
        self.tell_next(now)
    }

    /// A raise of the outbox was tried again.
    pub(super) fn retried_raise(&mut self, now: Moment) -> Vec<Command> {
        self.tell_next(now)
    }

    pub(super) fn call_raise(
        &self,
        target: Target,
        outstanding: Outstanding,
        attempted: Attempted,
        now: Moment,
    ) -> Command {
        let mut raise = Raise::new(
            target,
            outstanding.id,
            self.list.generation(target),
            now.wall + self.list.longest(),
        );
        raise.known = raise.known.max(outstanding.known);
        raise.on = outstanding.on;
        Command::Call(Call::Raise(raise, attempted))
    }
}
