//! This node's revocations: the list that requests are checked against, and the way to the store.
//!
//! 1. What is revoked holds on this node before anything is awaited.
//! 2. The store is told by a task that outlives the request. The caller may wait for its first
//!    attempt; an `Err` says that other nodes may not know yet.
//! 3. While a raise of a generation is outstanding its target is marked: logged out on this node.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::observe::{self, ListState, tag};
use crate::revoke::answers::{Published, Reading, Target};
use crate::revoke::completeness::{Completeness, Moment, SharedCompleteness};
use crate::revoke::list::List;
use crate::revoke::revocation::{Revocation, SubjectEntry};
use crate::revoke::worker::Worker;
use crate::time::{Clock, SKEW, UnixMillis};

/// How often the list is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// A call of the store that runs to its end whether or not anyone waits for it.
pub(crate) type Attempt<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// What a node needs of what stands behind its list.
pub(crate) trait Backend: Send + Sync {
    /// Tells the store what holds here already, and what that came to here. What it does not take is told again.
    fn publish(&self, revocation: Revocation, here: Published) -> Attempt<Published>;

    /// Marks the target and raises its generation. The mark goes once the generation counts. Neither concerns the
    /// session that is spared.
    fn raise(&self, target: Target, spared: Option<SessionId>) -> Attempt<()>;

    /// Reads from the store what a login needs, joined with what this node knows.
    fn read(&self, subjects: Vec<SubjectKey>) -> Attempt<Reading>;

    /// Joins all that the store knows of a session into the list, and returns since when it is believed of
    /// sessions: of all where the list is the store.
    fn find(&self, session: SessionId, subjects: Vec<SubjectKey>) -> Attempt<UnixMillis>;

    /// Forgets what has expired, in the list and in the store.
    fn sweep(&self) -> Attempt<()>;

    /// Tells the store what it did not take, again and again, until it has.
    fn finish(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// What an operator looks at.
    fn status(&self) -> ListState;
}

pub(crate) struct Node {
    list: Arc<List>,
    /// `None` where the list is the store: then it is always complete.
    completeness: Option<Arc<SharedCompleteness>>,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    /// Lives as long as the sessions: it looks at the key file, too.
    worker: Arc<Worker>,
}

/// A revocation that holds on this node and is being told to the store.
#[must_use = "the handler has to learn whether other nodes know"]
pub(crate) struct Revoking {
    /// Whether it was news to this node: of two renewals at once, whether this one was first.
    pub(crate) here: Published,
    /// Whether it was news to the store.
    pub(crate) there: Attempt<Published>,
}

impl Node {
    pub(crate) fn new(
        list: Arc<List>,
        completeness: Option<Arc<SharedCompleteness>>,
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        worker: Arc<Worker>,
    ) -> Self {
        worker.repeat(measure(Arc::downgrade(&backend)));
        Self {
            list,
            completeness,
            backend,
            clock,
            worker,
        }
    }

    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    /// Whether other nodes write to the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.completeness.is_some()
    }

    /// What stands behind the list.
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// How long ago this node last knew its list to be complete.
    pub(crate) fn staleness(&self) -> Duration {
        self.completeness()
            .map_or(Duration::ZERO, |it| it.staleness(self.moment()))
    }

    /// Whether the list can be relied on for a session that began then, by the store's clock.
    pub(crate) fn can_judge(&self, began: UnixMillis, max_staleness: Duration) -> bool {
        // Asked of every request: the clock is left alone where it does not matter.
        self.completeness()
            .is_none_or(|it| it.can_judge(began, self.moment(), max_staleness))
    }

    /// Whether nodes may still restore what the store lost.
    pub(crate) fn is_settling(&self) -> bool {
        self.completeness()
            .is_some_and(|it| it.is_settling(self.moment()))
    }

    /// Whether the store may have lost the end of a session that began then, by its clock: it still settles, and the
    /// session is older than this node's meeting with its server.
    pub(crate) fn store_may_lack(&self, began: UnixMillis) -> bool {
        self.completeness()
            .is_some_and(|it| it.is_settling(self.moment()) && began <= it.met)
    }

    fn completeness(&self) -> Option<Completeness> {
        self.completeness.as_ref().map(|it| it.get())
    }

    fn moment(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Revokes cookies of one session: here at once, in the store by the attempt that is returned.
    pub(crate) fn revoke(&self, revocation: Revocation) -> Revoking {
        let here = self.list.join(&revocation);
        report(&revocation, here);
        let there = self.backend.publish(revocation, here);
        Revoking { here, there }
    }

    /// Raises a generation: the target is logged out here at once, everywhere once the attempt is done, but for the
    /// session that is spared.
    ///
    /// `seen` is the generation of a session that counted: whatever was below it and not spared was ended before, also
    /// if neither the list nor the store remembers.
    pub(crate) fn raise(
        &self,
        target: Target,
        seen: Generation,
        spared: Option<SessionId>,
    ) -> Attempt<()> {
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
        if seen > self.list.generation(target) {
            let until = self.list.until(self.clock.now());
            self.list.join(&target.at(SubjectEntry::new(seen, until)));
        }
        self.backend.raise(target, spared)
    }

    /// Finishes what is under way and tells the store what it did not take, at most for `deadline`. Returns
    /// how many revocations the store may still not know.
    pub(crate) async fn close(&self, deadline: Duration) -> usize {
        let told = Arc::clone(&self.backend).finish();
        let unfinished = self.worker.drain(deadline, told).await;
        unfinished + self.backend.status().outstanding
    }
}

/// Counts a revocation of one session and says so: quietly what anyone can bring about, as often as they like.
fn report(revocation: &Revocation, here: Published) {
    let (kind, id, entry) = match revocation {
        Revocation::Session { id, entry } => ("session", id, entry),
        Revocation::AnonymousSession { id, entry, .. } => ("anonymous", id, entry),
        Revocation::Subject { .. } | Revocation::Everyone { .. } | Revocation::Anonymous { .. } => {
            return;
        }
    };
    observe::revoked(kind);
    let session = tag(id.as_bytes());
    if revocation.key().is_anonymous() || here != Published::Fresh {
        tracing::debug!(kind, %session, "a revocation that anyone can repeat");
    } else if entry.serial >= Serial::ENDED {
        tracing::info!(kind, %session, "ending a session");
    } else {
        tracing::info!(kind, %session, "renewing a session");
    }
}

/// Measures a node's list, for as long as its way to the store is there.
async fn measure(backend: Weak<dyn Backend>) {
    loop {
        tokio::time::sleep(MEASURE).await;
        let Some(state) = backend.upgrade().map(|backend| backend.status()) else {
            return;
        };
        observe::gauges(&state);
    }
}

/// # Errors
/// When this node's clock and the store's are further apart than is tolerated.
pub(crate) fn check_clocks(ours: UnixMillis, theirs: UnixMillis) -> Result<(), StoreError> {
    if theirs > ours + SKEW || ours > theirs + SKEW {
        return Err(StoreError::clocks(ours, theirs, SKEW));
    }
    Ok(())
}
