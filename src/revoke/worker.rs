//! A thread for what must outlive a request.
//!
//! Revocations that a handler started are finished even when its connection is reset or a timeout
//! drops it, so they do not run on the server's own threads. The thread ends when the last handle to
//! the sessions is dropped.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::StoreError;

#[derive(Debug)]
pub(crate) struct Worker {
    handle: Handle,
    /// Revocations under way; not the loops that run for ever.
    unfinished: TaskTracker,
    _stop: DropGuard,
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
        std::thread::Builder::new()
            .name("sealed-session".into())
            .spawn(move || runtime.block_on(stopped.cancelled()))
            .map_err(StoreError::unavailable)?;
        Ok(Self {
            handle,
            unfinished: TaskTracker::new(),
            _stop: stop.drop_guard(),
        })
    }

    /// Runs `work` to its end, whether or not anyone waits for the outcome.
    pub(crate) fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let work = async move {
            // Nobody may be waiting any more; the work was done all the same.
            let _ = sender.send(work.await);
        };
        self.unfinished.spawn_on(work, &self.handle);
        receiver
    }

    /// Runs a loop until the worker stops. It must not keep the worker's owner alive.
    pub(crate) fn repeat(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// Waits until nothing is unfinished, at most for `deadline`.
    pub(crate) async fn drain(&self, deadline: Duration) {
        self.unfinished.close();
        let tracker = self.unfinished.clone();
        let wait = self
            .handle
            .spawn(async move { tokio::time::timeout(deadline, tracker.wait()).await });
        // Either way the time is up; what is left is the caller's to count.
        let _ = wait.await;
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
        drop(worker.finish(async move {
            tokio::task::yield_now().await;
            sender.send(5).unwrap();
        }));
        worker.drain(Duration::from_secs(30)).await;
        assert_eq!(receiver.await, Ok(5));
    }

    #[tokio::test]
    async fn a_worker_that_is_gone_is_an_error() {
        let worker = Worker::start().unwrap();
        let pending = worker.finish(std::future::pending::<Result<(), StoreError>>());
        drop(worker);
        assert_eq!(outcome(pending).await, Err(StoreError::Closed));
    }
}
