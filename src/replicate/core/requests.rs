//! What handlers wait for.
//!
//! 1. What a request revokes holds on this node before the store is told. The request learns of the first
//!    attempt; what failed goes to the outbox.
//! 2. Anyone can end anonymous sessions, and end again what has ended, as often as they like. These are told one
//!    batch at a time: however large the crowd is, it takes one of the ways to the store. What waits when a batch
//!    fails goes to the outbox with it.
//! 3. A raise that is outstanding is told before a login reads its generation: told after it, it would end that
//!    login, although it came before.

use std::collections::VecDeque;

use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::replicate::core::{
    Ask, Attempted, Call, Cause, Command, Core, NOBODY, Publication, ReadFor, Reply, Ticket,
    published_at,
};
use crate::revoke::completeness::Moment;
use crate::revoke::{Found, Raise, Raised, Reading, Receipt, Revocation, Target};

/// How many revocations of the crowd one publication tells.
const BATCH: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Requests {
    /// What waits for the batch under way.
    crowd: VecDeque<(Ticket, Revocation)>,
    /// Whether one is.
    is_busy: bool,
    /// Logins for which raises are being told, and of which targets that was tried.
    logins: Vec<(Ticket, SubjectKey, Vec<Target>)>,
}

impl Core {
    pub(super) fn asked(&mut self, ticket: Ticket, ask: Ask, now: Moment) -> Vec<Command> {
        match ask {
            Ask::Publish {
                revocation,
                is_news,
            } if !is_news || revocation.matter().is_anonymous() => {
                self.requests.crowd.push_back((ticket, revocation));
                self.next_of_crowd()
            }
            Ask::Publish { revocation, .. } => vec![Command::Call(Call::Publish(Publication {
                revocations: vec![revocation],
                cause: Cause::Request(ticket),
            }))],
            Ask::Raise { target, familiar } => self.ask_raise(ticket, target, familiar, now),
            Ask::Read(subject) => {
                self.requests.logins.push((ticket, subject, Vec::new()));
                self.next_of_login(ticket, now)
            }
            Ask::Find(session, subject) => {
                vec![Command::Call(Call::Find(ticket, session, subject))]
            }
            Ask::Sweep => self.sweep(Some(ticket), now),
        }
    }

    fn next_of_crowd(&mut self) -> Vec<Command> {
        if self.requests.is_busy || self.requests.crowd.is_empty() {
            return Vec::new();
        }
        self.requests.is_busy = true;
        let count = self.requests.crowd.len().min(BATCH);
        let (tickets, revocations) = self.requests.crowd.drain(..count).unzip();
        vec![Command::Call(Call::Publish(Publication {
            revocations,
            cause: Cause::Crowd(tickets),
        }))]
    }

    pub(super) fn published(
        &mut self,
        publication: Publication,
        receipt: Result<Receipt, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let is_of_crowd = matches!(publication.cause, Cause::Crowd(_));
        let tickets = match &publication.cause {
            Cause::Request(ticket) => vec![*ticket],
            Cause::Crowd(tickets) => tickets.clone(),
            Cause::Retry => return self.retried(&publication, receipt, now),
            Cause::Repair { .. } => return self.repaired(&publication, receipt, now),
        };
        let mut told: Vec<_> = tickets.into_iter().zip(publication.revocations).collect();
        self.requests.is_busy &= !is_of_crowd;
        if receipt.is_err() && is_of_crowd {
            told.extend(self.requests.crowd.drain(..));
        }
        let mut commands = Vec::with_capacity(told.len());
        for (index, (ticket, revocation)) in told.into_iter().enumerate() {
            let outcome = match &receipt {
                Ok(receipt) => Ok(published_at(receipt, index)),
                Err(error) => {
                    self.keep(revocation, now);
                    Err(error.clone())
                }
            };
            commands.push(Command::Reply(ticket, Reply::Published(outcome)));
        }
        commands.extend(self.next_of_crowd());
        commands
    }

    fn ask_raise(
        &mut self,
        ticket: Ticket,
        target: Target,
        familiar: bool,
        now: Moment,
    ) -> Vec<Command> {
        let known = self.list.generation(target);
        let on = self.recovery.known();
        let (outstanding, covers) = self.outbox.name(target, known, on, familiar);
        self.list.mark(target);
        let attempted = Attempted::Request { ticket, covers };
        vec![self.call_raise(target, outstanding, attempted, now)]
    }

    pub(super) fn answered_raise(
        &mut self,
        raise: Raise,
        attempted: Attempted,
        raised: Result<Raised, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        match &raised {
            Ok(raised) => {
                self.heard_aside(&raised.state, now);
                self.list
                    .join(&raise.target.at(raised.generation, raised.until));
                self.finish_raise(&raise);
            }
            // The store has carried it out, and its replicas may not know. Its result has to be found out.
            Err(StoreError::NotReplicated { .. }) => {
                let subject = match raise.target {
                    Target::Subject(key) => key,
                    Target::Everyone => NOBODY,
                };
                commands.push(Command::Call(Call::Read(subject, ReadFor::Adopt(raise))));
            }
            // Nothing was raised, and nobody wants it any more but who asked for an earlier one.
            Err(StoreError::Replaced)
                if !matches!(attempted, Attempted::Request { covers: true, .. }) =>
            {
                self.finish_raise(&raise);
            }
            Err(_) => (),
        }
        if raised.is_err() && matches!(attempted, Attempted::Request { .. }) {
            self.outbox.free(raise.target, raise.id);
        }
        commands.extend(match attempted {
            Attempted::Request { ticket, covers } => {
                let outcome = raised.map(|mut raised| {
                    if covers {
                        // The one that it covers had ended every session from before, although no generation
                        // said so yet.
                        raised.previous = raised.generation;
                    }
                    raised
                });
                vec![Command::Reply(ticket, Reply::Raised(outcome))]
            }
            Attempted::Login(ticket) => match raised {
                // It will not come after this login: the store has it.
                Ok(_) | Err(StoreError::NotReplicated { .. } | StoreError::Replaced) => {
                    self.next_of_login(ticket, now)
                }
                Err(error) => {
                    self.requests.logins.retain(|(it, ..)| *it != ticket);
                    vec![Command::Reply(ticket, Reply::Read(Err(error)))]
                }
            },
            Attempted::Retry => self.retried_raise(now),
        });
        commands
    }

    fn finish_raise(&mut self, raise: &Raise) {
        if self.outbox.raised(raise.target, raise.id) {
            self.list.unmark(raise.target);
        }
    }

    /// The store carried `raise` out, but replicas may not have it. The new generation counts from now on, so
    /// the mark goes, which refuses everybody; and the generation is told again.
    pub(super) fn adopt(
        &mut self,
        raise: &Raise,
        reading: Result<Reading, StoreError>,
        now: Moment,
    ) {
        // If that could not be found out, then the next attempt at the raise does.
        let Ok(reading) = reading else {
            return;
        };
        self.heard_aside(&reading.state, now);
        let generation = match raise.target {
            Target::Subject(_) => reading.subject,
            Target::Everyone => reading.everyone,
        };
        // A copy that took the store's place meanwhile need not know of it. One that was there from the beginning
        // does: where an earlier attempt was carried out, this node may have heard of it and only lack the answer.
        let outstanding = self.outbox.raise(raise.target);
        let was_there = outstanding.is_some_and(|it| {
            it.id == raise.id
                && it.named_on == Some(reading.state.incarnation)
                && generation > it.known
        });
        if generation > raise.known || was_there {
            let raised = raise.target.at(generation, raise.until);
            self.list.join(&raised);
            self.keep(raised, now);
            self.finish_raise(raise);
        }
    }

    /// Tells the next raise that a login has to come after, or reads.
    fn next_of_login(&mut self, ticket: Ticket, now: Moment) -> Vec<Command> {
        let Some((_, subject, tried)) = self.requests.logins.iter_mut().find(|it| it.0 == ticket)
        else {
            return Vec::new();
        };
        let subject = *subject;
        for target in [Target::Subject(subject), Target::Everyone] {
            if tried.contains(&target) {
                continue;
            }
            tried.push(target);
            if let Some(outstanding) = self.outbox.raise(target) {
                return vec![self.call_raise(target, outstanding, Attempted::Login(ticket), now)];
            }
        }
        self.requests.logins.retain(|it| it.0 != ticket);
        let read = Call::Read(subject, ReadFor::Login(ticket));
        vec![Command::Call(read)]
    }

    pub(super) fn answered_login(
        &mut self,
        ticket: Ticket,
        subject: SubjectKey,
        reading: Result<Reading, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let reading = reading.and_then(|mut reading| {
            self.heard_aside(&reading.state, now);
            self.check_clocks(&reading.state, now)?;
            let list = &self.list;
            let known = list.generation(Target::Subject(subject));
            reading.subject = reading.subject.max(known);
            reading.everyone = reading.everyone.max(list.everyone());
            let since = &mut reading.state.complete_since;
            *since = (*since).max(list.complete_since());
            Ok(reading)
        });
        vec![Command::Reply(ticket, Reply::Read(reading))]
    }

    pub(super) fn found(
        &mut self,
        ticket: Ticket,
        found: Result<Found, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let since = found.map(|found| {
            self.heard_aside(&found.state, now);
            for revocation in &found.revocations {
                self.list.join(revocation);
            }
            found.state.complete_since
        });
        vec![Command::Reply(ticket, Reply::Found(since))]
    }
}
