//! What the checks are written with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Harness, Stop};
use crate::clock::UnixMillis;
use crate::id::{Generation, RaiseId, Serial, SessionId, SubjectKey};
use crate::revoke::{
    Followed, Position, Raise, Revocation, RevocationStore, SessionEntry, SnapshotEnd,
    SubjectEntry, Target,
};

pub(super) type Checked = Result<(), Stop>;
pub(super) type Store = Arc<dyn RevocationStore>;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn fresh(h: &dyn Harness) -> Result<Store, Stop> {
    let failed = |error| Stop::failed(format!("no store: {error}"));
    h.fresh().await.map_err(failed)
}

pub(super) async fn reopen(h: &dyn Harness, store: Store) -> Result<Store, Stop> {
    let reopened = h.reopen(store).await;
    let reopened = reopened.ok_or_else(|| Stop::skipped("the store does not survive a restart"))?;
    reopened.map_err(|error| Stop::failed(format!("not opened again: {error}")))
}

pub(super) fn move_clock(h: &dyn Harness, by: Duration) -> Checked {
    if h.advance(by) {
        Ok(())
    } else {
        Err(Stop::skipped("the store's clock cannot be moved"))
    }
}

pub(super) async fn now(store: &Store) -> Result<UnixMillis, Stop> {
    Ok(store.read(subject(0)).await?.now)
}

pub(super) async fn snapshot(store: &Store) -> Result<(Vec<Revocation>, SnapshotEnd), Stop> {
    let mut all = Vec::new();
    let end = store.snapshot(&mut |batch| all.extend(batch)).await?;
    // A snapshot may hand over an entry twice, as it changes: then it counts joined.
    let mut joined: HashMap<(u8, [u8; 16]), Revocation> = HashMap::new();
    for revocation in all {
        let slot = joined.entry(place(&revocation)).or_insert(revocation);
        *slot = join(*slot, revocation);
    }
    Ok((joined.into_values().collect(), end))
}

pub(super) async fn seen(store: &Store) -> Result<Vec<Revocation>, Stop> {
    Ok(snapshot(store).await?.0)
}

pub(super) async fn until(store: &Store, of: SubjectKey) -> Result<UnixMillis, Stop> {
    for revocation in seen(store).await? {
        if let Revocation::Subject { key, entry } = revocation
            && key == of
        {
            return Ok(entry.until);
        }
    }
    Err(Stop::failed("a raised subject is not in the snapshot"))
}

/// What is told after `position`, at least `count` entries or until nothing more comes. `None` at a
/// gap.
pub(super) async fn follow_until(
    store: &Store,
    mut position: Position,
    count: usize,
) -> Result<Option<Vec<Revocation>>, Stop> {
    let mut told = Vec::new();
    let mut quiet = 0;
    while told.len() < count && quiet < 3 {
        match store.follow(position).await? {
            Followed::News(news) => {
                let silent = news.revocations.is_empty() && news.complete;
                quiet = if silent { quiet + 1 } else { 0 };
                told.extend(news.revocations);
                position = news.position;
            }
            Followed::Gap { .. } => return Ok(None),
        }
    }
    Ok(Some(told))
}

pub(super) async fn sweep_all(store: &Store) -> Result<usize, Stop> {
    let mut total = 0;
    loop {
        match store.sweep().await? {
            0 => return Ok(total),
            swept => total += swept,
        }
    }
}

pub(super) async fn raise(
    store: &Store,
    target: Target,
    id: u64,
    known: Generation,
) -> Result<Generation, Stop> {
    let id = raise_id(id);
    let raise = Raise {
        target,
        id,
        known,
        until: UnixMillis::EPOCH,
    };
    Ok(store.raise(raise).await?.generation)
}

pub(super) async fn generation(store: &Store, target: Target) -> Result<Generation, Stop> {
    Ok(match target {
        Target::Subject(key) => store.read(key).await?.subject,
        Target::Everyone => store.read(subject(0)).await?.everyone,
    })
}

/// Entries of every kind that overlap, so that their order could matter.
pub(super) fn some_of_each(now: UnixMillis) -> Vec<Revocation> {
    let mut all = Vec::new();
    for n in 0..6u64 {
        let from = now + MINUTE * (6 - n as u32);
        let until = now + HOUR * (1 + (n as u32 * 5) % 6);
        let serial = (n as u32 * 2) % 5;
        let generation = Generation::new(now.as_millis() + (n * 7) % 5);
        all.push(session(n / 3, entry(serial, from, until)));
        all.push(visitor(n / 3, entry(serial, from, until)));
        all.push(Revocation::Subject {
            key: subject(n / 3),
            entry: SubjectEntry { generation, until },
        });
        all.push(Revocation::Everyone { generation });
    }
    all
}

pub(super) fn session(n: u64, entry: SessionEntry) -> Revocation {
    Revocation::Session { id: id(n), entry }
}

pub(super) fn visitor(n: u64, entry: SessionEntry) -> Revocation {
    Revocation::Visitor { id: id(n), entry }
}

pub(super) fn entry(serial: u32, from: UnixMillis, until: UnixMillis) -> SessionEntry {
    let serial = Serial::new(serial);
    SessionEntry {
        serial,
        from,
        until,
    }
}

pub(super) fn ended(now: UnixMillis, until: UnixMillis) -> SessionEntry {
    SessionEntry {
        serial: Serial::ENDED,
        ..entry(0, now, until)
    }
}

pub(super) fn id(n: u64) -> SessionId {
    SessionId::from_bytes(bytes(n))
}

pub(super) fn subject(n: u64) -> SubjectKey {
    SubjectKey::from_bytes(bytes(n))
}

pub(super) fn raise_id(n: u64) -> RaiseId {
    RaiseId::from_bytes(bytes(n))
}

pub(super) fn bytes(n: u64) -> [u8; 16] {
    (u128::from(n) << 64 | 0x5ea1).to_be_bytes()
}

/// The sessions and visitors among `revocations`.
pub(super) fn ids(revocations: &[Revocation]) -> HashSet<SessionId> {
    let id = |each: &Revocation| match each {
        Revocation::Session { id, .. } | Revocation::Visitor { id, .. } => Some(*id),
        _ => None,
    };
    revocations.iter().filter_map(id).collect()
}

pub(super) fn sorted(mut revocations: Vec<Revocation>) -> Vec<Revocation> {
    revocations.sort_by_key(place);
    revocations
}

/// What two revocations have in common that join.
pub(super) fn place(revocation: &Revocation) -> (u8, [u8; 16]) {
    match revocation {
        Revocation::Session { id, .. } => (0, *id.as_bytes()),
        Revocation::Visitor { id, .. } => (1, *id.as_bytes()),
        Revocation::Subject { key, .. } => (2, *key.as_bytes()),
        Revocation::Everyone { .. } => (3, [0; 16]),
    }
}

/// Two revocations of the same place.
pub(super) fn join(a: Revocation, b: Revocation) -> Revocation {
    use Revocation::{Everyone, Session, Subject, Visitor};
    match (a, b) {
        (Session { id, entry: a }, Session { entry: b, .. }) => session_of(id, a.join(b)),
        (Visitor { id, entry: a }, Visitor { entry: b, .. }) => Visitor {
            id,
            entry: a.join(b),
        },
        (Subject { key, entry: a }, Subject { entry: b, .. }) => Subject {
            key,
            entry: a.join(b),
        },
        (Everyone { generation: a }, Everyone { generation: b }) => Everyone {
            generation: a.max(b),
        },
        (a, _) => a,
    }
}

pub(super) fn session_of(id: SessionId, entry: SessionEntry) -> Revocation {
    Revocation::Session { id, entry }
}
