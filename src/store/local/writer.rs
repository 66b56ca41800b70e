//! The one thread that calls a journal.
//!
//! 1. What gathered while an append was under way goes into the next one together, so many logouts at once cost one
//!    wait for the disk. Nobody is answered before what they told is durable.
//! 2. After a failed append nobody knows what the journal ends with. Everything told since fails at once, until a
//!    compaction has replaced all of it: tried when something is told, and by itself, once a second.
//! 3. What failed holds in the list already, or is an outstanding raise. Compactions write both, so it is durable
//!    after the next one, and nobody has to remember or repeat it.
//! 4. A compaction also runs when much was appended since the last: more than four megabytes, and twice what that
//!    wrote. It runs alone: who logs in or out meanwhile waits for it, a second or so for a million entries. Requests
//!    do not wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::book::{Book, Raise};
use super::frame;
use super::pieces::{BODY, Pieces};
use super::record::Record;
use crate::error::StoreError;
use crate::observe;
use crate::revoke::{Journal, Revocation};
use crate::time::UnixMillis;

/// How many jobs go into one append at most.
const BATCH: usize = 1024;
/// How often a compaction is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How much is appended before a compaction, at least.
const LEAST_GROWTH: u64 = 4 << 20;

/// Something to be made durable.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// What the list holds already.
    pub(super) revocations: Vec<Revocation>,
    /// What it does not hold before it is durable.
    pub(super) raise: Option<Raise>,
    /// Whether something about the list has changed.
    pub(super) about: bool,
    /// Until when to forget, once that is durable.
    pub(super) sweep: Option<UnixMillis>,
    /// Whether to try a compaction now, if one is needed.
    pub(super) is_urgent: bool,
}

impl Job {
    fn count(&self) -> usize {
        self.revocations.len() + usize::from(self.raise.is_some())
    }
}

/// A job, and who waits for it.
pub(super) type Task = (Job, oneshot::Sender<Result<(), StoreError>>);

#[derive(Debug)]
pub(super) struct Writer {
    book: Arc<Book>,
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
    /// After a journal was loaded whose last frame was the one before `next`, of `length` bytes in all.
    pub(super) fn new(book: Arc<Book>, journal: Box<dyn Journal>, next: u64, length: u64) -> Self {
        Self {
            book,
            journal,
            next,
            base: length,
            grown: 0,
            broken: None,
        }
    }

    /// Works until nobody can tell anything any more.
    pub(super) fn run(mut self, inbox: &Receiver<Task>) {
        loop {
            let first = match self.broken {
                Some(_) => match inbox.recv_timeout(RETRY) {
                    Ok(task) => task,
                    Err(RecvTimeoutError::Timeout) => {
                        // Said in the log; whoever is told something hears of it too.
                        let _ = self.compact();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match inbox.recv() {
                    Ok(task) => task,
                    Err(_) => return,
                },
            };
            let mut tasks = vec![first];
            tasks.extend(inbox.try_iter().take(BATCH - 1));
            let outcome = self.carry_out(&tasks);
            if outcome.is_err() {
                observe::store_failed("append");
                let count = tasks.iter().map(|(job, _)| job.count());
                self.book.fail(count.sum());
            }
            for (job, reply) in tasks {
                if outcome.is_ok() {
                    self.count(&job);
                }
                // A caller that no longer waits is no reason not to have written.
                let _ = reply.send(outcome.clone());
            }
            if self.broken.is_none() && self.grown > LEAST_GROWTH.max(self.base.saturating_mul(2)) {
                // If it fails it is tried again as after an append that failed.
                let _ = self.compact();
            }
        }
    }

    /// The job is durable.
    fn count(&self, job: &Job) {
        if let Some(raise) = &job.raise {
            self.book.raised(raise);
        }
        if let Some(now) = job.sweep {
            self.book.sweep(now);
        }
    }

    fn carry_out(&mut self, tasks: &[Task]) -> Result<(), StoreError> {
        if let Some(tried) = self.broken {
            let is_urgent = tasks.iter().any(|(job, _)| job.is_urgent);
            if !is_urgent && self.book.clock.monotonic() < tried + RETRY {
                return Err(StoreError::unavailable(
                    "an earlier write failed, and what was told since is not written either yet",
                ));
            }
            // It holds all that the jobs tell.
            return self.compact();
        }
        let mut body = Vec::new();
        let about = tasks.iter().any(|(job, _)| job.about);
        let about = about.then(|| self.book.about());
        if let Some(about) = about {
            Record::About(about).write(&mut body);
        }
        for (job, _) in tasks {
            let raise = job.raise.iter().map(Raise::revocation);
            for revocation in job.revocations.iter().copied().chain(raise) {
                Record::Revocation(revocation).write(&mut body);
                if body.len() >= BODY {
                    self.append(&std::mem::take(&mut body))?;
                }
            }
        }
        if !body.is_empty() {
            self.append(&body)?;
        }
        if let Some(about) = about {
            self.book.told(&about);
        }
        Ok(())
    }

    /// Appends one frame. An append is never more than one: of two, the second could be on a disk without the
    /// first.
    fn append(&mut self, body: &[u8]) -> Result<(), StoreError> {
        let frame = frame::frame(self.next, body);
        self.journal.append(&frame).inspect_err(|error| {
            tracing::error!(
                %error,
                journal = ?self.journal,
                "the revocation list could not be written; what is revoked holds until the process ends, and is written once that is possible"
            );
            self.broken = Some(self.book.clock.monotonic());
        })?;
        self.next = self.next.saturating_add(1);
        self.grown = self.grown.saturating_add(frame.len() as u64);
        Ok(())
    }

    /// Replaces all of the journal by what still counts.
    pub(super) fn compact(&mut self) -> Result<(), StoreError> {
        let (about, raises) = (self.book.about(), self.book.raises());
        let revocations = raises.iter().map(Raise::revocation);
        let mut pieces = Pieces::new(&self.book, about, revocations, self.next);
        let compacted = self.journal.compact(&mut pieces);
        let written = compacted.and_then(|()| {
            let incomplete = || StoreError::unavailable("the journal did not take all of the list");
            pieces.finish().ok_or_else(incomplete)
        });
        let (next, length) = written.inspect_err(|error| {
            observe::store_failed("compact");
            tracing::warn!(
                %error,
                journal = ?self.journal,
                outstanding = self.book.outstanding(),
                "the revocation list could not be written anew; it is tried again"
            );
            self.broken = Some(self.book.clock.monotonic());
        })?;
        self.next = next;
        self.base = length;
        self.grown = 0;
        self.broken = None;
        for raise in &raises {
            self.book.raised(raise);
        }
        self.book.told(&about);
        self.book.settle();
        Ok(())
    }
}
