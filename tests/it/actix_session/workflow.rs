//! Visits, a login and a logout, as a browser and as whoever kept an older cookie see them.

use reqwest::Method;
use sealed_session::testing::ManualClock;
use serde_json::json;

use super::{attribute, persistent, seen, serve};
use support::{Answer, Browser, DAY};

async fn log_in(browser: &Browser, user: &str) -> Answer {
    let user = json!({ "user": user });
    browser
        .send(Method::POST, "/login", Some(user))
        .await
        .is(200)
}

/// Seconds until the one cookie that an answer sets ends.
#[track_caller]
fn max_age(answer: &Answer) -> &str {
    let [cookie] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    attribute(cookie, "Max-Age").unwrap()
}

#[actix_web::test]
async fn a_session_goes_from_visits_over_a_login_to_a_logout() {
    const WEEK: &str = "604800";
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, 7 * DAY).await);
    let ferris = Some("ferris");

    // Somebody who only looks has no session.
    let answer = browser.get("/").await.is(200);
    assert_eq!(answer.json(), seen(None, 0));
    assert!(answer.set_cookies().is_empty(), "{answer:?}");

    // The first write makes one, which reading does not set again.
    let answer = browser.post("/visit").await.is(200);
    assert_eq!(answer.json(), seen(None, 1));
    assert_eq!(max_age(&answer), WEEK);
    let answer = browser.get("/").await.is(200);
    assert_eq!(answer.json(), seen(None, 1));
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let answer = browser.post("/visit").await.is(200);
    assert_eq!(answer.json(), seen(None, 2));
    assert_eq!(max_age(&answer), WEEK);

    // The login keeps the anonymous entries, under another cookie.
    let anonymous = browser.copy();
    let answer = log_in(&browser, "ferris").await;
    assert_eq!(answer.json(), seen(ferris, 2));
    assert_eq!(max_age(&answer), WEEK);
    assert_ne!(browser.session(), anonymous.session());
    assert_eq!(browser.get("/").await.is(200).json(), seen(ferris, 2));
    let member = browser.copy();
    let answer = browser.post("/visit").await.is(200);
    assert_eq!(answer.json(), seen(ferris, 3));

    // The cookie from before the login is worth nothing, and nothing is said of it.
    let answer = anonymous.get("/").await.is(200);
    assert_eq!(answer.json(), seen(None, 0));
    assert!(answer.set_cookies().is_empty(), "{answer:?}");

    // A logout removes the cookie, and every one of the session is dead.
    let stolen = browser.copy();
    let answer = browser.post("/logout").await.is(204);
    assert_eq!(max_age(&answer), "0");
    assert_eq!(attribute(answer.set_cookies()[0], "Path"), Some("/"));
    assert_eq!(browser.session(), None);
    for former in [browser, stolen, member, anonymous] {
        let answer = former.get("/").await.is(200);
        assert_eq!(answer.json(), seen(None, 0));
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}

/// As above, but by whoever kept the cookie of the login and not the one that a later write set.
#[actix_web::test]
async fn a_logout_by_an_older_cookie_of_a_session_ends_the_session() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, 7 * DAY).await);
    log_in(&browser, "ferris").await;
    let older = browser.copy();
    browser.post("/visit").await.is(200);
    let answer = older.post("/logout").await.is(204);
    assert_eq!(max_age(&answer), "0");
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
}

#[actix_web::test]
async fn a_renewal_makes_the_old_cookie_worthless_at_once() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, DAY).await);
    browser.post("/visit").await.is(200);
    let old = browser.copy();
    browser.post("/renew").await.is(200);
    assert_ne!(browser.session(), old.session());
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 1));
    assert_eq!(old.get("/").await.is(200).json(), seen(None, 0));
}

#[actix_web::test]
async fn a_renewal_counts_before_a_write_and_after_it() {
    let clock = ManualClock::default();
    for path in ["/login", "/login/renewed-first"] {
        let browser = serve(&persistent(&clock, DAY).await);
        browser.post("/visit").await.is(200);
        let old = browser.copy();
        let user = json!({ "user": "ferris" });
        let login = browser.send(Method::POST, path, Some(user));
        assert_eq!(login.await.is(200).json(), seen(Some("ferris"), 1));
        let state = seen(Some("ferris"), 1);
        assert_eq!(browser.get("/").await.is(200).json(), state);
        assert_eq!(old.get("/").await.is(200).json(), seen(None, 0), "{path}");
    }
}

#[actix_web::test]
async fn who_was_logged_out_can_log_in_again() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, DAY).await);
    for user in ["ferris", "corro"] {
        browser.post("/logout").await.is(401);
        log_in(&browser, user).await;
        browser.post("/visit").await.is(200);
        let state = seen(Some(user), 1);
        assert_eq!(browser.get("/").await.is(200).json(), state);
        browser.post("/logout").await.is(204);
    }
}

#[actix_web::test]
async fn a_guard_admits_who_is_logged_in() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, 7 * DAY).await);
    browser.get("/members/visits").await.is(404);
    browser.post("/visit").await.is(200);
    browser.get("/members/visits").await.is(404);
    log_in(&browser, "ferris").await;
    browser.post("/visit").await.is(200);
    let answer = browser.get("/members/visits").await.is(200);
    assert_eq!(answer.json(), seen(Some("ferris"), 2));
    browser.post("/logout").await.is(204);
    browser.get("/members/visits").await.is(404);
}

#[actix_web::test]
async fn middleware_and_handlers_share_one_session() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, DAY).await);
    let answer = browser.get("/shared").await.is(200);
    assert_eq!(answer.body, "middleware");
    assert_eq!(answer.header("x-names"), Some("before,handler"));
    assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    // What the middleware wrote after the handler is in the cookie too.
    let answer = browser.get("/shared").await.is(200);
    assert_eq!(answer.header("x-names"), Some("after,before,handler"));
}

#[actix_web::test]
async fn browsers_have_nothing_in_common() {
    let clock = ManualClock::default();
    let one = serve(&persistent(&clock, DAY).await);
    let two = one.holding("");
    log_in(&one, "ferris").await;
    log_in(&two, "corro").await;
    one.post("/visit").await.is(200);
    assert_eq!(one.get("/").await.is(200).json(), seen(Some("ferris"), 1));
    assert_eq!(two.get("/").await.is(200).json(), seen(Some("corro"), 0));
    one.post("/logout").await.is(204);
    assert_eq!(two.get("/").await.is(200).json(), seen(Some("corro"), 0));
}
