//! Mistakes that nobody would notice are logged once, and nothing else is.

use actix_web::App;
use actix_web::test::{TestRequest, call_service, init_service};
use sealed_session::actix::SessionMiddleware;
use sealed_session::revoke::Store;
use sealed_session::store::{Memory, Redb};
use sealed_session::{Sessions, settings::CookieSettings};
use support::written::Written;
use support::{Node, cookie, started, with};

/// As an application starts them, with the machine's clock.
async fn real(audience: &str, settings: CookieSettings, store: Store) -> Sessions {
    let builder = Sessions::builder(audience).keys(support::ring());
    builder.store(store).cookie(settings).start().await.unwrap()
}

fn new_memory() -> Store {
    Memory::new().into()
}

#[actix_web::test]
async fn sessions_that_are_started_twice_in_a_process_say_so() {
    let written = Written::default();
    let _guard = written.listen();
    let one = real("twins", cookie("session", "/"), new_memory()).await;
    let _clone = one.clone();
    assert_eq!(written.count("started twice"), 0);
    // As in the closure of `HttpServer::new`: each with a list of its own.
    let _two = real("twins", cookie("session", "/"), new_memory()).await;
    assert_eq!(written.count("started twice"), 1);
    assert_eq!(written.count("ERROR"), 1);
}

#[actix_web::test]
async fn sessions_that_differ_in_cookie_audience_or_store_are_no_twins() {
    let written = Written::default();
    let _guard = written.listen();
    let store = new_memory();
    let with_domain = |domain: &str| {
        with(cookie("session", "/"), |cookie| {
            cookie.domain = Some(domain.into());
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let mut living = vec![
        real("differ", cookie("session", "/"), store.clone()).await,
        real("differ", cookie("other", "/"), store.clone()).await,
        real("differ", cookie("session", "/shop"), store.clone()).await,
        real("differ", with_domain("example.org"), store.clone()).await,
        real("differ", with_domain("example.net"), store.clone()).await,
        real("differ too", cookie("session", "/"), store).await,
    ];
    for file in ["one.redb", "two.redb"] {
        let path = folder.path().join(file);
        let store = Redb::create(path).unwrap();
        let builder = Sessions::builder("differ").keys(support::ring());
        let builder = builder.store(store).cookie(cookie("session", "/"));
        living.push(builder.start().await.unwrap());
    }
    assert_eq!(written.count("ERROR"), 0);
    // Browsers compare domains without case.
    living.push(real("differ", with_domain("EXAMPLE.org"), new_memory()).await);
    assert_eq!(written.count("started twice"), 1);
}

#[actix_web::test]
async fn tests_may_start_the_same_sessions_many_times() {
    let written = Written::default();
    let _guard = written.listen();
    let _one = started("tested", cookie("session", "/")).await;
    let _two = started("tested", cookie("session", "/")).await;
    assert_eq!(written.count("ERROR"), 0);
}

#[actix_web::test]
async fn sessions_that_are_gone_are_no_twins() {
    let written = Written::default();
    let _guard = written.listen();
    drop(real("gone", cookie("session", "/"), new_memory()).await);
    let _again = real("gone", cookie("session", "/"), new_memory()).await;
    assert_eq!(written.count("started twice"), 0);
}

/// What is logged when a cookie is set, or removed, in an answer to this request.
async fn warnings(
    settings: CookieSettings,
    path: &str,
    headers: &[(&str, &str)],
    times: usize,
) -> usize {
    let written = Written::default();
    let _guard = written.listen();
    let name = settings.name.clone();
    let sessions = started("plain", settings).await;
    let app = App::new()
        .wrap(SessionMiddleware::new(&sessions))
        .configure(support::routes);
    let app = init_service(app).await;
    for _ in 0..times {
        let mut request = TestRequest::post().uri(path);
        if path == "/logout" {
            request = request.insert_header(("cookie", format!("{name}=junk")));
        }
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = call_service(&app, request.to_request()).await;
        assert!(response.status().is_success(), "{response:?}");
        assert!(
            response.headers().contains_key("set-cookie"),
            "{response:?}"
        );
    }
    assert!(written.count("192.168") == 0, "a client chose that");
    written.count("a Secure cookie was set over plain http")
}

#[actix_web::test]
async fn a_secure_cookie_over_plain_http_is_one_warning() {
    let secure = CookieSettings::default;
    let login = "/login/alice";
    for host in ["192.168.0.5:8080", "shop.example.org", "[2001:db8::1]:8080"] {
        assert_eq!(
            warnings(secure(), login, &[("host", host)], 3).await,
            1,
            "{host}"
        );
    }
    for host in [
        "localhost:8080",
        "shop.localhost",
        "127.0.0.1:8080",
        "[::1]:8080",
    ] {
        assert_eq!(
            warnings(secure(), login, &[("host", host)], 1).await,
            0,
            "{host}"
        );
    }
    let far = ("host", "192.168.0.5:8080");
    for proxy in [("x-forwarded-proto", "https"), ("forwarded", "proto=https")] {
        assert_eq!(
            warnings(secure(), login, &[far, proxy], 1).await,
            0,
            "{proxy:?}"
        );
    }
    let proxy = ("x-forwarded-proto", "http");
    assert_eq!(warnings(secure(), login, &[far, proxy], 1).await, 1);
    // Browsers take that one, and a removal of what somebody made up says nothing.
    assert_eq!(
        warnings(CookieSettings::plain_http(), login, &[far], 1).await,
        0
    );
    assert_eq!(warnings(secure(), "/logout", &[far], 1).await, 0);
}

/// Looking at each takes time. Whoever deploys it so sees the warning at once, and whoever changes a proxy sees it soon.
#[actix_web::test]
async fn the_first_thousand_secure_cookies_are_looked_at_and_then_few() {
    for (before, warns) in [(10, 1), (999, 1), (1_000, 0), (1_024, 1)] {
        let written = Written::default();
        let _guard = written.listen();
        let sessions = started("first", CookieSettings::default()).await;
        let app = App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .configure(support::routes);
        let app = init_service(app).await;
        let hosts = std::iter::repeat_n("localhost:8080", before);
        for host in hosts.chain(["192.168.0.5:8080"]) {
            assert_eq!(written.count("plain http"), 0);
            let request = TestRequest::post().uri("/login/alice");
            let request = request.insert_header(("host", host)).to_request();
            let response = call_service(&app, request).await;
            assert!(response.headers().contains_key("set-cookie"));
        }
        let warned = written.count("a Secure cookie was set over plain http");
        assert_eq!(warned, warns, "after {before}");
    }
}

/// What a client can bring about at will is no cause for alarm.
#[actix_web::test]
async fn nobody_can_fill_the_error_log() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    // No session, no key: a token of another version, sealed now.
    let foreign = format!("B{}", &browser.session().unwrap()[1..28]);
    let app = App::new()
        .wrap(SessionMiddleware::new(&node.sessions))
        .configure(support::routes);
    let app = init_service(app).await;
    let written = Written::default();
    let _listening = written.listen();
    for _ in 0..100 {
        let request = TestRequest::post().uri("/renew");
        let request = request.insert_header(("cookie", format!("session={foreign}")));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), 409);
    }
    assert_eq!(written.count("ERROR"), 0, "{}", written.text());
}
