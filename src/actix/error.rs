//! Which answer each error is.
//!
//! The body is the status in words: what went wrong inside is for the log. Only 413, with the size, and 403 say why, because
//! somebody can do something about it.
//!
//! Every 401 carries the challenge that RFC 9110 (section 15.5.2) demands: the scheme `Cookie`, which no
//! browser knows and none opens a window for, with the realm `session`. It is the same for all
//! applications, because a realm is shown to anyone: it names neither the audience nor the cookie.

use std::fmt::Display;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use crate::csrf::CrossSite;
use crate::error::StoreError;
use crate::keys::RandomError;
use crate::session::{
    ConfirmError, CsrfTokenError, DeviceError, LoginError, LogoutError, NotWritable,
    SessionGetError, SessionInsertError, SessionUpdateError, TooLarge,
};
use crate::sessions::{CommitError, Unavailable};

/// No [`SessionMiddleware`](crate::actix::SessionMiddleware) is around what asked for a session: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no SessionMiddleware (for this cookie) is wrapped around what asks for the session; of several `wrap` \
     calls the last one runs first, so it has to come after those of middleware that need the session"
)]
#[non_exhaustive]
pub struct MissingMiddleware;

/// Why a request has no session to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSession {
    /// No middleware is around: 500.
    #[error(transparent)]
    MissingMiddleware(#[from] MissingMiddleware),
    /// This node cannot say at the moment whether the request's cookie is a session: 503. The response
    /// becomes that, whatever the handler makes of it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why it is not known where a request comes from: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoClientAddress {
    /// No middleware is around, whose settings tell which proxies are trusted.
    #[error(transparent)]
    MissingMiddleware(#[from] MissingMiddleware),
    /// The other end of the connection has no address: it is a Unix socket.
    #[error("the other end of the connection has no address, as that of a Unix socket")]
    NoPeer,
}

/// Nobody is logged in: 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this needs a login")]
pub struct Unauthenticated;

/// Somebody is logged in who may not do this: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user may not do this")]
pub struct Forbidden;

/// The login is too long ago for what was asked for: 403. Ask for the password, call
/// [`Session::reauthenticate`](crate::Session::reauthenticate), and try again. `ErrorHandlers` find it by
/// `response.response().error()` and `as_error::<ReauthenticationRequired>()`; a handler may return it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the login is too long ago for this; log in again")]
pub struct ReauthenticationRequired;

/// How many seconds to wait before trying again, where that may help.
const RETRY: &str = "2";

/// How to log in: by what sets the cookie.
const CHALLENGE: &str = "Cookie realm=\"session\"";

fn answer(status: StatusCode, error: &dyn Display) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, RETRY));
        response.insert_header((CACHE_CONTROL, "no-store"));
        response.insert_header((VARY, "Cookie"));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((WWW_AUTHENTICATE, CHALLENGE));
    }
    let response = response.content_type("text/plain; charset=utf-8");
    match status {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::FORBIDDEN => response.body(error.to_string()),
        _ => response.body(status.canonical_reason().unwrap_or_default()),
    }
}

macro_rules! answers {
    ($($error:ty: $status:expr;)*) => {$(
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                let status: fn(&$error) -> StatusCode = $status;
                status(self)
            }

            fn error_response(&self) -> HttpResponse {
                answer(self.status_code(), self)
            }
        }
    )*};
}

answers! {
    MissingMiddleware: |_| StatusCode::INTERNAL_SERVER_ERROR;
    NoSession: |error| match error {
        NoSession::MissingMiddleware(error) => error.status_code(),
        NoSession::Unavailable(error) => error.status_code(),
    };
    NoClientAddress: |_| StatusCode::INTERNAL_SERVER_ERROR;
    Unauthenticated: |_| StatusCode::UNAUTHORIZED;
    Forbidden: |_| StatusCode::FORBIDDEN;
    ReauthenticationRequired: |_| StatusCode::FORBIDDEN;
    CrossSite: |_| StatusCode::FORBIDDEN;
    Unavailable: |_| StatusCode::SERVICE_UNAVAILABLE;
    StoreError: |_| StatusCode::SERVICE_UNAVAILABLE;
    RandomError: |_| StatusCode::INTERNAL_SERVER_ERROR;
    TooLarge: |_| StatusCode::PAYLOAD_TOO_LARGE;
    SessionGetError: |_| StatusCode::INTERNAL_SERVER_ERROR;
    SessionInsertError: |error| match error {
        SessionInsertError::TooLarge(error) => error.status_code(),
        SessionInsertError::NotWritable(error) => error.status_code(),
        SessionInsertError::Random(error) => error.status_code(),
        SessionInsertError::Encode { .. }
        | SessionInsertError::TooDeep { .. }
        | SessionInsertError::ReservedName { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    SessionUpdateError: |error| match error {
        SessionUpdateError::Get(error) => error.status_code(),
        SessionUpdateError::Insert(error) => error.status_code(),
    };
    LoginError: |error| match error {
        LoginError::NotAuthenticated => StatusCode::UNAUTHORIZED,
        LoginError::InvalidSubject | LoginError::InvalidRoles | LoginError::InvalidGroups => {
            StatusCode::BAD_REQUEST
        }
        LoginError::TooManySessions => StatusCode::CONFLICT,
        LoginError::Insert(error) => error.status_code(),
        LoginError::Store(error) => error.status_code(),
    };
    DeviceError: |error| match error {
        DeviceError::NotAuthenticated => StatusCode::UNAUTHORIZED,
        DeviceError::NotFound => StatusCode::NOT_FOUND,
        DeviceError::Off => StatusCode::INTERNAL_SERVER_ERROR,
        DeviceError::Store(error) => error.status_code(),
    };
    NotWritable: |error| match error {
        NotWritable::AlreadyCommitted => StatusCode::INTERNAL_SERVER_ERROR,
        NotWritable::CrossSite => StatusCode::FORBIDDEN,
        _ => StatusCode::CONFLICT,
    };
    CsrfTokenError: |error| match error {
        CsrfTokenError::NotWritable(error) => error.status_code(),
        CsrfTokenError::Random(_) | CsrfTokenError::NoActiveKey => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    ConfirmError: |error| match error {
        ConfirmError::Ended => StatusCode::UNAUTHORIZED,
        ConfirmError::Store(error) => error.status_code(),
    };
    LogoutError: |error| match error {
        LogoutError::NotAuthenticated | LogoutError::Ended => StatusCode::UNAUTHORIZED,
        LogoutError::Succeeded => StatusCode::CONFLICT,
        LogoutError::MayLiveElsewhere => StatusCode::SERVICE_UNAVAILABLE,
        LogoutError::TooManyRenewals => StatusCode::INTERNAL_SERVER_ERROR,
        LogoutError::NotWritable(error) => error.status_code(),
        LogoutError::Store(error) => error.status_code(),
    };
    CommitError: |error| match error {
        CommitError::NotWritable(error) => error.status_code(),
        CommitError::Store(error) => error.status_code(),
        CommitError::NoActiveKey
        | CommitError::TooManyKeys
        | CommitError::TooManyRenewals
        | CommitError::TooLarge(_)
        | CommitError::Random(_)
        | CommitError::Cipher(_) => StatusCode::INTERNAL_SERVER_ERROR,
        CommitError::Ended => StatusCode::CONFLICT,
        CommitError::Stale => StatusCode::SERVICE_UNAVAILABLE,
    };
}
