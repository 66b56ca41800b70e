//! An open store as what stands behind the list of a node.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::state::Job;
use super::store::{LocalStore, done};
use crate::ids::{SessionId, SubjectKey};
use crate::observe::ListState;
use crate::revoke::node::{Attempt, Backend};
use crate::revoke::{Published, Reading, Revocation, Target};
use crate::time::UnixMillis;

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a node that closes waits before it tries once more.
const AGAIN: Duration = Duration::from_millis(100);

impl Backend for LocalStore {
    fn publish(&self, revocation: Revocation, here: Published) -> Attempt<Published> {
        let placed = revocation.placed(self.state.clock.now());
        if placed != revocation {
            self.state.list.join(&placed);
        }
        let (records, has_ended) = self.state.make_room(&placed);
        let published = match here {
            Published::Succeeded => here,
            _ if has_ended => Published::Ended,
            _ => here,
        };
        self.submit(Job::Join(records), published)
    }

    fn raise(&self, target: Target, spared: Option<SessionId>) -> Attempt<()> {
        let raising = self.raise_generation(target, spared);
        Box::pin(async move { raising.await.map(drop) })
    }

    /// A raise from before the login, which is not durable yet, would end it: that is waited for.
    fn read(&self, subjects: Vec<SubjectKey>) -> Attempt<Reading> {
        let state = Arc::clone(&self.state);
        let mut targets = subjects.iter().copied().map(Target::Subject);
        let is_raising =
            targets.any(|it| state.is_raising(it)) || state.is_raising(Target::Everyone);
        let raises = is_raising.then(|| self.submit(Job::Flush, ()));
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

    /// The list is the store, which lost nothing that others could put back: it is believed of every session.
    fn find(&self, _: SessionId, _: Vec<SubjectKey>) -> Attempt<UnixMillis> {
        done(Ok(UnixMillis::EPOCH))
    }

    fn sweep(&self) -> Attempt<()> {
        let now = self.state.clock.now();
        match self.state.prepare_sweep(now) {
            Ok(()) => self.submit(Job::Sweep(now), ()),
            Err(error) => done(Err(error)),
        }
    }

    fn finish(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            while self.submit(Job::Close, ()).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    fn status(&self) -> ListState {
        ListState {
            entries: self.state.list.len(),
            outstanding: self.state.outstanding(),
            ..ListState::default()
        }
    }
}

/// Forgets expired entries from time to time, for as long as the store is open.
pub(super) async fn sweep(store: Weak<LocalStore>) {
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
