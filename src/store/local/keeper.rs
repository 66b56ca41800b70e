//! A store of one process that is open: the book, and the way to its journal.
//!
//! What only lives in memory has no journal that would have to be told, and no thread: everything counts at once.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::book::Book;
use super::open;
use super::writer::{Job, Task};
use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::revoke::node::Attempt;
use crate::revoke::store::Contents;
use crate::revoke::worker::outcome;
use crate::revoke::{
    Announcement, Journal, Matter, Published, Raised, Reading, Revocation, Target,
};
use crate::time::{Clock, UnixMillis};

#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) book: Arc<Book>,
    /// None where nothing is durable, and while dropping.
    tasks: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
    /// The result of loading.
    loaded: watch::Receiver<Option<Result<(), StoreError>>>,
}

impl Keeper {
    /// Begins to load the journal.
    pub(super) fn open(journal: Box<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        let book = Arc::new(Book::new(clock));
        let (loading, loaded) = watch::channel(None);
        if !journal.is_durable() {
            book.begin();
            loading.send_replace(Some(Ok(())));
            return Self {
                book,
                tasks: None,
                thread: None,
                loaded,
            };
        }
        let (tasks, inbox) = mpsc::channel();
        let entries = Arc::clone(&book);
        let failed = loading.clone();
        let thread = std::thread::Builder::new().name("revocations".into());
        // What the thread has to say is said to whoever listens to its opener.
        let listener = tracing::dispatcher::get_default(Clone::clone);
        let work = move || match open::open(&entries, journal) {
            Ok(writer) => {
                loading.send_replace(Some(Ok(())));
                drop(loading);
                writer.run(&inbox);
            }
            // The journal is closed before anybody hears of it.
            Err(error) => drop(loading.send_replace(Some(Err(error)))),
        };
        let thread = thread.spawn(move || tracing::dispatcher::with_default(&listener, work));
        if let Err(error) = &thread {
            failed.send_replace(Some(Err(StoreError::unavailable(error))));
        }
        Self {
            book,
            tasks: Some(tasks),
            thread: thread.ok(),
            loaded,
        }
    }

    /// Waits until everything is loaded.
    pub(super) async fn loaded(&self) -> Result<(), StoreError> {
        let mut loaded = self.loaded.clone();
        match loaded.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err(StoreError::unavailable("loading the list panicked")),
        }
    }

    /// Lets the thread do it, whether or not anyone waits.
    fn submit(&self, job: Job) -> Attempt<()> {
        let Some(tasks) = &self.tasks else {
            return done(Ok(()));
        };
        let (reply, answer) = oneshot::channel();
        // Fails only if the thread has ended, which a panic in the journal can do; the answer says so too.
        let _ = tasks.send((job, reply));
        Box::pin(outcome(answer))
    }

    /// Waits until all that was told before is durable.
    pub(super) fn flush(&self, is_urgent: bool) -> Attempt<()> {
        self.submit(Job {
            is_urgent,
            ..Job::default()
        })
    }

    pub(super) fn announce(&self, announcement: Announcement) -> Attempt<()> {
        match self.book.announce(announcement) {
            false => done(Ok(())),
            true => self.submit(Job {
                about: true,
                ..Job::default()
            }),
        }
    }

    /// Makes what the list holds already durable.
    pub(super) fn publish(&self, revocation: Revocation) -> Attempt<Published> {
        if let Err(error) = self.book.check(&revocation) {
            return done(Err(error));
        }
        let (revocations, published) = self.book.entered(revocation);
        if self.tasks.is_none() {
            return done(Ok(published));
        }
        let durable = self.submit(Job {
            revocations,
            ..Job::default()
        });
        Box::pin(async move { durable.await.map(|()| published) })
    }

    /// Joins all of them in, and makes them durable.
    pub(super) fn publish_all(&self, all: &[Revocation]) -> Attempt<()> {
        if let Some(error) = all.iter().find_map(|each| self.book.check(each).err()) {
            return done(Err(error));
        }
        let entered = all.iter().flat_map(|revocation| {
            self.book.list.join(revocation);
            self.book.entered(*revocation).0
        });
        let revocations = entered.collect();
        self.submit(Job {
            revocations,
            ..Job::default()
        })
    }

    pub(super) fn raise(&self, target: Target) -> Attempt<Raised> {
        let (raise, previous) = match self.book.raise(target) {
            Ok(drawn) => drawn,
            Err(error) => return done(Err(error)),
        };
        let state = self.book.log_state();
        let raised = Raised::new(previous, raise.generation, raise.until, state);
        if self.tasks.is_none() {
            self.book.raised(&raise);
            return done(Ok(raised));
        }
        let durable = self.submit(Job {
            raise: Some(raise),
            ..Job::default()
        });
        Box::pin(async move { durable.await.map(|()| raised) })
    }

    /// What a login needs. A raise from before it, which is not durable yet, would end it: that is waited for.
    pub(super) fn read(self: &Arc<Self>, subject: SubjectKey) -> Attempt<Reading> {
        let targets = [Target::Subject(subject), Target::Everyone];
        let durable = match targets.iter().any(|target| self.book.is_raising(*target)) {
            true => self.flush(false),
            false => done(Ok(())),
        };
        let book = Arc::clone(&self.book);
        Box::pin(async move {
            durable.await?;
            Ok(Reading::new(
                book.list.generation(Target::Subject(subject)),
                book.list.everyone(),
                book.log_state(),
            ))
        })
    }

    pub(super) fn attest(&self, since: UnixMillis) -> Attempt<()> {
        self.book.attest(since);
        if self.tasks.is_none() {
            self.book.told(&self.book.about());
        }
        self.submit(Job {
            about: true,
            ..Job::default()
        })
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&self) -> Attempt<()> {
        let now = self.book.clock.now();
        let list = &self.book.list;
        if list.has_forgotten(now) {
            tracing::error!(
                %now,
                "the clock was set back behind a time at which revocations were forgotten; sessions from \
                 before now are refused"
            );
            list.begin_anew(now);
        }
        if let Err(error) = self.book.prepare_sweep(now) {
            return done(Err(error));
        }
        if self.tasks.is_none() {
            self.book.sweep(now);
        }
        self.submit(Job {
            about: true,
            sweep: Some(now),
            ..Job::default()
        })
    }

    pub(super) fn contents(&self) -> Contents {
        let list = &self.book.list;
        let mut revocations = Vec::with_capacity(list.len());
        list.for_each(|revocation| match revocation {
            // It may rise meanwhile, and what it refuses be missing.
            Revocation::Anonymous { .. } => (),
            other => revocations.push(other),
        });
        revocations.extend(list.find(Matter::Anonymous));
        let state = self.book.log_state();
        let mut contents = Contents::new(revocations, state.complete_since);
        contents.announced = state.announced;
        contents.now = state.now;
        contents
    }
}

fn done<T: Send + 'static>(outcome: Result<T, StoreError>) -> Attempt<T> {
    Box::pin(std::future::ready(outcome))
}

/// Waits for what is being written, so that the journal is closed and can be opened again.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
