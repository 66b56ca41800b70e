//! Handlers that wait in the middle, until the test lets them go on.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use actix_web::error::ErrorBadRequest;
use actix_web::{HttpResponse, Result, web};
use sealed_session::Session;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Answer;

/// A place where a handler waits.
pub struct Gate {
    entered: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// Waits until a handler has come.
    pub async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }

    /// Says that a handler has come, which does not wait here.
    fn arrive(&self) {
        self.entered.add_permits(1);
    }

    /// Lets one handler go on.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    pub async fn pass(&self) {
        self.arrive();
        self.open.acquire().await.unwrap().forget();
    }
}

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// The gate of this name. Tests in one process use different names.
pub fn gate(name: &str) -> Arc<Gate> {
    let mut gates = GATES.lock().unwrap();
    let gate = gates.entry(name.to_owned()).or_insert_with(|| {
        Arc::new(Gate {
            entered: Semaphore::new(0),
            open: Semaphore::new(0),
        })
    });
    gate.clone()
}

/// Sends `request`, and does `meanwhile` while its handler waits at the gate.
pub async fn during<T>(
    name: &str,
    request: impl Future<Output = Answer>,
    meanwhile: impl Future<Output = T>,
) -> Answer {
    let at = gate(name);
    let (answer, _) = tokio::join!(request, async {
        at.entered().await;
        meanwhile.await;
        at.open();
    });
    answer
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/held/{gate}/write", web::post().to(write))
        .route("/held/{gate}/late-write", web::post().to(late_write))
        .route("/held/{gate}/renew", web::post().to(renew))
        .route("/held/{gate}/read", web::get().to(read))
        .route("/held/{gate}/login/{user}", web::post().to(login))
        .route("/held/{gate}/logout-others", web::post().to(logout_others))
        .route("/held/{gate}/logout", web::post().to(logout))
        .route("/late/{gate}/login/{user}", web::post().to(late_login))
        .route("/late/{gate}/logout", web::post().to(late_logout))
        .route("/late/{gate}/logout-all", web::post().to(late_logout_all))
        .route(
            "/late/{gate}/logout-others",
            web::post().to(late_logout_others),
        )
        .route("/upload/{gate}", web::put().to(upload));
}

/// Has its session, reads the body for as long as that takes, and writes it. What is not JSON is refused.
async fn upload(
    session: Session,
    name: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse> {
    gate(&name).arrive();
    let body = body.to_bytes().await?;
    let value: Value = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    session.insert("uploaded", value)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Writes, then waits.
async fn write(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    session.insert("held", 1)?;
    gate(&name).pass().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits, then writes.
async fn late_write(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.insert("held", 1)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn renew(session: Session, name: web::Path<String>) -> HttpResponse {
    session.renew();
    gate(&name).pass().await;
    HttpResponse::NoContent().finish()
}

async fn read(session: Session, name: web::Path<String>) -> HttpResponse {
    gate(&name).pass().await;
    HttpResponse::Ok().json(session.subject())
}

/// Logs in, then waits.
async fn login(session: Session, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (name, user) = path.into_inner();
    session.authenticate(user).await?;
    gate(&name).pass().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Logs out, then waits.
async fn logout(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    session.logout().await?;
    gate(&name).pass().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Logs out everywhere else, then waits.
async fn logout_others(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    session.logout_others().await?;
    gate(&name).pass().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits, then logs in: what any handler does that reads its body (slowly) before it acts.
async fn late_login(session: Session, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (name, user) = path.into_inner();
    gate(&name).pass().await;
    session.authenticate(user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits, then logs out.
async fn late_logout(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits, then logs out everywhere.
async fn late_logout_all(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits, then logs out everywhere else.
async fn late_logout_others(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_others().await?;
    Ok(HttpResponse::NoContent().finish())
}
