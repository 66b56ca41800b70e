//! What returned `Ok` is on replicas too, where that is asked for. A replica itself takes no writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealed_session::revoke::{ReplicatedLog, Target};
use sealed_session::store::StoreError;

use super::harness::{Server, key, new_list};
use super::tools::*;

/// How long one wait for replicas lasts.
const WAIT: Duration = Duration::from_millis(800);

/// A server and a replica of it that has caught up.
pub async fn with_replica() -> (Server, Server) {
    let primary = Server::start();
    let port = primary.port().to_string();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &port]);
    connected(&primary, 1).await;
    // One that has just connected is slow to acknowledge the first time.
    let mut raw = primary.raw();
    redis::cmd("SET").arg("a").arg("b").exec(&mut raw).unwrap();
    let mut wait = redis::cmd("WAIT");
    let acknowledged: u32 = wait.arg(1).arg(10_000).query(&mut raw).unwrap();
    assert_eq!(acknowledged, 1);
    (primary, replica)
}

async fn connected(primary: &Server, count: u64) {
    eventually("replicas", || async {
        let info: String = primary.ask(&["INFO", "replication"]);
        info.matches("state=online").count() as u64 == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_waited_for() {
    let (primary, replica) = with_replica().await;
    let list = new_list();
    let store = primary.options(&list).wait_for_replicas(1).open().unwrap();
    eventually("both are up", || async { end(&store, 1).await.is_ok() }).await;
    let started = Instant::now();
    end(&store, 1).await.unwrap();
    let first = store.raise(raise_of(Target::Everyone, 1)).await.unwrap();
    assert_eq!(first.unreplicated, None);
    println!("two acknowledged writes: {:?}", started.elapsed());

    replica.pause();
    let refused = StoreError::NotReplicated {
        wanted: 1,
        acknowledged: 0,
    };
    let started = Instant::now();
    assert_eq!(end(&store, 2).await, Err(refused.clone()));
    assert!(started.elapsed() >= WAIT);
    // Told again it changes nothing, and is still not there; also over a connection of its own.
    let raise = raise_of(Target::Everyone, 2);
    let raised = store.raise(raise).await.unwrap();
    assert_eq!(raised.unreplicated, Some(refused.clone()));
    let repeated = store.raise(raise).await.unwrap();
    assert_eq!(repeated.entry, raised.entry);
    assert_eq!(repeated.unreplicated, Some(refused.clone()));
    let held = store.read(&[]).await.unwrap().everyone;
    assert_eq!(held, raised.entry.generation);
    assert!(raised.entry.generation > first.entry.generation);
    let again = primary.options(&list).wait_for_replicas(1).open().unwrap();
    assert_eq!(end(&again, 2).await, Err(refused.clone()));
    let here = state(&store).await;
    assert_eq!(store.attest(here.incarnation, here.now).await, Err(refused));
    // Many at once wait together.
    const CALLERS: u8 = 50;
    let store = Arc::new(store);
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move { end(&store, n).await });
    }
    while let Some(outcome) = callers.join_next().await {
        let error = outcome.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::NotReplicated { .. }), "{error}");
    }
    let elapsed = started.elapsed();
    let in_a_row = u32::from(CALLERS) * WAIT;
    assert!(elapsed < in_a_row / 2, "{elapsed:?}, {in_a_row:?} in a row");
    // Who does not wait is not held up.
    end(&primary.open(&list), 3).await.unwrap();

    replica.resume();
    eventually("acknowledged", || async { end(&store, 2).await.is_ok() }).await;
    assert_eq!(store.raise(raise).await.unwrap().unreplicated, None);
    // It is on the replica now.
    let sessions: u64 = replica.ask(&["HLEN", &key(&list, "sessions")]);
    assert!(sessions >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused_until_it_is_promoted() {
    let (primary, replica) = with_replica().await;
    let list = new_list();
    let before = primary.open(&list);
    end(&before, 1).await.unwrap();
    let from = cursor(&before).await;
    let one = primary.options(&list).wait_for_replicas(1).open().unwrap();
    end(&one, 2).await.unwrap();

    let store = replica.open(&list);
    for error in [
        end(&store, 3).await.unwrap_err(),
        store.follow(from).await.unwrap_err(),
        store.snapshot(&mut |_| ()).await.unwrap_err(),
        store.read(&[subject(1)]).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("replica"), "{error}");
    }
    replica.tell(&["REPLICAOF", "NO", "ONE"]);
    end(&store, 3).await.unwrap();
    // At that position, but another server than was asked before.
    let error = catch_up(&store, from).await.unwrap_err();
    assert!(error.to_string().contains("was lost"), "{error}");
    let delta = catch_up(&store, from).await.unwrap().unwrap();
    assert_eq!(sessions(&delta.revocations), [id(2), id(3)]);

    // The other way round: what was a primary is demoted under the store's hands.
    let port = replica.port().to_string();
    primary.tell(&["REPLICAOF", "127.0.0.1", &port]);
    eventually("demoted", || async {
        end(&before, 4).await.is_err() && before.follow(from).await.is_err()
    })
    .await;
    replica.kill();
    primary.tell(&["REPLICAOF", "NO", "ONE"]);
    end(&before, 4).await.unwrap();
}
