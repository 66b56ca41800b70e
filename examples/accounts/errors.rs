//! Errors as each reader can use them: programs get `{"error": "..."}`, people a page, both with a fitting status.
//!
//! Handlers use `?`: the library's errors know their status, and [`present`] gives each a name. So this is the only
//! place that knows all names, also those of errors that come from the framework (an unknown path) or from the session
//! middleware (a store that cannot be reached).

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use sealed_session::actix::{Forbidden, ReauthenticationRequired, SessionExt};
use sealed_session::adapter::CrossSite;
use sealed_session::{
    SessionInsertError,
    session::{DeviceError, LoginError, TooLarge},
};
use serde_json::json;

use crate::views;

/// The application's own refusals.
#[derive(Debug, Clone, Copy)]
pub enum Problem {
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON, and not what was asked for.
    InvalidBody,
    /// A login without a name, or with one that is too long.
    InvalidUser,
    /// An organisation without a name, or with one that is too long.
    InvalidOrganisation,
    /// Times cannot be shown so.
    InvalidPreferences,
    /// An entry without a name.
    EmptyKey,
    /// A name that is not UTF-8 in percent-encoding.
    InvalidKey,
    NoSuchEntry,
    /// There is nothing to renew.
    NoSession,
    BodyTooLarge,
    NotJson,
}

impl Problem {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidBody => "invalid_body",
            Self::InvalidUser => "invalid_user",
            Self::InvalidOrganisation => "invalid_organisation",
            Self::InvalidPreferences => "invalid_preferences",
            Self::EmptyKey => "empty_key",
            Self::InvalidKey => "invalid_key",
            Self::NoSuchEntry => "no_such_entry",
            Self::NoSession => "no_session",
            Self::BodyTooLarge => "body_too_large",
            Self::NotJson => "not_json",
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::InvalidJson
            | Self::InvalidBody
            | Self::InvalidUser
            | Self::InvalidOrganisation
            | Self::InvalidPreferences
            | Self::EmptyKey
            | Self::InvalidKey => StatusCode::BAD_REQUEST,
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::NoSuchEntry => StatusCode::NOT_FOUND,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    fn error_response(&self) -> actix_web::HttpResponse {
        let mut response = actix_web::HttpResponse::build(self.status_code());
        // RFC 9110, section 15.5.2, demands it of every 401. The library sends the same.
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Cookie realm=\"session\""));
        }
        response.json(json!({ "error": self.name() }))
    }
}

/// Gives errors a body. Their headers stay as they are.
pub async fn present<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let is_for_people = is_for_people(&request);
    let response = next.call(request).await?;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response.map_into_left_body());
    }
    let name = name(&response);
    if is_for_people {
        let (title, text) = in_words(name);
        let page = views::error(title, text).into_string();
        return Ok(with_body(response, HTML, page));
    }
    if response.headers().get(CONTENT_TYPE) == Some(&JSON) {
        return Ok(response.map_into_left_body());
    }
    let body = match response.response().error().and_then(too_large) {
        Some(TooLarge { bytes, limit, .. }) => {
            json!({ "error": name, "bytes": bytes, "limit": limit })
        }
        None => json!({ "error": name }),
    };
    Ok(with_body(response, JSON, body.to_string()))
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Browsers say that they show HTML where somebody will see the answer. The JSON interface is for programs, whoever
/// asks.
fn is_for_people(request: &ServiceRequest) -> bool {
    let path = request.path();
    let is_interface = path == "/api" || path.starts_with("/api/") || path == "/healthz";
    let accepts = request.headers().get(ACCEPT);
    let accepts = accepts.and_then(|value| value.to_str().ok());
    !is_interface && accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

fn with_body<B>(
    response: ServiceResponse<B>,
    kind: HeaderValue,
    body: String,
) -> ServiceResponse<EitherBody<B>> {
    response.map_body(|head, _| {
        head.headers.insert(CONTENT_TYPE, kind);
        EitherBody::right(BoxBody::new(body))
    })
}

/// What a program is told.
fn name<B>(response: &ServiceResponse<B>) -> &'static str {
    if let Some(error) = response.response().error() {
        if let Some(problem) = error.as_error::<Problem>() {
            return problem.name();
        }
        if error.as_error::<Forbidden>().is_some() {
            return "forbidden";
        }
        if error.as_error::<ReauthenticationRequired>().is_some() {
            return "reauthentication_required";
        }
        if let Some(CrossSite::NoToken | CrossSite::WrongToken) = error.as_error() {
            return "csrf_token";
        }
        match error.as_error() {
            Some(LoginError::InvalidRoles) => return "invalid_roles",
            Some(LoginError::TooManySessions) => return "too_many_sessions",
            _ => (),
        }
        if let Some(DeviceError::Off) = error.as_error() {
            return "no_devices";
        }
        if too_large(error).is_some() {
            return "session_too_large";
        }
    }
    match response.status() {
        StatusCode::UNAUTHORIZED => "not_authenticated",
        // The library's: another site made the browser send it.
        StatusCode::FORBIDDEN => "cross_site",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        // Two things can keep a session from being written. A superseded one can still be read.
        StatusCode::CONFLICT => match response.get_session() {
            Ok(session) if session.id().is_some() => "session_superseded",
            _ => "cookie_held",
        },
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::SERVICE_UNAVAILABLE => "store_unavailable",
        status if status.is_server_error() => "internal_error",
        _ => "bad_request",
    }
}

/// What people are told of it: a title and a text.
fn in_words(name: &str) -> (&'static str, &'static str) {
    match name {
        "cross_site" => (
            "Not from here",
            "Another site made your browser send this. Nothing was done.",
        ),
        "forbidden" => (
            "Not for you",
            "This page needs the role of an administrator, which was not chosen at your login.",
        ),
        "not_authenticated" => (
            "You are logged out",
            "This session was ended, here or on another device.",
        ),
        "not_found" => ("No such page", "There is nothing at this address."),
        "session_superseded" => (
            "Please try again",
            "This session was renewed in another tab. Nothing was changed.",
        ),
        "cookie_held" => (
            "Please try again",
            "The session in this browser has just ended. Log in to go on, or wait a minute.",
        ),
        "too_many_sessions" => (
            "Logged in too often",
            "You are logged in on as many devices as you may be. Log out on one of them first.",
        ),
        "no_devices" => (
            "No list of devices",
            "This server does not keep one: its settings say so.",
        ),
        "store_unavailable" => (
            "Please try again shortly",
            "The server cannot look up sessions at the moment.",
        ),
        "session_too_large" | "body_too_large" => (
            "That does not fit",
            "The session cannot hold as much. Nothing was changed.",
        ),
        "internal_error" => ("That went wrong", "The server made a mistake."),
        _ => (
            "That is not understood",
            "The server cannot do what was asked for.",
        ),
    }
}

fn too_large(error: &Error) -> Option<TooLarge> {
    let insert = match error.as_error::<LoginError>() {
        Some(LoginError::Insert(insert)) => Some(insert),
        _ => error.as_error::<SessionInsertError>(),
    };
    match insert {
        Some(SessionInsertError::TooLarge(error)) => Some(*error),
        _ => None,
    }
}
