//! What goes wrong elsewhere does not go wrong here.
#![allow(clippy::unwrap_used)]

use common::{DAY, MINUTE, Node, with};
use sealed_session::CookieSettings;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_cookie_replayed_after_a_purge_or_past_its_time_returns_nothing() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.put("/entries/a", json!(1)).await.is(204);
    let (replayed, old) = (browser.copy(), node.browser());
    browser.post("/purge").await.is(204);
    replayed.get("/entries/a").await.is(404);
    old.put("/entries/a", json!(1)).await.is(204);
    node.clock.advance(DAY);
    old.get("/entries/a").await.is(404);
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

#[actix_web::test]
async fn a_removal_has_the_attributes_of_the_creation() {
    let attributes = |cookie: &str| {
        let parts = cookie.split("; ").skip(1).map(str::to_owned);
        let dated = |part: &String| part.starts_with("Max-Age") || part.starts_with("Expires");
        let mut parts: Vec<_> = parts.filter(|part| !dated(part)).collect();
        parts.sort();
        parts
    };
    for settings in [
        CookieSettings::default(),
        CookieSettings::plain_http(),
        with(CookieSettings::default(), |cookie| {
            cookie.name = "__Secure-id".into();
            cookie.path = "/shop".into();
            cookie.domain = Some("example.org".into());
            cookie.same_site = sealed_session::SameSite::None;
            cookie.partitioned = true;
        }),
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

/// A handler that clears the ground before its login logs in, whatever cookie the browser holds.
#[actix_web::test]
async fn a_remembered_login_that_is_only_read_lives_to_its_absolute_end() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/remember/alice").await.is(200);
    node.clock.advance(4 * MINUTE);
    let answer = browser.get("/me").await.is(200);
    assert!(answer.set_cookies().is_empty(), "used 5 minutes ago");
    node.clock.advance(MINUTE);
    let answer = browser.get("/plain").await.is(200);
    assert!(answer.set_cookies().is_empty(), "nobody looked");
    let answer = browser.get("/me").await.is(200);
    let [seen] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    assert!(seen.starts_with("session.seen="), "{seen}");
    assert!(seen.contains("Max-Age=2591700"), "{seen}");
    for _ in 0..29 {
        node.clock.advance(DAY);
        browser.get("/me").await.is(200);
    }
    node.clock.advance(DAY);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_clients_id_is_never_adopted() {
    let node = Node::start().await;
    let visitor = node.browser();
    visitor.put("/entries/a", json!(1)).await.is(204);
    let planted = visitor.copy();
    let login = visitor.post("/login/alice").await.is(200).json();
    let again = visitor.post("/login/alice").await.is(200).json();
    assert_ne!(login, again);
    assert!(matches!(login, Value::String(id) if id.len() == 32));
    planted.get("/entries/a").await.is(404);
}
