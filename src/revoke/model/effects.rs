//! What each step does.

use super::actions::Action::{self, *};
use super::config::Config;
use super::held::Held;
use super::node::{Answer, Coming, Node};
use super::state::{Message, Raising, Request, Seen, Session, State};
use super::store::Store;
use crate::id::{RaiseId, Serial};
use crate::revoke::lattice::Revocation;
use crate::revoke::replica::check_clocks;
use crate::revoke::store::{Followed, Published};
use std::time::Duration;

/// What a request came to.
enum Reply {
    Published(Published),
    Raised(crate::revoke::store::Raised),
    Done,
}

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
            let node = Node::start(&state.store, state.here(config, number));
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
                self.ask_raise(config, node, number);
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
            FailOver => {
                self.left.failovers -= 1;
                self.now += 1;
                self.seen.lives += 1;
                self.seen.failed_over = true;
                self.store = *self.copy.take().expect("there is one");
            }
            Crash(node) => self.crash(node),
            Start(node) => {
                let started = Node::start(&self.store, self.here(config, node));
                self.nodes[usize::from(node)] = Some(started);
            }
            Cut(node) => {
                self.left.partitions -= 1;
                let node = self.up(node);
                node.connected = false;
                node.coming = None;
            }
            Heal(node) => self.up(node).connected = true,
            SweepStore => {
                let now = self.store_time(config);
                if self.store.sweep(now, config) {
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

    /// As `Revoker::read` and `Start::record` do.
    fn login(&mut self, config: &Config, number: u8) {
        let now = self.store_time(config);
        if check_clocks(config.moment(self.now, number).wall, now).is_err() {
            return;
        }
        self.left.logins -= 1;
        let target = config.target();
        let known = self.up(number).held.generation(target);
        let born = self.store.held.born.max(self.up(number).held.born);
        self.sessions.push(Session {
            generation: self.store.counter.generation.max(known),
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
    fn renew(&mut self, config: &Config, number: u8, session: u8) {
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
    fn logout(&mut self, config: &Config, number: u8, session: u8) {
        self.left.logouts -= 1;
        let now = config.moment(self.now, number).wall;
        let revocation = self.superseding(config, session, Serial::ENDED, now);
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
    fn logout_all(&mut self, config: &Config, number: u8) {
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
            self.ask_raise(config, number, raise);
        }
    }

    fn fresh_id(&mut self) -> RaiseId {
        self.names += 1;
        RaiseId::from_bytes([self.names as u8; 16])
    }

    fn ask_raise(&mut self, config: &Config, node: u8, number: u8) {
        let known = self.up(node).held.generation(config.target());
        let id = self.raises[usize::from(number)].id;
        self.send(node, Request::Raise { number, id, known });
    }

    fn mend(&mut self, config: &Config, number: u8) {
        let node = self.up(number);
        let (batch, vouch) = node.owes();
        let early = node.vouch.filter(|_| !config.mechanisms.vouching_last);
        if let Some(vouch) = early.or(vouch) {
            self.send(number, Request::Vouch(vouch));
        } else if !batch.is_empty() {
            self.send(number, Request::GiveBack(batch));
        }
    }

    fn transport(&mut self, config: &Config, action: Action) {
        let place: usize = match action {
            Answer(place) | Unanswered(place) | GiveUp(place) | Drop(place) => place.into(),
            _ => return,
        };
        let Message {
            node,
            awaited,
            request,
        } = self.messages[place].clone();
        let reachable = self.node(node).is_some_and(|node| node.connected);
        let strays = awaited && reachable && matches!(action, Unanswered(_) | GiveUp(_));
        self.left.strays -= u8::from(strays);
        if let GiveUp(_) = action {
            self.messages[place].awaited = false;
        } else {
            self.messages.remove(place);
        }
        if let Answer(_) | Unanswered(_) = action {
            let reply = self.serve(config, &request);
            if let Answer(_) = action {
                self.answered(config, node, &request, reply);
                return;
            }
        }
        if awaited {
            self.failed(config, node, &request);
        }
    }

    /// The store does what it is asked to.
    fn serve(&mut self, config: &Config, request: &Request) -> Reply {
        let now = self.store_time(config);
        match request {
            Request::Publish { revocation, .. } => {
                let published = self.store.publish(revocation, config, &mut self.names);
                Reply::Published(published)
            }
            Request::Raise { number, id, known } => {
                let before = self.store.counter;
                let names = &mut self.names;
                let raised = self.store.raise(*id, *known, now, config, names);
                let life = Some(self.seen.lives);
                let raising = &mut self.raises[usize::from(*number)];
                if self.store.counter != before && raising.done != life {
                    raising.done = life;
                    self.sessions.iter_mut().for_each(|each| each.ended = true);
                }
                for (session, facts) in self.sessions.iter().enumerate() {
                    let was_before = raising.before >> session & 1 == 1;
                    self.seen.not_above |= was_before && facts.generation >= raised.generation;
                }
                Reply::Raised(raised)
            }
            Request::GiveBack(batch) => {
                for revocation in batch {
                    self.store.publish(revocation, config, &mut self.names);
                }
                Reply::Done
            }
            Request::Vouch(vouch) => {
                self.seen.vouched |= self.store.vouch(*vouch, &mut self.names);
                Reply::Done
            }
        }
    }

    fn answered(&mut self, config: &Config, number: u8, request: &Request, reply: Reply) {
        let here = self.here(config, number);
        let now = self.now;
        match (request, reply) {
            (Request::Publish { revocation, renews }, Reply::Published(published)) => {
                self.up(number).taken(revocation);
                self.acknowledge(revocation);
                if let Some(renewed) = *renews
                    && published == Published::Fresh
                {
                    self.hand_out(config, number, renewed);
                }
            }
            (Request::Raise { number: raise, .. }, Reply::Raised(raised)) => {
                self.up(number).raised(*raise, &raised, here);
                let before = self.raises[usize::from(*raise)].before;
                for (session, facts) in self.sessions.iter_mut().enumerate() {
                    if before >> session & 1 == 1 {
                        facts.acknowledged.get_or_insert(now);
                    }
                }
            }
            (Request::GiveBack(batch), _) => self.up(number).told(batch),
            (Request::Vouch(vouch), _) => self.up(number).vouched(*vouch),
            _ => {}
        }
    }

    fn acknowledge(&mut self, revocation: &Revocation) {
        if let Revocation::Session { id, entry } = revocation
            && entry.serial == Serial::ENDED
        {
            let session = usize::from(id.as_bytes()[0] - 1);
            self.sessions[session].acknowledged.get_or_insert(self.now);
        }
    }

    fn failed(&mut self, config: &Config, number: u8, request: &Request) {
        let here = self.here(config, number);
        if let Request::Publish { revocation, renews } = request {
            self.up(number).keep(*revocation, here);
            if let Some(renewed) = *renews {
                self.hand_out(config, number, renewed);
            }
        }
    }

    /// The browser gets the cookie of a renewal, unless its session ended meanwhile.
    fn hand_out(&mut self, config: &Config, number: u8, (session, serial): (u8, u32)) {
        if self.is_newest(config, number, (session, serial)) {
            self.sessions[usize::from(session)].cookies |= 1 << serial;
        }
    }

    fn is_newest(&self, config: &Config, number: u8, (session, serial): (u8, u32)) -> bool {
        let record = self.record(config, session, serial);
        let node = self.node(number).expect("it is up");
        let list = node.held.list(config.target());
        let now = config.moment(self.now, number).wall;
        let lifetimes = config.lifetimes();
        config.rules(&list, &lifetimes, now).is_newest(&record)
    }

    fn follow(&mut self, config: &Config, number: u8, limit: usize, late: bool) {
        let here = self.here(config, number);
        let position = self.up(number).position;
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

    fn snapshot(&mut self, config: &Config, number: u8) {
        let began = config.moment(self.now, number);
        let all = (self.store.held.clone(), self.store.position());
        let answer = Answer::Everything(Box::new(all));
        self.up(number).coming = Some(Coming { began, answer });
    }

    fn come(&mut self, config: &Config, number: u8) {
        let here = self.here(config, number);
        let epoch = self.store.epoch;
        let node = self.up(number);
        let coming = node.coming.take().expect("it comes");
        let is_everything = matches!(coming.answer, Answer::Everything(_));
        let in_time = coming.began.since(node.heard) <= config.trust.max_outage;
        let was = node.position.epoch;
        let vouches = node.take(coming, here);
        let is_new = is_everything && node.position.epoch != was;
        let settled = is_everything && !vouches && node.position.epoch == epoch;
        let seen = &mut self.seen;
        if is_new && !in_time {
            seen.whole &= !(1 << number);
        }
        seen.deaf_vouched |= vouches && seen.deaf >> number & 1 == 1;
        if settled {
            seen.deaf &= !(1 << number);
        }
    }

    /// The store dies. Some time later an empty one answers in its place.
    fn lose(&mut self, config: &Config) {
        self.left.losses -= 1;
        for number in 0..config.nodes {
            let knew = self.node(number).map(|node| self.knows_all(config, node));
            if knew != Some(true) {
                self.seen.whole &= !(1 << number);
            }
            if knew == Some(false) {
                self.seen.deaf |= 1 << number;
            }
        }
        self.now += 1;
        self.seen.lives += 1;
        self.copy = None;
        let born = self.store_time(config);
        self.store = Store::new(self.store.epoch + 1, born);
    }

    /// Whether a node knows all that the store does, and knows that it does.
    fn knows_all(&self, config: &Config, node: &Node) -> bool {
        let mut joined = node.held.clone();
        let target = config.target();
        for revocation in &self.store.held.entries {
            joined.join(revocation, target);
        }
        let fresh = node.heard.since(node.complete) <= config.trust.max_staleness;
        joined == node.held
            && node.position.epoch == self.store.epoch
            && fresh
            && !node.gap
            && node.coming.is_none()
    }

    fn crash(&mut self, number: u8) {
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

    /// Notes what the properties will ask for.
    pub(super) fn look(&mut self, config: &Config) {
        for (session, serial) in self.cookies().collect::<Vec<_>>() {
            let cookie = (session, serial);
            for number in 0..config.nodes {
                let Some(node) = self.node(number) else {
                    continue;
                };
                let now = config.moment(self.now, number).wall;
                let refuses = self.answers(config, number, node)
                    && self.is_revoked(config, &node.held, now, cookie);
                let bit = u16::from(refuses) << (u32::from(number) * 4 + serial);
                self.sessions[usize::from(session)].refused |= bit;
            }
            if self.seen.failed_over && !self.is_known(config, cookie) {
                self.sessions[usize::from(session)].forgotten = true;
            }
        }
    }

    /// Whether anyone is left who knows that a session was ended.
    fn is_known(&self, config: &Config, (session, serial): (u8, u32)) -> bool {
        let knows = |held: &Held| {
            let now = self.store_time(config);
            self.is_revoked(config, held, now, (session, serial))
        };
        let raises = |number: u8| self.raises[usize::from(number)].before >> session & 1 == 1;
        knows(&self.store.held)
            || self
                .live()
                .any(|(_, node)| knows(&node.held) || node.raise.is_some_and(raises))
            || self.messages.iter().any(|message| match &message.request {
                Request::Raise { number, .. } => raises(*number),
                Request::Publish { .. } | Request::GiveBack(_) => true,
                Request::Vouch(_) => false,
            })
    }
}
