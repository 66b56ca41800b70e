//! What ends a session that was taken over ends the old cookie and every copy of it.

use std::sync::Arc;

use actix_session::config::CookieContentSecurity;
use sealed_session::adapter::Incoming;
use sealed_session::migrate::ActixSessionCookie;
use sealed_session::revoke::{
    Generation, Purpose, ReplicatedLog, Revocation, SubjectEntry, SubjectKey,
};
use sealed_session::testing::{ManualClock, MemoryLog, published_secret};
use sealed_session::{KeyRing, time::Clock};
use serde_json::json;

use super::old::{CONTENTS, Old};
use super::{READ_FOR, node, node_with};
use support::faulty::{Faulty, Mode};
use support::{Browser, DAY, MINUTE, Node, SECOND, builder, eventually, log, memory};

/// The old cookie is worth nothing, here and for as long as it is read.
async fn is_dead(node: &Node, copy: &Browser) {
    for _ in 0..6 {
        let answer = copy.copy().get("/me").await.is(401);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        node.clock.advance(DAY);
        node.sessions.sweep().await.unwrap();
    }
}

#[actix_web::test]
async fn whoever_logs_out_is_not_logged_in_again_by_the_old_cookie() {
    for content in CONTENTS {
        for logout in ["/logout", "/purge", "/logout-all", "/logout-everyone"] {
            for looks_before in [false, true] {
                let old = Old::new(content);
                let node = node(&old).await;
                let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
                let copy = browser.copy();
                if looks_before {
                    browser.get("/me").await.is(200);
                }
                let answer = browser.post(logout).await.is(204);
                let removed = if looks_before { "session" } else { "id" };
                assert_eq!(answer.removed(), [removed], "{logout}");
                assert!(browser.names().is_empty());
                is_dead(&node, &copy).await;
            }
        }
    }
}

#[actix_web::test]
async fn a_logout_on_all_devices_ends_old_cookies_that_nobody_has_seen_yet() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let laptop = old
            .browser(&node, json!({ "user_id": "alice", "on": 1 }))
            .await;
        let phone = old
            .browser(&node, json!({ "user_id": "alice", "on": 2 }))
            .await;
        let bob = old.browser(&node, json!({ "user_id": "bob" })).await;
        laptop.post("/logout-others").await.is(204);
        laptop.get("/me").await.is(200);
        bob.get("/me").await.is(200);
        is_dead(&node, &phone).await;
    }
}

#[actix_web::test]
async fn an_order_that_logs_everyone_out_ends_old_cookies_too() {
    let old = Old::new(CookieContentSecurity::Private);
    let now = ManualClock::default().now();
    let ring = KeyRing::builder()
        .key(published_secret(1), now, None)
        .everyone_before(now)
        .build()
        .unwrap();
    let node = node_with(|now| old.cookie(now + READ_FOR), |it| it.keys(ring)).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    is_dead(&node, &browser).await;
}

#[actix_web::test]
async fn an_anonymous_logout_holds_until_the_date() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "cart": 1 })).await;
    let copy = browser.copy();
    browser.get("/entries/cart").await.is(200);
    browser.post("/purge").await.is(204);
    for _ in 0..6 {
        copy.copy().get("/entries/cart").await.is(404);
        node.clock.advance(DAY);
        node.sessions.sweep().await.unwrap();
    }
}

#[actix_web::test]
async fn a_login_over_an_old_session_ends_the_old_cookie() {
    for entries in [json!({ "user_id": "alice" }), json!({ "cart": 1 })] {
        let old = Old::new(CookieContentSecurity::Private);
        let node = node(&old).await;
        let browser = old.browser(&node, entries).await;
        let copy = browser.copy();
        let answer = browser.post("/login/alice").await.is(200);
        assert_eq!(answer.removed(), ["id"]);
        // A late answer must not overwrite what the browser holds by now.
        copy.put("/entries/a", json!(1)).await.is(409);
        is_dead(&node, &copy).await;
        browser.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn an_old_cookie_reads_through_the_grace_of_a_renewal_and_no_longer() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let copy = browser.copy();
    let answer = browser.post("/renew").await.is(200);
    assert_eq!(answer.removed(), ["id"]);
    let answer = copy.get("/me").await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    copy.put("/entries/a", json!(1)).await.is(409);
    node.clock.advance(11 * SECOND);
    browser.get("/me").await.is(200);
    is_dead(&node, &copy).await;
}

#[actix_web::test]
async fn a_session_that_an_administrator_ended_does_not_come_back_by_an_old_cookie() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let copy = browser.copy();
    let header = format!("id={}", browser.cookie("id").unwrap());
    let loaded = node
        .sessions
        .load(Incoming::new([header.as_bytes()].into_iter()));
    let id = loaded.unwrap().session.id().unwrap();
    node.sessions.end_session(id).await.unwrap();
    is_dead(&node, &copy).await;
    let bob = old.browser(&node, json!({ "user_id": "bob" })).await;
    node.sessions.end_subject("bob").await.unwrap();
    is_dead(&node, &bob).await;
}

#[actix_web::test]
async fn a_session_that_one_node_ended_is_ended_on_all() {
    let old = Old::new(CookieContentSecurity::Private);
    let clock = ManualClock::default();
    // Each node has a list of its own.
    let store = log(&clock);
    clock.advance(MINUTE);
    let until = clock.now() + READ_FOR;
    let start = async || {
        let builder = builder(&clock, store.clone()).migrate(old.cookie(until));
        Node::serve(clock.clone(), builder).await
    };
    let (here, there) = (start().await, start().await);
    let browser = old.browser(&here, json!({ "user_id": "alice" })).await;
    let copy = browser.copy();
    browser.get("/me").await.is(200);
    browser.at(&there).post("/logout").await.is(204);
    copy.copy().at(&there).get("/me").await.is(401);
    eventually(|| async { copy.copy().get("/me").await.status == 401 }).await;
}

#[actix_web::test]
async fn a_session_that_was_taken_over_outlives_no_logout_that_a_copy_of_the_store_may_lack() {
    let old = Old::new(CookieContentSecurity::Private);
    let clock = ManualClock::default();
    // A node that has just met its server, which has taken the place of one that knew more.
    let store = Faulty::new(log(&clock));
    clock.advance(MINUTE);
    let plan = old.cookie(clock.now() + READ_FOR);
    let node = Node::serve(clock.clone(), builder(&clock, store.clone()).migrate(plan)).await;
    clock.advance(SECOND);
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    browser.get("/me").await.is(200);
    let lost = Revocation::Subject {
        key: SubjectKey::new("test", "alice"),
        entry: SubjectEntry::new(Generation::new(clock.now().as_millis()), clock.now() + DAY),
    };
    clock.advance(SECOND);
    let login = node.browser();
    login.post("/login/alice").await.is(200);
    browser.post("/logout-others").await.is(204);
    browser.get("/me").await.is(200);
    login.get("/me").await.is(401);
    let restored = store.publish(&[lost], Purpose::Restoration).await;
    restored.unwrap();
    eventually(|| async { browser.get("/me").await.status == 401 }).await;
}

#[actix_web::test]
async fn no_old_cookie_is_judged_while_others_may_restore_a_lost_store() {
    let old = Old::new(CookieContentSecurity::Private);
    let clock = ManualClock::default();
    // It began a second ago, perhaps for the second time.
    let store = Faulty::new(MemoryLog::new(Arc::new(clock.clone())));
    clock.advance(SECOND);
    let plan = old.cookie(clock.now() + READ_FOR);
    let node = Node::serve(clock.clone(), builder(&clock, store).migrate(plan)).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let answer = browser.get("/me").await.is(503);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    browser.get("/plain").await.is(200);
    clock.advance(30 * SECOND);
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_old_cookie_that_cannot_be_judged_is_answered_with_503_where_somebody_looks() {
    let old = Old::new(CookieContentSecurity::Private);
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    clock.advance(MINUTE);
    let plan = old.cookie(clock.now() + READ_FOR);
    let node = Node::serve(clock.clone(), builder(&clock, store.clone()).migrate(plan)).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    store.set(Mode::Down);
    store.deafen().await;
    clock.advance(11 * SECOND);
    eventually(|| async { browser.copy().get("/me").await.status == 503 }).await;
    let answer = browser.get("/me").await.is(503);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    browser.get("/plain").await.is(200);
    store.set(Mode::Up);
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.get("/me").await.is(200);
}

/// Two devices' worth in one browser, or a cookie that somebody kept.
#[actix_web::test]
async fn an_old_cookie_beside_a_session_ends_with_it() {
    for end in ["/logout", "/purge", "/login/carol"] {
        let old = Old::new(CookieContentSecurity::Private);
        let node = node(&old).await;
        let browser = node.browser();
        browser.post("/login/bob").await.is(200);
        let kept = old.browser(&node, json!({ "user_id": "alice" })).await;
        browser.set_cookie("id", kept.cookie("id").unwrap());
        let me = browser.get("/me").await.is(200);
        assert!(me.set_cookies().is_empty(), "{me:?}");
        browser.post(end).await;
        is_dead(&node, &kept).await;
    }
}

#[actix_web::test]
async fn several_old_cookies_of_a_request_end_together() {
    for logs_in in [false, true] {
        let old = Old::new(CookieContentSecurity::Private);
        let node = node(&old).await;
        let alice = old.browser(&node, json!({ "user_id": "alice" })).await;
        let bob = old.browser(&node, json!({ "user_id": "bob" })).await;
        let [one, two] = [&alice, &bob].map(|it| format!("id={}", it.cookie("id").unwrap()));
        let header = format!("{one}; {two}");
        let incoming = Incoming::new([header.as_bytes()].into_iter());
        let session = node.sessions.load(incoming).unwrap().session;
        assert_eq!(session.subject().as_deref(), Some("alice"));
        match logs_in {
            true => drop(session.authenticate("carol").await.unwrap()),
            false => session.logout().await.unwrap(),
        }
        is_dead(&node, &alice).await;
        is_dead(&node, &bob).await;
    }
}

/// An application that names its users only after a while.
#[actix_web::test]
async fn the_end_of_an_anonymous_session_holds_for_the_user_that_the_old_cookie_names_later() {
    let old = Old::new(CookieContentSecurity::Private);
    let clock = ManualClock::default();
    let store = memory(&clock);
    let until = clock.now() + READ_FOR;
    let unnamed = ActixSessionCookie::new(old.name, &old.key, until).unwrap();
    let before = builder(&clock, store.clone()).migrate(unnamed);
    let before = Node::serve(clock.clone(), before).await;
    let browser = old.browser(&before, json!({ "user_id": "alice" })).await;
    let copy = browser.copy();
    browser.get("/entries/user_id").await.is(200);
    browser.post("/logout").await.is(204);
    let after = builder(&clock, store).migrate(old.cookie(until));
    let after = Node::serve(clock.clone(), after).await;
    is_dead(&after, &copy.at(&after)).await;
}

/// What was only looked at loses nothing if it cannot be sealed any more.
#[actix_web::test]
async fn a_read_with_an_old_cookie_is_no_error_when_another_request_renews() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let header = format!("id={}", browser.cookie("id").unwrap());
    let load = || {
        let incoming = Incoming::new([header.as_bytes()].into_iter());
        node.sessions.load(incoming).unwrap()
    };
    let (reads, renews) = (load(), load());
    assert_eq!(reads.session.subject().as_deref(), Some("alice"));
    renews.session.renew();
    let renewed = node.sessions.commit(&renews.session, renews.ticket).await;
    assert_eq!(renewed.error, None);
    let read = node.sessions.commit(&reads.session, reads.ticket).await;
    assert_eq!(read.error, None);
    assert!(read.cookies.is_empty(), "{:?}", read.cookies);
}

/// Under a key that has leaked nobody can tell whose session it was: least of all that of the old cookie beside it.
#[actix_web::test]
async fn beside_a_cookie_of_a_revoked_key_nothing_is_taken_over() {
    let old = Old::new(CookieContentSecurity::Private);
    let leaked = published_secret(1);
    let ring = |revoked: bool| {
        let clock = ManualClock::default();
        let keys = KeyRing::builder().key(published_secret(2), clock.now().minus(DAY), None);
        match revoked {
            true => keys.revoked(leaked.key_id()),
            false => keys.key(published_secret(1), clock.now().minus(SECOND), None),
        }
        .build()
        .unwrap()
    };
    let clock = ManualClock::default();
    let store = memory(&clock);
    let until = clock.now() + READ_FOR;
    let start = async |revoked| {
        let builder = builder(&clock, store.clone()).keys(ring(revoked));
        let builder = builder.migrate(old.cookie(until));
        Node::serve(clock.clone(), builder).await
    };
    let before = start(false).await;
    let browser = before.browser();
    browser.post("/login/alice").await.is(200);
    let planted = old.browser(&before, json!({ "user_id": "mallory" })).await;
    browser.set_cookie("id", planted.cookie("id").unwrap());
    let after = start(true).await;
    browser.at(&after).get("/me").await.is(401);
}

/// Nobody knows when the old session began, so it may be one of those whose ends were dropped.
#[actix_web::test]
async fn an_old_anonymous_session_that_was_purged_stays_so_however_many_others_end() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node_with(
        |now| old.cookie(now + READ_FOR),
        |builder| builder.anonymous_capacity(2),
    )
    .await;
    node.clock.advance(2 * MINUTE);
    let browser = old.browser(&node, json!({ "cart": 1 })).await;
    let copy = browser.copy();
    browser.get("/entries/cart").await.is(200);
    browser.post("/purge").await.is(204);
    copy.copy().get("/entries/cart").await.is(404);
    for _ in 0..3 {
        node.clock.advance(support::SECOND);
        let stranger = node.browser();
        stranger.put("/entries/a", json!(1)).await.is(204);
        stranger.post("/purge").await.is(204);
    }
    node.clock.advance(2 * MINUTE);
    copy.get("/entries/cart").await.is(404);
}
