//! The last use of a session: the activity cookie, and the cookies of a response that wrote nothing.

use futures_util::future::join_all;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::{
    KeyRing,
    time::{Clock, UnixMillis},
};
use serde_json::json;
use support::gate::during;
use support::upload::Upload;
use support::{Answer, Browser, DAY, MINUTE, Node, SECOND};

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

/// A long poll, and an upload that turns out to be garbage: both began before the write, and are answered
/// after it.
#[actix_web::test]
async fn a_slow_request_that_wrote_nothing_takes_no_write_back() {
    let node = Node::start().await;
    // Before a use is worth an activity cookie, and after it.
    for age in [200, 310] {
        for what in ["poll", "garbage"] {
            let browser = logged_in(&node).await;
            node.clock.advance(age * SECOND);
            let tab = browser.copy();
            let name = format!("{what}-{age}");
            let meanwhile = async {
                node.clock.advance(MINUTE);
                browser.put("/entries/y", json!("kept")).await.is(204);
                node.clock.advance(MINUTE);
            };
            let answer = if what == "poll" {
                let path = format!("/held/{name}/read");
                during(&name, tab.get(&path), meanwhile).await.is(200)
            } else {
                let upload = Upload::of(&tab, &name, b"garbage".to_vec()).await;
                meanwhile.await;
                upload.finish().await.is(400)
            };
            assert!(!names(&answer).contains(&"session"), "{name}: {answer:?}");
            browser.keep(&answer);
            let kept = browser.get("/entries/y").await.is(200);
            assert_eq!(kept.json(), "kept");
        }
    }
}

#[actix_web::test]
async fn a_read_beside_the_first_write_under_a_new_key_takes_nothing_back() {
    let begins = ManualClock::default().now() + 4 * MINUTE;
    let ring = KeyRing::builder()
        .key(published_secret(1), UnixMillis::EPOCH, None)
        .key(published_secret(2), begins, None);
    let ring = ring.build().unwrap();
    let node = Node::with(|builder| builder.keys(ring)).await;
    let browser = logged_in(&node).await;
    let old_key = node.sessions.health().sealing;
    let (one, two) = (browser.copy(), browser.copy());
    node.clock.set(begins.minus(SECOND));
    let read = during("new-key", one.get("/held/new-key/read"), async {
        node.clock.advance(2 * SECOND);
        assert_ne!(node.sessions.health().sealing, old_key);
        browser.put("/entries/y", json!("kept")).await.is(204);
    });
    // One of the burst began before the new key, one after it.
    for answer in [read.await, two.get("/me").await] {
        let answer = answer.is(200);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        browser.keep(&answer);
    }
    let kept = browser.get("/entries/y").await.is(200);
    assert_eq!(kept.json(), "kept");
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
    // A page's burst of them costs neither a cookie each, nor what caches keep of them.
    let kinds = ["image", "style", "script", "font", "track"].repeat(4);
    let burst = kinds.into_iter().map(|kind| browser.fetch("/me", kind));
    for asset in join_all(burst).await {
        let asset = asset.is(200);
        assert!(asset.set_cookies().is_empty(), "{asset:?}");
        let cached = asset.header("cache-control").unwrap_or_default();
        assert!(!cached.contains("no-store"), "{asset:?}");
    }
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

/// A request that takes long is a use until its response is ready, and tells no old time last.
#[actix_web::test]
async fn a_slow_answer_does_not_set_the_idle_clock_back() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    node.clock.advance(6 * MINUTE);
    let slow = during("slow-read", browser.get("/held/slow-read/read"), async {
        node.clock.advance(30 * MINUTE);
        browser.get("/me").await.is(200);
        node.clock.advance(SECOND);
    });
    browser.keep(&slow.await.is(200));
    node.clock.advance(59 * MINUTE);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_answer_that_took_longer_than_the_idle_limit_tells_of_its_use() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    node.clock.advance(MINUTE);
    let slow = during("slowest", browser.get("/held/slowest/read"), async {
        node.clock.advance(61 * MINUTE);
    });
    browser.keep(&slow.await.is(200));
    node.clock.advance(MINUTE);
    browser.get("/me").await.is(200);
}
