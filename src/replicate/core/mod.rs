//! What decides how a node's list is kept complete, without I/O.
//!
//! [`Core::on`] takes an [`Event`] and answers with [`Command`]s. Events are what a request asks for, the result of a
//! call of the store, and timers; commands are calls, timers and answers to requests. Time comes with the
//! event, ids from a number that was drawn at the start. The driver carries commands out with tokio, the
//! model checker in every order.
//!
//! Its parts, each with its own rules:
//!
//! 1. [`recovery`]: which store this is, whether it was lost, and what this node may say of it then;
//! 2. [`following`]: loading everything, following what comes, comparing from time to time;
//! 3. [`repair`]: giving the store what it lacks, and attesting since when it knows of everything;
//! 4. [`outbox`]: what the store was told and did not take;
//! 5. [`requests`]: what handlers wait for.

mod comparison;
mod event;
mod following;
#[cfg(test)]
mod fork_for_tests;
mod outbox;
mod recovery;
mod repair;
mod requests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::replicate::core::following::Following;
use crate::replicate::core::outbox::Outbox;
use crate::replicate::core::recovery::Recovery;
use crate::replicate::core::repair::Repair;
use crate::replicate::core::requests::Requests;
use crate::revoke::completeness::{Completeness, Moment};
use crate::revoke::list::List;
use crate::revoke::node::{Status, check_clocks};
use crate::revoke::policy::Trust;
use crate::revoke::{Announcement, LogState, Published, Receipt};
use crate::time::SKEW;

pub(crate) use self::event::{
    Answer, Ask, Attempted, Call, Cause, Command, Event, Load, Publication, ReadFor, Reply, Ticket,
    Timer,
};

/// Nobody's, to read what concerns everyone.
pub(crate) const NOBODY: SubjectKey = SubjectKey::from_bytes([0; 16]);

/// How long one attempt to reach the store may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(3);

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// A node's replication. See the module.
#[derive(Debug)]
pub(crate) struct Core {
    list: Arc<List>,
    completeness: Arc<Completeness>,
    trust: Trust,
    announcement: Announcement,
    recovery: Recovery,
    following: Following,
    repair: Repair,
    outbox: Outbox,
    requests: Requests,
    /// Whether the store's clock and this node's agreed when the store was last heard of. Of two clocks that
    /// disagree one is wrong, and it may be the one that forgets.
    clocks_agree: bool,
    unreadable: u64,
}

impl Core {
    /// A node that knows nothing yet. `number` was drawn for it, and no other one has it.
    pub(crate) fn new(
        list: Arc<List>,
        completeness: Arc<Completeness>,
        trust: Trust,
        announcement: Announcement,
        number: u64,
    ) -> Self {
        list.announce(announcement.longest);
        Self {
            list,
            completeness,
            trust,
            announcement,
            recovery: Recovery::default(),
            following: Following::default(),
            repair: Repair::default(),
            outbox: Outbox::new(number),
            requests: Requests::default(),
            clocks_agree: false,
            unreadable: 0,
        }
    }

    /// What is to be done when `event` happens.
    pub(crate) fn on(&mut self, event: Event, now: Moment) -> Vec<Command> {
        match event {
            Event::Start => vec![
                Command::Call(Call::Announce(self.announcement)),
                wake(Timer::Retry, outbox::RETRY),
                wake(Timer::Sweep, SWEEP),
            ],
            Event::Asked(ticket, ask) => self.asked(ticket, ask, now),
            Event::Piece(load, revocations) => {
                self.take_piece(load, &revocations);
                Vec::new()
            }
            Event::Answered(answer) => self.answered(answer, now),
            Event::Woken(Timer::Follow) => self.follow(now),
            Event::Woken(Timer::Load) => self.load(now),
            Event::Woken(Timer::Repair) => self.repair(now),
            Event::Closing => self.retry(now),
            Event::Woken(Timer::Retry) => {
                let mut commands = self.retry(now);
                commands.push(wake(Timer::Retry, outbox::RETRY));
                commands
            }
            Event::Woken(Timer::Sweep) => {
                let mut commands = self.sweep(None, now);
                commands.push(wake(Timer::Sweep, SWEEP));
                commands
            }
        }
    }

    fn answered(&mut self, answer: Answer, now: Moment) -> Vec<Command> {
        match answer {
            Answer::Announced(announced) => self.announced(announced, now),
            Answer::Loaded(load, end) => self.loaded(load, end, now),
            Answer::Followed(followed) => self.followed(followed, now),
            Answer::Published(publication, receipt) => self.published(publication, receipt, now),
            Answer::Raised(raise, attempted, raised) => {
                self.answered_raise(raise, attempted, raised, now)
            }
            Answer::Read(subject, ReadFor::Login(ticket), reading) => {
                self.answered_login(ticket, subject, reading, now)
            }
            Answer::Read(_, ReadFor::Adopt(raise), reading) => {
                self.adopt(&raise, reading, now);
                Vec::new()
            }
            Answer::Found(ticket, found) => self.found(ticket, found, now),
            Answer::Attested(attested) => self.attested(attested, now),
            Answer::Swept(ticket, swept) => self.swept(ticket, swept, now),
        }
    }

    /// The announcement is the first call, and repeated by the repair.
    fn announced(&mut self, announced: Result<(), StoreError>, now: Moment) -> Vec<Command> {
        if self.following.has_loaded() {
            return self.repair_announced(announced, now);
        }
        match announced {
            Ok(()) => self.load(now),
            Err(error) => vec![Command::Reply(0, Reply::Started(Err(error)))],
        }
    }

    /// Whether this node's clock and the store's agree.
    fn check_clocks(&mut self, state: &LogState, now: Moment) -> Result<(), StoreError> {
        let checked = check_clocks(now.wall, state.now);
        self.clocks_agree = checked.is_ok();
        checked
    }

    fn sweep(&mut self, ticket: Option<Ticket>, now: Moment) -> Vec<Command> {
        if self.list.has_forgotten(now.wall) {
            tracing::error!(
                now = %now.wall,
                "the clock was set back behind a time at which revocations were forgotten; sessions from \
                 before now are refused"
            );
            self.list.begin_anew(now.wall);
        }
        if self.clocks_agree {
            return vec![Command::Call(Call::Sweep(ticket))];
        }
        let skew = SKEW.as_secs();
        let problem = format!(
            "this node's and the store's are more than {skew} s apart, and nothing is forgotten"
        );
        let refused = Err(StoreError::Clock(problem));
        self.swept(ticket, refused, now)
    }

    /// The store first: where it does not believe its clock, nothing is forgotten here either.
    fn swept(
        &mut self,
        ticket: Option<Ticket>,
        swept: Result<usize, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let outcome = match swept {
            Ok(0) => {
                crate::observe::forgotten(self.list.sweep(now.wall));
                Ok(())
            }
            Ok(_) => return vec![Command::Call(Call::Sweep(ticket))],
            Err(error) => Err(error),
        };
        match ticket {
            Some(ticket) => vec![Command::Reply(ticket, Reply::Swept(outcome))],
            None => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "the revocation store cannot be swept");
                }
                Vec::new()
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            outstanding: self.outbox.len(),
            lacking: self.repair.len(),
            unreadable: self.unreadable,
        }
    }
}

impl Core {
    /// A part of `whole`, another for each node, so that nodes which noticed the same thing do not act as one.
    fn part_of(&self, whole: Duration) -> Duration {
        let part = u32::try_from(self.outbox.number() % 1024).unwrap_or(0);
        whole.saturating_mul(part) / 1024
    }
}

fn wake(timer: Timer, after: Duration) -> Command {
    Command::Wake {
        timer,
        after,
        spread: Duration::ZERO,
    }
}

fn wake_within(timer: Timer, after: Duration, spread: Duration) -> Command {
    Command::Wake {
        timer,
        after,
        spread,
    }
}

/// What was answered to one of several that were published together.
fn published_at(receipt: &Receipt, index: usize) -> Published {
    // A store that answers with fewer breaks its contract; nothing is won by that.
    receipt
        .published
        .get(index)
        .copied()
        .unwrap_or(Published::Known)
}
