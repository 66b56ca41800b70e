//! Log lines and counters of requests.
#![cfg(feature = "metrics")]

use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use sealed_session::Sessions;
use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::keys::{KeyTables, SystemRandom};
use sealed_session::revoke::{SessionId, Store};
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::{Clock, SystemClock};
use sha2::{Digest, Sha256};
use support::faulty::{Call, Faulty, Mode};
use support::written::Written;
use support::{SECOND, builder, eventually, log, memory};

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().build_recorder()
}

fn load(sessions: &Sessions, cookie: &str) -> Result<Loaded, sealed_session::adapter::Unavailable> {
    let header = format!("session={cookie}");
    sessions.load(Incoming::new(std::iter::once(header.as_bytes())))
}

/// A cookie of alice's session, and its id.
async fn logged_in(sessions: &Sessions) -> (String, SessionId) {
    let Loaded {
        session, ticket, ..
    } = sessions.load(Incoming::new(std::iter::empty())).unwrap();
    session.authenticate("alice").await.unwrap();
    let id = session.id().unwrap();
    let outcome = sessions.commit(&session, ticket).await;
    let (_, value) = outcome.cookies[0].split_once('=').unwrap();
    (value.split(';').next().unwrap().to_owned(), id)
}

#[actix_web::test]
async fn requests_that_are_turned_away_are_counted_and_logged_beside_a_flood_of_rubbish() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (cookie, _) = logged_in(&sessions).await;
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);

    let (written, recorder) = (Written::default(), recorder());
    let guard = written.listen();
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..200 {
            load(&sessions, "rubbish").unwrap();
        }
        for _ in 0..50 {
            load(&sessions, &cookie).unwrap_err();
            sessions.note_unavailable();
        }
    });
    drop(guard);
    let text = recorder.handle().render();
    for line in [
        "sealed_session_unavailable_total 50\n",
        "sealed_session_rejected_total{reason=\"malformed\"} 200\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert_eq!(written.lines("refused a session cookie").len(), 10);
    let turned_away = written.lines("turned away");
    assert_eq!(turned_away.len(), 10);
    assert!(
        turned_away[0].contains("staleness_ms=11000 settling=false"),
        "{turned_away:?}"
    );
}

#[actix_web::test]
async fn a_session_older_than_a_list_that_settles_is_turned_away_and_not_refused() {
    let clock = ManualClock::default();
    let before = builder(&clock, memory(&clock)).start().await.unwrap();
    let (cookie, _) = logged_in(&before).await;
    clock.advance(100 * SECOND);
    let began = Store::shared(MemoryLog::new(Arc::new(clock.clone())));
    let sessions = builder(&clock, began).start().await.unwrap();

    let (written, recorder) = (Written::default(), recorder());
    let guard = written.listen();
    metrics::with_local_recorder(&recorder, || {
        load(&sessions, &cookie).unwrap_err();
        sessions.note_unavailable();
    });
    let all = written.lines("");
    assert_eq!(written.lines("turned away").len(), 1, "{all:?}");
    assert_eq!(written.lines("settling=true").len(), 1, "{all:?}");
    assert_eq!(
        written.lines("refused a session cookie").len(),
        0,
        "{all:?}"
    );
    let text = recorder.handle().render();
    assert!(!text.contains("older_than_list"), "{text}");

    // Once it has settled, the session is refused.
    clock.advance(31 * SECOND);
    eventually(|| async { load(&sessions, &cookie).is_ok() }).await;
    drop(guard);
    let refused = written.lines("older than the revocation list");
    assert_eq!(refused.len(), 1, "{refused:?}");
}

#[cfg(unix)]
#[actix_web::test]
async fn a_key_file_that_others_can_read_is_one_warning_at_the_start() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let now = SystemClock::default().now();
    let keys = KeyTables::fresh(now, &SystemRandom).unwrap();
    keys.create(path("keys.toml")).unwrap();
    let text =
        "audience = \"shop/loose\"\nkeys.file = \"keys.toml\"\nrevocation.store = \"memory\"\n";
    fs::write(path("session.toml"), text).unwrap();
    let set_mode = |mode| {
        fs::set_permissions(path("keys.toml"), Permissions::from_mode(mode)).unwrap();
    };
    for (mode, lines) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        set_mode(mode);
        let written = Written::default();
        let guard = written.listen();
        let sessions = Sessions::from_file(path("session.toml")).await.unwrap();
        for _ in 0..3 {
            sessions.reload_keys().unwrap();
        }
        assert_eq!(written.lines("others can read").len(), lines, "{mode:o}");
        assert!(written.lines("others can read").iter().all(|line| {
            line.contains("WARN") && line.contains("keys.toml") && line.contains("0600")
        }));
        // Repaired, and undone.
        set_mode(0o600);
        sessions.reload_keys().unwrap();
        set_mode(0o604);
        sessions.reload_keys().unwrap();
        drop(guard);
        assert_eq!(written.lines("others can read").len(), lines + 1);
    }
}

#[cfg(all(unix, feature = "redis"))]
#[test]
fn a_password_file_that_others_can_read_is_one_warning() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = "audience = \"a\"\nkeys.file = \"keys.toml\"\n[revocation]\n\
                store = \"redis://127.0.0.1:1\"\npassword_file = \"redis.password\"\n";
    fs::write(path("session.toml"), text).unwrap();
    fs::write(path("redis.password"), "hunter2\n").unwrap();
    for (mode, lines) in [(0o600, 0), (0o644, 1)] {
        fs::set_permissions(path("redis.password"), Permissions::from_mode(mode)).unwrap();
        let written = Written::default();
        let guard = written.listen();
        let config = sealed_session::SessionConfig::from_file(path("session.toml")).unwrap();
        let _ = config.builder().unwrap();
        drop(guard);
        assert_eq!(written.lines("redis.password").len(), lines, "{mode:o}");
        assert!(written.lines("hunter2").is_empty());
    }
}

#[cfg(feature = "redb")]
#[actix_web::test]
async fn an_empty_list_that_begins_anew_is_one_warning() {
    use sealed_session::store::Redb;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations.redb");
    let clock = ManualClock::default();
    let right = clock.now();
    let open = async || {
        let written = Written::default();
        let guard = written.listen();
        let redb = Redb::open_or_create(&path).unwrap();
        drop(builder(&clock, redb).start().await.unwrap());
        drop(guard);
        written.lines("it begins anew").len()
    };
    clock.set(right + 7200 * SECOND);
    assert_eq!(open().await, 0);
    clock.set(right);
    assert_eq!(open().await, 1);
    assert_eq!(open().await, 0);
}

#[actix_web::test]
async fn the_log_names_a_session_by_its_tag() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (cookie, id) = logged_in(&sessions).await;
    let Loaded {
        session, ticket, ..
    } = load(&sessions, &cookie).unwrap();
    session.insert("colour", "mauve").unwrap();
    sessions.end_session(id).await.unwrap();

    let written = Written::default();
    let guard = written.listen();
    let outcome = sessions.commit(&session, ticket).await;
    drop(guard);
    assert!(outcome.cookies.is_empty());
    let digest = Sha256::new()
        .chain_update(b"sealed-session/log")
        .chain_update(id.as_bytes())
        .finalize();
    let tag: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let all = written.lines("");
    assert_eq!(written.lines(&format!("session={tag}")).len(), 1, "{all:?}");
    for hidden in [id.to_string().as_str(), "alice", "mauve", &cookie[..40]] {
        assert!(written.lines(hidden).is_empty(), "{hidden} in {all:?}");
    }
}
