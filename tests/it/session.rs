//! What a session does, seen by a client of a real server.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use common::{DAY, HOUR, MINUTE, Node, with};
use sealed_session::CookieSettings;
use serde_json::json;

#[actix_web::test]
async fn a_login_is_remembered_by_the_cookie_alone() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.get("/me").await.is(401);
    let login = browser.post("/login/alice").await.is(200);
    let [cookie] = login.set_cookies()[..] else {
        panic!("{login:?}")
    };
    for part in ["session=", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains("Max-Age"),
        "a standard session ends with the browser: {cookie}"
    );
    assert_eq!(browser.get("/me").await.is(200).json()["user"], "alice");
    assert!(
        browser.get("/me").await.set_cookies().is_empty(),
        "nothing changed"
    );
}

#[actix_web::test]
async fn entries_are_set_read_and_removed() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.get("/entries/color").await.is(404);
    browser
        .put("/entries/color", json!({"r": 1, "g": [2, 3]}))
        .await
        .is(204);
    assert_eq!(
        browser.get("/entries/color").await.is(200).json(),
        json!({"r": 1, "g": [2, 3]})
    );
    browser.delete("/entries/color").await.is(204);
    browser.get("/entries/color").await.is(404);
}

#[actix_web::test]
async fn a_login_keeps_the_entries_and_kills_the_cookie_from_before() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.put("/entries/cart", json!(["book"])).await.is(204);
    let before = browser.copy();
    browser.post("/login/alice").await.is(200);
    assert_eq!(
        browser.get("/entries/cart").await.is(200).json(),
        json!(["book"])
    );
    before.get("/entries/cart").await.is(404);
}

#[actix_web::test]
async fn a_cookie_replayed_after_logout_is_dead() {
    let node = Node::start().await;
    let browser = node.browser();
    for path in ["/logout", "/purge"] {
        browser.post("/login/alice").await.is(200);
        let stolen = browser.copy();
        let logout = browser.post(path).await.is(204);
        assert!(logout.removes_cookie(), "{logout:?}");
        assert_eq!(browser.session(), None);
        stolen.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn logout_all_ends_every_session_of_the_user_and_of_nobody_else() {
    let node = Node::start().await;
    let (laptop, phone, other) = (node.browser(), node.browser(), node.browser());
    laptop.post("/login/alice").await.is(200);
    phone.post("/remember/alice").await.is(200);
    other.post("/login/bob").await.is(200);
    let copy = laptop.copy();
    laptop.post("/logout-all").await.is(204);
    copy.get("/me").await.is(401);
    phone.get("/me").await.is(401);
    other.get("/me").await.is(200);
    phone.post("/login/alice").await.is(200);
    phone.get("/me").await.is(200);
}

#[actix_web::test]
async fn logout_others_keeps_this_session() {
    let node = Node::start().await;
    let (laptop, phone) = (node.browser(), node.browser());
    laptop.post("/login/alice").await.is(200);
    phone.post("/login/alice").await.is(200);
    let copy = laptop.copy();
    laptop.post("/logout-others").await.is(204);
    laptop.get("/me").await.is(200);
    phone.get("/me").await.is(401);
    copy.get("/me").await.is(401);
}

#[actix_web::test]
async fn logout_everyone_ends_all_sessions() {
    let node = Node::start().await;
    let (alice, bob) = (node.browser(), node.browser());
    alice.post("/login/alice").await.is(200);
    bob.post("/login/bob").await.is(200);
    alice.post("/logout-everyone").await.is(204);
    bob.get("/me").await.is(401);
    bob.post("/login/bob").await.is(200);
    bob.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_renewed_session_keeps_its_id_and_its_old_cookie_reads_for_the_grace() {
    let node = Node::start().await;
    let browser = node.browser();
    let id = browser.post("/login/alice").await.is(200).json();
    let old = browser.copy();
    assert_eq!(browser.post("/renew").await.is(200).json(), id);
    assert_eq!(browser.get("/me").await.is(200).json()["session"], id);
    old.copy().get("/me").await.is(200);
    old.copy().put("/entries/a", json!(1)).await.is(409);
    old.copy().post("/renew").await.is(409);
    node.clock.advance(Duration::from_secs(10));
    old.get("/me").await.is(401);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn the_idle_and_the_absolute_limit_are_the_servers() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let unused = browser.copy();
    node.clock.advance(HOUR - MINUTE);
    let answer = browser.get("/me").await.is(200);
    assert_eq!(
        answer.set_cookies().len(),
        1,
        "used, so the idle limit moves"
    );
    node.clock.advance(MINUTE);
    unused.get("/me").await.is(401);
    for _ in 0..45 {
        node.clock.advance(HOUR / 2);
        browser.get("/me").await.is(200);
    }
    node.clock.advance(HOUR / 2);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_remembered_session_outlives_the_browser_and_ends_all_the_same() {
    let node = Node::start().await;
    let browser = node.browser();
    let login = browser.post("/remember/alice").await.is(200);
    assert!(login.set_cookies()[0].contains("Max-Age="), "{login:?}");
    for day in 1..=29 {
        node.clock.advance(DAY);
        assert_eq!(
            browser.get("/me").await.is(200).json()["remembered"],
            true,
            "{day}"
        );
    }
    node.clock.advance(DAY);
    browser.get("/me").await.is(401);
}

/// The Max-Age of the cookie that an answer sets, in seconds.
fn max_age(answer: &common::Answer) -> Option<u64> {
    let [cookie] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    let (_, rest) = cookie.split_once("Max-Age=")?;
    Some(rest.split(';').next().unwrap().parse().unwrap())
}

#[actix_web::test]
async fn max_age_is_the_time_to_the_absolute_end() {
    let node = Node::start().await;
    let browser = node.browser();
    let login = browser.post("/remember/alice").await.is(200);
    assert_eq!(max_age(&login), Some(30 * DAY.as_secs()));
    node.clock.advance(DAY);
    let write = browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(max_age(&write), Some(29 * DAY.as_secs()));
}

#[actix_web::test]
async fn a_persistent_cookie_outlives_the_browser_for_every_session() {
    let node = Node::with(|builder| {
        builder.cookie(with(CookieSettings::plain_http(), |cookie| {
            cookie.persistent = true;
        }))
    })
    .await;
    let visitor = node.browser();
    let write = visitor.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(max_age(&write), Some(DAY.as_secs()));
    node.clock.advance(MINUTE);
    let write = visitor.put("/entries/a", json!(2)).await.is(204);
    assert_eq!(max_age(&write), Some((DAY - MINUTE).as_secs()));
    let login = visitor.post("/login/alice").await.is(200);
    assert_eq!(max_age(&login), Some(DAY.as_secs()));
    let login = node.browser().post("/remember/bob").await.is(200);
    assert_eq!(max_age(&login), Some(30 * DAY.as_secs()));
    // The class, and with it the limits, stay what they were.
    let me = visitor.get("/me").await.is(200).json();
    assert_eq!(me["remembered"], false);
    node.clock.advance(HOUR);
    visitor.get("/me").await.is(401);
}
