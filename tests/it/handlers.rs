//! What calls mean, one after another in a handler: as users of actix-session know them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use actix_web::{HttpResponse, Result, web};
use common::forge::{Forge, Record};
use common::{Browser, builder, memory, serve};
use sealed_session::testing::ManualClock;
use sealed_session::{Session, SessionStatus, time::Clock};
use serde_json::json;

/// A server with the usual routes and `extra`.
async fn start(extra: fn(&mut web::ServiceConfig)) -> Browser {
    start_at(&ManualClock::default(), extra).await
}

async fn start_at(clock: &ManualClock, extra: fn(&mut web::ServiceConfig)) -> Browser {
    let sessions = builder(clock, memory(clock)).start().await.unwrap();
    let (url, _server) = serve(&sessions, move |config| {
        config.configure(common::routes).configure(extra);
    });
    Browser::new(&url)
}

/// A browser of a server with the usual routes and a handler at `/do`.
macro_rules! handler {
    ($handler:expr) => {
        start(|config| {
            config.route("/do", web::post().to($handler));
        })
        .await
    };
}

fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

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

/// However many entries a login is given, of which no session could hold a hundredth.
#[actix_web::test]
async fn a_login_with_entries_that_do_not_fit_is_refused_before_they_cost_much() {
    let browser = handler!(async |session: Session| {
        let entries = (0..200_000).map(|number| (format!("entry-{number}"), number));
        let refused = session.authenticate_with("alice", entries).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("bytes of cookies"), "{refused}");
        done()
    });
    browser.post("/do").await.is(204);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn of_two_entries_of_a_login_the_last_counts() {
    let browser = handler!(async |session: Session| {
        session.insert("a", 0)?;
        let login = session.authenticate("alice").entry("b", 1).entry("a", 1);
        login.entry("b", 2).await?;
        Result::<_>::Ok(done())
    });
    browser.post("/do").await.is(204);
    assert_eq!(browser.get("/entries/a").await.is(200).json(), 1);
    assert_eq!(browser.get("/entries/b").await.is(200).json(), 2);
}

#[actix_web::test]
async fn a_session_that_nobody_wrote_to_costs_the_response_nothing() {
    let browser = handler!(async |session: Session| {
        session.clear();
        session.remove("a");
        session.renew();
        let inserted = session.insert("a", 1);
        session.remove("a");
        inserted.map(|()| done()).map_err(actix_web::Error::from)
    });
    let answer = browser.post("/do").await.is(204);
    assert!(answer.set_cookies().is_empty(), "new and empty: {answer:?}");
    let answer = browser.get("/plain").await.is(200);
    for header in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(answer.header(header), None);
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
async fn what_is_inserted_after_a_renewal_is_in_the_renewed_session() {
    let browser = handler!(async |session: Session| {
        session.renew();
        session.insert("after", session.id().map(|id| id.to_string()))?;
        Result::<_>::Ok(done())
    });
    for _ in 0..3 {
        let old = browser.copy();
        let answer = browser.post("/do").await.is(204);
        assert_eq!(answer.set_cookies().len(), 1);
        browser.get("/entries/after").await.is(200);
        // Nobody had a session before the first round.
        if old.session().is_some() {
            old.put("/entries/a", json!(1)).await.is(409);
        }
    }
}

#[actix_web::test]
async fn a_login_after_a_purge_in_one_handler_holds() {
    let browser = handler!(async |session: Session| {
        session.purge();
        session.insert("lost", 1)?;
        session.authenticate("alice").await?;
        session.insert("kept", 1)?;
        Result::<_>::Ok(done())
    });
    for _ in 0..2 {
        let before = browser.copy();
        browser.post("/do").await.is(204);
        assert_eq!(browser.get("/me").await.is(200).json()["user"], "alice");
        browser.get("/entries/kept").await.is(200);
        browser.get("/entries/lost").await.is(404);
        before.get("/me").await.is(401);
        browser.put("/entries/before", json!(1)).await.is(204);
    }
    browser.post("/do").await.is(204);
    browser.get("/entries/before").await.is(404);
}

#[actix_web::test]
async fn a_purge_or_renewal_before_a_login_does_not_stand_in_its_way() {
    for purge in [true, false] {
        let clock = ManualClock::default();
        let browser = start_at(&clock, |config| {
            let handler = async |session: Session, purge: web::Path<bool>| {
                match *purge {
                    true => session.purge(),
                    false => session.renew(),
                }
                session.authenticate("alice").await?;
                Result::<_>::Ok(done())
            };
            config.route("/fresh-login/{purge}", web::post().to(handler));
        })
        .await;
        let path = format!("/fresh-login/{purge}");
        let now = clock.now();
        let stranger = Forge {
            secret: 2,
            ..Forge::at(now)
        };
        let foreign = stranger.seal(&Record::of_alice(now));
        let ended = browser.copy();
        ended.post("/login/bob").await.is(200);
        let just_ended = ended.session().unwrap();
        ended.post("/logout").await.is(204);
        for held in [foreign, just_ended] {
            let browser = browser.holding(held);
            browser.post(&path).await.is(204);
            browser.get("/me").await.is(200);
        }
    }
}

#[actix_web::test]
async fn a_login_after_a_logout_and_a_logout_after_a_login_hold_in_one_handler() {
    let browser = handler!(async |session: Session| {
        session.logout().await?;
        session.authenticate("alice").await?;
        session.logout_others().await?;
        session.renew();
        session.insert("a", 1)?;
        Result::<_>::Ok(done())
    });
    for _ in 0..2 {
        let before = browser.copy();
        browser.post("/do").await.is(204);
        browser.get("/me").await.is(200);
        browser.get("/entries/a").await.is(200);
        before.get("/me").await.is(401);
    }
    let browser = handler!(async |session: Session| {
        session.authenticate("alice").await?;
        session.authenticate("bob").await?;
        session.logout().await?;
        assert!(!session.is_authenticated());
        Result::<_>::Ok(done())
    });
    browser.post("/login/carol").await.is(200);
    let before = browser.copy();
    let answer = browser.post("/do").await.is(204);
    assert_eq!(answer.removed(), ["session"]);
    before.get("/me").await.is(401);
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
            "removed all the same"
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
