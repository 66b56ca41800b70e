//! A login of actix-session's lives on, and one that was ended does not come back.
#![cfg(feature = "migrate-actix-session")]

mod ends;
mod input;
mod old;
mod settings;
mod typed;

use std::time::Duration;

use actix_session::config::CookieContentSecurity;
use old::{CONTENTS, Old};
use sealed_session::adapter::Incoming;
use sealed_session::migrate::ActixSessionCookie;
use sealed_session::testing::ManualClock;
use sealed_session::{
    SessionsBuilder,
    settings::CsrfSettings,
    time::{Clock, UnixMillis},
};
use serde_json::json;
use support::{Browser, DAY, Node, builder, memory, routes, serve};

/// For how long old cookies are read.
pub const READ_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// A node that takes over what the old application left.
pub async fn node(old: &Old) -> Node {
    node_with(|now| old.cookie(now + READ_FOR), |builder| builder).await
}

/// The same, with other settings.
pub async fn node_with(
    plan: impl FnOnce(UnixMillis) -> ActixSessionCookie,
    change: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> Node {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).migrate(plan(clock.now()));
    Node::serve(clock, change(builder)).await
}

/// The id of the session that a browser is logged in with.
pub async fn id(browser: &Browser) -> String {
    browser.get("/me").await.is(200).json()["session"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[actix_web::test]
async fn whoever_was_logged_in_stays_so() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let entries = json!({ "user_id": "alice", "theme": "dark" });
        let browser = old.browser(&node, entries).await;
        let answer = browser.get("/me").await.is(200);
        assert_eq!(answer.json()["user"], "alice");
        assert_eq!(answer.set_cookies().len(), 2, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.removed(), ["id"]);
        assert_eq!(browser.names(), ["session"]);
        // From now on it is a session as every other.
        let answer = browser.get("/me").await.is(200);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        assert_eq!(browser.get("/entries/theme").await.json(), "dark");
        browser.put("/entries/theme", json!("light")).await.is(204);
        assert_eq!(browser.get("/entries/theme").await.json(), "light");
    }
}

#[actix_web::test]
async fn what_was_inserted_reads_back_by_the_same_types() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let (url, _server) = serve(&node.sessions, |config| {
            config.configure(routes).configure(typed::routes);
        });
        let browser = old.browser_with_types(&node).await;
        let there = Browser::new(&url);
        there.set_cookie("id", browser.cookie("id").unwrap());
        there.get("/typed").await.is(200);
        assert_eq!(there.names(), ["session"]);
        there.get("/typed").await.is(200);
    }
}

#[actix_web::test]
async fn a_session_without_a_user_is_anonymous() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let browser = old.browser(&node, json!({ "cart": [1, 2] })).await;
        browser.get("/me").await.is(401);
        assert_eq!(browser.names(), ["session"]);
        assert_eq!(browser.get("/entries/cart").await.json(), json!([1, 2]));
        // And its entries follow a login.
        browser.post("/login/alice").await.is(200);
        assert_eq!(browser.get("/entries/cart").await.json(), json!([1, 2]));
    }
}

#[actix_web::test]
async fn a_response_that_does_not_look_takes_nothing_over() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    for path in ["/plain", "/nowhere"] {
        let answer = browser.get(path).await;
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        assert_eq!(answer.header("vary"), None);
    }
    assert_eq!(browser.names(), ["id"]);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_session_of_ours_always_wins() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let bob = node.browser();
    bob.post("/login/bob").await.is(200);
    browser.set_cookie("session", bob.session().unwrap());
    let answer = browser.get("/me").await.is(200);
    assert_eq!(answer.json()["user"], "bob");
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    browser.get("/entries/user_id").await.is(404);
    // The next response that sets our cookie removes the other.
    let answer = browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(answer.removed(), ["id"]);
    assert_eq!(browser.names(), ["session"]);
}

#[actix_web::test]
async fn a_session_of_ours_that_ended_is_not_replaced_by_an_old_one() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let ends: [&str; 3] = ["/logout", "/logout-all", ""];
    for end in ends {
        let bob = node.browser();
        bob.post("/login/bob").await.is(200);
        let session = bob.session().unwrap();
        if !end.is_empty() {
            bob.post(end).await.is(204);
        }
        let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
        browser.set_cookie("session", session);
        if end.is_empty() {
            node.clock.advance(DAY);
        }
        let answer = browser.get("/me").await.is(401);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}

#[actix_web::test]
async fn requests_at_the_same_time_get_the_same_session() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let copy = browser.copy();
    assert_eq!(id(&browser).await, id(&copy).await);
    // Not that of another browser, although the entries are the same.
    let other = old.browser(&node, json!({ "user_id": "alice" })).await;
    assert_ne!(id(&browser).await, id(&other).await);
}

#[actix_web::test]
async fn anonymous_sessions_with_equal_signed_cookies_share_nothing() {
    let old = Old::new(CookieContentSecurity::Signed);
    let node = node(&old).await;
    let one = old.browser(&node, json!({ "theme": "dark" })).await;
    let two = old.browser(&node, json!({ "theme": "dark" })).await;
    assert_eq!(one.cookie("id"), two.cookie("id"));
    for browser in [&one, &two] {
        browser.get("/entries/theme").await.is(200);
    }
    one.post("/purge").await.is(204);
    one.get("/entries/theme").await.is(404);
    two.get("/entries/theme").await.is(200);
}

#[actix_web::test]
async fn a_login_that_was_taken_over_is_not_a_recent_one() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    node.clock.advance(support::MINUTE);
    let header = format!("id={}", browser.cookie("id").unwrap());
    let loaded = node
        .sessions
        .load(Incoming::new([header.as_bytes()].into_iter()))
        .unwrap();
    let at = loaded.session.authenticated_at().unwrap();
    assert_eq!(at, UnixMillis::EPOCH);
    // Before any order that this node has not read yet.
    let created = loaded.session.created_at().unwrap();
    assert!(created < node.clock.now(), "{created}");
}

/// Where another site may send requests to, a session that moves in with one is a session like any other.
#[actix_web::test]
async fn a_forged_login_form_replaces_no_session_that_moves_in() {
    let old = Old::new(CookieContentSecurity::Private);
    let mut csrf = CsrfSettings::default();
    csrf.exempt_paths = vec!["/login/*".into()];
    let cookie = |now| old.cookie(now + READ_FOR);
    let node = node_with(cookie, |builder| builder.csrf(csrf)).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let cross = [("sec-fetch-site", "cross-site")];
    for (user, status) in [("mallory", 403), ("alice", 200)] {
        let path = format!("/login/{user}");
        let sent = browser.send_with(reqwest::Method::POST, &path, &cross);
        sent.await.is(status);
    }
    browser.get("/me").await.is(200);
}
