//! A request through a real application of actix-web, in this process: bare, with our middleware, with
//! actix-session's.
//!
//! The bare route is what actix-web does for every request; it gets the same header as the application that it is
//! compared with. What takes turns with it counts by how much longer it takes: a request that reads, whose handler calls
//! `get`, and one that writes, whose handler calls `get` and `insert`, from the request to the response with its Set-Cookie.

use std::time::Duration;

use actix_http::Request;
use actix_session::storage::CookieSessionStore;
use actix_web::body::{self, MessageBody};
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, Result, web};
use sealed_session::actix::SessionMiddleware;

use crate::Bench;
use crate::common::ours::{Ended, Ours};
use crate::common::shapes::{self, CHANGED, CSRF, READ};
use crate::figures::Medians;
use crate::handlers;
use crate::nodes::Nodes;
use crate::timing::Turns;

const EACH: Duration = Duration::from_secs(3);

pub fn measure(bench: &Bench<'_>) -> Medians {
    let &Bench { system, size } = bench;
    let bare = App::new().route("/read", web::get().to(handlers::bare));
    let bare = system.block_on(init_service(bare));
    let bare = async |request: &mut Option<Request>| call(&bare, request).await;

    let nodes = Nodes::start(system);
    let ours = Ours::start(nodes.caching.clone(), size, Ended::NONE);
    let ours = system.block_on(ours);
    let with_ours = App::new()
        .wrap(SessionMiddleware::new(&ours.sessions))
        .route("/read", web::get().to(handlers::our_read))
        .route("/write", web::get().to(our_write));
    let with_ours = system.block_on(init_service(with_ours));
    system.block_on(check(&with_ours, &ours.header, &ours.value));
    let with_ours = async |request: &mut Option<Request>| call(&with_ours, request).await;

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
    let with_theirs = async |request: &mut Option<Request>| call(&with_theirs, request).await;

    let our_request = |path| {
        let header = &ours.header;
        async move || Some(request(path, header))
    };
    let new_request = async || {
        let new = ours.new_to(&nodes.uncached).await;
        Some(request("/read", &new.header))
    };
    let their_request = |path| {
        let header = &header;
        async move || Some(request(path, header))
    };
    let taken = Turns::new(system)
        .path("bare", our_request("/read"), bare)
        .path("reading-ours", our_request("/read"), with_ours)
        .path("reading-new", new_request, with_ours)
        .path("writing-ours", our_request("/write"), with_ours)
        .path("their-bare", their_request("/read"), bare)
        .path("reading-actix-session", their_request("/read"), with_theirs)
        .path(
            "writing-actix-session",
            their_request("/write"),
            with_theirs,
        )
        .take(EACH);
    let added = |path, bare| (path, taken.difference(path, bare));
    Medians::from([
        added("reading-ours", "bare"),
        added("reading-new", "bare"),
        added("writing-ours", "bare"),
        added("reading-actix-session", "their-bare"),
        added("writing-actix-session", "their-bare"),
    ])
}

/// To the response's head: the body is the same everywhere.
async fn call<S, B>(service: &S, request: &mut Option<Request>)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
{
    let request = request.take().expect("it is asked once");
    drop(service.call(request).await.unwrap());
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
