//! Servers as they are set up out there: replicas, users, TLS, clusters, full memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealed_session::revoke::{Announcement, ReplicatedLog, Target};
use sealed_session::store::Redis;
use sealed_session::testing::FailingRandom;
use sealed_session::{ConfigError, store::StoreError};

use super::harness::{Server, key, new_list};
use super::tools::*;
use common::{self, ended_entry};

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
    store.raise(raise_of(Target::Everyone, 1)).await.unwrap();
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
    assert_eq!(store.raise(raise).await, Err(refused.clone()));
    assert_eq!(store.raise(raise).await, Err(refused.clone()));
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
    store.raise(raise).await.unwrap();
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
        store.read(subject(1)).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("replica"), "{error}");
    }
    replica.tell(&["REPLICAOF", "NO", "ONE"]);
    end(&store, 3).await.unwrap();
    // At that position, but another server than was asked before.
    let error = catch_up(&store, from).await.unwrap_err();
    assert!(error.to_string().contains("was lost"), "{error}");
    let news = catch_up(&store, from).await.unwrap().unwrap();
    assert_eq!(sessions(&news.revocations), [id(2), id(3)]);

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
    let news = catch_up(&store, from).await.unwrap().unwrap();
    assert_eq!(sessions(&news.revocations), [id(2)]);
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

/// What the documentation of `Redis` says that a user needs.
fn documented_rights() -> Vec<String> {
    let source = include_str!("../../../src/store/redis/mod.rs");
    let from = source.find("ACL SETUSER sessions").unwrap();
    let text = &source[from..];
    let text = &text[..text.find("```").unwrap()];
    let words = text.split_whitespace().filter(|word| *word != "///");
    words.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_are_enough_and_all_are_needed() {
    let (server, _replica) = with_replica().await;
    let list = new_list();
    let rights: Vec<String> = documented_rights()
        .iter()
        .map(|word| word.replace("{LIST}", &format!("{{{list}}}")))
        .map(|word| word.replace(">PASSWORD", ">hunter2"))
        .collect();
    assert!(rights.len() > 25, "{rights:?}");
    let grant = |rights: &[String]| {
        server.tell(&["ACL", "DELUSER", "sessions"]);
        server.tell(&rights.iter().map(String::as_str).collect::<Vec<_>>());
    };
    grant(&rights);
    let url = format!("redis://sessions:hunter2@127.0.0.1:{}/1", server.port());
    let open = |list: &str| {
        let options = Redis::options(url.clone(), list);
        options.wait_for_replicas(1).open().unwrap()
    };
    use_all_patiently(&open(&list)).await.unwrap();

    // Without any one of them something fails, and says why. CONFIG alone can be done without.
    for missing in rights.iter().filter(|word| word.starts_with('+')) {
        let less = rights.iter().filter(|word| *word != missing);
        grant(&less.cloned().collect::<Vec<_>>());
        server.tell(&["SCRIPT", "FLUSH"]);
        server.tell(&["FLUSHALL"]);
        let outcome = use_all_patiently(&open(&list)).await;
        if missing == "+config|get" {
            outcome.unwrap();
            continue;
        }
        let error = outcome.expect_err(missing);
        let text = format!("{error} {error:?}");
        assert!(text.contains("user"), "{missing}: {text}");
        assert!(!text.contains("hunter2"), "{missing}: {text}");
    }

    // Another list is out of reach.
    grant(&rights);
    let error = use_all(&open("another")).await.unwrap_err();
    assert!(error.to_string().contains("permission"), "{error}");
}

/// On a busy machine a replica may be late.
async fn use_all_patiently(store: &Redis) -> Result<(), StoreError> {
    for _ in 0..10 {
        match use_all(store).await {
            Err(StoreError::NotReplicated { .. }) => {}
            outcome => return outcome,
        }
    }
    use_all(store).await
}

/// Every command that the store has.
async fn use_all(store: &Redis) -> Result<(), StoreError> {
    announce(store, HOUR).await?;
    let here = store.read(subject(0)).await?.state;
    let at = here.now;
    let entry = ended_entry(at, at);
    let (short, other) = (id(1), id(2));
    use sealed_session::revoke::Revocation;
    let session = Revocation::Session { id: short, entry };
    let created = at;
    let anonymous = |id| Revocation::AnonymousSession { id, created, entry };
    let (_, end_of) = snapshot(store).await?;
    publish(store, &[session, anonymous(other)]).await?;
    store
        .raise(raise_of(Target::Subject(subject(3)), 1))
        .await?;
    store.find(id(1), Some(subject(3))).await?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.sweep().await?, 2);
    store.attest(here.incarnation, at).await?;
    catch_up(store, end_of.cursor).await?;
    // More anonymous sessions than there is room for.
    store
        .announce(Announcement::new(HOUR, 1, Duration::ZERO))
        .await?;
    let entry = ended_entry(at, at + DAY);
    for (n, after) in [(4, HOUR / 120), (5, HOUR / 90)] {
        let end = Revocation::AnonymousSession {
            id: id(n),
            created: at + after,
            entry,
        };
        publish(store, &[end]).await?;
    }
    let found = store.find(id(4), None).await?.revocations;
    assert!(found.contains(&Revocation::Anonymous {
        since: at + HOUR / 120
    }));
    snapshot(store).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_not_told() {
    let server = Server::with(&["--requirepass", "hunter2"]);
    let address = format!("127.0.0.1:{}", server.port());
    let right = Redis::open(format!("redis://:hunter2@{address}"), "a").unwrap();
    end(&right, 1).await.unwrap();
    let shown = format!("{right:?}");
    assert!(shown.contains(&address), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let options = Redis::options(format!("redis://me:hunter2@{address}"), "a");
    assert!(!format!("{options:?}").contains("hunter2"));
    for wrong in [
        format!("redis://{address}"),
        format!("redis://:hunter3@{address}"),
        format!("redis://hunter3:hunter3@{address}"),
        "redis://hunter3:hunter3@127.0.0.1:1".to_owned(),
        format!("rediss://:hunter3@{address}"),
    ] {
        let store = Redis::open(wrong, "a").unwrap();
        let error = end(&store, 1).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, StoreError::Unavailable(_)), "{text}");
        assert!(!text.contains("hunter3"), "{text}");
    }
    let none = Redis::open(format!("redis://:hunter2@{address}/99"), "a").unwrap();
    let error = end(&none, 1).await.unwrap_err();
    assert!(error.to_string().contains("no such database"), "{error}");
    // A server that repeats what it was told.
    let renamed = Server::with(&["--rename-command", "AUTH", ""]);
    let url = format!("redis://:hunter3@127.0.0.1:{}", renamed.port());
    let error = end(&Redis::open(url, "a").unwrap(), 1).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter3"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_a_url_cannot_hold_is_given_beside_it() {
    let server = Server::with(&["--requirepass", "p@ss/w %41:?#"]);
    let url = format!("redis://127.0.0.1:{}", server.port());
    let options = Redis::options(url.as_str(), "a").password("p@ss/w %41:?#");
    assert!(!format!("{options:?}").contains("ss/w"));
    end(&options.open().unwrap(), 1).await.unwrap();
    let encoded = url.replace("//", "//:p%40ss%2Fw%20%2541%3A%3F%23@");
    end(&Redis::open(encoded, "a").unwrap(), 1).await.unwrap();

    let wrong = Redis::options(url.as_str(), "a").password("p@ss/hunter3");
    let error = end(&wrong.open().unwrap(), 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter3"), "{error}");
}

#[test]
fn options_are_checked_before_anything_is_sent() {
    let url = "redis://127.0.0.1:1";
    let refused = |opened: Result<Redis, ConfigError>, named: &str| {
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    };
    let long = "a".repeat(256);
    for list in ["", "a{b", "}", &long] {
        refused(Redis::open(url, list), "revocation.list");
    }
    for url in [
        "",
        "redis",
        "http://a",
        "redis://",
        "redis://a:b",
        "unix:/x",
    ] {
        refused(Redis::open(url, "a"), "revocation.store");
    }
    let second = Duration::from_secs(1);
    let options = || Redis::options(url, "a");
    let named = "RedisOptions::retention";
    refused(options().retention(29 * second).open(), named);
    options().wait_for_replicas(1).open().unwrap();
    refused(options().root_certificate("x").open(), "rediss");
    let tls = Redis::options("rediss://a", "a");
    for bad in ["", "not in PEM form", "-----BEGIN CERT"] {
        let options = tls.clone().root_certificate(bad);
        refused(options.open(), "root_certificate");
    }
    options().retention(30 * second).open().unwrap();
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
    publish(&store, &[common::ended(1, at, at)]).await.unwrap();
    let from = cursor(&store).await;
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = end(&store, 2).await.unwrap_err();
    assert!(error.to_string().contains("memory"), "{error}");
    let raise = raise_of(Target::Everyone, 1);
    assert!(store.raise(raise).await.is_err());
    store.read(subject(1)).await.unwrap();
    store.find(id(1), None).await.unwrap();
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
            let news = match catch_up(&store, from).await {
                // Once: the list was asked for where it is not.
                Err(_) => catch_up(&store, from).await,
                news => news,
            };
            let news = news.unwrap().unwrap();
            assert!(news.cursor.sequence >= from.sequence);
        }
    }
    assert!(on[0] > 0 && on[1] > 0, "{on:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_a_certificate_of_ones_own() {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let cert = file("cert.pem", made.cert.pem());
    let private = file("key.pem", made.signing_key.serialize_pem());
    let server = Server::with(&[
        "--tls-port",
        "{tls-port}",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &private,
        "--tls-auth-clients",
        "no",
    ]);
    let tls = server.tls_port();
    end(&server.open("plain"), 1).await.unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let options = Redis::options(format!("rediss://{host}:{tls}"), "a");
        let store = options.root_certificate(made.cert.pem()).open().unwrap();
        end(&store, 1).await.unwrap();
        let from = cursor(&store).await;
        catch_up(&store, from).await.unwrap().unwrap();
    }
    for (url, root) in [
        // Somebody else's certificate, none of ones own, and no TLS at all behind the port.
        (format!("rediss://localhost:{tls}"), Some(other.cert.pem())),
        (format!("rediss://localhost:{tls}"), None),
        (
            format!("rediss://localhost:{}", server.port()),
            Some(made.cert.pem()),
        ),
    ] {
        let mut options = Redis::options(url, "a");
        if let Some(root) = root {
            options = options.root_certificate(root);
        }
        let error = end(&options.open().unwrap(), 1).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
}
