//! Where a request comes from, behind proxies and without. How the headers are read is shown in `src/client/address`.

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpServer, web};
use reqwest::Method;
use sealed_session::actix::{ClientAddress, SessionMiddleware};
use sealed_session::testing::ManualClock;
use sealed_session::{
    SessionConfig, Sessions,
    settings::{ClientSettings, ProxyHeader},
};
use support::faulty::{Faulty, Mode};
use support::{Browser, MINUTE, builder, eventually, log, memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn whence(client: ClientAddress) -> String {
    client.ip().to_string()
}

async fn perhaps(client: Option<ClientAddress>) -> String {
    client.map_or("nowhere".to_owned(), |client| client.ip().to_string())
}

fn at(config: &mut web::ServiceConfig) {
    config
        .route("/whence", web::get().to(whence))
        .route("/perhaps", web::get().to(perhaps));
}

async fn behind(proxies: &[&str], header: ProxyHeader) -> Sessions {
    let mut settings = ClientSettings::default();
    settings.trusted_proxies = proxies.iter().map(|&it| it.to_owned()).collect();
    settings.proxy_header = header;
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).client(settings);
    builder.start().await.unwrap()
}

const BOTH: [(&str, &str); 3] = [
    ("x-forwarded-for", "1.1.1.1, 203.0.113.9"),
    ("x-forwarded-for", "127.0.0.2"),
    (
        "forwarded",
        "for=2.2.2.2, for=\"[2606:4700::17]:4711\", for=127.0.0.2",
    ),
];

#[actix_web::test]
async fn the_address_is_the_peers_unless_a_trusted_proxy_names_another() {
    use ProxyHeader::{Forwarded, XForwardedFor};
    for (proxies, header, address) in [
        (&[][..], XForwardedFor, "127.0.0.1"),
        (&["10.0.0.0/8"], XForwardedFor, "127.0.0.1"),
        (&["127.0.0.1"], XForwardedFor, "127.0.0.2"),
        (&["127.0.0.0/8"], XForwardedFor, "203.0.113.9"),
        (&["127.0.0.0/8", "203.0.113.0/24"], XForwardedFor, "1.1.1.1"),
        (&["127.0.0.0/8"], Forwarded, "2606:4700::17"),
    ] {
        let sessions = behind(proxies, header).await;
        let (url, _server) = support::serve(&sessions, at);
        let browser = Browser::new(&url);
        for path in ["/whence", "/perhaps"] {
            let answer = browser.send_with(Method::GET, path, &BOTH).await.is(200);
            assert_eq!(answer.body, address, "{proxies:?}");
            // No session is looked at.
            assert_eq!(answer.header("vary"), None);
            assert_eq!(answer.header("cache-control"), None);
        }
    }
}

#[actix_web::test]
async fn over_a_unix_socket_there_is_no_address_to_tell() {
    let sessions = behind(&["127.0.0.1"], ProxyHeader::XForwardedFor).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .configure(at)
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .bind_uds(&path);
    let server = server.unwrap().run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    for (of, status, body) in [("/whence", "500", ""), ("/perhaps", "200", "nowhere")] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let request = format!(
            "GET {of} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert_eq!(reply.get(9..12), Some(status), "{reply}");
        assert!(reply.ends_with(body), "{reply}");
    }
    handle.stop(false).await;
}

#[actix_web::test]
async fn without_the_middleware_nobody_knows_whom_to_trust() {
    let app = init_service(App::new().configure(at)).await;
    let peer = "127.0.0.1:1".parse().unwrap();
    let request = TestRequest::get().uri("/whence").peer_addr(peer);
    let response = call_service(&app, request.to_request()).await;
    assert_eq!(response.status(), 500);
    let body = read_body(response).await;
    assert_eq!(body, "Internal Server Error");
}

/// It is no question about the session.
#[actix_web::test]
async fn the_address_is_told_where_the_session_cannot_be_judged() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (url, _server) = support::serve(&sessions, |config| {
        config.configure(at).configure(support::routes);
    });
    let there = Browser::new(&url);
    eventually(|| async { there.post("/login/alice").await.status == 200 }).await;
    store.set(Mode::Down);
    eventually(|| async {
        clock.advance(MINUTE);
        there.get("/me").await.status == 503
    })
    .await;
    assert_eq!(there.get("/whence").await.is(200).body, "127.0.0.1");
}

#[test]
fn a_network_that_cannot_be_read_is_named_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.toml");
    let text = "audience = \"a\"\n[keys]\nfile = \"k\"\n[revocation]\nstore = \"memory\"\n";
    for (client, word) in [
        ("trusted_proxies = [\"10.0.0.0/33\"]", "\"10.0.0.0/33\""),
        (
            "trusted_proxies = [\"proxy.internal\"]",
            "`client.trusted_proxies`",
        ),
        ("binding = \"strict\"", "strict"),
        ("proxy_header = \"x-real-ip\"", "x-real-ip"),
    ] {
        std::fs::write(&path, format!("{text}[client]\n{client}\n")).unwrap();
        let error = SessionConfig::from_file(&path).unwrap_err().to_string();
        assert!(
            error.contains(word) && error.contains("session.toml"),
            "{error}"
        );
    }
}
