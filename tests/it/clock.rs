//! A clock that is wrong: ahead or behind, for a while or against the store's.

use std::time::Duration;

use sealed_session::revoke::WhenStale;
use sealed_session::store::StoreError;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use support::{Browser, DAY, HOUR, MINUTE, Node, SECOND, builder, log, memory};

use super::site::target;
use super::store_down::is_unavailable;

#[actix_web::test]
async fn a_logout_under_a_slow_clock_ends_the_session() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    let right = t.clock.now();
    t.clock.set(right.minus(2 * MINUTE));
    browser.post("/logout").await.is(204);
    stolen.copy().get("/me").await.is(401);
    t.clock.set(right);
    stolen.get("/me").await.is(401);
}

/// A list that has forgotten too early is not merely stale.
#[actix_web::test]
async fn who_accepts_a_stale_list_accepts_none_that_has_forgotten_too_early() {
    let node = Node::with(|builder| builder.when_stale(WhenStale::Accept, 10 * SECOND)).await;
    let ended = node.browser();
    ended.post("/remember/alice").await.is(200);
    let stolen = ended.copy();
    ended.post("/logout").await.is(204);
    let right = node.clock.now();
    node.clock.set(right + 40 * DAY);
    node.sessions.sweep().await.unwrap();
    node.clock.set(right + HOUR);
    is_unavailable(stolen.copy().get("/me").await);
    node.sessions.sweep().await.unwrap_err();
    stolen.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_clock_that_was_ahead_while_the_list_was_swept_revives_nobody() {
    // Far enough for the entry to be forgotten, not too far for the store to believe it.
    for (ahead, back) in [(40 * DAY, HOUR), (399 * DAY, Duration::ZERO)] {
        let node = Node::start().await;
        let (ended, living) = (node.browser(), node.browser());
        ended.post("/remember/alice").await.is(200);
        living.post("/remember/bob").await.is(200);
        let stolen = ended.copy();
        ended.post("/logout").await.is(204);
        let right = node.clock.now();

        node.clock.set(right + ahead);
        node.sessions.sweep().await.unwrap();
        node.clock.set(right + back);

        // Nobody can say now who was logged out: everyone waits, and keeps the cookie.
        for browser in [&stolen, &living] {
            let answer = browser.get("/me").await.is(503);
            assert!(answer.set_cookies().is_empty(), "{answer:?}");
            assert!(answer.header("retry-after").is_some());
        }
        node.browser().get("/plain").await.is(200);

        // The next sweep draws the line: what began before cannot be judged.
        node.sessions.sweep().await.unwrap_err();
        stolen.get("/me").await.is(401);
        living.get("/me").await.is(401);
        living.post("/remember/bob").await.is(200);
        living.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_clock_that_no_store_believes_forgets_nothing() {
    for (ahead, back) in [(401 * DAY, Duration::ZERO), (500 * DAY, HOUR)] {
        let node = Node::start().await;
        let browser = node.browser();
        browser.post("/remember/alice").await.is(200);
        let stolen = browser.copy();
        browser.post("/logout").await.is(204);
        let right = node.clock.now();

        node.clock.set(right + ahead);
        let swept = node.sessions.sweep().await;
        assert!(matches!(swept, Err(StoreError::Clock(_))), "{swept:?}");
        node.clock.set(right + back);
        stolen.get("/me").await.is(401);
        node.sessions.sweep().await.unwrap();
        stolen.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn a_store_whose_clock_is_off_by_more_than_a_minute_allows_no_login() {
    for (seconds, works) in [(0, true), (60, true), (61, false), (120, false)] {
        for ahead in [true, false] {
            let clock = ManualClock::default();
            let offset = Duration::from_secs(seconds);
            let theirs = if ahead {
                clock.now() + offset
            } else {
                clock.now().minus(offset)
            };
            // It is set when the node has started: one that is off then starts no node.
            let clock_there = ManualClock::new(clock.now().minus(SECOND));
            let node = Node::on(&clock, log(&clock_there)).await;
            clock_there.set(theirs);
            let browser = node.browser();
            let answer = browser.post("/login/alice").await;
            if works {
                answer.is(200);
                browser.get("/me").await.is(200);
            } else {
                is_unavailable(answer);
            }
        }
    }
}

#[actix_web::test]
async fn clock_skew_a_node_a_minute_behind_takes_what_others_seal() {
    for skew in [30, 60] {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let node = Node::on(&clock, store.clone()).await;
        let behind = ManualClock::new(clock.now().minus(skew * SECOND));
        let late = Node::serve(behind.clone(), builder(&behind, store)).await;
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        browser.copy().at(&late).get("/me").await.is(200);
        let there = late.browser();
        there.post("/login/bob").await.is(200);
        there.get("/me").await.is(200);
        there.at(&node).get("/me").await.is(200);
    }
}
