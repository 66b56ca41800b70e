//! The page `/metrics`.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use support::accounts::{Server, Steps, folder};

async fn metrics(server: &Server) -> String {
    let answer = server.raw(Method::GET, "/metrics", &[], "").await.is(200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    answer.body
}

/// The value of one series; 0 if there is none.
async fn value(server: &Server, series: &str) -> u64 {
    let text = metrics(server).await;
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let line = lines.find(|(name, _)| *name == series);
    line.map_or(0, |(_, value)| value.parse().unwrap())
}

#[actix_web::test]
async fn the_numbers_grow_and_name_nobody() {
    let (data, other_data) = (folder(), folder());
    let server = Server::on(data.path());
    let browser = server.browser();
    let login = browser.login("alice-in-wonderland").await.json();
    browser.set("colour", json!("mauve")).await.is(204);
    let ended = browser.copy();
    browser.post("/api/logout").await.is(204);
    assert_eq!(ended.user().await, None);
    for _ in 0..3 {
        server
            .browser()
            .holding("junk")
            .get("/api/me")
            .await
            .is(401);
    }
    let other = Server::on(other_data.path());
    let stranger = other.browser();
    stranger.login("bob").await;
    server.resume(&stranger).get("/api/me").await.is(401);

    for (series, expected) in [
        ("sealed_session_rejected_total{reason=\"ended\"}", 1),
        ("sealed_session_rejected_total{reason=\"length\"}", 3),
        ("sealed_session_rejected_total{reason=\"unknown_key\"}", 1),
        ("sealed_session_unknown_key_total", 1),
        ("sealed_session_unavailable_total", 0),
    ] {
        assert_eq!(value(&server, series).await, expected, "{series}");
    }
    let text = metrics(&server).await;
    assert!(
        text.contains("# HELP sealed_session_rejected_total "),
        "{text}"
    );
    let foreign = other.health().await["keys"]["sealing"].clone();
    let own = server.health().await["keys"]["sealing"].clone();
    for hidden in [
        "alice",
        "bob",
        "colour",
        "mauve",
        "sealed-session/accounts",
        login["session"].as_str().unwrap(),
        own.as_str().unwrap(),
        foreign.as_str().unwrap(),
        &ended.session().unwrap()[..20],
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[actix_web::test]
async fn metrics_are_for_reading_and_set_no_cookie() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    let answer = browser.get("/metrics").await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    // Nor is a cookie looked at.
    let junk = browser.holding("junk").get("/metrics").await.is(200);
    assert!(junk.set_cookies().is_empty(), "{junk:?}");
    let text = metrics(&server).await;
    assert!(!text.contains("sealed_session_rejected_total"), "{text}");
    server.raw(Method::HEAD, "/metrics", &[], "").await.is(200);
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = server.raw(method, "/metrics", &[], "").await.is(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

/// Every look at a file with another broken content is counted, so this counts the looks.
#[actix_web::test]
async fn a_flood_of_unknown_keys_reads_the_key_file_once_a_second() {
    const LOOKS: &str = "sealed_session_key_reloads_total{outcome=\"broken\"}";
    let (data, other_data) = (folder(), folder());
    let (server, other) = (Server::on(data.path()), Server::on(other_data.path()));
    let stranger = other.browser();
    stranger.login("bob").await;
    let stranger = server.resume(&stranger);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_millis(4500) {
        fs::write(data.path().join("keys.toml"), format!("broken {sent}")).unwrap();
        for _ in 0..10 {
            stranger.get("/api/me").await.is(401);
            sent += 1;
        }
    }
    let looks = value(&server, LOOKS).await;
    let seconds = start.elapsed().as_secs() + 1;
    assert!(looks >= 2, "{looks} looks: no cookie asked for one");
    assert!(
        looks <= seconds,
        "{looks} looks in {seconds} s, for {sent} cookies"
    );
    assert!(value(&server, "sealed_session_unknown_key_total").await >= sent);
}
