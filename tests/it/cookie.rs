//! The cookie itself: its size, its attributes, its removal, and its earlier names.

use sealed_session::settings::{CookieSettings, PreviousCookie};
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::{Answer, MINUTE, Node, builder, memory, with};

use super::site::alice_at;

fn settings(name: &str, domain: Option<&str>, previous: &[PreviousCookie]) -> CookieSettings {
    with(CookieSettings::plain_http(), |cookie| {
        cookie.name = name.into();
        cookie.domain = domain.map(str::to_owned);
        cookie.previous = previous.to_vec();
    })
}

fn previous(name: &str, domain: Option<&str>, path: &str) -> PreviousCookie {
    with(PreviousCookie::new(name), |cookie| {
        cookie.domain = domain.map(str::to_owned);
        cookie.path = path.into();
    })
}

#[actix_web::test]
async fn a_session_moves_from_a_previous_cookie_with_its_next_write() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let old = settings("old", None, &[]);
    let old = Node::serve(clock.clone(), builder(&clock, store.clone()).cookie(old)).await;
    let browser = alice_at(&old).await;
    let new = settings("session", None, &[previous("old", None, "/")]);
    let new = Node::serve(clock.clone(), builder(&clock, store).cookie(new)).await;
    let browser = browser.at(&new);
    clock.advance(50 * MINUTE);
    // It is read, with the activity cookie that belongs to it, and not moved by reading.
    let answer = browser.get("/me").await.is(200);
    assert!(
        answer.set_cookies()[0].starts_with("old.seen="),
        "{answer:?}"
    );
    clock.advance(50 * MINUTE);
    browser.get("/me").await.is(200);
    assert_eq!(browser.names(), ["old", "old.seen"]);
    browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(browser.names(), ["session"]);
    browser.get("/entries/a").await.is(200);
    browser.get("/me").await.is(200);
}

/// A request does not tell two cookies of one name apart.
#[actix_web::test]
async fn a_previous_cookie_of_the_same_name_goes_with_its_own_attributes() {
    let clock = ManualClock::default();
    let was = [previous("session", None, "/")];
    let settings = settings("session", Some("example.org"), &was);
    let builder = builder(&clock, memory(&clock)).cookie(settings);
    let node = Node::serve(clock.clone(), builder).await;
    let browser = alice_at(&node).await;
    let removals = |answer: &Answer| {
        let cookies = answer.set_cookies().into_iter();
        let removals = cookies.filter(|it| it.contains("Max-Age=0"));
        removals
            .map(|it| it.contains("Domain="))
            .collect::<Vec<_>>()
    };
    let sent = browser.copy();
    let write = sent.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(removals(&write), [false], "{write:?}");
    let logout = browser.post("/logout").await.is(204);
    assert_eq!(removals(&logout), [true, false], "{logout:?}");
}

#[actix_web::test]
async fn a_previous_cookie_that_contradicts_the_current_one_is_refused() {
    let clock = ManualClock::default();
    let same = previous("session", Some("Example.org"), "/");
    let twice = previous("old", None, "/");
    for (bad, why) in [
        (vec![same], "in use"),
        (vec![twice.clone(), twice], "twice"),
        (
            vec![previous("__Host-x", Some("example.org"), "/")],
            "__Host-",
        ),
        (vec![previous("x", Some("localhost"), "/")], "domain"),
        (vec![previous("a b", None, "/")], "name"),
        (vec![previous("x.seen", None, "/")], ".seen"),
    ] {
        let settings = settings("session", Some("example.org"), &bad);
        let builder = builder(&clock, memory(&clock)).cookie(settings);
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.contains("cookie.previous"), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[actix_web::test]
async fn a_session_that_no_browser_would_keep_is_an_error_that_says_so() {
    let node = Node::start().await;
    for size in [2_000, 2_100, 2_600, 4_050, 4_100, 100_000] {
        let browser = node.browser();
        let answer = browser.put("/entries/a", json!("x".repeat(size))).await;
        if size < 2_500 {
            answer.is(204);
            browser.get("/entries/a").await.is(200);
        } else {
            let answer = answer.is(413);
            assert!(answer.set_cookies().is_empty());
            assert!(answer.body.contains("3584"), "{answer:?}");
        }
    }
}

#[actix_web::test]
async fn a_removal_has_the_attributes_of_the_creation() {
    let attributes = |cookie: &str| {
        let parts = cookie.split("; ").skip(1).map(str::to_owned);
        let dated = |part: &String| part.starts_with("Max-Age") || part.starts_with("Expires");
        let mut parts: Vec<_> = parts.filter(|part| !dated(part)).collect();
        parts.sort();
        parts
    };
    for (settings, count) in [
        (CookieSettings::default(), 4),
        (CookieSettings::plain_http(), 3),
        (
            with(CookieSettings::default(), |cookie| {
                cookie.name = "__Secure-id".into();
                cookie.path = "/shop".into();
                cookie.domain = Some("example.org".into());
                cookie.same_site = sealed_session::settings::SameSite::None;
                cookie.partitioned = true;
            }),
            6,
        ),
    ] {
        let name = settings.name.clone();
        let node = Node::with(|builder| builder.cookie(settings)).await;
        for login in ["/login/alice", "/remember/alice"] {
            let browser = node.browser();
            let created = browser.post(login).await.is(200);
            assert!(browser.cookie(&name).is_some());
            let removed = browser.post("/logout").await.is(204);
            assert_eq!(removed.removed(), [&name]);
            let (created, removed) = (created.set_cookies()[0], removed.set_cookies()[0]);
            assert_eq!(attributes(created), attributes(removed));
            assert_eq!(attributes(removed).len(), count);
            assert!(removed.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
        }
    }
}

#[actix_web::test]
async fn removing_the_last_entry_sends_a_session_that_is_empty() {
    let node = Node::start().await;
    for end in ["remove", "clear"] {
        let browser = node.browser();
        browser.put("/entries/a", json!(1)).await.is(204);
        let answer = match end {
            "clear" => browser.post("/clear").await,
            _ => browser.delete("/entries/a").await,
        };
        let answer = answer.is(204);
        assert_eq!(answer.set_cookies().len(), 1);
        assert!(!answer.removes_cookie());
        browser.get("/entries/a").await.is(404);
        let answer = browser.delete("/entries/a").await.is(204);
        assert!(
            answer.set_cookies().is_empty(),
            "there is nothing to remove"
        );
    }
}
