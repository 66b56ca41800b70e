//! Giving the store back what it lost.
//!
//! 1. What a snapshot lacked is published again, in batches, after a random wait and with pauses that
//!    grow with how long the store takes, so that many nodes at once do not make a storm.
//! 2. What others publish meanwhile is left out: each entry is told about once, by whoever is first.
//! 3. When the store has everything, and only then, this node vouches for it, if it may.
//!
//! Visitors' entries are left out. They are dropped at will, and would make a node that restores a list
//! an attacker's tool.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, Weak};
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::error::StoreError;
use crate::id::{SessionId, SubjectKey};
use crate::lifetime::SKEW;
use crate::lock::lock;
use crate::observe;
use crate::revoke::lattice::Revocation;
use crate::revoke::list::List;
use crate::revoke::outbox::{Shared, in_time};
use crate::revoke::witness::Vouch;

/// How many entries are published at once.
const BATCH: usize = 1000;
/// Over how long the nodes of a fleet spread their beginnings.
const SPREAD: Duration = Duration::from_secs(2);
/// The pause between two batches, at least; and how many times as long as a batch took.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: u32 = 2;
/// The wait after an attempt that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What the store lacks.
#[derive(Debug, Default)]
pub(super) struct Mending(Mutex<Work>);

#[derive(Debug, Default)]
struct Work {
    /// Whether the store has to be told again how long a cookie can live.
    announce: bool,
    lacking: Lacking,
    vouch: Option<Vouch>,
    /// Whether what was given back may be lost again, because a call failed since the last comparison.
    doubted: bool,
    running: bool,
}

impl Work {
    fn is_done(&self) -> bool {
        !self.announce && self.lacking.is_empty() && self.vouch.is_none()
    }
}

/// What a list holds and the store does not.
pub(super) type Lacking = HashMap<Place, Revocation>;

/// What two revocations have in common that join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Session(SessionId),
    Subject(SubjectKey),
    Everyone,
}

pub(super) fn place(revocation: &Revocation) -> Option<Place> {
    match *revocation {
        Revocation::Session { id, .. } => Some(Place::Session(id)),
        Revocation::Visitor { .. } => None,
        Revocation::Subject { key, .. } => Some(Place::Subject(key)),
        Revocation::Everyone { .. } => Some(Place::Everyone),
    }
}

/// A list held against a snapshot while that comes in.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Where the store says all that the list does. `None` for a list that was empty before.
    agreed: Option<HashSet<Place>>,
}

impl Comparison {
    pub(super) fn with(list: &List) -> Self {
        let agreed = (!list.is_empty()).then(HashSet::new);
        Self { agreed }
    }

    /// The store holds `revocation`, which was just joined into `list`.
    pub(super) fn holds(&mut self, revocation: &Revocation, list: &List) {
        let Some(agreed) = &mut self.agreed else {
            return;
        };
        if let Some(place) = place(revocation)
            && list
                .find(revocation)
                .is_none_or(|ours| revocation.covers(&ours))
        {
            agreed.insert(place);
        }
    }

    /// What the list holds and the store does not.
    pub(super) fn lacking(self, list: &List, now: UnixMillis) -> Lacking {
        let mut lacking = Lacking::new();
        let Some(agreed) = self.agreed else {
            return lacking;
        };
        // By its clock the store may have forgotten already what is about to end.
        let soon = now + SKEW;
        list.for_each(|ours| {
            if ours.until() > soon
                && let Some(place) = place(&ours)
                && !agreed.contains(&place)
            {
                lacking.insert(place, ours);
            }
        });
        lacking
    }
}

impl Mending {
    fn lock(&self) -> MutexGuard<'_, Work> {
        lock(&self.0)
    }

    /// Replaces what is to be done. Says whether someone has to begin doing it.
    pub(super) fn begin(&self, announce: bool, lacking: Lacking, vouch: Option<Vouch>) -> bool {
        let mut work = self.lock();
        work.announce = announce;
        work.lacking = lacking;
        work.vouch = vouch;
        work.doubted = false;
        let begins = !work.running && !work.is_done();
        work.running |= begins;
        begins
    }

    /// The store holds these.
    pub(super) fn told(&self, revocations: &[Revocation]) {
        let mut work = self.lock();
        if work.lacking.is_empty() {
            return;
        }
        for told in revocations {
            if let Some(place) = place(told)
                && let Some(wanted) = work.lacking.get(&place)
                && told.covers(wanted)
            {
                work.lacking.remove(&place);
            }
        }
    }

    /// The store vouches from another time on: nobody has to do it any more.
    pub(super) fn told_of_birth(&self) {
        self.lock().vouch = None;
    }

    /// Everybody had the time to give back what they held.
    pub(super) fn settled(&self) {
        if let Some(vouch) = &mut self.lock().vouch {
            vouch.late = false;
        }
    }

    /// How many entries the store still lacks.
    pub(super) fn len(&self) -> usize {
        self.lock().lacking.len()
    }

    fn announce_again(&self) {
        self.lock().announce = true;
    }

    /// Whether the store has to be told how long a cookie can live; whoever asks then tells it.
    fn take_announcement(&self) -> bool {
        std::mem::take(&mut self.lock().announce)
    }

    /// What to publish next.
    pub(super) fn batch(&self) -> Vec<Revocation> {
        self.lock().lacking.values().take(BATCH).copied().collect()
    }

    /// What to vouch for, once the store has everything and nobody is to be waited for.
    pub(super) fn owed(&self) -> Option<Vouch> {
        let work = self.lock();
        let done = work.lacking.is_empty() && !work.doubted;
        let vouch = work.vouch.filter(|_| done);
        vouch.filter(|vouch| !vouch.late)
    }

    /// A call failed: behind the next connection there may be a server that lacks what the last one took.
    pub(super) fn doubt(&self) {
        self.lock().doubted = true;
    }

    /// Whether nothing is left but a word that this node cannot give before it has compared once more.
    pub(super) fn in_doubt(&self) -> bool {
        let work = self.lock();
        work.doubted && work.lacking.is_empty() && work.vouch.is_some()
    }

    /// The store took the word. Says whether that still matters: it may have been told another one since.
    pub(super) fn vouched(&self, vouch: Vouch) -> bool {
        let mut work = self.lock();
        let matters = work.vouch == Some(vouch);
        if matters {
            work.vouch = None;
        }
        matters
    }

    /// Whether nothing is left to do; if so, nobody is doing it any more.
    fn end_if_done(&self) -> bool {
        let mut work = self.lock();
        work.running = !work.is_done();
        !work.running
    }
}

/// Gives back what the store lacks, until it has everything.
pub(super) async fn mend(shared: Weak<Shared>) {
    tokio::time::sleep(part_of(SPREAD)).await;
    let mut said = false;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let lacking = shared.mending.len();
        if lacking > 0 && !said {
            // Only now: what was published while the lists were compared has been told by now.
            tracing::warn!(
                lacking,
                "the revocation store lacks revocations that this node holds"
            );
            said = true;
        }
        if shared.mending.end_if_done() {
            return;
        }
        let began = shared.clock.monotonic();
        let pause = match step(&shared).await {
            Ok(false) => RETRY,
            Ok(true) => {
                let took = shared.clock.monotonic().saturating_sub(began);
                PAUSE + part_of(PAUSE) + took * PAUSES
            }
            Err(error) => {
                shared.mending.doubt();
                tracing::warn!(%error, lacking = shared.mending.len(), "the revocation store cannot be given back what it lost");
                RETRY + part_of(RETRY)
            }
        };
        drop(shared);
        tokio::time::sleep(pause).await;
    }
}

/// Says whether there was anything to do; if not, the store has to settle.
async fn step(shared: &Shared) -> Result<bool, StoreError> {
    // First: how long what follows is kept depends on it.
    if shared.mending.take_announcement() {
        let announced = in_time("announce", shared.store.announce(shared.longest())).await;
        announced.inspect_err(|_| shared.mending.announce_again())?;
    }
    let batch = shared.mending.batch();
    if !batch.is_empty() {
        in_time("give back", shared.store.give_back(&batch)).await?;
        shared.mending.told(&batch);
        observe::reasserted(batch.len());
        tracing::info!(
            entries = batch.len(),
            "gave the revocation store back what it lacked"
        );
        return Ok(true);
    }
    let Some(vouch) = shared.mending.owed() else {
        return Ok(false);
    };
    let vouched = in_time("vouch", shared.store.vouch(vouch.epoch, vouch.born)).await?;
    if !shared.mending.vouched(vouch) {
        return Ok(true);
    }
    match vouched {
        Some(born) if born > vouch.born => {
            shared.list.set_born(born);
            tracing::warn!(%born, "the revocation store now vouches for sessions from another time on");
        }
        Some(born) => {
            observe::vouched();
            tracing::info!(%born, "vouched for the revocation store, which has everything back");
        }
        // It was lost once more: following finds that out.
        None => (),
    }
    Ok(true)
}

/// A random part of `whole`, so that nodes which noticed the same thing do not act as one.
pub(super) fn part_of(whole: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    whole.saturating_mul(u32::try_from(random).unwrap_or(0)) / 1024
}
