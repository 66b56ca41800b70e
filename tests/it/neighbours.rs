//! Middleware of others, around the session's and inside it.
//!
//! 1. Headers of inner middleware stay when the response is replaced.
//! 2. Whoever stands in the wrong order is told so.
//! 3. An error of theirs hides none of ours.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::{App, Error, HttpResponse};
use sealed_session::Sessions;
use sealed_session::actix::{SessionExt, SessionMiddleware};
use sealed_session::testing::ManualClock;
use support::faulty::{Call, Faulty, Mode};
use support::{Answer, Browser, MINUTE, SECOND, builder, eventually, log, memory, serve_app};

const SITE: &str = "https://app.example.org";

/// Without the header that says so a browser shows a page of another origin no answer, also not why.
#[track_caller]
fn is_readable(answer: &Answer) {
    let allowed = answer.header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str());
    assert_eq!(allowed, Some(SITE), "{answer:?}");
}

#[actix_web::test]
async fn headers_of_inner_middleware_survive_when_the_response_is_replaced() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(DefaultHeaders::new().add((ACCESS_CONTROL_ALLOW_ORIGIN, SITE)))
            .wrap(SessionMiddleware::new(&sessions))
            .configure(support::routes)
    );
    let logged_in = async || {
        let browser = Browser::new(&url);
        is_readable(&browser.post("/login/alice").await.is(200));
        browser
    };
    // A renewal that is refused, for another was first.
    let browser = logged_in().await;
    let old = browser.copy();
    browser.post("/renew").await.is(200);
    is_readable(&old.post("/renew").await.is(409));
    // A purge that the store does not take.
    store.set_call(Call::Publish, Mode::Down);
    is_readable(&browser.post("/purge").await.is(503));
    store.set_call(Call::Publish, Mode::Up);
    // A list that cannot be trusted.
    let browser = logged_in().await;
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    is_readable(&browser.get("/entries/a").await.is(503));
}

/// Answers with why it has no session, if it has none.
async fn needs_a_session(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Err(error) = request.get_session() {
        let answer = HttpResponse::InternalServerError().body(error.to_string());
        return Ok(request.into_response(answer).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

#[actix_web::test]
async fn the_error_for_middleware_in_the_wrong_order_names_the_right_one() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let server = |sessions: &Sessions, in_order: bool| {
        let middleware = SessionMiddleware::new(sessions);
        if in_order {
            serve_app!(
                1,
                App::new()
                    .wrap(from_fn(needs_a_session))
                    .wrap(middleware.clone())
                    .configure(support::routes)
            )
        } else {
            serve_app!(
                1,
                App::new()
                    .wrap(middleware.clone())
                    .wrap(from_fn(needs_a_session))
                    .configure(support::routes)
            )
        }
    };
    let (url, _server) = server(&sessions, false);
    let answer = Browser::new(&url).get("/plain").await.is(500);
    for words in [
        "SessionMiddleware",
        "the last one runs first",
        "has to come after",
    ] {
        assert!(answer.body.contains(words), "{words}: {answer:?}");
    }
    let (url, _server) = server(&sessions, true);
    Browser::new(&url).get("/plain").await.is(200);
}

/// Turns everybody away from one path by an error, after a logout.
async fn closing(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.path() != "/closed" {
        return next.call(request).await;
    }
    if let Ok(session) = request.get_session() {
        session.purge();
    }
    let away = HttpResponse::SeeOther()
        .insert_header(("Location", "/bye"))
        .insert_header(("X-Own", "kept"))
        .insert_header(("CDN-Cache-Control", "max-age=60"))
        .insert_header(("X-Accel-Redirect", "/internal"))
        .insert_header(("Clear-Site-Data", "\"cookies\""))
        .finish();
    Err(InternalError::from_response("closed", away).into())
}

fn closed(sessions: &Sessions) -> Browser {
    let sessions = sessions.clone();
    let (url, _) = serve_app!(
        1,
        App::new()
            .wrap(from_fn(closing))
            .wrap(SessionMiddleware::new(&sessions))
            .configure(support::routes)
    );
    Browser::new(&url)
}

#[actix_web::test]
async fn an_error_of_inner_middleware_hides_no_logout_that_failed() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let browser = closed(&sessions);
    browser.get("/closed").await.is(303);
    browser.post("/login/alice").await.is(200);
    store.set_call(Call::Publish, Mode::Down);
    let answer = browser.get("/closed").await.is(503);
    assert_eq!(answer.header("location"), None);
    assert_eq!(answer.header("x-own"), Some("kept"));
    for name in ["cdn-cache-control", "x-accel-redirect", "clear-site-data"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[actix_web::test]
async fn an_error_of_inner_middleware_hides_no_list_that_is_unavailable() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let browser = closed(&sessions);
    eventually(|| async { browser.post("/login/alice").await.status == 200 }).await;
    store.set(Mode::Down);
    eventually(|| async {
        clock.advance(MINUTE);
        browser.get("/me").await.status == 503
    })
    .await;
    let answer = browser.get("/closed").await.is(503);
    assert_eq!(answer.header("location"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
