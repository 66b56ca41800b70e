//! All that a node's replication knows.
//!
//! Each part is data here. What is done with it, and by which rules, stands in the file of the same name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{RaiseId, SessionId};
use crate::observe::ListState;
use crate::replicate::core::comparison::{Comparison, Lacking};
use crate::replicate::core::event::{Call, Effect, Load, Reply, Ticket, Timer};
use crate::revoke::completeness::{Moment, SharedCompleteness};
use crate::revoke::list::List;
use crate::revoke::policy::Trust;
use crate::revoke::{Announcement, Cursor, EntryKey, Incarnation, Revocation, Target};
use crate::time::UnixMillis;

/// How long one attempt to reach the store may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(3);

/// How many entries are published at once.
pub(super) const BATCH: usize = 1000;

/// A node's replication. [`on`](Self::on) is what it does.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Core {
    pub(super) list: Arc<List>,
    pub(super) completeness: Arc<SharedCompleteness>,
    pub(super) trust: Trust,
    pub(super) announcement: Announcement,
    pub(super) recovery: Recovery,
    pub(super) following: Following,
    pub(super) repair: Repair,
    pub(super) outbox: Outbox,
    pub(super) requests: Requests,
    /// Whether the store's clock and this node's agreed when the store was last heard of. Of two clocks that
    /// disagree one is wrong, and it may be the one that forgets.
    pub(super) clocks_agree: bool,
    pub(super) unreadable: u64,
    /// What was drawn for this node.
    pub(super) number: u64,
    /// When the event happened that is being handled.
    pub(super) now: Moment,
    /// What has to be done about it, so far.
    pub(super) effects: Vec<Effect>,
}

/// What is known of the store, and of the list as a copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Recovery {
    /// The last that was heard of.
    pub(super) known: Option<Incarnation>,
    /// The one before it. Answers of it can still be under way.
    pub(super) left: Option<Incarnation>,
    /// When the store that is known was heard of last.
    pub(super) heard: Option<Moment>,
    /// Whether the list holds all that it did at some time since this node met it.
    pub(super) has_seen: bool,
    /// When the list was last known to be complete; `None` while it is known not to be.
    pub(super) complete_at: Option<Moment>,
    /// Whether the list's `complete_since` is known to be right, whatever the store says (rule 2).
    pub(super) is_sure: bool,
    /// Whether the store has taken the whole list.
    pub(super) has_restored: bool,
    /// Since when the store said that it knows of sessions.
    pub(super) store_since: UnixMillis,
    /// How many stores were lost since one has settled.
    pub(super) losses: u8,
}

/// Where a node stands with its store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Following {
    /// Up to where everything was taken; `None` before the first loading.
    pub(super) cursor: Option<Cursor>,
    /// When the call under way was made.
    pub(super) asked: Option<Moment>,
    /// What is being loaded.
    pub(super) loading: Option<Loading>,
    /// How many comparisons there were. What comes of one that was given up belongs to none.
    pub(super) comparisons: u32,
    /// When to compare although nothing seems to be missed, by the monotonic clock.
    pub(super) compare_at: Duration,
    /// The wait after the next error.
    pub(super) backoff: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loading {
    pub(super) load: Load,
    pub(super) asked: Moment,
    /// `None` for the first: a list that was empty has nothing which could be lacking.
    pub(super) comparison: Option<Comparison>,
    /// What was told meanwhile, which the store's state at the beginning need not have.
    pub(super) told: Vec<Revocation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Repair {
    /// What the server lacks that is known; `None` before a comparison with it.
    pub(super) lacking: Option<Lacking>,
    /// Whether the store has to be told again what this node needs of it.
    pub(super) must_announce: bool,
    /// When the timer or the call was begun that is under way.
    pub(super) under_way: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Outbox {
    pub(super) revocations: BTreeMap<EntryKey, Revocation>,
    /// The anonymous ones of them, by when their sessions began.
    pub(super) anonymous: BTreeSet<(UnixMillis, SessionId)>,
    pub(super) raises: BTreeMap<Target, Outstanding>,
    /// A round of telling that is under way.
    pub(super) round: Option<Round>,
}

/// A raise that is outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Outstanding {
    pub(super) id: RaiseId,
    /// Who logs others out.
    pub(super) spared: Option<SessionId>,
}

/// A round of telling everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Round {
    pub(super) began: Moment,
    /// How many are told together: one, after a batch was not taken, because one entry may be the reason.
    pub(super) size: usize,
    /// What was tried and not taken.
    pub(super) refused: BTreeSet<EntryKey>,
    /// Raises that are still to be tried.
    pub(super) targets: Vec<Target>,
}

/// What anyone can ask for as often as they like.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Requests {
    /// What waits for the batch under way, in the order in which it came.
    pub(super) bulk: VecDeque<(Ticket, Revocation)>,
    /// Whether a batch is under way.
    pub(super) is_busy: bool,
}

impl Core {
    /// A node that knows nothing yet. `number` was drawn for it: the nodes of a fleet do not wait equally long.
    pub(crate) fn new(
        list: Arc<List>,
        completeness: Arc<SharedCompleteness>,
        trust: Trust,
        announcement: Announcement,
        number: u64,
    ) -> Self {
        list.announce(announcement.longest);
        Self {
            list,
            completeness,
            trust,
            announcement,
            recovery: Recovery::default(),
            following: Following::default(),
            repair: Repair::default(),
            outbox: Outbox::default(),
            requests: Requests::default(),
            clocks_agree: false,
            unreadable: 0,
            number,
            now: Moment::default(),
            effects: Vec::new(),
        }
    }

    pub(crate) fn status(&self, now: Moment) -> ListState {
        ListState {
            entries: self.list.len(),
            outstanding: self.outbox.len(),
            lacking: self.repair.len(),
            unreadable: self.unreadable,
            staleness: self.completeness.get().staleness(now),
        }
    }

    pub(super) fn call(&mut self, call: Call) {
        self.effects.push(Effect::Call(call));
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Result<Reply, StoreError>) {
        self.effects.push(Effect::Reply(ticket, reply));
    }

    /// Wakes this node after `least`, and its part of `spread` more.
    pub(super) fn wake(&mut self, timer: Timer, least: Duration, spread: Duration) {
        let after = least + self.part_of(spread);
        self.effects.push(Effect::Wake(timer, after));
    }

    /// A part of `whole`, a different one for each node, so that nodes which noticed the same thing do not act as
    /// one.
    pub(super) fn part_of(&self, whole: Duration) -> Duration {
        let part = u32::try_from(self.number % 1024).unwrap_or(0);
        whole.saturating_mul(part) / 1024
    }
}

impl Outbox {
    /// How many revocations the store may not know.
    pub(super) fn len(&self) -> usize {
        self.revocations.len() + self.raises.len()
    }
}

impl Repair {
    /// How many entries the store lacks.
    pub(super) fn len(&self) -> usize {
        self.lacking.as_ref().map_or(0, Lacking::len)
    }
}
