//! A real server, a real client, and a clock that is moved by hand.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod faulty;
pub mod forge;
pub mod gate;
pub mod raw;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, Result, web};
use sealed_session::actix::{Authenticated, SessionMiddleware};
use sealed_session::revoke::RevocationStore;
use sealed_session::store::Memory;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::{CookieSettings, KeyRing, Session, Sessions, SessionsBuilder};
use serde_json::{Value, json};

/// The key ring of most tests.
pub fn ring() -> KeyRing {
    KeyRing::single(published_secret(1))
}

/// Settings of most tests: plain http, a clock moved by hand, an in-memory store.
pub fn builder(clock: &ManualClock, store: Arc<dyn RevocationStore>) -> SessionsBuilder {
    Sessions::builder("test")
        .keys(ring())
        .store(store)
        .cookie(CookieSettings::plain_http())
        .clock(Arc::new(clock.clone()))
}

/// An in-memory store that was born a second ago.
pub fn memory(clock: &ManualClock) -> Arc<Memory> {
    let store = Arc::new(Memory::with_clock(Arc::new(clock.clone())));
    clock.advance(Duration::from_secs(1));
    store
}

/// A server with the routes of [`routes`], and what it was made of.
pub struct Node {
    pub url: String,
    pub sessions: Sessions,
    pub clock: ManualClock,
    server: ServerHandle,
}

impl Node {
    /// A node of its own, with an in-memory store.
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    /// The same, with other settings.
    pub async fn with(change: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        Self::serve(clock.clone(), change(builder(&clock, store))).await
    }

    /// A node on a store that others may share.
    pub async fn on(clock: &ManualClock, store: Arc<dyn RevocationStore>) -> Self {
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
#[allow(unused_imports)]
pub(crate) use serve_app;

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
        .route("/logout", web::post().to(logout))
        .route("/logout-all", web::post().to(logout_all))
        .route("/logout-others", web::post().to(logout_others))
        .route("/logout-everyone", web::post().to(logout_everyone))
        .route("/purge", web::post().to(purge))
        .route("/renew", web::post().to(renew))
        .route("/clear", web::post().to(clear))
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

/// A client that keeps cookies as a browser does, and lets a test look at them and put them back.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    url: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn set_cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all("set-cookie");
        all.iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The names of the cookies that this answer removes.
    pub fn removed(&self) -> Vec<&str> {
        let cookies = self.set_cookies().into_iter();
        let removals = cookies.filter(|cookie| cookie.contains("Max-Age=0"));
        removals
            .filter_map(|cookie| cookie.split('=').next())
            .collect()
    }

    /// No session came of the request's cookie, which the browser keeps.
    #[track_caller]
    pub fn leaves_alone(self) -> Self {
        let answer = self.is(401);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        answer
    }

    /// No session came of the request's cookie, which is removed.
    #[track_caller]
    pub fn removes(self) -> Self {
        let answer = self.is(401);
        assert_eq!(answer.removed(), ["session"], "{answer:?}");
        assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
        answer
    }

    /// Whether a Set-Cookie of this answer removes a cookie.
    pub fn removes_cookie(&self) -> bool {
        self.set_cookies()
            .iter()
            .any(|cookie| cookie.contains("Max-Age=0"))
    }
}

impl Browser {
    pub fn new(url: &str) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            url: url.to_owned(),
            cookies: Arc::default(),
        }
    }

    /// Another browser that holds the same cookies: what a thief or a replay has.
    pub fn copy(&self) -> Self {
        let cookies = self.cookies.lock().unwrap().clone();
        Self {
            cookies: Arc::new(Mutex::new(cookies)),
            ..self.clone()
        }
    }

    /// The same cookies at another node.
    pub fn at(&self, node: &Node) -> Self {
        Self {
            url: node.url.clone(),
            ..self.clone()
        }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: impl Into<String>) {
        self.cookies
            .lock()
            .unwrap()
            .insert(name.into(), value.into());
    }

    /// A browser that holds this session cookie and no other.
    pub fn holding(&self, value: impl Into<String>) -> Self {
        let browser = Self {
            cookies: Arc::default(),
            ..self.clone()
        };
        browser.set_cookie("session", value);
        browser
    }

    /// The names of the cookies that the browser holds.
    pub fn names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }

    pub fn remove_cookie(&self, name: &str) {
        self.cookies.lock().unwrap().remove(name);
    }

    /// The value of the session cookie.
    pub fn session(&self) -> Option<String> {
        self.cookie("session")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send(reqwest::Method::POST, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(reqwest::Method::DELETE, path, None).await
    }

    pub async fn put(&self, path: &str, value: Value) -> Answer {
        self.send(reqwest::Method::PUT, path, Some(value)).await
    }

    pub async fn send(&self, method: reqwest::Method, path: &str, json: Option<Value>) -> Answer {
        let pairs: Vec<_> = {
            let cookies = self.cookies.lock().unwrap();
            cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        let header = (!pairs.is_empty()).then(|| pairs.join("; "));
        self.send_raw(method, path, json, header.map(String::into_bytes))
            .await
    }

    /// Sends exactly this Cookie header.
    pub async fn send_raw(
        &self,
        method: reqwest::Method,
        path: &str,
        json: Option<Value>,
        cookie: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(cookie) = cookie {
            let value = reqwest::header::HeaderValue::from_bytes(&cookie).unwrap();
            request = request.header("cookie", value);
        }
        if let Some(json) = json {
            request = request.json(&json);
        }
        let response = request.send().await.unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        };
        self.keep(&answer);
        answer
    }

    fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in answer.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap_or((rest, ""));
            // What a browser does with a cookie that is too large: it drops it without a word.
            if name.len() + value.len() > 4096 {
                continue;
            }
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
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

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
