//! The one thread that writes.
//!
//! 1. What gathered while a commit was under way is committed together in the next one, so many
//!    logouts at once cost one wait for the disk.
//! 2. Nobody is answered before the commit.
//! 3. A write that fails on its own account takes no other down: the transaction is undone, and the
//!    others are tried again without it.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use ::redb::Database;
use tokio::sync::oneshot;

use super::fault::{Fault, unavailable};
use super::file;
use super::state::{News, State};
use crate::error::StoreError;
use crate::store::feed::Feed;

/// How many writes go into one transaction at most.
const BATCH: usize = 1024;

#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        database: Arc<Database>,
        path: PathBuf,
        feed: Arc<Feed>,
    ) -> Result<Self, StoreError> {
        let (jobs, inbox) = mpsc::channel();
        let place = path.clone();
        let thread = std::thread::Builder::new()
            .name("revocations".into())
            .spawn(move || work(&database, &place, &feed, &inbox))
            .map_err(|error| unavailable(&path, error))?;
        Ok(Self {
            path,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs `work` in a transaction and returns its result once that is committed. It may run more
    /// than once, each time on a state without its earlier runs.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnMut(&mut State<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task {
            work,
            result: None,
            reply,
        };
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        // Both fail only if the thread is gone, which a panic inside redb can do.
        let stopped = || {
            unavailable(
                &self.path,
                "the writing thread has stopped; the file must be opened again",
            )
        };
        jobs.send(Box::new(task)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Waits for the writes under way, so that the file is closed and can be opened again.
impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

trait Job: Send {
    fn work(&mut self, state: &mut State<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, W> {
    work: W,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnMut(&mut State<'_>) -> Result<T, Fault> + Send,
{
    fn work(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        self.result = Some((self.work)(state)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error),
        };
        // A caller that no longer waits is no reason not to have written.
        let _ = self.reply.send(answer);
    }
}

fn work(
    database: &Database,
    path: &std::path::Path,
    feed: &Feed,
    inbox: &mpsc::Receiver<Box<dyn Job>>,
) {
    while let Ok(first) = inbox.recv() {
        let mut jobs = vec![first];
        jobs.extend(inbox.try_iter().take(BATCH - 1));
        while !jobs.is_empty() {
            match commit(database, &mut jobs) {
                Ok(news) => {
                    news.tell(feed);
                    jobs.drain(..).for_each(|job| job.answer(Ok(())));
                }
                Err(Failed {
                    job: Some(job),
                    fault,
                }) => {
                    jobs.remove(job).answer(Err(fault.at(path)));
                }
                Err(Failed { job: None, fault }) => {
                    let error = fault.at(path);
                    jobs.drain(..)
                        .for_each(|job| job.answer(Err(error.clone())));
                }
            }
        }
    }
}

/// Nothing was written, because of one job or of the file.
struct Failed {
    job: Option<usize>,
    fault: Fault,
}

impl<E: Into<Fault>> From<E> for Failed {
    fn from(error: E) -> Self {
        let fault = error.into();
        Self { job: None, fault }
    }
}

fn commit(database: &Database, jobs: &mut [Box<dyn Job>]) -> Result<News, Failed> {
    let transaction = file::begin_write(database)?;
    let mut state = State::open(&transaction)?;
    for (index, job) in jobs.iter_mut().enumerate() {
        job.work(&mut state).map_err(|fault| Failed {
            job: Some(index),
            fault,
        })?;
    }
    let news = state.finish()?;
    if news.changed() {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(news)
}
