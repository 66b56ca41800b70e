//! The middleware in all the places where a response can come from.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Compat, Condition, Next, from_fn};
use actix_web::web::Bytes;
use actix_web::{App, Error, FromRequest, HttpRequest, HttpResponse, Result, error, web};
use sealed_session::testing::ManualClock;
use sealed_session::{Session, SessionExt, SessionMiddleware, Sessions};
use serde_json::json;
use support::faulty::{Faulty, Mode};
use support::raw::{request, upgrade};
use support::{Answer, Browser, Node, builder, eventually, log, serve, serve_app};

async fn sessions() -> Sessions {
    let clock = ManualClock::default();
    builder(&clock, log(&clock)).start().await.unwrap()
}

#[track_caller]
fn sets_a_cookie(answer: &Answer) {
    assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("Cookie"));
}

/// An extractor that writes to the session.
struct Seen;

impl FromRequest for Seen {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.get_session().unwrap();
        ready(
            session
                .insert("seen", true)
                .map(|()| Self)
                .map_err(Error::from),
        )
    }
}

fn failing(config: &mut web::ServiceConfig) {
    config
        .configure(support::routes)
        .route(
            "/handler-error",
            web::get().to(async |session: Session| {
                session.insert("seen", true)?;
                Result::<HttpResponse>::Err(error::ErrorImATeapot("short and stout"))
            }),
        )
        .route(
            "/extractor-error",
            web::get().to(async |_: Seen, _: web::Json<u32>| "never"),
        );
}

#[actix_web::test]
async fn errors_of_handlers_and_extractors_keep_their_cookie() {
    let sessions = sessions().await;
    let (url, _server) = serve(&sessions, failing);
    for (path, status) in [("/handler-error", 418), ("/extractor-error", 400)] {
        let browser = Browser::new(&url);
        let answer = browser.get(path).await.is(status);
        sets_a_cookie(&answer);
        assert_eq!(browser.get("/entries/seen").await.is(200).json(), true);
        browser.post("/login/alice").await.is(200);
    }
}

#[actix_web::test]
async fn what_another_middleware_writes_is_kept_on_a_404_and_with_its_own_error() {
    let sessions = sessions().await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap_fn(|request, next| {
                let session = request.get_session().unwrap();
                let fails = request.path() == "/middleware-error";
                session.insert("path", request.path()).unwrap();
                let next = next.call(request);
                async move {
                    if fails {
                        return Err(error::ErrorImATeapot("short and stout"));
                    }
                    next.await
                }
            })
            .wrap(SessionMiddleware::new(&sessions))
            .configure(support::routes)
    );
    for (path, status) in [("/nowhere", 404), ("/middleware-error", 418)] {
        let browser = Browser::new(&url);
        let answer = browser.get(path).await.is(status);
        sets_a_cookie(&answer);
        assert!(browser.session().is_some());
    }
}

fn streaming(config: &mut web::ServiceConfig) {
    config.configure(support::routes).route(
        "/stream",
        web::get().to(async |session: Session| {
            session.insert("before", 1).unwrap();
            let lines = futures_util::stream::unfold((0, session), async |(step, session)| {
                let line = match step {
                    0 => format!("{:?}\n", session.get::<u32>("before").unwrap()),
                    1 => format!("{}\n", session.insert("after", 1).unwrap_err()),
                    2 => format!("{}\n", session.authenticate("bob").await.unwrap_err()),
                    3 => {
                        session.remove("before");
                        session.clear();
                        session.renew();
                        format!("{:?}\n", session.get::<u32>("before").unwrap())
                    }
                    4 => format!("{:?}\n", session.logout().await),
                    _ => return None,
                };
                Some((Ok::<_, Error>(Bytes::from(line)), (step + 1, session)))
            });
            HttpResponse::Ok().streaming(lines)
        }),
    );
}

#[actix_web::test]
async fn a_streaming_body_reads_and_revokes_and_does_not_write() {
    let sessions = sessions().await;
    let (url, _server) = serve(&sessions, streaming);
    for login in [true, false] {
        let browser = Browser::new(&url);
        if login {
            browser.post("/login/alice").await.is(200);
        }
        let answer = browser.get("/stream").await.is(200);
        sets_a_cookie(&answer);
        let sent = "the response was sent already";
        let lines = format!("Some(1)\n{sent}\n{sent}\nSome(1)\nOk(())\n");
        assert_eq!(answer.body, lines);
        // The cookie that came with the head is of the session that the body ended.
        assert!(browser.session().is_some());
        browser.get("/entries/before").await.is(404);
    }
}

fn panicking(config: &mut web::ServiceConfig) {
    config
        .configure(support::routes)
        .route(
            "/panic",
            web::get().to(async |session: Session| -> HttpResponse {
                session.insert("a", 1).unwrap();
                panic!("as the test wants it")
            }),
        )
        .route(
            "/purge-and-panic",
            web::get().to(async |session: Session| -> HttpResponse {
                session.purge();
                panic!("as the test wants it")
            }),
        );
}

#[actix_web::test]
async fn a_handler_that_panics_commits_nothing_and_revokes_what_it_revoked() {
    let sessions = sessions().await;
    let (url, _server) = {
        let sessions = sessions.clone();
        serve_app!(
            1,
            App::new()
                .wrap(SessionMiddleware::new(&sessions))
                .configure(panicking)
        )
    };
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    let cookie = format!("Cookie: session={}", browser.session().unwrap());
    let reply = request(&url, ["GET /panic HTTP/1.1", &cookie]).await;
    assert_eq!(reply.status(), 0, "{}", reply.text());
    browser.get("/me").await.is(200);
    browser.get("/entries/a").await.is(404);
    let reply = request(&url, ["GET /purge-and-panic HTTP/1.1", &cookie]).await;
    assert_eq!(reply.status(), 0, "{}", reply.text());
    browser.get("/me").await.is(401);
    assert_eq!(sessions.close(Duration::from_secs(10)).await, 0);
}

fn sockets(config: &mut web::ServiceConfig) {
    config.configure(support::routes).route(
        "/socket",
        web::get().to(
            async |session: Session, request: HttpRequest, body: web::Payload| {
                session.insert("socket", 1)?;
                let (response, _socket, _messages) = actix_ws::handle(&request, body)?;
                Result::<HttpResponse>::Ok(response)
            },
        ),
    );
}

#[actix_web::test]
async fn an_upgrade_to_a_websocket_carries_the_cookie() {
    let sessions = sessions().await;
    let (url, _server) = serve(&sessions, sockets);
    let head = [
        "GET /socket HTTP/1.1",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    let reply = upgrade(&url, head).await;
    assert_eq!(reply.status(), 101, "{}", reply.text());
    let cookies = reply.header("set-cookie");
    let value = cookies[0].split(['=', ';']).nth(1).unwrap();
    let browser = Browser::new(&url).holding(value);
    assert_eq!(browser.get("/entries/socket").await.is(200).json(), 1);
}

fn methods(config: &mut web::ServiceConfig) {
    config.configure(support::routes).route(
        "/any",
        web::to(async |session: Session| {
            session.insert("method", 1)?;
            Result::<HttpResponse>::Ok(HttpResponse::Ok().body("body"))
        }),
    );
}

#[actix_web::test]
async fn head_and_options_requests_have_sessions_too() {
    let sessions = sessions().await;
    let (url, _server) = serve(&sessions, methods);
    for method in [reqwest::Method::HEAD, reqwest::Method::OPTIONS] {
        let browser = Browser::new(&url);
        let answer = browser.send(method, "/any", None).await.is(200);
        sets_a_cookie(&answer);
        browser.get("/entries/method").await.is(200);
    }
}

fn spawning(config: &mut web::ServiceConfig) {
    config.configure(support::routes).route(
        "/spawn",
        web::get().to(async |session: Session| {
            let handle = session.clone();
            let thread = std::thread::spawn(move || handle.insert("thread", 1));
            thread.join().unwrap()?;
            let handle = session.clone();
            let login = tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(async move { handle.authenticate("alice").await })
            });
            login.await.unwrap()?;
            Result::<String>::Ok(format!("{:?}", session.subject()))
        }),
    );
}

#[actix_web::test]
async fn a_session_can_be_used_from_other_threads_and_runtimes() {
    let sessions = sessions().await;
    let (url, _server) = serve(&sessions, spawning);
    let browser = Browser::new(&url);
    assert_eq!(browser.get("/spawn").await.is(200).body, "Some(\"alice\")");
    browser.get("/me").await.is(200);
    browser.get("/entries/thread").await.is(200);
}

#[actix_web::test]
async fn workers_share_one_list() {
    let sessions = sessions().await;
    let server = sessions.clone();
    let (url, _server) = serve_app!(
        4,
        App::new()
            .wrap(SessionMiddleware::new(&server))
            .configure(support::routes)
    );
    for _ in 0..8 {
        let browser = Browser::new(&url);
        browser.post("/login/alice").await.is(200);
        // Connections go to the workers in turn.
        let thieves: Vec<_> = (0..8)
            .map(|_| Browser::new(&url).holding(browser.session().unwrap()))
            .collect();
        for thief in &thieves {
            thief.get("/me").await.is(200);
        }
        browser.post("/logout").await.is(204);
        for thief in &thieves {
            thief.get("/me").await.is(401);
        }
    }
}

async fn impatient(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>> {
    let answer = tokio::time::timeout(Duration::from_millis(50), next.call(request));
    let late = |_| error::ErrorGatewayTimeout("too late");
    answer.await.map_err(late)?
}

#[actix_web::test]
async fn a_timeout_in_the_middle_of_a_logout_does_not_stop_it() {
    for outside in [true, false] {
        let clock = ManualClock::default();
        let log = log(&clock);
        let store = Faulty::new(log.clone());
        let other = Node::on(&clock, log).await;
        let sessions = builder(&clock, store.clone()).start().await.unwrap();
        let server = sessions.clone();
        let (url, _server) = serve_app!(
            1,
            App::new()
                .wrap(Condition::new(!outside, from_fn(impatient)))
                .wrap(SessionMiddleware::new(&server))
                .wrap(Condition::new(outside, from_fn(impatient)))
                .configure(support::routes)
        );
        for path in ["/logout", "/purge", "/logout-all"] {
            store.set(Mode::Up);
            let browser = Browser::new(&url);
            browser.post("/login/alice").await.is(200);
            let stolen = browser.copy();
            store.set(Mode::Hanging);
            let answer = browser.post(path).await;
            stolen.get("/me").await.is(401);
            store.set(Mode::Up);
            if outside || path != "/purge" {
                assert_eq!(answer.status, 504, "{path}");
            }
            let elsewhere = stolen.at(&other);
            eventually(|| async { elsewhere.copy().get("/me").await.status == 401 }).await;
        }
    }
}

#[actix_web::test]
async fn a_session_without_its_middleware_is_the_developers_error() {
    let (url, _server) = serve_app!(1, App::new().configure(support::routes));
    let browser = Browser::new(&url);
    for path in ["/me", "/entries/a"] {
        let answer = browser.get(path).await.is(500);
        assert_eq!(answer.body, "Internal Server Error");
    }
    browser.get("/plain").await.is(200);
    browser.put("/entries/a", json!(1)).await.is(500);
}

/// For helpers that name `ServiceResponse<BoxBody>`, as with a middleware that leaves the body's type alone.
#[actix_web::test]
async fn the_type_of_the_body_can_be_that_of_before() {
    async fn with_header(
        request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>> {
        let mut response = next.call(request).await?;
        let name = HeaderName::from_static("x-helper");
        let value = HeaderValue::from_static("was here");
        response.headers_mut().insert(name, value);
        Ok(response)
    }
    let sessions = sessions().await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(from_fn(with_header))
            .wrap(Compat::new(SessionMiddleware::new(&sessions)))
            .wrap(from_fn(with_header))
            .configure(support::routes)
    );
    let browser = Browser::new(&url);
    let answer = browser.post("/login/alice").await.is(200);
    assert_eq!(answer.header("x-helper"), Some("was here"));
    browser.get("/me").await.is(200);
}
