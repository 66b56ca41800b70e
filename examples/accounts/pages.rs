//! The pages.
//!
//! 1. They are files. A user's data is fetched as JSON and put in as text, so it cannot become markup.
//! 2. The policy allows nothing but the application's own files: no inline script, no inline style, no
//!    other site, no frame around.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use sealed_session::Session;

use crate::api::{get, only};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Assets that need no session.
pub fn assets(config: &mut web::ServiceConfig) {
    let files = [
        (
            "style.css",
            "text/css; charset=utf-8",
            include_str!("style.css"),
        ),
        ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
        ("login.js", SCRIPT, include_str!("login.js")),
        ("account.js", SCRIPT, include_str!("account.js")),
        ("common.js", SCRIPT, include_str!("common.js")),
    ];
    for (name, kind, text) in files {
        let send = move || async move {
            HttpResponse::Ok()
                .content_type(kind)
                .insert_header((CACHE_CONTROL, "no-cache"))
                .body(text)
        };
        config.service(only(
            &format!("/assets/{name}"),
            "GET, HEAD",
            [get().to(send)],
        ));
    }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(only("/", "GET, HEAD", [get().to(account)]))
        .service(only("/login", "GET, HEAD", [get().to(login)]));
}

async fn account(session: Session) -> HttpResponse {
    if session.is_authenticated() {
        page(include_str!("account.html"))
    } else {
        see_other("/login")
    }
}

async fn login(session: Session) -> HttpResponse {
    if session.is_authenticated() {
        see_other("/")
    } else {
        page(include_str!("login.html"))
    }
}

fn page(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        // Going back after a logout must ask the server again.
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}

fn see_other(path: &'static str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .finish()
}

/// Headers for everything that is sent.
pub async fn protect<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
