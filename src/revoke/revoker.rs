//! Revoking: first this node's list, then the store.
//!
//! 1. What is revoked holds on this node before anything is awaited.
//! 2. The store is told by a task that outlives the request. The caller may wait for its first
//!    attempt; an `Err` says that other nodes may not know yet.
//! 3. What the store did not take is kept and told again until it is taken or has expired. What it
//!    never takes does not hold up the rest.
//! 4. While a raise of a generation is outstanding its target is marked: logged out on this node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::error::StoreError;
use crate::id::{RaiseId, SessionId, SubjectKey};
use crate::lifetime::SKEW;
use crate::random::Random;
use crate::revoke::lattice::{Revocation, SubjectEntry};
use crate::revoke::list::List;
use crate::revoke::replica::{self, Vigil};
use crate::revoke::store::{Published, Raise, Raised, Reading, RevocationStore, Target};
use crate::revoke::worker::{Worker, outcome};
use crate::time::{Clock, millis};

/// How long one attempt to reach the store may take.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How often what the store did not take is told again.
const RETRY: Duration = Duration::from_secs(1);
/// How many entries one retry tells.
const BATCH: usize = 1000;

/// This node's revocations: the list that requests are checked against, and the way to the store.
#[derive(Debug)]
pub(crate) struct Revoker {
    worker: Worker,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) list: List,
    pub(super) store: Arc<dyn RevocationStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vigil: Vigil,
    /// The longest life of a cookie that any node announced, in milliseconds.
    pub(super) longest: AtomicU64,
    random: Arc<dyn Random>,
    outbox: Mutex<Outbox>,
}

/// What the store has not taken yet.
#[derive(Debug, Default)]
struct Outbox {
    sessions: HashMap<SessionId, Revocation>,
    /// `None` where no id could be drawn yet.
    raises: HashMap<Target, Option<RaiseId>>,
}

/// The first attempt to tell the store.
pub(crate) type Attempt<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl Revoker {
    /// Loads the store's whole state before it returns, so that nothing is ever answered from an
    /// empty list. `longest` is how long a cookie of this node can live, skew included.
    pub(crate) async fn start(
        store: Arc<dyn RevocationStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        longest: Duration,
    ) -> Result<Self, StoreError> {
        let worker = Worker::start()?;
        let shared = Arc::new(Shared {
            list: List::default(),
            vigil: Vigil::new(store.reach()),
            store,
            clock,
            longest: AtomicU64::new(millis(longest)),
            random,
            outbox: Mutex::default(),
        });
        let loading = shared.clone();
        let position = outcome(worker.finish(async move {
            loading.store.announce(longest).await?;
            replica::load(&loading).await
        }))
        .await?;
        worker.repeat(replica::follow(Arc::downgrade(&shared), position));
        worker.repeat(replica::sweep(Arc::downgrade(&shared)));
        worker.repeat(retry(Arc::downgrade(&shared)));
        Ok(Self { worker, shared })
    }

    pub(crate) fn list(&self) -> &List {
        &self.shared.list
    }

    pub(crate) fn store_name(&self) -> &'static str {
        self.shared.store.name()
    }

    /// How long any cookie of any node can live, skew included.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_millis(self.shared.longest.load(Ordering::Acquire))
    }

    pub(crate) fn vigil(&self) -> &Vigil {
        &self.shared.vigil
    }

    /// The thread for work that outlives requests.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Revokes cookies of one session: here at once, in the store by the attempt that is returned.
    ///
    /// The attempt says whether the serial was still free, here and in the store.
    pub(crate) fn revoke(&self, revocation: Revocation) -> Attempt<Published> {
        let here = self.shared.list.join(&revocation);
        let there = self.tell(revocation);
        Box::pin(async move {
            let there = there.await?;
            Ok(if here == Published::Fresh {
                there
            } else {
                here
            })
        })
    }

    fn tell(&self, revocation: Revocation) -> Attempt<Published> {
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            let published = in_time(shared.store.publish(&[revocation])).await;
            if published.is_err() {
                shared.keep(revocation);
            }
            published.map(|each| each.first().copied().unwrap_or(Published::Known))
        });
        Box::pin(outcome(attempt))
    }

    /// Raises a generation: the target is logged out here at once, everywhere once the attempt is done.
    pub(crate) fn raise(&self, target: Target) -> Attempt<Raised> {
        self.shared.list.mark(target);
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            let id = shared.name_raise(target)?;
            shared.raise(target, id).await
        });
        Box::pin(outcome(attempt))
    }

    /// Reads what a login needs from the store, joined with what this node knows.
    pub(crate) fn read(&self, subject: SubjectKey) -> Attempt<Reading> {
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            // A raise that is told after this login would end it, although it came before.
            for target in [Target::Subject(subject), Target::Everyone] {
                let outstanding = shared.outbox().raises.get(&target).copied();
                if let Some(id) = outstanding {
                    shared.raise_again(target, id).await?;
                }
            }
            let mut reading = in_time(shared.store.read(subject)).await?;
            let ours = shared.clock.now();
            if reading.now > ours + SKEW || ours > reading.now + SKEW {
                return Err(StoreError::clocks(ours, reading.now, SKEW));
            }
            let list = &shared.list;
            reading.subject = reading
                .subject
                .max(list.generation(Target::Subject(subject)));
            reading.everyone = reading.everyone.max(list.everyone());
            reading.born = reading.born.max(list.born());
            Ok(reading)
        });
        Box::pin(outcome(attempt))
    }

    /// Finishes what is under way and tells the store what it did not take, at most for `deadline`.
    /// Returns how many revocations the store may still not know.
    pub(crate) async fn close(&self, deadline: Duration) -> usize {
        let shared = self.shared.clone();
        let tell = async move {
            while shared.tell_again().await.is_err() {
                tokio::time::sleep(RETRY / 10).await;
            }
        };
        let unfinished = self.worker.drain(deadline, tell).await;
        let outbox = self.shared.outbox();
        unfinished + outbox.sessions.len() + outbox.raises.len()
    }

    /// Forgets what has expired, in the list and in the store.
    pub(crate) async fn sweep(&self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        outcome(
            self.worker
                .finish(async move { replica::sweep_once(&shared).await }),
        )
        .await
    }
}

impl Shared {
    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the store did not take. Visitors' sessions cost an attacker nothing, so they are
    /// not kept: they hold on this node.
    fn keep(&self, revocation: Revocation) {
        if let Revocation::Session { id, entry } = revocation {
            let mut outbox = self.outbox();
            let kept = match outbox.sessions.get(&id) {
                Some(Revocation::Session { entry: held, .. }) => held.join(entry),
                _ => entry,
            };
            let kept = Revocation::Session { id, entry: kept };
            outbox.sessions.insert(id, kept);
        }
    }

    /// Remembers that the target's generation has to be raised, under a fresh id. It covers an earlier
    /// raise that is still outstanding.
    ///
    /// Without an id the raise stays outstanding, as the mark does: what is marked and never raised
    /// could not be logged in to again.
    fn name_raise(&self, target: Target) -> Result<RaiseId, StoreError> {
        let id = RaiseId::random(&*self.random);
        self.outbox().raises.insert(target, id.ok());
        Ok(id?)
    }

    /// Another attempt at an outstanding raise.
    async fn raise_again(&self, target: Target, id: Option<RaiseId>) -> Result<Raised, StoreError> {
        let id = match id {
            Some(id) => id,
            None => self.name_raise(target)?,
        };
        self.raise(target, id).await
    }

    /// One attempt at a raise; on success the list takes the generation and the mark goes.
    async fn raise(&self, target: Target, id: RaiseId) -> Result<Raised, StoreError> {
        let known = self.list.generation(target);
        let raised = in_time(self.store.raise(Raise { target, id, known })).await?;
        self.list.join(&match target {
            Target::Subject(key) => Revocation::Subject {
                key,
                entry: SubjectEntry {
                    generation: raised.generation,
                    until: raised.until,
                },
            },
            Target::Everyone => Revocation::Everyone {
                generation: raised.generation,
            },
        });
        let mut outbox = self.outbox();
        // Only the newest raise lifts the mark: an older one does not cover what came after it.
        if outbox.raises.get(&target) == Some(&Some(id)) {
            outbox.raises.remove(&target);
            self.list.unmark(target);
        }
        Ok(raised)
    }

    /// Tells the store once more what it did not take. Everything is tried; the error is the last one.
    async fn tell_again(&self) -> Result<(), StoreError> {
        let mut outcome = self.publish_again().await;
        let raises: Vec<_> = {
            let outbox = self.outbox();
            outbox.raises.iter().map(|(t, id)| (*t, *id)).collect()
        };
        for (target, id) in raises {
            if let Err(error) = self.raise_again(target, id).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn publish_again(&self) -> Result<(), StoreError> {
        loop {
            let now = self.clock.now();
            let batch: Vec<_> = {
                let mut outbox = self.outbox();
                outbox.sessions.retain(|_, kept| kept.until() > now);
                outbox.sessions.values().take(BATCH).copied().collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            in_time(self.store.publish(&batch)).await?;
            let mut outbox = self.outbox();
            outbox.sessions.retain(|_, kept| !batch.contains(kept));
        }
    }
}

/// The loop behind rule 3.
async fn retry(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RETRY).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = shared.tell_again().await {
            let outbox = shared.outbox();
            tracing::warn!(
                %error,
                sessions = outbox.sessions.len(),
                raises = outbox.raises.len(),
                "the revocation store still does not know of revocations that hold on this node"
            );
        }
    }
}

/// The outcome, or an error if it takes too long.
async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(ATTEMPT, work)
        .await
        .unwrap_or_else(|_| {
            let waited = ATTEMPT.as_secs();
            Err(StoreError::Unavailable(format!(
                "no answer within {waited} s"
            )))
        })
}
