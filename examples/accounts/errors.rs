//! Errors as the JSON interface shows them: `{"error": "..."}` with a fitting status.
//!
//! Handlers use `?`: the library's errors know their status, and [`as_json`] gives each a name. So
//! this is the only place that knows all names, also those of errors that come from the framework
//! (an unknown path) or from the session middleware (a store that cannot be reached).

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use sealed_session::actix::SessionExt;
use sealed_session::{
    SessionInsertError,
    session::{LoginError, TooLarge},
};
use serde_json::{Value, json};

/// The application's own refusals.
#[derive(Debug, Clone, Copy)]
pub enum Problem {
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON, and not what was asked for.
    InvalidBody,
    /// A login without a name, or with one that is too long.
    InvalidUser,
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

/// Gives the errors of the JSON interface a body in JSON. Their headers stay as they are.
pub async fn as_json<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let path = request.path();
    let for_programs = path == "/api" || path.starts_with("/api/") || path == "/healthz";
    let response = next.call(request).await?;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = response.headers().get(CONTENT_TYPE) == Some(&JSON);
    if !for_programs || !is_error || is_json {
        return Ok(response.map_into_left_body());
    }
    let body = describe(&response).to_string();
    Ok(response.map_body(|head, _| {
        head.headers.insert(CONTENT_TYPE, JSON);
        EitherBody::right(actix_web::body::BoxBody::new(body))
    }))
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn describe<B>(response: &ServiceResponse<B>) -> Value {
    if let Some(TooLarge { bytes, limit, .. }) = response.response().error().and_then(too_large) {
        return json!({ "error": "session_too_large", "bytes": bytes, "limit": limit });
    }
    let name = match response.status() {
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
        StatusCode::SERVICE_UNAVAILABLE => "store_unavailable",
        status if status.is_server_error() => "internal_error",
        _ => "bad_request",
    };
    json!({ "error": name })
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
