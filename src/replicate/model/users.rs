//! What users ask a node for, as the handle of a session does it.

use std::time::Duration;

use super::properties::holds_all;
use super::state::{Node, Raising, Session, State, Wants};
use super::{ALICE, Config, SUBJECT, Without, session_id};
use crate::error::StoreError;
use crate::ids::{Generation, Serial};
use crate::replicate::core::{Ask, Call, Event, Reply, Ticket};
use crate::revoke::node::RaiseOn;
use crate::revoke::{Published, Raised, Revocation, SessionEntry};
use crate::time::{SKEW, UnixMillis};

impl State {
    fn ask(&mut self, config: &Config, number: u8, ask: Ask, wants: Wants) {
        let node = self.up(number);
        let is_free = |ticket: &Ticket| node.waiting.iter().all(|(it, _)| it != ticket);
        let ticket = (1..).find(is_free).unwrap();
        node.waiting.push((ticket, wants));
        self.happens(config, number, Event::Asked(ticket, ask));
    }

    pub(super) fn login(&mut self, config: &Config, node: u8) {
        self.ask(config, node, Ask::Read(ALICE), Wants::Login);
    }

    /// A session without a login begins, after all that such sessions are refused for.
    pub(super) fn visit(&mut self, config: &Config, node: u8) {
        let list = self.up(node).core.list();
        let since = list.complete_since().max(list.anonymous().since());
        let now = config.moment(self.now).wall;
        let created = now.max(since + Duration::from_millis(1));
        self.sessions.push(Session::new(None, created));
    }

    pub(super) fn renew(&mut self, config: &Config, node: u8, session: usize) {
        let serial = self.sessions[session].newest();
        if serial >= 1 || !self.is_newest(config, node, (session, serial)) {
            return;
        }
        let next = serial + 1;
        let from = config.moment(self.now).wall + config.lifetimes().renew_grace;
        let revocation = self.revocation(config, session, Serial::new(next), from);
        let asked = &mut self.sessions[session].asked;
        *asked = next.max(*asked);
        if self.up(node).core.list().join(&revocation) == Published::Fresh {
            let ask = Ask::Publish {
                revocation,
                is_news: true,
            };
            self.ask(config, node, ask, Wants::Renewal(session, next));
        }
    }

    pub(super) fn end(&mut self, config: &Config, node: u8, session: usize) {
        let serial = match config.lacks(Without::LogoutLast) {
            true => Serial::new(self.sessions[session].newest() + 1),
            false => Serial::ENDED,
        };
        let now = config.moment(self.now).wall;
        let revocation = self.revocation(config, session, serial, now);
        self.sessions[session].end(node);
        let here = self.up(node).core.list().join(&revocation);
        let ask = Ask::Publish {
            revocation,
            is_news: here == Published::Fresh,
        };
        self.ask(config, node, ask, Wants::End(session));
    }

    pub(super) fn logout_others(&mut self, config: &Config, node: u8, session: usize) {
        let facts = self.sessions[session];
        let Some((_, at)) = facts.login else { return };
        let now = config.moment(self.now);
        let is_late = !config.lacks(Without::Punctuality) && self.restores_late(config);
        let completeness = self.up(node).core.completeness();
        let may = !is_late
            && (config.lacks(Without::Familiarity)
                || completeness.store_can_judge(facts.created, at, now));
        if may && self.is_newest(config, node, (session, facts.newest())) {
            self.raise(config, node, Some(session));
        }
    }

    /// Whether the store has settled, and lacks what a node holds.
    fn restores_late(&self, config: &Config) -> bool {
        let mut server = self.server.clone();
        let settling = server.state(self.server_call(config)).settling;
        let stored = self.store_entries();
        let lacks = |(_, node): (u8, &Node)| !holds_all(&stored, &node.core.entries());
        settling.is_zero() && self.live().any(lacks)
    }

    /// A logout everywhere, or everywhere else.
    pub(super) fn raise(&mut self, config: &Config, node: u8, spares: Option<usize>) {
        let mut before = 0;
        for (number, session) in self.sessions.iter_mut().enumerate() {
            if session.login.is_some() && spares != Some(number) {
                session.end(node);
                before |= 1 << number;
            }
        }
        let on = match spares.is_some() && !config.lacks(Without::Familiarity) {
            true => RaiseOn::KnownServer,
            false => RaiseOn::AnyServer,
        };
        let ask = Ask::Raise {
            target: SUBJECT,
            on,
        };
        self.ask(config, node, ask, Wants::Raise(before, spares));
        if let Some(Call::Raise(raise, _)) = self.calls.last().map(|it| &it.call) {
            self.seen.raises.push(Raising {
                id: raise.id,
                before,
                spares,
                done: None,
            });
        }
    }

    /// A request learns its result.
    pub(super) fn reply(
        &mut self,
        config: &Config,
        number: u8,
        ticket: Ticket,
        reply: Result<Reply, StoreError>,
    ) {
        let waiting = &mut self.up(number).waiting;
        let Some(place) = waiting.iter().position(|(it, _)| *it == ticket) else {
            return;
        };
        let (_, wants) = waiting.remove(place);
        let now = self.now;
        match (wants, reply) {
            (Wants::Login, Ok(Reply::Read(reading))) => {
                let at = reading.state.now;
                let since = reading.state.complete_since + Duration::from_millis(1);
                let generation = reading.subject;
                let mut session = Session::new(Some((generation, at)), at.max(since));
                session.is_early = generation < self.seen.highest;
                self.sessions.push(session);
            }
            (Wants::Renewal(session, serial), Ok(Reply::Published(Published::Fresh)) | Err(_))
                if self.is_newest(config, number, (session, serial)) =>
            {
                self.sessions[session].cookies |= 1 << serial;
            }
            (Wants::End(session), Ok(_)) => {
                self.sessions[session].acknowledged.get_or_insert(now);
            }
            (Wants::Raise(before, None), Ok(_)) => self.acknowledge(before),
            (Wants::Raise(before, Some(session)), Ok(Reply::Raised(raised))) => {
                self.acknowledge(before);
                self.others_ended(number, session, &raised);
            }
            (Wants::Raise(before, Some(_)), Err(StoreError::Replaced)) => {
                for (session, it) in self.sessions.iter_mut().enumerate() {
                    it.by &= !(u8::from(before >> session & 1 == 1) << number);
                }
            }
            (Wants::Raise(_, Some(session)), Err(_)) => self.sessions[session].end(number),
            _ => (),
        }
    }

    /// Whoever logged others out is sealed again, if it was alive.
    fn others_ended(&mut self, node: u8, session: usize, raised: &Raised) {
        let facts = &mut self.sessions[session];
        let (generation, at) = facts.login.unwrap();
        if facts.created > raised.state.complete_since && generation >= raised.previous {
            // A later raise ends it by its generation.
            self.seen.outlived |=
                facts.acknowledged.is_some() && raised.generation == self.seen.highest;
            facts.login = Some((raised.generation, at));
            // Its cookie is another one.
            facts.refused = 0;
        } else {
            self.seen.ended_in_silence |= !facts.is_ended && !facts.is_early;
            facts.end(node);
        }
    }

    fn acknowledge(&mut self, before: u8) {
        let now = self.now;
        for (number, session) in self.sessions.iter_mut().enumerate() {
            if before >> number & 1 == 1 {
                session.acknowledged.get_or_insert(now);
            }
        }
    }

    /// What makes `serial` the newest of a session.
    fn revocation(
        &self,
        config: &Config,
        session: usize,
        serial: Serial,
        from: UnixMillis,
    ) -> Revocation {
        let facts = self.sessions[session];
        let id = session_id(session);
        let entry = SessionEntry {
            serial,
            from,
            until: facts.created + config.life + SKEW,
        };
        match facts.login {
            Some(_) => Revocation::Session { id, entry },
            None => Revocation::AnonymousSession {
                id,
                created: facts.created,
                entry,
            },
        }
    }
}

impl Session {
    fn new(login: Option<(Generation, UnixMillis)>, created: UnixMillis) -> Self {
        Self {
            login,
            created,
            cookies: 1,
            asked: 0,
            is_ended: false,
            by: 0,
            acknowledged: None,
            refused: 0,
            is_early: false,
            is_forgotten: false,
        }
    }

    pub(super) fn newest(&self) -> u32 {
        7 - self.cookies.leading_zeros()
    }

    fn end(&mut self, node: u8) {
        self.is_ended = true;
        self.by |= 1 << node;
    }
}
