//! What is not listed, and which lines are refused.

use sealed_session::revoke::{SessionId, SubjectKey};
use sealed_session::store::Redb;
use sealed_session::time::{Clock, SystemClock};
use serde_json::Value;
use support::redis_server::RedisServer;
use support::{DAY, HOUR, eventually};

use super::{LIST, Place, end, is_live, list, login, put, rows};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_makes_up_is_neither_listed_nor_ended() {
    let place = Place::in_a_file();
    let node = place.start().await;
    let alices = login(&node, "alice", "Alice's").await;
    let bobs = login(&node, "bob", "Bob's").await;
    place.stop(node).await;
    let store = place.store().await;
    let moved = rows(&store, "bob", 1).await.remove(0);
    let mut shortened = rows(&store, "alice", 1).await.remove(0);
    let in_an_hour = SystemClock::default().now() + HOUR;
    shortened.until = in_an_hour;
    let mut renamed = shortened.clone();
    renamed.session = SessionId::from_bytes([7; 16]);
    let mut odd = renamed.clone();
    odd.session = SessionId::from_bytes([8; 16]);
    odd.facts = b"\x1b[31m".to_vec();
    for row in [shortened, moved, renamed, odd] {
        put(&store, "alice", row).await;
    }
    drop(store);
    let file = place.path().join("revocations.redb");
    eventually(|| async { Redb::open(&file).is_ok() }).await;

    let (table, warned) = place.says(&list("alice")[..5]);
    assert!(table.contains(&alices.id.to_string()), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(
        warned.contains("3 rows of the index are not shown"),
        "{warned}"
    );
    for text in [&table, &warned] {
        assert!(!text.contains('\x1b'), "{text}");
    }
    let bobs_id = bobs.id.to_string();
    let refused = place.fails(&end("alice", &bobs_id), 1);
    assert!(refused.contains("no such session"), "{refused}");
    // An end is kept for as long as a cookie can live, whatever the row says.
    place.says(&end("alice", &alices.id.to_string()));
    let contents = place.store().await.contents().await.unwrap();
    let [ended] = &contents.revocations[..] else {
        panic!("{contents:?}");
    };
    assert!(ended.until() > in_an_hour + 29 * DAY, "{ended:?}");
    eventually(|| async { Redb::open(&file).is_ok() }).await;
    let node = place.start().await;
    assert!(is_live(&node, &bobs) && !is_live(&node, &alices));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_listed_where_the_list_cannot_tell() {
    let server = RedisServer::start();
    let place = Place::on(&server.url());
    let unused = place.fails(&list("alice"), 1);
    assert!(unused.contains("that a node has used"), "{unused}");
    assert_eq!(server.command(&["DBSIZE"]).integer(), 0);

    let node = place.start().await;
    login(&node, "alice", "One").await;
    let store = place.store().await;
    rows(&store, "alice", 1).await;
    let settling = place.fails(&list("alice"), 1);
    assert!(settling.contains("settles for "), "{settling}");
    server.settle(LIST);
    assert_eq!(place.list("alice").len(), 1);

    // An index row that a later release wrote is told; a revocation that it wrote may be of this user.
    let key = format!(
        "sealed-session:{LIST}:{{{}}}:index",
        SubjectKey::new(LIST, "alice")
    );
    server.command(&["HSET", &key, "another", "row"]).integer();
    let (_, warned) = place.says(&list("alice"));
    assert!(
        warned.contains("1 rows of the index were not understood"),
        "{warned}"
    );
    let sessions = format!("sealed-session:{{{LIST}}}:sessions");
    server
        .command(&["HSET", &sessions, "0123456789abcdef", "\u{2}later"])
        .integer();
    let refused = place.fails(&list("alice"), 1);
    assert!(refused.contains("1 entries of the list"), "{refused}");
}

#[test]
fn sessions_refuse_what_is_wrong_with_a_line() {
    let place = Place::in_a_file();
    let unknown = place.says(&["sessions", "list", "nobody", "--config", "session.toml"]);
    assert!(unknown.0.contains("no sessions of \"nobody\" are listed"));
    assert_eq!(place.list("nobody"), [] as [Value; 0]);
    // Wrong usage.
    let id = "0".repeat(32);
    for arguments in [
        &["sessions"][..],
        &["sessions", "list", "--config", "session.toml"],
        &["sessions", "list", "alice"],
        &["sessions", "end", "alice", &id],
        &end("alice", "xyz"),
        &end("alice", &id[1..]),
        &["sessions", "end", "alice", "--config", "session.toml"],
    ] {
        place.fails(arguments, 2);
    }
    for command in [
        &["sessions"][..],
        &["sessions", "list"],
        &["sessions", "end"],
    ] {
        let (help, _) = place.says(&[command, &["--help"]].concat());
        assert!(help.contains("session"), "{help}");
    }

    // Also where there is no store.
    let on = "index = true\n[revocation]\nstore = \"redb:revocations.redb\"";
    let off = on
        .replace("true", "false")
        .replace("revocations.", "missing.");
    place.other("off.toml", on, &off);
    place.other("keyless.toml", "keys.toml", "missing.toml");
    place.other("memory.toml", "redb:revocations.redb", "memory");
    place.other("missing-store.toml", "revocations.redb", "missing.redb");
    let long = "x".repeat(256);
    for (subject, config, words) in [
        ("", "session.toml", "1 to 255 bytes"),
        (&long, "session.toml", "1 to 255 bytes"),
        ("alice", "off.toml", "`devices.index` is off"),
        ("alice", "keyless.toml", "missing.toml"),
        ("alice", "memory.toml", "in its own memory"),
        ("alice", "missing-store.toml", "does not exist"),
        ("alice", "nothing.toml", "nothing.toml"),
    ] {
        for arguments in [
            &["sessions", "list", subject, "--config", config][..],
            &["sessions", "end", subject, &id, "--config", config],
        ] {
            let said = place.fails(arguments, 1);
            assert!(said.contains(words), "{arguments:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    assert!(!place.path().join("missing.redb").exists());
}
