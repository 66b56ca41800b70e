//! What breaks: stores that lose their data or are replaced, nodes that stop.

use super::config::Config;
use super::node::Node;
use super::state::State;
use super::store::Store;

impl State {
    /// The store dies. Some time later an empty one answers in its place.
    pub(super) fn lose(&mut self, config: &Config) {
        self.left.losses -= 1;
        for number in 0..config.nodes {
            let knew = self.node(number).map(|node| self.knows_all(config, node));
            if knew != Some(true) {
                self.seen.whole &= !(1 << number);
            }
            let could_not_know = self.node(number).is_some_and(|node| {
                let fresh = node.heard.since(node.complete) <= config.trust.max_staleness;
                fresh && !node.warned
            });
            if knew == Some(false) && could_not_know {
                self.seen.deaf |= 1 << number;
            }
        }
        self.now += 1;
        self.seen.lives += 1;
        self.copy = None;
        let born = self.store_time(config);
        self.store = Store::new(self.store.epoch + 1, born);
        self.keep_connections(config);
    }

    /// If the next store answers behind the same connections.
    fn keep_connections(&mut self, config: &Config) {
        if config.hidden {
            let lives = self.seen.lives;
            let up = self.nodes.iter_mut().flatten();
            up.for_each(|node| node.server = lives);
        }
    }

    /// Whether a node knows all that the store does, and knows that it does.
    fn knows_all(&self, config: &Config, node: &Node) -> bool {
        let mut entries = self.store.held.entries.iter();
        let fresh = node.heard.since(node.complete) <= config.trust.max_staleness;
        entries.all(|entry| node.held.says(entry))
            && node.position.epoch == self.store.epoch
            && fresh
            && !node.gap
            && node.coming.is_none()
    }

    /// A copy that may lag takes the store's place.
    pub(super) fn fail_over(&mut self, config: &Config) {
        self.left.failovers -= 1;
        self.now += 1;
        self.seen.lives += 1;
        self.seen.failed_over = true;
        self.store = *self.copy.take().expect("there is one");
        self.keep_connections(config);
    }

    pub(super) fn crash(&mut self, number: u8) {
        self.left.restarts -= 1;
        self.nodes[usize::from(number)] = None;
        for message in &mut self.messages {
            message.awaited &= message.node != number;
        }
        for session in &mut self.sessions {
            session.by &= !(1 << number);
            session.refused &= !(0b1111 << (number * 4));
        }
        self.seen.whole &= !(1 << number);
        self.seen.deaf &= !(1 << number);
    }

    pub(super) fn start(&mut self, config: &Config, node: u8) {
        let here = self.here(config, node);
        let started = Node::start(&self.store, self.seen.lives, here);
        self.nodes[usize::from(node)] = Some(started);
    }
}
