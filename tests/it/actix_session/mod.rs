//! The behaviour that applications from actix-session 0.11 rely on: everything that its own tests ask for, written
//! anew. `departures` has the differences on purpose, as the tables of docs/MIGRATION.md list them.

mod cookies;
mod departures;
mod handle;
mod workflow;

use std::time::Duration;

use actix_web::dev::Service;
use actix_web::{App, HttpResponse, Result, guard, web};
use sealed_session::actix::{SessionExt, SessionMiddleware};
use sealed_session::testing::ManualClock;
use sealed_session::{
    Session, Sessions,
    settings::{CookieSettings, Lifetimes},
    time::Limits,
};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Browser, builder, memory, serve_app, with};

/// `PersistentSession` with this TTL, and a renewal that ends the old cookie at once.
async fn persistent(clock: &ManualClock, ttl: Duration) -> Sessions {
    let settings = with(CookieSettings::plain_http(), |cookie| {
        cookie.persistent = true;
    });
    started(clock, settings, ttl).await
}

/// `BrowserSession`, else the same.
async fn started(clock: &ManualClock, settings: CookieSettings, ttl: Duration) -> Sessions {
    let lifetimes = with(Lifetimes::default(), |lifetimes| {
        lifetimes.standard = Limits::new(ttl, ttl);
        lifetimes.renew_grace = Duration::ZERO;
    });
    let builder = builder(clock, memory(clock));
    let builder = builder.cookie(settings).lifetimes(lifetimes);
    builder.start().await.unwrap()
}

/// Serves the application below.
fn serve(sessions: &Sessions) -> Browser {
    let sessions = sessions.clone();
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap_fn(|request, next| {
                // Middleware and handlers share the session, before the handler and after it.
                let session = request.get_session().unwrap();
                if request.path() == "/shared" {
                    session.insert("before", "middleware").unwrap();
                }
                let answer = next.call(request);
                async move {
                    let mut answer = answer.await?;
                    if answer.request().path() == "/shared" {
                        let session = answer.get_session().unwrap();
                        let names: Vec<_> = session.entries().into_keys().collect();
                        let names = names.join(",").parse().unwrap();
                        answer
                            .headers_mut()
                            .insert("x-names".parse().unwrap(), names);
                        session.insert("after", "middleware").unwrap();
                    }
                    Ok(answer)
                }
            })
            .wrap(SessionMiddleware::new(&sessions))
            .configure(application)
    );
    Browser::new(&url)
}

/// An application as it was written for actix-session: it keeps the user's name in an entry, renews the session
/// at the login and purges it at the logout.
fn application(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/visit", web::post().to(visit))
        .route("/login", web::post().to(login))
        .route("/login/renewed-first", web::post().to(login_renewed_first))
        .route("/logout", web::post().to(logout))
        .route("/renew", web::post().to(renew))
        .route("/clear", web::post().to(clear))
        .route("/purge", web::post().to(purge))
        .route("/shared", web::get().to(shared))
        .route("/untouched", web::get().to(async || "no session here"))
        .service(
            web::scope("/members")
                .guard(guard::fn_guard(is_member))
                .route("/visits", web::get().to(show)),
        );
}

fn is_member(context: &guard::GuardContext<'_>) -> bool {
    let session = context.get_session();
    session.is_ok_and(|session| session.contains_key("user"))
}

fn state(session: &Session) -> Result<Value> {
    let visits = session.get::<u32>("visits")?.unwrap_or_default();
    Ok(json!({ "user": session.get::<String>("user")?, "visits": visits }))
}

async fn show(session: Session) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(state(&session)?))
}

async fn visit(session: Session) -> Result<HttpResponse> {
    session.update_or("visits", 1, |visits: u32| visits + 1)?;
    show(session).await
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
}

async fn login(session: Session, credentials: web::Json<Credentials>) -> Result<HttpResponse> {
    session.insert("user", &credentials.user)?;
    session.renew();
    show(session).await
}

async fn login_renewed_first(
    session: Session,
    credentials: web::Json<Credentials>,
) -> Result<HttpResponse> {
    session.renew();
    session.insert("user", &credentials.user)?;
    show(session).await
}

async fn logout(session: Session) -> Result<HttpResponse> {
    if session.contains_key("user") {
        session.purge();
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Unauthorized().finish())
}

async fn renew(session: Session) -> HttpResponse {
    session.renew();
    HttpResponse::Ok().finish()
}

async fn clear(session: Session) -> HttpResponse {
    session.clear();
    HttpResponse::Ok().finish()
}

async fn purge(session: Session) -> HttpResponse {
    session.purge();
    HttpResponse::Ok().finish()
}

async fn shared(session: Session) -> Result<String> {
    let before: Option<String> = session.get("before")?;
    session.insert("handler", "handler")?;
    Ok(before.unwrap_or_default())
}

/// What the application answers for `user`, or for nobody.
fn seen(user: Option<&str>, visits: u32) -> Value {
    json!({ "user": user, "visits": visits })
}

/// An attribute of a Set-Cookie; an empty text where it has no value.
fn attribute<'c>(set_cookie: &'c str, name: &str) -> Option<&'c str> {
    let attributes = set_cookie.split("; ").skip(1);
    let mut pairs = attributes.map(|it| it.split_once('=').unwrap_or((it, "")));
    let found = pairs.find(|(key, _)| *key == name);
    found.map(|(_, value)| value)
}
