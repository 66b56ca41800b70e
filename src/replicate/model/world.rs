//! What can happen next.

use stateright::{Expectation, Model, Property};

use super::state::{Late, Node, Pending, Seen, State};
use super::{Config, START, properties};
use crate::replicate::core::{Answer, Call, Command, Core, Event, Load, Timer};
use crate::revoke::Announcement;
use crate::revoke::completeness::Completeness;
use crate::revoke::list::List;
use crate::testing::LogServer;
use std::sync::Arc;
use std::time::Duration;

/// One step. Numbers are those of nodes, sessions and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Tick,
    Login(u8),
    Renew(u8, usize),
    Logout(u8, usize),
    LogoutAll(u8),
    LogoutOthers(u8, usize),
    Visit(u8),
    Leave(u8, usize),
    /// A call comes, and its answer too.
    Answer(usize),
    /// A call comes, and its answer is lost.
    Unanswered(usize),
    /// A node waits no longer. The call may still come.
    GiveUp(usize),
    /// It never does.
    Drop(usize),
    /// What was asked for is read, and comes later.
    ReadLate(usize),
    /// What the store did not take is told again.
    Retry(u8),
    Lose,
    CatchUp,
    FailOver,
    Crash(u8),
    Start(u8),
    Cut(u8),
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
        let left = state.left;
        let mut may = |action, so: bool| {
            if so {
                actions.push(action);
            }
        };
        may(Tick, state.now < self.ticks);
        for (number, it) in state.calls.iter().enumerate() {
            let reads = matches!(it.call, Call::Follow(_) | Call::Load(_));
            let reachable = state.node(it.node).is_some_and(|node| node.is_connected);
            let stray = !reachable || left.strays > 0;
            may(
                Answer(number),
                it.is_awaited && (reachable || it.late.is_some()),
            );
            may(
                ReadLate(number),
                reads && reachable && it.late.is_none() && left.late > 0,
            );
            may(Unanswered(number), !reads && (!it.is_awaited || stray));
            may(GiveUp(number), it.is_awaited && stray && !reads);
            may(Drop(number), !it.is_awaited);
        }
        // A loss takes time: more than what a session is dated ahead.
        let now = self.store_time(state.now, state.seen.losses);
        let is_ahead = state.sessions.iter().any(|it| it.created > now);
        let outage = state.now < self.ticks && state.seen.lost_at != Some(state.now) && !is_ahead;
        may(Lose, outage && left.losses > 0);
        may(
            FailOver,
            outage && left.failovers > 0 && state.copy.is_some(),
        );
        let is_behind = state.copy.as_deref() != Some(&state.server);
        may(CatchUp, left.copies > 0 && is_behind);
        for number in 0..self.nodes {
            let Some(node) = state.node(number) else {
                may(Start(number), true);
                continue;
            };
            may(Crash(number), left.crashes > 0);
            may(Cut(number), node.is_connected && left.partitions > 0);
            may(Heal(number), !node.is_connected);
            let tells = node.core.status().outstanding > 0 && !self.without.telling_again;
            may(Retry(number), tells && node.is_connected);
            // Nothing is answered before everything was loaded once.
            if node.core.known().is_none() {
                continue;
            }
            may(Login(number), left.logins > 0);
            may(Visit(number), left.visits > 0);
            may(
                LogoutAll(number),
                left.raises > 0 && !state.sessions.is_empty(),
            );
            for (session, facts) in state.sessions.iter().enumerate() {
                let is_known = facts.login.is_some();
                may(Renew(number, session), left.renewals > 0 && is_known);
                may(Logout(number, session), left.logouts > 0 && is_known);
                may(LogoutOthers(number, session), left.others > 0 && is_known);
                may(Leave(number, session), left.leaves > 0 && !is_known);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action);
        state.look(self);
        state.calls.sort_by_cached_key(super::state::hash);
        (state != *last).then_some(state)
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
        server.announce(
            crate::testing::LogCall {
                now: START.minus(Duration::from_secs(3600)),
                fresh: 1,
            },
            config.announcement(),
        );
        server.settle();
        let mut state = Self {
            now: 0,
            copy: (config.bounds.failovers > 0).then(|| Box::new(server.clone())),
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
        state
    }

    fn act(&mut self, config: &Config, action: Action) {
        match action {
            Tick => self.now += 1,
            Login(node) => self.login(config, node),
            Renew(node, session) => self.renew(config, node, session),
            Logout(node, session) => self.logout(config, node, session),
            LogoutAll(node) => self.logout_all(config, node),
            LogoutOthers(node, session) => self.logout_others(config, node, session),
            Visit(node) => self.visit(config, node),
            Leave(node, session) => self.leave(config, node, session),
            Answer(call) => self.answer(config, call),
            Unanswered(call) => {
                let it = self.calls.remove(call);
                let _ = self.execute(config, &it);
                self.fail(config, it);
            }
            GiveUp(call) => {
                let it = self.calls[call].clone();
                self.calls[call].is_awaited = false;
                self.fail(config, it);
            }
            Drop(call) => {
                self.calls.remove(call);
            }
            ReadLate(call) => {
                self.left.late -= 1;
                let it = self.calls[call].clone();
                let (piece, answer) = self.execute(config, &it);
                self.calls[call].late = Some(Late { piece, answer });
            }
            Retry(node) => self.happens(config, node, Event::Closing),
            Lose => self.lose(),
            CatchUp => {
                self.left.copies -= 1;
                self.copy = Some(Box::new(self.server.clone()));
            }
            FailOver => {
                self.left.failovers -= 1;
                self.lost();
                let mut copy = *self.copy.take().expect("there is one");
                copy.move_to(2 + u64::from(self.seen.losses));
                self.server = copy;
                self.seen.failed_over = true;
            }
            Crash(node) => {
                self.left.crashes -= 1;
                self.crash(node);
            }
            Start(node) => self.start(config, node),
            Cut(node) => {
                self.left.partitions -= 1;
                self.up(node).is_connected = false;
                self.disconnect(config, node);
            }
            Heal(node) => self.up(node).is_connected = true,
        }
    }

    fn lose(&mut self) {
        self.left.losses -= 1;
        self.lost();
        self.server.lose_everything();
        self.server.move_to(2 + u64::from(self.seen.losses));
        self.copy = None;
    }

    /// The store is lost. Who held all that it did?
    fn lost(&mut self) {
        self.seen.losses += 1;
        self.seen.lost_at = Some(self.now);
        let lost = self.server.clone().state(crate::testing::LogCall {
            now: START,
            fresh: 0,
        });
        let held: Vec<_> = self.store_entries();
        for number in 0..self.nodes.len() {
            let holds = self.nodes[number].as_ref().is_some_and(|node| {
                // Who met a store and never saw what it had cannot know what that took.
                let has_met = node.core.known() == Some(lost.incarnation);
                if node.core.known().is_none() || has_met && !node.core.has_seen() {
                    return false;
                }
                let entries = node.core.entries();
                held.iter().all(|it| {
                    entries
                        .iter()
                        .any(|ours| ours.matter() == it.matter() && ours.covers(it))
                })
            });
            let bit = 1 << number;
            if holds && (self.seen.losses == 1 || self.seen.whole & bit != 0) {
                self.seen.whole |= bit;
            } else {
                self.seen.whole &= !bit;
                self.seen.was_deaf |= self.nodes[number].is_some();
            }
        }
    }

    pub(super) fn crash(&mut self, node: u8) {
        self.nodes[usize::from(node)] = None;
        self.seen.whole &= !(1 << node);
        for session in &mut self.sessions {
            session.by &= !(1 << node);
            session.refused &= !(0b11 << (2 * node));
        }
        self.calls.retain_mut(|call| {
            let comes = call.node != node || !matches!(call.call, Call::Follow(_) | Call::Load(_));
            if call.node == node {
                call.is_awaited = false;
            }
            comes
        });
    }

    fn start(&mut self, config: &Config, node: u8) {
        let core = Core::new(
            Arc::new(List::small()),
            Arc::new(Completeness::shared()),
            config.core_trust(),
            config.announcement(),
            u64::from(node) << 10,
        );
        self.nodes[usize::from(node)] = Some(Node::new(core));
        self.happens(config, node, Event::Start);
    }

    pub(super) fn up(&mut self, node: u8) -> &mut Node {
        self.nodes[usize::from(node)].as_mut().expect("it is up")
    }

    /// What a node was reading fails, and is asked for again as soon as that can be.
    fn disconnect(&mut self, config: &Config, node: u8) {
        let reads =
            |it: &Pending| it.node == node && matches!(it.call, Call::Follow(_) | Call::Load(_));
        let (failing, others) = self.calls.drain(..).partition(reads);
        self.calls = others;
        for it in failing {
            self.fail(config, it);
        }
    }

    /// Lets a node's core decide, and begins what it decides.
    pub(super) fn happens(&mut self, config: &Config, number: u8, event: Event) {
        let now = config.moment(self.now);
        let node = self.up(number);
        let commands = node.core.on(event, now);
        node.note();
        for command in commands {
            match command {
                // Whatever a node waits for, what it does then can be as late as any call.
                Command::Wake { timer, .. } if !matches!(timer, Timer::Retry | Timer::Sweep) => {
                    self.happens(config, number, Event::Woken(timer));
                }
                Command::Wake { .. } => (),
                // It only ever grows, so that its place among other calls does not matter.
                Command::Call(Call::Announce(announcement)) if self.up(number).is_connected => {
                    let call = self.server_call(config);
                    self.server.announce(call, announcement);
                    let announced = Event::Answered(Answer::Announced(Ok(())));
                    self.happens(config, number, announced);
                }
                Command::Reply(ticket, reply) => self.reply(config, number, ticket, reply),
                Command::Call(call) => self.calls.push(Pending {
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
        let (piece, answer) = match it.late.clone() {
            Some(late) => (late.piece, late.answer),
            None => self.execute(config, &it),
        };
        if let Call::Load(load) = it.call {
            if config.without.joining && load == Load::Follow {
                self.up(it.node).core.forget_list();
            }
            self.happens(config, it.node, Event::Piece(load, piece));
        }
        self.happens(config, it.node, Event::Answered(answer));
    }
}

impl Config {
    fn announcement(&self) -> Announcement {
        let longest = self.life + crate::time::SKEW;
        Announcement::new(longest, self.anonymous_capacity, self.trust.max_outage)
    }

    /// What cores are told of how far to trust their lists.
    fn core_trust(&self) -> crate::revoke::policy::Trust {
        let mut trust = self.trust;
        if self.without.honesty {
            trust.max_staleness = Duration::from_secs(1_000_000);
            trust.max_outage = Duration::from_secs(1_000_000);
        }
        trust
    }
}
