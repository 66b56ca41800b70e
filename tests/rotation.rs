//! Keys that are rotated, revoked and edited under sessions in use.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use common::{Browser, DAY, HOUR, MINUTE, Node, SECOND, builder, eventually, memory};
use sealed_session::key_files::{EditError, Rotation};
use sealed_session::store::Memory;
use sealed_session::testing::ManualClock;
use sealed_session::{
    keys::{KeyId, KeySource, KeyTables, SystemRandom},
    time::{Clock, UnixMillis},
};
use serde_json::json;

/// A node with a key file, which is edited while it runs.
struct Bench {
    folder: tempfile::TempDir,
    clock: ManualClock,
    store: Arc<Memory>,
    node: Node,
}

impl Bench {
    async fn start() -> Self {
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

    async fn node(clock: &ManualClock, store: &Arc<Memory>, file: PathBuf) -> Node {
        let builder = builder(clock, store.clone()).key_source(KeySource::File(file));
        Node::serve(clock.clone(), builder).await
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keys.toml")
    }

    /// Edits the file; the node does not look at it yet.
    fn edit<T>(&self, edit: impl FnOnce(&mut KeyTables) -> Result<T, EditError>) -> T {
        KeyTables::edit_file(self.file(), edit).unwrap()
    }

    fn reload(&self) {
        self.node.sessions.reload_keys().unwrap();
    }

    fn rotate(&self) -> KeyId {
        let now = self.clock.now();
        self.edit(|tables| tables.rotate(now, Rotation::default(), &SystemRandom))
            .id
    }

    fn revoke(&self, id: KeyId) {
        let now = self.clock.now();
        self.edit(|tables| tables.revoke(id, now, &SystemRandom));
    }

    fn sealing(&self) -> KeyId {
        self.node.sessions.health().sealing.unwrap()
    }

    async fn logged_in(&self, path: &str) -> Browser {
        let browser = self.node.browser();
        browser.post(path).await.is(200);
        browser
    }
}

/// The key that a browser's cookie names.
fn key_of(browser: &Browser) -> KeyId {
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
async fn a_revoked_key_ends_its_sessions_and_what_became_of_them() {
    let bench = Bench::start().await;
    let leaked = bench.sealing();
    let stays = bench.logged_in("/remember/alice").await;
    let sealed_anew = stays.copy();
    let logged_in_since = bench.node.browser();
    logged_in_since
        .put("/entries/forged", json!(1))
        .await
        .is(204);
    let renewed = bench.logged_in("/remember/bob").await;
    let unused = bench.logged_in("/remember/carol").await;

    let new = bench.rotate();
    bench.reload();
    bench.clock.advance(HOUR - MINUTE);
    logged_in_since.get("/entries/forged").await.is(200);
    bench.clock.advance(MINUTE);
    sealed_anew.put("/entries/a", json!(1)).await.is(204);
    logged_in_since.post("/remember/dave").await.is(200);
    renewed.post("/renew").await.is(200);
    let honest = bench.logged_in("/remember/erin").await;
    for browser in [&sealed_anew, &logged_in_since, &renewed, &honest] {
        assert_eq!(key_of(browser), new);
    }
    // Again sealed with the good key, several times.
    bench.clock.advance(DAY);
    for browser in [&sealed_anew, &logged_in_since, &renewed, &honest] {
        browser.get("/me").await.is(200);
        browser.put("/entries/b", json!(1)).await.is(204);
    }
    logged_in_since.get("/entries/forged").await.is(200);

    bench.revoke(leaked);
    unused.copy().get("/me").await.is(200);
    bench.reload();
    for browser in [&stays, &sealed_anew, &logged_in_since, &renewed, &unused] {
        browser.get("/me").await.leaves_alone();
    }
    honest.get("/me").await.is(200);
    bench.clock.advance(MINUTE);
    for browser in [&stays, &sealed_anew, &logged_in_since, &renewed, &unused] {
        browser.get("/me").await.leaves_alone();
    }
}

#[actix_web::test]
async fn revoking_a_key_that_is_retired_and_pruned_reaches_the_sessions_that_passed_through_it() {
    let bench = Bench::start().await;
    let leaked = bench.sealing();
    let browser = bench.logged_in("/remember/alice").await;
    bench.rotate();
    bench.reload();
    for _ in 0..29 {
        bench.clock.advance(DAY);
        browser.put("/entries/a", json!(1)).await.is(204);
    }
    // With a shorter plan than this the key could be gone by now.
    let text = fs::read_to_string(bench.file()).unwrap();
    let pruned = text.replace("retire = \"2026-12-21", "retire = \"2026-12-01");
    assert_ne!(pruned, text);
    fs::write(bench.file(), pruned).unwrap();
    let now = bench.clock.now();
    bench.edit(|tables| {
        assert_eq!(tables.prune(now), [leaked]);
        Ok(())
    });
    bench.reload();
    browser.get("/me").await.is(200);
    bench.revoke(leaked);
    bench.reload();
    browser.get("/me").await.is(401);
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
async fn everyone_before_ends_the_sessions_from_before_and_no_later_ones() {
    let bench = Bench::start().await;
    let (user, visitor) = (
        bench.logged_in("/remember/alice").await,
        bench.node.browser(),
    );
    visitor.put("/entries/a", json!(1)).await.is(204);
    bench.clock.advance(SECOND);
    let at = bench.clock.now();
    bench.edit(|tables| tables.end_everyone(at, at));
    user.get("/me").await.is(200);
    let same_moment = bench.logged_in("/login/bob").await;
    bench.reload();
    user.get("/me").await.leaves_alone();
    visitor.get("/entries/a").await.is(404);
    same_moment.get("/me").await.is(401);
    // Whoever logs in now knows of the order, so it is after it, whatever the clock says.
    let after = bench.logged_in("/login/bob").await;
    after.get("/me").await.is(200);
    let visitor = bench.node.browser();
    visitor.put("/entries/a", json!(1)).await.is(204);
    visitor.get("/entries/a").await.is(200);
    bench.clock.advance(MINUTE);
    user.get("/me").await.leaves_alone();
    after.get("/me").await.is(200);
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
