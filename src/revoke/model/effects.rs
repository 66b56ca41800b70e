//! What each step does: the map of actions to effects, and time.

use super::actions::Action::{self, *};
use super::config::Config;
use super::node::Node;
use super::state::{Request, Seen, State};
use super::store::Store;

impl State {
    pub(super) fn initial(config: &Config) -> Self {
        let store = Store::new(1, config.store_time(0, 0));
        let mut state = Self {
            now: 0,
            copy: (config.bounds.failovers > 0).then(|| Box::new(store.clone())),
            store,
            names: 0,
            nodes: Vec::new(),
            sessions: Vec::new(),
            messages: Vec::new(),
            raises: Vec::new(),
            left: config.bounds,
            seen: Seen {
                whole: (1 << config.nodes) - 1,
                ..Seen::default()
            },
        };
        for number in 0..config.nodes {
            let node = Node::start(&state.store, 0, state.here(config, number));
            state.nodes.push(Some(node));
        }
        state
    }

    pub(super) fn act(&mut self, config: &Config, action: Action) {
        match action {
            Tick => self.now += 1,
            Login(node) => self.login(config, node),
            Renew(node, session) => self.renew(config, node, session),
            Logout(node, session) => self.logout(config, node, session),
            LogoutAll(node) => self.logout_all(config, node),
            Retry(node) => {
                let revocation = self.up(node).kept[0];
                let renews = None;
                self.send(node, Request::Publish { revocation, renews });
            }
            RetryRaise(node) => {
                let number = self.up(node).raise.expect("it is outstanding");
                if !config.mechanisms.raise_ids {
                    self.raises[usize::from(number)].id = self.fresh_id();
                }
                self.ask_raise(node, number);
            }
            Mend(node) => self.mend(config, node),
            Answer(_) | Unanswered(_) | GiveUp(_) | Drop(_) => self.transport(config, action),
            Follow(node) => self.follow(config, node, usize::MAX, false),
            FollowPart(node) => {
                self.left.parts -= 1;
                self.follow(config, node, 1, false);
            }
            FollowLate(node) => {
                self.left.late -= 1;
                self.follow(config, node, usize::MAX, true);
            }
            Snapshot(node) => {
                if !self.up(node).gap {
                    self.left.resyncs -= 1;
                }
                self.snapshot(config, node);
                self.come(config, node);
            }
            SnapshotLate(node) => {
                self.left.late -= 1;
                self.snapshot(config, node);
            }
            Come(node) => self.come(config, node),
            Vanish(node) => self.up(node).coming = None,
            Lose => self.lose(config),
            CatchUp => {
                self.left.copies -= 1;
                self.copy = Some(Box::new(self.store.clone()));
            }
            FailOver => self.fail_over(config),
            Crash(node) => self.crash(node),
            Start(node) => self.start(config, node),
            Cut(node) => {
                self.left.partitions -= 1;
                let node = self.up(node);
                node.connected = false;
                node.coming = None;
            }
            Heal(node) => self.up(node).connected = true,
            SweepStore => {
                let now = self.store_time(config);
                if self.store.sweep(now) {
                    self.left.sweeps -= 1;
                }
            }
            Sweep(node) => {
                let now = config.moment(self.now, node).wall;
                let node = self.up(node);
                let before = node.held.clone();
                node.held.with(config.target(), |list| list.sweep(now));
                if node.held != before {
                    self.left.sweeps -= 1;
                }
            }
        }
    }
}
