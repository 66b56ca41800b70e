//! Keys that are rotated and edited under sessions in use.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::key_files::{EditError, Rotation};
use sealed_session::keys::{KeyId, KeySource, KeyTables, SystemRandom};
use sealed_session::revoke::Store;
use sealed_session::testing::ManualClock;
use sealed_session::time::{Clock, UnixMillis};
use serde_json::json;
use support::{Browser, DAY, HOUR, MINUTE, Node, SECOND, builder, eventually, memory};

/// A node with a key file, which is edited while it runs.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub clock: ManualClock,
    pub store: Store,
    pub node: Node,
}

impl Bench {
    pub async fn start() -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let folder = tempfile::tempdir().unwrap();
        let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
        tables.create(folder.path().join("keys.toml")).unwrap();
        let node = Self::node(&clock, &store, folder.path().join("keys.toml")).await;
        Self {
            folder,
            clock,
            store,
            node,
        }
    }

    pub async fn node(clock: &ManualClock, store: &Store, file: PathBuf) -> Node {
        let builder = builder(clock, store.clone()).key_source(KeySource::File(file));
        Node::serve(clock.clone(), builder).await
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("keys.toml")
    }

    /// Edits the file; the node does not look at it yet.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut KeyTables) -> Result<T, EditError>) -> T {
        KeyTables::edit_file(self.file(), edit).unwrap()
    }

    pub fn reload(&self) {
        self.node.sessions.reload_keys().unwrap();
    }

    pub fn rotate(&self) -> KeyId {
        let now = self.clock.now();
        self.edit(|tables| tables.rotate(now, Rotation::default(), &SystemRandom))
            .id
    }

    pub fn revoke(&self, id: KeyId) {
        let now = self.clock.now();
        self.edit(|tables| tables.revoke(id, now, &SystemRandom));
    }

    pub fn sealing(&self) -> KeyId {
        self.node.sessions.health().sealing.unwrap()
    }

    pub async fn logged_in(&self, path: &str) -> Browser {
        let browser = self.node.browser();
        browser.post(path).await.is(200);
        browser
    }
}

/// The key that a browser's cookie names.
pub fn key_of(browser: &Browser) -> KeyId {
    let token = BASE64.decode(browser.session().unwrap()).unwrap();
    KeyId::from_bytes(token[1..17].try_into().unwrap())
}

#[actix_web::test]
async fn a_rotation_under_load_loses_no_session_and_seals_them_all_anew() {
    let bench = Bench::start().await;
    let old = bench.sealing();
    let mut browsers = Vec::new();
    for user in ["alice", "bob", "carol", "dave"] {
        browsers.push(bench.logged_in(&format!("/remember/{user}")).await);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for browser in &browsers {
        let browser = browser.clone();
        let (stop, rounds) = (stop.clone(), Arc::new(AtomicU32::new(0)));
        let counted = rounds.clone();
        let client = actix_web::rt::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let count = rounds.fetch_add(1, Ordering::SeqCst);
                browser.get("/me").await.is(200);
                browser.put("/entries/count", json!(count)).await.is(204);
                assert_eq!(browser.get("/entries/count").await.is(200).json(), count);
            }
        });
        clients.push((client, counted));
    }
    // A few rounds of every client in each state of the rotation.
    let some_rounds = async || {
        for (_, rounds) in &clients {
            let until = rounds.load(Ordering::SeqCst) + 3;
            eventually(|| async { rounds.load(Ordering::SeqCst) >= until }).await;
        }
    };
    some_rounds().await;
    let new = bench.rotate();
    some_rounds().await;
    bench.reload();
    assert_eq!(bench.sealing(), old, "the new key only opens yet");
    some_rounds().await;
    bench.clock.advance(HOUR);
    assert_eq!(bench.sealing(), new);
    some_rounds().await;
    for _ in 0..4 {
        bench.clock.advance(7 * DAY);
        some_rounds().await;
    }
    stop.store(true, Ordering::SeqCst);
    for (client, _) in clients {
        client.await.unwrap();
    }
    for browser in &browsers {
        assert_eq!(key_of(browser), new);
    }
    // The old key retires; its cookies are known to be dead.
    bench.clock.advance(2 * DAY + HOUR);
    assert_eq!(bench.node.sessions.health().opening, [new]);
}

#[actix_web::test]
async fn a_session_that_is_only_read_keeps_its_key_until_something_is_written() {
    let bench = Bench::start().await;
    let browser = bench.logged_in("/login/alice").await;
    let old = bench.sealing();
    let new = bench.rotate();
    bench.reload();
    for _ in 0..4 {
        bench.clock.advance(30 * MINUTE);
        browser.get("/me").await.is(200);
        assert_eq!(key_of(&browser), old);
    }
    browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(key_of(&browser), new);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_token_of_a_key_that_is_not_active_yet_opens() {
    let bench = Bench::start().await;
    let new = bench.rotate();
    bench.reload();
    // A neighbour whose clock is ahead has begun to seal with it.
    let ahead = ManualClock::new(bench.clock.now() + HOUR);
    let neighbour = Bench::node(&ahead, &memory(&ahead), bench.file()).await;
    let browser = neighbour.browser();
    bench.clock.advance(HOUR - 30 * SECOND);
    browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(key_of(&browser), new);
    assert_ne!(bench.sealing(), new);
    let here = browser.copy().at(&bench.node);
    let answer = here.get("/entries/a").await.is(200);
    assert!(!answer.removes_cookie());
}

#[actix_web::test]
async fn a_node_that_has_not_heard_of_a_new_key_leaves_its_cookies_alone() {
    let bench = Bench::start().await;
    let other_file = bench.folder.path().join("late.toml");
    fs::copy(bench.file(), &other_file).unwrap();
    let late = Bench::node(&bench.clock, &bench.store, other_file.clone()).await;
    bench.rotate();
    bench.reload();
    bench.clock.advance(HOUR);
    let browser = bench.logged_in("/login/alice").await;
    let there = browser.copy().at(&late);
    there.get("/me").await.leaves_alone();
    fs::copy(bench.file(), other_file).unwrap();
    late.sessions.reload_keys().unwrap();
    there.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_broken_key_file_keeps_the_keys_and_the_health_report_says_so() {
    let bench = Bench::start().await;
    let browser = bench.logged_in("/login/alice").await;
    let good = fs::read_to_string(bench.file()).unwrap();
    let sealing = bench.sealing();
    for broken in ["", "not toml", "[[key]]\n"] {
        fs::write(bench.file(), broken).unwrap();
        bench.node.sessions.reload_keys().unwrap_err();
        let health = bench.node.sessions.health();
        assert!(health.key_problem.is_some());
        assert_eq!(health.sealing, Some(sealing));
        browser.get("/me").await.is(200);
        browser.put("/entries/a", json!(1)).await.is(204);
    }
    fs::remove_file(bench.file()).unwrap();
    bench.node.sessions.reload_keys().unwrap_err();
    browser.get("/me").await.is(200);
    fs::write(bench.file(), good).unwrap();
    bench.reload();
    assert_eq!(bench.node.sessions.health().key_problem, None);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn the_health_report_tells_when_the_key_file_in_use_was_modified() {
    let bench = Bench::start().await;
    let modified = || bench.node.sessions.health().key_file_modified.unwrap();
    let touch = |seconds| {
        let time = UnixMillis::from_secs(seconds);
        let file = fs::File::options().append(true).open(bench.file()).unwrap();
        file.set_modified(time.try_into().unwrap()).unwrap();
        time
    };
    let before = modified();
    bench.rotate();
    let rotated = touch(before.as_secs() + 3600);
    assert_eq!(modified(), before, "not read yet");
    bench.reload();
    assert_eq!(modified(), rotated);
    // What cannot be used is not what is in use.
    fs::write(bench.file(), "not toml").unwrap();
    bench.node.sessions.reload_keys().unwrap_err();
    assert_eq!(modified(), rotated);
    let elsewhere = builder(&bench.clock, bench.store.clone());
    let elsewhere = elsewhere.start().await.unwrap().health();
    assert_eq!(elsewhere.key_file_modified, None);
}

#[actix_web::test]
async fn a_file_that_is_renamed_or_linked_into_place_is_picked_up() {
    let bench = Bench::start().await;
    let browser = bench.logged_in("/login/alice").await;
    let path = |name: &str| bench.folder.path().join(name);
    let now = bench.clock.now();
    let with_new_key = |name: &str| {
        let mut tables = KeyTables::read(bench.file()).unwrap();
        let mut rotation = Rotation::default();
        rotation.distribute = Duration::ZERO;
        rotation.although_pending = true;
        let id = tables.rotate(now, rotation, &SystemRandom).unwrap().id;
        tables.create(path(name)).unwrap();
        id
    };
    let renamed = with_new_key("beside");
    fs::rename(path("beside"), bench.file()).unwrap();
    bench.clock.advance(SECOND);
    bench.reload();
    assert_eq!(bench.sealing(), renamed);
    browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(key_of(&browser), renamed);

    // As a mounted secret: keys.toml -> ..data/keys.toml, ..data -> ..one, then -> ..two.
    for version in ["..one", "..two"] {
        fs::create_dir(path(version)).unwrap();
    }
    let linked = with_new_key("..one/keys.toml");
    std::os::unix::fs::symlink("..one", path("..data")).unwrap();
    fs::remove_file(bench.file()).unwrap();
    std::os::unix::fs::symlink("..data/keys.toml", bench.file()).unwrap();
    bench.clock.advance(2 * SECOND);
    bench.reload();
    assert_eq!(bench.sealing(), linked);
    let swapped = with_new_key("..two/keys.toml");
    std::os::unix::fs::symlink("..two", path("..new")).unwrap();
    fs::rename(path("..new"), path("..data")).unwrap();
    bench.clock.advance(2 * SECOND);
    bench.reload();
    assert_eq!(bench.sealing(), swapped);
    browser.put("/entries/a", json!(2)).await.is(204);
    assert_eq!(key_of(&browser), swapped);
}
