//! A store of one process that is open: its state, and the way to its journal.
//!
//! A store that only lives in memory has no journal to write, and no thread: everything counts at once.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::open;
use super::state::{Job, LocalState};
use super::writer::Task;
use crate::error::StoreError;
use crate::ids::{Generation, SessionId};
use crate::revoke::node::Attempt;
use crate::revoke::store::Contents;
use crate::revoke::worker::outcome;
use crate::revoke::{Announcement, Journal, Revocation, Target};
use crate::time::{Clock, UnixMillis};

pub(super) struct LocalStore {
    pub(super) state: Arc<LocalState>,
    /// None where nothing is durable, and while dropping.
    tasks: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
    /// The result of loading.
    loaded: watch::Receiver<Option<Result<(), StoreError>>>,
}

impl LocalStore {
    /// Begins to load the journal.
    pub(super) fn open(journal: Box<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        let state = Arc::new(LocalState::new(clock));
        let (loading, loaded) = watch::channel(None);
        let mut store = Self {
            state: Arc::clone(&state),
            tasks: None,
            thread: None,
            loaded,
        };
        if !journal.is_durable() {
            state.begin();
            loading.send_replace(Some(Ok(())));
            return store;
        }
        let (tasks, inbox) = mpsc::channel();
        let work = move || match open::open(&state, journal) {
            Ok(writer) => {
                loading.send_replace(Some(Ok(())));
                writer.run(&inbox);
            }
            // The journal is closed before the error is known.
            Err(error) => drop(loading.send_replace(Some(Err(error)))),
        };
        // The thread logs to the subscriber of the thread that opened the store.
        let listener = tracing::dispatcher::get_default(Clone::clone);
        let thread = std::thread::Builder::new().name("revocations".into());
        let thread = thread.spawn(move || tracing::dispatcher::with_default(&listener, work));
        store.tasks = Some(tasks);
        store.thread = thread.ok();
        store
    }

    /// Waits until everything is loaded.
    pub(super) async fn loaded(&self) -> Result<(), StoreError> {
        let mut loaded = self.loaded.clone();
        match loaded.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err(StoreError::unavailable(
                "the thread that loads the list could not be started, or panicked",
            )),
        }
    }

    /// Sends the job to the thread, which does it whether or not the answer is awaited.
    pub(super) fn submit<T: Send + 'static>(&self, job: Job, answer: T) -> Attempt<T> {
        let Some(tasks) = &self.tasks else {
            self.state.carried_out(&job, &self.state.about());
            return done(Ok(answer));
        };
        let (reply, receiver) = oneshot::channel();
        // Fails only if the thread has ended, which a panic in the journal can do; the answer says so too.
        let _ = tasks.send((job, reply));
        Box::pin(async move { outcome(receiver).await.map(|()| answer) })
    }

    pub(super) fn announce(&self, announcement: Announcement) -> Attempt<()> {
        match self.state.announce(announcement) {
            false => done(Ok(())),
            true => self.submit(Job::About, ()),
        }
    }

    /// Joins all of them in, or none, and makes them durable.
    pub(super) fn join(&self, all: &[Revocation]) -> Attempt<()> {
        let now = self.state.clock.now();
        if let Some(error) = all.iter().find_map(|each| each.check(now).err()) {
            return done(Err(error));
        }
        let mut records = Vec::with_capacity(all.len());
        for revocation in all {
            let placed = revocation.placed(now);
            self.state.list.join(&placed);
            records.extend(self.state.make_room(&placed).0);
        }
        self.submit(Job::Join(records), ())
    }

    /// Raises the target's generation, and returns what it is then.
    pub(super) fn raise_generation(
        &self,
        target: Target,
        spared: Option<SessionId>,
    ) -> Attempt<Generation> {
        match self.state.raise(target, spared) {
            Ok(raised) => self.submit(Job::Raise(target, raised), raised.generation),
            Err(error) => done(Err(error)),
        }
    }

    pub(super) fn attest(&self, since: UnixMillis) -> Attempt<()> {
        self.state.attest(since);
        self.submit(Job::About, ())
    }

    pub(super) fn contents(&self) -> Contents {
        let list = &self.state.list;
        let mut revocations = Vec::with_capacity(list.len());
        list.for_each(|revocation| match revocation {
            // It may rise meanwhile, and entries that it refuses be missing.
            Revocation::Anonymous { .. } => (),
            other => revocations.push(other),
        });
        revocations.extend(list.anonymous().refused());
        Contents::new(revocations, &self.state.log_state())
    }
}

pub(super) fn done<T: Send + 'static>(outcome: Result<T, StoreError>) -> Attempt<T> {
    Box::pin(std::future::ready(outcome))
}

/// Waits for what is being written, so that the journal is closed and can be opened again.
impl Drop for LocalStore {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
