//! Servers as they are set up out there: ones that come back, hang, evict, are full, are clusters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealed_session::revoke::{ReplicatedLog, Target};
use sealed_session::store::StoreError;
use sealed_session::testing::FailingRandom;

use super::harness::{Server, key, new_list};
use super::tools::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_used_again() {
    let server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let list = new_list();
    let store = Arc::new(server.open(&list));
    end(&store, 1).await.unwrap();
    let from = cursor(&store).await;
    server.kill();
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = store.clone();
        callers.spawn(async move { end(&store, n).await });
    }
    while let Some(outcome) = callers.join_next().await {
        let error = outcome.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    for n in 0..10 {
        assert!(end(&store, n).await.is_err());
        assert!(store.follow(from).await.is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(15), "no back-off");
    server.restart();
    eventually("back", || async { end(&store, 2).await.is_ok() }).await;
    let delta = catch_up(&store, from).await.unwrap().unwrap();
    assert_eq!(sessions(&delta.revocations), [id(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_an_error_in_time_and_shared_by_all_callers() {
    let server = Server::start();
    let store = Arc::new(server.open(&new_list()));
    let fresh = Arc::new(server.open(&new_list()));
    end(&store, 1).await.unwrap();
    server.pause();
    let started = Instant::now();
    assert!(end(&store, 2).await.is_err());
    let elapsed = started.elapsed();
    // An answer may take 2.5 s.
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    // Twenty that need a new connection wait for one attempt of 2 s, not for twenty.
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = fresh.clone();
        callers.spawn(async move { end(&store, n).await });
    }
    while let Some(outcome) = callers.join_next().await {
        assert!(outcome.unwrap().is_err());
    }
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    server.resume();
    eventually("back", || async { end(&store, 2).await.is_ok() }).await;
    end(&fresh, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_random_bytes_nothing_is_written() {
    let server = Server::start();
    let options = server.options("a").random(Arc::new(FailingRandom));
    let store = options.open().unwrap();
    let error = end(&store, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Random(_)), "{error}");
    let keys: u64 = server.ask(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_evict_what_they_like_are_refused() {
    for (policy, fine) in [
        ("noeviction", true),
        ("volatile-lru", true),
        ("volatile-ttl", true),
        ("allkeys-lru", false),
        ("allkeys-random", false),
    ] {
        for config in ["CONFIG", ""] {
            // Also where the server does not let itself be asked for its settings.
            let mut arguments = vec!["--maxmemory-policy", policy];
            if config.is_empty() {
                arguments.extend(["--rename-command", "CONFIG", ""]);
            }
            let server = Server::with(&arguments);
            match (end(&server.open("a"), 1).await, fine) {
                (Ok(()), true) => {}
                (Err(StoreError::Unsuitable(text)), false) => {
                    assert!(text.contains(policy), "{text}");
                }
                other => panic!("{policy} {config}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_what_adds_and_goes_on_with_the_rest() {
    let server = Server::start();
    let list = new_list();
    let store = server.open(&list);
    let at = now(&store).await;
    publish(&store, &[support::ended(1, at, at)]).await.unwrap();
    let from = cursor(&store).await;
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = end(&store, 2).await.unwrap_err();
    assert!(error.to_string().contains("memory"), "{error}");
    let raise = raise_of(Target::Everyone, 1);
    assert!(store.raise(raise).await.is_err());
    store.read(&[subject(1)]).await.unwrap();
    store.find(id(1), &[]).await.unwrap();
    snapshot(&store).await.unwrap();
    assert!(!is_gap(&store, from).await);
    assert_eq!(store.sweep().await.unwrap(), 1);
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    end(&store, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_loaded_again_where_they_were_forgotten() {
    let server = Server::start();
    let store = server.open("a");
    end(&store, 1).await.unwrap();
    server.tell(&["SCRIPT", "FLUSH"]);
    end(&store, 2).await.unwrap();
    assert_eq!(snapshot(&store).await.unwrap().0.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_found_where_the_cluster_has_it() {
    let nodes = cluster().await;
    let mut on = [0, 0];
    for n in 0..6 {
        let list = format!("list {n}");
        let slot: u32 = nodes[0].ask(&["CLUSTER", "KEYSLOT", &key(&list, "meta")]);
        on[usize::from(slot > 8191)] += 1;
        // Whichever node it is asked at.
        for node in &nodes {
            let store = node.open(&list);
            let from = cursor(&store).await;
            end(&store, 1).await.unwrap();
            let (all, _) = snapshot(&store).await.unwrap();
            assert_eq!(all.len(), 1);
            let delta = match catch_up(&store, from).await {
                // Once: the list was asked for where it is not.
                Err(_) => catch_up(&store, from).await,
                delta => delta,
            };
            let delta = delta.unwrap().unwrap();
            assert!(delta.cursor.sequence >= from.sequence);
        }
    }
    assert!(on[0] > 0 && on[1] > 0, "{on:?}");
}
