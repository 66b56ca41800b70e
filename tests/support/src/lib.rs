//! A real server, a real client, and a clock that is moved by hand.
#![forbid(unsafe_code)]

pub mod accounts;
mod browser;
pub mod faulty;
pub mod forge;
pub mod gate;
pub mod moved_clock;
pub mod ports;
pub mod proxy;
pub mod ram_journal;
pub mod raw;
pub mod redis_server;
pub mod upload;
pub mod web_socket;
pub mod written;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{ServerHandle, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{ErrorHandlerResponse, ErrorHandlers};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, ResponseError, Result, web};
use futures_util::FutureExt;
use sealed_session::actix::{Authenticated, SessionMiddleware};
use sealed_session::adapter::Incoming;
use sealed_session::revoke::WhenStale;
use sealed_session::revoke::{Revocation, SessionEntry, Store, SubjectEntry};
use sealed_session::session::Rejected;
use sealed_session::store::Memory;
use sealed_session::testing::{ManualClock, MemoryLog, published_secret};
use sealed_session::{
    KeyRing, Session, Sessions, SessionsBuilder,
    revoke::{Generation, Serial, SessionId, SubjectKey},
    settings::CookieSettings,
    time::UnixMillis,
};
use serde_json::{Value, json};

pub use browser::{Answer, Browser};

/// The key ring of most tests.
pub fn ring() -> KeyRing {
    KeyRing::single(published_secret(1))
}

/// Settings of most tests: plain http, a clock moved by hand, an in-memory store.
pub fn builder(clock: &ManualClock, store: impl Into<Store>) -> SessionsBuilder {
    Sessions::builder("test")
        .keys(ring())
        .store(store)
        .cookie(CookieSettings::plain_http())
        .clock(Arc::new(clock.clone()))
}

/// Why these sessions take no cookie of the browser's for one.
pub fn rejected(sessions: &Sessions, browser: &Browser) -> Option<Rejected> {
    let header = browser.header().unwrap();
    let incoming = Incoming::new(std::iter::once(header.as_bytes()));
    sessions.load(incoming).unwrap().session.rejected()
}

/// A node, and a browser at these routes.
pub async fn node_at(routes: fn(&mut ServiceConfig)) -> (Node, Browser) {
    let node = Node::start().await;
    let (url, _server) = serve(&node.sessions, routes);
    (node, Browser::new(&url))
}

/// The application's own page in the place of a refusal's plain text: which `E` it was, if any.
pub fn refusals_as_pages<E: ResponseError + 'static, B: 'static>() -> ErrorHandlers<B> {
    ErrorHandlers::new().handler(StatusCode::FORBIDDEN, |response| {
        let error = response.response().error();
        let cause = error.and_then(|error| error.as_error::<E>());
        let page = HttpResponse::Forbidden().body(format!("<p>{cause:?}</p>"));
        let (request, _) = response.into_parts();
        let page = ServiceResponse::new(request, page);
        Ok(ErrorHandlerResponse::Response(page.map_into_right_body()))
    })
}

/// Another browser at the same place, in which alice has logged in.
pub async fn logged_in(browser: &Browser) -> Browser {
    let browser = Browser::new(browser.url());
    browser.post("/login/alice").await.is(200);
    browser
}

/// A value, changed.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// A cookie for plain http, of this name and below this path.
pub fn cookie(name: &str, path: &str) -> CookieSettings {
    with(CookieSettings::plain_http(), |cookie| {
        cookie.name = name.into();
        cookie.path = path.into();
    })
}

/// Sessions of their own, under a clock of their own.
pub async fn started(audience: &str, settings: CookieSettings) -> Sessions {
    let clock = ManualClock::default();
    let store = memory(&clock);
    started_on(clock, store, audience, settings).await
}

pub async fn started_on(
    clock: ManualClock,
    store: impl Into<Store>,
    audience: &str,
    settings: CookieSettings,
) -> Sessions {
    let sessions = Sessions::builder(audience)
        .keys(ring())
        .store(store)
        .cookie(settings)
        .clock(Arc::new(clock.clone()))
        .start()
        .await
        .unwrap();
    sessions
}

/// A log that nodes share, which began a second ago and has settled.
pub fn log(clock: &ManualClock) -> MemoryLog {
    let log = MemoryLog::new(Arc::new(clock.clone()));
    log.settle();
    clock.advance(Duration::from_secs(1));
    log
}

/// A store in memory, which began a second ago.
pub fn memory(clock: &ManualClock) -> Store {
    let store = Store::from(Memory::new());
    let opened = store.open(Arc::new(clock.clone())).now_or_never();
    opened.unwrap().unwrap();
    clock.advance(Duration::from_secs(1));
    store
}

/// The list is never too old: for tests that let time pass beside a log whose followers have not heard of it yet.
pub fn unhurried(builder: SessionsBuilder) -> SessionsBuilder {
    builder.when_stale(WhenStale::Reject, 10_000 * DAY)
}

/// Makes the list of this name on a server, where it is not there, and lets it be as if it had settled long ago.
pub async fn settled(server: &redis_server::RedisServer, list: &str) {
    use sealed_session::revoke::ReplicatedLog;
    let log = sealed_session::store::Redis::open(server.url(), list).unwrap();
    log.read(&[]).await.unwrap();
    server.settle(list);
}

/// The entry of a session that was logged out.
pub fn ended_entry(from: UnixMillis, until: UnixMillis) -> SessionEntry {
    SessionEntry {
        serial: Serial::ENDED,
        from,
        until,
    }
}

/// A session that was logged out: another one for every number.
pub fn ended(number: u64, from: UnixMillis, until: UnixMillis) -> Revocation {
    Revocation::Session {
        id: SessionId::from_bytes(spread(number)),
        entry: ended_entry(from, until),
    }
}

/// A subject that was logged out everywhere: another one for every number.
pub fn ended_subject(number: u64, at: UnixMillis, until: UnixMillis) -> Revocation {
    Revocation::Subject {
        key: SubjectKey::from_bytes(spread(number)),
        entry: SubjectEntry::new(Generation::new(at.as_millis()), until),
    }
}

/// Sixteen bytes that differ for every number, and from the first on, as if they were random.
pub fn spread(number: u64) -> [u8; 16] {
    let mixed = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    mixed.to_be_bytes()
}

/// A server with the routes of [`routes`], and what it was made of.
pub struct Node {
    pub url: String,
    pub sessions: Sessions,
    pub clock: ManualClock,
    pub server: ServerHandle,
}

impl Node {
    /// A node of its own, with an in-memory store.
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    /// The same, with other settings.
    pub async fn with(change: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        let clock = ManualClock::default();
        Self::serve(clock.clone(), change(builder(&clock, memory(&clock)))).await
    }

    /// A node on a store that others may share.
    pub async fn on(clock: &ManualClock, store: impl Into<Store>) -> Self {
        Self::serve(clock.clone(), builder(clock, store)).await
    }

    pub async fn serve(clock: ManualClock, builder: SessionsBuilder) -> Self {
        let sessions = builder.start().await.unwrap();
        let (url, server) = serve(&sessions, routes);
        Self {
            url,
            sessions,
            clock,
            server,
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.url)
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

/// Serves an application on a free port of the loopback interface. The expression is evaluated once a
/// worker.
#[macro_export]
macro_rules! serve_app {
    ($workers:expr, $app:expr) => {{
        let server = ::actix_web::HttpServer::new(move || $app)
            .workers($workers)
            .disable_signals()
            .shutdown_timeout(0)
            .bind(("127.0.0.1", 0))
            .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        ::actix_web::rt::spawn(server);
        (url, handle)
    }};
}

/// Serves `routes` under the middleware.
pub fn serve(
    sessions: &Sessions,
    routes: impl FnOnce(&mut web::ServiceConfig) + Copy + Send + 'static,
) -> (String, ServerHandle) {
    let sessions = sessions.clone();
    serve_app!(
        2,
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .configure(routes)
    )
}

/// A small application that touches everything.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/login/{user}", web::post().to(login))
        .route("/remember/{user}", web::post().to(remember))
        .route("/member/{org}/{user}", web::post().to(member))
        .route("/logout", web::post().to(logout))
        .route("/logout-all", web::post().to(logout_all))
        .route("/logout-others", web::post().to(logout_others))
        .route("/logout-everyone", web::post().to(logout_everyone))
        .route("/purge", web::post().to(purge))
        .route("/renew", web::post().to(renew))
        .route("/clear", web::post().to(clear))
        .route("/confirm", web::post().to(confirm))
        .route("/me", web::get().to(me))
        .route("/entries/{key}", web::get().to(get))
        .route("/entries/{key}", web::put().to(put))
        .route("/entries/{key}", web::delete().to(remove))
        .configure(gate::routes)
        .route("/plain", web::get().to(|| async { "untouched" }));
}

async fn login(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session.authenticate(user.into_inner()).await?;
    Ok(HttpResponse::Ok().json(session.id().map(|id| id.to_string())))
}

async fn remember(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session
        .authenticate(user.into_inner())
        .remember(true)
        .await?;
    Ok(HttpResponse::Ok().json(session.id().map(|id| id.to_string())))
}

async fn member(session: Session, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (org, user) = path.into_inner();
    session.authenticate(user).group("org", org).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn logout(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn logout_all(session: Session) -> Result<HttpResponse> {
    session.logout_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn logout_others(session: Session) -> Result<HttpResponse> {
    session.logout_others().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn logout_everyone(session: Session) -> Result<HttpResponse> {
    session.logout_everyone().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn purge(session: Session) -> HttpResponse {
    session.purge();
    HttpResponse::NoContent().finish()
}

async fn renew(session: Session) -> HttpResponse {
    session.renew();
    HttpResponse::Ok().json(session.id().map(|id| id.to_string()))
}

async fn clear(session: Session) -> HttpResponse {
    session.clear();
    HttpResponse::NoContent().finish()
}

async fn confirm(session: Session) -> Result<HttpResponse> {
    session.confirm().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn me(user: Authenticated) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "user": user.subject(),
        "session": user.session().id().map(|id| id.to_string()),
        "remembered": user.session().is_remembered(),
    }))
}

async fn get(session: Session, key: web::Path<String>) -> Result<HttpResponse> {
    Ok(match session.get::<Value>(&key)? {
        Some(value) => HttpResponse::Ok().json(value),
        None => HttpResponse::NotFound().finish(),
    })
}

async fn put(
    session: Session,
    key: web::Path<String>,
    value: web::Json<Value>,
) -> Result<HttpResponse> {
    session.insert(key.into_inner(), value.into_inner())?;
    Ok(HttpResponse::NoContent().finish())
}

async fn remove(session: Session, key: web::Path<String>, _: HttpRequest) -> HttpResponse {
    session.remove(&key);
    HttpResponse::NoContent().finish()
}

/// Asks again until the answer is yes: for what another thread does in its own time.
#[track_caller]
pub fn eventually<F: Future<Output = bool>>(
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        for _ in 0..2000 {
            if ask().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not within 10 seconds: {caller}");
    }
}

/// The binary of an example, which `cargo test` built beside this test.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(file);
    assert!(
        binary.is_file(),
        "{} is missing; run `cargo build --example {name}`",
        binary.display()
    );
    binary
}

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
