//! The cookie that goes out, and how one that comes in is taken.

use std::time::Duration;

use sealed_session::adapter::Incoming;
use sealed_session::settings::{CookieSettings, SameSite};
use sealed_session::testing::ManualClock;
use serde_json::json;

use super::{attribute, persistent, seen, serve, started};
use support::{Answer, DAY, HOUR, MINUTE, with};

/// The one cookie that an answer sets.
#[track_caller]
fn only(answer: &Answer) -> String {
    let [cookie] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    cookie.to_owned()
}

fn all() -> CookieSettings {
    with(CookieSettings::default(), |cookie| {
        cookie.name = "id".into();
        cookie.path = "/test/".into();
        cookie.domain = Some("shop.example.org".into());
        cookie.secure = true;
    })
}

#[actix_web::test]
async fn a_cookie_has_the_attributes_of_its_settings_and_so_has_its_removal() {
    let clock = ManualClock::default();
    for (same_site, name) in [
        (SameSite::Lax, "Lax"),
        (SameSite::Strict, "Strict"),
        (SameSite::None, "None"),
    ] {
        let settings = with(all(), |cookie| {
            cookie.same_site = same_site;
        });
        let browser = serve(&started(&clock, settings, DAY).await);
        let set = only(&browser.post("/visit").await.is(200));
        let removal = only(&browser.post("/purge").await.is(200));
        for cookie in [&set, &removal] {
            assert!(cookie.starts_with("id="), "{cookie}");
            assert_eq!(attribute(cookie, "Path"), Some("/test/"));
            assert_eq!(attribute(cookie, "Domain"), Some("shop.example.org"));
            assert_eq!(attribute(cookie, "SameSite"), Some(name));
            assert_eq!(attribute(cookie, "Secure"), Some(""));
            assert_eq!(attribute(cookie, "HttpOnly"), Some(""));
        }
        assert_eq!(attribute(&set, "Max-Age"), None);
        assert_eq!(attribute(&removal, "Max-Age"), Some("0"));
        assert!(removal.starts_with("id=;"), "{removal}");
    }
}

#[actix_web::test]
async fn what_is_not_set_is_not_in_the_cookie() {
    let clock = ManualClock::default();
    let settings = CookieSettings::plain_http();
    let browser = serve(&started(&clock, settings, DAY).await);
    let cookie = only(&browser.post("/visit").await.is(200));
    assert_eq!(attribute(&cookie, "Domain"), None);
    assert_eq!(attribute(&cookie, "Secure"), None);
    assert_eq!(attribute(&cookie, "Path"), Some("/"));
}

#[actix_web::test]
async fn a_session_is_found_in_its_cookie_alone() {
    let clock = ManualClock::default();
    let browser = serve(&started(&clock, all(), DAY).await);
    browser.post("/visit").await.is(200);
    let value = browser.cookie("id").unwrap();
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 1));
    browser.remove_cookie("id");
    browser.set_cookie("session", value);
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
}

#[actix_web::test]
async fn a_persistent_cookie_lasts_for_the_ttl() {
    let clock = ManualClock::default();
    for (ttl, seconds) in [(MINUTE, "60"), (100 * MINUTE, "6000"), (7 * DAY, "604800")] {
        let browser = serve(&persistent(&clock, ttl).await);
        let cookie = only(&browser.post("/visit").await.is(200));
        assert_eq!(attribute(&cookie, "Max-Age"), Some(seconds));
        let cookie = only(&browser.post("/renew").await.is(200));
        assert_eq!(attribute(&cookie, "Max-Age"), Some(seconds));
    }
}

#[actix_web::test]
async fn the_cookie_is_set_again_by_changes_alone() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, MINUTE).await);
    let first = only(&browser.post("/visit").await.is(200));
    for path in ["/", "/untouched"] {
        let answer = browser.get(path).await.is(200);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    let second = only(&browser.post("/visit").await.is(200));
    assert_eq!(attribute(&second, "Max-Age"), Some("60"));
    assert_ne!(first, second);
}

#[actix_web::test]
async fn a_session_that_nobody_wrote_to_has_no_cookie() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, MINUTE).await);
    for answer in [
        browser.get("/").await.is(200),
        browser.get("/untouched").await.is(200),
        browser.post("/renew").await.is(200),
        browser.post("/clear").await.is(200),
        browser.post("/purge").await.is(200),
        browser.post("/logout").await.is(401),
    ] {
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_new_session_that_ends_up_empty_has_no_cookie() {
    let clock = ManualClock::default();
    let sessions = persistent(&clock, MINUTE).await;
    for renews in [false, true] {
        let loaded = sessions.load(Incoming::new(std::iter::empty())).unwrap();
        loaded.session.insert("a", 1).unwrap();
        if renews {
            loaded.session.renew();
        }
        loaded.session.remove("a").unwrap();
        let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
        assert!(outcome.cookies.is_empty(), "{outcome:?}");
    }
}

#[actix_web::test]
async fn a_session_that_was_cleared_is_still_one() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, HOUR).await);
    browser.post("/visit").await.is(200);
    let cleared = only(&browser.post("/clear").await.is(200));
    assert_eq!(attribute(&cleared, "Max-Age"), Some("3600"));
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
    browser.post("/visit").await.is(200);
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 1));
}

#[actix_web::test]
async fn a_cookie_that_is_no_session_counts_as_none() {
    let clock = ManualClock::default();
    let sessions = started(&clock, CookieSettings::plain_http(), DAY).await;
    let browser = serve(&sessions);
    browser.post("/visit").await.is(200);
    let good = browser.session().unwrap();
    let (head, tail) = good.split_at(good.len() - 1);
    let changed = format!("{head}{}", if tail == "A" { "B" } else { "A" });
    let other = support::started("another application", CookieSettings::plain_http());
    let elsewhere = serve(&other.await);
    elsewhere.post("/visit").await.is(200);
    let foreign = elsewhere.session().unwrap();
    for value in ["", "random", &changed, head, &good.repeat(2), &foreign] {
        let reader = browser.holding(value);
        let answer = reader.get("/").await.is(200);
        assert_eq!(answer.json(), seen(None, 0), "{value}");
        // It is no obstacle either.
        let writer = browser.holding(value);
        for visits in 1..3 {
            let answer = writer.post("/visit").await.is(200);
            assert_eq!(answer.json(), seen(None, visits), "{value}");
        }
    }
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 1));
}

#[actix_web::test]
async fn a_session_ends_with_its_ttl() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, MINUTE).await);
    browser.post("/login").await.is(400);
    let user = json!({ "user": "ferris" });
    let login = browser.send(reqwest::Method::POST, "/login", Some(user));
    login.await.is(200);
    clock.advance(MINUTE - Duration::from_millis(1));
    let user = Some("ferris");
    assert_eq!(browser.get("/").await.is(200).json(), seen(user, 0));
    clock.advance(Duration::from_millis(1));
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
}
