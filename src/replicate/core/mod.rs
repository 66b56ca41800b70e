//! What decides how a node's list is kept complete, without I/O.
//!
//! [`Core::on`] takes an [`Event`] and answers with [`Command`]s. Events are what a request asks for, what a call
//! of the store came to, and timers; commands are calls, timers and answers to requests. Time comes with the
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
mod following;
#[cfg(test)]
mod fork_for_tests;
mod outbox;
mod recovery;
mod repair;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::replicate::core::following::Following;
use crate::replicate::core::outbox::Outbox;
use crate::replicate::core::recovery::Recovery;
use crate::replicate::core::repair::Repair;
use crate::replicate::core::requests::Requests;
use crate::revoke::completeness::{Completeness, Moment};
use crate::revoke::list::List;
use crate::revoke::node::{Status, check_clocks};
use crate::revoke::policy::Trust;
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, Revocation, SnapshotEnd, Target,
};
use crate::time::SKEW;
use crate::time::UnixMillis;

pub(crate) use self::requests::Reply;

/// Nobody's, to read what concerns everyone.
pub(crate) const NOBODY: SubjectKey = SubjectKey::from_bytes([0; 16]);

/// How long one attempt to reach the store may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(3);

/// Names what a request waits for.
pub(crate) type Ticket = u64;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// The node starts: the first of all.
    Start,
    /// A request asks.
    Asked(Ticket, Ask),
    /// A piece of what is being loaded has come.
    Piece(Load, Vec<Revocation>),
    /// The store answered, or did not.
    Answered(Answer),
    /// The time of a [`Command::Wake`] has come.
    Woken(Timer),
    /// Whoever closes wants the store to be told now what it did not take.
    Closing,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// Tell the store what holds here already. `is_news`: it was not known here.
    Publish {
        revocation: Revocation,
        is_news: bool,
    },
    /// Mark the target and raise its generation; `familiar`: on the server that is known alone.
    Raise { target: Target, familiar: bool },
    /// Read what a login needs.
    Read(SubjectKey),
    /// Ask the store for all that it knows of a session.
    Find(SessionId, Option<SubjectKey>),
    /// Forget what has expired.
    Sweep,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Call the store, at most for [`ATTEMPT`] but for loading and following, and say what it came to.
    Call(Call),
    /// Say so after a while: `after`, and a random part of `spread`, so that the nodes of a fleet which noticed
    /// the same thing do not act as one.
    Wake {
        timer: Timer,
        after: Duration,
        spread: Duration,
    },
    /// Tell a request.
    Reply(Ticket, Reply),
}

/// A call of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Announce(Announcement),
    Load(Load),
    Follow(Cursor),
    Publish(Publication),
    Raise(Raise, Attempted),
    Read(SubjectKey, ReadFor),
    Find(Ticket, SessionId, Option<SubjectKey>),
    Attest(Incarnation, UnixMillis),
    Sweep(Option<Ticket>),
}

/// Why everything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    /// To follow from there: at the start, and after a gap.
    Follow,
    /// To compare, while following goes on. Comparisons are numbered.
    Compare(u32),
}

/// Something that is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Publication {
    pub(crate) revocations: Vec<Revocation>,
    pub(crate) cause: Cause,
}

/// On whose account something is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// A request.
    Request(Ticket),
    /// Requests that anyone can make as often as they like, one for each revocation.
    Crowd(Vec<Ticket>),
    /// The outbox: the store did not take it before.
    Retry,
    /// The repair of what the store lacks.
    Repair { is_first: bool },
}

impl Publication {
    pub(crate) fn purpose(&self) -> Purpose {
        match self.cause {
            Cause::Repair { is_first: true } => Purpose::FirstRestoration,
            Cause::Repair { is_first: false } => Purpose::Restoration,
            Cause::Request(_) | Cause::Crowd(_) | Cause::Retry => Purpose::Revoke,
        }
    }
}

/// On whose account a generation is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Attempted {
    /// A request; whether it covers an earlier raise that was still outstanding.
    Request { ticket: Ticket, covers: bool },
    /// A login, before which it has to be told.
    Login(Ticket),
    /// The outbox.
    Retry,
}

/// What something is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadFor {
    /// A login.
    Login(Ticket),
    /// A raise that the store carried out, and of whose outcome only this is known.
    Adopt(Raise),
}

/// What a call came to.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Announced(Result<(), StoreError>),
    Loaded(Load, Result<SnapshotEnd, StoreError>),
    Followed(Result<Followed, StoreError>),
    Published(Publication, Result<Receipt, StoreError>),
    Raised(Raise, Attempted, Result<Raised, StoreError>),
    Read(SubjectKey, ReadFor, Result<Reading, StoreError>),
    Found(Ticket, Result<Found, StoreError>),
    Attested(Result<Option<LogState>, StoreError>),
    Swept(Option<Ticket>, Result<usize, StoreError>),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// To follow again after an error.
    Follow,
    /// To load again after a gap or an error.
    Load,
    /// To give the store more of what it lacks.
    Repair,
    /// To tell the store what it did not take.
    Retry,
    /// To forget what has expired.
    Sweep,
}

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
