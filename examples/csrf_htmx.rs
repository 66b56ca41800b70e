//! Tokens against forged requests, for a form and for htmx, where the headers of browsers are not enough for somebody.
//!
//! `cargo run --example csrf_htmx`, then open <http://127.0.0.1:8080>.

use actix_web::web::Html;
use actix_web::{App, HttpServer, Result, get, post};
use sealed_session::store::Memory;
use sealed_session::{
    CsrfMode, CsrfSettings, CsrfToken, KeyRing, Session, SessionMiddleware, Sessions,
};

/// htmx reads the attribute `hx-headers` of whatever is around the element that it sends a request for.
#[get("/")]
async fn page(session: Session, token: CsrfToken) -> Result<Html> {
    let count = session.get::<u32>("count")?.unwrap_or_default();
    let (name, value) = (token.header_name(), token.token());
    let field = token.as_hidden_field();
    Ok(Html::new(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Count</title>\
         <script src=https://unpkg.com/htmx.org@2></script>\
         <body hx-headers='{{\"{name}\": \"{value}\"}}'>\
         <p id=count>{count}</p>\
         <button hx-post=/count hx-target=#count>Count with htmx</button>\
         <form method=post action=/count>{field}<button>Count with a form</button></form>"
    )))
}

/// Answered 403 before it comes here, if there is no token of this session in the header or the field.
#[post("/count")]
async fn add(session: Session) -> Result<String> {
    let count = session.get::<u32>("count")?.unwrap_or_default() + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let mut csrf = CsrfSettings::default();
    csrf.mode = CsrfMode::Token;
    let builder = Sessions::builder("examples/csrf-htmx").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).csrf(csrf).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service((page, add))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
