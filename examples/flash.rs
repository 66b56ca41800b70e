//! A form, a redirect after it, and a message on the page that follows.
//!
//! `cargo run --example flash`, then open <http://127.0.0.1:8080>.

use actix_web::web::{Form, Html, Redirect};
use actix_web::{App, HttpServer, Result, get, post};
use sealed_session::session::FlashMessage;
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};
use serde::Deserialize;

#[get("/")]
async fn page(session: Session) -> Html {
    let messages = session.flash().messages();
    let messages: String = messages.iter().map(line).collect();
    Html::new(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Flash messages</title>{messages}\
         <form method=post action=/name><label>Your name <input name=name></label> <button>Save</button></form>"
    ))
}

/// A text may be anything, so it is escaped.
fn line(message: &FlashMessage) -> String {
    let text = message.text.replace('&', "&amp;").replace('<', "&lt;");
    let (class, icon) = (message.kind.css_class(), message.kind.icon());
    format!("<p class={class} role=status>{icon} {text}</p>")
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[post("/name")]
async fn save(session: Session, form: Form<Name>) -> Result<Redirect> {
    match form.name.trim() {
        "" => session.flash().error("A name has at least one letter.")?,
        name => session.flash().success(format!("You are {name} now."))?,
    }
    Ok(Redirect::to("/").see_other())
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let builder = Sessions::builder("examples/flash").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service(page).service(save)
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
