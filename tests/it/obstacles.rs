//! A cookie that is no session: when a handler may begin another one over it, and when it is removed.
//!
//! 1. Garbage is no obstacle, and no more is a session that ended otherwise than by this browser.
//! 2. What this browser gave up or replaced is one for a short while; what may be a session elsewhere, for an hour.
//!    Then only a login sets a cookie, or a handler that starts over.
//! 3. Nothing authentic is removed unasked.
//! 4. The handler can ask for the reason.

use std::time::Duration;

use sealed_session::SessionInsertError;
use sealed_session::session::{NotWritable, Rejected};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use serde_json::json;
use support::faulty::Faulty;
use support::forge::{Forge, Record};
use support::{Browser, DAY, HOUR, MINUTE, Node, SECOND, eventually, log};

use super::direct::{load, login, sessions};
use super::site::{alice_at, logged_in_with_token, session_of, target};

#[actix_web::test]
async fn a_clock_that_is_behind_for_a_moment_takes_no_session_from_a_browser() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let right = t.clock.now();
    t.clock.set(right.minus(2 * MINUTE));
    let answer = browser.get("/me").await;
    t.clock.set(right);
    assert!(!answer.removes_cookie(), "{answer:?}");
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn the_reason_why_there_is_no_session_can_be_asked_for() {
    let node = Node::start().await;
    let rejected = |browser: &Browser| session_of(&node.sessions, browser).rejected();
    assert_eq!(rejected(&alice_at(&node).await), None);
    let everywhere = alice_at(&node).await;
    alice_at(&node).await.post("/logout-all").await.is(204);
    assert_eq!(rejected(&everywhere), Some(Rejected::SubjectEnded));
    for (path, reason) in [
        ("/logout", Rejected::Ended),
        ("/login/bob", Rejected::Succeeded),
    ] {
        let browser = alice_at(&node).await;
        let old = browser.copy();
        browser.post(path).await;
        assert_eq!(rejected(&old), Some(reason));
    }
    let idle = alice_at(&node).await;
    node.clock.advance(HOUR + SECOND);
    assert_eq!(rejected(&idle), Some(Rejected::Idle));
    assert_eq!(rejected(&idle.holding("?")), Some(Rejected::Malformed));
}

#[actix_web::test]
async fn a_page_that_must_store_something_starts_over_where_a_write_would_be_refused() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    let old = browser.copy();
    browser.post("/logout").await.is(204);
    let session = session_of(&node.sessions, &old);
    let refused = session.insert("state", 1).unwrap_err();
    assert_eq!(refused, NotWritable::Replaced.into());
    session.start_over().unwrap();
    session.insert("state", 1).unwrap();
    assert_eq!(session.get::<u8>("state"), Ok(Some(1)));
}

#[actix_web::test]
async fn a_cookie_that_does_not_open_is_removed() {
    let node = Node::start().await;
    for path in ["/me", "/entries/a"] {
        let browser = node.browser().holding("junk");
        assert_eq!(browser.get(path).await.removed(), ["session"], "{path}");
    }
    // Only where somebody looked: the cookie of another path or domain cannot be removed here.
    for path in ["/plain", "/nowhere"] {
        let browser = node.browser().holding("junk");
        assert!(!browser.get(path).await.removes_cookie(), "{path}");
    }
    for path in ["/purge", "/logout"] {
        let browser = node.browser().holding("junk");
        assert_eq!(browser.post(path).await.removed(), ["session"], "{path}");
    }
    // A write replaces it.
    let browser = node.browser().holding("junk");
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
}

/// Whatever the cookie was refused for: its browser has a successor.
#[actix_web::test]
async fn a_login_over_an_idle_cookie_is_replaced_by_no_late_write() {
    for writes_first in [false, true] {
        let (sessions, clock) = sessions().await;
        let idle = login(&sessions, "", "alice").await;
        clock.advance(2 * HOUR);
        let loaded = load(&sessions, &idle);
        assert_eq!(loaded.session.rejected(), Some(Rejected::Idle));
        if writes_first {
            loaded
                .session
                .insert("state", "of a single sign-on")
                .unwrap();
        }
        loaded.session.authenticate("alice").await.unwrap();
        let late = load(&sessions, &idle).session;
        let refused = late.insert("a", 1).unwrap_err();
        let replaced = SessionInsertError::NotWritable(NotWritable::Replaced);
        assert_eq!(refused.to_string(), replaced.to_string());
        assert_eq!(late.rejected(), Some(Rejected::Succeeded));
    }
}

#[actix_web::test]
async fn a_token_of_an_unknown_key_is_no_obstacle_on_a_store_of_one_process() {
    let node = Node::start().await;
    let now = node.clock.now();
    let unknown = Forge {
        secret: 2,
        ..Forge::at(now)
    };
    let token = unknown.seal(&Record::of_alice(now));
    let browser = node.browser().holding(&token);
    browser.get("/me").await.leaves_alone();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
    // A logout removes it, for it can be a session nowhere.
    let browser = node.browser().holding(&token);
    let answer = browser.post("/logout").await.is(204);
    assert_eq!(answer.removed(), ["session"]);
}

#[actix_web::test]
async fn a_token_of_an_unknown_key_is_no_obstacle_in_a_fleet_after_an_hour() {
    let clock = ManualClock::default();
    let node = Node::on(&clock, Faulty::new(log(&clock))).await;
    let now = node.clock.now();
    let unknown = Forge {
        secret: 2,
        ..Forge::at(now)
    };
    let token = unknown.seal(&Record::of_alice(now));
    a_foreign_token_is_an_obstacle_for_an_hour(&node, token).await;
}

#[actix_web::test]
async fn a_token_of_a_newer_version_is_no_obstacle_after_an_hour() {
    let node = Node::start().await;
    let now = node.clock.now();
    let newer = Forge {
        version: 2,
        ..Forge::at(now)
    };
    let token = newer.seal(&Record::of_alice(now));
    a_foreign_token_is_an_obstacle_for_an_hour(&node, token).await;
}

async fn a_foreign_token_is_an_obstacle_for_an_hour(node: &Node, token: String) {
    let browser = node.browser().holding(token);
    browser.get("/me").await.leaves_alone();
    // Nothing but a login may overwrite what another node may understand, and no logout is acknowledged.
    for (answer, status) in [
        (browser.put("/entries/a", json!(1)).await, 409),
        (browser.post("/purge").await, 409),
        (browser.post("/logout").await, 503),
        (browser.post("/logout-all").await, 503),
    ] {
        let answer = answer.is(status);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    let login = browser.copy();
    login.post("/login/alice").await.is(200);
    login.get("/me").await.is(200);

    // The token names its minute, so an hour is counted from the start of that.
    let minute = node.clock.now().as_secs() % 60;
    node.clock.advance(HOUR - Duration::from_secs(minute));
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.put("/entries/a", json!(1)).await.is(409);
    node.clock.advance(SECOND);
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.get("/me").await.leaves_alone();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
}

#[actix_web::test]
async fn a_token_of_a_newer_version_from_the_future_is_no_obstacle() {
    let node = Node::start().await;
    let now = node.clock.now();
    for (ahead, status) in [(0, 409), (1, 409), (2, 204), (1_000_000, 204)] {
        let mut forge = Forge::at(now);
        forge.version = 2;
        forge.minute += ahead;
        let browser = node.browser().holding(forge.seal(&Record::of_alice(now)));
        browser.put("/entries/a", json!(1)).await.is(status);
    }
}

/// A late removal would take a successor with it, and Max-Age does it anyway.
#[actix_web::test]
async fn nothing_authentic_is_removed_unasked() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    let (renewed, superseded) = logged_in_with_token(&node).await;
    renewed.post("/renew").await.is(200);
    let superseded = browser.holding(superseded);
    let ended = browser.holding(token);
    browser.post("/logout").await.is(204);
    for pause in [9 * SECOND, MINUTE, 3 * MINUTE, 2 * HOUR, DAY] {
        node.clock.advance(pause);
        ended.get("/me").await.leaves_alone();
        if pause > 9 * SECOND {
            superseded.get("/me").await.leaves_alone();
        }
    }
    renewed.get("/me").await.leaves_alone();
}

#[actix_web::test]
async fn a_cookie_that_was_given_up_or_replaced_is_no_obstacle_for_long() {
    let node = Node::start().await;
    for (end, held) in [
        ("/logout", 10 * SECOND),
        ("/login/bob", 2 * MINUTE),
        ("/renew", 2 * MINUTE),
    ] {
        let (browser, token) = logged_in_with_token(&node).await;
        browser.post(end).await;
        let old = || browser.holding(&token);
        node.clock.advance(held - SECOND);
        old().put("/entries/a", json!(1)).await.is(409);
        node.clock.advance(SECOND);
        old().put("/entries/a", json!(1)).await.is(204);
    }
}

/// Two browsers of one user, an idle limit that has passed, an administrator: nobody awaits a successor.
#[actix_web::test]
async fn a_session_that_ended_otherwise_is_no_obstacle_at_all() {
    let node = Node::start().await;
    let (one, _) = logged_in_with_token(&node).await;
    let (two, _) = logged_in_with_token(&node).await;
    one.post("/logout-all").await.is(204);
    two.put("/entries/a", json!(1)).await.is(204);
    two.get("/entries/a").await.is(200);

    let (idle, _) = logged_in_with_token(&node).await;
    node.clock.advance(HOUR + SECOND);
    idle.put("/entries/a", json!(1)).await.is(204);

    let browser = node.browser();
    let id = browser.post("/login/alice").await.is(200).json();
    let id = id.as_str().unwrap().parse().unwrap();
    node.sessions.end_session(id).await.unwrap();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
}

#[actix_web::test]
async fn while_a_session_has_just_ended_only_a_login_sets_a_cookie() {
    let node = Node::start().await;
    let (browser, _) = logged_in_with_token(&node).await;
    let ended = browser.copy();
    browser.post("/logout").await.is(204);
    let write = ended.put("/entries/a", json!(1)).await.is(409);
    assert!(write.set_cookies().is_empty(), "{write:?}");
    let logout = ended.post("/logout").await.is(204);
    assert!(logout.set_cookies().is_empty(), "{logout:?}");
    ended.post("/login/bob").await.is(200);
    assert_eq!(ended.get("/me").await.is(200).json()["user"], "bob");
}

#[actix_web::test]
async fn eviction_of_the_cookie_is_no_error() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser.remove_cookie("session");
    for path in ["/logout", "/purge"] {
        let answer = browser.post(path).await.is(204);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    browser.get("/me").await.leaves_alone();
    browser.post("/logout-all").await.is(401);
}

#[actix_web::test]
async fn fingerprint_false_alarms_there_are_none() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let cookie = format!("Cookie: session={}", browser.session().unwrap());
    for line in [
        "User-Agent: another",
        "Accept-Language: eo",
        "X-Forwarded-For: 192.0.2.1",
    ] {
        let reply = support::raw::request(&node.url, ["GET /me HTTP/1.1", &cookie, line]).await;
        assert_eq!(reply.status(), 200, "{line}");
    }
}
