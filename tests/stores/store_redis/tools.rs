//! What the tests are written with.

use std::time::{Duration, Instant};

use sealed_session::revoke::{
    Followed, News, Position, Raise, Revocation, RevocationStore, SnapshotEnd, Target,
};
use sealed_session::store::Redis;
use sealed_session::{
    revoke::{Generation, RaiseId, SessionId, SubjectKey},
    store::StoreError,
    time::UnixMillis,
};

use super::harness::Server;
use common::ended_entry;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn id(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

pub fn subject(n: u8) -> SubjectKey {
    SubjectKey::from_bytes([n; 16])
}

pub async fn now(store: &Redis) -> UnixMillis {
    store.read(subject(0)).await.unwrap().now
}

pub fn ended(n: u8, now: UnixMillis) -> Revocation {
    Revocation::Session {
        id: id(n),
        entry: ended_entry(now, now + DAY),
    }
}

/// A list with session 1, visitor 2 and subject 3: everything that there is a key for.
pub async fn filled(server: &Server, list: &str) -> Redis {
    let store = server.open(list);
    store.announce(DAY).await.unwrap();
    let at = now(&store).await;
    let visitor = Revocation::Visitor {
        id: id(2),
        entry: ended_entry(at, at + DAY),
    };
    store.publish(&[ended(1, at), visitor]).await.unwrap();
    let raise = raise_of(Target::Subject(subject(3)), 1);
    store.raise(raise).await.unwrap();
    store
}

/// Ends session `n` for a day.
pub async fn end(store: &Redis, n: u8) -> Result<(), StoreError> {
    let now = store.read(subject(0)).await?.now;
    store.publish(&[ended(n, now)]).await.map(|_| ())
}

pub fn raise_of(target: Target, n: u8) -> Raise {
    Raise::new(
        target,
        RaiseId::from_bytes([n; 16]),
        Generation::NONE,
        UnixMillis::EPOCH,
    )
}

pub async fn snapshot(store: &Redis) -> Result<(Vec<Revocation>, SnapshotEnd), StoreError> {
    let mut all = Vec::new();
    let end = store.snapshot(&mut |batch| all.extend(batch)).await?;
    Ok((all, end))
}

pub async fn position(store: &Redis) -> Position {
    snapshot(store).await.unwrap().1.position
}

pub fn sessions(revocations: &[Revocation]) -> Vec<SessionId> {
    let mut ids: Vec<_> = revocations
        .iter()
        .filter_map(|each| match each {
            Revocation::Session { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    ids.sort();
    ids
}

/// Follows where there is no gap.
pub async fn follow(store: &Redis, from: Position) -> News {
    match store.follow(from).await.unwrap() {
        Followed::News(news) => news,
        other => panic!("{other:?}"),
    }
}

/// Follows until everything from before this call was told, or there is a gap.
pub async fn catch_up(store: &Redis, mut from: Position) -> Result<Option<News>, StoreError> {
    let mut told = Vec::new();
    let mut born = None;
    loop {
        match store.follow(from).await? {
            Followed::Gap { .. } => return Ok(None),
            Followed::News(news) => {
                told.extend(news.revocations);
                born = news.born.or(born);
                from = news.position;
                if news.complete {
                    let mut all = News::new(told, from);
                    all.born = born;
                    all.settling = news.settling;
                    return Ok(Some(all));
                }
            }
            _ => unreachable!(),
        }
    }
}

pub async fn is_gap(store: &Redis, from: Position) -> bool {
    catch_up(store, from).await.unwrap().is_none()
}

/// Tries until it holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
