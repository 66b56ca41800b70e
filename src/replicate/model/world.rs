//! What can happen next.

use stateright::{Expectation, Model, Property};

use super::Limited::*;
use super::state::{Node, Pending, Seen, State};
use super::{Config, Limited, START, Without, properties};
use crate::error::StoreError;
use crate::replicate::core::{Answer, Call, Core, Effect, Event, Load, Timer};
use crate::revoke::Announcement;
use crate::revoke::list::List;
use crate::revoke::policy::Trust;
use crate::testing::LogServer;
use std::sync::Arc;
use std::time::Duration;

/// One step. Numbers are those of nodes, sessions and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Tick,
    /// Something that can happen a limited number of times: to a node, if to one, and to a session or a call.
    Happens(Limited, u8, usize),
    /// A call comes, and its answer too.
    Answer(usize),
    /// A call comes, and its answer is lost.
    Unanswered(usize),
    /// A node waits no longer. The call may still come.
    GiveUp(usize),
    /// It never does.
    Drop(usize),
    /// What the store did not take is told again.
    Retry(u8),
    Start(u8),
    Heal(u8),
}

use Action::*;

impl Model for Config {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::initial(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut may = |action: Action, so: bool| {
            let is_left = !matches!(action, Happens(what, ..) if state.left.left(what) == 0);
            if so && is_left {
                actions.push(action);
            }
        };
        may(Tick, state.now < self.ticks);
        for (number, it) in state.calls.iter().enumerate() {
            let is_late = it.late.is_some();
            let reachable = state.node(it.node).is_some_and(|node| node.is_connected);
            let stray = !reachable || state.left.left(Strays) > 0;
            may(Answer(number), it.is_awaited && (reachable || is_late));
            may(
                Happens(Late, 0, number),
                it.reads() && reachable && !is_late,
            );
            may(Unanswered(number), !it.reads() && (!it.is_awaited || stray));
            may(GiveUp(number), !it.reads() && it.is_awaited && stray);
            may(Drop(number), !it.is_awaited);
        }
        // A loss takes time: more than what a session is dated ahead.
        let now = self.store_time(state.now, state.seen.losses);
        let is_ahead = state.sessions.iter().any(|it| it.created > now);
        let outage = state.now < self.ticks && state.seen.lost_at != Some(state.now) && !is_ahead;
        may(Happens(Losses, 0, 0), outage);
        may(Happens(Failovers, 0, 0), outage && state.copy.is_some());
        let is_behind = state.copy.as_deref() != Some(&state.server);
        may(Happens(Copies, 0, 0), is_behind);
        for number in 0..self.nodes {
            let Some(node) = state.node(number) else {
                may(Start(number), true);
                continue;
            };
            may(Happens(Crashes, number, 0), true);
            may(Happens(Partitions, number, 0), node.is_connected);
            may(Heal(number), !node.is_connected);
            let status = node.core.status(self.moment(state.now));
            let tells = status.outstanding > 0 && !self.lacks(Without::TellingAgain);
            may(Retry(number), tells && node.is_connected);
            // Nothing is answered before everything was loaded once.
            if node.core.known().is_none() {
                continue;
            }
            may(Happens(Logins, number, 0), true);
            may(Happens(Visits, number, 0), true);
            may(Happens(Raises, number, 0), !state.sessions.is_empty());
            for (session, facts) in state.sessions.iter().enumerate() {
                let is_known = facts.login.is_some();
                for what in [Renewals, Logouts, Others] {
                    may(Happens(what, number, session), is_known);
                }
                may(Happens(Leaves, number, session), !is_known);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action);
        state.look(self);
        state.calls.sort_by_cached_key(super::state::hash);
        if state == *last {
            return None;
        }
        if let Happens(what, ..) = action {
            state.left.take(what);
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::all();
        all.retain(|it| match self.only {
            Some(only) => it.name == only,
            None => true,
        });
        if self.only.is_none() {
            all.push(properties::all_happens());
        }
        debug_assert!(all.iter().any(|it| it.expectation == Expectation::Always));
        all
    }
}

impl State {
    /// A store that settled long ago, and nodes that have loaded it.
    fn initial(config: &Config) -> Self {
        let mut server = LogServer::new(1);
        let call = crate::testing::LogCall {
            now: START.minus(Duration::from_secs(3600)),
            fresh: 1,
        };
        server.announce(call, config.announcement());
        server.settle();
        let mut state = Self {
            now: 0,
            copy: (config.bounds.left(Failovers) > 0).then(|| Box::new(server.clone())),
            server,
            nodes: (0..config.nodes).map(|_| None).collect(),
            calls: Vec::new(),
            sessions: Vec::new(),
            left: config.bounds,
            seen: Seen::default(),
        };
        for node in 0..config.nodes {
            state.start(config, node);
            // Loading, and the first look at what follows.
            for _ in 0..2 {
                let last = state.calls.len() - 1;
                state.answer(config, last);
            }
        }
        if config.failed_over {
            for what in [Logins, Raises, Failovers] {
                state.happen(config, what, 0, 0);
                while let Some(call) = state.calls.iter().position(|it| !it.reads()) {
                    state.answer(config, call);
                }
                state.look(config);
                state.left.take(what);
            }
        }
        state
    }

    fn act(&mut self, config: &Config, action: Action) {
        match action {
            Tick => self.now += 1,
            Happens(what, node, number) => self.happen(config, what, node, number),
            Answer(call) => self.answer(config, call),
            Unanswered(call) => {
                let it = self.calls.remove(call);
                self.execute(config, &it, Ok(()));
                self.fail(config, &it);
            }
            GiveUp(call) => {
                let it = self.calls[call].clone();
                self.calls[call].is_awaited = false;
                self.fail(config, &it);
            }
            Drop(call) => {
                self.calls.remove(call);
            }
            Retry(node) => self.happens(config, node, Event::Closing),
            Start(node) => self.start(config, node),
            Heal(node) => self.up(node).is_connected = true,
        }
    }

    fn happen(&mut self, config: &Config, what: Limited, node: u8, number: usize) {
        match what {
            Logins => self.login(config, node),
            Renewals => self.renew(config, node, number),
            Logouts | Leaves => self.end(config, node, number),
            Raises => self.raise(config, node, None),
            Others => self.logout_others(config, node, number),
            Visits => self.visit(config, node),
            Strays => (),
            Late => {
                let it = self.calls[number].clone();
                self.calls[number].late = Some(self.execute(config, &it, Ok(())));
            }
            Losses => {
                self.lost(config);
                self.server.lose_everything();
                self.server.move_to(2 + u64::from(self.seen.losses));
                self.copy = None;
            }
            Copies => self.copy = Some(Box::new(self.server.clone())),
            Failovers => {
                self.lost(config);
                self.server = *self.copy.take().expect("there is one");
                self.server.move_to(2 + u64::from(self.seen.losses));
                self.seen.failed_over = true;
            }
            Crashes => self.crash(node),
            Partitions => {
                self.up(node).is_connected = false;
                // What it was reading fails, and is asked for again as soon as that can be.
                let is_failing = |it: &Pending| it.node == node && it.reads();
                let (failing, others) = self.calls.drain(..).partition(is_failing);
                self.calls = others;
                failing
                    .iter()
                    .for_each(|it: &Pending| self.fail(config, it));
            }
        }
    }

    fn crash(&mut self, node: u8) {
        self.nodes[usize::from(node)] = None;
        for session in &mut self.sessions {
            session.by &= !(1 << node);
            session.refused &= !(0b11 << (2 * node));
        }
        self.calls.retain(|it| it.node != node || !it.reads());
        let of_node = self.calls.iter_mut().filter(|it| it.node == node);
        of_node.for_each(|it| it.is_awaited = false);
    }

    fn start(&mut self, config: &Config, node: u8) {
        // A node that starts again draws another number.
        let starts = u64::from(config.bounds.left(Crashes) - self.left.left(Crashes));
        let core = Core::new(
            Arc::new(List::small()),
            Arc::default(),
            config.core_trust(),
            config.announcement(),
            (starts << 8 | u64::from(node)) << 10,
        );
        self.nodes[usize::from(node)] = Some(Node::new(core));
        self.happens(config, node, Event::Start);
    }

    pub(super) fn up(&mut self, node: u8) -> &mut Node {
        self.nodes[usize::from(node)].as_mut().expect("it is up")
    }

    /// Lets a node's core decide, and begins what it decides.
    pub(super) fn happens(&mut self, config: &Config, number: u8, event: Event) {
        let now = config.moment(self.now);
        let node = self.up(number);
        let before = (node.core.known(), node.core.heard_at());
        let effects = node.core.on(event, now);
        node.note();
        if node.core.known() != before.0 {
            self.met(config, number, before.1);
        }
        for effect in effects {
            match effect {
                Effect::Wake(Timer::Retry | Timer::Sweep, _) => (),
                // Whatever a node waits for, what it does then can be as late as any call.
                Effect::Wake(timer, _) => self.happens(config, number, Event::Woken(timer)),
                // It only ever grows, so that its place among other calls does not matter.
                Effect::Call(Call::Announce(announcement)) if self.up(number).is_connected => {
                    let call = self.server_call(config);
                    self.server.announce(call, announcement);
                    let announced = Event::Answered(Answer::Announced(Ok(())));
                    self.happens(config, number, announced);
                }
                Effect::Reply(ticket, reply) => self.reply(config, number, ticket, reply),
                Effect::Call(call) => self.calls.push(Pending {
                    node: number,
                    call,
                    is_awaited: true,
                    late: None,
                }),
            }
        }
    }

    /// The store answers.
    fn answer(&mut self, config: &Config, call: usize) {
        let it = self.calls.remove(call);
        let events = match it.late.clone() {
            Some(late) => late,
            None => self.execute(config, &it, Ok(())),
        };
        if config.lacks(Without::Joining) && it.call == Call::Load(Load::Follow) {
            self.up(it.node).core.forget_list();
        }
        for event in events {
            self.happens(config, it.node, event);
        }
    }

    /// The node learns that a call failed, if it waits.
    fn fail(&mut self, config: &Config, it: &Pending) {
        let node = self.node(it.node).filter(|_| it.is_awaited);
        let Some(is_connected) = node.map(|it| it.is_connected) else {
            return;
        };
        if is_connected {
            self.left.take(Strays);
        }
        let error = StoreError::Unavailable(String::new());
        for event in self.execute(config, it, Err(error)) {
            self.happens(config, it.node, event);
        }
    }
}

impl Config {
    fn announcement(&self) -> Announcement {
        let longest = self.life + crate::time::SKEW;
        Announcement::new(longest, self.anonymous_capacity, self.trust.max_outage)
    }

    /// What cores are told of how far to trust their lists.
    fn core_trust(&self) -> Trust {
        let mut trust = self.trust;
        if self.lacks(Without::Honesty) {
            trust.max_staleness = Duration::from_secs(1_000_000);
            trust.max_outage = Duration::from_secs(1_000_000);
        }
        trust
    }
}
