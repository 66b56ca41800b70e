//! Revoking: first this node's list, then the store.
//!
//! 1. What is revoked holds on this node before anything is awaited.
//! 2. The store is told by a task that outlives the request. The caller may wait for its first
//!    attempt; an `Err` says that other nodes may not know yet.
//! 3. What the store did not take is kept and told again until it is taken or has expired. What it
//!    never takes does not hold up the rest.
//! 4. While a raise of a generation is outstanding its target is marked: logged out on this node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::{Clock, UnixMillis};
use crate::error::StoreError;
use crate::id::{Generation, Serial, SessionId, SubjectKey};
use crate::observe::{self, tag};
use crate::random::Random;
use crate::revoke::lattice::Revocation;
use crate::revoke::list::List;
use crate::revoke::outbox::{self, Shared, in_time};
use crate::revoke::replica::{self, Replica, check_clocks};
use crate::revoke::store::{Published, Raised, Reading, RevocationStore, Target};
use crate::revoke::vigil::Vigil;
use crate::revoke::witness::Trust;
use crate::revoke::worker::{Worker, outcome};

/// This node's revocations: the list that requests are checked against, and the way to the store.
#[derive(Debug)]
pub(crate) struct Revoker {
    worker: Worker,
    shared: Arc<Shared>,
    /// How many more revocations that cost nothing may be on their way to the store.
    cheap: Arc<Semaphore>,
}

/// How many revocations are on their way to the store at once that cost an attacker nothing: of visitors,
/// and of what is ended already. Whoever logs out shares the way with them.
const CHEAP_AT_ONCE: usize = 64;

/// The first attempt to tell the store.
pub(crate) type Attempt<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// A revocation that holds on this node and is being told to the store.
#[must_use = "the handler has to learn whether other nodes know"]
pub(crate) struct Revoking {
    /// Whether it was news to this node: of two renewals at once, whether this one was first.
    pub(crate) here: Published,
    /// Whether it was news to the store.
    pub(crate) there: Attempt<Published>,
}

impl Revoker {
    /// Loads the store's whole state before it returns, so that nothing is ever answered from an
    /// empty list. `longest` is how long a cookie of this node can live, skew included.
    pub(crate) async fn start(
        store: Arc<dyn RevocationStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        longest: Duration,
        trust: Trust,
    ) -> Result<Self, StoreError> {
        let worker = Worker::start()?;
        let shared = Arc::new(Shared::new(store, clock, random, longest, trust));
        let loading = shared.clone();
        let replica = outcome(worker.finish(async move {
            in_time("announce", loading.store.announce(longest)).await?;
            Replica::start(&loading).await
        }))
        .await?;
        worker.repeat(replica::follow(Arc::downgrade(&shared), replica));
        worker.repeat(replica::sweep(Arc::downgrade(&shared)));
        worker.repeat(outbox::retry(Arc::downgrade(&shared)));
        worker.repeat(outbox::measure(Arc::downgrade(&shared)));
        Ok(Self {
            worker,
            shared,
            cheap: Arc::new(Semaphore::new(CHEAP_AT_ONCE)),
        })
    }

    pub(crate) fn list(&self) -> &List {
        &self.shared.list
    }

    pub(crate) fn store_name(&self) -> &'static str {
        self.shared.store.name()
    }

    /// How long any cookie of any node can live, skew included.
    pub(crate) fn longest(&self) -> Duration {
        self.shared.longest()
    }

    pub(crate) fn vigil(&self) -> &Vigil {
        &self.shared.vigil
    }

    /// Whether this is the store that it tells.
    pub(crate) fn is_on(&self, store: &Arc<dyn RevocationStore>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.shared.store), Arc::as_ptr(store))
    }

    /// The thread for work that outlives requests.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Revokes cookies of one session: here at once, in the store by the attempt that is returned.
    pub(crate) fn revoke(&self, revocation: Revocation) -> Revoking {
        let cheap = matches!(revocation, Revocation::Visitor { .. }) || self.is_ended(&revocation);
        report(&revocation, cheap);
        Revoking {
            here: self.shared.list.join(&revocation),
            there: self.tell(revocation, cheap),
        }
    }

    /// Whether it is of a session that is ended on this node already.
    fn is_ended(&self, revocation: &Revocation) -> bool {
        let held = self.shared.list.find(revocation);
        matches!(held, Some(Revocation::Session { entry, .. }) if entry.serial >= Serial::ENDED)
    }

    fn tell(&self, revocation: Revocation, cheap: bool) -> Attempt<Published> {
        let turn = match cheap.then(|| self.cheap.clone().try_acquire_owned()) {
            Some(Err(_)) => {
                let problem = "too many visitors, or ended sessions, are ended at once";
                return Box::pin(async move { Err(StoreError::unavailable(problem)) });
            }
            Some(Ok(turn)) => Some(turn),
            None => None,
        };
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            let _turn = turn;
            let published = in_time("publish", shared.store.publish(&[revocation])).await;
            if published.is_err() {
                shared.keep(revocation);
            }
            published.map(|each| each.first().copied().unwrap_or(Published::Known))
        });
        Box::pin(outcome(attempt))
    }

    /// Raises a generation: the target is logged out here at once, everywhere once the attempt is done.
    ///
    /// `seen` is the generation of a session that counted: whatever was below it was ended before, also
    /// if neither the list nor the store remembers.
    pub(crate) fn raise(&self, target: Target, seen: Generation) -> Attempt<Raised> {
        match target {
            Target::Subject(key) => {
                observe::revoked("subject");
                tracing::info!(subject = %tag(key.as_bytes()), "ending all sessions of a subject");
            }
            Target::Everyone => {
                observe::revoked("everyone");
                tracing::warn!("ending all sessions of everyone");
            }
        }
        let shared = self.shared.clone();
        if seen > shared.list.generation(target) {
            let until = shared.clock.now() + shared.longest();
            shared.list.join(&target.at(seen, until));
        }
        let named = shared.name_and_mark(target);
        let attempt = self.worker.finish(async move {
            let (id, covers_another) = named?;
            let mut raised = shared.raise(target, id).await?;
            if covers_another {
                // The one that it covers had ended every session from before, although no generation
                // said so yet.
                raised.previous = raised.generation;
            }
            Ok(raised)
        });
        Box::pin(outcome(attempt))
    }

    /// Reads what a login needs from the store, joined with what this node knows.
    pub(crate) fn read(&self, subject: SubjectKey) -> Attempt<Reading> {
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            // A raise that is told after this login would end it, although it came before.
            for target in [Target::Subject(subject), Target::Everyone] {
                match shared.raise_if_outstanding(target).await {
                    // It will not come after this login: the store has it.
                    Err(StoreError::NotReplicated { .. }) => (),
                    told => told?,
                }
            }
            let mut reading = in_time("read", shared.store.read(subject)).await?;
            check_clocks(shared.clock.now(), reading.now)?;
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
        let tell = async move { shared.tell_all().await };
        let unfinished = self.worker.drain(deadline, tell).await;
        unfinished + self.shared.outstanding()
    }

    /// How many revocations the store has not taken yet.
    pub(crate) fn outstanding(&self) -> usize {
        self.shared.outstanding()
    }

    /// How many entries the store lacks that this node holds, and is giving back.
    pub(crate) fn lacking(&self) -> usize {
        self.shared.mending.len()
    }

    /// How many stored entries were not understood.
    pub(crate) fn unreadable(&self) -> u64 {
        self.shared.store.unreadable()
    }

    /// Asks the store itself for all that concerns one session, joins it into the list, and returns since
    /// when the store remembers.
    pub(crate) fn ask(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Attempt<UnixMillis> {
        let shared = self.shared.clone();
        let attempt = self.worker.finish(async move {
            let found = in_time("find", shared.store.find(session, subject)).await?;
            for revocation in &found.revocations {
                shared.list.join(revocation);
            }
            Ok(found.born)
        });
        Box::pin(outcome(attempt))
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

/// Counts a revocation of one session and says so. `cheap` is what anyone can bring about, as often as they
/// like.
fn report(revocation: &Revocation, cheap: bool) {
    let (kind, id, entry) = match revocation {
        Revocation::Session { id, entry } => ("session", id, entry),
        Revocation::Visitor { id, entry } => ("visitor", id, entry),
        Revocation::Subject { .. } | Revocation::Everyone { .. } => return,
    };
    observe::revoked(kind);
    let session = tag(id.as_bytes());
    if cheap {
        tracing::debug!(kind, %session, "ending or renewing a visitor's session, or ending one again");
    } else if entry.serial >= Serial::ENDED {
        tracing::info!(kind, %session, "ending a session");
    } else {
        tracing::info!(kind, %session, "renewing a session");
    }
}
