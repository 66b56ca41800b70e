//! Which entries a login takes over: those of its own browser's anonymous session, and no others.

use sealed_session::Sessions;
use serde_json::json;
use support::gate::during;
use support::{Browser, HOUR, MINUTE, Node, SECOND};

use super::direct::{anonymous, cart, load, login, sent, sessions};
use super::site::target;

#[actix_web::test]
async fn entries_of_an_ended_session_do_not_follow_into_a_login_in_flight() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    victim
        .put("/entries/card", serde_json::json!("4111"))
        .await
        .is(204);
    let thief = victim.copy();
    during(
        "a16",
        thief.post("/late/a16/login/mallory"),
        victim.post("/logout-all"),
    )
    .await;
    thief.get("/me").await.is(200);
    thief.get("/entries/card").await.is(404);
}

#[actix_web::test]
async fn entries_of_one_user_do_not_become_anothers() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    browser
        .put("/entries/card", serde_json::json!("4111"))
        .await
        .is(204);
    browser.post("/login/bob").await.is(200);
    browser.get("/entries/card").await.is(404);
}

#[actix_web::test]
async fn a_double_click_on_a_login_keeps_the_anonymous_entries_in_both_answers() {
    let node = Node::start().await;
    let anonymous = node.browser();
    anonymous.put("/entries/cart", json!(["tea"])).await.is(204);
    let (second, late) = (anonymous.copy(), anonymous.copy());
    anonymous.post("/login/alice").await.is(200);
    node.clock.advance(9 * SECOND);
    second.post("/login/alice").await.is(200);
    for browser in [&anonymous, &second] {
        browser.get("/me").await.is(200);
        browser.get("/entries/cart").await.is(200);
    }
    node.clock.advance(SECOND);
    late.post("/login/alice").await.is(200);
    late.get("/entries/cart").await.is(404);
}

/// However often somebody logs in over it.
async fn nobody_inherits(sessions: &Sessions, copied: &str) {
    for _ in 0..3 {
        let cookie = login(sessions, copied, "mallory").await;
        assert_eq!(cart(sessions, &cookie), None);
    }
}

/// Two logins over a copied cookie look like a double click.
#[actix_web::test]
async fn entries_of_a_session_that_was_logged_out_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let copied = anonymous(&sessions, "the owner's").await;
    let loaded = load(&sessions, &copied);
    loaded.session.logout().await.unwrap();
    sent(&sessions, loaded).await;
    clock.advance(HOUR / 2);
    nobody_inherits(&sessions, &copied).await;
}

#[actix_web::test]
async fn entries_of_a_session_that_an_administrator_ended_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let copied = anonymous(&sessions, "the owner's").await;
    clock.advance(MINUTE);
    let id = load(&sessions, &copied).session.id().unwrap();
    sessions.end_session(id).await.unwrap();
    nobody_inherits(&sessions, &copied).await;
}

#[actix_web::test]
async fn entries_of_a_cookie_that_was_renewed_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let old = anonymous(&sessions, "old").await;
    let loaded = load(&sessions, &old);
    loaded.session.insert("cart", "new").unwrap();
    loaded.session.renew();
    let new = sent(&sessions, loaded).await;
    clock.advance(MINUTE);
    assert_eq!(cart(&sessions, &new).as_deref(), Some("new"));
    // Also right after the owner's login.
    let owner = login(&sessions, &new, "alice").await;
    assert_eq!(cart(&sessions, &owner).as_deref(), Some("new"));
    nobody_inherits(&sessions, &old).await;
}
