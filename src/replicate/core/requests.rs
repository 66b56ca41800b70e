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
use crate::ids::{RaiseId, SubjectKey};
use crate::replicate::core::event::{Ask, Call, PublishFor, RaiseFor, ReadFor, Reply, Ticket};
use crate::replicate::core::state::{BATCH, Core, Outstanding};
use crate::revoke::node::{RaiseOn, check_clocks};
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
            Ask::Raise { target, on } => self.ask_raise(ticket, target, on),
            Ask::Read(subject) => self.tell_and_read(ticket, subject, None),
            Ask::Find(session, subject) => self.call(Call::Find(ticket, session, subject)),
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

    fn ask_raise(&mut self, ticket: Ticket, target: Target, on: RaiseOn) {
        self.outbox.named = self.outbox.named.wrapping_add(1);
        let id = u128::from(self.number) << 64 | u128::from(self.outbox.named);
        let named_on = self.recovery.known;
        let outstanding = Outstanding {
            id: RaiseId::from_bytes(id.to_be_bytes()),
            known: self.list.generation(target),
            named_on,
            on: named_on.filter(|_| on == RaiseOn::KnownServer),
        };
        let covers = self.outbox.raises.insert(target, outstanding).is_some();
        self.list.mark(target);
        self.call_raise(target, outstanding, RaiseFor::Request { ticket, covers });
    }

    pub(super) fn raised(
        &mut self,
        raise: &Raise,
        raise_for: RaiseFor,
        raised: Result<Raised, StoreError>,
    ) {
        match &raised {
            Ok(raised) => {
                self.heard_aside(&raised.state);
                let revocation = raise.target.at(raised.generation, raised.until);
                self.list.join(&revocation);
                self.finish_raise(raise);
            }
            // The store has carried it out, and its replicas may not know. Its result has to be found out.
            Err(StoreError::NotReplicated { .. }) => self.call(Call::Read(ReadFor::Adopt(*raise))),
            // Nothing was raised, and nobody wants it any more but who asked for an earlier one: a logout everywhere
            // that the store did not take is outstanding, and a request that was under way logs others out and takes
            // its place. Where that finds another server, the mark and what is outstanding are still the logout's:
            // `a_raise_that_finds_another_server_leaves_the_one_before_it_outstanding`.
            Err(StoreError::Replaced)
                if !matches!(raise_for, RaiseFor::Request { covers: true, .. }) =>
            {
                self.finish_raise(raise);
            }
            Err(_) => (),
        }
        match (raise_for, raised) {
            (RaiseFor::Request { ticket, covers }, Ok(raised)) => {
                // Else a session that was ended outlives a logout of the others:
                // `a_raise_in_place_of_one_that_was_not_taken_ended_every_session_from_before`.
                let raised = if covers { raised.covering() } else { raised };
                self.reply(ticket, Ok(Reply::Raised(raised)));
            }
            (RaiseFor::Request { ticket, .. }, Err(error)) => {
                self.outbox.free(raise.target, raise.id);
                self.reply(ticket, Err(error));
            }
            // It will not come after this login: the store has it.
            (
                RaiseFor::Login(ticket, subject),
                Ok(_) | Err(StoreError::NotReplicated { .. } | StoreError::Replaced),
            ) => self.tell_and_read(ticket, subject, Some(raise.target)),
            (RaiseFor::Login(ticket, _), Err(error)) => self.reply(ticket, Err(error)),
            (RaiseFor::Retry, _) => self.tell_next(),
        }
    }

    /// The store carried `raise` out, but replicas may not have it. The new generation counts from now on, so
    /// the mark goes, which refuses everybody; and the generation is told again.
    pub(super) fn adopt(&mut self, raise: &Raise, reading: Result<Reading, StoreError>) {
        // If that could not be found out, then the next attempt at the raise does.
        let Ok(reading) = reading else {
            return;
        };
        self.heard_aside(&reading.state);
        let generation = match raise.target {
            Target::Subject(_) => reading.subject,
            Target::Everyone => reading.everyone,
        };
        // Only on the server that was asked from the beginning. A copy that took its place need not know of the raise,
        // and what it holds may be the raise of another node. Where an earlier attempt was carried out, this node may
        // have heard of it and only lack the answer. Then nothing is larger than what this attempt knew, and the mark
        // would stay for as long as there are no replicas:
        // `a_raise_that_was_heard_of_keeps_nobody_out_while_there_are_no_replicas`.
        let outstanding = self.outbox.raises.get(&raise.target);
        let is_ours = outstanding.is_some_and(|it| {
            it.id == raise.id
                && it.named_on == Some(reading.state.incarnation)
                && generation > it.known
        });
        if is_ours {
            let raised = raise.target.at(generation, raise.until);
            self.list.join(&raised);
            self.keep(raised);
            self.finish_raise(raise);
        }
    }

    /// Tells the next raise that a login has to come after, and reads when there is none. `told`: the target of the
    /// last.
    fn tell_and_read(&mut self, ticket: Ticket, subject: SubjectKey, told: Option<Target>) {
        for target in [Target::Subject(subject), Target::Everyone] {
            if told < Some(target)
                && let Some(&outstanding) = self.outbox.raises.get(&target)
            {
                let raise_for = RaiseFor::Login(ticket, subject);
                return self.call_raise(target, outstanding, raise_for);
            }
        }
        self.call(Call::Read(ReadFor::Login(ticket, subject)));
    }

    pub(super) fn answered_login(
        &mut self,
        ticket: Ticket,
        subject: SubjectKey,
        reading: Result<Reading, StoreError>,
    ) {
        let reading = reading.and_then(|mut reading| {
            self.heard_aside(&reading.state);
            check_clocks(self.now.wall, reading.state.now)?;
            let list = &self.list;
            let known = list.generation(Target::Subject(subject));
            reading.subject = reading.subject.max(known);
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
