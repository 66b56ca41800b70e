//! Calls one after another in a handler mean what users of actix-session know.

use std::collections::BTreeMap;

use actix_web::Result;
use sealed_session::{Session, SessionStatus};
use serde_json::json;
use support::Node;

use super::site::{done, handler};

/// RFC 9110, section 15.5.2.
#[actix_web::test]
async fn every_401_says_how_to_log_in() {
    let browser = handler!(async |session: Session| {
        session.confirm().await?;
        Result::<_>::Ok(done())
    });
    let challenge = Some("Cookie realm=\"session\"");
    let answer = browser.get("/me").await.is(401);
    assert_eq!(answer.header("www-authenticate"), challenge);
    // `logout_all` of nobody, and `confirm` of a session that has ended.
    let answer = browser.post("/logout-all").await.is(401);
    assert_eq!(answer.header("www-authenticate"), challenge);
    browser.post("/login/alice").await.is(200);
    let answer = browser.get("/me").await.is(200);
    assert_eq!(answer.header("www-authenticate"), None);
}

#[actix_web::test]
async fn update_saves() {
    let browser = handler!(async |session: Session| {
        session.update("a", |a: u32| a + 1)?;
        session.update("missing", |a: u32| a + 1)?;
        session.update_or("b", 10, |b: u32| b + 1)?;
        Result::<_>::Ok(done())
    });
    browser.post("/do").await.is(204);
    browser.get("/entries/a").await.is(404);
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.post("/do").await.is(204);
    assert_eq!(browser.get("/entries/a").await.is(200).json(), 2);
    assert_eq!(browser.get("/entries/b").await.is(200).json(), 11);
    browser.get("/entries/missing").await.is(404);
}

#[actix_web::test]
async fn an_entry_that_does_not_fit_leaves_the_session_as_it_was() {
    let browser = handler!(async |session: Session| {
        let large = "x".repeat(5_000);
        let before = session.id();
        assert!(session.insert("a", &large).is_err());
        assert_eq!(session.id(), before, "no session begins");
        session.insert("a", "old")?;
        for key in ["a", "b"] {
            assert!(session.insert(key, &large).is_err());
        }
        assert_eq!(session.get::<String>("a")?.as_deref(), Some("old"));
        assert!(!session.contains_key("b"));
        session.insert("c", 1)?;
        Result::<_>::Ok(done())
    });
    // Also one that came in a cookie.
    for _ in 0..2 {
        browser.post("/do").await.is(204);
        assert_eq!(browser.get("/entries/a").await.is(200).json(), "old");
        browser.get("/entries/b").await.is(404);
        assert_eq!(browser.get("/entries/c").await.is(200).json(), 1);
    }
}

#[actix_web::test]
async fn the_status_tells_what_happened() {
    let browser = handler!(async |session: Session| {
        let mut seen = vec![session.status()];
        let mut note = |session: &Session| seen.push(session.status());
        session.get::<u32>("a")?;
        note(&session);
        session.insert("a", 1)?;
        note(&session);
        session.renew();
        note(&session);
        session.insert("a", 2)?;
        note(&session);
        session.purge();
        note(&session);
        session.renew();
        session.insert("a", 3)?;
        note(&session);
        assert_eq!(session.get::<u32>("a")?, None);
        assert!(session.entries().is_empty());
        use SessionStatus::{Changed, Purged, Renewed, Unchanged};
        let expected = [
            Unchanged, Unchanged, Changed, Renewed, Renewed, Purged, Purged,
        ];
        assert_eq!(seen, expected);
        Result::<_>::Ok(done())
    });
    for _ in 0..2 {
        browser.post("/do").await.is(204);
        browser.get("/entries/a").await.is(404);
        browser.put("/entries/a", json!(0)).await.is(204);
    }
}

#[actix_web::test]
async fn values_are_read_by_type() {
    let browser = handler!(async |session: Session| {
        session.insert("number", 5u32)?;
        session.insert("text", "five")?;
        assert_eq!(session.get::<u64>("number")?, Some(5));
        session.get::<String>("number").unwrap_err();
        session.get::<u32>("text").unwrap_err();
        session.update("text", |n: u32| n).unwrap_err();
        session.update_or("text", 1, |n: u32| n).unwrap_err();
        assert_eq!(session.get::<String>("text")?.as_deref(), Some("five"));
        let entries: BTreeMap<_, _> = session.entries();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["number", "text"]);
        assert_eq!(entries["number"].decode::<i8>()?, 5);
        assert!(session.contains_key("text"));
        assert_eq!(session.remove_as::<String>("text").unwrap()?, "five");
        assert!(!session.contains_key("text"));
        session.remove_as::<String>("number").unwrap().unwrap_err();
        assert!(
            session.remove_as::<u32>("number").is_none(),
            "removed nevertheless"
        );
        Result::<_>::Ok(done())
    });
    browser.post("/do").await.is(204);
}

#[actix_web::test]
async fn a_closure_may_use_the_session_that_it_updates() {
    let browser = handler!(async |session: Session| {
        session.insert("a", 1)?;
        session.update("a", |a: u32| {
            session.insert("b", a).unwrap();
            a + session.get::<u32>("b").unwrap().unwrap()
        })?;
        assert_eq!(session.get::<u32>("a")?, Some(2));
        assert!(!format!("{}{session:?}", session.contains_key("a")).is_empty());
        Result::<_>::Ok(done())
    });
    browser.post("/do").await.is(204);
}

#[actix_web::test]
async fn entries_are_set_read_and_removed() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.get("/entries/color").await.is(404);
    browser
        .put("/entries/color", json!({"r": 1, "g": [2, 3]}))
        .await
        .is(204);
    assert_eq!(
        browser.get("/entries/color").await.is(200).json(),
        json!({"r": 1, "g": [2, 3]})
    );
    browser.delete("/entries/color").await.is(204);
    browser.get("/entries/color").await.is(404);
}
