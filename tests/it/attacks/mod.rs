//! Attacks that worked once: here what they share.
#![allow(clippy::unwrap_used)]

mod in_flight;
mod logouts;
mod responses;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, Result, web};
use common::faulty::Faulty;
use common::gate::gate;
use common::{builder, memory};
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use sealed_session::{Session, Sessions};

fn routes(config: &mut web::ServiceConfig) {
    config
        .route(
            "/late/{gate}/logout-others",
            web::post().to(late_logout_others),
        )
        .route("/late/{gate}/logout-all", web::post().to(late_logout_all))
        .route("/late/{gate}/login/{user}", web::post().to(late_login))
        .route("/timeout-login/{user}", web::post().to(timeout_login))
        .route("/clear-logout", web::post().to(clear_logout))
        .route("/clear-login/{user}", web::post().to(clear_login))
        .route("/flash", web::get().to(flash))
        .route("/cdn", web::get().to(cdn))
        .configure(common::routes);
}

/// What any handler does that reads its body (slowly) before it acts.
async fn late_logout_others(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_others().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn late_logout_all(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn late_login(session: Session, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (name, user) = path.into_inner();
    gate(&name).pass().await;
    session.authenticate(user).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn timeout_login(session: Session, user: web::Path<String>) -> HttpResponse {
    let login = session.authenticate(user.into_inner());
    match actix_web::rt::time::timeout(Duration::from_millis(200), async { login.await }).await {
        Ok(Ok(_)) => HttpResponse::Ok().finish(),
        _ => HttpResponse::GatewayTimeout().body("you are not logged in"),
    }
}

async fn clear_logout(session: Session) -> Result<HttpResponse> {
    session.clear();
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn clear_login(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session.clear();
    session.authenticate(user.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn flash(session: Session) -> String {
    match session.remove_as::<String>("flash") {
        Some(Ok(text)) => text,
        _ => "no message".into(),
    }
}

async fn cdn(session: Session) -> Result<HttpResponse> {
    session.insert("seen", true)?;
    Ok(HttpResponse::Ok()
        .insert_header(("CDN-Cache-Control", "max-age=600"))
        .insert_header(("Surrogate-Control", "max-age=600"))
        .body("page"))
}

struct Site {
    sessions: Sessions,
    clock: ManualClock,
    store: Arc<Faulty>,
    url: String,
}

async fn target() -> Site {
    let clock = ManualClock::default();
    let store = Faulty::new(memory(&clock), Reach::Process);
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (url, _) = common::serve(&sessions, routes);
    Site {
        sessions,
        clock,
        store,
        url,
    }
}
