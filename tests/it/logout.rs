//! A logout (`logout`, `purge`) ends the browser's session on every node, and is an error where it cannot.
//!
//! 1. Every session that the request carried ends, and stays so until it would have ended.
//! 2. Where a cookie may be a session that was not ended, the logout is not acknowledged.
//! 3. What is written after it belongs to a new session.

use sealed_session::adapter::Incoming;
use sealed_session::session::LogoutError;
use sealed_session::settings::{CookieSettings, PreviousCookie};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use serde_json::json;
use support::forge::{Forge, Record};
use support::{Browser, MINUTE, Node, builder, memory, with};

use super::direct::{anonymous, load, login, sessions, user};
use super::header::crowded;
use super::site::{alice_at, logged_in_with_token, session_of, target};

#[actix_web::test]
async fn a_logout_of_a_session_that_was_not_tried_is_not_acknowledged() {
    for malformed in [false, true] {
        let t = target().await;
        let browser = Browser::new(&t.url);
        browser.post("/login/alice").await.is(200);
        let stolen = browser.copy();
        let header = crowded(&browser.session().unwrap(), malformed);
        let answer = browser
            .send_raw(reqwest::Method::POST, "/logout", None, Some(header))
            .await;
        let after = stolen.get("/me").await.status;
        assert!(
            answer.status != 204 || after == 401,
            "{malformed}: logout {}, then {after}",
            answer.status
        );
    }
}

#[actix_web::test]
async fn a_logout_after_a_login_over_a_dead_cookie_ends_the_new_session() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let dead = format!("session={}", browser.session().unwrap());
    browser.post("/logout").await.is(204);
    let loaded = t
        .sessions
        .load(Incoming::new([dead.as_bytes()].into_iter()))
        .unwrap();
    loaded.session.authenticate("bob").await.unwrap();
    let outcome = t.sessions.commit(&loaded.session, loaded.ticket).await;
    let new = outcome.cookies[0].split(';').next().unwrap();
    // From a body that is still streaming.
    loaded.session.logout().await.unwrap();
    let replayed = t
        .sessions
        .load(Incoming::new([new.as_bytes()].into_iter()))
        .unwrap();
    assert_eq!(replayed.session.subject(), None);
}

#[actix_web::test]
async fn a_logout_after_a_refused_write_removes_the_cookie() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    browser.post("/renew").await.is(200);
    let answer = tab.post("/clear-logout").await; // a superseded cookie may log out
    browser.get("/me").await.is(401);
    assert!(answer.removes_cookie(), "{answer:?}");
}

#[actix_web::test]
async fn after_a_logout_a_write_begins_anew_and_after_a_purge_it_is_ignored() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    let session = session_of(&node.sessions, &browser);
    let before = session.id();
    session.logout().await.unwrap();
    session.insert("flash", "logged out").unwrap();
    assert_ne!(session.id(), before);
    assert_eq!(session.subject(), None);
    assert_eq!(
        session.get::<String>("flash"),
        Ok(Some("logged out".into()))
    );

    let session = session_of(&node.sessions, &alice_at(&node).await);
    session.purge();
    session.insert("flash", "ignored").unwrap();
    assert_eq!(session.get::<String>("flash"), Ok(None));
}

#[actix_web::test]
async fn a_logout_ends_every_session_that_the_request_carried() {
    let (sessions, _) = sessions().await;
    let planted = anonymous(&sessions, "planted").await;
    let alice = login(&sessions, "", "alice").await;
    for header in [format!("{planted}; {alice}"), format!("{alice}; {planted}")] {
        let loaded = load(&sessions, &header);
        loaded.session.logout().await.unwrap();
        for cookie in [&planted, &alice] {
            assert!(load(&sessions, cookie).session.id().is_none());
        }
    }
}

/// Nodes of old and new settings side by side.
#[actix_web::test]
async fn a_logout_ends_what_the_cookie_of_earlier_settings_holds() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let old = builder(&clock, store.clone()).start().await.unwrap();
    let settings = with(CookieSettings::plain_http(), |cookie| {
        cookie.name = "sid".into();
        cookie.previous = vec![PreviousCookie::new("session")];
    });
    let new = builder(&clock, store).cookie(settings);
    let new = new.start().await.unwrap();
    let at_new = login(&new, "", "alice").await;
    let at_old = login(&old, &at_new, "alice").await;
    let loaded = load(&new, &format!("{at_new}; {at_old}"));
    loaded.session.logout().await.unwrap();
    assert_eq!(user(&new, &at_old), None);
}

#[actix_web::test]
async fn a_dead_cookie_hides_none_that_is_ahead_of_the_clock_from_a_logout() {
    let (sessions, clock) = sessions().await;
    let dead = anonymous(&sessions, "planted").await;
    load(&sessions, &dead).session.logout().await.unwrap();
    clock.advance(3 * MINUTE);
    let alice = login(&sessions, "", "alice").await;
    let right = clock.now();
    clock.set(right.minus(2 * MINUTE));
    let loaded = load(&sessions, &format!("{dead}; {alice}"));
    loaded.session.logout().await.unwrap();
    clock.set(right);
    assert_eq!(user(&sessions, &alice), None);
}

#[actix_web::test]
async fn starting_over_makes_no_logout_in_vain() {
    let (sessions, _) = sessions().await;
    let alice = login(&sessions, "", "alice").await;
    let crowd = "session=x; ".repeat(16);
    let loaded = load(&sessions, &format!("{crowd}{alice}"));
    let refused = Err(LogoutError::MayLiveElsewhere);
    assert_eq!(loaded.session.logout().await, refused);
    loaded.session.start_over().unwrap();
    assert_eq!(loaded.session.logout().await, refused);
    assert!(user(&sessions, &alice).is_some());
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

        let anonymous = node.browser();
        anonymous.put("/entries/a", json!(1)).await.is(204);
        let stolen = anonymous.copy();
        anonymous.post(path).await.is(204);
        stolen.get("/entries/a").await.is(404);
    }
}

#[actix_web::test]
async fn a_logout_does_not_succeed_beside_a_cookie_that_it_cannot_end() {
    let node = Node::start().await;
    let (browser, ended) = logged_in_with_token(&node).await;
    browser.post("/logout").await.is(204);
    let now = node.clock.now();
    let foreign = Forge {
        version: 2,
        ..Forge::at(now)
    };
    let foreign = foreign.seal(&Record::of_alice(now));
    for (one, other) in [(&ended, &foreign), (&foreign, &ended)] {
        let header = format!("session={one}; session={other}");
        let lines = std::iter::once(header.as_bytes());
        let session = node.sessions.load(Incoming::new(lines)).unwrap().session;
        let refused = LogoutError::MayLiveElsewhere;
        assert_eq!(session.logout().await, Err(refused.clone()));
        assert_eq!(session.logout_all().await, Err(refused));
    }
}
