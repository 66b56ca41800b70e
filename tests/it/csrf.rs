//! Requests that another site makes a browser send.
//!
//! 1. One that could change something reaches no handler, and touches no session.
//! 2. Programs that are no browser are left alone.
//! 3. On an exempt path it begins no session but by a login.

use actix_web::{App, web};
use reqwest::Method;
use sealed_session::adapter::CrossSite;
use sealed_session::testing::ManualClock;
use sealed_session::{
    Session, SessionMiddleware,
    settings::{CsrfMode, CsrfSettings},
};
use serde_json::json;
use support::{Answer, Browser, Node, builder, memory, refusals_as_pages, serve_app};

async fn send(browser: &Browser, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send_with(method, path, headers).await
}

async fn node(settings: CsrfSettings) -> Node {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).csrf(settings);
    Node::serve(clock, builder).await
}

#[actix_web::test]
async fn a_request_of_another_site_reaches_no_handler_and_touches_no_session() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser.put("/entries/a", json!(1)).await.is(204);
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://other.example"),
        ],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-origin"),
        ],
    ] {
        for (method, path) in [
            (Method::POST, "/logout"),
            (Method::DELETE, "/entries/a"),
            (Method::POST, "/login/mallory"),
            (Method::POST, "/nowhere"),
        ] {
            let answer = send(&browser, method, path, headers).await.is(403);
            assert!(answer.set_cookies().is_empty(), "{answer:?}");
        }
        // A link, or a page in a frame.
        send(&browser, Method::GET, "/me", headers).await.is(200);
        // A WebSocket begins with a GET.
        let upgrade = [
            headers,
            &[("upgrade", "websocket"), ("connection", "upgrade")],
        ]
        .concat();
        send(&browser, Method::GET, "/me", &upgrade).await.is(403);
    }
    browser.get("/entries/a").await.is(200);
    let answer = send(&browser, Method::POST, "/logout", &[("origin", "null")]).await;
    assert!(answer.body.contains("Referrer-Policy"), "{answer:?}");
}

#[actix_web::test]
async fn requests_of_the_own_pages_and_of_programs_are_as_before() {
    let node = Node::start().await;
    let origin = node.url.clone();
    let host = origin.strip_prefix("http://").unwrap();
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", origin.as_str())],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://before-the-proxy.example"),
        ],
        // What a proxy says is not what decides.
        &[
            ("origin", origin.as_str()),
            ("x-forwarded-host", "other.example"),
        ],
    ] {
        let browser = node.browser();
        send(&browser, Method::POST, "/login/alice", headers)
            .await
            .is(200);
        browser.get("/me").await.is(200);
    }
    let forged = [
        ("origin", "http://evil.example"),
        ("x-forwarded-host", "evil.example"),
    ];
    send(&node.browser(), Method::POST, "/login/alice", &forged)
        .await
        .is(403);
    assert!(host.starts_with("127.0.0.1:"));
}

#[actix_web::test]
async fn settings_trust_an_origin_exempt_a_path_or_turn_it_off() {
    let mut settings = CsrfSettings::default();
    settings.trusted_origins = vec!["https://accounts.example".into()];
    settings.exempt_paths = vec!["/login/*".into(), "/entries/*".into()];
    let trusting = node(settings).await;
    let cross = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ];
    let trusted = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://accounts.example"),
    ];
    let browser = trusting.browser();
    send(&browser, Method::POST, "/logout-all", &cross)
        .await
        .is(403);
    send(&browser, Method::POST, "/logout", &trusted)
        .await
        .is(204);
    // The browser sent no cookie, and may hold one: SameSite=Lax.
    let answer = browser
        .put_with("/entries/a", json!(1), &cross)
        .await
        .is(403);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    browser
        .put_with("/entries/a", json!(1), &trusted)
        .await
        .is(204);
    send(&trusting.browser(), Method::POST, "/login/alice", &cross)
        .await
        .is(200);
    // With its session it writes as ever.
    let browser = trusting.browser();
    browser.post("/login/alice").await.is(200);
    browser
        .put_with("/entries/a", json!(1), &cross)
        .await
        .is(204);

    // A forged login form does not replace a live session by a stranger's; the same user's may.
    send(&browser, Method::POST, "/login/mallory", &cross)
        .await
        .is(403);
    send(&browser, Method::POST, "/login/alice", &cross)
        .await
        .is(200);
    browser.get("/me").await.is(200);

    let mut off = CsrfSettings::default();
    off.mode = CsrfMode::Off;
    let unguarded = node(off).await;
    send(&unguarded.browser(), Method::POST, "/login/alice", &cross)
        .await
        .is(200);
}

/// The application's own page in place of the plain text.
#[actix_web::test]
async fn an_application_can_render_the_refusal() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (url, _) = serve_app!(
        1,
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .wrap(refusals_as_pages::<CrossSite, _>())
            .route("/", web::post().to(|_: Session| async { "done" }))
    );
    let cross = [("sec-fetch-site", "cross-site")];
    let answer = send(&Browser::new(&url), Method::POST, "/", &cross).await;
    assert_eq!(answer.is(403).body, "<p>Some(SecFetchSite)</p>");
}
