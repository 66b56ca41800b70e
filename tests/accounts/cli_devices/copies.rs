//! The index of sessions goes along with its list.

use std::time::Duration;

use sealed_session::index::{IndexRow, IndexUpdate, RowState};
use sealed_session::revoke::{Announcement, SessionId, Store, SubjectKey};
use sealed_session::store::{Redb, Redis};
use sealed_session::time::{Clock, SystemClock};
use serde_json::Value;
use support::redis_server::RedisServer;
use support::{DAY, eventually};

use super::{LIST, Place, list, login, passes, put, rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_list_carries_the_index() {
    let server = RedisServer::start();
    let place = Place::in_a_file();
    let node = place.start().await;
    let [one, two] = [
        login(&node, "alice", "One").await,
        login(&node, "alice", "Two").await,
    ];
    let bobs = login(&node, "bob", "Three").await;
    let ended = login(&node, "bob", "Four").await;
    node.end_session(ended.id).await.unwrap();
    place.stop(node).await;
    let store = place.store().await;
    // One that is over, and one that makes room for another.
    let soon = SystemClock::default().now() + Duration::from_millis(1);
    let over = IndexRow::new(SessionId::from_bytes([7; 16]), RowState::Listed, soon, soon);
    put(&store, "carol", over).await;
    let mut evicting = rows(&store, "alice", 2).await.remove(0);
    evicting.state = RowState::Evicting;
    evicting.session = SessionId::from_bytes([8; 16]);
    put(&store, "dave", evicting.clone()).await;
    passes(soon).await;
    let alices = sorted(rows(&store, "alice", 2).await);
    drop(store);
    let file = place.path().join("revocations.redb");
    eventually(|| async { Redb::open(&file).is_ok() }).await;
    let (shown, _) = place.says(&["store", "show", "revocations.redb"]);
    assert!(shown.lines().any(|it| it == "listed     5"), "{shown}");

    let url = server.url();
    let copy = [
        "store",
        "copy",
        "redb:revocations.redb",
        &url,
        "--list",
        LIST,
    ];
    let (said, warned) = place.says(&copy);
    assert!(said.ends_with("5 sessions of the index copied\n"), "{said}");
    assert_eq!(warned, "");
    // A copy that was cut off is made again: some rows are there.
    let there: Store = Redis::open(url.as_str(), LIST).unwrap().into();
    let index = there.session_index().unwrap();
    let mut removed = IndexUpdate::new(soon);
    removed.removed.push(one.id);
    index
        .update(SubjectKey::new(LIST, "alice"), &removed)
        .await
        .unwrap();
    assert_eq!(place.says(&copy).0, said);
    assert_eq!(sorted(rows(&there, "alice", 2).await), alices);
    assert_eq!(rows(&there, "dave", 1).await, [evicting]);
    rows(&there, "carol", 0).await;
    let (shown, _) = place.says(&["store", "show", &url, "--list", LIST]);
    assert!(!shown.contains("listed"), "{shown}");

    server.settle(LIST);
    place.configure("session.toml", &url, "");
    let ids = [&one, &two].map(|it| it.id.to_string());
    assert_eq!(place.listed_ids("alice"), ids.into());
    // One that makes room is no business of a list's.
    assert_eq!(place.list("dave"), [] as [Value; 0]);
    let (listed, _) = place.says(&list("bob"));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["id"], bobs.id.to_string());
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");

    // And back, with a row that a later release wrote.
    let key = format!(
        "sealed-session:{LIST}:{{{}}}:index",
        SubjectKey::new(LIST, "bob")
    );
    server.command(&["HSET", &key, "another", "row"]).integer();
    let back = ["store", "copy", &url, "back.redb", "--list", LIST];
    let (said, warned) = place.says(&back);
    assert!(said.ends_with("5 sessions of the index copied\n"), "{said}");
    assert!(
        warned.contains("1 rows of the index were not understood, and are not copied"),
        "{warned}"
    );
    place.configure("session.toml", "redb:back.redb", "");
    assert_eq!(place.list("alice").len(), 2);
}

fn sorted(mut rows: Vec<IndexRow>) -> Vec<IndexRow> {
    rows.sort_by_key(|row| row.session);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_copied_where_its_index_cannot_be_read() {
    let server = RedisServer::start();
    let place = Place::in_a_file();
    let list: Store = Redis::open(server.url(), LIST).unwrap().into();
    let mut announcement = Announcement::default();
    announcement.longest = DAY;
    list.announce(announcement).await.unwrap();
    // As an operator allowed it before there was an index.
    let rule = format!("~sealed-session:{{{LIST}}}:*");
    let user = ["ACL", "SETUSER", "default", "resetkeys", &rule, "-scan"];
    server.command(&user).ok();
    let copy = ["store", "copy", &server.url(), "copy.redb", "--list", LIST];
    let (said, warned) = place.says(&copy);
    assert!(said.starts_with("0 revocations copied"), "{said}");
    assert!(
        warned.starts_with("warning: not all sessions of the index are copied"),
        "{warned}"
    );
    assert!(warned.contains("listed again as they are used"), "{warned}");
}
