//! What decides how a node's list is kept complete, without I/O.
//!
//! [`Core::on`] takes an [`Event`] and answers with [`Effect`]s. Events are what a request asks for, the result of a
//! call of the store, and timers; effects are calls, timers and answers to requests. Time comes with the
//! event, and so do the ids of raises; waits come from a number that was drawn at the start. The driver carries effects
//! out with tokio, the model checker in every order.
//!
//! What it knows is in [`state`]. Its parts, each with its own rules:
//!
//! 1. [`recovery`]: which store this is, whether it was lost, and what this node may say of it then;
//! 2. [`following`]: loading everything, following what comes, comparing from time to time;
//! 3. [`repair`]: restoring what the store lacks, and attesting since when it knows of everything;
//! 4. [`outbox`]: what the store was told and did not take;
//! 5. [`requests`]: what handlers wait for;
//! 6. [`sweeping`]: forgetting what has expired.

mod comparison;
mod event;
mod following;
mod outbox;
mod recovery;
mod repair;
mod requests;
mod state;
mod sweeping;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::error::StoreError;
use crate::revoke::completeness::Moment;

use self::outbox::RETRY;
use self::sweeping::SWEEP;

pub(crate) use self::event::{Answer, Ask, Call, Effect, Event, Reply, STARTED, Ticket, Timer};
#[cfg(test)]
pub(crate) use self::event::{Load, PublishFor};
pub(crate) use self::state::{ATTEMPT, Core};

impl Core {
    /// What is to be done when `event` happens.
    pub(crate) fn on(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Start => {
                self.call(Call::Announce(self.announcement));
                self.wake(Timer::Retry, RETRY, Duration::ZERO);
                self.wake(Timer::Sweep, SWEEP, Duration::ZERO);
            }
            Event::Asked(ticket, ask) => self.asked(ticket, ask),
            Event::Piece(load, revocations) => self.take_piece(load, &revocations),
            Event::Answered(answer) => self.answered(answer),
            Event::Woken(Timer::Follow) => self.follow(),
            Event::Woken(Timer::Load) => self.load(event::Load::Follow),
            Event::Woken(Timer::Repair) => self.repair(),
            Event::Closing => self.retry(),
            Event::Woken(Timer::Retry) => {
                self.retry();
                self.wake(Timer::Retry, RETRY, Duration::ZERO);
            }
            Event::Woken(Timer::Sweep) => {
                self.sweep(None);
                self.wake(Timer::Sweep, SWEEP, Duration::ZERO);
            }
        }
        std::mem::take(&mut self.effects)
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Announced(announced) => self.announced(announced),
            Answer::Loaded(load, end) => self.loaded(load, end),
            Answer::Followed(followed) => self.followed(followed),
            Answer::Published(told, publish_for, receipt) => {
                self.published(told, publish_for, receipt);
            }
            Answer::Raised(raise, raise_for, raised) => self.raised(&raise, raise_for, raised),
            Answer::Read(ticket, subjects, reading) => {
                self.answered_login(ticket, &subjects, reading);
            }
            Answer::Found(ticket, found) => self.found(ticket, found),
            Answer::Attested(attested) => self.attested(attested),
            Answer::Swept(ticket, swept) => self.swept(ticket, swept),
        }
    }

    /// The announcement is the first call, and repeated by the repair.
    fn announced(&mut self, announced: Result<(), StoreError>) {
        match announced {
            _ if self.following.cursor.is_some() => self.repair_announced(announced),
            Ok(()) => self.load(event::Load::Follow),
            Err(error) => self.reply(STARTED, Err(error)),
        }
    }
}
