//! Keeping this node's list complete: load everything, follow what comes, forget what expired.
//!
//! 1. Nothing is answered before the first snapshot.
//! 2. Snapshots are joined, never assigned: a store that lost everything erases nothing here.
//! 3. What may have been missed is a gap, and a gap is a new snapshot. One is taken after a connection
//!    failed, and from time to time in any case, whatever following says.
//! 4. What the store lacks is given back to it (`mending`). Who may vouch for it then is `witness`'s.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::StoreError;
use crate::id::SubjectKey;
use crate::lifetime::SKEW;
use crate::observe;
use crate::revoke::lattice::Revocation;
use crate::revoke::mending::{self, Comparison, part_of};
use crate::revoke::outbox::{Shared, in_time};
use crate::revoke::store::{Followed, News, Position, Reach, SnapshotEnd};
use crate::revoke::vigil::Moment;
use crate::revoke::witness::{Birth, Witness};
use crate::time::{UnixMillis, millis};

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// The wait after a store could not be followed; doubles up to [`SLOWEST`].
const BACKOFF: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(2);
/// How long a store may take to answer a follower: it should after a second or two.
const SILENCE: Duration = Duration::from_secs(8);
/// How often a snapshot is taken although nothing seems to be missed, and how much longer each entry
/// makes that.
const RESYNC: Duration = Duration::from_secs(300);
const RESYNC_PER_ENTRY: Duration = Duration::from_millis(1);
/// Over how long the nodes of a fleet spread snapshots that they all have to take, at most, and for each
/// entry.
const SPREAD: Duration = Duration::from_secs(2);
const SPREAD_PER_ENTRY: Duration = Duration::from_micros(20);

/// Where a node stands with its store.
#[derive(Debug)]
pub(super) struct Replica {
    position: Position,
    witness: Witness,
    /// When to take a snapshot although nothing seems to be missed.
    resync: Duration,
    /// The wait before the next snapshot after a gap; grows while nothing comes in between.
    patience: Duration,
}

impl Replica {
    /// Loads the store's whole state into the list.
    pub(super) async fn start(shared: &Shared) -> Result<Self, StoreError> {
        let began = Moment::now(&*shared.clock);
        let end = snapshot(shared, &mut Comparison::with(&shared.list)).await?;
        shared.list.set_born(end.born);
        shared.vigil.complete(began);
        Ok(Self {
            position: end.position,
            witness: Witness::new(end.position.epoch, began),
            resync: next_resync(shared),
            patience: Duration::ZERO,
        })
    }

    /// Waits for news, and joins them.
    async fn step(&mut self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        let began = Moment::now(&*shared.clock);
        if began.monotonic >= self.resync {
            return self.resnapshot(shared).await;
        }
        let followed = tokio::time::timeout(SILENCE, shared.store.follow(self.position));
        let silent = |_| Err(StoreError::unavailable("it does not answer a follower"));
        let followed = followed.await.unwrap_or_else(silent);
        if followed.is_err() {
            // Behind the next connection there may be a server that lacks what this node told the last
            // one, at a position that fits.
            let soon = began.monotonic + part_of(spread(shared));
            self.resync = self.resync.min(soon);
        }
        match followed.inspect_err(|_| observe::store_failed("follow"))? {
            Followed::News(news) => {
                self.take(shared, news, began);
                Ok(())
            }
            Followed::Gap { epoch } => {
                observe::gap();
                tracing::warn!(
                    lost = epoch != self.position.epoch,
                    "news of the revocation store may have been missed; loading everything"
                );
                self.witness.missed(epoch);
                tokio::time::sleep(self.patience + part_of(spread(shared))).await;
                self.patience = (self.patience * 2).clamp(BACKOFF, SLOWEST);
                self.resnapshot(shared).await
            }
        }
    }

    fn take(&mut self, shared: &Shared, news: News, began: Moment) {
        for revocation in &news.revocations {
            shared.list.join(revocation);
        }
        shared.mending.told(&news.revocations);
        if let Some(born) = news.born {
            tracing::warn!(%born, "the revocation store now vouches for sessions from another time on");
            shared.list.set_born(born);
            shared.mending.told_of_birth();
            self.witness.told_of_birth();
        }
        self.position = news.position;
        self.patience = Duration::ZERO;
        if news.complete {
            shared.vigil.complete(began);
        }
        let staleness = shared.vigil.staleness(&*shared.clock);
        let now = Moment::now(&*shared.clock);
        self.witness.heard(now, staleness, shared.trust);
    }

    /// Holds the list against the store's whole state, takes what it lacks, and gives back what the store
    /// lacks.
    async fn resnapshot(&mut self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        let began = Moment::now(&*shared.clock);
        let mut comparison = Comparison::with(&shared.list);
        let end = snapshot(shared, &mut comparison).await?;
        let own = shared.list.born();
        let epoch = end.position.epoch;
        let birth = self
            .witness
            .took_snapshot(epoch, end.born, own, began, shared.trust);
        let vouch = match birth {
            Birth::Accept(born) => {
                shared.list.set_born(born);
                None
            }
            Birth::Vouch(vouch) => Some(vouch),
        };
        self.position = end.position;
        self.resync = next_resync(shared);
        shared.vigil.complete(began);
        if shared.store.reach() == Reach::Network {
            let lacking = comparison.lacking(&shared.list, shared.clock.now());
            if !lacking.is_empty() {
                tracing::warn!(
                    lacking = lacking.len(),
                    "the revocation store lacks revocations that this node holds"
                );
            }
            let announce = millis(end.longest) < millis(shared.own_longest);
            if shared.mending.begin(announce, lacking, vouch) {
                tokio::spawn(mending::mend(Arc::downgrade(shared)));
            }
        }
        Ok(())
    }
}

/// Joins the store's whole state into the list.
async fn snapshot(shared: &Shared, comparison: &mut Comparison) -> Result<SnapshotEnd, StoreError> {
    let list = &shared.list;
    let began = shared.clock.monotonic();
    let mut entries: usize = 0;
    let mut receive = |revocations: Vec<Revocation>| {
        entries = entries.saturating_add(revocations.len());
        for revocation in &revocations {
            list.join(revocation);
            comparison.holds(revocation, list);
        }
    };
    let end = shared.store.snapshot(&mut receive).await;
    let end = end.inspect_err(|_| observe::store_failed("snapshot"))?;
    shared.lengthen(end.longest);
    let took = shared.clock.monotonic().saturating_sub(began);
    observe::snapshot(entries, took.as_secs_f64());
    Ok(end)
}

fn next_resync(shared: &Shared) -> Duration {
    let every = RESYNC + RESYNC_PER_ENTRY.saturating_mul(entries(shared));
    // Between half and the whole of it.
    shared.clock.monotonic() + every / 2 + part_of(every / 2)
}

fn spread(shared: &Shared) -> Duration {
    SPREAD_PER_ENTRY.saturating_mul(entries(shared)).min(SPREAD)
}

fn entries(shared: &Shared) -> u32 {
    u32::try_from(shared.list.len()).unwrap_or(u32::MAX)
}

/// Joins what is published, for as long as anyone holds the sessions.
pub(super) async fn follow(shared: Weak<Shared>, mut replica: Replica) {
    let mut backoff = BACKOFF;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match replica.step(&shared).await {
            Ok(()) => backoff = BACKOFF,
            Err(error) => {
                tracing::warn!(%error, "the revocation store can not be followed");
                drop(shared);
                tokio::time::sleep(backoff + part_of(backoff)).await;
                backoff = (backoff * 2).min(SLOWEST);
            }
        }
    }
}

/// Forgets what has expired, from time to time.
pub(super) async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = sweep_once(&shared).await {
            tracing::warn!(%error, "the revocation store can not be swept");
        }
    }
}

/// The store first: where it does not believe its clock, nothing is forgotten here either.
pub(super) async fn sweep_once(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.clock.now();
    if shared.list.has_forgotten(now) {
        tracing::error!(
            %now,
            "the clock was set back behind a time at which revocations were forgotten; sessions from \
             before now are refused"
        );
        shared.list.begin_anew(now);
    }
    if shared.store.reach() == Reach::Network {
        // Of two clocks that disagree one is wrong, and it may be the one that forgets.
        let nobody = SubjectKey::from_bytes([0; 16]);
        check_clocks(now, in_time("read", shared.store.read(nobody)).await?.now)?;
    }
    let failed = |_: &StoreError| observe::store_failed("sweep");
    while shared.store.sweep().await.inspect_err(failed)? > 0 {}
    observe::forgotten(shared.list.sweep(now));
    Ok(())
}

/// # Errors
/// When this node's clock and the store's are further apart than is tolerated.
pub(super) fn check_clocks(ours: UnixMillis, theirs: UnixMillis) -> Result<(), StoreError> {
    if theirs > ours + SKEW || ours > theirs + SKEW {
        return Err(StoreError::clocks(ours, theirs, SKEW));
    }
    Ok(())
}
