//! What the store makes of a call.

use super::state::{Pending, State, hash};
use super::{Config, SUBJECT};
use crate::error::StoreError;
use crate::ids::RaiseId;
use crate::replicate::core::{Answer, Call, Cause, Event, Load, Publication};
use crate::revoke::{Cursor, Followed, Raise, Receipt, Revocation};
use crate::testing::LogCall;

/// How many publications one call of a follower reads.
const LIMIT: usize = 100;

impl State {
    /// The time by the store's clock, and a name that only the same history gives again.
    pub(super) fn server_call(&self, config: &Config) -> LogCall {
        LogCall {
            now: config.store_time(self.now, self.seen.losses),
            fresh: hash(&(&self.server, self.now, self.seen.losses)),
        }
    }

    pub(super) fn store_entries(&self) -> Vec<Revocation> {
        let mut server = self.server.clone();
        let call = LogCall {
            now: super::START,
            fresh: 0,
        };
        server.snapshot(call).0
    }

    /// The store carries a call out. What it hands over, and what it answers.
    pub(super) fn execute(&mut self, config: &Config, it: &Pending) -> (Vec<Revocation>, Answer) {
        let call = self.server_call(config);
        let server = &mut self.server;
        let answer = match it.call.clone() {
            Call::Announce(announcement) => {
                server.announce(call, announcement);
                Answer::Announced(Ok(()))
            }
            Call::Load(load) => {
                let (mut piece, end) = server.snapshot(call);
                if let Load::Compare(_) = load
                    && config.without.comparing
                    && let Some(node) = self.node(it.node)
                {
                    piece = node.core.entries();
                }
                piece.retain(|revocation| config.tells(revocation));
                if config.without.attesting_last
                    && let Some(node) = self.node(it.node)
                    && node.core.is_sure()
                {
                    let since = node.core.list().complete_since();
                    let here = end.state.incarnation;
                    self.seen.attested |= self.server.attest(call, here, since).is_some();
                }
                return (piece, Answer::Loaded(load, Ok(end)));
            }
            Call::Follow(mut cursor) => {
                let end = server.cursor(call);
                let blind = config.without.marks_of_publications;
                if blind && (end.epoch, end.sequence) == (cursor.epoch, cursor.sequence) {
                    cursor = Cursor::new(end.epoch, end.sequence, end.mark);
                }
                let mut followed = server.follow(call, cursor, LIMIT);
                if let Followed::Delta(delta) = &mut followed {
                    delta.revocations.retain(|it| config.tells(it));
                }
                Answer::Followed(Ok(followed))
            }
            Call::Publish(publication) => {
                return (Vec::new(), self.publish(config, publication));
            }
            Call::Raise(raise, attempted) => {
                let mut named = raise;
                if config.without.raise_ids {
                    named.id = RaiseId::from_bytes(u128::from(call.fresh).to_be_bytes());
                }
                let raised = server.raise(call, &named);
                if let Ok(raised) = &raised {
                    self.note_raise(&raise, raised.generation);
                }
                Answer::Raised(raise, attempted, raised)
            }
            Call::Read(subject, read_for) => {
                Answer::Read(subject, read_for, Ok(server.read(call, &subject)))
            }
            Call::Find(ticket, session, subject) => {
                Answer::Found(ticket, Ok(server.find(call, session, subject)))
            }
            Call::Attest(incarnation, since) => {
                if config.without.attesting {
                    return (Vec::new(), Answer::Attested(Ok(Some(server.state(call)))));
                }
                let attested = server.attest(call, incarnation, since);
                self.seen.attested |= attested.is_some();
                Answer::Attested(Ok(attested))
            }
            Call::Sweep(ticket) => Answer::Swept(ticket, server.sweep(call)),
        };
        (Vec::new(), answer)
    }

    fn publish(&mut self, config: &Config, publication: Publication) -> Answer {
        let call = self.server_call(config);
        let mut told = publication.revocations.clone();
        if matches!(publication.cause, Cause::Repair { .. }) {
            self.seen.restored = true;
            let without = config.without;
            told.retain(|it| !without.restoring_anonymous || !it.matter().is_anonymous());
            if without.restoring {
                told.clear();
            }
        }
        let purpose = publication.purpose();
        let receipt = self.server.publish(call, &told, purpose).map(|receipt| {
            let mut published = receipt.published.into_iter();
            let published = publication.revocations.iter().map(|it| {
                let was_told = told.contains(it);
                let known = crate::revoke::Published::Known;
                was_told
                    .then(|| published.next())
                    .flatten()
                    .unwrap_or(known)
            });
            Receipt::new(published.collect(), receipt.incarnation)
        });
        Answer::Published(publication, receipt)
    }

    /// The node learns that a call failed, if it waits.
    pub(super) fn fail(&mut self, config: &Config, it: Pending) {
        if !it.is_awaited || self.node(it.node).is_none() {
            return;
        }
        if self.node(it.node).is_some_and(|node| node.is_connected) {
            self.left.strays = self.left.strays.saturating_sub(1);
        }
        let error = || StoreError::Unavailable(String::new());
        let answer = match it.call {
            Call::Announce(_) => Answer::Announced(Err(error())),
            Call::Load(load) => Answer::Loaded(load, Err(error())),
            Call::Follow(_) => Answer::Followed(Err(error())),
            Call::Publish(publication) => Answer::Published(publication, Err(error())),
            Call::Raise(raise, attempted) => Answer::Raised(raise, attempted, Err(error())),
            Call::Read(subject, read_for) => Answer::Read(subject, read_for, Err(error())),
            Call::Find(ticket, ..) => Answer::Found(ticket, Err(error())),
            Call::Attest(..) => Answer::Attested(Err(error())),
            Call::Sweep(ticket) => Answer::Swept(ticket, Err(error())),
        };
        self.happens(config, it.node, Event::Answered(answer));
    }

    /// A generation was handed out. It has to exceed those of the sessions that it ends.
    fn note_raise(&mut self, raise: &Raise, generation: crate::ids::Generation) {
        debug_assert_eq!(raise.target, SUBJECT);
        let raises = self.seen.raises.iter_mut();
        let mut raises = raises.filter(|it| it.id == raise.id);
        let Some(raising) = raises.next() else { return };
        let before = raising.done.replace(self.seen.losses);
        let is_first = before.is_none();
        // A copy that does not know the raise carries it out once more.
        let is_lost = before.is_some_and(|before| before != self.seen.losses);
        for (number, session) in self.sessions.iter_mut().enumerate() {
            let Some((of_session, _)) = session.login else {
                continue;
            };
            if raising.before >> number & 1 == 1 {
                self.seen.not_above |= generation <= of_session;
            }
            // Also who logged in meanwhile, without anybody's fault.
            session.is_ended |= is_first && raising.spares != Some(number);
            session.is_early |= is_lost;
        }
        self.seen.highest = self.seen.highest.max(generation);
    }
}

impl Config {
    /// Whether nodes hear of it.
    fn tells(&self, revocation: &Revocation) -> bool {
        !self.without.since || !matches!(revocation, Revocation::Anonymous { .. })
    }
}
