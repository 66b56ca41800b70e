//! A thread for what must outlive a request.
//!
//! Revocations that a handler started are finished even when its connection is reset or a timeout
//! drops it, so they do not run on the server's own threads. The thread has ended when the last handle
//! to the sessions is dropped, so that a store which is a file is closed then, and can be opened again.

use std::future::Future;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::StoreError;

pub(crate) struct Worker {
    handle: Handle,
    /// Revocations under way; not the loops that run for ever.
    unfinished: TaskTracker,
    /// What is no revocation.
    beside: TaskTracker,
    stop: CancellationToken,
    /// `None` only while dropping.
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start() -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StoreError::unavailable)?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let listener = tracing::dispatcher::get_default(Clone::clone);
        let thread = thread::Builder::new()
            .name("sealed-session".into())
            .spawn(move || {
                // What the worker has to say is said to whoever listens to who started it.
                let work = || runtime.block_on(stopped.cancelled());
                tracing::dispatcher::with_default(&listener, work);
            })
            .map_err(StoreError::unavailable)?;
        Ok(Self {
            handle,
            unfinished: TaskTracker::new(),
            beside: TaskTracker::new(),
            stop,
            thread: Some(thread),
        })
    }

    /// Runs `work` to its end, whether or not anyone waits for the outcome.
    pub(crate) fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.unfinished.spawn_on(work, &self.handle);
    }

    /// Runs `work` beside, to its end. It is no revocation: closing waits for it at last, and does not count it.
    pub(crate) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.beside.spawn_on(work, &self.handle);
    }

    /// Runs a loop until the worker stops. It must not keep the worker's owner alive.
    pub(crate) fn repeat(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// Waits until nothing is unfinished and `rest` is done too, at most for `deadline`. Returns how
    /// much is still unfinished.
    pub(crate) async fn drain(
        &self,
        deadline: Duration,
        rest: impl Future<Output = ()> + Send + 'static,
    ) -> usize {
        self.unfinished.close();
        self.beside.close();
        let (tracker, beside) = (self.unfinished.clone(), self.beside.clone());
        let all = async move {
            tracker.wait().await;
            rest.await;
            beside.wait().await;
        };
        // The timer is made on the worker: the caller's executor may have none.
        let wait = self
            .handle
            .spawn(async move { tokio::time::timeout(deadline, all).await });
        // Either way the time is up; what is left is counted.
        let _ = wait.await;
        self.unfinished.len()
    }
}

/// Waits until the loops, and what they hold, are gone.
impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
        let thread = self.thread.take();
        // The last handle may be dropped by a loop: a thread cannot wait for itself.
        if let Some(thread) = thread.filter(|it| it.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

/// The outcome of work on the worker; a worker that went away did not finish it.
pub(crate) async fn outcome<T>(
    receiver: oneshot::Receiver<Result<T, StoreError>>,
) -> Result<T, StoreError> {
    receiver.await.unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_finished_although_nobody_waits() {
        let worker = Worker::start().unwrap();
        let (sender, receiver) = oneshot::channel();
        worker.finish(async move {
            tokio::task::yield_now().await;
            sender.send(5).unwrap();
        });
        let left = worker.drain(Duration::from_secs(30), async {}).await;
        assert_eq!(left, 0);
        assert_eq!(receiver.await, Ok(5));
    }

    #[test]
    fn what_the_loops_hold_is_gone_with_the_worker() {
        for _ in 0..50 {
            let held = std::sync::Arc::new(());
            let worker = Worker::start().unwrap();
            let store = held.clone();
            worker.repeat(async move {
                std::future::pending::<()>().await;
                drop(store);
            });
            drop(worker);
            assert_eq!(std::sync::Arc::strong_count(&held), 1);
        }
    }

    #[test]
    fn a_loop_may_drop_the_worker() {
        let worker = Worker::start().unwrap();
        let (sender, dropped) = std::sync::mpsc::channel();
        let handle = worker.handle.clone();
        handle.spawn(async move {
            drop(worker);
            sender.send(()).unwrap();
        });
        dropped.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    #[tokio::test]
    async fn a_worker_that_is_gone_is_an_error() {
        let worker = Worker::start().unwrap();
        let (sender, pending) = oneshot::channel::<Result<(), StoreError>>();
        worker.finish(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        drop(worker);
        assert_eq!(outcome(pending).await, Err(StoreError::Closed));
    }
}
