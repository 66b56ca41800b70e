//! The command line's `store`, and `revoke` on a server, as an operator runs them.
#![cfg(all(feature = "cli", feature = "redb", feature = "redis"))]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use common::moved_clock::MovedClock;
use common::redis_server::RedisServer;
use common::{Browser, DAY, HOUR, Node, ended, eventually, settled};
use sealed_session::revoke::{Announcement, Store};
use sealed_session::store::{Redb, Redis};
use sealed_session::{
    CookieSettings, Sessions,
    keys::{KeySource, KeyTables, SystemRandom},
    time::{Clock, SystemClock},
};
use tempfile::TempDir;

const LIST: &str = "shop/test";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sealed-session"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// What it says when it succeeds.
#[track_caller]
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it fails with `code`.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {output:?}"
    );
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with keys, and nodes on whatever store.
struct Deployment {
    folder: TempDir,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom).unwrap();
        keys.create(folder.path().join("keys.toml")).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn node(&self, store: impl Into<Store>) -> Node {
        let builder = Sessions::builder(LIST)
            .key_source(KeySource::File(self.path().join("keys.toml")))
            .store(store)
            .cookie(CookieSettings::plain_http());
        Node::serve(Default::default(), builder).await
    }
}

async fn logged_in(node: &Node, user: &str) -> Browser {
    let browser = node.browser();
    browser.post(&format!("/login/{user}")).await.is(200);
    browser
}

/// Closes the node's store, so that another process can open it.
async fn stop(node: Node) {
    let Node {
        sessions, server, ..
    } = node;
    server.stop(false).await;
    drop(sessions);
}

fn redis(url: &str, list: &str) -> Store {
    Redis::open(url, list).unwrap().into()
}

/// What a node says whose cookies live so long.
fn cookies_live(longest: Duration) -> Announcement {
    let mut announcement = Announcement::default();
    announcement.longest = longest;
    announcement
}

#[actix_web::test]
async fn a_list_moves_from_a_file_to_a_server_and_nobody_is_logged_out() {
    let here = Deployment::new();
    let server = RedisServer::start();
    let file = here.path().join("revocations.redb");
    let node = here.node(Redb::create(&file).unwrap()).await;
    let alice = logged_in(&node, "alice").await;
    let bob = logged_in(&node, "bob").await;
    let dead = bob.copy();
    bob.post("/logout").await.is(204);
    let carol = logged_in(&node, "carol").await;
    let dead_everywhere = carol.copy();
    carol.post("/logout-all").await.is(204);

    let url = server.url();
    let copy = [
        "store",
        "copy",
        "redb:revocations.redb",
        &url,
        "--list",
        LIST,
    ];
    let busy = fails(here.path(), &copy, 1);
    assert!(busy.contains("stop the server first"), "{busy}");
    stop(node).await;
    let closed = || async { Redb::open(&file).is_ok() };
    eventually(closed).await;
    let said = says(here.path(), &copy);
    assert!(said.starts_with("2 revocations copied"), "{said}");
    // A copy that was cut off can be made again.
    assert_eq!(says(here.path(), &copy), said);

    let shown = says(here.path(), &["store", "show", &url, "--list", LIST]);
    for line in [
        "store      redis",
        "longest    30days 1m",
        "sessions   1",
        "anonymous  0, of sessions since -",
        "subjects   1",
        "everyone   -",
        "unreadable 0",
    ] {
        assert!(shown.lines().any(|it| it == line), "{line} in {shown}");
    }
    let nodes = [
        here.node(redis(&url, LIST)).await,
        here.node(redis(&url, LIST)).await,
    ];
    // In the first half minute of a list a node that knew more could still speak up.
    for node in &nodes {
        for browser in [&alice, &dead, &dead_everywhere] {
            let answer = browser.copy().at(node).get("/me").await.is(503);
            assert!(answer.set_cookies().is_empty(), "{answer:?}");
        }
    }
    server.settle(LIST);
    for node in &nodes {
        eventually(|| async { alice.copy().at(node).get("/me").await.status == 200 }).await;
        alice.copy().at(node).get("/me").await.is(200);
        dead.copy().at(node).get("/me").await.is(401);
        dead_everywhere.copy().at(node).get("/me").await.is(401);
    }
    // And back.
    let back = ["store", "copy", &url, "back.redb", "--list", LIST];
    says(here.path(), &back);
    let back = here
        .node(Redb::open(here.path().join("back.redb")).unwrap())
        .await;
    alice.copy().at(&back).get("/me").await.is(200);
    dead.copy().at(&back).get("/me").await.is(401);
}

#[actix_web::test]
async fn a_dump_that_is_restored_has_forgotten_until_it_is_said_so() {
    let here = Deployment::new();
    let server = RedisServer::start();
    let url = server.url();
    let open = || redis(&url, LIST);
    let node = here.node(open()).await;
    let alice = logged_in(&node, "alice").await;
    let bob = logged_in(&node, "bob").await;
    let dead = bob.copy();
    server.command(&["SAVE"]).ok();
    let dump = server.data().join("dump.rdb");
    let backup = std::fs::read(&dump).unwrap();
    bob.post("/logout").await.is(204);
    dead.get("/me").await.is(401);
    stop(node).await;
    server.kill();
    std::fs::write(&dump, backup).unwrap();
    server.restart();

    // Nobody who could know was left: the session lives again.
    settled(&server, LIST).await;
    let node = here.node(open()).await;
    dead.copy().at(&node).get("/me").await.is(200);
    stop(node).await;

    let everyone = ["revoke", "everyone", "--store", &url, "--list", LIST];
    // What did that once says so.
    let gone = ["store", "reborn", &url, "--list", LIST, "--yes"];
    let said = fails(here.path(), &gone, 1);
    assert!(said.contains("revoke everyone"), "{said}");
    let refused = fails(here.path(), &everyone, 3);
    assert!(refused.contains("--yes"), "{refused}");
    says(here.path(), &[&everyone[..], &["--yes"]].concat());
    let node = here.node(open()).await;
    for browser in [&dead, &alice] {
        browser.copy().at(&node).get("/me").await.is(401);
    }
    let browser = logged_in(&node, "alice").await;
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_operator_ends_sessions_on_a_server_that_nodes_use() {
    let here = Deployment::new();
    let server = RedisServer::start();
    let url = server.url();
    let node = here.node(redis(&url, LIST)).await;
    let config = format!(
        "audience = \"{LIST}\"\n[keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"{url}\"\n"
    );
    std::fs::write(here.path().join("session.toml"), config).unwrap();
    let browser = node.browser();
    let id = browser.post("/login/alice").await.json();
    let id = id.as_str().unwrap();
    let other = logged_in(&node, "alice").await;
    let third = logged_in(&node, "bob").await;
    says(
        here.path(),
        &["revoke", "session", "--store", &url, "--list", LIST, id],
    );
    eventually(|| async { browser.get("/me").await.status == 401 }).await;
    other.get("/me").await.is(200);
    let config = ["--config", "session.toml"];
    says(
        here.path(),
        &[&["revoke", "user"], &config[..], &["alice"]].concat(),
    );
    eventually(|| async { other.get("/me").await.status == 401 }).await;
    third.get("/me").await.is(200);
    let elsewhere = [
        "revoke",
        "user",
        "--store",
        "session.toml",
        "--audience",
        "x",
        "bob",
    ];
    fails(here.path(), &elsewhere, 1);
    let everyone = [&["revoke", "everyone"], &config[..]].concat();
    fails(here.path(), &everyone, 3);
    third.get("/me").await.is(200);
    says(here.path(), &[&everyone[..], &["--yes"]].concat());
    eventually(|| async { third.get("/me").await.status == 401 }).await;
    let again = logged_in(&node, "bob").await;
    again.get("/me").await.is(200);
}

#[tokio::test]
async fn a_copy_goes_into_a_new_list_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::start();
    let url = server.url();
    let source: Store = Redb::create(folder.join("source.redb")).unwrap().into();
    source.announce(cookies_live(DAY)).await.unwrap();
    let now = source.contents().await.unwrap().now;
    source.publish(&[ended(1, now, now + DAY)]).await.unwrap();
    let since = source.contents().await.unwrap().complete_since;
    drop(source);

    // One with entries of its own is left as it is.
    let target = redis(&url, "used");
    target.publish(&[ended(2, now, now + HOUR)]).await.unwrap();
    let before = target.contents().await.unwrap();
    let copy =
        |to: &'static str| ["store", "copy", "source.redb", &url, "--list", to].map(str::to_owned);
    let failed = |to| {
        let arguments = copy(to);
        fails(folder, &arguments.each_ref().map(String::as_str), 1)
    };
    let said = failed("used");
    assert!(said.contains("revocations of its own"), "{said}");
    let after = target.contents().await.unwrap();
    assert_eq!(after.revocations, before.revocations);
    assert_eq!(after.complete_since, before.complete_since);

    // An empty one that claims to be older would claim too much.
    let older = redis(&url, "older");
    older.attest(since.minus(HOUR)).await.unwrap();
    let said = failed("older");
    assert!(said.contains("claims to remember since"), "{said}");

    // The remains of a copy that was cut off are no obstacle.
    let begun = redis(&url, "begun");
    begun.publish(&[ended(1, now, now + DAY)]).await.unwrap();
    let arguments = copy("begun");
    says(folder, &arguments.each_ref().map(String::as_str));
    assert_eq!(begun.contents().await.unwrap().complete_since, since);
}

#[tokio::test]
async fn a_list_that_no_node_has_used_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::start();
    let url = server.url();
    let config = |list: &str| {
        format!(
            "audience = \"a\"\n[keys]\nfile = \"keys.toml\"\n\
             [revocation]\nstore = \"{url}\"\nlist = \"{list}\"\n"
        )
    };
    std::fs::write(folder.join("typo.toml"), config("typo")).unwrap();
    let id = "0".repeat(32);
    let commands = [
        vec!["store", "show", &url, "--list", "typo"],
        vec!["store", "show", "typo.toml"],
        vec!["store", "copy", &url, "copy.redb", "--list", "typo"],
        vec!["store", "copy", "typo.toml", "copy.redb"],
        vec!["revoke", "session", "--store", &url, "--list", "typo", &id],
        vec!["revoke", "user", "--config", "typo.toml", "alice"],
        vec![
            "revoke", "everyone", "--store", &url, "--list", "typo", "--yes",
        ],
        vec!["revoke", "everyone", "--config", "typo.toml", "--yes"],
    ];
    let refused = || {
        for command in &commands {
            let said = fails(folder, command, 1);
            assert!(said.contains("that a node has used"), "{said}");
            assert!(said.contains("\"typo\""), "{said}");
        }
        assert!(!folder.join("copy.redb").exists());
    };
    refused();
    assert_eq!(server.command(&["DBSIZE"]).integer(), 0);
    // One that somebody has looked at is used as little.
    let store = redis(&url, "typo");
    store.contents().await.unwrap();
    refused();
    assert_eq!(store.contents().await.unwrap().revocations, []);
    // A node says how long its cookies live.
    store.announce(cookies_live(HOUR)).await.unwrap();
    for command in commands {
        says(folder, &command);
        let _ = std::fs::remove_file(folder.join("copy.redb"));
    }
}

#[tokio::test]
async fn a_configuration_with_a_certificate_of_ones_own_works() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("ca.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let server = RedisServer::with([
        "--tls-port",
        "{tls-port}",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    let node = redis(&server.url(), "a");
    node.announce(cookies_live(HOUR)).await.unwrap();
    let config = |more: &str| {
        format!(
            "audience = \"a\"\n[keys]\nfile = \"k\"\n[revocation]\n\
             store = \"rediss://localhost:{}\"\n{more}",
            server.tls_port()
        )
    };
    file("with.toml", config("root_certificate = \"ca.pem\""));
    file("without.toml", config(""));
    says(folder, &["store", "show", "with.toml"]);
    says(
        folder,
        &["revoke", "user", "--config", "with.toml", "alice"],
    );
    fails(folder, &["store", "show", "without.toml"], 1);
}

#[tokio::test]
async fn a_list_is_not_named_where_the_name_would_not_be_heeded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = "audience = \"a\"\n[keys]\nfile = \"k\"\n[revocation]\nstore = \"redb:a.redb\"\n";
    std::fs::write(folder.join("a.toml"), config).unwrap();
    drop(Redb::create(folder.join("a.redb")).unwrap());
    let (file, configured) = ("a file holds one list", "the configuration names the list");
    for (command, why) in [
        (vec!["store", "show", "a.redb"], file),
        (vec!["store", "show", "a.toml"], configured),
        (vec!["store", "copy", "a.redb", "b.redb"], file),
        (vec!["store", "copy", "a.toml", "b.redb"], configured),
        (
            vec!["revoke", "everyone", "--store", "a.redb", "--yes"],
            file,
        ),
        (
            vec!["revoke", "everyone", "--config", "a.toml", "--yes"],
            configured,
        ),
    ] {
        let said = fails(folder, &[&command[..], &["--list", "other"]].concat(), 1);
        assert!(said.contains("--list") && said.contains(why), "{said}");
        assert!(!folder.join("b.redb").exists());
        says(folder, &command);
        let _ = std::fs::remove_file(folder.join("b.redb"));
    }
}

#[tokio::test]
async fn a_copy_that_fails_leaves_no_file() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::under(&clock);
    let url = server.url();
    let node = |list: &'static str| {
        let store = redis(&url, list);
        async move { store.announce(cookies_live(HOUR)).await.unwrap() }
    };
    let copy = |list| ["store", "copy", &url, "new.redb", "--list", list].map(str::to_owned);
    let failed = |list| {
        let arguments = copy(list);
        let said = fails(folder, &arguments.each_ref().map(String::as_str), 1);
        assert!(!folder.join("new.redb").exists());
        said
    };
    // Of two clocks that are far apart, one would let revocations expire that have not.
    for ahead in [-61_000, 61_000] {
        clock.set(ahead);
        node("far").await;
        let said = failed("far");
        assert!(said.contains("more than a minute apart"), "{said}");
    }
    // The new list would be the older one.
    clock.set(40_000);
    node("near").await;
    let said = failed("near");
    assert!(said.contains("claims to remember since"), "{said}");
    clock.set(0);
    node("right").await;
    says(folder, &copy("right").each_ref().map(String::as_str));
    // Nor is it a target, where this machine's clock and the server's differ.
    clock.set(61_000);
    let back = ["store", "copy", "new.redb", &url, "--list", "back"];
    let said = fails(folder, &back, 1);
    assert!(said.contains("more than a minute apart"), "{said}");
    assert!(folder.join("new.redb").exists(), "it was there before");
}

#[tokio::test]
async fn what_is_no_list_is_an_error_that_tells_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::start();
    let url = server.url();
    let with_password = url.replace("redis://", "redis://operator:hunter22@");
    for (arguments, word) in [
        (vec!["store", "show", "missing.redb"], "does not exist"),
        (vec!["store", "show", "missing.toml"], "missing.toml"),
        (vec!["store", "show", url.as_str()], "--list"),
        (
            vec!["store", "show", with_password.as_str(), "--list", "a"],
            "password",
        ),
        (
            vec!["store", "show", "redis://127.0.0.1:1", "--list", "a"],
            "no connection",
        ),
        (vec!["store", "show", url.as_str(), "--list", "{a}"], "{"),
        (
            vec!["store", "copy", "missing.redb", url.as_str(), "--list", "a"],
            "does not exist",
        ),
    ] {
        let said = fails(folder, &arguments, 1);
        assert!(said.contains(word), "{arguments:?}: {said}");
        assert!(!said.contains("hunter22"), "{said}");
    }
    assert!(!folder.join("missing.redb").exists());
    fails(folder, &["store", "show", ""], 2);
}

/// The page for operators, with the addresses and keys of this test.
#[actix_web::test]
async fn every_command_of_the_operations_page_works() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let configuration = format!(
        "audience = \"shop/production\"\n[keys]\nfile = \"keys.toml\"\n\
         [revocation]\nstore = \"{}\"\n",
        server.url()
    );
    std::fs::write(folder.join("session.toml"), configuration).unwrap();
    says(folder, &["keys", "new", "keys.toml"]);
    let file: Store = Redb::create(folder.join("revocations.redb"))
        .unwrap()
        .into();
    file.announce(cookies_live(DAY)).await.unwrap();
    drop(file);
    let page = include_str!("../../docs/OPERATIONS.md").lines();
    let commands: Vec<_> = page
        .filter_map(|line| line.strip_prefix("sealed-session "))
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let keys = says(folder, &["keys", "list", "keys.toml", "--json"]);
        let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
        let key = keys[0]["id"].as_str().unwrap();
        let command = command
            .replace("redis://127.0.0.1:6379", &server.url())
            .replace(" ID ", &format!(" {key} "));
        says(folder, &command.split_whitespace().collect::<Vec<_>>());
    }
}
