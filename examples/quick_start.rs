//! A login, a page for whoever is logged in, and a logout. No files: keys and logouts end with the process.
//!
//! `cargo run --example quick_start`, then
//! `curl -c jar -X POST http://127.0.0.1:8080/login/alice; curl -b jar http://127.0.0.1:8080/`

use actix_web::{App, HttpServer, Result, get, post, web::Path};
use sealed_session::actix::Authenticated;
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};

#[post("/login/{user}")]
async fn login(session: Session, user: Path<String>) -> Result<&'static str> {
    // After the password was checked.
    session.authenticate(user.into_inner()).await?;
    session.insert("theme", "dark")?;
    Ok("welcome")
}

#[get("/")]
async fn home(user: Authenticated) -> Result<String> {
    let theme: Option<String> = user.session().get("theme")?;
    let theme = theme.unwrap_or_default();
    Ok(format!("Hello, {}, in a {theme} theme", user.subject()))
}

#[post("/logout")]
async fn logout(session: Session) -> Result<&'static str> {
    // Every copy of the cookie is dead now.
    session.logout().await?;
    Ok("bye")
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    // Once, outside the closure below, which runs in every worker.
    let builder = Sessions::builder("examples/quick-start").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    HttpServer::new(move || {
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .service(login)
            .service(home)
            .service(logout)
    })
    .bind(address)?
    .run()
    .await?;
    Ok(())
}
