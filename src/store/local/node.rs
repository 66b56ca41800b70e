//! A node on a store of its own process.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::state::Job;
use super::store::{LocalStore, done};
use crate::ids::{SessionId, SubjectKey};
use crate::observe::ListState;
use crate::revoke::node::{Attempt, Backend};
use crate::revoke::worker::Worker;
use crate::revoke::{Published, Reading, Revocation, Target};
use crate::time::UnixMillis;

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a node that closes waits before it tries once more.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct LocalNode {
    store: Arc<LocalStore>,
    worker: Arc<Worker>,
}

impl LocalNode {
    pub(super) fn new(store: Arc<LocalStore>, worker: Arc<Worker>) -> Self {
        worker.repeat(sweep(Arc::downgrade(&store)));
        Self { store, worker }
    }
}

impl Backend for LocalNode {
    fn publish(&self, revocation: Revocation, here: Published) -> Attempt<Published> {
        self.store.publish(&revocation, here)
    }

    fn raise(&self, target: Target, spared: Option<SessionId>) -> Attempt<()> {
        let raising = self.store.raise(target, spared);
        Box::pin(async move { raising.await.map(drop) })
    }

    /// A raise from before the login, which is not durable yet, would end it: that is waited for.
    fn read(&self, subjects: Vec<SubjectKey>) -> Attempt<Reading> {
        let state = Arc::clone(&self.store.state);
        let mut targets = subjects.iter().copied().map(Target::Subject);
        let is_raising =
            targets.any(|it| state.is_raising(it)) || state.is_raising(Target::Everyone);
        let raises = is_raising.then(|| self.store.submit(Job::Flush, ()));
        Box::pin(async move {
            if let Some(raises) = raises {
                raises.await?;
            }
            let list = &state.list;
            let generations = subjects.into_iter().map(Target::Subject);
            let generations = generations.map(|it| list.generation(it)).collect();
            Ok(Reading::new(
                generations,
                list.everyone(),
                state.log_state(),
            ))
        })
    }

    /// The list is the store.
    fn find(&self, _: SessionId, _: Vec<SubjectKey>) -> Attempt<UnixMillis> {
        done(Ok(self.store.state.list.complete_since()))
    }

    fn sweep(&self) -> Attempt<()> {
        self.store.sweep()
    }

    fn close(&self, deadline: Duration) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
        let store = Arc::clone(&self.store);
        let written = async move {
            while store.submit(Job::Close, ()).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        };
        Box::pin(async move {
            let unfinished = self.worker.drain(deadline, written).await;
            unfinished + self.store.state.outstanding()
        })
    }

    fn status(&self) -> ListState {
        ListState {
            entries: self.store.state.list.len(),
            outstanding: self.store.state.outstanding(),
            ..ListState::default()
        }
    }
}

/// Forgets expired entries from time to time, for as long as the store is open.
async fn sweep(store: Weak<LocalStore>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(swept) = store.upgrade().map(|store| store.sweep()) else {
            return;
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "expired revocations could not be forgotten");
        }
    }
}
