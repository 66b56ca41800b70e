//! The browser, the log and a debugger learn nothing that helps an attacker.

use std::collections::BTreeSet;
use std::sync::Mutex;

use actix_web::{HttpResponse, Result, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::adapter::Incoming;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::time::Clock;
use sealed_session::{KeyRing, Session};
use serde_json::json;
use support::faulty::{Faulty, Mode};
use support::forge::{Forge, Record};
use support::{Browser, Node, builder, log, memory, serve};

use super::site::target;

#[actix_web::test]
async fn debug_output_shows_neither_tokens_nor_entries() {
    let t = target().await;
    let loaded = t.sessions.load(Incoming::new(std::iter::empty())).unwrap();
    let login = loaded.session.authenticate("alice").entry("iban", "ABC");
    let shown = format!("{login:?}");
    login.await.unwrap();
    let outcome = t.sessions.commit(&loaded.session, loaded.ticket).await;
    let token = outcome.cookies[0]
        .split(['=', ';'])
        .nth(1)
        .unwrap()
        .to_owned();
    let outcome = format!("{outcome:?}");
    assert!(
        !outcome.contains(&token),
        "Committed shows a live token: {outcome}"
    );
    assert!(
        !shown.contains("65, 66, 67"),
        "Login shows entries: {shown}"
    );
}

/// The last output of the handler below.
static SHOWN: Mutex<String> = Mutex::new(String::new());

fn showing(config: &mut web::ServiceConfig) {
    config.configure(support::routes).route(
        "/show",
        web::get().to(async |session: Session| {
            let login = session.authenticate("somebody").entry("pin", "hush-4711");
            let wrong = session.get::<u32>("secret").unwrap_err();
            let entries = session.entries();
            let wrong_too = entries["secret"].decode::<Vec<bool>>().unwrap_err();
            let shown = format!(
                "{session:?} {session:#?} {entries:?} {login:?} {wrong} {wrong:?} {wrong_too}"
            );
            *SHOWN.lock().unwrap() = shown;
            Result::<_>::Ok(HttpResponse::Ok())
        }),
    );
}

#[actix_web::test]
async fn debug_output_shows_no_cookie_key_or_content() {
    let clock = ManualClock::default();
    let random = published_secret(3).to_text();
    let sessions = builder(&clock, memory(&clock)).keys(KeyRing::single(published_secret(3)));
    let built = format!("{sessions:?} {sessions:#?}");
    let sessions = sessions.start().await.unwrap();
    let (url, _server) = serve(&sessions, showing);
    let browser = Browser::new(&url);
    browser
        .put("/entries/secret", json!("hush-1234"))
        .await
        .is(204);
    browser.get("/show").await.is(200);
    let middleware = sealed_session::actix::SessionMiddleware::new(&sessions);
    let shown = [
        built,
        SHOWN.lock().unwrap().clone(),
        format!(
            "{sessions:?} {sessions:#?} {middleware:?} {:?}",
            sessions.health()
        ),
        format!("{:?}", published_secret(3)),
        format!("{:?}", KeyRing::single(published_secret(3))),
    ]
    .concat();
    // In text, in bytes as Debug writes them, and in hexadecimal.
    let bytes = BASE64.decode(random.as_bytes()).unwrap();
    let listed = format!("{:?}", &bytes[..6]);
    let hex: String = bytes[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let packed = format!("{:?}", b"hush");
    for hidden in [
        "hush",
        "somebody",
        packed.trim_matches(['[', ']']),
        &browser.session().unwrap()[40..80],
        random.as_str(),
        listed.trim_matches(['[', ']']),
        &hex,
    ] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
}

#[actix_web::test]
async fn error_bodies_tell_nothing_of_what_went_wrong_inside() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let node = Node::on(&clock, store.clone()).await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let ended = browser.copy();
    store.set(Mode::Down);
    for (answer, words) in [
        (
            node.browser().post("/login/bob").await,
            "Service Unavailable",
        ),
        (browser.copy().post("/renew").await, "Service Unavailable"),
        (browser.post("/logout").await, "Service Unavailable"),
        (node.browser().get("/me").await, "Unauthorized"),
        (node.browser().post("/logout-all").await, "Unauthorized"),
        (ended.put("/entries/a", json!(1)).await, "Conflict"),
        (
            node.browser()
                .post(&format!("/login/{}", "x".repeat(256)))
                .await,
            "Bad Request",
        ),
    ] {
        assert_eq!(answer.body, words, "{answer:?}");
    }
    let large = node
        .browser()
        .put("/entries/a", json!("x".repeat(5000)))
        .await;
    assert!(
        large.body.contains("3584") && !large.body.contains("xx"),
        "{large:?}"
    );
}

/// The browser learns that there is no session, and nothing of why.
#[actix_web::test]
async fn every_rejection_looks_the_same_to_the_browser() {
    let node = Node::start().await;
    let now = node.clock.now();
    let record = Record::of_alice(now);
    let of = |forge: Forge| forge.seal(&record);
    let mut implausible = record.clone();
    implausible.serial = u32::MAX;
    let kept = [
        of(Forge {
            secret: 2,
            ..Forge::at(now)
        }),
        of(Forge {
            version: 9,
            ..Forge::at(now)
        }),
    ];
    let removed = [
        "junk".to_owned(),
        of(Forge {
            chunks: 3,
            ..Forge::at(now)
        }),
        of(Forge {
            audience: "else".into(),
            ..Forge::at(now)
        }),
        Forge::at(now).seal(&implausible),
        Forge::at(now).seal_bytes(b"nonsense"),
    ];
    for group in [kept.as_slice(), &removed] {
        let mut answers = BTreeSet::new();
        for token in group {
            let answer = node.browser().holding(token).get("/me").await;
            let mut headers: Vec<_> = answer
                .headers
                .iter()
                .filter(|(name, _)| *name != "date")
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            headers.sort();
            answers.insert((answer.status, headers, answer.body));
        }
        assert_eq!(answers.len(), 1, "{answers:#?}");
    }
}
