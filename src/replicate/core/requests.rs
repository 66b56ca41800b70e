//! What handlers wait for.
//!
//! 1. What a request revokes holds on this node before the store is told. The request learns of the first
//!    attempt; what failed goes to the outbox.
//! 2. Anyone can end anonymous sessions, and end again what has ended, as often as they like. These are told one
//!    batch at a time: however many there are, they take one of the ways to the store. What waits when a batch
//!    fails goes to the outbox with it.
//! 3. A raise that is outstanding is told before a login reads its generation: told after it, it would end that
//!    login, although it came before.

use crate::error::StoreError;
use crate::ids::{RaiseId, SessionId, SubjectKey};
use crate::replicate::core::event::{Ask, Call, PublishFor, RaiseFor, Reply, Ticket};
use crate::replicate::core::state::{BATCH, Core, Outstanding};
use crate::revoke::node::check_clocks;
use crate::revoke::{Found, Published, Raise, Raised, Reading, Receipt, Revocation, Target};

impl Core {
    pub(super) fn asked(&mut self, ticket: Ticket, ask: Ask) {
        match ask {
            Ask::Publish {
                revocation,
                is_news,
            } if is_news && !revocation.key().is_anonymous() => {
                let publish_for = PublishFor::Request(ticket);
                self.call(Call::Publish(vec![revocation], publish_for));
            }
            Ask::Publish { revocation, .. } => {
                self.requests.bulk.push_back((ticket, revocation));
                self.next_bulk();
            }
            Ask::Raise(target, spared, id) => self.ask_raise(ticket, target, spared, id),
            Ask::Read(subjects) => self.tell_and_read(ticket, subjects, None),
            Ask::Find(session, subjects) => self.call(Call::Find(ticket, session, subjects)),
            Ask::Sweep => self.sweep(Some(ticket)),
        }
    }

    fn next_bulk(&mut self) {
        if self.requests.is_busy || self.requests.bulk.is_empty() {
            return;
        }
        self.requests.is_busy = true;
        let count = self.requests.bulk.len().min(BATCH);
        let (tickets, revocations) = self.requests.bulk.drain(..count).unzip();
        self.call(Call::Publish(revocations, PublishFor::Bulk(tickets)));
    }

    pub(super) fn published(
        &mut self,
        told: Vec<Revocation>,
        publish_for: PublishFor,
        receipt: Result<Receipt, StoreError>,
    ) {
        let tickets = match publish_for {
            PublishFor::Request(ticket) => vec![ticket],
            PublishFor::Bulk(tickets) => {
                self.requests.is_busy = false;
                tickets
            }
            PublishFor::Retry => return self.retried(&told, receipt),
            PublishFor::Repair { .. } => return self.repaired(&told, receipt),
        };
        let mut told: Vec<_> = tickets.into_iter().zip(told).collect();
        if receipt.is_err() && !self.requests.is_busy {
            told.extend(self.requests.bulk.drain(..));
        }
        for (index, (ticket, revocation)) in told.into_iter().enumerate() {
            let published = match &receipt {
                // A store that answers with fewer breaks its contract; the rest count as known.
                Ok(receipt) => Ok(*receipt.published.get(index).unwrap_or(&Published::Known)),
                Err(error) => {
                    self.keep(revocation);
                    Err(error.clone())
                }
            };
            self.reply(ticket, published.map(Reply::Published));
        }
        self.next_bulk();
    }

    fn ask_raise(
        &mut self,
        ticket: Ticket,
        target: Target,
        spared: Option<SessionId>,
        id: RaiseId,
    ) {
        // This raise takes the place of one that is outstanding, which has ended all that it does not spare, although
        // no generation says so yet: `a_raise_in_place_of_one_that_was_not_taken_spares_nobody_whom_that_ended`.
        let before = self.outbox.raises.get(&target);
        let outstanding = Outstanding {
            id,
            spared: spared.filter(|_| before.is_none_or(|it| it.spared == spared)),
        };
        self.outbox.raises.insert(target, outstanding);
        self.list.mark(target, outstanding.spared);
        self.call_raise(target, outstanding, RaiseFor::Request(ticket));
    }

    pub(super) fn raised(
        &mut self,
        raise: &Raise,
        raise_for: RaiseFor,
        raised: Result<Raised, StoreError>,
    ) {
        let raised = raised.map(|raised| {
            self.heard_aside(&raised.state);
            let revocation = raise.target.at(raised.entry);
            self.list.join(&revocation);
            self.finish_raise(raise);
            if raised.unreplicated.is_some() {
                self.keep(revocation);
            }
            raised.unreplicated
        });
        match (raise_for, raised) {
            (RaiseFor::Request(ticket), Ok(Some(error)) | Err(error)) => {
                self.reply(ticket, Err(error));
            }
            (RaiseFor::Request(ticket), Ok(None)) => self.reply(ticket, Ok(Reply::Done)),
            // It will not come after this login: the store has it.
            (RaiseFor::Login(ticket, subjects), Ok(_)) => {
                self.tell_and_read(ticket, subjects, Some(raise.target));
            }
            (RaiseFor::Login(ticket, _), Err(error)) => self.reply(ticket, Err(error)),
            (RaiseFor::Retry, _) => self.tell_next(),
        }
    }

    /// Tells the next raise that a login has to come after, and reads when there is none. `told`: the target of the
    /// last.
    fn tell_and_read(&mut self, ticket: Ticket, subjects: Vec<SubjectKey>, told: Option<Target>) {
        let targets = subjects.iter().copied().map(Target::Subject);
        let targets = targets.chain([Target::Everyone]);
        let outstanding = |target| Some((target, *self.outbox.raises.get(&target)?));
        let untold = targets.filter(|target| told < Some(*target));
        match untold
            .filter_map(outstanding)
            .min_by_key(|(target, _)| *target)
        {
            Some((target, outstanding)) => {
                self.call_raise(target, outstanding, RaiseFor::Login(ticket, subjects));
            }
            None => self.call(Call::Read(ticket, subjects)),
        }
    }

    pub(super) fn answered_login(
        &mut self,
        ticket: Ticket,
        subjects: &[SubjectKey],
        reading: Result<Reading, StoreError>,
    ) {
        let reading = reading.and_then(|mut reading| {
            self.heard_aside(&reading.state);
            check_clocks(self.now.wall, reading.state.now)?;
            if reading.subjects.len() != subjects.len() {
                return Err(StoreError::unavailable("its answer lacks generations"));
            }
            let list = &self.list;
            for (read, subject) in reading.subjects.iter_mut().zip(subjects) {
                *read = list.generation(Target::Subject(*subject)).max(*read);
            }
            reading.everyone = reading.everyone.max(list.everyone());
            let since = &mut reading.state.complete_since;
            *since = (*since).max(list.complete_since());
            Ok(reading)
        });
        self.reply(ticket, reading.map(Reply::Read));
    }

    pub(super) fn found(&mut self, ticket: Ticket, found: Result<Found, StoreError>) {
        let since = found.map(|found| {
            self.heard_aside(&found.state);
            for revocation in &found.revocations {
                self.list.join(revocation);
            }
            found.state.complete_since
        });
        self.reply(ticket, since.map(Reply::Found));
    }
}
