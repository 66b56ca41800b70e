//! What the tests are written with.

use std::time::{Duration, Instant};

use sealed_session::revoke::{
    Announcement, Cursor, Delta, Followed, LogState, Purpose, Raise, Receipt, ReplicatedLog,
    Revocation, SnapshotEnd, Target,
};
use sealed_session::store::Redis;
use sealed_session::{
    revoke::{Generation, RaiseId, SessionId, SubjectKey},
    store::StoreError,
    time::UnixMillis,
};

use super::harness::Server;
use support::ended_entry;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn id(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

pub fn subject(n: u8) -> SubjectKey {
    SubjectKey::from_bytes([n; 16])
}

pub async fn now(store: &Redis) -> UnixMillis {
    state(store).await.now
}

pub async fn state(store: &Redis) -> LogState {
    store.read(&[]).await.unwrap().state
}

/// Announces how long cookies live, and nothing else.
pub async fn announce(store: &Redis, longest: Duration) -> Result<(), StoreError> {
    store
        .announce(Announcement::new(longest, 0, Duration::ZERO))
        .await
}

pub async fn publish(store: &Redis, all: &[Revocation]) -> Result<Receipt, StoreError> {
    store.publish(all, Purpose::Revoke).await
}

pub fn ended(n: u8, now: UnixMillis) -> Revocation {
    Revocation::Session {
        id: id(n),
        entry: ended_entry(now, now + DAY),
    }
}

/// A list with session 1, anonymous session 2 and subject 3: everything that there is a key for.
pub async fn filled(server: &Server, list: &str) -> Redis {
    let store = server.open(list);
    announce(&store, DAY).await.unwrap();
    let at = now(&store).await;
    let anonymous = Revocation::AnonymousSession {
        id: id(2),
        created: at,
        entry: ended_entry(at, at + DAY),
    };
    publish(&store, &[ended(1, at), anonymous]).await.unwrap();
    let raise = raise_of(Target::Subject(subject(3)), 1);
    store.raise(raise).await.unwrap();
    store
}

/// Ends session `n` for a day.
pub async fn end(store: &Redis, n: u8) -> Result<(), StoreError> {
    let now = store.read(&[]).await?.state.now;
    publish(store, &[ended(n, now)]).await.map(|_| ())
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

pub async fn cursor(store: &Redis) -> Cursor {
    snapshot(store).await.unwrap().1.cursor
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
pub async fn follow(store: &Redis, from: Cursor) -> Delta {
    match store.follow(from).await.unwrap() {
        Followed::Delta(delta) => delta,
        other => panic!("{other:?}"),
    }
}

/// Follows until everything from before this call was told, or there is a gap.
pub async fn catch_up(store: &Redis, mut from: Cursor) -> Result<Option<Delta>, StoreError> {
    let mut told = Vec::new();
    loop {
        match store.follow(from).await? {
            Followed::Gap(_) => return Ok(None),
            Followed::Delta(mut delta) => {
                told.append(&mut delta.revocations);
                from = delta.cursor;
                if delta.is_complete {
                    delta.revocations = told;
                    return Ok(Some(delta));
                }
            }
            _ => unreachable!(),
        }
    }
}

pub async fn is_gap(store: &Redis, from: Cursor) -> bool {
    catch_up(store, from).await.unwrap().is_none()
}

/// A cluster of two nodes that have half of the slots each.
pub async fn cluster() -> [Server; 2] {
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let nodes = [Server::with(&arguments), Server::with(&arguments)];
    let slots = |server: &Server, from: u32, to: u32| {
        let (from, to) = (from.to_string(), to.to_string());
        server.tell(&["CLUSTER", "ADDSLOTSRANGE", &from, &to]);
    };
    slots(&nodes[0], 0, 8191);
    slots(&nodes[1], 8192, 16383);
    let port = nodes[1].port().to_string();
    nodes[0].tell(&["CLUSTER", "MEET", "127.0.0.1", &port]);
    eventually("a cluster", || async {
        let ok = |node: &Server| {
            let info: String = node.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        };
        nodes.iter().all(ok)
    })
    .await;
    nodes
}

/// Tries until it holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
