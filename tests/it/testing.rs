//! The helpers that applications have for their own tests.

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpRequest, Result, web};
use sealed_session::actix::{Authenticated, SessionMiddleware, Unauthenticated};
use sealed_session::testing::{FailingRandom, ManualClock, SessionCookie};
use sealed_session::{Session, SessionStatus, Sessions, settings::CookieSettings, testing};
use support::written::Written;
use support::{HOUR, SECOND, builder, memory};

/// What the routes of all tests answer to a request.
async fn answer(sessions: &Sessions, request: TestRequest) -> (StatusCode, String) {
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .configure(support::routes)
        .route("/theme", web::get().to(theme));
    let app = init_service(app).await;
    let request = request.to_request();
    let response = call_service(&app, request).await;
    let status = response.status();
    let body = read_body(response).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn theme(session: Session, request: HttpRequest) -> String {
    let theme = request.cookie("theme");
    let theme = theme.map(|cookie| cookie.value().to_owned());
    format!("{theme:?} for {:?}", session.subject())
}

fn get(path: &str, cookie: &SessionCookie) -> TestRequest {
    TestRequest::get().uri(path).insert_header(cookie.header())
}

#[actix_web::test]
async fn a_login_for_a_test_is_a_login() {
    let sessions = testing::sessions().await;
    let alice = testing::login(&sessions, "alice").await;
    let (status, body) = answer(&sessions, get("/me", &alice)).await;
    assert_eq!(status, 200);
    assert!(body.contains("\"user\":\"alice\""), "{body}");
    // It is as real as any other: the application can end it.
    sessions.end_subject("alice").await.unwrap();
    assert_eq!(answer(&sessions, get("/me", &alice)).await.0, 401);
    let others = testing::sessions().await;
    assert_eq!(answer(&others, get("/me", &alice)).await.0, 401);
}

#[actix_web::test]
async fn a_session_is_prepared_as_a_handler_would_write_it() {
    let sessions = testing::sessions().await;
    let anonymous = testing::cookie(&sessions, async |session| {
        session.insert("cart", ["tea"]).unwrap();
    })
    .await;
    let (status, body) = answer(&sessions, get("/entries/cart", &anonymous)).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "[\"tea\"]"));
    assert_eq!(answer(&sessions, get("/me", &anonymous)).await.0, 401);

    // A closure that moves what it is given is taken as well.
    let remembered = testing::cookie(&sessions, |session: Session| async move {
        session.authenticate("bob").remember(true).await.unwrap();
        session.insert("role", "admin").unwrap();
    })
    .await;
    let (_, body) = answer(&sessions, get("/me", &remembered)).await;
    assert!(body.contains("\"remembered\":true"), "{body}");
    assert_eq!(
        answer(&sessions, get("/entries/role", &remembered)).await.1,
        "\"admin\""
    );
}

#[actix_web::test]
async fn the_cookie_goes_together_with_others_that_a_test_sends() {
    let sessions = testing::sessions().await;
    let alice = testing::login(&sessions, "alice").await;
    let mut request = TestRequest::get()
        .uri("/theme")
        .cookie(Cookie::new("theme", "dark"));
    for (name, value) in alice.pairs() {
        request = request.cookie(Cookie::new(name, value));
    }
    let (_, body) = answer(&sessions, request).await;
    assert_eq!(body, "Some(\"dark\") for Some(\"alice\")");
}

#[actix_web::test]
async fn a_session_that_is_spread_over_cookies_is_sent_whole() {
    let clock = ManualClock::default();
    let mut settings = CookieSettings::plain_http();
    settings.max_chunks = 3;
    let builder = builder(&clock, memory(&clock)).cookie(settings);
    let sessions = builder.start().await.unwrap();
    let text = "x".repeat(6_000);
    let large = testing::cookie(&sessions, async |session| {
        session.insert("text", &text).unwrap();
    })
    .await;
    assert!(large.pairs().count() > 1, "{large:?}");
    let (status, body) = answer(&sessions, get("/entries/text", &large)).await;
    assert_eq!(status, 200);
    assert_eq!(body.len(), text.len() + 2);
}

#[actix_web::test]
async fn a_prepared_session_is_judged_by_the_sessions_own_clock() {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock));
    let sessions = builder.start().await.unwrap();
    let alice = testing::login(&sessions, "alice").await;
    clock.advance(HOUR - SECOND);
    assert_eq!(answer(&sessions, get("/me", &alice)).await.0, 200);
    clock.advance(SECOND);
    assert_eq!(answer(&sessions, get("/me", &alice)).await.0, 401);
}

#[actix_web::test]
async fn a_handle_without_a_request_reads_writes_and_logs_in_and_out() {
    async fn handler(session: Session, user: web::Path<String>) -> Result<&'static str> {
        session.insert("before", 1)?;
        session.authenticate(user.into_inner()).await?;
        session.insert("theme", "dark")?;
        Ok("welcome")
    }
    let session = testing::session().await;
    assert_eq!(session.status(), SessionStatus::Unchanged);
    assert_eq!(session.id(), None);
    let path = web::Path::from("alice".to_owned());
    assert_eq!(handler(session.clone(), path).await.unwrap(), "welcome");
    assert_eq!(session.subject().as_deref(), Some("alice"));
    assert_eq!(
        session.get::<String>("theme").unwrap().as_deref(),
        Some("dark")
    );
    assert_eq!(session.remove_as::<u8>("before"), Some(Ok(1)));
    session.logout().await.unwrap();
    assert!(!session.is_authenticated());
    assert_eq!(session.status(), SessionStatus::Purged);
    // Each is a session of its own.
    session.insert("a", 1).unwrap();
    assert!(!testing::session().await.contains_key("a"));
}

#[actix_web::test]
async fn a_handler_that_wants_a_login_is_called_with_one() {
    async fn handler(user: Authenticated) -> String {
        format!("Hello, {}", user.subject())
    }
    let session = testing::session().await;
    let refused = Authenticated::try_from(session.clone()).unwrap_err();
    assert_eq!(refused, Unauthenticated);
    session.authenticate("alice").await.unwrap();
    let user = Authenticated::try_from(session).unwrap();
    assert_eq!(user.session().subject().as_deref(), Some("alice"));
    assert_eq!(handler(user).await, "Hello, alice");
}

#[actix_web::test]
async fn sessions_for_tests_are_never_started_twice() {
    let written = Written::default();
    let _guard = written.listen();
    let living = [testing::sessions().await, testing::sessions().await];
    assert_eq!(written.count("ERROR"), 0);
    assert_eq!(written.count("started twice"), 0);
    drop(living);
}

/// The words of the panic in which `run` ends.
async fn panic_of(run: impl Future<Output = ()> + 'static) -> String {
    let task = actix_web::rt::spawn(run);
    let words = task.await.unwrap_err().into_panic();
    let words = words.downcast::<String>();
    words.map_or_else(
        |other| (*other.downcast::<&str>().unwrap()).to_owned(),
        |text| *text,
    )
}

#[actix_web::test]
async fn what_cannot_be_made_says_why() {
    let nothing = async {
        let sessions = testing::sessions().await;
        testing::cookie(&sessions, async |session| {
            session.insert("a", 1).unwrap();
            session.purge();
        })
        .await;
    };
    let words = panic_of(nothing).await;
    assert!(words.contains("nothing was written"), "{words}");

    let nobody = async {
        let sessions = testing::sessions().await;
        testing::login(&sessions, "").await;
    };
    let words = panic_of(nobody).await;
    assert!(words.contains("testing::login: "), "{words}");

    let broken = async {
        let clock = ManualClock::default();
        let builder = builder(&clock, memory(&clock));
        let builder = builder.random(Arc::new(FailingRandom));
        let sessions = builder.start().await.unwrap();
        testing::login(&sessions, "alice").await;
    };
    let words = panic_of(broken).await;
    assert!(words.contains("random"), "{words}");
}

#[actix_web::test]
async fn a_session_cookie_shows_no_value() {
    let sessions = testing::sessions().await;
    let alice = testing::login(&sessions, "alice").await;
    assert_eq!(format!("{alice:?}"), "[\"__Host-session\"]");
}
