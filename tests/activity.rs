//! When a session was last used: the activity cookie, and what a response that wrote nothing carries.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Answer, Browser, DAY, MINUTE, Node, SECOND};
use sealed_session::time::Clock;
use serde_json::json;

async fn logged_in(node: &Node) -> Browser {
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser
}

/// The names of the cookies that an answer sets.
fn names(answer: &Answer) -> Vec<&str> {
    let cookies = answer.set_cookies().into_iter();
    cookies.filter_map(|it| it.split('=').next()).collect()
}

#[actix_web::test]
async fn a_read_beside_a_write_loses_nothing_whatever_arrives_last() {
    let node = Node::start().await;
    for reads_arrive_last in [false, true] {
        let browser = logged_in(&node).await;
        node.clock.advance(5 * MINUTE + SECOND);
        // All of them start from the same cookies.
        let (one, two) = (browser.copy(), browser.copy());
        let reads = [one.get("/me").await.is(200), two.get("/entries/y").await];
        let write = browser.put("/entries/y", json!("kept")).await.is(204);
        for read in &reads {
            assert_eq!(names(read), ["session.seen"], "{read:?}");
        }
        assert_eq!(names(&write), ["session"], "{write:?}");
        if reads_arrive_last {
            browser.keep(&reads[0]);
            browser.keep(&reads[1]);
        }
        let kept = browser.get("/entries/y").await.is(200);
        assert_eq!(kept.json(), "kept");
    }
}

#[actix_web::test]
async fn whoever_reads_for_hours_stays_in_until_the_absolute_end() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    for _ in 0..23 {
        node.clock.advance(59 * MINUTE);
        browser.get("/me").await.is(200);
        browser.post("/confirm").await.is(204);
    }
    node.clock.advance(DAY - 23 * 59 * MINUTE);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn whoever_holds_the_data_cookie_alone_goes_idle() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    let data = browser.session().unwrap();
    node.clock.advance(50 * MINUTE);
    browser.get("/me").await.is(200);
    node.clock.advance(11 * MINUTE);
    browser.holding(data).get("/me").await.is(401);
    browser.get("/me").await.is(200);
    browser.post("/logout-others").await.is(204);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn activity_of_another_session_or_from_the_future_is_none() {
    let node = Node::start().await;
    let (alice, bob) = (logged_in(&node).await, node.browser());
    bob.post("/login/bob").await.is(200);
    node.clock.advance(50 * MINUTE);
    bob.get("/me").await.is(200);
    let foreign = bob.cookie("session.seen").unwrap();
    // Hers alone would keep alice in for as long.
    node.clock.advance(11 * MINUTE);
    bob.copy().get("/me").await.is(200);
    alice.set_cookie("session.seen", foreign);
    alice.get("/me").await.is(401);

    let browser = logged_in(&node).await;
    let began = node.clock.now();
    for minutes in [50, 70] {
        node.clock.set(began + minutes * MINUTE);
        browser.get("/me").await.is(200);
    }
    let seen = browser.cookie("session.seen").unwrap();
    node.clock.set(began + 62 * MINUTE);
    browser.copy().get("/me").await.is(401);
    // Within the skew of clocks it counts.
    node.clock.set(began + 69 * MINUTE);
    browser.set_cookie("session.seen", seen);
    browser.get("/me").await.is(200);
    for junk in ["", "A", &"A".repeat(30), &"A".repeat(4000)] {
        browser.set_cookie("session.seen", junk);
        browser.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn assets_send_none_before_half_of_the_idle_limit_has_passed() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    node.clock.advance(6 * MINUTE);
    let image = browser.fetch("/me", "image").await.is(200);
    assert!(image.set_cookies().is_empty(), "{image:?}");
    let page = browser.copy().fetch("/me", "document").await.is(200);
    assert_eq!(names(&page), ["session.seen"]);
    node.clock.advance(24 * MINUTE);
    let image = browser.fetch("/me", "image").await.is(200);
    assert_eq!(names(&image), ["session.seen"]);
}

#[actix_web::test]
async fn a_logout_removes_the_activity_cookie_too_and_alone_it_is_none_of_ours() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    node.clock.advance(6 * MINUTE);
    browser.get("/me").await.is(200);
    let logout = browser.post("/logout").await.is(204);
    assert_eq!(logout.removed(), ["session", "session.seen"]);
    let alone = node.browser();
    alone.set_cookie("session.seen", "A".repeat(30));
    for answer in [alone.get("/me").await, alone.post("/logout").await] {
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}
