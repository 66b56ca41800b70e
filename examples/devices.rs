//! "Your devices": the sessions of whoever is logged in, an end for each of them, and three at the most.
//!
//! `cargo run --example devices`, then `curl -c jar -X POST http://127.0.0.1:8080/login/ada`, four times with jars of their
//! own, once to `/login/ada?device=Television`, and `curl -b jar http://127.0.0.1:8080/devices`

use actix_web::web::{self, Json, Path, Query};
use actix_web::{App, HttpServer, Result};
use sealed_session::actix::Authenticated;
use sealed_session::revoke::SessionId;
use sealed_session::session::{ListedSession, LogoutScope, SessionEvent};
use sealed_session::settings::DeviceSettings;
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};

#[derive(serde::Deserialize)]
struct Client {
    /// What an application on a television says of itself: browsers need not.
    device: Option<String>,
}

async fn login(
    session: Session,
    name: Path<String>,
    client: Query<Client>,
) -> Result<&'static str> {
    // After the password was checked.
    let mut login = session.authenticate(name.into_inner());
    if let Some(device) = &client.device {
        login = login.label(device);
    }
    login.await?;
    Ok("welcome")
}

/// As JSON. In a page a label is escaped, as any text.
async fn list(user: Authenticated) -> Result<Json<Vec<ListedSession>>> {
    Ok(Json(user.session().list_sessions().await?))
}

/// Of any of the user's sessions; of this one it is a logout. Another's is not found.
async fn end(user: Authenticated, id: Path<SessionId>) -> Result<&'static str> {
    user.session().revoke(*id).await?;
    Ok("ended")
}

/// An event knows ids. Whoever wants to tell the label lists the sessions before the login.
fn tell(event: &SessionEvent<'_>) {
    if let SessionEvent::LoggedOut {
        session: Some(ended),
        subject: Some(subject),
        scope: LogoutScope::Evicted { by },
        ..
    } = event
    {
        println!("{subject}: {ended} made room for {by}");
    }
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let mut devices = DeviceSettings::default();
    devices.index = true;
    devices.max_sessions = Some(3);
    let builder = Sessions::builder("examples/devices").keys(KeyRing::generate()?);
    let builder = builder.devices(devices).observer(tell);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        App::new()
            .route("/login/{name}", web::post().to(login))
            .route("/devices", web::get().to(list))
            .route("/devices/{id}", web::delete().to(end))
            .wrap(SessionMiddleware::new(&sessions))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
