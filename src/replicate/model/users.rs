//! What users ask a node for, as the handle of a session does it.

use std::time::Duration;

use super::state::{Raising, Session, State, Wants};
use super::{ALICE, Config, SUBJECT, Without, session_id};
use crate::error::StoreError;
use crate::ids::{Generation, RaiseId, Serial};
use crate::replicate::core::{Ask, Call, Event, Reply, Ticket};
use crate::revoke::Published;
use crate::session::service::revocation;
use crate::time::UnixMillis;

impl State {
    fn ask(&mut self, config: &Config, number: u8, ask: Ask, wants: Wants) {
        let node = self.up(number);
        let is_free = |ticket: &Ticket| node.waiting.iter().all(|(it, _)| it != ticket);
        let ticket = (1..).find(is_free).unwrap();
        node.waiting.push((ticket, wants));
        self.happens(config, number, Event::Asked(ticket, ask));
    }

    pub(super) fn login(&mut self, config: &Config, node: u8) {
        self.ask(config, node, Ask::Read(vec![ALICE]), Wants::Login);
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
        let record = self.record(config, (session, serial));
        let revocation = revocation(&record, Serial::new(next), from);
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
        let newest = self.sessions[session].newest();
        let serial = match config.lacks(Without::LogoutLast) {
            true => Serial::new(newest + 1),
            false => Serial::ENDED,
        };
        let now = config.moment(self.now).wall;
        let record = self.record(config, (session, newest));
        let revocation = revocation(&record, serial, now);
        self.sessions[session].end(node);
        let here = self.up(node).core.list().join(&revocation);
        let ask = Ask::Publish {
            revocation,
            is_news: here == Published::Fresh,
        };
        self.ask(config, node, ask, Wants::End(session));
    }

    pub(super) fn logout_others(&mut self, config: &Config, node: u8, session: usize) {
        let newest = self.sessions[session].newest();
        if self.is_newest(config, node, (session, newest)) {
            self.raise(config, node, Some(session));
        }
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
        let drawn = 1 + self.seen.raises.len() as u128;
        let id = RaiseId::from_bytes(drawn.to_be_bytes());
        let ask = Ask::Raise(SUBJECT, spares.map(session_id), id);
        self.ask(config, node, ask, Wants::Raise(before));
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
                let generation = reading.subjects[0];
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
            (Wants::Raise(before), Ok(_)) => self.acknowledge(before),
            _ => (),
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
}

impl Session {
    fn new(login: Option<(Generation, UnixMillis)>, created: UnixMillis) -> Self {
        Self {
            login,
            created,
            cookies: 1,
            ..Self::default()
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
