//! What is not an authentic cookie of actix-session, or cannot be kept as it is.

use actix_session::config::CookieContentSecurity;
use actix_web::cookie::{Cookie, CookieJar, Key};
use sealed_session::adapter::Incoming;
use serde_json::{Map, Value, json};

use super::old::{CONTENTS, Old, key};
use super::{id, node};
use support::written::Written;
use support::{Browser, DAY, Node};

/// Seals as the old middleware did, whatever the content.
fn sealed(old: &Old, content: &str) -> String {
    let mut jar = CookieJar::new();
    let (key, cookie) = (
        Key::from(&old.key),
        Cookie::new(old.name, content.to_owned()),
    );
    match old.content {
        CookieContentSecurity::Private => jar.private_mut(&key).add(cookie),
        CookieContentSecurity::Signed => jar.signed_mut(&key).add(cookie),
    }
    let cookie = jar.get(old.name).unwrap().encoded().to_string();
    cookie.split_once('=').unwrap().1.to_owned()
}

/// No session comes of it, and the browser keeps it.
async fn is_nothing(node: &Node, value: impl Into<Vec<u8>>) {
    let value = value.into();
    let header = [b"id=".as_slice(), &value].concat();
    for path in ["/me", "/entries/user_id"] {
        let answer = node
            .browser()
            .send_raw(reqwest::Method::GET, path, None, Some(header.clone()))
            .await;
        assert!([401, 404].contains(&answer.status), "{answer:?}");
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}

const ALICE: &str = r#"{"user_id":"\"alice\""}"#;

#[actix_web::test]
async fn a_cookie_that_is_not_authentic_is_no_session_and_stays() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let good = sealed(&old, ALICE);
        let holder = node.browser();
        holder.set_cookie("id", &good);
        holder.get("/me").await.is(200);

        let flip = |at: usize| {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            bytes
        };
        for at in [0, 1, 20, good.len() / 2] {
            is_nothing(&node, flip(at)).await;
        }
        for length in [0, 1, 10, 43, 44, good.len() / 2, good.len() - 4] {
            is_nothing(&node, &good.as_bytes()[..length]).await;
        }
        is_nothing(&node, format!("{good}{good}")).await;
        is_nothing(&node, [b"\xff\xfe", good.as_bytes()].concat()).await;
        is_nothing(&node, format!("{good}%FF")).await;
        is_nothing(&node, format!("{good}=")).await;
        is_nothing(&node, ALICE.replace('"', "%22")).await;
        is_nothing(
            &node,
            sealed(
                &Old {
                    key: key(2),
                    ..old.clone()
                },
                ALICE,
            ),
        )
        .await;
    }
}

#[actix_web::test]
async fn a_cookie_that_is_written_otherwise_is_the_same_one() {
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let plain = sealed(&old, ALICE);
        let value = Cookie::parse_encoded(format!("id={plain}")).unwrap();
        let otherwise: String = value
            .value()
            .bytes()
            .map(|it| format!("%{it:02x}"))
            .collect();
        assert_ne!(plain, otherwise);
        let browser = |value: &String| {
            let browser = node.browser();
            browser.set_cookie("id", value);
            browser
        };
        assert_eq!(id(&browser(&plain)).await, id(&browser(&otherwise)).await);
        browser(&plain).post("/logout").await.is(204);
        is_nothing(&node, otherwise).await;
    }
}

#[actix_web::test]
async fn an_encrypted_cookie_of_another_name_or_content_security_does_not_open() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let other = Old {
        name: "flash",
        ..old.clone()
    };
    is_nothing(&node, sealed(&other, ALICE)).await;
    is_nothing(
        &node,
        sealed(&Old::new(CookieContentSecurity::Signed), ALICE),
    )
    .await;
}

#[actix_web::test]
async fn an_authentic_cookie_that_holds_something_else_is_no_session() {
    let many: Map<String, Value> = (0..1_000_000)
        .map(|number| (format!("{number:x}"), json!("1")))
        .collect();
    let many = Value::Object(many).to_string();
    for content in CONTENTS {
        let old = Old::new(content);
        let node = node(&old).await;
        let empty = [
            "{}",
            "",
            "null",
            "[]",
            "\"text\"",
            "12",
            "{\"a\":1}",
            "{\"a\":null}",
        ];
        for text in empty {
            is_nothing(&node, sealed(&old, text)).await;
        }
        // As large as a server takes, and larger than actix-session writes.
        for length in [4065, 8_000, 30_000] {
            let text = format!(r#"{{"user_id":"\"{}\""}}"#, "a".repeat(length - 18));
            is_nothing(&node, sealed(&old, &text)).await;
        }
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(2000), "]".repeat(2000));
        is_nothing(&node, sealed(&old, &deep)).await;
        // No server takes so much in a header. The library is asked itself.
        let header = format!("id={}", sealed(&old, &many));
        let loaded = node
            .sessions
            .load(Incoming::new([header.as_bytes()].into_iter()));
        assert_eq!(loaded.unwrap().session.id(), None);
    }
}

#[actix_web::test]
async fn after_the_date_nothing_is_read() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let value = sealed(&old, ALICE);
    node.clock
        .advance(7 * DAY - std::time::Duration::from_millis(1));
    let browser = node.browser();
    browser.set_cookie("id", &value);
    browser.get("/me").await.is(200);
    node.clock.advance(std::time::Duration::from_millis(1));
    is_nothing(&node, value).await;
}

#[actix_web::test]
async fn a_cookie_that_somebody_planted_in_front_hides_nothing() {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let header = format!("id=planted; id={}", sealed(&old, ALICE));
    let browser = node.browser();
    let get = reqwest::Method::GET;
    browser
        .send_raw(get, "/me", None, Some(header.into_bytes()))
        .await
        .is(200);
}

/// Takes a session with these entries over, and says what was logged.
async fn taken_over(content: &str) -> (Browser, Written) {
    let old = Old::new(CookieContentSecurity::Private);
    let node = node(&old).await;
    let written = Written::default();
    let _guard = written.listen();
    let value = sealed(&old, content);
    // In this thread, whose log is listened to.
    let header = format!("id={value}");
    drop(
        node.sessions
            .load(Incoming::new([header.as_bytes()].into_iter())),
    );
    let browser = node.browser();
    browser.set_cookie("id", value);
    (browser, written)
}

#[actix_web::test]
async fn an_entry_that_cannot_be_kept_is_left_behind_with_one_warning() {
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    let large = json!("hunter2".repeat(400)).to_string();
    for (name, text, problem) in [
        ("deep", deep.as_str(), "is no JSON"),
        ("broken", "hunter2", "is no JSON"),
        ("\0flash", "\"hunter2\"", "reserved"),
        ("large", &large, "are allowed"),
    ] {
        let content = json!({ "user_id": "\"alice\"", "theme": "\"dark\"", name: text });
        let (browser, written) = taken_over(&content.to_string()).await;
        let warnings = written.lines("WARN");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let shown = format!("entry={name:?}");
        assert!(warnings[0].contains(&shown), "{warnings:?}");
        assert!(warnings[0].contains(problem), "{warnings:?}");
        assert!(!written.text().contains("hunter2"), "{warnings:?}");
        assert_eq!(browser.get("/entries/theme").await.json(), "dark");
        assert_eq!(browser.get("/me").await.json()["user"], "alice");
    }
}

#[actix_web::test]
async fn a_session_whose_user_is_no_subject_is_not_taken_over() {
    for user in [String::new(), "a".repeat(256)] {
        let content = json!({ "user_id": json!(user).to_string(), "theme": "\"dark\"" });
        let (browser, written) = taken_over(&content.to_string()).await;
        assert_eq!(written.count("is no subject"), 1);
        let answer = browser.get("/entries/theme").await.is(404);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}
