//! A login with a provider (OAuth 2.0, RFC 6749, with PKCE, RFC 7636): what it needs is in a session before the login.
//!
//! The provider is played by this program too. `cargo run --example oauth`, then open <http://127.0.0.1:8080/login>.

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::web::{Path, Query, Redirect};
use actix_web::{App, HttpServer, Result, get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use sealed_session::actix::Authenticated;
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};
use sha2::{Digest, Sha256};

/// Tells nothing about the verifier, so it is the state too.
fn challenge(verifier: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[get("/login")]
async fn start(session: Session) -> Result<Redirect> {
    let mut verifier = [0; 32];
    let filled = SysRng.try_fill_bytes(&mut verifier);
    filled.map_err(ErrorInternalServerError)?;
    // The browser that began this is the one that may end it.
    session.insert("oauth", verifier)?;
    let address = format!("/provider/{}", challenge(&verifier));
    Ok(Redirect::to(address).see_other())
}

#[derive(serde::Deserialize)]
struct Answer {
    state: String,
    code: String,
}

#[get("/callback")]
async fn callback(session: Session, answer: Query<Answer>) -> Result<Redirect> {
    // Taken out: it is good for one callback.
    let begun = session.remove_as::<[u8; 32]>("oauth").and_then(Result::ok);
    let begun = begun.filter(|verifier| challenge(verifier) == answer.state);
    let user = begun.and_then(|verifier| exchange(&answer.code, &verifier));
    let user = user.ok_or_else(|| ErrorBadRequest("this is not the login that was begun here"))?;
    // Ends the session from before: a copy of its cookie begins nothing any more.
    session.authenticate(user).await?;
    Ok(Redirect::to("/").see_other())
}

/// What the provider does when it is sent a code and the verifier: it says who logged in.
fn exchange(code: &str, verifier: &[u8]) -> Option<String> {
    let (expected, user) = code.split_once('.')?;
    (expected == challenge(verifier)).then(|| user.to_owned())
}

/// The provider's page, on which alice has just agreed.
#[get("/provider/{challenge}")]
async fn provider(challenge: Path<String>) -> Redirect {
    let address = format!("/callback?state={challenge}&code={challenge}.alice");
    Redirect::to(address).see_other()
}

#[get("/")]
async fn home(user: Authenticated) -> String {
    format!("Hello, {}", user.subject())
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let builder = Sessions::builder("examples/oauth").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service((start, callback, provider, home))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
