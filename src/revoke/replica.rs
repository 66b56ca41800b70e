//! Keeping this node's list complete: load everything, follow what comes, forget what expired.
//!
//! 1. Nothing is answered before the first snapshot.
//! 2. Snapshots are joined, never assigned: a store that lost everything erases nothing here.
//! 3. What may have been missed is a gap, and a gap is a new snapshot, before anything else is followed.
//! 4. After a connection failed, and from time to time in any case, the list is held against the store's
//!    whole state. Following goes on meanwhile: that may take longer than a list may be old.
//! 5. What the store lacks is given back to it (`mending`). Who may vouch for it then, and who has to wait
//!    for others before it counts as complete, is `witness`'s.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::{UnixMillis, millis};
use crate::error::StoreError;
use crate::lifetime::SKEW;
use crate::observe;
use crate::revoke::lattice::Revocation;
use crate::revoke::mending::{self, Comparison, part_of};
use crate::revoke::outbox::{NOBODY, Shared, in_time};
use crate::revoke::store::{Followed, News, Position, Reach, SnapshotEnd};
use crate::revoke::vigil::Moment;
use crate::revoke::witness::{Birth, Witness};

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// The wait after a store could not be followed; doubles up to [`SLOWEST`].
const BACKOFF: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(2);
/// How long a store may take to answer a follower: it should after a second or two.
const SILENCE: Duration = Duration::from_secs(8);
/// How long after the last a snapshot is taken at the latest although nothing seems to be missed, and how
/// much longer each entry makes that. The soonest is half of it.
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
    /// When to compare although nothing seems to be missed.
    resync: Duration,
    /// A comparison under way.
    comparing: Option<Comparing>,
    /// The wait before the next snapshot after a gap; grows while nothing comes in between.
    patience: Duration,
}

impl Replica {
    /// Loads the store's whole state into the list.
    pub(super) async fn start(shared: &Shared) -> Result<Self, StoreError> {
        shared.vigil.met(&*shared.clock);
        date_meeting(shared).await;
        check_stores_clock(shared).await?;
        let began = Moment::now(&*shared.clock);
        let end = snapshot(shared, &mut Comparison::with(&shared.list)).await?;
        shared.list.set_born(end.born);
        shared.vigil.settles(&*shared.clock, end.settling);
        shared.vigil.complete(began);
        Ok(Self {
            position: end.position,
            witness: Witness::new(end.position.epoch, end.floor, began),
            resync: next_resync(shared),
            comparing: None,
            patience: Duration::ZERO,
        })
    }

    /// Waits for news, and joins them.
    async fn step(&mut self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        self.compare(shared);
        let began = Moment::now(&*shared.clock);
        let followed = tokio::time::timeout(SILENCE, shared.store.follow(self.position));
        let silent = |_| Err(StoreError::unavailable("it does not answer a follower"));
        let followed = followed.await.unwrap_or_else(silent);
        if !matches!(followed, Ok(Followed::News(_))) {
            shared.vigil.met(&*shared.clock);
        }
        if followed.is_err() {
            // Behind the next connection there may be a server that lacks what this node told the last
            // one, at a position that fits.
            let soon = began.monotonic + part_of(spread(shared));
            self.resync = self.resync.min(soon);
            // A comparison with the server before it says nothing of that one.
            self.comparing = None;
            shared.mending.doubt();
        }
        match followed.inspect_err(|_| observe::store_failed("follow"))? {
            Followed::News(news) => {
                self.take(shared, news, began);
                date_meeting(shared).await;
                Ok(())
            }
            Followed::Gap { epoch } => {
                observe::gap();
                tracing::warn!(
                    lost = epoch != self.position.epoch,
                    "news of the revocation store may have been missed; loading everything"
                );
                self.witness.missed(epoch, Moment::now(&*shared.clock));
                self.comparing = None;
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
        if let Some(settling) = news.settling {
            shared.vigil.settles(&*shared.clock, settling);
        }
        // Only the store's own word: what it said last may be overtaken by what was given back since.
        if news.complete && news.settling.is_some_and(|left| left.is_zero()) {
            self.witness.settled();
            shared.mending.settled();
        }
        if let Some(born) = news.born {
            let born = self
                .witness
                .told_of_birth(born, Moment::now(&*shared.clock));
            tracing::warn!(%born, "the revocation store now vouches for sessions from another time on");
            shared.list.set_born(born);
            shared.mending.told_of_birth();
            if self.comparing.take().is_some() {
                // It began before that, and would bring the birth from before back.
                self.resync = Duration::ZERO;
            }
        }
        self.position = news.position;
        self.patience = Duration::ZERO;
        if news.complete && !self.witness.is_late() {
            shared.vigil.complete(began);
        }
        if let Some(comparing) = &mut self.comparing {
            comparing.told.extend(news.revocations);
        }
        let staleness = shared.vigil.staleness(&*shared.clock);
        let now = Moment::now(&*shared.clock);
        self.witness.heard(now, staleness, shared.trust);
    }

    /// Begins a comparison when it is time, and takes what one came to that has ended.
    fn compare(&mut self, shared: &Arc<Shared>) {
        let now = shared.clock.monotonic();
        let Some(comparing) = &mut self.comparing else {
            // Not at once where a comparison has just failed.
            let soon = now + SLOWEST * 2;
            if now >= self.resync || (self.resync > soon && shared.mending.in_doubt()) {
                self.comparing = Some(Comparing::begin(shared.clone()));
            }
            return;
        };
        let Some(compared) = comparing.task.try_join_next() else {
            return;
        };
        let told = std::mem::take(&mut comparing.told);
        self.comparing = None;
        match compared.map_err(StoreError::unavailable).flatten() {
            // Of another list following finds out.
            Ok((_, end, _)) if end.position.epoch != self.position.epoch => {
                self.resync = now + SLOWEST;
            }
            Ok((began, end, mut comparison)) => {
                for revocation in &told {
                    comparison.holds(revocation, &shared.list);
                }
                self.compared(shared, began, &end, comparison);
            }
            Err(error) => {
                tracing::warn!(%error, "the revocation store's list cannot be compared with this node's");
                self.resync = now + SLOWEST + part_of(SLOWEST);
            }
        }
    }

    /// Takes the store's whole state, and follows from there.
    async fn resnapshot(&mut self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        let began = Moment::now(&*shared.clock);
        let mut comparison = Comparison::with(&shared.list);
        let end = snapshot(shared, &mut comparison).await?;
        if end.position.epoch != self.position.epoch {
            check_stores_clock(shared).await?;
        }
        self.compared(shared, began, &end, comparison);
        self.position = end.position;
        if !self.witness.is_late() {
            shared.vigil.complete(began);
        }
        Ok(())
    }

    /// Takes what the store vouches for, and gives back what it lacks.
    fn compared(
        &mut self,
        shared: &Arc<Shared>,
        began: Moment,
        end: &SnapshotEnd,
        comparison: Comparison,
    ) {
        let own = shared.list.born();
        let birth = self.witness.took_snapshot(end, own, began, shared.trust);
        let (born, vouch) = match birth {
            Birth::Accept(born) => (born, None),
            Birth::Vouch(vouch) => (vouch.born, Some(vouch)),
        };
        if born > end.born {
            tracing::error!(
                %born,
                "the revocation store has forgotten that it was reborn; nodes that start trust it with older \
                 sessions until it is ordered again"
            );
        }
        shared.list.set_born(born);
        self.resync = next_resync(shared);
        shared.vigil.settles(&*shared.clock, end.settling);
        if shared.store.reach() == Reach::Network {
            let lacking = comparison.lacking(&shared.list, shared.clock.now());
            let announce = millis(end.longest) < millis(shared.longest());
            if shared.mending.begin(announce, lacking, vouch) {
                tokio::spawn(mending::mend(Arc::downgrade(shared)));
            }
        }
    }
}

/// A snapshot that is taken beside following, and given up when this is dropped.
#[derive(Debug)]
struct Comparing {
    task: JoinSet<Result<(Moment, SnapshotEnd, Comparison), StoreError>>,
    /// What was told since it began, which the snapshot need not have.
    told: Vec<Revocation>,
}

impl Comparing {
    fn begin(shared: Arc<Shared>) -> Self {
        let mut task = JoinSet::new();
        task.spawn(async move {
            let began = Moment::now(&*shared.clock);
            let mut comparison = Comparison::with(&shared.list);
            let end = snapshot(&shared, &mut comparison).await?;
            Ok((began, end, comparison))
        });
        let told = Vec::new();
        Self { task, told }
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
                tracing::warn!(%error, "the revocation store cannot be followed");
                drop(shared);
                tokio::time::sleep(backoff / 2 + part_of(backoff / 2)).await;
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
            tracing::warn!(%error, "the revocation store cannot be swept");
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
    // Of two clocks that disagree one is wrong, and it may be the one that forgets.
    check_stores_clock(shared).await?;
    let failed = |_: &StoreError| observe::store_failed("sweep");
    while shared.store.sweep().await.inspect_err(failed)? > 0 {}
    observe::forgotten(shared.list.sweep(now));
    Ok(())
}

/// A list that began by a clock which was behind would vouch for sessions from before it.
async fn check_stores_clock(shared: &Shared) -> Result<(), StoreError> {
    if shared.store.reach() == Reach::Process {
        return Ok(());
    }
    let reading = in_time("read", shared.store.read(NOBODY)).await?;
    check_clocks(shared.clock.now(), reading.now)
}

/// Finds out the server's time after a meeting, over the connection that it was met on. Where that fails it is
/// tried again with the next news: until then nobody is taken to have begun after the meeting.
async fn date_meeting(shared: &Shared) {
    if shared.vigil.is_met_unknown()
        && let Ok(reading) = in_time("read", shared.store.read(NOBODY)).await
    {
        shared.vigil.met_at(reading.now);
    }
}

/// # Errors
/// When this node's clock and the store's are further apart than is tolerated.
pub(super) fn check_clocks(ours: UnixMillis, theirs: UnixMillis) -> Result<(), StoreError> {
    if theirs > ours + SKEW || ours > theirs + SKEW {
        return Err(StoreError::clocks(ours, theirs, SKEW));
    }
    Ok(())
}
