//! Logouts that must not be acknowledged in vain, and cookies that must not be overwritten.

use sealed_session::adapter::Incoming;
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;

use super::{routes, target};
use common::faulty::{Call, Faulty, Mode};
use common::gate::during;
use common::{self, Browser, DAY, MINUTE, SECOND, builder, memory};

#[actix_web::test]
async fn a_logout_under_a_slow_clock_is_not_acknowledged_in_vain() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    let right = t.clock.now();
    t.clock.set(right.minus(2 * MINUTE));
    let status = browser.post("/logout").await.status;
    t.clock.set(right);
    let after = stolen.get("/me").await.status;
    assert!(
        status != 204 || after == 401,
        "logout {status}, then {after}"
    );
}

fn crowded(good: &str, malformed: bool) -> Vec<u8> {
    let mut bad = good.to_owned().into_bytes();
    bad[40] = if bad[40] == b'A' { b'B' } else { b'A' };
    let bad = String::from_utf8(bad).unwrap();
    if malformed {
        return format!("{}session={good}", "session=x; ".repeat(16)).into_bytes();
    }
    format!("{}session={good}", format!("session={bad}; ").repeat(4)).into_bytes()
}

#[actix_web::test]
async fn a_session_that_was_not_tried_is_not_overwritten() {
    for malformed in [false, true] {
        let t = target().await;
        let browser = Browser::new(&t.url);
        browser.post("/login/alice").await.is(200);
        let header = crowded(&browser.session().unwrap(), malformed);
        let answer = browser
            .send_raw(
                reqwest::Method::PUT,
                "/entries/a",
                Some(serde_json::json!(1)),
                Some(header),
            )
            .await;
        assert!(answer.set_cookies().is_empty(), "{malformed} {answer:?}");
    }
}

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
async fn a_logout_of_a_marked_session_reaches_other_nodes_or_fails() {
    let clock = ManualClock::default();
    let shared = memory(&clock);
    let store = Faulty::new(shared.clone(), Reach::Process);
    let here = builder(&clock, store.clone()).start().await.unwrap();
    let there = builder(&clock, shared).start().await.unwrap();
    let (here_url, _) = common::serve(&here, routes);
    let (there_url, _) = common::serve(&there, routes);
    let one = Browser::new(&here_url);
    let two = Browser::new(&here_url);
    one.post("/login/alice").await.is(200);
    two.post("/login/alice").await.is(200);
    let elsewhere = Browser::new(&there_url).holding(two.session().unwrap());
    store.set_call(Call::Publish, Mode::Down);
    store.set_call(Call::Raise, Mode::Down);
    one.post("/logout-all").await.is(503);
    let status = two.post("/logout").await.status;
    actix_web::rt::time::sleep(SECOND / 2).await;
    let after = elsewhere.get("/me").await.status;
    assert!(
        status != 204 || after == 401,
        "logout {status}, elsewhere {after}"
    );
}

#[actix_web::test]
async fn a_body_that_streams_after_a_renewal_can_still_log_out_everywhere() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let header = format!("session={}", browser.session().unwrap());
    let loaded = t
        .sessions
        .load(Incoming::new([header.as_bytes()].into_iter()))
        .unwrap();
    loaded.session.renew();
    let outcome = t.sessions.commit(&loaded.session, loaded.ticket).await;
    assert_eq!(outcome.cookies.len(), 1);
    t.clock.advance(20 * SECOND);
    loaded.session.logout_all().await.unwrap();
}

#[actix_web::test]
async fn logout_others_beside_a_renewal_keeps_someone() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    let answer = during("r2a6", tab.post("/late/r2a6/logout-others"), async {
        browser.post("/renew").await.is(200);
    })
    .await;
    let both = (browser.get("/me").await.status, tab.get("/me").await.status);
    assert!(both.0 == 200 || both.1 == 200, "{both:?} {answer:?}");
}

#[actix_web::test]
async fn a_list_that_has_forgotten_admits_nothing_before_its_next_sweep() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/remember/alice").await.is(200);
    let stolen = victim.copy();
    victim.post("/logout").await.is(204);
    let right = t.clock.now();
    t.clock.set(right + 399 * DAY);
    t.sessions.sweep().await.unwrap();
    t.clock.set(right);
    let answer = stolen.get("/me").await;
    assert_ne!(answer.status, 200, "{answer:?}");
}

#[actix_web::test]
async fn the_retry_of_a_logout_that_failed_is_no_success_while_the_store_is_down() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let again = browser.copy();
    t.store.set_call(Call::Publish, Mode::Down);
    browser.post("/logout").await.is(503);
    again.post("/logout").await.is(503);
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
async fn a_session_that_died_here_in_flight_can_still_be_ended_elsewhere() {
    let t = target().await;
    let (one, two) = (Browser::new(&t.url), Browser::new(&t.url));
    one.post("/login/alice").await.is(200);
    two.post("/login/alice").await.is(200);
    let cookie = format!("session={}", one.session().unwrap());
    let loaded = t
        .sessions
        .load(Incoming::new([cookie.as_bytes()].into_iter()))
        .unwrap();
    t.store.set_call(Call::Publish, Mode::Down);
    t.store.set_call(Call::Raise, Mode::Down);
    two.post("/logout-all").await.is(503);
    // Marked on this node alone: it has no say over others, and other nodes still take its cookie.
    loaded.session.logout_all().await.unwrap_err();
    loaded.session.logout().await.unwrap_err();
}
