//! The command line's `sessions`, and what `store` does with an index of sessions, as an operator runs them.
#![cfg(all(feature = "cli", feature = "redb", feature = "redis"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::index::{IndexRow, IndexUpdate, RowState};
use sealed_session::keys::{KeyTables, SystemRandom};
use sealed_session::revoke::{SessionId, Store, SubjectKey};
use sealed_session::store::{Redb, Redis};
use sealed_session::time::{Clock, SystemClock, UnixMillis};
use sealed_session::{SessionConfig, Sessions};
use serde_json::{Value, json};
use support::redis_server::RedisServer;
use support::{DAY, eventually, settled};

const LIST: &str = "shop/test";

/// A folder with a configuration in it.
struct Place {
    folder: tempfile::TempDir,
}

/// A session, and the cookie of its browser.
struct OpenSession {
    id: SessionId,
    cookie: String,
}

impl Place {
    fn on(store: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let it = Self { folder };
        it.make_keys("keys.toml");
        it.configure("session.toml", store, "");
        it
    }

    fn in_a_file() -> Self {
        let it = Self::on("redb:revocations.redb");
        drop(Redb::create(it.path().join("revocations.redb")).unwrap());
        it
    }

    async fn on_a_server(server: &RedisServer) -> Self {
        settled(server, LIST).await;
        Self::on(&server.url())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn make_keys(&self, name: &str) {
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom).unwrap();
        keys.create(self.path().join(name)).unwrap();
    }

    /// Writes a configuration, with `more` in its table of lifetimes.
    fn configure(&self, name: &str, store: &str, more: &str) {
        let text = format!(
            "audience = \"{LIST}\"\n[keys]\nfile = \"keys.toml\"\n[devices]\nindex = true\n\
             [revocation]\nstore = \"{store}\"\n[lifetime]\n{more}\n"
        );
        fs::write(self.path().join(name), text).unwrap();
    }

    /// The same as `session.toml`, but for this.
    fn other(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path().join("session.toml")).unwrap();
        assert!(text.contains(from));
        fs::write(self.path().join(name), text.replace(from, to)).unwrap();
    }

    async fn start(&self) -> Sessions {
        let config = SessionConfig::from_file(self.path().join("session.toml")).unwrap();
        config.start().await.unwrap()
    }

    /// Stops a node that has a file open, and waits until that is free.
    async fn stop(&self, sessions: Sessions) {
        sessions.close(Duration::from_secs(5)).await;
        drop(sessions);
        let file = self.path().join("revocations.redb");
        eventually(|| async { Redb::open(&file).is_ok() }).await;
    }

    /// The store, for who changes it behind everybody's back.
    async fn store(&self) -> Store {
        let config = SessionConfig::from_file(self.path().join("session.toml")).unwrap();
        config.open_used_store().await.unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sealed-session"))
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// What it says on standard output, and on standard error, when it succeeds.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    /// What it says when it fails with `code`: a line, and nothing on standard output.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    #[track_caller]
    fn list(&self, subject: &str) -> Vec<Value> {
        let (output, errors) = self.says(&list(subject));
        assert_eq!(errors, "");
        serde_json::from_str(&output).unwrap()
    }

    #[track_caller]
    fn listed_ids(&self, subject: &str) -> BTreeSet<String> {
        let sessions = self.list(subject).into_iter();
        sessions
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn list(subject: &str) -> [&str; 6] {
    [
        "sessions",
        "list",
        subject,
        "--config",
        "session.toml",
        "--json",
    ]
}

fn end<'a>(subject: &'a str, id: &'a str) -> [&'a str; 6] {
    ["sessions", "end", subject, id, "--config", "session.toml"]
}

fn load(sessions: &Sessions, cookie: &str) -> Loaded {
    let line = cookie.as_bytes();
    sessions.load(Incoming::new([line].into_iter())).unwrap()
}

fn is_live(sessions: &Sessions, session: &OpenSession) -> bool {
    load(sessions, &session.cookie).session.id() == Some(session.id)
}

async fn login(sessions: &Sessions, subject: &str, label: &str) -> OpenSession {
    log_in(sessions, subject, label, false).await
}

async fn log_in(sessions: &Sessions, subject: &str, label: &str, remember: bool) -> OpenSession {
    // Each begins at a time of its own: lists are in this order.
    passes(SystemClock::default().now()).await;
    let loaded = load(sessions, "");
    let login = loaded.session.authenticate(subject).label(label);
    login.remember(remember).await.unwrap();
    let id = loaded.session.id().unwrap();
    let committed = sessions.commit(&loaded.session, loaded.ticket).await;
    let cookie = committed.cookies[0].split(';').next().unwrap().to_owned();
    OpenSession { id, cookie }
}

/// Waits until it is later.
async fn passes(time: UnixMillis) {
    eventually(|| async { SystemClock::default().now() > time }).await;
}

/// The rows of a user, once there are as many: nobody waits for them on a server.
async fn rows(store: &Store, subject: &str, count: usize) -> Vec<IndexRow> {
    let index = store.session_index().unwrap();
    let key = SubjectKey::new(LIST, subject);
    eventually(|| async { index.rows(key).await.unwrap().rows.len() == count }).await;
    index.rows(key).await.unwrap().rows
}

async fn put(store: &Store, subject: &str, row: IndexRow) {
    let mut update = IndexUpdate::new(SystemClock::default().now());
    update.row = Some(row);
    let index = store.session_index().unwrap();
    let key = SubjectKey::new(LIST, subject);
    index.update(key, &update).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_in_a_file_that_no_server_holds() {
    let place = Place::in_a_file();
    let before = SystemClock::default().now();
    let node = place.start().await;
    let kiosk = login(&node, "alice", "Kiosk \"7\", Küche").await;
    let phone = log_in(&node, "alice", "Phone", true).await;
    let bobs = login(&node, "bob", "Bob's").await;
    let busy = place.fails(&list("alice"), 1);
    assert!(busy.contains("in use by another process"), "{busy}");
    assert!(busy.contains("stop the server first"), "{busy}");
    place.stop(node).await;

    let listed = place.list("alice");
    let fields = |it: &Value| json!([it["id"], it["label"], it["is_remembered"], it["is_current"]]);
    let expected = [
        json!([phone.id.to_string(), "Phone", true, false]),
        json!([kiosk.id.to_string(), "Kiosk \"7\", Küche", false, false]),
    ];
    assert_eq!(listed.iter().map(fields).collect::<Vec<_>>(), expected);
    for it in &listed {
        let [created, seen] = ["created_at", "last_seen_at"].map(|name| listed_time(it, name));
        assert!(before <= created && created <= seen, "{it}");
    }
    // For people.
    let (table, _) = place.says(&list("alice")[..5]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].starts_with(&phone.id.to_string()), "{table}");
    assert!(lines[1].ends_with(r#"  yes         "Phone""#), "{table}");
    assert!(
        lines[2].ends_with(r#"  no          "Kiosk \"7\", Küche""#),
        "{table}"
    );
    let began = listed_time(&listed[0], "created_at").to_string();
    assert!(lines[1].contains(&began), "{table}");

    // Nobody else's, and none that is unknown.
    let [kiosk_id, bobs_id] = [&kiosk, &bobs].map(|it| it.id.to_string());
    for id in [&bobs_id, &"0".repeat(32)] {
        let refused = place.fails(&end("alice", id), 1);
        assert!(refused.contains("no such session"), "{refused}");
    }
    let (said, warned) = place.says(&end("alice", &kiosk_id));
    assert_eq!(said, format!("session {kiosk_id} of \"alice\" is ended\n"));
    assert_eq!(warned, "");
    let again = place.fails(&end("alice", &kiosk_id), 1);
    assert!(
        again.contains("no such session, or it has ended"),
        "{again}"
    );
    assert_eq!(place.listed_ids("alice"), [phone.id.to_string()].into());
    assert_eq!(place.listed_ids("bob"), [bobs_id].into());

    let node = place.start().await;
    assert!(!is_live(&node, &kiosk));
    assert!(is_live(&node, &phone) && is_live(&node, &bobs));
}

fn listed_time(listed: &Value, field: &str) -> UnixMillis {
    UnixMillis::new(listed[field].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_on_a_server_while_nodes_run() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let [one, two] = [
        login(&node, "alice", "One").await,
        login(&node, "alice", "Two").await,
    ];
    let store = place.store().await;
    rows(&store, "alice", 2).await;
    let ids = [&one, &two].map(|it| it.id.to_string());
    assert_eq!(place.listed_ids("alice"), ids.clone().into());
    place.says(&end("alice", &ids[0]));
    eventually(|| async { !is_live(&node, &one) }).await;
    assert!(is_live(&node, &two));
    rows(&store, "alice", 1).await;
    assert_eq!(place.listed_ids("alice"), [ids[1].clone()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_no_session_that_has_ended() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let alices = [
        login(&node, "alice", "One").await,
        login(&node, "alice", "Two").await,
    ];
    login(&node, "bob", "Three").await;
    let store = place.store().await;
    let alices_rows = rows(&store, "alice", 2).await;
    rows(&store, "bob", 1).await;
    drop(node);

    let [one, two] = alices.map(|it| it.id.to_string());
    place.says(&["revoke", "session", "--config", "session.toml", &one]);
    // What it does not know it does not remove.
    assert_eq!(rows(&store, "alice", 2).await.len(), 2);
    let (output, warned) = place.says(&list("alice"));
    let listed: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], two);
    assert!(
        warned.contains("1 rows of the index are not shown"),
        "{warned}"
    );
    let refused = place.fails(&end("alice", &one), 1);
    assert!(refused.contains("or it has ended"), "{refused}");

    place.says(&["revoke", "user", "--config", "session.toml", "alice"]);
    let (output, _) = place.says(&list("alice"));
    assert_eq!(output, "[]\n");
    place.says(&["revoke", "everyone", "--config", "session.toml", "--yes"]);
    assert_eq!(place.says(&list("bob")).0, "[]\n");
    // A look changes nothing.
    let after = rows(&store, "alice", 2).await;
    assert_eq!(after, alices_rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_with_another_configuration_changes_nothing() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let session = login(&node, "alice", "One").await;
    let store = place.store().await;
    let kept = rows(&store, "alice", 1).await;
    let announced = store.contents().await.unwrap().announced;

    // Longer lifetimes; keys of somebody else; shorter lifetimes.
    place.make_keys("others.toml");
    place.other(
        "longer.toml",
        "[lifetime]",
        "[lifetime]\nremembered_absolute = \"300 days\"",
    );
    place.other("keyless.toml", "keys.toml", "others.toml");
    place.other(
        "shorter.toml",
        "[lifetime]",
        "[lifetime]\nidle = \"1ms\"\nabsolute = \"2ms\"",
    );
    let look = |config| ["sessions", "list", "alice", "--config", config];
    let (shown, _) = place.says(&look("longer.toml"));
    assert!(shown.contains(&session.id.to_string()), "{shown}");
    for config in ["keyless.toml", "shorter.toml"] {
        let (shown, warned) = place.says(&look(config));
        assert!(
            shown.contains("no sessions of \"alice\" are listed"),
            "{shown}"
        );
        assert!(
            warned.contains("1 rows of the index are not shown"),
            "{warned}"
        );
        assert!(
            warned.contains("the keys of this configuration do not open"),
            "{warned}"
        );
    }
    let id = session.id.to_string();
    let end = ["sessions", "end", "alice", &id, "--config", "keyless.toml"];
    let refused = place.fails(&end, 1);
    assert!(
        refused.contains("the keys of this configuration"),
        "{refused}"
    );
    assert!(is_live(&node, &session));
    assert_eq!(rows(&store, "alice", 1).await, kept);
    assert_eq!(store.contents().await.unwrap().announced, announced);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_makes_up_is_neither_listed_nor_ended() {
    let place = Place::in_a_file();
    let node = place.start().await;
    let alices = login(&node, "alice", "Alice's").await;
    let bobs = login(&node, "bob", "Bob's").await;
    place.stop(node).await;
    let store = place.store().await;
    let moved = rows(&store, "bob", 1).await.remove(0);
    let mut renamed = rows(&store, "alice", 1).await.remove(0);
    renamed.session = SessionId::from_bytes([7; 16]);
    let mut odd = renamed.clone();
    odd.session = SessionId::from_bytes([8; 16]);
    odd.facts = b"\x1b[31m".to_vec();
    for row in [moved, renamed, odd] {
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
    let node = place.start().await;
    assert!(is_live(&node, &bobs));
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

    place.other("off.toml", "index = true", "index = false");
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
    assert!(shown.lines().any(|it| it == "listed     6"), "{shown}");

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
    let mut announcement = sealed_session::revoke::Announcement::default();
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
