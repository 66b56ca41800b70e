//! What the store has to be told, and was not yet.
//!
//! 1. What the store did not take is kept and told again until it is taken or has expired. What it never
//!    takes does not hold up the rest.
//! 2. While a raise of a generation is outstanding its target is marked. The newest raise lifts the mark.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use crate::clock::{Clock, millis};
use crate::error::StoreError;
use crate::id::{Generation, RaiseId, SubjectKey};
use crate::lock::lock;
use crate::observe::{self, ListState};
use crate::random::Random;
use crate::revoke::lattice::Revocation;
use crate::revoke::list::List;
use crate::revoke::mending::{Mending, Place, place};
use crate::revoke::store::{Raise, Raised, RevocationStore, Target};
use crate::revoke::vigil::Vigil;
use crate::revoke::witness::Trust;

/// How long one attempt to reach the store may take.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How often what the store did not take is told again.
const RETRY: Duration = Duration::from_secs(1);
/// How many entries one retry tells.
const BATCH: usize = 1000;

/// Nobody's, to read what concerns everyone.
pub(super) const NOBODY: SubjectKey = SubjectKey::from_bytes([0; 16]);

/// This node's list, the way to the store, and what it still has to be told.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) list: List,
    pub(super) store: Arc<dyn RevocationStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vigil: Vigil,
    pub(super) trust: Trust,
    pub(super) mending: Mending,
    /// The longest life of a cookie that any node announced, in milliseconds.
    longest: AtomicU64,
    random: Arc<dyn Random>,
    outbox: Mutex<Outbox>,
}

/// What the store has not taken yet.
#[derive(Debug, Default)]
struct Outbox {
    revocations: HashMap<Place, Revocation>,
    raises: HashMap<Target, Named>,
}

/// A raise that is outstanding.
#[derive(Debug, Clone, Copy)]
struct Named {
    /// `None` where none could be drawn yet.
    id: Option<RaiseId>,
    /// The target's generation at that time.
    known: Generation,
}

impl Shared {
    pub(super) fn new(
        store: Arc<dyn RevocationStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        longest: Duration,
        trust: Trust,
    ) -> Self {
        Self {
            list: List::default(),
            vigil: Vigil::new(store.reach()),
            trust,
            mending: Mending::default(),
            store,
            clock,
            longest: AtomicU64::new(millis(longest)),
            random,
            outbox: Mutex::default(),
        }
    }

    /// How long any cookie of any node can live, skew included.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Acquire))
    }

    pub(super) fn lengthen(&self, longest: Duration) {
        self.longest.fetch_max(millis(longest), Ordering::AcqRel);
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Remembers what the store did not take. Visitors' sessions cost an attacker nothing, so they are
    /// not kept: they hold on this node.
    pub(super) fn keep(&self, revocation: Revocation) {
        if let Some(place) = place(&revocation) {
            let mut outbox = self.outbox();
            let held = outbox.revocations.get(&place);
            let kept = held.map_or(revocation, |held| held.join(revocation));
            outbox.revocations.insert(place, kept);
        }
    }

    /// Marks the target and remembers that its generation has to be raised, under a fresh id. Says whether that
    /// covers an earlier raise which is still outstanding.
    ///
    /// Without an id the raise stays outstanding, as the mark does: what is marked and never raised
    /// could not be logged in to again.
    pub(super) fn name_and_mark(&self, target: Target) -> Result<(RaiseId, bool), StoreError> {
        let id = RaiseId::random(&*self.random);
        // Both under the lock under which marks are lifted: a raise that succeeds in between, of a login
        // or a retry, would otherwise leave a mark behind that nothing lifts.
        let mut outbox = self.outbox();
        let named = Named {
            id: id.ok(),
            known: self.list.generation(target),
        };
        let earlier = outbox.raises.insert(target, named);
        self.list.mark(target);
        drop(outbox);
        Ok((id?, earlier.is_some()))
    }

    /// Another attempt at a raise, if one is outstanding.
    pub(super) async fn raise_if_outstanding(&self, target: Target) -> Result<(), StoreError> {
        let outstanding = self.outbox().raises.get(&target).copied();
        if let Some(named) = outstanding {
            self.raise_again(target, named.id).await?;
        }
        Ok(())
    }

    /// Another attempt at an outstanding raise.
    async fn raise_again(&self, target: Target, id: Option<RaiseId>) -> Result<Raised, StoreError> {
        let id = match id {
            Some(id) => id,
            None => self.name_and_mark(target)?.0,
        };
        self.raise(target, id).await
    }

    /// One attempt at a raise; on success the list takes the generation and the mark goes.
    pub(super) async fn raise(&self, target: Target, id: RaiseId) -> Result<Raised, StoreError> {
        let raise = Raise {
            target,
            id,
            known: self.list.generation(target),
            until: self.clock.now() + self.longest(),
        };
        let raised = in_time("raise", self.store.raise(raise)).await;
        if let Err(StoreError::NotReplicated { .. }) = raised {
            // If that cannot be found out, then the next attempt does.
            let _ = self.raised_there(&raise).await;
        }
        let raised = raised?;
        self.list.join(&target.at(raised.generation, raised.until));
        self.raised(target, id);
        Ok(raised)
    }

    /// The store has carried `raise` out, and its replicas may not know. What it came to counts from now on,
    /// so the mark goes, which stands for that and refuses everybody; and that is what is told again.
    async fn raised_there(&self, raise: &Raise) -> Result<(), StoreError> {
        let Raise { target, id, .. } = *raise;
        let generation = match target {
            Target::Subject(key) => in_time("read", self.store.read(key)).await?.subject,
            Target::Everyone => in_time("read", self.store.read(NOBODY)).await?.everyone,
        };
        let known = self.outbox().raises.get(&target).map(|named| named.known);
        // A copy that took its place meanwhile need not know of it.
        if known.is_some_and(|known| generation > known) {
            let raised = target.at(generation, raise.until);
            self.list.join(&raised);
            self.keep(raised);
            self.raised(target, id);
        }
        Ok(())
    }

    /// Nothing is outstanding any more if the raise was the newest: an older one does not cover what came
    /// after it.
    fn raised(&self, target: Target, id: RaiseId) {
        let mut outbox = self.outbox();
        let newest = outbox.raises.get(&target).and_then(|named| named.id);
        if newest == Some(id) {
            outbox.raises.remove(&target);
            self.list.unmark(target);
        }
    }

    /// How many revocations the store may not know.
    pub(super) fn outstanding(&self) -> usize {
        let outbox = self.outbox();
        outbox.revocations.len() + outbox.raises.len()
    }

    /// Tells the store what it did not take until it has taken everything.
    pub(super) async fn tell_all(&self) {
        while self.tell_again().await.is_err() {
            tokio::time::sleep(RETRY / 10).await;
        }
    }

    /// Tells the store once more what it did not take. Everything is tried; the error is the last one.
    async fn tell_again(&self) -> Result<(), StoreError> {
        let mut outcome = self.publish_again().await;
        let targets: Vec<_> = self.outbox().raises.keys().copied().collect();
        let started = self.clock.monotonic();
        for target in targets {
            if outcome.is_err() && self.clock.monotonic() > started + ATTEMPT {
                break;
            }
            // Asked for anew each time: what was taken or replaced meanwhile must not be told again, for
            // it would end a login that came in between.
            if let Err(error) = self.raise_if_outstanding(target).await {
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
                outbox.revocations.retain(|_, kept| kept.until() > now);
                outbox.revocations.values().take(BATCH).copied().collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if in_time("publish", self.store.publish(&batch))
                .await
                .is_err()
            {
                return self.publish_each().await;
            }
            self.taken(&batch);
        }
    }

    /// Tells the store one by one what it did not take together: one entry may be the reason. Stops
    /// when the store is so slow that it is not there.
    async fn publish_each(&self) -> Result<(), StoreError> {
        let all: Vec<_> = self.outbox().revocations.values().copied().collect();
        let started = self.clock.monotonic();
        let mut outcome = Ok(());
        for revocation in all {
            match in_time("publish", self.store.publish(&[revocation])).await {
                Ok(_) => self.taken(&[revocation]),
                Err(error) => outcome = Err(error),
            }
            if outcome.is_err() && self.clock.monotonic() > started + ATTEMPT {
                break;
            }
        }
        outcome
    }

    fn taken(&self, told: &[Revocation]) {
        let mut outbox = self.outbox();
        for revocation in told {
            // What was joined into it meanwhile has to be told again.
            if let Some(place) = place(revocation)
                && outbox.revocations.get(&place) == Some(revocation)
            {
                outbox.revocations.remove(&place);
            }
        }
    }
}

/// Measures, for as long as anyone holds the sessions. By itself: telling the store can take long, and that
/// is when the numbers matter.
pub(super) async fn measure(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RETRY).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        observe::gauges(&ListState {
            entries: shared.list.len(),
            outstanding: shared.outstanding(),
            lacking: shared.mending.len(),
            unreadable: shared.store.unreadable(),
            staleness: shared.vigil.staleness(&*shared.clock),
        });
    }
}

/// Tells the store again, from time to time, for as long as anyone holds the sessions.
pub(super) async fn retry(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RETRY).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = shared.tell_again().await {
            tracing::warn!(
                %error,
                outstanding = shared.outstanding(),
                "the revocation store still does not know of revocations that hold on this node"
            );
        }
    }
}

/// The outcome of an `operation` of the store, or an error if it takes too long.
pub(super) async fn in_time<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let outcome = tokio::time::timeout(ATTEMPT, work)
        .await
        .unwrap_or_else(|_| {
            let waited = ATTEMPT.as_secs();
            Err(StoreError::Unavailable(format!(
                "no answer within {waited} s"
            )))
        });
    outcome.inspect_err(|_| observe::store_failed(operation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::random::SystemRandom;
    use crate::store::Memory;

    #[tokio::test]
    async fn a_login_that_tells_a_raise_before_its_own_attempt_leaves_no_mark() {
        let shared = Shared::new(
            Arc::new(Memory::new()),
            Arc::new(SystemClock::default()),
            Arc::new(SystemRandom),
            Duration::from_secs(3600),
            Trust {
                max_staleness: Duration::from_secs(10),
                max_outage: Duration::from_secs(300),
            },
        );
        let target = Target::Everyone;
        let (id, _) = shared.name_and_mark(target).unwrap();
        assert!(shared.list.everyone_marked());
        shared.raise_if_outstanding(target).await.unwrap();
        shared.raise(target, id).await.unwrap();
        shared.raise_if_outstanding(target).await.unwrap();
        assert!(!shared.list.everyone_marked());
        assert_eq!(shared.outstanding(), 0);
    }
}
