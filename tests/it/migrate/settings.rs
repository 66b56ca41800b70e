//! The names, the attributes and the date.

use actix_session::config::CookieContentSecurity;
use sealed_session::migrate::ActixSessionCookie;
use sealed_session::testing::ManualClock;
use sealed_session::{
    settings::CookieSettings,
    time::{Clock, UnixMillis},
};
use serde_json::json;

use super::old::{Old, key};
use super::{READ_FOR, node, node_with};
use support::{DAY, SECOND, builder, cookie, memory};

#[actix_web::test]
async fn the_old_cookie_is_removed_with_its_own_attributes() {
    let old = Old::new(CookieContentSecurity::Private);
    let plan = |now| {
        old.cookie(now + READ_FOR)
            .domain("example.org")
            .path("/shop")
    };
    let node = node_with(plan, |it| it).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let answer = browser.get("/me").await.is(200);
    let cookies = answer.set_cookies();
    let removal = cookies.iter().find(|it| it.starts_with("id=;")).unwrap();
    for attribute in ["Domain=example.org", "Path=/shop", "Max-Age=0"] {
        assert!(removal.contains(attribute), "{removal}");
    }
}

#[actix_web::test]
async fn a_cookie_of_the_same_name_takes_the_old_ones_place() {
    let old = Old {
        name: "session",
        ..Old::new(CookieContentSecurity::Private)
    };
    let node = node(&old).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let answer = browser.get("/me").await.is(200);
    assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    assert!(!answer.removes_cookie(), "{answer:?}");
    let answer = browser.get("/me").await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    // A logout as the first request removes it once.
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    assert_eq!(browser.post("/logout").await.is(204).removed(), ["session"]);
}

#[actix_web::test]
async fn a_cookie_of_the_same_name_and_another_path_is_removed_beside() {
    let old = Old {
        name: "session",
        ..Old::new(CookieContentSecurity::Private)
    };
    let plan = |now| old.cookie(now + READ_FOR).path("/shop");
    let node = node_with(plan, |it| it).await;
    let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
    let answer = browser.get("/me").await.is(200);
    let [sets, removes] = answer.set_cookies()[..] else {
        panic!("{answer:?}");
    };
    assert!(
        sets.contains("Path=/;") || sets.ends_with("Path=/"),
        "{sets}"
    );
    assert!(!sets.contains("Max-Age=0"), "{sets}");
    assert!(removes.contains("Path=/shop") && removes.contains("Max-Age=0"));
}

#[actix_web::test]
async fn logins_are_remembered_if_the_application_says_so() {
    let old = Old::new(CookieContentSecurity::Private);
    for remember in [false, true] {
        let plan = |now| old.cookie(now + READ_FOR).remember(remember);
        let node = node_with(plan, |it| it).await;
        let browser = old.browser(&node, json!({ "user_id": "alice" })).await;
        let answer = browser.get("/me").await.is(200);
        assert_eq!(answer.json()["remembered"], remember);
        let month = format!("Max-Age={}", 30 * 24 * 3600);
        assert_eq!(answer.set_cookies()[0].contains(&month), remember);
        // The date is that of the old cookie, and prolongs nothing.
        node.clock.advance(2 * DAY);
        browser
            .get("/me")
            .await
            .is(if remember { 200 } else { 401 });
        let anonymous = old.browser(&node, json!({ "theme": "dark" })).await;
        let answer = anonymous.get("/entries/theme").await.is(200);
        assert!(!answer.set_cookies()[0].contains("Max-Age"), "{answer:?}");
    }
}

/// Why a start under these settings fails, if it does.
async fn problem(ours: CookieSettings, plan: ActixSessionCookie) -> Option<String> {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).cookie(ours);
    let started = builder.migrate(plan).start().await;
    started.err().map(|error| error.to_string())
}

#[actix_web::test]
async fn a_date_that_the_list_does_not_remember_is_refused() {
    // A session lives for thirty days at the most; the store began a second ago.
    let latest = ManualClock::default().now() + SECOND + 30 * DAY;
    let plan = |until| ActixSessionCookie::new("id", &key(1), until).unwrap();
    let ours = CookieSettings::plain_http;
    assert_eq!(problem(ours(), plan(latest)).await, None);
    // One that has passed is no mistake: applications go on with their settings.
    assert_eq!(problem(ours(), plan(UnixMillis::EPOCH)).await, None);
    let refused = problem(ours(), plan(latest + SECOND)).await.unwrap();
    assert!(refused.contains("`migrate`"), "{refused}");
    assert!(refused.contains(&latest.to_string()), "{refused}");
}

#[actix_web::test]
async fn a_cookie_that_no_browser_has_is_refused() {
    let until = ManualClock::default().now() + DAY;
    let plan = |name: &str| ActixSessionCookie::new(name, &key(1), until).unwrap();
    for plan in [
        plan("a name"),
        plan(""),
        plan("id").domain("localhost"),
        plan("id").path("shop"),
        plan("__Host-id").path("/shop"),
    ] {
        let refused = problem(cookie("session", "/"), plan).await.unwrap();
        assert!(refused.contains("`migrate`"), "{refused}");
    }
}

#[test]
fn a_key_that_actix_session_would_refuse_is_an_error() {
    let now = ManualClock::default().now();
    for length in [0, 32, 63] {
        let error = ActixSessionCookie::new("id", &vec![1; length], now).unwrap_err();
        assert!(error.to_string().contains("64 bytes"), "{error}");
    }
    // Longer ones are cut, as there.
    let old = ActixSessionCookie::new("id", &[1; 65], now).unwrap();
    // And nothing shows them.
    assert_eq!(
        format!("{old:?}"),
        format!("ActixSessionCookie {{ name: \"id\", content: Private, until: {now}, .. }}")
    );
}
