//! Where browsers are sent that may not come in, and back.
//!
//! 1. Programs are told by a status, browsers that go to a page are sent to another one.
//! 2. No return address leads to another site, and no redirect in a circle.

use std::time::Duration;

use actix_web::App;
use actix_web::web::{self, ServiceConfig};
use reqwest::Method;
use sealed_session::actix::{ReauthenticationRequired, Require};
use sealed_session::testing::ManualClock;
use sealed_session::{SessionMiddleware, next_path};
use support::{Browser, MINUTE, builder, memory, node_at, refusals_as_pages, serve_app};
use url::Url;

use super::guards::{LINK, enter, get, login_page, recent, redirect, routes, site};

#[actix_web::test]
async fn a_program_without_a_login_is_answered_as_by_an_extractor() {
    let (_, browser) = site().await;
    let extractor = browser.get("/me").await.is(401);
    for headers in [
        &[][..],
        &[("accept", "*/*")],
        &[("accept", "application/json, text/plain, */*")],
        &[("accept", "text/html;q=0, */*")],
        &[("accept", "text/*")],
        &[("accept", "text/html\u{e9}")],
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
        &[("sec-fetch-mode", "websocket")],
        &[("sec-fetch-mode", "")],
        &[("sec-fetch-mode", "Navigate")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "cors")],
    ] {
        for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
            let answer = browser.send_with(method.clone(), "/account", headers).await;
            let answer = answer.is(401);
            for name in ["www-authenticate", "content-type", "vary", "cache-control"] {
                assert_eq!(answer.header(name), extractor.header(name), "{headers:?}");
            }
            if method != Method::HEAD {
                assert_eq!(answer.body, extractor.body);
            }
            assert_eq!(answer.header("location"), None);
        }
    }
    // Nobody has set a page to send a browser to.
    get(&browser, "/plain-login", LINK).await.is(401);
    browser.post("/login/alice").await.is(200);
    for path in ["/account", "/plain-login"] {
        assert_eq!(browser.get(path).await.is(200).body, "inside");
    }
}

#[actix_web::test]
async fn a_browser_is_sent_to_the_login_page_and_back() {
    let (_, browser) = site().await;
    let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for headers in [
        LINK,
        &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
        &[("accept", firefox)],
        &[
            ("accept", "application/json"),
            ("accept", "garbage, TEXT/HTML"),
        ],
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = browser
                .send_with(method, "/account?tab=1&a=b+c", headers)
                .await;
            let location = redirect(answer);
            assert_eq!(location, "/sign-in?next=/account%3Ftab%3D1%26a%3Db%2Bc");
            // What the login page makes of it.
            let location = Url::parse("http://shop.example")
                .unwrap()
                .join(&location)
                .unwrap();
            let (_, next) = location.query_pairs().next().unwrap();
            assert_eq!(next_path(&next, "/logout"), Some("/account?tab=1&a=b+c"));
        }
        // A form: a link does not post it again.
        for method in [Method::POST, Method::PUT] {
            let answer = browser.send_with(method, "/account?tab=1", headers).await;
            assert_eq!(redirect(answer), "/sign-in");
        }
    }
    let other_page = redirect(get(&browser, "/german", LINK).await);
    assert_eq!(other_page, "/sign-in?lang=de&next=/german");
    // To a logout no login leads back.
    for path in ["/leave/now", "/leave/now?a", "/logout?a"] {
        assert_eq!(redirect(get(&browser, path, LINK).await), "/sign-in");
    }
    browser.post("/login/alice").await.is(200);
    get(&browser, "/account", LINK).await.is(200);
}

/// Everything below the guard, so that no spelling goes past it.
/// A proxy would answer 502 to a header that is too large for it.
#[actix_web::test]
async fn an_address_that_would_get_too_long_leads_to_the_page_alone() {
    let (_, browser) = site().await;
    let at = |length: usize| format!("/account?q={}", "a".repeat(length));
    let start = get(&browser, &at(0), LINK).await.is(303);
    let start = start.header("location").unwrap().to_owned();
    let (page, _) = start.split_once('?').unwrap();
    let longest = 2048 - start.len();
    let fits = get(&browser, &at(longest), LINK).await.is(303);
    assert_eq!(fits.header("location").unwrap().len(), 2048);
    let too_long = get(&browser, &at(longest + 1), LINK).await.is(303);
    assert_eq!(too_long.header("location"), Some(page));
    // What is encoded counts as it is written.
    let encoded = get(&browser, &at(0).replace('=', &"&=".repeat(700)), LINK).await;
    assert_eq!(encoded.is(303).header("location"), Some(page));
}

/// All paths are behind the guard.
fn guarded(config: &mut ServiceConfig) {
    let inside = web::to(async || "inside");
    config.default_service(inside.wrap(login_page()));
}

#[actix_web::test]
async fn no_request_makes_a_return_address_of_another_site() {
    let (_node, browser) = node_at(guarded).await;
    let ask = async |target: &str| {
        let line = format!("GET {target} HTTP/1.1");
        support::raw::request(browser.url(), [&line, "Sec-Fetch-Mode: navigate"]).await
    };
    for target in [
        "//evil.example/",
        "//evil.example/%2e%2e",
        "///evil.example",
        "////evil.example/a",
        "//evil.example:80/?a=b",
        "//@evil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "/%5C%5Cevil.example",
        "/%252fevil.example",
        "/.//evil.example",
        "/a/..//evil.example",
        "/%2e%2e//evil.example",
        "/%09/evil.example",
        "/%0d%0aLocation:%20http://evil.example",
        "/%00/evil.example",
        "/%c0%afevil.example",
        "/..;/evil",
        "/a?b\\c",
        "/a?%",
        "/logout",
        "/LOGOUT/",
        "/log%6fut?a",
        "*",
    ] {
        let reply = ask(target).await;
        assert_eq!(reply.status(), 303, "{target} {}", reply.text());
        assert_eq!(reply.header("location"), ["/sign-in"], "{target}");
    }
    let too_long = format!("/{}", "a".repeat(2048));
    let reply = ask(&too_long).await;
    assert_eq!(reply.header("location"), ["/sign-in"]);
    // What the server takes for a request to itself leads back to itself.
    for (target, next) in [
        ("http://evil.example/account?a", "/account%3Fa"),
        ("http://evil.example", "/"),
        ("/http://evil.example", "/http%3A//evil.example"),
        ("/@evil.example", "/%40evil.example"),
    ] {
        let reply = ask(target).await;
        assert_eq!(
            reply.header("location"),
            [format!("/sign-in?next={next}")],
            "{target}"
        );
    }
    // The server does not take these at all, or leads nowhere.
    for target in [
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/a\u{e9}",
    ] {
        let reply = ask(target).await;
        let location = reply.header("location");
        assert!(
            location.is_empty() || location == ["/sign-in"],
            "{target:?} {location:?}"
        );
    }
}

/// All pages but the login, also those that others are sent to.
fn pages_inside(config: &mut ServiceConfig) {
    let all = web::scope("").wrap(recent());
    config
        .route("/enter/{user}/{roles}", web::post().to(enter))
        .service(all.default_service(web::to(async || "inside")));
}

#[actix_web::test]
async fn a_page_under_its_own_guard_sends_nobody_in_a_circle() {
    let (node, browser) = node_at(pages_inside).await;
    for path in [
        "/sign-in",
        "/sign-in/",
        "/Sign-In?next=/a",
        "/sign%2Din",
        "//sign-in",
    ] {
        let answer = get(&browser, path, LINK).await.is(401);
        assert_eq!(answer.header("location"), None);
    }
    // The other page is no circle.
    let to_confirm = redirect(get(&browser, "/confirm", LINK).await);
    assert_eq!(to_confirm, "/sign-in?next=/confirm");
    browser.post("/enter/alice/user").await.is(200);
    node.clock.advance(6 * MINUTE);
    for path in ["/confirm", "/confirm?next=/a", "/CONFIRM/"] {
        get(&browser, path, LINK).await.is(403);
    }
    let to_sign_in = redirect(get(&browser, "/sign-in", LINK).await);
    assert_eq!(to_sign_in, "/confirm?next=/sign-in");
}

#[test]
fn pages_that_are_on_no_path_of_the_site_are_refused_at_the_start() {
    for page in [
        "",
        "login",
        "//evil.example",
        "https://evil.example/login",
        "/\\evil",
        "/a/../b",
        "/a b",
        "/ü",
        "/a#b",
        "/%",
        "?login",
    ] {
        let errors = [
            ("Require::login_page", Require::login().login_page(page)),
            (
                "Require::reauthentication_page",
                Require::login().reauthentication_page(page),
            ),
            ("Require::logout_path", Require::login().logout_path(page)),
        ];
        for (setting, refused) in errors {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(setting), "{error}");
            assert!(error.contains(&format!("{page:?}")), "{error}");
        }
    }
    let require = Require::role("admin").within(Duration::MAX);
    let require = require
        .login_page("/")
        .unwrap()
        .reauthentication_page("/a/b/?c=d");
    assert!(require.unwrap().logout_path("/sign-out").is_ok());
}

/// The application's own answer in place of the plain text.
#[actix_web::test]
async fn an_application_can_render_what_a_guard_refuses() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (url, _server) = serve_app!(
        1,
        App::new()
            .configure(routes)
            .wrap(refusals_as_pages::<ReauthenticationRequired, _>())
            .wrap(SessionMiddleware::new(&sessions))
    );
    let browser = Browser::new(&url);
    browser.post("/enter/alice/user").await.is(200);
    clock.advance(6 * MINUTE);
    for (path, error) in [
        ("/recent", "<p>Some(ReauthenticationRequired)</p>"),
        ("/admin", "<p>None</p>"),
    ] {
        assert_eq!(browser.get(path).await.is(403).body, error);
    }
}
