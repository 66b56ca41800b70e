//! What a login may do, how long ago it may be, and the token for those who ask for one, as the JSON interface tells.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kill::configure;
use support::accounts::{Errors, Server, Steps, command, folder};
use support::moved_clock::MovedClock;
use support::{Answer, Browser, MINUTE};

async fn log_in(browser: &Browser, roles: Value) -> Answer {
    let body = json!({ "user": "alice", "roles": roles });
    browser.send(Method::POST, "/api/login", Some(body)).await
}

#[actix_web::test]
async fn the_roles_of_a_login_decide_over_the_administrators_page() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let nobody = browser.get("/api/admin").await;
    nobody.is(401).error("not_authenticated");
    for roles in [json!(null), json!([]), json!(["editor", "Admin", "admins"])] {
        let login = log_in(&browser, roles).await.is(200).json();
        assert_eq!(login.as_object().unwrap().len(), 2, "{login}");
        let refused = browser.get("/api/admin").await.is(403);
        refused.error("forbidden");
    }
    log_in(&browser, json!(["editor", "admin", "admin"]))
        .await
        .is(200);
    let expected = json!({ "user": "alice", "roles": ["admin", "editor"] });
    assert_eq!(browser.get("/api/admin").await.is(200).json(), expected);
    // They are this login's, and not the user's.
    browser.login("alice").await;
    browser.get("/api/admin").await.is(403).error("forbidden");
}

#[actix_web::test]
async fn roles_that_are_none_log_nobody_in() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let many: Vec<_> = (0..33).map(|number| format!("role{number}")).collect();
    for (roles, error) in [
        (json!([""]), "invalid_roles"),
        (json!(["admin", "x".repeat(65)]), "invalid_roles"),
        (json!(many), "invalid_roles"),
        (json!("admin"), "invalid_body"),
        (json!([1]), "invalid_body"),
        (json!([null]), "invalid_body"),
        (json!({ "admin": true }), "invalid_body"),
    ] {
        let answer = log_in(&browser, roles).await.is(400);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        answer.error(error);
    }
    assert_eq!(browser.user().await, None);
    log_in(&browser, json!(many[..32])).await.is(200);
}

#[actix_web::test]
async fn a_login_of_five_minutes_ago_has_to_be_repeated_for_what_matters() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    let mut command = command(["--data"]);
    command.arg(data.path()).envs(clock.environment());
    command.stderr(Stdio::inherit());
    let server = Server::try_start(&mut command).expect("the server does not start");
    let advance = |by: Duration| clock.set(by.as_millis().try_into().unwrap());
    let browser = server.browser();
    for path in ["/api/sensitive", "/api/reauthenticate"] {
        browser.post(path).await.is(401).error("not_authenticated");
    }
    log_in(&browser, json!(["admin"])).await.is(200);
    let first = browser.post("/api/sensitive").await.is(200).json();
    let me = browser.get("/api/me").await.json();
    assert_eq!(first, json!({ "authenticated_at": me["authenticated_at"] }));

    advance(5 * MINUTE + MINUTE / 2);
    let refused = browser.post("/api/sensitive").await.is(403);
    let refused = refused.error("reauthentication_required");
    assert_eq!(refused.as_object().unwrap().len(), 1, "{refused}");
    let old = browser.copy();
    browser.post("/api/reauthenticate").await.is(204);
    browser.post("/api/sensitive").await.is(200);
    // With the roles of before, and the cookie of before is dead.
    browser.get("/api/admin").await.is(200);
    assert_eq!(old.user().await, None);
    assert_ne!(
        browser.get("/api/me").await.json()["session"],
        me["session"]
    );
}

#[actix_web::test]
async fn programs_get_the_token_that_settings_may_ask_for() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let told = browser.get("/api/csrf").await.is(200).json();
    assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    assert_eq!(told["header"], "x-csrf-token");
    assert_eq!(told["field"], "csrf_token");
    assert!(browser.session().is_some(), "a token is of a session");
    let again = browser.get("/api/csrf").await.is(200).json();
    assert_ne!(told["token"], again["token"], "each has a mask of its own");
    // Here none is asked for.
    browser.set("a", json!(1)).await.is(204);
    server.kill();

    let text = std::fs::read_to_string(configure(data.path())).unwrap();
    let file = data.path().join("tokens.toml");
    std::fs::write(&file, format!("{text}\n[csrf]\nmode = \"token\"\n")).unwrap();
    let server = Server::configured(&file);
    let browser = server.browser();
    let put = async |token: &str| {
        let headers = [("x-csrf-token", token)];
        browser.put_with("/api/entries/a", json!(2), &headers).await
    };
    browser.set("a", json!(2)).await.is(403).error("csrf_token");
    put(told["token"].as_str().unwrap())
        .await
        .is(403)
        .error("csrf_token");
    let token = browser.get("/api/csrf").await.is(200).json();
    put(token["token"].as_str().unwrap()).await.is(204);
    assert_eq!(browser.get("/api/entries/a").await.json(), json!(2));
}
