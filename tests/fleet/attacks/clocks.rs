//! Clocks of servers that are wrong.

use sealed_session::revoke::{Purpose, ReplicatedLog};
use sealed_session::{Sessions, settings::CookieSettings, time::UnixMillis};

use super::{LIST, complete_since, node, node_on, open, remembered, status};
use support::faulty::Faulty;
use support::moved_clock::MovedClock;
use support::redis_server::RedisServer;
use support::{self, Browser, Node, SECOND, ended, eventually};

/// A server whose clock can be moved, a node on it and a user there. `None` where no clock can be moved.
async fn begin(user: &str) -> Option<(MovedClock, RedisServer, Node, Browser)> {
    let clock = MovedClock::build()?;
    let server = RedisServer::under(&clock);
    let node = node(&server).await;
    let browser = remembered(&node, user).await;
    Some((clock, server, node, browser))
}

/// The server is lost, and an empty one in its place, whose clock is so many milliseconds ahead.
fn begin_anew(server: &RedisServer, clock: &MovedClock, ahead: i64) {
    server.kill();
    clock.set(ahead);
    server.restart_empty();
}

#[actix_web::test]
async fn a_raise_by_a_server_whose_clock_is_far_behind_is_kept() {
    let Some((clock, server, node, browser)) = begin("carol").await else {
        return;
    };
    let stolen = browser.copy();
    clock.set(-40 * 24 * 3_600_000);
    let health = || node.sessions.health();
    eventually(|| async { health().staleness > 2 * SECOND }).await;
    browser.post("/logout-all").await.is(204);
    clock.set(0);
    // Nothing is swept while the clocks disagree.
    eventually(|| async { node.sessions.sweep().await.is_ok() }).await;
    assert_eq!(status(&stolen, &node).await, 401);
    let other = super::node(&server).await;
    assert_eq!(status(&stolen, &other).await, 401);
}

/// It began with a server that is half a minute behind, which is tolerated: what it hands out is below what
/// the lost one did.
async fn raised_after_a_loss(path: &str) {
    let Some((clock, server, first, browser)) = begin("grace").await else {
        return;
    };
    browser.post(path).await.is(204);
    let again = remembered(&first, "grace").await;
    let copy = again.copy();
    first.stop().await;
    begin_anew(&server, &clock, -30_000);
    let second = node(&server).await;
    assert_eq!(status(&copy, &second).await, 200);
    again.at(&second).post(path).await.is(204);
    assert_eq!(status(&copy, &second).await, 401);
}

#[actix_web::test]
async fn a_session_is_below_the_generation_that_it_raised() {
    raised_after_a_loss("/logout-all").await;
}

#[actix_web::test]
async fn a_session_is_below_everyones_generation_that_it_raised() {
    raised_after_a_loss("/logout-everyone").await;
}

/// What was dropped under a clock that was ahead may still be needed.
#[actix_web::test]
async fn a_list_that_was_swept_in_the_future_knows_of_nothing() {
    let Some((clock, server, first, browser)) = begin("bob").await else {
        return;
    };
    let stolen = browser.copy();
    browser.post("/logout").await.is(204);
    first.stop().await;
    clock.set(31 * 24 * 3_600_000);
    assert_eq!(open(&server).sweep().await.unwrap(), 1);
    clock.set(0);
    let second = node_on(open(&server)).await;
    assert_eq!(status(&stolen, &second).await, 503);
    // Nor when nobody else can be waited for.
    server.settle(LIST);
    eventually(|| async { status(&stolen, &second).await == 401 }).await;
}

/// The list is whole, and nothing tells that from one that was swept in the future. No node starts on it
/// until the clock is right.
#[actix_web::test]
async fn a_server_whose_clock_is_far_behind_loses_nothing() {
    let Some((clock, server, first, browser)) = begin("bob").await else {
        return;
    };
    let stolen = browser.copy();
    browser.post("/logout").await.is(204);
    first.stop().await;
    let before = complete_since(&open(&server)).await;
    clock.set(-40 * 24 * 3_600_000);
    let refused = Sessions::builder("test")
        .keys(support::ring())
        .store(open(&server))
        .cookie(CookieSettings::plain_http());
    let refused = refused.start().await.unwrap_err();
    assert!(refused.to_string().contains("tolerated"), "{refused}");
    clock.set(0);
    assert_eq!(complete_since(&open(&server)).await, before);
    let second = node(&server).await;
    assert_eq!(status(&stolen, &second).await, 401);
    let mut kept = 0;
    let mut count = |batch: Vec<_>| kept += batch.len();
    open(&server).snapshot(&mut count).await.unwrap();
    assert_eq!(kept, 1);
}

/// What the store has swept, and a node whose clock is behind has not.
#[actix_web::test]
async fn what_is_about_to_end_is_not_restored() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = RedisServer::under(&clock);
    clock.set(20_000);
    let store = Faulty::around(open(&server));
    let node = node_on(store.clone()).await;
    let other = open(&server);
    let now = other.read(&[]).await.unwrap().state.now;
    let until = UnixMillis::new(now.as_millis() - 2_000);
    other
        .publish(&[ended(9, now, until)], Purpose::Revoke)
        .await
        .unwrap();
    eventually(|| async { node.sessions.health().entries == 1 }).await;
    assert_eq!(other.sweep().await.unwrap(), 1);
    store.fail_once();
    eventually(|| async { store.snapshots() == 2 }).await;
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(store.restored(), 0);
}

/// It was begun anew by a clock that was ahead, and is believed when the clock is right again.
#[actix_web::test]
async fn an_epoch_that_began_in_the_future_keeps_nobody_out_for_long() {
    let Some((clock, server, node, browser)) = begin("alice").await else {
        return;
    };
    let before = node.sessions.health().complete_since;
    begin_anew(&server, &clock, 3_600_000);
    let ahead = complete_since(&open(&server)).await;
    assert!(ahead > before);
    clock.set(0);
    eventually(|| async { complete_since(&open(&server)).await == before }).await;
    eventually(|| async { status(&browser, &node).await == 200 }).await;
}

/// A session from before that time, by such a clock, may have ended unnoticed. Where no node is left to attest an
/// earlier time, the list has to be removed.
#[actix_web::test]
async fn an_epoch_that_began_in_the_future_admits_nobody_until_then_unless_it_is_removed() {
    let Some((clock, server, first, _)) = begin("erin").await else {
        return;
    };
    first.stop().await;
    begin_anew(&server, &clock, 3_600_000);
    let ahead = complete_since(&open(&server)).await;
    clock.set(0);
    let second = node(&server).await;
    assert_eq!(complete_since(&open(&server)).await, ahead);
    let early = remembered(&second, "erin").await;
    assert_eq!(status(&early, &second).await, 401);
    // The nodes go on, and restore what they hold.
    server.command(&["FLUSHALL"]).ok();
    eventually(|| async { second.sessions.health().complete_since < ahead }).await;
    let late = remembered(&second, "erin").await;
    eventually(|| async { status(&late, &second).await == 200 }).await;
}
