//! Moving in from actix-session: the handlers stay, and so do the sessions that browsers hold.
//!
//! `cargo run --example from_actix_session --features migrate-actix-session 127.0.0.1:8080 KEY`, where KEY is the old
//! application's 64 bytes in base64url. docs/MIGRATION.md has the rest.

use std::time::Duration;

use actix_web::{App, HttpServer, Result, get, post};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sealed_session::migrate::ActixSessionCookie;
use sealed_session::store::Memory;
use sealed_session::time::{Clock, SystemClock};
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions}; // was: use actix_session::{Session, SessionMiddleware};

/// As it was.
#[get("/")]
async fn home(session: Session) -> Result<String> {
    let user = session.get::<String>("user_id")?;
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let user = user.unwrap_or_else(|| "stranger".to_owned());
    Ok(format!("Hello, {user}, for the {visits}. time"))
}

/// Was: `session.insert("user_id", "alice")?; session.renew();`
#[post("/login")]
async fn login(session: Session) -> Result<&'static str> {
    session.authenticate("alice").await?;
    session.insert("user_id", "alice")?;
    Ok("welcome")
}

/// Was: `session.purge();`, which left every copy of the cookie good.
#[post("/logout")]
async fn logout(session: Session) -> Result<&'static str> {
    session.logout().await?;
    Ok("bye")
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let [address, key] = [1, 2].map(|nth| std::env::args().nth(nth));
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let key = key.ok_or("the old application's key is missing")?;
    // Until then whoever comes with the old cookie stays logged in. A configuration has a date.
    let until = SystemClock::default().now() + Duration::from_secs(14 * 24 * 3600);
    let old = ActixSessionCookie::new("id", &BASE64_URL_SAFE_NO_PAD.decode(key)?, until)?
        .subject(|old| old.get("user_id"));
    let builder = Sessions::builder("examples/from-actix-session").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).migrate(old).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service((home, login, logout))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
