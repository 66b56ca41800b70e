//! What another hand wrote never reads as "not revoked", and ends no process.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sealed_session::revoke::{
    Announcement, Cursor, Followed, Incarnation, Purpose, ReplicatedLog, Revocation, Target,
};
use sealed_session::store::Redis;
use sealed_session::{
    revoke::{Serial, SessionId, SubjectKey},
    store::StoreError,
    time::UnixMillis,
};

use super::harness::{Server, key, new_list};
use super::tools::*;

const KEYS: [&str; 7] = [
    "meta",
    "sessions",
    "anonymous",
    "anonymous_order",
    "subjects",
    "expiry",
    "stream",
];

fn field(n: u8) -> String {
    String::from_utf8(vec![n; 16]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_not_understood_refuses_and_stays() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    for (hash, n) in [("sessions", 1), ("anonymous", 2), ("subjects", 3)] {
        server.tell(&[
            "HSET",
            &key(&list, hash),
            &field(n),
            "\u{2}from a later release",
        ]);
    }
    let at = now(&store).await;
    let (all, end) = snapshot(&store).await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(end.state.unreadable, 3);
    for each in all {
        assert!(each.until() >= at + DAY, "{each:?}");
        match each {
            Revocation::Session { id: of, entry } => {
                assert_eq!((of, entry.serial), (id(1), Serial::ENDED));
            }
            Revocation::AnonymousSession { id: of, entry, .. } => {
                assert_eq!((of, entry.serial), (id(2), Serial::ENDED));
            }
            Revocation::Subject { key, entry } => {
                assert_eq!(key, subject(3));
                assert!(entry.generation.get() >= at.as_millis());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        store
            .find(id(1), &[subject(3)])
            .await
            .unwrap()
            .revocations
            .len(),
        2
    );
    assert_eq!(state(&store).await.unreadable, 3, "once for each entry");

    // Nobody logs in as that subject, and nothing is written over.
    for outcome in [
        store.read(&[subject(3)]).await.map(|_| ()),
        store
            .raise(raise_of(Target::Subject(subject(3)), 2))
            .await
            .map(|_| ()),
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Unsuitable(_)), "{error}");
    }
    store.read(&[subject(4)]).await.unwrap();
    let answer = publish(&store, &[ended(1, at), ended(9, at)])
        .await
        .unwrap();
    let answer = answer.published;
    use sealed_session::revoke::Published::{Fresh, Known};
    assert_eq!(answer, [Known, Fresh]);
    let kept: String = server.ask(&["HGET", &key(&list, "sessions"), &field(1)]);
    assert_eq!(kept, "\u{2}from a later release");
    // Not forgotten either when the index says it is time.
    let member = format!("\u{1}{}", field(1));
    server.tell(&["ZADD", &key(&list, "expiry"), "1", &member]);
    assert_eq!(store.sweep().await.unwrap(), 0);
    assert_eq!(snapshot(&store).await.unwrap().0.len(), 4);
}

/// Nobody can keep a list settling with what no node can read.
#[tokio::test(flavor = "multi_thread")]
async fn restoring_what_the_list_cannot_read_prolongs_no_settling() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let announcement = Announcement::new(DAY, 0, DAY);
    store.announce(announcement).await.unwrap();
    let (readable, _) = snapshot(&store).await.unwrap();
    for (hash, n) in [("sessions", 1), ("anonymous", 2), ("subjects", 3)] {
        server.tell(&["HSET", &key(&list, hash), &field(n), "\u{2}later"]);
    }
    server.settle(&list);
    for _ in 0..5 {
        store
            .publish(&readable, Purpose::Restoration)
            .await
            .unwrap();
        assert!(state(&store).await.settling.is_zero());
    }
    let lost = [ended(9, now(&store).await)];
    store.publish(&lost, Purpose::Restoration).await.unwrap();
    assert!(!state(&store).await.settling.is_zero(), "of what it lacked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_no_id_concerns_nobody() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    for hash in ["sessions", "anonymous", "subjects"] {
        server.tell(&["HSET", &key(&list, hash), "short", "x", "", "y"]);
    }
    let (all, end) = snapshot(&store).await.unwrap();
    assert_eq!((all.len(), end.state.unreadable), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_another_format_is_left_alone() {
    let server = Server::start();
    for (name, value) in [
        ("format", "2"),
        ("format", "4"),
        ("complete_since", "yesterday"),
        ("seq", "-1"),
        ("seq", "1e3"),
        ("longest", "99999999999999999999"),
        ("everyone", "x"),
        ("mark", ""),
        ("epoch", "x"),
    ] {
        let list = new_list();
        let store = filled(&server, &list).await;
        let meta = key(&list, "meta");
        server.tell(&["HSET", &meta, name, value]);
        let before: Vec<u8> = server.ask(&["DUMP", &meta]);
        let error = end(&store, 5).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Unsuitable(_)),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("cannot be used"), "{error}");
        assert!(snapshot(&store).await.is_err());
        assert!(store.follow(Cursor::default()).await.is_err());
        assert!(store.sweep().await.is_err());
        let here = Incarnation::default();
        assert!(store.attest(here, UnixMillis::EPOCH).await.is_err());
        let after: Vec<u8> = server.ask(&["DUMP", &meta]);
        assert_eq!(before, after, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_is_an_error_and_changes_nothing() {
    let server = Server::start();
    for name in KEYS {
        let list = new_list();
        let store = filled(&server, &list).await;
        server.tell(&["SET", &key(&list, name), "something else"]);
        let sizes = || {
            let sizes = ["sessions", "subjects"].map(|hash| key(&list, hash));
            let others = sizes.iter().filter(|other| **other != key(&list, name));
            others
                .map(|hash| server.ask::<u64>(&["HLEN", hash]))
                .collect::<Vec<_>>()
        };
        let before = sizes();
        assert!(end(&store, 7).await.is_err(), "{name}");
        let raise = raise_of(Target::Subject(subject(8)), 1);
        assert!(store.raise(raise).await.is_err(), "{name}");
        assert!(snapshot(&store).await.is_err(), "{name}");
        assert!(store.follow(Cursor::default()).await.is_err(), "{name}");
        assert_eq!(before, sizes(), "{name}: no half of it");
    }
}

/// What a stranger does to the list.
#[derive(Debug, Clone)]
enum Deed {
    Hash(usize, Vec<u8>, Vec<u8>),
    Zset(usize, f64, Vec<u8>),
    Add(u64, Vec<u8>, Vec<u8>),
    Linked(Vec<u8>, Vec<u8>),
    Replace(usize, Vec<u8>),
    Delete(usize),
}

fn junk() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        // Of the right version and length.
        prop::sample::select(vec![21, 29, 50, 45, 8]).prop_flat_map(|length| {
            prop::collection::vec(any::<u8>(), length..=length).prop_map(|mut bytes| {
                bytes[0] = 1;
                bytes
            })
        }),
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let fields = prop_oneof![
        (0..6u8).prop_map(|n| vec![n; 16]),
        prop::sample::select(vec![
            "format",
            "epoch",
            "began",
            "complete_since",
            "server",
            "server_since",
            "settled",
            "longest",
            "capacity",
            "max_outage",
            "since",
            "everyone",
            "seq",
            "mark",
            "last_sweep",
            "beat",
            "appended",
            "sessions",
            "subjects",
            "anonymous",
            "trim_time",
            "trim_below",
        ])
        .prop_map(|name| name.as_bytes().to_vec()),
        junk(),
    ];
    let members = prop_oneof![
        (1..4u8, 0..6u8).prop_map(|(kind, n)| [vec![kind], vec![n; 16]].concat()),
        junk(),
    ];
    let kinds = prop::sample::select(vec!["e", "g", "h", "z"]);
    prop_oneof![
        6 => (prop::sample::select(vec![0, 1, 2, 4]), fields, junk())
            .prop_map(|(key, field, value)| Deed::Hash(key, field, value)),
        3 => (prop::sample::select(vec![3, 5]), any::<f64>(), members)
            .prop_map(|(key, score, member)| Deed::Zset(key, score, member)),
        2 => (1..20u64, junk(), junk()).prop_map(|(id, field, value)| Deed::Add(id, field, value)),
        3 => (kinds, junk()).prop_map(|(kind, value)| Deed::Linked(kind.into(), value)),
        1 => (0..7usize, junk()).prop_map(|(key, value)| Deed::Replace(key, value)),
        1 => (0..7usize).prop_map(Deed::Delete),
    ]
}

fn commit(raw: &mut redis::Connection, list: &str, deed: &Deed) {
    let key = |n: usize| key(list, KEYS[n]);
    let mut command = redis::Cmd::new();
    match deed {
        Deed::Hash(n, field, value) => {
            command.arg("HSET").arg(key(*n));
            command.arg(field.as_slice()).arg(value.as_slice());
        }
        Deed::Zset(n, score, member) => {
            command.arg("ZADD").arg(key(*n));
            command.arg(score.to_string()).arg(member.as_slice());
        }
        Deed::Add(id, field, value) => {
            command.arg("XADD").arg(key(6)).arg(format!("{id}-0"));
            command.arg(field.as_slice()).arg(value.as_slice());
        }
        // One that fits the chain.
        Deed::Linked(kind, value) => {
            let meta = |field: &str| {
                let mut command = redis::cmd("HGET");
                command.arg(key(0)).arg(field);
                command.query::<Option<Vec<u8>>>(raw).ok().flatten()
            };
            let (mut meta, mut sequence) = (meta, 0);
            let mark = meta("mark").unwrap_or_default();
            if let Some(seq) = meta("seq") {
                sequence = String::from_utf8_lossy(&seq).parse().unwrap_or(0);
            }
            command.arg("XADD").arg(key(6));
            command.arg(format!("{}-0", u64::wrapping_add(sequence, 1)));
            command.arg("p").arg(mark).arg("m").arg(&[7u8; 8]);
            command.arg(kind.as_slice()).arg(value.as_slice());
        }
        Deed::Replace(n, value) => {
            command.arg("SET").arg(key(*n)).arg(value.as_slice());
        }
        Deed::Delete(n) => {
            command.arg("DEL").arg(key(*n));
        }
    }
    // Not everything is possible on what is there already.
    let _: Result<redis::Value, _> = command.query(raw);
}

/// Every method once; whatever they answer, they answer.
async fn call_all(store: &Redis, from: Cursor) {
    let wait = Duration::from_secs(10);
    let all = async {
        let _ = store.follow(from).await;
        let _ = announce(store, HOUR).await;
        for n in 0..6 {
            let _ = end(store, n).await;
            let key = SubjectKey::from_bytes([n; 16]);
            let _ = store.read(&[key]).await;
            let _ = store.find(SessionId::from_bytes([n; 16]), &[key]).await;
            let _ = store.raise(raise_of(Target::Subject(key), n)).await;
        }
        let _ = store.raise(raise_of(Target::Everyone, 1)).await;
        if let Ok((_, end)) = snapshot(store).await {
            let state = end.state;
            let _ = store.attest(state.incarnation, state.complete_since).await;
        }
        let _ = store.sweep().await;
    };
    tokio::time::timeout(wait, all).await.expect("it answers");
}

#[test]
fn whatever_stands_there_nothing_panics() {
    let server = Server::start();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
    let deeds = prop::collection::vec(deed(), 1..12);
    let outcome = runner.run(&deeds, |deeds| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let list = new_list();
            let store = filled(&server, &list).await;
            let from = cursor(&store).await;
            let mut raw = server.raw();
            for deed in &deeds {
                commit(&mut raw, &list, deed);
            }
            // An entry that is there is never read as "not revoked".
            let there: Option<Vec<u8>> = redis::cmd("HGET")
                .arg(key(&list, "sessions"))
                .arg(&[1u8; 16])
                .query(&mut raw)
                .unwrap_or(None);
            let before = snapshot(&store).await.map(|(_, end)| end.cursor.epoch);
            if let (Some(_), Ok(epoch)) = (there, before)
                && epoch == from.epoch
            {
                let found = store.find(id(1), &[]).await.unwrap().revocations;
                let session = found
                    .iter()
                    .any(|each| matches!(each, Revocation::Session { .. }));
                assert!(session, "{found:?}");
            }
            call_all(&store, from).await;
            // And once all that is gone, it is a list again.
            for name in KEYS {
                server.tell(&["DEL", &key(&list, name)]);
            }
            end(&store, 1).await.unwrap();
            let here = cursor(&store).await;
            assert!(matches!(store.follow(here).await, Ok(Followed::Delta(_))));
        });
        Ok(())
    });
    outcome.unwrap();
}
