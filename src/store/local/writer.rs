//! The one thread that calls a journal.
//!
//! 1. Jobs that gathered while an append was under way go into the next one together, so many logouts at once cost
//!    one wait for the disk. No job is answered before it is durable.
//! 2. After a failed append nobody knows what the journal ends with. Every further job fails at once, until a
//!    compaction has replaced all of it: tried with a job, and without one, once a second.
//! 3. A revocation whose append failed is in the list already, or is an outstanding raise. A compaction writes both,
//!    so no job has to be remembered or repeated.
//! 4. A compaction also runs when more than four megabytes were appended since the last, and more than twice its
//!    size. It runs alone: logins and logouts meanwhile wait for it, a second or so for a million entries. Requests
//!    do not wait.
//! 5. A compaction holds its bytes in memory, 37 for most entries. The list is not locked while the journal writes:
//!    changes are appended afterwards.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::frame::{self, End};
use super::record::{About, JournalRecord};
use super::state::{Job, LocalState};
use crate::error::StoreError;
use crate::observe;
use crate::revoke::Journal;

/// How many jobs go into one append at most.
const BATCH: usize = 1024;
/// How long the body of a frame gets before another one is begun: with a last record it just fills an allocation of
/// 64 KiB.
const BODY: usize = (64 << 10) - 64;
/// How often a compaction is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How much is appended before a compaction, at least.
const LEAST_GROWTH: u64 = 4 << 20;

/// A job, and where its outcome is awaited.
pub(super) type Task = (Job, oneshot::Sender<Result<(), StoreError>>);

pub(super) struct Writer {
    state: Arc<LocalState>,
    journal: Box<dyn Journal>,
    /// The number of the next frame.
    next: u64,
    /// How much the last compaction wrote, and was appended since.
    base: u64,
    grown: u64,
    /// When a compaction was last tried, while only that helps.
    broken: Option<Duration>,
}

impl Writer {
    /// The writer of a journal that was loaded.
    pub(super) fn new(state: Arc<LocalState>, journal: Box<dyn Journal>, end: &End) -> Self {
        Self {
            state,
            journal,
            next: end.last.map_or(0, |last| last.saturating_add(1)),
            base: end.length,
            grown: 0,
            broken: None,
        }
    }

    /// Works until no sender of jobs is left.
    pub(super) fn run(mut self, inbox: &Receiver<Task>) {
        loop {
            let wait = self.broken.map_or(Duration::MAX, |_| RETRY);
            match inbox.recv_timeout(wait) {
                Ok(first) => {
                    let more = inbox.try_iter().take(BATCH - 1);
                    self.work([first].into_iter().chain(more).collect());
                }
                // The log says so if it fails, and so does the answer to every job.
                Err(RecvTimeoutError::Timeout) => drop(self.compact()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.broken.is_none() && self.grown > LEAST_GROWTH.max(self.base.saturating_mul(2)) {
                // If it fails, it is tried again as after a failed append.
                drop(self.compact());
            }
        }
    }

    fn work(&mut self, tasks: Vec<Task>) {
        let outcome = self.carry_out(&tasks);
        if outcome.is_err() {
            observe::store_failed("append");
            self.state
                .add_outstanding(tasks.iter().map(|(job, _)| job.count()).sum());
        }
        for (job, reply) in tasks {
            let outcome = outcome.clone();
            let outcome = outcome.map(|about| self.state.carried_out(&job, &about));
            // The caller may have stopped waiting.
            let _ = reply.send(outcome);
        }
    }

    /// Makes the jobs durable. Returns the facts about the list that are durable if a job was about them.
    fn carry_out(&mut self, tasks: &[Task]) -> Result<About, StoreError> {
        if let Some(tried) = self.broken {
            let is_urgent = tasks.iter().any(|(job, _)| matches!(job, Job::Close));
            if !is_urgent && self.state.clock.monotonic() < tried + RETRY {
                return Err(StoreError::unavailable(
                    "an earlier write failed, and the list has not been rewritten yet",
                ));
            }
            // It holds all of the jobs.
            return self.compact();
        }
        let about = self.state.about();
        let mut bodies = Vec::new();
        for (job, _) in tasks {
            match job {
                Job::Join(revocations) => {
                    for revocation in revocations {
                        push(&mut bodies, JournalRecord::Revocation(*revocation));
                    }
                }
                Job::Raise(target, raised) => {
                    let raise = target.at(*raised);
                    push(&mut bodies, JournalRecord::Revocation(raise));
                }
                Job::About | Job::Sweep(_) => push(&mut bodies, JournalRecord::About(about)),
                Job::Flush | Job::Close => {}
            }
        }
        bodies.iter().try_for_each(|body| self.append(body))?;
        Ok(about)
    }

    /// Appends one frame, never two: the second could be on a disk without the first.
    fn append(&mut self, body: &[u8]) -> Result<(), StoreError> {
        let frame = frame::frame(self.next, body);
        self.journal.append(&frame).inspect_err(|error| {
            tracing::error!(
                %error,
                journal = ?self.journal,
                "the revocation list could not be written; what is revoked holds until the process ends, and is written once that is possible"
            );
            self.broken = Some(self.state.clock.monotonic());
        })?;
        self.next = self.next.saturating_add(1);
        self.grown = self.grown.saturating_add(frame.len() as u64);
        Ok(())
    }

    /// Replaces all of the journal by the list as it is. Returns the facts about it that are durable then.
    pub(super) fn compact(&mut self) -> Result<About, StoreError> {
        let (about, raises) = (self.state.about(), self.state.raises());
        let mut bodies = Vec::new();
        push(&mut bodies, JournalRecord::About(about));
        for (target, raised) in &raises {
            let raise = target.at(*raised);
            push(&mut bodies, JournalRecord::Revocation(raise));
        }
        let list = &self.state.list;
        list.for_each(|it| push(&mut bodies, JournalRecord::Revocation(it)));
        // It may have risen meanwhile, and entries that it refuses be missing.
        if let Some(since) = list.anonymous().refused() {
            push(&mut bodies, JournalRecord::Revocation(since));
        }
        push(&mut bodies, JournalRecord::End);

        let mut length: u64 = 0;
        let numbered = (self.next..).zip(&bodies);
        let mut frames = numbered.map(|(number, body)| {
            let frame = frame::frame(number, body);
            length = length.saturating_add(frame.len() as u64);
            frame
        });
        let compacted = self.journal.compact(&mut frames);
        let written = compacted.and_then(|()| match frames.next() {
            None => Ok(()),
            Some(_) => Err(StoreError::unavailable(
                "the journal did not take all of the list",
            )),
        });
        written.inspect_err(|error| {
            observe::store_failed("compact");
            tracing::warn!(
                %error,
                journal = ?self.journal,
                outstanding = self.state.outstanding(),
                "the revocation list could not be written anew; it is tried again"
            );
            self.broken = Some(self.state.clock.monotonic());
        })?;
        self.next = self.next.saturating_add(bodies.len() as u64);
        self.base = length;
        self.grown = 0;
        self.broken = None;
        self.state.about_is_durable(&about);
        // Before a mark goes: whoever sees it gone is not told that it is outstanding.
        self.state.all_durable();
        for (target, raised) in &raises {
            self.state.raised(*target, *raised);
        }
        Ok(about)
    }
}

/// Writes a record to the last of the bodies, or to a new one if that is full.
fn push(bodies: &mut Vec<Vec<u8>>, record: JournalRecord) {
    if bodies.last().is_none_or(|last| last.len() >= BODY) {
        bodies.push(Vec::new());
    }
    if let Some(last) = bodies.last_mut() {
        record.write(last);
    }
}
