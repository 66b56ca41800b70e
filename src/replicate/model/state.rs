//! The state of the model, and what an onlooker remembers of how it came about.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;

use super::calls::NO_CALL;
use super::properties::covers;
use super::{Bounds, Config, SUBJECT, Without};
use crate::ids::{Generation, RaiseId};
use crate::replicate::core::{Call, Core, Event, Ticket};
use crate::revoke::completeness::Moment;
use crate::testing::LogServer;
use crate::time::UnixMillis;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) now: u8,
    pub(super) server: LogServer,
    pub(super) copy: Option<Box<LogServer>>,
    /// `None`: down.
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) calls: Vec<Pending>,
    pub(super) sessions: Vec<Session>,
    pub(super) left: Bounds,
    pub(super) seen: Seen,
}

/// A node that is up.
pub(super) struct Node {
    pub(super) core: Core,
    pub(super) is_connected: bool,
    pub(super) waiting: Vec<(Ticket, Wants)>,
    /// It held, when a store was lost, all that it did.
    pub(super) was_whole: bool,
    /// It had heard of a store that was lost, and not of all that it had told, for too long.
    pub(super) was_stale: bool,
    /// It did not hold, when a store was lost, all that it did, and has met none since.
    lacks: bool,
    digest: u64,
}

impl Node {
    pub(super) fn new(core: Core) -> Self {
        Self {
            core,
            is_connected: true,
            waiting: Vec::new(),
            was_whole: false,
            was_stale: false,
            lacks: false,
            digest: 0,
        }
    }

    /// To be called when the core has changed.
    pub(super) fn note(&mut self) {
        let mut hasher = DefaultHasher::new();
        self.core.digest(&mut hasher, SUBJECT);
        self.digest = hasher.finish();
    }
}

impl Clone for Node {
    fn clone(&self) -> Self {
        Self {
            core: self.core.fork(),
            waiting: self.waiting.clone(),
            ..*self
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        hash(self) == hash(other)
    }
}

impl Eq for Node {}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.digest, self.is_connected, &self.waiting).hash(state);
        (self.was_whole, self.was_stale, self.lacks).hash(state);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.core.entries())
    }
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wants {
    Login,
    /// The serial of a renewal.
    Renewal(usize, u32),
    End(usize),
    /// Those that it ends, as bits.
    Raise(u8),
}

/// A call under way.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) node: u8,
    pub(super) call: Call,
    /// Whether the node still waits for the answer.
    pub(super) is_awaited: bool,
    /// What was read some time ago, and comes late.
    pub(super) late: Option<Vec<Event>>,
}

impl Pending {
    pub(super) fn reads(&self) -> bool {
        matches!(self.call, Call::Follow(_) | Call::Load(_))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        hash(self) == hash(other)
    }
}

impl Eq for Pending {}

impl Hash for Pending {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.node, &self.call, self.is_awaited).hash(state);
        self.late.as_ref().map(|it| format!("{it:?}")).hash(state);
    }
}

/// A session, and what was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Session {
    /// The subject's generation at its login, and when that was by the store's clock; none without a login.
    pub(super) login: Option<(Generation, UnixMillis)>,
    pub(super) created: UnixMillis,
    /// The serials of the cookies that browsers have, as bits.
    pub(super) cookies: u8,
    /// The largest serial that a renewal asked for.
    pub(super) asked: u32,
    /// Whether somebody ended it.
    pub(super) is_ended: bool,
    /// The nodes that were asked to, and live.
    pub(super) by: u8,
    /// When the store had taken it.
    pub(super) acknowledged: Option<u8>,
    /// The nodes that refused it as revoked while they could be relied on, and live: two bits for two serials.
    pub(super) refused: u8,
    /// It began in a store that did not know the subject's generation any more.
    pub(super) is_early: bool,
    /// Nobody was left who knew that it was ended.
    pub(super) is_forgotten: bool,
}

/// What no node can know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Seen {
    /// How often the store was lost.
    pub(super) losses: u8,
    /// When one was lost last.
    pub(super) lost_at: Option<u8>,
    pub(super) failed_over: bool,
    /// The largest generation that was ever handed out.
    pub(super) highest: Generation,
    /// A generation did not exceed one from before.
    pub(super) not_above: bool,
    /// Somebody attested.
    pub(super) attested: bool,
    pub(super) restored: bool,
    /// A node that lacked something of a lost store met the next one so early that it took itself for whole.
    pub(super) was_deaf: bool,
    pub(super) raises: Vec<Raising>,
}

/// A raise that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Raising {
    pub(super) id: RaiseId,
    /// The sessions from before, as bits.
    pub(super) before: u8,
    /// Who asks, if the others alone are to end.
    pub(super) spares: Option<usize>,
    /// Which store carried it out last: how many were lost before.
    pub(super) done: Option<u8>,
}

impl State {
    pub(super) fn node(&self, node: u8) -> Option<&Node> {
        self.nodes[usize::from(node)].as_ref()
    }

    /// The store is lost. Who held all that it did?
    pub(super) fn lost(&mut self, config: &Config) {
        self.seen.losses += 1;
        self.seen.lost_at = Some(self.now);
        let held = self.store_entries();
        let lost = self.server.clone().state(NO_CALL);
        for node in self.nodes.iter_mut().flatten() {
            let core = &node.core;
            // Who met a store and never saw what it had cannot know what that took.
            let has_met = core.known() == Some(lost.incarnation);
            let entries = core.entries();
            let covers = |it| covers(&entries, it);
            let holds =
                core.known().is_some() && (!has_met || core.has_seen()) && held.iter().all(covers);
            let heard = core.heard_at().zip(core.complete_at());
            let is_stale = heard
                .is_none_or(|(heard, complete)| heard.since(complete) > config.trust.max_staleness);
            node.was_stale |= is_stale;
            node.was_whole = holds && (self.seen.losses == 1 || node.was_whole);
            node.lacks |= !holds && !is_stale;
        }
    }

    /// A node met another store than the one that it heard of last.
    pub(super) fn met(&mut self, config: &Config, node: u8, heard: Option<Moment>) {
        let now = config.moment(self.now);
        let is_in_time = heard.is_some_and(|it| now.since(it) <= config.trust.max_outage);
        let lacked = mem::take(&mut self.up(node).lacks);
        self.seen.was_deaf |= is_in_time && lacked;
    }

    /// The nodes that are up.
    pub(super) fn live(&self) -> impl Iterator<Item = (u8, &Node)> {
        let nodes = (0..).zip(&self.nodes);
        nodes.filter_map(|(number, node)| Some((number, node.as_ref()?)))
    }

    /// All cookies there are.
    pub(super) fn cookies(&self) -> impl Iterator<Item = (usize, u32)> {
        let sessions = self.sessions.iter().enumerate();
        sessions.flat_map(|(number, session)| {
            let serials = (0..8).filter(|serial| session.cookies >> serial & 1 == 1);
            serials.map(move |serial| (number, serial))
        })
    }

    /// Nothing is under way but following, and every node that is up has told and heard everything.
    pub(super) fn is_quiet(&self, config: &Config) -> bool {
        let now = config.moment(self.now);
        let call = self.server_call(config);
        let mut server = self.server.clone();
        let (end, incarnation) = (server.cursor(call), server.state(call).incarnation);
        let follows = |it: &Pending| it.call == Call::Follow(end) && it.late.is_none();
        self.calls.iter().all(follows)
            && self.live().all(|(_, node)| {
                let status = node.core.status(now);
                node.is_connected
                    && node.waiting.is_empty()
                    && (status.outstanding == 0 || config.lacks(Without::TellingAgain))
                    && status.lacking == 0
                    && node.core.known() == Some(incarnation)
                    && node.core.has_seen_everything(now)
            })
    }
}

pub(super) fn hash(it: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    it.hash(&mut hasher);
    hasher.finish()
}
