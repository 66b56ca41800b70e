//! What differs from actix-session on purpose. The tables of docs/MIGRATION.md say each of these.

use std::time::Duration;

use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, Result, web};
use sealed_session::actix::{NoSession, SessionExt, SessionMiddleware};
use sealed_session::adapter::{CommitError, Incoming};
use sealed_session::testing::{ManualClock, cookie, session};
use sealed_session::{
    Session, SessionStatus,
    settings::{CookieSettings, Lifetimes},
};
use serde_json::json;

use super::{attribute, persistent, seen, serve, started};
use support::faulty::{Faulty, Mode};
use support::{Browser, DAY, HOUR, MINUTE, SECOND, builder, log, memory, serve_app, with};

#[actix_web::test]
async fn without_a_middleware_there_is_no_session() {
    let request = TestRequest::default().to_srv_request();
    let missing = request.get_session().unwrap_err();
    assert!(matches!(missing, NoSession::MissingMiddleware(_)));
    let response = request.into_response(HttpResponse::Ok().finish());
    response.get_session().unwrap_err();
}

/// There it is a change, and a cookie.
#[actix_web::test]
async fn removing_nothing_changes_nothing() {
    let session = session().await;
    assert!(session.remove("a").is_none());
    session.clear();
    assert_eq!(session.status(), SessionStatus::Unchanged);
    session.insert("a", 1).unwrap();
    session.renew();
    session.clear();
    assert_eq!(session.status(), SessionStatus::Renewed);
}

/// There `update` alone is lost.
#[actix_web::test]
async fn an_update_alone_is_saved() {
    async fn next(session: Session) -> Result<String> {
        session.update("visits", |visits: u32| visits + 1)?;
        Ok(format!("{:?}", session.get::<u32>("visits")?))
    }
    let clock = ManualClock::default();
    let sessions = persistent(&clock, DAY).await;
    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .configure(super::application)
            .route("/update", web::post().to(next))
    };
    let (url, _server) = serve_app!(1, app());
    let browser = Browser::new(&url);
    browser.post("/visit").await.is(200);
    for visits in 2..4 {
        let answer = browser.post("/update").await.is(200);
        assert_eq!(answer.body, format!("Some({visits})"));
        assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    }
}

/// There, with a store, all cookies of a session show its newest state.
#[actix_web::test]
async fn a_cookie_keeps_the_state_that_it_was_set_with() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, DAY).await);
    browser.post("/visit").await.is(200);
    let older = browser.copy();
    browser.post("/visit").await.is(200);
    assert_eq!(older.get("/").await.is(200).json(), seen(None, 1));
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 2));
}

/// There a change begins the TTL anew.
#[actix_web::test]
async fn a_change_does_not_move_the_absolute_end() {
    let clock = ManualClock::default();
    let browser = serve(&persistent(&clock, HOUR).await);
    let pauses = [
        (Duration::ZERO, "3600"),
        (20 * MINUTE, "2400"),
        (39 * MINUTE, "60"),
    ];
    for (pause, max_age) in pauses {
        clock.advance(pause);
        let answer = browser.post("/visit").await.is(200);
        let cookies = answer.set_cookies();
        assert_eq!(attribute(cookies[0], "Max-Age"), Some(max_age));
    }
    clock.advance(MINUTE);
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
}

/// There a state that has expired meanwhile is saved as a new one.
#[actix_web::test]
async fn the_absolute_end_holds_while_a_request_runs_and_the_idle_limit_does_not() {
    for (pause, kept) in [(HOUR + SECOND, true), (DAY + SECOND, false)] {
        let clock = ManualClock::default();
        let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
        let cookie = cookie(&sessions, async |session| session.insert("a", 1).unwrap()).await;
        let (_, header) = cookie.header();
        let lines = std::iter::once(header.as_bytes());
        let loaded = sessions.load(Incoming::new(lines)).unwrap();
        clock.advance(pause);
        loaded.session.insert("a", 2).unwrap();
        let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
        assert_eq!(outcome.error, (!kept).then_some(CommitError::Ended));
        assert_eq!(outcome.cookies.len(), usize::from(kept), "{outcome:?}");
    }
}

/// `TtlExtensionPolicy::OnEveryRequest` sets the cookie again with every response, also where nobody looked.
#[actix_web::test]
async fn use_moves_the_idle_limit_by_a_cookie_of_its_own() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let browser = serve(&sessions);
    browser.post("/visit").await.is(200);
    let refresh = Lifetimes::default().refresh_after();
    for _ in 0..30 {
        clock.advance(refresh);
        let answer = browser.get("/untouched").await.is(200);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        let answer = browser.get("/").await.is(200);
        assert_eq!(answer.json(), seen(None, 1));
        assert!(answer.set_cookies()[0].starts_with("session.seen="));
    }
    assert_eq!(browser.names(), ["session", "session.seen"]);
    clock.advance(HOUR);
    assert_eq!(browser.get("/").await.is(200).json(), seen(None, 0));
}

/// There `cookie_domain("localhost")` is accepted, and browsers drop the cookie.
#[actix_web::test]
async fn a_domain_that_browsers_refuse_is_refused_at_the_start() {
    let clock = ManualClock::default();
    let settings = with(CookieSettings::plain_http(), |cookie| {
        cookie.domain = Some("localhost".into());
    });
    let builder = builder(&clock, memory(&clock)).cookie(settings);
    let refused = builder.start().await.unwrap_err().to_string();
    assert!(refused.contains("cookie.domain"), "{refused}");
}

/// There it is called `id`.
#[actix_web::test]
async fn the_cookie_has_the_strictest_name_unless_it_is_named() {
    let clock = ManualClock::default();
    let browser = serve(&started(&clock, CookieSettings::default(), DAY).await);
    browser.post("/visit").await.is(200);
    assert_eq!(browser.names(), ["__Host-session"]);
}

/// There it is ignored and stays.
#[actix_web::test]
async fn a_cookie_that_cannot_be_a_session_is_removed_where_somebody_looks() {
    let clock = ManualClock::default();
    let sessions = started(&clock, CookieSettings::plain_http(), DAY).await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .configure(super::application)
    );
    let browser = Browser::new(&url).holding("random");
    let answer = browser.get("/untouched").await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let answer = browser.get("/").await.is(200);
    assert_eq!(answer.removed(), ["session"]);
    assert_eq!(browser.session(), None);
}

/// There every request needs the store, and a store that fails is 500.
#[actix_web::test]
async fn a_store_that_fails_is_503_where_it_is_needed_and_tells_nothing() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let browser = serve(&sessions);
    let user = json!({ "user": "ferris" });
    let login = browser.send(reqwest::Method::POST, "/login", Some(user));
    login.await.is(200);
    store.set(Mode::Down);
    assert_eq!(
        browser.get("/").await.is(200).json(),
        seen(Some("ferris"), 0)
    );
    browser.post("/visit").await.is(200);
    let answer = browser.post("/logout").await.is(503);
    assert_eq!(answer.body, "Service Unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // The browser is logged out nevertheless.
    assert_eq!(browser.session(), None);
}
