//! The index, as sessions use it: calls outlive the request that made them, and failures are counted and said.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::seen::SeenSessions;
use super::settings::DeviceSettings;
use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::index::{IndexRows, IndexUpdate, SessionIndex};
use crate::observe;
use crate::revoke::node::Attempt;
use crate::revoke::worker::{Worker, outcome};
use crate::time::Clock;

/// How many uses of sessions are written at the same time. Beyond that they are written with the next use.
const MOST_USES: usize = 1_000;
/// How often what is over is dropped.
const SWEEP: Duration = Duration::from_secs(60);

/// The index, where it is turned on.
pub(crate) struct Devices {
    pub(super) client: Arc<IndexClient>,
    pub(crate) settings: DeviceSettings,
    pub(super) seen: Arc<SeenSessions>,
    /// What keeps uses that are written at the same time to a number, if the store does not answer.
    pub(super) uses: Arc<Semaphore>,
    pub(super) worker: Arc<Worker>,
}

/// The index, and whether it can be used: what work that outlives a request needs.
pub(super) struct IndexClient {
    pub(super) index: Arc<dyn SessionIndex>,
    /// Whether the last call failed, and that was said.
    has_failed: AtomicBool,
}

impl Devices {
    pub(crate) fn new(
        index: Arc<dyn SessionIndex>,
        settings: DeviceSettings,
        clock: Arc<dyn Clock>,
        worker: Arc<Worker>,
    ) -> Self {
        let client = Arc::new(IndexClient {
            index,
            has_failed: AtomicBool::new(false),
        });
        worker.repeat(sweep(Arc::downgrade(&client), clock));
        Self {
            client,
            settings,
            seen: Arc::new(SeenSessions::new()),
            uses: Arc::new(Semaphore::new(MOST_USES)),
            worker,
        }
    }

    /// Fails where there is a limit and the index cannot be used: nobody could log in. Else that is said, and no more.
    pub(crate) async fn try_out(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        let nobody = SubjectKey::from_bytes([0; 16]);
        let tried = self.update(nobody, IndexUpdate::new(clock.now())).await;
        match (tried, self.settings.max_sessions) {
            (Err(error), Some(_)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the rows of a subject.
    pub(super) async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        let client = Arc::clone(&self.client);
        self.run(async move { client.heard(client.index.rows(subject).await) })
            .await
    }

    /// Changes the rows of a subject, whether or not anyone waits for it.
    pub(super) fn update(&self, subject: SubjectKey, update: IndexUpdate) -> Attempt<IndexRows> {
        let client = Arc::clone(&self.client);
        self.run(async move { client.update(subject, &update).await })
    }

    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Attempt<T> {
        let (sender, receiver) = oneshot::channel();
        self.worker.begin(async move {
            // The caller may have stopped waiting.
            let _ = sender.send(call.await);
        });
        Box::pin(outcome(receiver))
    }
}

impl IndexClient {
    pub(super) async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        self.heard(self.index.update(subject, update).await)
    }

    /// Counts a failure, and says the first of several.
    pub(super) fn heard<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match &result {
            Ok(_) => self.has_failed.store(false, Ordering::Relaxed),
            Err(error) => {
                observe::store_failed("index");
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the index of sessions cannot be used; lists of devices may lack what changes meanwhile");
                }
            }
        }
        result
    }

    pub(super) async fn sweep(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        match self.index.sweep(clock.now()).await {
            // It need not have asked anyone.
            Ok(_) => Ok(()),
            failed => self.heard(failed).map(drop),
        }
    }
}

/// Forgets from time to time, for as long as the sessions are there.
async fn sweep(client: Weak<IndexClient>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(client) = client.upgrade() else {
            return;
        };
        // What goes wrong has been said.
        let _ = client.sweep(&*clock).await;
    }
}
