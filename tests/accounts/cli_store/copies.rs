//! A list goes to another store, or comes back from a backup.

use sealed_session::revoke::Store;
use sealed_session::store::Redb;
use support::moved_clock::MovedClock;
use support::redis_server::RedisServer;
use support::{DAY, HOUR, ended, eventually, settled};

use super::{Deployment, LIST, cookies_live, fails, logged_in, redis, says, stop};

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
