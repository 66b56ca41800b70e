//! How a node hears of what others revoked.

use super::config::Config;
use super::node::{Answer, Coming};
use super::state::State;
use crate::revoke::store::Followed;

impl State {
    pub(super) fn follow(&mut self, config: &Config, number: u8, limit: usize, late: bool) {
        let here = self.here(config, number);
        let server = self.seen.lives;
        let node = self.up(number);
        let position = node.position;
        // As `Replica::step` does when it cannot follow.
        if node.server != server {
            node.server = server;
            if config.mechanisms.reconnects {
                node.gap = true;
                return;
            }
        }
        match self.store.follow(position, limit, config) {
            Followed::News(news) => {
                let answer = Answer::from(news);
                let began = here.now;
                self.up(number).coming = Some(Coming { began, answer });
                if !late {
                    self.come(config, number);
                }
            }
            Followed::Gap { epoch } => self.up(number).missed(epoch, here),
        }
    }

    pub(super) fn snapshot(&mut self, config: &Config, number: u8) {
        let began = config.moment(self.now, number);
        let all = (self.store.held.clone(), self.store.position());
        let answer = Answer::Everything(Box::new(all));
        self.up(number).coming = Some(Coming { began, answer });
    }

    pub(super) fn come(&mut self, config: &Config, number: u8) {
        let here = self.here(config, number);
        let epoch = self.store.epoch;
        let node = self.up(number);
        let coming = node.coming.take().expect("it comes");
        let is_everything = matches!(coming.answer, Answer::Everything(_));
        let in_time = coming.began.since(node.heard) <= config.trust.max_outage;
        let stale = node.heard.since(node.complete) > config.trust.max_staleness;
        let own = node.held.born;
        let was = node.position.epoch;
        let vouches = node.take(coming, here);
        let is_new = is_everything && node.position.epoch != was;
        let settled = is_everything && !vouches && node.position.epoch == epoch;
        let declines = is_new && !vouches && own < self.store.held.born;
        let seen = &mut self.seen;
        seen.stale_vouched |= is_new && vouches && (stale || !in_time);
        seen.stale |= declines && stale && in_time;
        seen.late |= declines && !in_time;
        if is_new && !in_time {
            seen.whole &= !(1 << number);
        }
        seen.deaf_vouched |= vouches && in_time && seen.deaf >> number & 1 == 1;
        if settled {
            seen.deaf &= !(1 << number);
        }
    }
}
