//! What can happen next.

use stateright::{Expectation, Model, Property};

use super::config::Config;
use super::state::{Request, State};
use super::{occurrences, properties};

/// One step. Numbers are those of nodes, sessions and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Tick,
    Login(u8),
    Renew(u8, u8),
    Logout(u8, u8),
    LogoutAll(u8),
    /// What the store did not take is told again.
    Retry(u8),
    RetryRaise(u8),
    /// Something is given back, or vouched for.
    Mend(u8),
    /// A request comes, and its answer too.
    Answer(u8),
    /// A request comes, and its answer is lost.
    Unanswered(u8),
    /// A node waits no longer. The request may still come.
    GiveUp(u8),
    /// It never does.
    Drop(u8),
    Follow(u8),
    FollowLate(u8),
    FollowPart(u8),
    Snapshot(u8),
    SnapshotLate(u8),
    /// What was late comes, or never.
    Come(u8),
    Vanish(u8),
    /// The store loses everything and begins anew.
    Lose,
    CatchUp,
    FailOver,
    Crash(u8),
    Start(u8),
    Cut(u8),
    Heal(u8),
    SweepStore,
    Sweep(u8),
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
        let mut may = |action, room: bool| {
            if room {
                actions.push(action);
            }
        };
        may(Tick, state.now < self.ticks);
        for (number, message) in (0..).zip(&state.messages) {
            let reachable = state.node(message.node).is_some_and(|node| node.connected);
            let stray = !reachable || left.strays > 0;
            may(Answer(number), message.awaited && reachable);
            may(Unanswered(number), !message.awaited || stray);
            may(GiveUp(number), message.awaited && stray);
            may(Drop(number), !message.awaited);
        }
        let outage = state.now < self.ticks;
        may(Lose, outage && left.losses > 0);
        may(
            FailOver,
            outage && left.failovers > 0 && state.copy.is_some(),
        );
        let behind = state.copy.as_deref() != Some(&state.store);
        let follows = state
            .copy
            .as_ref()
            .is_some_and(|copy| copy.epoch == state.store.epoch);
        may(CatchUp, left.copies > 0 && behind && follows);
        may(SweepStore, left.sweeps > 0);
        for number in 0..self.nodes {
            self.actions_of(state, number, &mut may);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action);
        state.look(self, last);
        state.sort();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::all();
        all.extend(occurrences::all());
        all.retain(|it| match self.only {
            Some(only) => it.name == only,
            None => it.expectation == Expectation::Always || self.reaches.contains(&it.name),
        });
        all
    }
}

impl Config {
    fn actions_of(&self, state: &State, number: u8, may: &mut impl FnMut(Action, bool)) {
        let left = state.left;
        let Some(node) = state.node(number) else {
            may(Start(number), true);
            return;
        };
        may(Crash(number), left.restarts > 0);
        may(Cut(number), node.connected && left.partitions > 0);
        may(Heal(number), !node.connected);
        may(Sweep(number), left.sweeps > 0);
        if state.answers(self, number, node) {
            // A login tells an outstanding raise first.
            may(
                Login(number),
                node.connected && left.logins > 0 && node.raise.is_none(),
            );
            may(
                LogoutAll(number),
                left.raises > 0 && !state.sessions.is_empty(),
            );
            for (session, facts) in (0..).zip(&state.sessions) {
                let asked = facts.by >> number & 1 == 1;
                may(Logout(number, session), left.logouts > 0 && !asked);
                may(
                    Renew(number, session),
                    left.renewals > 0 && facts.cookies > 0,
                );
            }
        }
        if !node.connected {
            return;
        }
        let publishes = |request: &Request| matches!(request, Request::Publish { .. });
        may(
            Retry(number),
            !node.kept.is_empty() && !state.awaits(number, publishes),
        );
        let raises = |request: &Request| matches!(request, Request::Raise { .. });
        may(
            RetryRaise(number),
            node.raise.is_some() && !state.awaits(number, raises),
        );
        let mends = |request: &Request| matches!(request, Request::GiveBack(_) | Request::Vouch(_));
        let owes = !node.lacking.is_empty() || node.vouch.is_some();
        may(Mend(number), owes && !state.awaits(number, mends));
        if node.coming.is_some() {
            may(Come(number), true);
            may(Vanish(number), true);
        } else if node.gap {
            may(Snapshot(number), true);
            may(SnapshotLate(number), left.late > 0);
        } else {
            let now = self.moment(state.now, number);
            let news = node.position != state.store.position();
            may(Follow(number), news || node.complete != now);
            may(
                FollowLate(number),
                left.late > 0 && (news || node.complete != now),
            );
            may(FollowPart(number), left.parts > 0 && news);
            may(Snapshot(number), left.resyncs > 0);
        }
    }
}
