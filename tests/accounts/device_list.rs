//! Which of somebody's sessions are listed, and what is said of them, as JSON.

use reqwest::Method;
use sealed_session::time::UnixMillis;
use serde_json::{Value, json};

use crate::devices::{ANDROID, FIREFOX, NOON, SESSIONS, end, ids, listed, log_in, start, text};
use support::accounts::{Server, Steps, folder};
use support::moved_clock::MovedClock;
use support::{HOUR, MINUTE, SECOND, eventually, raw};

const UNKNOWN: &str = "unknown device";

#[actix_web::test]
async fn the_list_of_sessions_is_of_one_user_with_the_newest_first() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    clock.stop_at(NOON.minus(SECOND).as_millis());
    let server = start(&clock, data.path());
    clock.stop_at(NOON.as_millis());
    let [laptop, phone, bob] = [(); 3].map(|()| server.browser());
    let first = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let later = NOON + MINUTE;
    clock.stop_at(later.as_millis());
    let body = json!({ "user": "alice", "remember": true });
    let second = log_in(&phone, body, ANDROID).await;
    let other = log_in(&bob, json!({ "user": "bob" }), "").await;

    let last = later + MINUTE;
    clock.stop_at(last.as_millis());
    let expected = |current: &str, seen: [UnixMillis; 2]| {
        json!([{
            "session": second,
            "created_at": later.to_string(),
            "last_seen_at": seen[0].to_string(),
            "label": "Chrome on Android",
            "remembered": true,
            "current": current == second,
        }, {
            "session": first,
            "created_at": NOON.to_string(),
            "last_seen_at": seen[1].to_string(),
            "label": "Firefox on Linux",
            "remembered": false,
            "current": current == first,
        }])
    };
    let answer = laptop.get(SESSIONS).await.is(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let shared = answer.header("cache-control").unwrap();
    assert!(shared.contains("no-store") || shared.contains("private"));
    assert_eq!(answer.json(), expected(&first, [later, last]));
    let list = phone.get(SESSIONS).await.is(200).json();
    assert_eq!(list, expected(&second, [last, NOON]));
    let me = phone.get("/api/me").await.json();
    assert_eq!(me["session"], list[0]["session"]);
    assert_eq!(me["created_at"], list[0]["created_at"]);

    let list = listed(&bob).await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["session"], other);
    assert_eq!(list[0]["label"], UNKNOWN);
    let head = bob.send(Method::HEAD, SESSIONS, None).await.is(200);
    assert_eq!(head.body, "");
}

#[actix_web::test]
async fn whatever_a_browser_says_of_itself_is_a_known_name_or_an_unknown_device() {
    let data = folder();
    let server = Server::on(data.path());
    let alice = server.browser();
    let own = log_in(&alice, json!({ "user": "alice" }), FIREFOX).await;
    let long = format!("{FIREFOX} {}", "x".repeat(100_000));
    let nonsense = "x".repeat(100_000);
    let marked = format!("{FIREFOX}<script>alert(1)</script>");
    for (agent, label) in [
        (FIREFOX, "Firefox on Linux"),
        (&long, "Firefox on Linux"),
        (&marked, "Firefox on Linux"),
        (&nonsense, UNKNOWN),
        ("<script>alert(1)</script>", UNKNOWN),
        ("Wonderbrowser/1.0", UNKNOWN),
        ("a\tb", UNKNOWN),
        ("", UNKNOWN),
    ] {
        let device = server.browser();
        let id = log_in(&device, json!({ "user": "alice" }), agent).await;
        let list = listed(&alice).await;
        let row = list.iter().find(|it| it["session"] == id).unwrap();
        assert_eq!(row["label"], label, "{agent:.100}");
        end(&alice, &id).await.is(204);
    }
    // What a careful client does not send.
    let body = r#"{"user":"alice"}"#;
    for agent in [
        &b"\xff\xfe Firefox"[..],
        "\u{202e}Firefox".as_bytes(),
        b"\x7f\x01",
    ] {
        let agent = [b"user-agent: ", agent].concat();
        let length = format!("content-length: {}", body.len());
        let login = b"POST /api/login HTTP/1.1";
        let request = [
            login,
            agent.as_slice(),
            length.as_bytes(),
            b"",
            body.as_bytes(),
        ];
        let reply = raw::request(&server.url, request).await;
        let list = listed(&alice).await;
        let refused = reply.status() == 400 && list.len() == 1;
        let unknown = list.iter().filter(|it| it["label"] == UNKNOWN).count();
        assert!(
            refused || (list.len(), unknown) == (2, 1),
            "{reply:?} {list:?}"
        );
        for it in list.iter().filter(|it| it["session"] != own) {
            end(&alice, &text(it, "session")).await.is(204);
        }
    }
}

#[actix_web::test]
async fn a_session_that_was_logged_out_anyhow_is_listed_no_more() {
    let data = folder();
    let server = Server::on(data.path());
    let [laptop, phone, tablet, bob] = [(); 4].map(|()| server.browser());
    let log_in_all = async || {
        for browser in [&laptop, &phone, &tablet] {
            log_in(browser, json!({ "user": "alice" }), FIREFOX).await;
        }
        assert_eq!(listed(&laptop).await.len(), 3);
    };
    let bobs = log_in(&bob, json!({ "user": "bob" }), FIREFOX).await;
    log_in_all().await;
    phone.post("/api/logout").await.is(204);
    assert_eq!(listed(&laptop).await.len(), 2);
    // A login in the place of another session ends that one.
    log_in(&tablet, json!({ "user": "alice" }), FIREFOX).await;
    assert_eq!(listed(&laptop).await.len(), 2);
    log_in(&tablet, json!({ "user": "carol" }), FIREFOX).await;
    assert_eq!(listed(&laptop).await.len(), 1);

    log_in_all().await;
    laptop.post("/api/logout-others").await.is(204);
    let list = listed(&laptop).await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["current"], true);

    log_in_all().await;
    tablet.post("/api/logout-all").await.is(204);
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    assert_eq!(ids(&laptop).await, std::slice::from_ref(&own));
    // The same session under a new cookie, and under a new id.
    laptop.post("/api/renew").await.is(200);
    assert_eq!(ids(&laptop).await, std::slice::from_ref(&own));
    let agent = [("user-agent", ANDROID)];
    let again = laptop.send_with(Method::POST, "/api/reauthenticate", &agent);
    again.await.is(204);
    let list = listed(&laptop).await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert_ne!(list[0]["session"], own);
    // What it is called stays.
    assert_eq!(list[0]["label"], "Firefox on Linux");
    assert_eq!(ids(&bob).await, [bobs]);
}

#[actix_web::test]
async fn a_session_is_listed_with_its_last_use_until_it_is_idle() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    // The list begins before the sessions do.
    clock.stop_at(NOON.as_millis() - 1_000);
    let server = start(&clock, data.path());
    clock.stop_at(NOON.as_millis());
    let [laptop, phone, tablet] = [(); 3].map(|()| server.browser());
    let alice = |remember: bool| json!({ "user": "alice", "remember": remember });
    let own = log_in(&laptop, alice(true), FIREFOX).await;
    let used = log_in(&phone, alice(false), ANDROID).await;
    let unused = log_in(&tablet, alice(false), ANDROID).await;
    let seen = async |id: &str| {
        let list = listed(&laptop).await;
        let row = list.iter().find(|it| it["session"] == id);
        row.map(|row| text(row, "last_seen_at"))
    };

    let half = NOON + HOUR / 2;
    clock.stop_at(half.as_millis());
    assert_eq!(phone.user().await.as_deref(), Some("alice"));
    eventually(|| async { seen(&used).await == Some(half.to_string()) }).await;
    assert_eq!(seen(&unused).await, Some(NOON.to_string()));

    clock.stop_at((NOON + HOUR + MINUTE).as_millis());
    assert_eq!(seen(&unused).await, None);
    assert_eq!(seen(&used).await, Some(half.to_string()));
    end(&laptop, &unused).await;
    assert_eq!(tablet.user().await, None);
    clock.stop_at((half + HOUR + MINUTE).as_millis());
    assert_eq!(ids(&laptop).await, [own]);
    assert_eq!(phone.user().await, None);
}

/// It is on disk with the next thing that has to be.
#[actix_web::test]
async fn the_list_outlives_a_kill_after_anybodys_logout() {
    let data = folder();
    let server = Server::on(data.path());
    let [laptop, phone, bob] = [(); 3].map(|()| server.browser());
    log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let other = log_in(&phone, json!({ "user": "alice" }), ANDROID).await;
    let lasting = |mut list: Vec<Value>| {
        for it in &mut list {
            it["last_seen_at"].take();
        }
        list
    };
    let before = lasting(listed(&phone).await);
    assert_eq!(before.len(), 2, "{before:?}");
    bob.login("bob").await;
    bob.post("/api/logout").await.is(204);
    server.kill();
    let server = Server::on(data.path());
    let (laptop, phone) = (server.resume(&laptop), server.resume(&phone));
    assert_eq!(lasting(listed(&phone).await), before);
    end(&laptop, &other).await.is(204);
    server.kill();
    let server = Server::on(data.path());
    assert_eq!(server.resume(&phone).user().await, None);
    assert_eq!(listed(&server.resume(&laptop)).await.len(), 1);
}

/// The list is advice: what a crash takes of it comes back, and nobody is logged out.
#[actix_web::test]
async fn a_list_that_a_kill_took_comes_back_as_its_sessions_are_seen() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    clock.stop_at(NOON.minus(SECOND).as_millis());
    let server = start(&clock, data.path());
    clock.stop_at(NOON.as_millis());
    let (laptop, phone) = (server.browser(), server.browser());
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let other = log_in(&phone, json!({ "user": "alice" }), ANDROID).await;
    server.kill();
    let server = start(&clock, data.path());
    let (laptop, phone) = (server.resume(&laptop), server.resume(&phone));
    for browser in [&laptop, &phone] {
        let ids = ids(browser).await;
        assert!((1..=2).contains(&ids.len()), "its own at least: {ids:?}");
    }
    clock.stop_at((NOON + 6 * MINUTE).as_millis());
    phone
        .send_with(Method::GET, "/api/me", &[("user-agent", ANDROID)])
        .await
        .is(200);
    eventually(|| async { ids(&laptop).await.len() == 2 }).await;
    let list = listed(&laptop).await;
    let row = list.iter().find(|it| it["session"] == other).unwrap();
    assert_eq!(row["label"], "Chrome on Android");
    assert!(list.iter().any(|it| it["session"] == own));
    end(&laptop, &other).await.is(204);
    assert_eq!(phone.user().await, None);
}
