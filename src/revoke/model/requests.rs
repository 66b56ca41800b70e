//! What users ask a node for: to log in, to renew, to log out.

use std::time::Duration;

use super::config::Config;
use super::state::{Raising, Request, Session, State};
use crate::id::{RaiseId, Serial};
use crate::revoke::lattice::Revocation;
use crate::revoke::replica::check_clocks;
use crate::revoke::store::Published;

impl State {
    /// As `Revoker::read` and `Start::record` do.
    pub(super) fn login(&mut self, config: &Config, number: u8) {
        let now = self.store_time(config);
        if check_clocks(config.moment(self.now, number).wall, now).is_err() {
            return;
        }
        self.left.logins -= 1;
        let known = self.up(number).held.generation();
        let born = self.store.held.born.max(self.up(number).held.born);
        let generation = self.store.counter.generation.max(known);
        self.sessions.push(Session {
            generation,
            early: generation < self.seen.highest,
            created: now.max(born + Duration::from_millis(1)),
            cookies: 1,
            asked: 0,
            ended: false,
            by: 0,
            acknowledged: None,
            refused: 0,
            forgotten: false,
        });
    }

    /// As `Engine::renew` does.
    pub(super) fn renew(&mut self, config: &Config, number: u8, session: u8) {
        let serial = self.sessions[usize::from(session)].serials().max();
        let serial = serial.expect("there is a cookie");
        if serial >= 3 || !self.is_newest(config, number, (session, serial)) {
            return;
        }
        self.left.renewals -= 1;
        let next = serial + 1;
        let grace = config.lifetimes().renew_grace;
        let from = config.moment(self.now, number).wall + grace;
        let revocation = self.superseding(config, session, Serial::new(next), from);
        let asked = &mut self.sessions[usize::from(session)].asked;
        *asked = next.max(*asked);
        let here = self.up(number).held.join(&revocation, config.target());
        if here == Published::Fresh {
            let renews = Some((session, next));
            self.publish(config, number, revocation, renews);
        }
    }

    /// As `State::end` does.
    pub(super) fn logout(&mut self, config: &Config, number: u8, session: u8) {
        self.left.logouts -= 1;
        let now = config.moment(self.now, number).wall;
        let serial = if config.mechanisms.logout_last {
            Serial::ENDED
        } else {
            let newest = self.sessions[usize::from(session)].serials().max();
            Serial::new(newest.expect("there is a cookie") + 1)
        };
        let revocation = self.superseding(config, session, serial, now);
        let facts = &mut self.sessions[usize::from(session)];
        facts.ended = true;
        facts.by |= 1 << number;
        self.up(number).held.join(&revocation, config.target());
        self.publish(config, number, revocation, None);
    }

    fn publish(
        &mut self,
        config: &Config,
        number: u8,
        revocation: Revocation,
        renews: Option<(u8, u32)>,
    ) {
        if self.up(number).connected {
            self.send(number, Request::Publish { revocation, renews });
        } else {
            self.failed(config, number, &Request::Publish { revocation, renews });
        }
    }

    /// As `Shared::name_and_mark` does.
    pub(super) fn logout_all(&mut self, config: &Config, number: u8) {
        self.left.raises -= 1;
        let id = self.fresh_id();
        let mut before = 0;
        for (session, facts) in self.sessions.iter_mut().enumerate() {
            facts.ended = true;
            facts.by |= 1 << number;
            before |= 1 << session;
        }
        let raise = self.raises.len() as u8;
        let done = None;
        self.raises.push(Raising { id, before, done });
        let node = self.up(number);
        node.raise = Some(raise);
        if config.mechanisms.marks {
            node.held.marked = true;
        }
        if node.connected {
            self.ask_raise(number, raise);
        }
    }

    pub(super) fn fresh_id(&mut self) -> RaiseId {
        self.names += 1;
        RaiseId::from_bytes([self.names as u8; 16])
    }

    pub(super) fn ask_raise(&mut self, node: u8, number: u8) {
        let known = self.up(node).held.generation();
        let id = self.raises[usize::from(number)].id;
        self.send(node, Request::Raise { number, id, known });
    }

    /// The browser gets the cookie of a renewal, unless its session ended meanwhile.
    pub(super) fn hand_out(&mut self, config: &Config, number: u8, (session, serial): (u8, u32)) {
        if self.is_newest(config, number, (session, serial)) {
            self.sessions[usize::from(session)].cookies |= 1 << serial;
        }
    }

    pub(super) fn is_newest(
        &self,
        config: &Config,
        number: u8,
        (session, serial): (u8, u32),
    ) -> bool {
        let record = self.record(config, session, serial);
        let node = self.node(number).expect("it is up");
        let list = node.held.list(config.target());
        let now = config.moment(self.now, number).wall;
        let lifetimes = config.lifetimes();
        config.rules(&list, &lifetimes, now).clear(&record).is_ok()
    }
}
