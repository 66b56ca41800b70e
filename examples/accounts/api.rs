//! The JSON interface.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/login` `{"user": NAME, "remember": false, "roles": [NAME], "organisation": NAME}` | 200 `{"user", "session"}` |
//! | `GET /api/me` | 200 `{"user", "session", "generation", "created_at", "authenticated_at", "expires_at", "remembered"}`, or 401 |
//! | `GET /api/entries` | 200, all entries |
//! | `PUT`, `GET`, `DELETE /api/entries/{key}` | 204; 200, or 404; 204 |
//! | `POST /api/renew` | 200 `{"session"}` and a new cookie |
//! | `GET /api/admin` | 200 `{"user", "roles"}` with the role `admin`, else 403 |
//! | `POST /api/sensitive` | 200 `{"authenticated_at"}` within five minutes of a login, or else 403 |
//! | `POST /api/reauthenticate` | 204, and the five minutes begin anew |
//! | `GET /api/csrf` | 200 `{"token", "header", "field"}`, for settings that ask for tokens |
//! | `GET /api/events` | 200, server-sent events: `open`, and at the end of the session `ended` with the reason; or 401 |
//! | `GET /api/sessions` | 200 `[{"session", "created_at", "last_seen_at", "label", "remembered", "current"}]`, the newest first, or 401 |
//! | `DELETE /api/sessions/{session}` | 204; or 404 if the user has no such session; or 401 |
//! | `POST /api/logout`, `/api/logout-all`, `/api/logout-others` | 204 |
//! | `GET /healthz` | 200 `{"keys", "revocation"}` |
//! | `GET /metrics` | 200, text for Prometheus; only with the feature `metrics` |
//!
//! Entries need no login. The two of sessions are in `devices.rs`. `errors.rs` has the answers that are not these.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, Resource, Result, Route, guard, web};
use futures_util::{FutureExt, StreamExt, stream};
use sealed_session::actix::{Authenticated, Require};
use sealed_session::{CsrfToken, Session, Sessions};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::errors::Problem;
use crate::organisations;
use crate::pages::STEP_UP;

/// The longest name of a user, in bytes: as long as a subject can be.
const LONGEST_USER: usize = 255;
/// The largest body that is read. A session holds less.
const LARGEST_BODY: usize = 64 << 10;
/// How much more is taken from the wire before it is cut off, so that a client which sends first and
/// reads later gets to see the answer.
const LARGEST_DISCARDED: usize = 4 << 20;

pub fn health(config: &mut web::ServiceConfig) {
    config.service(only("/healthz", "GET, HEAD", [get().to(show_health)]));
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(only("/api/login", "POST", [web::post().to(login)]))
        .service(only("/api/me", "GET, HEAD", [get().to(me)]))
        .service(only("/api/entries", "GET, HEAD", [get().to(entries)]))
        .service(only(
            "/api/entries/{key:[^/]*}",
            "GET, HEAD, PUT, DELETE",
            [
                get().to(entry),
                web::put().to(set_entry),
                web::delete().to(remove_entry),
            ],
        ))
        .service(only(
            "/api/admin",
            "GET, HEAD",
            [get().to(admin).wrap(Require::role("admin"))],
        ))
        .service(only(
            "/api/sensitive",
            "POST",
            [web::post()
                .to(sensitive)
                .wrap(Require::login().within(STEP_UP))],
        ))
        .service(only(
            "/api/reauthenticate",
            "POST",
            [web::post().to(reauthenticate)],
        ))
        .service(only("/api/csrf", "GET, HEAD", [get().to(csrf)]))
        .service(only("/api/events", "GET, HEAD", [get().to(events)]))
        .service(only("/api/renew", "POST", [web::post().to(renew)]))
        .service(only("/api/logout", "POST", [web::post().to(logout)]))
        .service(only(
            "/api/logout-all",
            "POST",
            [web::post().to(logout_all)],
        ))
        .service(only(
            "/api/logout-others",
            "POST",
            [web::post().to(logout_others)],
        ));
}

/// GET and HEAD, which every resource that can be read has to answer (RFC 9110, section 9.1).
pub fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A resource with these routes. Other methods are answered with 405, and with the ones there are.
pub fn only<const N: usize>(path: &str, methods: &'static str, routes: [Route; N]) -> Resource {
    let refuse = move || async move {
        HttpResponse::MethodNotAllowed()
            .insert_header((ALLOW, methods))
            .finish()
    };
    routes
        .into_iter()
        .fold(web::resource(path), Resource::route)
        .default_service(web::to(refuse))
}

#[derive(Deserialize)]
struct Credentials {
    user: Option<String>,
    remember: Option<bool>,
    roles: Option<Vec<String>>,
    organisation: Option<String>,
}

/// Whether somebody can be called this.
pub fn is_name(user: &str) -> bool {
    !user.trim().is_empty() && user.len() <= LONGEST_USER
}

async fn login(session: Session, request: HttpRequest, body: web::Payload) -> Result<HttpResponse> {
    let credentials: Credentials = read_json(&request, body).await?;
    let user = credentials.user.unwrap_or_default();
    if !is_name(&user) {
        return Err(Problem::InvalidUser.into());
    }
    let mut login = session
        .authenticate(&user)
        .remember(credentials.remember.unwrap_or(false));
    if let Some(name) = credentials.organisation {
        if !is_name(&name) {
            return Err(Problem::InvalidOrganisation.into());
        }
        login = organisations::join(login, &name);
    }
    login.roles(credentials.roles.unwrap_or_default()).await?;
    Ok(HttpResponse::Ok().json(json!({ "user": user, "session": id(&session) })))
}

async fn me(user: Authenticated) -> HttpResponse {
    let session = user.session();
    HttpResponse::Ok().json(json!({
        "user": user.subject(),
        "session": id(session),
        "generation": session.generation().map(|generation| generation.get()),
        "created_at": session.created_at().map(|time| time.to_string()),
        "authenticated_at": session.authenticated_at().map(|time| time.to_string()),
        "expires_at": session.expires_at().map(|time| time.to_string()),
        "remembered": session.is_remembered(),
    }))
}

async fn admin(user: Authenticated) -> HttpResponse {
    let roles = user.session().roles();
    HttpResponse::Ok().json(json!({ "user": user.subject(), "roles": roles }))
}

/// Something that must not be done with a session that somebody left open.
async fn sensitive(session: Session) -> HttpResponse {
    let at = session.authenticated_at().map(|time| time.to_string());
    HttpResponse::Ok().json(json!({ "authenticated_at": at }))
}

/// An application checks the password before it.
async fn reauthenticate(user: Authenticated) -> Result<HttpResponse> {
    user.session().reauthenticate().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Begins a session where there is none: a token is of one.
async fn csrf(token: CsrfToken) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "token": token.token(),
        "header": token.header_name(),
        "field": token.field_name(),
    }))
}

/// Closed at the end of the session, wherever that is. A browser asks again then, and hears 401.
async fn events(user: Authenticated, request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"));
    if request.method() == Method::HEAD {
        return response.finish();
    }
    let ended = user.session().ended();
    let open = stream::once(async { "event: open\ndata:\n\n".to_owned() });
    let last = stream::once(ended.map(|reason| format!("event: ended\ndata: {reason}\n\n")));
    let events = open.chain(last).map(web::Bytes::from);
    response.streaming(events.map(Ok::<_, actix_web::Error>))
}

async fn entries(session: Session) -> Result<HttpResponse> {
    let values: BTreeMap<String, Value> = session
        .entries()
        .into_iter()
        .map(|(key, value)| Ok((key, value.decode()?)))
        .collect::<Result<_>>()?;
    Ok(HttpResponse::Ok().json(values))
}

async fn entry(session: Session, request: HttpRequest) -> Result<HttpResponse> {
    let key = key(&request)?;
    // `Value` has a null of its own, so a stored null is not taken for a missing entry.
    match session.get::<Value>(&key)? {
        Some(value) => Ok(HttpResponse::Ok().json(value)),
        None => Err(Problem::NoSuchEntry.into()),
    }
}

async fn set_entry(
    session: Session,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse> {
    let key = key(&request)?;
    let value: Value = read_json(&request, body).await?;
    session.insert(key, value)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn remove_entry(session: Session, request: HttpRequest) -> Result<HttpResponse> {
    session.remove(&key(&request)?);
    Ok(HttpResponse::NoContent().finish())
}

async fn renew(session: Session) -> Result<HttpResponse> {
    if session.id().is_none() {
        return Err(Problem::NoSession.into());
    }
    session.renew();
    Ok(HttpResponse::Ok().json(json!({ "session": id(&session) })))
}

async fn logout(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn logout_all(session: Session) -> Result<HttpResponse> {
    session.logout_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn logout_others(session: Session) -> Result<HttpResponse> {
    session.logout_others().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn show_health(sessions: web::Data<Sessions>) -> HttpResponse {
    let health = sessions.health();
    let opening: Vec<_> = health.opening.iter().map(ToString::to_string).collect();
    HttpResponse::Ok().json(json!({
        "keys": {
            "sealing": health.sealing.map(|id| id.to_string()),
            "opening": opening,
            "unknown_keys": health.unknown_keys,
        },
        "revocation": {
            "store": health.store,
            "entries": health.entries,
            "outstanding": health.outstanding,
            "lacking": health.lacking,
            "unreadable": health.unreadable,
            "complete_since": health.complete_since.to_string(),
            "staleness_ms": u64::try_from(health.staleness.as_millis()).unwrap_or(u64::MAX),
        },
    }))
}

fn id(session: &Session) -> Option<String> {
    session.id().map(|id| id.to_string())
}

/// The entry that the path names. Taken from the path as it was sent: the framework replaces what is
/// not UTF-8, and then two names could mean one entry.
fn key(request: &HttpRequest) -> Result<String, Problem> {
    let path = request.uri().path();
    let key = path.rsplit_once('/').map_or(path, |(_, last)| last);
    match percent_decoded(key) {
        Some(key) if key.is_empty() => Err(Problem::EmptyKey),
        Some(key) => Ok(key),
        None => Err(Problem::InvalidKey),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Reads a body as JSON. One that says it is something else is refused: a form on another site can
/// send text and form fields, and nothing else.
async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    mut payload: web::Payload,
) -> Result<T> {
    if let Some(kind) = request.headers().get(CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::NotJson.into());
        }
    }
    let mut body = web::BytesMut::new();
    let mut length = 0;
    while let Some(part) = payload.next().await {
        let part = part?;
        length += part.len();
        if length <= LARGEST_BODY {
            body.extend_from_slice(&part);
        } else if length > LARGEST_DISCARDED {
            break;
        }
    }
    if length > LARGEST_BODY {
        return Err(Problem::BodyTooLarge.into());
    }
    serde_json::from_slice(&body).map_err(|error| {
        let problem = match error.classify() {
            serde_json::error::Category::Data => Problem::InvalidBody,
            _ => Problem::InvalidJson,
        };
        problem.into()
    })
}
