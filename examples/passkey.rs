//! The challenge of a passkey (WebAuthn): it is in a session before the login, and good for one login.
//!
//! A cookie can be sent once more, so it does not help to take the challenge out. The login ends the session that held it,
//! and with it every copy of the cookie. `cargo run --example passkey 127.0.0.1:8080 PUBLIC_KEY` (Ed25519, base64url)

use std::time::{Duration, SystemTime};

use actix_web::error::{ErrorInternalServerError, ErrorUnauthorized};
use actix_web::{App, HttpServer, Result, get, post, web};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use rand::{TryRng, rngs::SysRng};
use ring::signature::{ED25519, UnparsedPublicKey};
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};
use sha2::{Digest, Sha256};

#[get("/challenge")]
async fn challenge(session: Session) -> Result<String> {
    let mut bytes = [0; 32];
    let filled = SysRng.try_fill_bytes(&mut bytes);
    filled.map_err(ErrorInternalServerError)?;
    let challenge = BASE64.encode(bytes);
    session.insert("passkey", (&challenge, SystemTime::now()))?;
    Ok(challenge)
}

/// What `navigator.credentials.get` returns: client data, authenticator data and signature, in base64url.
type Assertion = (String, String, String);

/// The challenge that the key has signed. What else is to be checked (origin, flags, counter) is for a crate.
fn signed(assertion: &Assertion, key: &[u8]) -> Option<String> {
    let (client, authenticator, signature) = assertion;
    let client = BASE64.decode(client).ok()?;
    let mut message = BASE64.decode(authenticator).ok()?;
    message.extend(Sha256::digest(&client));
    let signature = BASE64.decode(signature).ok()?;
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(&message, &signature).ok()?;
    let client: serde_json::Value = serde_json::from_slice(&client).ok()?;
    client.get("challenge")?.as_str().map(str::to_owned)
}

type Key = web::Data<Vec<u8>>; // alice's; in an application from a database

#[post("/login")]
async fn login(session: Session, sent: web::Json<Assertion>, key: Key) -> Result<&'static str> {
    let asked = session.remove_as::<(String, SystemTime)>("passkey");
    let signed = signed(&sent, &key);
    match asked.and_then(Result::ok).zip(signed) {
        Some(((asked, at), signed))
            if asked == signed && at.elapsed().is_ok_and(|it| it < Duration::from_secs(300)) =>
        {
            session.authenticate("alice").await?;
            Ok("welcome")
        }
        _ => Err(ErrorUnauthorized("ask for a challenge, and sign it")),
    }
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let [address, key] = [1, 2].map(|nth| std::env::args().nth(nth));
    let key = web::Data::new(BASE64.decode(key.ok_or("no public key was given")?)?);
    let builder = Sessions::builder("examples/passkey").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.app_data(key.clone()).service((challenge, login))
    };
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
