//! Roles: everyone reads, an editor writes, and an administrator who has just logged in removes.
//!
//! `cargo run --example roles`, then `curl -c jar -X POST http://127.0.0.1:8080/login/ada/admin` and
//! `curl -b jar -X DELETE http://127.0.0.1:8080/articles/1`

use std::time::Duration;

use actix_web::web::{self, Path};
use actix_web::{App, HttpRequest, HttpServer, Result};
use sealed_session::actix::{FromSession, Identity, Require};
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};

/// The application's own user.
struct User {
    name: String,
    may_write: bool,
}

impl FromSession for User {
    type Error = actix_web::Error;

    /// `request.app_data` finds a database, where there is one.
    async fn from_session(session: &Session, _: &HttpRequest) -> Result<Option<Self>> {
        let may_write = session.has_any_role(&["editor", "admin"]);
        let user = |name| Self { name, may_write };
        Ok(session.subject().map(user))
    }
}

async fn login(session: Session, path: Path<(String, String)>) -> Result<&'static str> {
    // After the password was checked. Who has which role is in the application's database.
    let (name, role) = path.into_inner();
    session.authenticate(name).roles([role]).await?;
    Ok("welcome")
}

async fn home(user: Option<Identity<User>>) -> String {
    match user {
        Some(user) if user.may_write => format!("{} writes", user.name),
        Some(user) => format!("{} reads", user.name),
        None => "a stranger reads".to_owned(),
    }
}

async fn write(user: Identity<User>) -> String {
    format!("written by {}", user.name)
}

async fn remove(user: Identity<User>, article: Path<u32>) -> String {
    format!("{} removed {article}", user.name)
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let builder = Sessions::builder("examples/roles").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let writers = Require::any_role(["editor", "admin"]);
        // Five minutes after the login the password is asked for once more, and `session.reauthenticate()` follows.
        let removers = Require::role("admin").within(Duration::from_secs(300));
        let articles = web::resource("/articles").post(write).wrap(writers);
        let article = web::resource("/articles/{id}")
            .delete(remove)
            .wrap(removers);
        App::new()
            .route("/", web::get().to(home))
            .route("/login/{name}/{role}", web::post().to(login))
            .service((articles, article))
            .wrap(SessionMiddleware::new(&sessions))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
