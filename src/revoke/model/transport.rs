//! Requests to the store, which may be lost, repeated or late, and what comes of them.

use super::actions::Action::{self, *};
use super::config::Config;
use super::state::{Message, Request, State};
use crate::id::Serial;
use crate::revoke::lattice::Revocation;
use crate::revoke::store::{Published, Raised};

/// What a request came to.
enum Reply {
    Published(Published),
    Raised(Raised),
    Done,
}

impl State {
    pub(super) fn mend(&mut self, config: &Config, number: u8) {
        let node = self.up(number);
        let (batch, vouch) = node.owes();
        let early = node.vouch.filter(|_| !config.mechanisms.vouching_last);
        if let Some(vouch) = early.or(vouch) {
            self.send(number, Request::Vouch(vouch));
        } else if !batch.is_empty() {
            self.send(number, Request::GiveBack(batch));
        }
    }

    pub(super) fn transport(&mut self, config: &Config, action: Action) {
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
                let published = self.store.publish(revocation, &mut self.names);
                Reply::Published(published)
            }
            Request::Raise { number, id, known } => {
                let before = self.store.counter;
                let names = &mut self.names;
                let raised = self.store.raise(*id, *known, now, config, names);
                let life = Some(self.seen.lives);
                let knew = before.generation.max(*known);
                self.seen.blind |= knew < self.seen.highest;
                self.seen.highest = self.seen.highest.max(raised.generation);
                let raising = &mut self.raises[usize::from(*number)];
                if self.store.counter != before && raising.done != life {
                    raising.done = life;
                    self.sessions.iter_mut().for_each(|each| each.ended = true);
                }
                for (session, facts) in self.sessions.iter().enumerate() {
                    let was_before = raising.before >> session & 1 == 1;
                    self.seen.not_above |= was_before && facts.generation >= raised.generation;
                }
                let is_repeat = self.store.counter == before;
                let mut innocent = self.sessions.iter().filter(|session| !session.ended);
                self.seen.repeated |= is_repeat && innocent.next().is_some();
                Reply::Raised(raised)
            }
            Request::GiveBack(batch) => {
                for revocation in batch {
                    self.seen.given_back |= !self.store.held.says(revocation);
                    self.store.publish(revocation, &mut self.names);
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
            && entry.serial >= Serial::ENDED
        {
            let session = usize::from(id.as_bytes()[0] - 1);
            self.sessions[session].acknowledged.get_or_insert(self.now);
        }
    }

    pub(super) fn failed(&mut self, config: &Config, number: u8, request: &Request) {
        let here = self.here(config, number);
        if let Request::Publish { revocation, renews } = request {
            self.up(number).keep(*revocation, here);
            if let Some(renewed) = *renews {
                self.hand_out(config, number, renewed);
            }
        }
    }
}
