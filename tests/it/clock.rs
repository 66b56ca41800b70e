//! A clock that was wrong for a while brings no ended session back.
#![allow(clippy::unwrap_used)]

use common::{DAY, HOUR, Node};
use sealed_session::time::Clock;

#[actix_web::test]
async fn a_clock_that_was_ahead_while_the_list_was_swept_revives_nobody() {
    let node = Node::start().await;
    let (ended, living) = (node.browser(), node.browser());
    ended.post("/remember/alice").await.is(200);
    living.post("/remember/bob").await.is(200);
    let stolen = ended.copy();
    ended.post("/logout").await.is(204);
    let right = node.clock.now();

    // Far enough for the entry to be forgotten, not too far for the store to believe it.
    node.clock.set(right + 40 * DAY);
    node.sessions.sweep().await.unwrap();
    node.clock.set(right + HOUR);

    // Nobody can say now who was logged out: everyone waits, and keeps the cookie.
    for browser in [&stolen, &living] {
        let answer = browser.get("/me").await.is(503);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    }
    node.browser().get("/plain").await.is(200);

    // The next sweep draws the line: what began before is not vouched for.
    node.sessions.sweep().await.unwrap_err();
    stolen.get("/me").await.is(401);
    living.get("/me").await.is(401);
    living.post("/remember/bob").await.is(200);
    living.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_clock_that_no_store_believes_forgets_nothing() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/remember/alice").await.is(200);
    let stolen = browser.copy();
    browser.post("/logout").await.is(204);
    let right = node.clock.now();

    node.clock.set(right + 500 * DAY);
    node.sessions.sweep().await.unwrap_err();
    node.clock.set(right + HOUR);
    stolen.get("/me").await.is(401);
    node.sessions.sweep().await.unwrap();
    stolen.get("/me").await.is(401);
}
