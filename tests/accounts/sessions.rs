//! Logging in and out, as the table of the interface says.

use reqwest::Method;
use sealed_session::time::UnixMillis;
use serde_json::json;

use crate::kill::configure;
use support::accounts::{Errors, Server, Steps, folder};

#[actix_web::test]
async fn a_login_says_who_and_which_session() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    assert_eq!(browser.user().await, None);
    let login = browser.login("alice").await;
    let [cookie] = login.set_cookies()[..] else {
        panic!("{login:?}")
    };
    assert!(cookie.starts_with("session="), "{cookie}");
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    for part in ["Secure", "Max-Age", "Domain"] {
        assert!(!cookie.contains(part), "{cookie}");
    }
    let said = login.json();
    assert_eq!(said.as_object().unwrap().len(), 2, "{said}");
    assert_eq!(said["user"], "alice");

    let me = browser.get("/api/me").await.is(200).json();
    assert_eq!(me.as_object().unwrap().len(), 7, "{me}");
    assert_eq!(me["user"], "alice");
    assert_eq!(me["session"], said["session"]);
    assert_eq!(me["session"].as_str().unwrap().len(), 32);
    assert_eq!(me["remembered"], false);
    assert!(me["generation"].is_u64(), "{me}");
    let time = |name: &str| me[name].as_str().unwrap().parse::<UnixMillis>().unwrap();
    assert_eq!(time("created_at"), time("authenticated_at"));
    let lives = time("expires_at").since(time("created_at"));
    assert_eq!(lives.as_secs(), 24 * 3600);
}

#[actix_web::test]
async fn a_remembered_login_outlives_the_browser() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let body = json!({ "user": "alice", "remember": true });
    let login = browser.send(Method::POST, "/api/login", Some(body)).await;
    assert!(login.is(200).set_cookies()[0].contains("; Max-Age=2592000"));
    let me = browser.get("/api/me").await.is(200).json();
    assert_eq!(me["remembered"], true);
}

#[actix_web::test]
async fn a_name_can_be_anything_but_nothing() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let longest = "x".repeat(255);
    for name in [
        " a ",
        "Ünïcødé 🦀",
        "<script>alert(1)</script>",
        "\u{0}\n\"",
        &longest,
    ] {
        browser.login(name).await;
        assert_eq!(browser.user().await.as_deref(), Some(name));
    }
    let before = browser.session();
    let longer = "x".repeat(256);
    for body in [
        json!({}),
        json!({ "user": "" }),
        json!({ "user": null }),
        json!({ "user": "  \n" }),
        json!({ "user": longer }),
    ] {
        let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
        answer.is(400).error("invalid_user");
    }
    for body in [
        json!({ "user": 1 }),
        json!({ "user": ["alice"] }),
        json!({ "user": "alice", "remember": "yes" }),
        json!("alice"),
        json!(null),
    ] {
        let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
        answer.is(400).error("invalid_body");
    }
    assert_eq!(browser.session(), before, "nobody was logged in or out");
    assert_eq!(browser.user().await, Some(longest));
}

#[actix_web::test]
async fn a_login_starts_a_new_session_with_the_anonymous_entries() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.set("cart", json!(["book"])).await.is(204);
    assert_eq!(browser.user().await, None, "nobody is logged in");
    let anonymous = browser.copy();
    let first = browser.login("alice").await.json()["session"].clone();
    assert_eq!(
        browser.get("/api/entries/cart").await.is(200).json(),
        json!(["book"])
    );
    anonymous.copy().get("/api/entries/cart").await.is(404);

    let alice = browser.copy();
    let second = browser.login("alice").await.json()["session"].clone();
    assert_ne!(first, second);
    assert_eq!(alice.copy().user().await, None);
    browser.get("/api/entries/cart").await.is(200);

    // Somebody else's login does not inherit what alice had.
    browser.login("bob").await;
    browser.get("/api/entries/cart").await.is(404);
    assert_eq!(browser.user().await.as_deref(), Some("bob"));
}

#[actix_web::test]
async fn a_logout_ends_this_session_alone() {
    let data = folder();
    let server = Server::on(data.path());
    let (laptop, phone) = (server.browser(), server.browser());
    laptop.login("alice").await;
    phone.login("alice").await;
    let stolen = laptop.copy();
    assert!(laptop.post("/api/logout").await.is(204).removes_cookie());
    assert_eq!(stolen.user().await, None);
    assert_eq!(phone.user().await.as_deref(), Some("alice"));

    // A dead cookie that could write would bring the session's name back to life.
    let write = stolen.copy().set("a", json!(1)).await;
    write.is(409).error("cookie_held");
    stolen.copy().post("/api/logout").await.is(204);
    laptop.post("/api/logout").await.is(204);
}

#[actix_web::test]
async fn logout_all_and_logout_others_end_the_sessions_of_one_user() {
    let data = folder();
    let server = Server::on(data.path());
    let browsers = [(); 4].map(|()| server.browser());
    let [laptop, phone, tablet, bob] = &browsers;
    for browser in [laptop, phone, tablet] {
        browser.login("alice").await;
    }
    bob.login("bob").await;
    let before = laptop.get("/api/me").await.json();
    let old = laptop.copy();

    laptop.post("/api/logout-others").await.is(204);
    let after = laptop.get("/api/me").await.is(200).json();
    assert_eq!(after["session"], before["session"]);
    assert_eq!(after["generation"], before["generation"]);
    assert_eq!(old.user().await, None, "the cookie from before is dead too");
    assert_eq!(phone.user().await, None);

    phone.login("alice").await;
    let all = phone.post("/api/logout-all").await.is(204);
    assert!(all.removes_cookie(), "{all:?}");
    for browser in [laptop, phone, tablet] {
        assert_eq!(browser.user().await, None);
    }
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
    phone.login("alice").await;
    assert_eq!(phone.user().await.as_deref(), Some("alice"));
}

#[actix_web::test]
async fn without_a_login_there_is_nobody_to_log_out_everywhere() {
    let data = folder();
    let server = Server::on(data.path());
    let (nobody, anonymous) = (server.browser(), server.browser());
    anonymous.set("a", json!(1)).await.is(204);
    for browser in [&nobody, &anonymous] {
        for path in ["/api/logout-all", "/api/logout-others"] {
            browser.post(path).await.is(401).error("not_authenticated");
        }
    }
    anonymous.get("/api/entries/a").await.is(200);
    nobody.post("/api/renew").await.is(401).error("no_session");
    nobody.post("/api/logout").await.is(204);
    let old = anonymous.copy();
    anonymous.post("/api/logout").await.is(204);
    old.get("/api/entries/a").await.is(404);
}

/// RFC 9110, section 15.5.2: the library's own and the application's.
#[actix_web::test]
async fn every_401_of_the_example_says_how_to_log_in() {
    let data = folder();
    let server = Server::on(data.path());
    let nobody = server.browser();
    for answer in [
        nobody.get("/api/me").await,
        nobody.post("/api/logout-all").await,
        nobody.post("/api/renew").await,
    ] {
        let answer = answer.is(401);
        let challenge = Some("Cookie realm=\"session\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{answer:?}");
    }
    let refused = nobody.post("/api/login").await.is(400);
    assert_eq!(refused.header("www-authenticate"), None);
}

#[actix_web::test]
async fn a_renewed_sessions_older_cookie_only_reads_and_then_dies() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let id = browser.login("alice").await.json()["session"].clone();
    browser.set("a", json!(1)).await.is(204);
    let old = browser.copy();
    let renewed = browser.post("/api/renew").await.is(200);
    assert_eq!(renewed.json(), json!({ "session": id }));
    assert_ne!(browser.session(), old.session());

    assert_eq!(old.copy().user().await.as_deref(), Some("alice"));
    for answer in [
        old.copy().set("a", json!(2)).await,
        old.copy().delete("/api/entries/a").await,
        old.copy().post("/api/renew").await,
        old.copy().post("/api/logout-others").await,
    ] {
        answer.is(409).error("session_superseded");
    }
    assert_eq!(browser.get("/api/entries/a").await.json(), json!(1));

    // After the grace, which is none here.
    let data = folder();
    let strict = Server::configured(&configure(data.path()));
    let browser = strict.browser();
    browser.login("alice").await;
    let old = browser.copy();
    browser.post("/api/renew").await.is(200);
    assert_eq!(old.user().await, None);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}

#[actix_web::test]
async fn a_superseded_cookie_can_still_log_out() {
    let data = folder();
    let server = Server::on(data.path());
    for path in ["/api/logout", "/api/logout-all"] {
        let browser = server.browser();
        browser.login("alice").await;
        let old = browser.copy();
        browser.post("/api/renew").await.is(200);
        old.post(path).await.is(204);
        assert_eq!(browser.user().await, None);
    }
}
