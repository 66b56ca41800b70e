//! One of somebody's sessions is ended by its id, with JSON.

use std::process::Stdio;

use reqwest::Method;
use sealed_session::time::UnixMillis;
use serde_json::{Value, json};

use crate::kill::configure;
use support::accounts::{Errors, Server, Steps, command, folder};
use support::moved_clock::MovedClock;
use support::{Answer, Browser};

pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
pub const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                           Chrome/142.0.0.0 Mobile Safari/537.36";
pub const SESSIONS: &str = "/api/sessions";
/// 2027-03-01T12:00:00Z: past what any key of a test is made for.
pub const NOON: UnixMillis = UnixMillis::from_secs(1_803_902_400);

/// Logs in with this `User-Agent`, and says which session began.
pub async fn log_in(browser: &Browser, body: Value, agent: &str) -> String {
    let headers = [("user-agent", agent)];
    let body = body.to_string();
    let answer = browser.post_body("/api/login", "application/json", body, &headers);
    text(&answer.await.is(200).json(), "session")
}

/// The sessions of whoever is logged in there.
pub async fn listed(browser: &Browser) -> Vec<Value> {
    let listed = browser.get(SESSIONS).await.is(200).json();
    listed.as_array().unwrap().clone()
}

/// Which they are.
pub async fn ids(browser: &Browser) -> Vec<String> {
    let listed = listed(browser).await;
    listed.iter().map(|it| text(it, "session")).collect()
}

pub async fn end(browser: &Browser, id: &str) -> Answer {
    browser.delete(&format!("{SESSIONS}/{id}")).await
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

/// On a data folder, under this clock.
pub fn start(clock: &MovedClock, data: &std::path::Path) -> Server {
    let mut command = command(["--data"]);
    command.arg(data).envs(clock.environment());
    command.stderr(Stdio::inherit());
    Server::try_start(&mut command).expect("the server does not start")
}

#[actix_web::test]
async fn one_session_of_a_user_is_ended_by_its_id_and_no_other() {
    let data = folder();
    let server = Server::on(data.path());
    let [laptop, phone, tablet, bob] = [(); 4].map(|()| server.browser());
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let gone = log_in(&phone, json!({ "user": "alice" }), ANDROID).await;
    let stays = log_in(&tablet, json!({ "user": "alice" }), ANDROID).await;
    log_in(&bob, json!({ "user": "bob" }), FIREFOX).await;

    let answer = end(&laptop, &gone).await.is(204);
    assert_eq!(answer.body, "");
    assert!(!answer.removes_cookie(), "{answer:?}");
    assert_eq!(phone.user().await, None);
    let mut left = ids(&laptop).await;
    left.sort();
    let mut expected = [own, stays];
    expected.sort();
    assert_eq!(left, expected);
    for browser in [&laptop, &tablet] {
        assert_eq!(browser.user().await.as_deref(), Some("alice"));
    }
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
    end(&laptop, &gone).await.is(404).error("not_found");
}

#[actix_web::test]
async fn ending_ones_own_session_by_its_id_is_a_logout() {
    let data = folder();
    let server = Server::on(data.path());
    let (laptop, phone) = (server.browser(), server.browser());
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let other = log_in(&phone, json!({ "user": "alice" }), ANDROID).await;
    let copy = laptop.copy();
    let answer = end(&laptop, &own).await.is(204);
    assert!(answer.removes_cookie(), "{answer:?}");
    assert_eq!(answer.header("clear-site-data"), Some("\"storage\""));
    assert_eq!(laptop.session(), None);
    assert_eq!(copy.user().await, None);
    assert_eq!(ids(&phone).await, [other]);
}

/// Whether a session exists, and whose it is, is nobody else's business.
#[actix_web::test]
async fn an_id_of_no_session_of_the_user_is_the_same_404_whatever_it_is() {
    let data = folder();
    let file = configure(data.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let limited = format!("{text}[devices]\nindex = true\nmax_sessions = 2\n");
    std::fs::write(&file, limited).unwrap();
    let server = Server::configured(&file);
    let [evicted, laptop, phone, visitor, bob] = [(); 5].map(|()| server.browser());
    let alice = || json!({ "user": "alice" });
    let evicted_id = log_in(&evicted, alice(), FIREFOX).await;
    let ended_id = log_in(&phone, alice(), ANDROID).await;
    // The first one has to make room.
    let own = log_in(&laptop, alice(), FIREFOX).await;
    assert_eq!(evicted.user().await, None);
    phone.post("/api/logout").await.is(204);
    let live = log_in(&phone, alice(), ANDROID).await;
    visitor.set("a", json!(1)).await.is(204);
    let anonymous = visitor.post("/api/renew").await.is(200).json()["session"].clone();
    let foreign = log_in(&bob, json!({ "user": "bob" }), "").await;

    let escaped: String = live.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let one_escaped = format!("%{:02X}{}", live.as_bytes()[0], &live[1..]);
    let upper = format!("ABCDEF{}", "0".repeat(26));
    let long = "a".repeat(60_000);
    let longer = format!("{live}0");
    let cases = [
        "",
        &live[..31],
        &longer,
        &live.to_uppercase(),
        &upper,
        &escaped,
        &one_escaped,
        &format!("{live}%00"),
        &format!("%20{live}"),
        &format!("{live}%2f"),
        &format!("{upper}?/{live}"),
        "%ff%fe",
        "%",
        "%zz",
        "all",
        "current",
        "%3Cscript%3E",
        &"é".repeat(16),
        &long,
        &"0".repeat(32),
        &"f".repeat(32),
        &foreign,
        anonymous.as_str().unwrap(),
        &ended_id,
        &evicted_id,
    ];
    let headers = |answer: &Answer| {
        let headers = answer.headers.iter();
        let kept = headers.filter(|(name, _)| *name != "date");
        kept.map(|(name, value)| format!("{name}: {value:?}"))
            .collect::<Vec<_>>()
    };
    let first = end(&laptop, cases[0]).await;
    assert_eq!(first.body, r#"{"error":"not_found"}"#);
    for id in cases {
        let answer = end(&laptop, id).await.is(404);
        assert_eq!(answer.body, first.body, "{id:.50}");
        assert_eq!(headers(&answer), headers(&first), "{id:.50}");
    }
    // Not the address of a session at all.
    for id in [format!("{live}/"), format!("x/{live}")] {
        assert_eq!(end(&laptop, &id).await.is(404).body, first.body);
    }
    let mut both = [own, live];
    both.sort();
    let mut left = ids(&laptop).await;
    left.sort();
    assert_eq!(left, both, "nobody was logged out");
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
    visitor.get("/api/entries/a").await.is(200);
}

#[actix_web::test]
async fn without_a_login_there_are_no_sessions_to_list_or_to_end() {
    let data = folder();
    let server = Server::on(data.path());
    let [nobody, anonymous, alice] = [(); 3].map(|()| server.browser());
    anonymous.set("a", json!(1)).await.is(204);
    let id = log_in(&alice, json!({ "user": "alice" }), FIREFOX).await;
    let ended = server.browser();
    log_in(&ended, json!({ "user": "alice" }), FIREFOX).await;
    let ended_copy = ended.copy();
    ended.post("/api/logout").await.is(204);
    for browser in [&nobody, &anonymous, &ended_copy] {
        for answer in [
            browser.copy().get(SESSIONS).await,
            end(&browser.copy(), &id).await,
            end(&browser.copy(), "").await,
            end(&browser.copy(), "nonsense").await,
        ] {
            let answer = answer.is(401);
            let challenge = Some("Cookie realm=\"session\"");
            assert_eq!(answer.header("www-authenticate"), challenge);
            answer.error("not_authenticated");
        }
    }
    assert_eq!(ids(&alice).await, std::slice::from_ref(&id));
    for (method, path, allowed) in [
        (Method::POST, SESSIONS.to_owned(), "GET, HEAD"),
        (Method::DELETE, SESSIONS.to_owned(), "GET, HEAD"),
        (Method::GET, format!("{SESSIONS}/{id}"), "DELETE"),
        (Method::POST, format!("{SESSIONS}/{id}"), "DELETE"),
    ] {
        let answer = alice.send(method, &path, None).await.is(405);
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    // Other sites end nothing.
    let foreign = [("origin", "http://evil.example")];
    let path = format!("{SESSIONS}/{id}");
    let answer = alice.send_with(Method::DELETE, &path, &foreign).await;
    answer.is(403).error("cross_site");
    assert_eq!(ids(&alice).await, [id]);
}
