//! What the checks are written with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::harness::LogHarness;
use crate::ids::{Generation, RaiseId, Serial, SessionId, SubjectKey};
use crate::revoke::{
    Announcement, Cursor, EntryKey, Followed, LogState, Published, Purpose, Raise, ReplicatedLog,
    Revocation, SessionEntry, SnapshotEnd, Spared, SubjectEntry, Target,
};
use crate::testing::conformance::report::{Checked, Stop, able, equal, require};
use crate::time::UnixMillis;

pub(super) type Log = Arc<dyn ReplicatedLog>;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longer than any check takes: so nobody announces less than what its entries need.
pub(super) const OUTAGE: Duration = Duration::from_secs(600);

pub(super) async fn fresh(h: &dyn LogHarness) -> Checked<Log> {
    let failed = |error| Stop::failed(format!("no log: {error}"));
    h.fresh().await.map_err(failed)
}

pub(super) fn move_clock(h: &dyn LogHarness, by: Duration) -> Checked {
    able(h.advance(by), "the log's clock cannot be moved")
}

/// Replaces the server of `log`, and returns what the log then says of itself. Its first answers may be errors.
pub(super) async fn replace(h: &dyn LogHarness, log: &Log) -> Checked<LogState> {
    able(h.replace_server().await, "the server cannot be replaced")?;
    let mut last = None;
    for _ in 0..100 {
        match log.read(&[]).await {
            Ok(reading) => return Ok(reading.state),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Stop::failed(format!(
        "no answer after the server was replaced: {last:?}"
    )))
}

/// Makes something of the session's entry that the log does not understand.
pub(super) async fn damage(h: &dyn LogHarness, session: SessionId) -> Checked {
    able(h.damage(session).await, "entries cannot be damaged")
}

pub(super) async fn state(log: &Log) -> Checked<LogState> {
    Ok(log.read(&[]).await?.state)
}

pub(super) async fn now(log: &Log) -> Checked<UnixMillis> {
    Ok(state(log).await?.now)
}

/// Announces how long cookies live.
pub(super) async fn announce(log: &Log, longest: Duration) -> Checked {
    Ok(log.announce(Announcement::new(longest, 0, OUTAGE)).await?)
}

/// Fails if it is earlier.
pub(super) fn at_least(what: &str, got: UnixMillis, want: UnixMillis) -> Checked {
    require(got >= want, || format!("{what} {got}, not {want} or later"))
}

/// A log that was announced how long cookies live.
pub(super) async fn announced(h: &dyn LogHarness, longest: Duration) -> Checked<Log> {
    let log = fresh(h).await?;
    announce(&log, longest).await?;
    Ok(log)
}

/// Publishes one after the other, and fails unless each is answered so.
pub(super) async fn answers(log: &Log, steps: &[(Revocation, Published)]) -> Checked {
    for (revocation, want) in steps {
        let got = publish(log, &[*revocation]).await?;
        require(got == [*want], || {
            format!("{revocation:?} answered {got:?}, wanted {want:?}")
        })?;
    }
    Ok(())
}

/// Revokes, and returns the result of each.
pub(super) async fn publish(log: &Log, revocations: &[Revocation]) -> Checked<Vec<Published>> {
    let receipt = log.publish(revocations, Purpose::Revoke).await?;
    Ok(receipt.published)
}

pub(super) async fn snapshot(log: &Log) -> Checked<(Vec<Revocation>, SnapshotEnd)> {
    let mut all = Vec::new();
    let end = log.snapshot(&mut |batch| all.extend(batch)).await?;
    // A snapshot may hand over an entry twice, as it changes: then it counts joined.
    let mut joined: HashMap<EntryKey, Revocation> = HashMap::new();
    for revocation in all {
        let slot = joined.entry(revocation.key()).or_insert(revocation);
        *slot = slot.join(revocation);
    }
    Ok((joined.into_values().collect(), end))
}

pub(super) async fn seen(log: &Log) -> Checked<Vec<Revocation>> {
    Ok(snapshot(log).await?.0)
}

pub(super) async fn until(log: &Log, of: SubjectKey) -> Checked<UnixMillis> {
    for revocation in seen(log).await? {
        if let Revocation::Subject { key, entry } = revocation
            && key == of
        {
            return Ok(entry.until);
        }
    }
    Err(Stop::failed("a raised subject is not in the snapshot"))
}

/// Fails unless this is among all.
pub(super) fn includes(all: &[Revocation], want: &Revocation) -> Checked {
    require(all.contains(want), || {
        format!("{want:?} is missing among {} entries", all.len())
    })
}

/// Fails unless the log says everywhere that it is complete since then.
pub(super) async fn complete_since(log: &Log, want: UnixMillis, when: &str) -> Checked {
    let read = state(log).await?.complete_since;
    let snapshot = snapshot(log).await?.1.state.complete_since;
    require((read, snapshot) == (want, want), || {
        format!("{when} it is complete since {read} and {snapshot}, not {want}")
    })
}

/// As [`follow_until`], where there is no gap.
pub(super) async fn told(log: &Log, cursor: Cursor, count: usize) -> Checked<Vec<Revocation>> {
    let told = follow_until(log, cursor, count).await?;
    told.ok_or_else(|| Stop::failed("a gap, and nothing is missing"))
}

/// What is told after `cursor`, at least `count` entries or until nothing more comes. `None` at a
/// gap.
pub(super) async fn follow_until(
    log: &Log,
    mut cursor: Cursor,
    count: usize,
) -> Checked<Option<Vec<Revocation>>> {
    let mut told = Vec::new();
    let mut quiet = 0;
    while told.len() < count && quiet < 3 {
        match log.follow(cursor).await? {
            Followed::Delta(delta) => {
                let silent = delta.revocations.is_empty() && delta.is_complete;
                quiet = if silent { quiet + 1 } else { 0 };
                told.extend(delta.revocations);
                cursor = delta.cursor;
            }
            Followed::Gap(_) => return Ok(None),
        }
    }
    Ok(Some(told))
}

pub(super) async fn sweep_all(log: &Log) -> Checked<usize> {
    let mut total = 0;
    loop {
        match log.sweep().await? {
            0 => return Ok(total),
            swept => total += swept,
        }
    }
}

pub(super) async fn raise(
    log: &Log,
    target: Target,
    id: u64,
    known: Generation,
) -> Checked<Generation> {
    let id = raise_id(id);
    let raise = Raise::new(target, id, known, UnixMillis::EPOCH);
    Ok(log.raise(raise).await?.entry.generation)
}

pub(super) async fn generation(log: &Log, target: Target) -> Checked<Generation> {
    let reading = log.read(target.subject().as_slice()).await?;
    Ok(*reading.subjects.first().unwrap_or(&reading.everyone))
}

/// Fails unless the target has this generation.
pub(super) async fn reads(log: &Log, target: Target, want: Generation) -> Checked {
    equal("the generation", generation(log, target).await?, want)
}

/// Fails unless so many entries are swept.
pub(super) async fn sweeps(log: &Log, want: usize) -> Checked {
    equal("swept", sweep_all(log).await?, want)
}

/// Entries of every kind that overlap, so that their order could matter.
pub(super) fn some_of_each(now: UnixMillis) -> Vec<Revocation> {
    let mut all = Vec::new();
    for n in 0..6u64 {
        let from = now + MINUTE * (6 - n as u32);
        let until = now + HOUR * (1 + (n as u32 * 5) % 6);
        let serial = (n as u32 * 2) % 5;
        let generation = Generation::new(now.as_millis() + (n * 7) % 5);
        let raised = SubjectEntry::new(generation, until).sparing(Spared {
            session: id(n % 2),
            generation: Generation::new(now.as_millis() + n % 3),
        });
        all.push(session(n / 3, entry(serial, from, until)));
        all.push(anonymous(n / 3, now, entry(serial, from, until)));
        for target in [Target::Subject(subject(n / 3)), Target::Everyone] {
            all.push(target.at(raised));
        }
    }
    all
}

pub(super) fn session(n: u64, entry: SessionEntry) -> Revocation {
    Revocation::Session { id: id(n), entry }
}

pub(super) fn anonymous(n: u64, created: UnixMillis, entry: SessionEntry) -> Revocation {
    let id = id(n);
    Revocation::AnonymousSession { id, created, entry }
}

pub(super) fn entry(serial: u32, from: UnixMillis, until: UnixMillis) -> SessionEntry {
    SessionEntry::new(Serial::new(serial), from, until)
}

pub(super) fn ended(now: UnixMillis, until: UnixMillis) -> SessionEntry {
    SessionEntry::new(Serial::ENDED, now, until)
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

/// The numbers differ in their first half alone, which notices a store that keeps the other.
pub(super) fn bytes(n: u64) -> [u8; 16] {
    (u128::from(n) << 64 | 0x5ea1).to_be_bytes()
}

/// The sessions among `revocations`, with and without a login.
pub(super) fn ids(revocations: &[Revocation]) -> HashSet<SessionId> {
    let sessions = revocations.iter().filter_map(Revocation::session);
    sessions.map(|(id, _)| id).collect()
}
