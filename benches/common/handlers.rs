//! The handlers of the applications that are measured, and the middleware that is compared with ours.
//!
//! No part of this folder's module: it needs actix-web and actix-session, which not every benchmark has.

use actix_session::SessionMiddleware;
use actix_session::config::CookieContentSecurity;
use actix_session::storage::SessionStore;
use actix_web::Result;
use actix_web::cookie::Key;
use actix_web::error::ErrorUnauthorized;

use crate::common::shapes::{CSRF, READ, Size, USER};

/// A route without sessions.
pub async fn bare() -> String {
    CSRF.to_owned()
}

pub async fn our_read(session: sealed_session::Session) -> Result<String> {
    let value = session.get(READ)?;
    value.ok_or_else(|| ErrorUnauthorized("no session"))
}

/// That of actix-session with its own settings, of which the one that costs most is said here: what is in
/// the cookie is encrypted, not only signed.
pub fn their_middleware<S: SessionStore>(store: S, key: Key) -> SessionMiddleware<S> {
    SessionMiddleware::builder(store, key)
        .cookie_content_security(CookieContentSecurity::Private)
        .build()
}

/// Makes the session.
pub async fn their_begin(session: actix_session::Session, size: Size) -> Result<String> {
    session.insert("user", USER)?;
    for (name, value) in size.entries() {
        session.insert(name, value)?;
    }
    Ok(String::new())
}

pub async fn their_read(session: actix_session::Session) -> Result<String> {
    let value = session.get(READ)?;
    value.ok_or_else(|| ErrorUnauthorized("no session"))
}
