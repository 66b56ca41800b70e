//! Who may use a server, and how: rights, passwords, TLS. No error repeats a password.

use std::time::Duration;

use sealed_session::revoke::{Announcement, ReplicatedLog, Target};
use sealed_session::store::Redis;
use sealed_session::{ConfigError, store::StoreError};

use super::harness::{Server, new_list};
use super::index::{all, put, row, session};
use super::replication::with_replica;
use super::tools::*;
use support::ended_entry;

/// What a user needs for this list, by the documentation of `Redis` and by the manual. The password is "hunter2".
pub fn documented_rights(list: &str) -> Vec<String> {
    let rights = rights_in(include_str!("../../../src/store/redis/handle.rs"));
    let manual = rights_in(include_str!("../../../docs/OPERATIONS.md"));
    assert_eq!(rights, manual);
    let rights = rights.iter().map(|word| word.replace("LIST", list));
    rights
        .map(|word| word.replace(">PASSWORD", ">hunter2"))
        .collect()
}

fn rights_in(source: &str) -> Vec<String> {
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
    let rights = documented_rights(&list);
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

    // Without any one of them something fails, and says why. CONFIG alone can be done without, and what a cluster needs.
    for missing in rights.iter().filter(|word| word.starts_with('+')) {
        let less = rights.iter().filter(|word| *word != missing);
        grant(&less.cloned().collect::<Vec<_>>());
        server.tell(&["SCRIPT", "FLUSH"]);
        server.tell(&["FLUSHALL"]);
        let outcome = use_all_patiently(&open(&list)).await;
        if ["+config|get", "+cluster|slots"].contains(&missing.as_str()) {
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
    let another = open("another");
    for outcome in [use_list(&another).await, use_index(&another).await] {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("permission"), "{error}");
    }
}

/// A deployment that gave the rights of a release without an index goes on, and is told what it lacks.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_rights_of_the_index_the_list_works_and_the_index_says_why_not() {
    let server = Server::start();
    let list = new_list();
    let of_index = ["index", "+hgetall", "+pexpire", "+scan", "+cluster|slots"];
    let is_of_list = |word: &&String| !of_index.iter().any(|of| word.ends_with(of));
    let rights = documented_rights(&list);
    let less: Vec<&str> = rights
        .iter()
        .filter(is_of_list)
        .map(|word| word.as_str())
        .collect();
    assert_eq!(less.len() + of_index.len(), rights.len());
    server.tell(&less);
    let url = format!("redis://sessions:hunter2@127.0.0.1:{}", server.port());
    let store = Redis::open(url, &list).unwrap();
    let index = store.session_index().unwrap();
    for outcome in [
        index.rows(subject(1)).await.map(drop),
        index
            .update(subject(1), &put(row(session(1), 0)))
            .await
            .map(drop),
        all(&*index).await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("permission"), "{error}");
    }
    use_list(&store).await.unwrap();
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
    use_list(store).await?;
    use_index(store).await
}

async fn use_index(store: &Redis) -> Result<(), StoreError> {
    let index = store.session_index().unwrap();
    index.update(subject(1), &put(row(session(1), 0))).await?;
    let mut removing = put(row(session(2), 0));
    removing.removed = vec![session(1)];
    index.update(subject(1), &removing).await?;
    assert_eq!(index.rows(subject(1)).await?.rows.len(), 1);
    assert_eq!(all(&*index).await?.len(), 1);
    Ok(())
}

async fn use_list(store: &Redis) -> Result<(), StoreError> {
    announce(store, HOUR).await?;
    let here = store.read(&[]).await?.state;
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
    store.find(id(1), &[subject(3)]).await?;
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
    let found = store.find(id(4), &[]).await?.revocations;
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
