//! Rules for all requests: methods, paths, origins, cookies.

use reqwest::Method;
use serde_json::json;

use support::accounts::{Errors, Server, Steps, folder};

const ALL: [(&str, &str); 13] = [
    ("POST", "/api/login"),
    ("GET", "/api/me"),
    ("GET", "/api/entries"),
    ("PUT", "/api/entries/a"),
    ("GET", "/api/admin"),
    ("GET", "/api/csrf"),
    ("POST", "/api/sensitive"),
    ("POST", "/api/reauthenticate"),
    ("POST", "/api/renew"),
    ("POST", "/api/logout"),
    ("POST", "/api/logout-all"),
    ("POST", "/api/logout-others"),
    ("GET", "/healthz"),
];

#[actix_web::test]
async fn other_methods_and_paths_are_errors_in_json() {
    let data = folder();
    let server = Server::on(data.path());
    for (right, path) in ALL {
        for wrong in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let is_entry = path == "/api/entries/a";
            if wrong == right
                || (is_entry && wrong != "POST" && wrong.len() < 7) && wrong != "PATCH"
            {
                continue;
            }
            let method = Method::from_bytes(wrong.as_bytes()).unwrap();
            let answer = server.raw(method, path, &[], "").await.is(405);
            let allowed = answer.header("allow").unwrap();
            assert!(
                allowed.split(", ").any(|method| method == right),
                "{answer:?}"
            );
            answer.error("method_not_allowed");
        }
    }
    for path in ["/api", "/api/", "/api/nothing", "/api/login/", "/api/me/x"] {
        let answer = server.raw(Method::GET, path, &[], "").await;
        answer.is(404).error("not_found");
    }
    server.raw(Method::GET, "/nothing", &[], "").await.is(404);
    server
        .raw(Method::GET, "/assets/../Cargo.toml", &[], "")
        .await
        .is(404);
    server.raw(Method::HEAD, "/healthz", &[], "").await.is(200);
}

#[actix_web::test]
async fn other_sites_cannot_change_anything() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let body = json!({ "user": "alice", "roles": ["admin"] });
    let login = browser.send(Method::POST, "/api/login", Some(body)).await;
    login.is(200);
    let cookie = format!("session={}", browser.session().unwrap());
    let host = server.url.trim_start_matches("http://");
    let other_port = format!("http://{}", host.replace(':', ":1"));
    let foreign: [&[(&str, &str)]; 8] = [
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", &other_port)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "nonsense")],
        &[("sec-fetch-site", "cross-site"), ("origin", &server.url)],
    ];
    for headers in foreign {
        let headers = [headers, &[("cookie", cookie.as_str())]].concat();
        for (method, path) in ALL.into_iter().chain([("DELETE", "/api/entries/a")]) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let is_safe = method == Method::GET;
            let answer = server
                .raw(method, path, &headers, r#"{"user":"eve"}"#)
                .await;
            if is_safe {
                answer.is(200);
            } else {
                assert!(answer.set_cookies().is_empty(), "{answer:?}");
                answer.is(403).error("cross_site");
            }
        }
    }
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    let own: [&[(&str, &str)]; 3] = [
        &[("origin", &server.url)],
        &[("sec-fetch-site", "same-origin"), ("origin", &server.url)],
        &[("sec-fetch-site", "none")],
    ];
    for headers in own {
        let headers = [headers, &[("cookie", cookie.as_str())]].concat();
        let answer = server
            .raw(Method::PUT, "/api/entries/a", &headers, "1")
            .await;
        answer.is(204);
    }
}

#[actix_web::test]
async fn a_foreign_cookie_logs_nobody_in() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let garbage = [
        "",
        "x",
        "AAAA",
        "%00",
        "\"a\"",
        &"A".repeat(4000),
        &"A".repeat(60_000),
    ];
    for value in garbage {
        browser.set_cookie("session", value);
        let answer = browser.copy().get("/api/me").await;
        answer.is(401).error("not_authenticated");
        browser.copy().set("a", json!(1)).await.is(204);
        browser.copy().login("alice").await;
    }
    // A cookie of another server's has a key that nobody here knows.
    let other_data = folder();
    let other = Server::on(other_data.path());
    let alice = other.browser();
    alice.login("alice").await;
    let foreign = server.resume(&alice);
    assert_eq!(foreign.user().await, None);
    foreign.copy().set("a", json!(1)).await.is(204);
    foreign.login("bob").await;
    assert_eq!(foreign.user().await.as_deref(), Some("bob"));
}

#[actix_web::test]
async fn health_tells_key_ids_and_numbers() {
    let data = folder();
    let server = Server::on(data.path());
    let health = server.health().await;
    let sealing = &health["keys"]["sealing"];
    assert_eq!(sealing.as_str().unwrap().len(), 32);
    let complete_since = &health["revocation"]["complete_since"];
    assert!(
        complete_since.as_str().unwrap().ends_with('Z'),
        "{complete_since}"
    );
    let expected = json!({
        "keys": { "sealing": sealing, "opening": [sealing], "unknown_keys": 0 },
        "revocation": {
            "store": "redb",
            "entries": 0,
            "outstanding": 0,
            "lacking": 0,
            "unreadable": 0,
            "complete_since": complete_since,
            "staleness_ms": 0,
        },
    });
    assert_eq!(health, expected);
    let browser = server.browser();
    browser.login("alice").await;
    browser.post("/api/logout").await.is(204);
    assert_eq!(server.health().await["revocation"]["entries"], 1);
    let other_data = folder();
    let other = Server::on(other_data.path());
    let stranger = other.browser();
    stranger.login("bob").await;
    server.resume(&stranger).get("/api/me").await.is(401);
    assert_eq!(server.health().await["keys"]["unknown_keys"], 1);
    // A probe that carries a cookie is not given another.
    assert!(browser.get("/healthz").await.set_cookies().is_empty());
}
