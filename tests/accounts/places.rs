//! Preferences, organisations, the audit log, what a client looks like, and a stream that ends with its session.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::kill::configure;
use support::accounts::{Errors, Server, Steps, command, folder};
use support::{Answer, Browser};

pub async fn look(browser: &Browser, path: &str) -> Answer {
    let seen = [("accept", "text/html")];
    browser.send_with(Method::GET, path, &seen).await
}

/// Sends a form with the browser's cookies, and keeps those that come.
pub async fn send(server: &Server, browser: &Browser, path: &str, form: &str) -> Answer {
    let cookie = browser.header().unwrap_or_default();
    let headers = [
        ("accept", "text/html"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", cookie.as_str()),
    ];
    let form = form.to_owned();
    let answer = server.raw(Method::POST, path, &headers, form).await;
    browser.keep(&answer);
    answer
}

#[actix_web::test]
async fn times_are_shown_as_the_preferences_say() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    let since = browser.get("/api/me").await.json()["authenticated_at"].clone();
    let since = since.as_str().unwrap();
    let hour: u32 = since[11..13].parse().unwrap();
    let (rest, seconds) = (&since[13..16], &since[13..19]);
    let shown = |hour: u32, rest: &str, zone: &str| format!(" {:02}{rest} {zone}<", hour % 24);
    for (form, expected) in [
        ("offset=0", shown(hour, rest, "UTC")),
        ("offset=0&seconds=on", shown(hour, seconds, "UTC")),
        ("offset=120", shown(hour + 2, rest, "UTC+02:00")),
        (
            "offset=-720&seconds=on",
            shown(hour + 12, seconds, "UTC−12:00"),
        ),
    ] {
        send(&server, &browser, "/preferences", form).await.is(303);
        let page = look(&browser, "/").await.is(200);
        assert!(page.body.contains(&expected), "{expected}: {page:?}");
        assert!(page.body.contains("Times are shown so now."), "{page:?}");
    }
    for form in [
        "",
        "offset=",
        "offset=x",
        "offset=7",
        "offset=870",
        "offset=-750",
        "offset=99999999999",
    ] {
        send(&server, &browser, "/preferences", form).await.is(400);
    }
    // By hand, as the form for entries allows.
    for value in [
        json!({ "offset": 7 }),
        json!({ "offset": 2_000_000_000 }),
        json!("x"),
    ] {
        browser.set("preferences", value).await.is(204);
        let page = look(&browser, "/").await.is(200);
        assert!(page.body.contains(&shown(hour, rest, "UTC")), "{page:?}");
    }
    let nobody = send(&server, &server.browser(), "/preferences", "offset=0").await;
    assert_eq!(nobody.is(303).header("location"), Some("/login"));
}

#[actix_web::test]
async fn an_administrator_logs_out_everyone_of_an_organisation_and_nobody_else() {
    let data = folder();
    let server = Server::on(data.path());
    let [alice, bob, carol, admin] = [(); 4].map(|()| server.browser());
    let body = json!({ "user": "alice", "organisation": "acme" });
    alice
        .send(Method::POST, "/api/login", Some(body))
        .await
        .is(200);
    send(&server, &bob, "/login", "user=bob&organisation=+acme+")
        .await
        .is(303);
    carol.login("carol").await;
    // The name alone makes nobody a member.
    carol.set("organisation", json!("acme")).await.is(204);
    let member = "<dd>acme</dd>";
    assert!(look(&alice, "/").await.body.contains(member));
    assert!(look(&bob, "/").await.body.contains(member));
    assert!(!look(&carol, "/").await.body.contains(member));

    let end = "/admin/end-organisation";
    send(&server, &carol, end, "organisation=acme")
        .await
        .is(403);
    let form = "user=admin&role=admin&organisation=staff";
    send(&server, &admin, "/login", form).await.is(303);
    for form in [
        "",
        "organisation=+",
        &format!("organisation={}", "x".repeat(256)),
    ] {
        let page = send(&server, &admin, end, form).await.is(200);
        assert!(page.body.contains("Please enter a name of"), "{page:?}");
    }
    send(&server, &admin, end, "organisation=acme")
        .await
        .is(303);
    let page = look(&admin, "/admin").await.is(200);
    assert!(page.body.contains("Everyone of “acme” is logged out."));
    for ended in [&alice, &bob] {
        let page = look(ended, "/login").await.is(200);
        assert!(
            page.body.contains("logged out by an administrator"),
            "{page:?}"
        );
        assert_eq!(ended.user().await, None);
    }
    assert_eq!(carol.user().await.as_deref(), Some("carol"));
    // The administrator's own, last.
    let answer = send(&server, &admin, end, "organisation=staff")
        .await
        .is(303);
    assert_eq!(answer.header("location"), Some("/login"));
    let page = look(&admin, "/login").await.is(200);
    assert!(page.body.contains("Everyone of “staff” is logged out."));
    assert_eq!(admin.user().await, None);
}

#[actix_web::test]
async fn a_login_into_no_organisation_that_can_be_is_refused() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let long = "x".repeat(256);
    for name in ["", " ", &long] {
        let body = json!({ "user": "alice", "organisation": name });
        let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
        answer.is(400).error("invalid_organisation");
    }
    let body = json!({ "user": "alice", "organisation": 1 });
    let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
    answer.is(400).error("invalid_body");
    let form = format!("user=alice&organisation={long}");
    let page = send(&server, &browser, "/login", &form).await.is(200);
    assert!(page.body.contains("Please enter a name of"), "{page:?}");
    assert_eq!(browser.user().await, None);
}

#[actix_web::test]
async fn entries_from_before_the_login_are_marked_until_they_are_written() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let mark = "from before your login";
    browser.set("colour", json!("green")).await.is(204);
    assert!(!look(&browser, "/login").await.body.contains(mark));
    browser.login("alice").await;
    browser.set("size", json!(1)).await.is(204);
    let page = look(&browser, "/").await.is(200);
    assert_eq!(page.body.matches(mark).count(), 1, "{page:?}");
    browser.set("colour", json!("red")).await.is(204);
    assert!(!look(&browser, "/").await.body.contains(mark));
}

#[actix_web::test]
async fn the_audit_log_has_a_line_for_each_event_and_no_secret() {
    let data = folder();
    let config = {
        Server::on(data.path()).kill();
        configure(data.path())
    };
    for (arguments, level) in [
        (["--data".as_ref(), data.path()], "debug"),
        (["--config".as_ref(), config.as_path()], "info"),
    ] {
        let log = data.path().join(format!("{level}.log"));
        let mut command = command(arguments);
        command.env("RUST_LOG", format!("warn,audit={level}"));
        command.stderr(Stdio::from(File::create(&log).unwrap()));
        let server = Server::try_start(&mut command).unwrap();
        let browser = server.browser();
        browser.login("al\nice").await;
        browser.post("/api/renew").await.is(200);
        let old = browser.copy();
        browser.post("/api/logout").await.is(204);
        assert_eq!(old.user().await, None);
        server.kill();
        let text = std::fs::read_to_string(&log).unwrap();
        let count = |what: &str| {
            let lines = text.lines().filter(|line| line.contains("audit"));
            lines.filter(|line| line.contains(what)).count()
        };
        assert_eq!(count("audit: logged in "), 1, "{text}");
        assert_eq!(count("audit: renewed "), 1, "{text}");
        assert_eq!(count("audit: logged out "), 1, "{text}");
        assert_eq!(
            count("audit: refused "),
            usize::from(level == "debug"),
            "{text}"
        );
        assert_eq!(count(r#"subject="al\nice""#), count(""), "{text}");
        assert!(!text.contains(&old.session().unwrap()), "{text}");
    }
}

#[actix_web::test]
async fn a_client_that_looks_otherwise_is_told_and_a_logout_clears_its_storage() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    let notice = "looks otherwise than at your login";
    assert!(!look(&browser, "/").await.body.contains(notice));
    let cookie = browser.header().unwrap();
    let headers = [
        ("accept", "text/html"),
        ("cookie", &cookie),
        ("user-agent", "another"),
    ];
    let page = server.raw(Method::GET, "/", &headers, "").await.is(200);
    assert!(page.body.contains(notice), "{page:?}");
    let answer = browser.post("/api/logout").await.is(204);
    assert_eq!(answer.header("clear-site-data"), Some("\"storage\""));
}

#[actix_web::test]
async fn a_stream_of_events_says_why_its_session_ended_and_closes() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let events = "/api/events";
    browser.get(events).await.is(401).error("not_authenticated");
    browser.login("alice").await;
    let url = format!("{}{events}", server.url);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let cookie = browser.header().unwrap();
    let head = client
        .head(&url)
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    let mut stream = client
        .get(&url)
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-store");
    let first = stream.chunk().await.unwrap().unwrap();
    assert_eq!(first, "event: open\ndata:\n\n");
    browser.post("/api/logout-all").await.is(204);
    let rest = tokio::time::timeout(Duration::from_secs(60), stream.text());
    let rest = rest.await.unwrap().unwrap();
    assert!(rest.starts_with("event: ended\ndata: "), "{rest}");
    assert!(rest.ends_with("\n\n") && rest.len() > 25, "{rest}");
    browser.get(events).await.is(401);
}
