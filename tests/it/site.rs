//! Helpers of several modules: nodes with somebody logged in, servers with a handler of a test's own, and a site with
//! handlers that wait or do two things at once, on a store that fails when it is told to.

use std::time::Duration;

use actix_web::{HttpResponse, Result, web};
use sealed_session::adapter::Incoming;
use sealed_session::testing::ManualClock;
use sealed_session::{Session, Sessions};
use support::faulty::Faulty;
use support::{Browser, Node, builder, log, memory, serve, unhurried};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/timeout-login/{user}", web::post().to(timeout_login))
        .route("/clear-logout", web::post().to(clear_logout))
        .route("/clear-login/{user}", web::post().to(clear_login))
        .route("/cdn", web::get().to(cdn))
        .configure(support::routes);
}

async fn timeout_login(session: Session, user: web::Path<String>) -> HttpResponse {
    let login = session.authenticate(user.into_inner());
    match actix_web::rt::time::timeout(Duration::from_millis(200), async { login.await }).await {
        Ok(Ok(_)) => HttpResponse::Ok().finish(),
        _ => HttpResponse::GatewayTimeout().body("you are not logged in"),
    }
}

/// A superseded cookie may not clear, and may log out.
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

async fn cdn(session: Session) -> Result<HttpResponse> {
    session.insert("seen", true)?;
    Ok(HttpResponse::Ok()
        .insert_header(("CDN-Cache-Control", "max-age=600"))
        .insert_header(("Surrogate-Control", "max-age=600"))
        .body("page"))
}

pub struct Site {
    pub sessions: Sessions,
    pub clock: ManualClock,
    pub store: Faulty,
    pub url: String,
}

/// A site of its own, for somebody to attack.
pub async fn target() -> Site {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = unhurried(builder(&clock, store.clone()))
        .start()
        .await
        .unwrap();
    let (url, _) = support::serve(&sessions, routes);
    Site {
        sessions,
        clock,
        store,
        url,
    }
}

/// A browser in which alice has logged in.
pub async fn alice_at(node: &Node) -> Browser {
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser
}

/// The same, and the token that the browser holds.
pub async fn logged_in_with_token(node: &Node) -> (Browser, String) {
    let browser = alice_at(node).await;
    let token = browser.session().unwrap();
    (browser, token)
}

/// What the browser's cookie is, loaded without a server.
pub fn session_of(sessions: &Sessions, browser: &Browser) -> Session {
    let header = format!("session={}", browser.session().unwrap());
    let lines = std::iter::once(header.as_bytes());
    sessions.load(Incoming::new(lines)).unwrap().session
}

/// A server with the usual routes and `extra`.
pub async fn start(extra: fn(&mut web::ServiceConfig)) -> Browser {
    start_at(&ManualClock::default(), extra).await
}

pub async fn start_at(clock: &ManualClock, extra: fn(&mut web::ServiceConfig)) -> Browser {
    let sessions = builder(clock, memory(clock)).start().await.unwrap();
    let (url, _server) = serve(&sessions, move |config| {
        config.configure(support::routes).configure(extra);
    });
    Browser::new(&url)
}

/// A browser of a server with the usual routes and a handler at `/do`.
macro_rules! handler {
    ($handler:expr) => {
        $crate::site::start(|config| {
            config.route("/do", ::actix_web::web::post().to($handler));
        })
        .await
    };
}
pub(crate) use handler;

pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
