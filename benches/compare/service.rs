//! A request through a real application of actix-web, in this process: bare, with our middleware, with
//! actix-session's.
//!
//! The bare route is what actix-web does for every request. Measured is what a middleware adds to it, and what a
//! request that writes adds to one that reads: the two of a pair take turns, and the difference counts. It
//! includes the handler's own calls, `get` in a request that reads, `get` and `insert` in one that writes.

use actix_http::Request;
use actix_session::storage::CookieSessionStore;
use actix_web::body::{self, MessageBody};
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::rt::SystemRunner;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, Result, web};
use criterion::Criterion;
use sealed_session::actix::SessionMiddleware;

use crate::common::ours::Ours;
use crate::common::shapes::{self, CHANGED, CSRF, READ, Size};
use crate::handlers;
use crate::timing::difference;

pub fn run(criterion: &mut Criterion, system: &SystemRunner, ours: &Ours, size: Size) {
    let bare = App::new().route("/read", web::get().to(handlers::bare));
    let bare = system.block_on(init_service(bare));

    let with_ours = App::new()
        .wrap(SessionMiddleware::new(&ours.sessions))
        .route("/read", web::get().to(handlers::our_read))
        .route("/write", web::get().to(our_write));
    let with_ours = system.block_on(init_service(with_ours));
    system.block_on(check(&with_ours, &ours.header, &ours.value));
    let who = format!("{}/ours", size.name());
    measure(criterion, system, &who, &ours.header, &with_ours, &bare);

    let middleware = handlers::their_middleware(CookieSessionStore::default(), Key::generate());
    let with_theirs = App::new()
        .wrap(middleware)
        .route("/read", web::get().to(handlers::their_read))
        .route("/write", web::get().to(their_write))
        // Last: routes are tried in this order, and the others have theirs in the same.
        .route(
            "/begin",
            web::get().to(move |session| handlers::their_begin(session, size)),
        );
    let with_theirs = system.block_on(init_service(with_theirs));
    let first = TestRequest::with_uri("/begin").to_request();
    let (_, cookie) = system.block_on(answer(&with_theirs, first));
    let cookie = cookie.unwrap();
    let (cookie, value) = shapes::pair(&cookie);
    let header = shapes::header(cookie, value);
    system.block_on(check(&with_theirs, &header, value));
    let who = format!("{}/actix-session", size.name());
    measure(criterion, system, &who, &header, &with_theirs, &bare);
}

async fn our_write(session: sealed_session::Session) -> Result<String> {
    let old = session.get(READ)?;
    session.insert(READ, CHANGED)?;
    old.ok_or_else(|| ErrorUnauthorized("no session"))
}

async fn their_write(session: actix_session::Session) -> Result<String> {
    let old = session.get(READ)?;
    session.insert(READ, CHANGED)?;
    old.ok_or_else(|| ErrorUnauthorized("no session"))
}

/// A request as it comes from the network: its header is not taken apart yet.
fn request(path: &str, header: &str) -> Request {
    TestRequest::with_uri(path)
        .insert_header((COOKIE, header))
        .to_request()
}

/// The body of an answer, and its Set-Cookie.
async fn answer<S, B>(service: &S, request: Request) -> (Option<String>, Option<String>)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = service.call(request).await.unwrap();
    let found = response.status() == StatusCode::OK;
    let cookie = response.headers().get(SET_COOKIE);
    let cookie = cookie.map(|value| value.to_str().unwrap().to_owned());
    let body = body::to_bytes(response.into_body()).await.ok().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (found.then_some(body), cookie)
}

/// The application reads and writes its session, and takes no other cookie for one.
async fn check<S, B>(service: &S, header: &str, value: &str)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let csrf = Some(CSRF.to_owned());
    let read = answer(service, request("/read", header)).await;
    assert_eq!(read, (csrf.clone(), None));
    let tampered = shapes::tampered(header, value);
    let (body, _) = answer(service, request("/read", &tampered)).await;
    assert_eq!(body, None);
    let (body, cookie) = answer(service, request("/write", header)).await;
    assert_eq!(body, csrf);
    let cookie = cookie.unwrap();
    let (name, value) = shapes::pair(&cookie);
    let written = shapes::header(name, value);
    let (body, _) = answer(service, request("/read", &written)).await;
    assert_eq!(body.as_deref(), Some(CHANGED));
}

/// What sessions add to a request, and what writing adds to one with sessions.
fn measure<S, B, T, C>(
    criterion: &mut Criterion,
    system: &SystemRunner,
    who: &str,
    header: &str,
    sessions: &S,
    bare: &T,
) where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
    T: Service<Request, Response = ServiceResponse<C>, Error = Error>,
    C: MessageBody,
{
    let reads = || request("/read", header);
    let writes = || request("/write", header);
    let with = async |request| drop(sessions.call(request).await.unwrap());
    let without = async |request| drop(bare.call(request).await.unwrap());
    criterion.bench_function(&format!("added-by-reading/{who}"), |bencher| {
        bencher.iter_custom(|times| {
            system.block_on(difference(times, (reads, with), (reads, without)))
        });
    });
    criterion.bench_function(&format!("added-by-writing/{who}"), |bencher| {
        bencher
            .iter_custom(|times| system.block_on(difference(times, (writes, with), (reads, with))));
    });
}
