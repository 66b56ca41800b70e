//! Threats whose tests fit nowhere else. docs/THREATS.md has the map of all of them.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use common::forge::{Forge, Record};
use common::{Node, SECOND, builder, memory};
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::{
    ConfigError, KeyRing,
    keys::{KeyTables, Secret},
    time::{Clock, UnixMillis},
};
use serde_json::json;

fn nonce(token: &str) -> Vec<u8> {
    BASE64.decode(token).unwrap()[21..45].to_vec()
}

#[actix_web::test]
async fn nonce_reuse_a_thousand_seals_of_one_session_have_a_thousand_nonces() {
    let node = Node::start().await;
    let browser = node.browser();
    let mut nonces = BTreeSet::new();
    let mut halves = BTreeSet::new();
    for _ in 0..1000 {
        browser.put("/entries/a", json!(1)).await.is(204);
        let nonce = nonce(&browser.session().unwrap());
        halves.insert(nonce[..12].to_vec());
        halves.insert(nonce[12..].to_vec());
        nonces.insert(nonce);
    }
    assert_eq!(nonces.len(), 1000);
    assert_eq!(halves.len(), 2000, "no part of it is a counter or constant");
}

/// CVE-2026-39324: an application fell back to a decoding without encryption.
#[actix_web::test]
async fn fallback_to_an_unencrypted_decode_there_is_none() {
    let node = Node::start().await;
    let now = node.clock.now();
    let record = Record::of_alice(now).encode();
    let mut padded = (record.len() as u32).to_be_bytes().to_vec();
    padded.extend_from_slice(&record);
    padded.resize(padded.len().next_multiple_of(32), 0);
    let honest = BASE64
        .decode(Forge::at(now).seal(&Record::of_alice(now)))
        .unwrap();
    // The plaintext in the place of the ciphertext, with the true tag, none, and zeros.
    let plain = |tag: &[u8]| BASE64.encode([&honest[..45], padded.as_slice(), tag].concat());
    let tag = &honest[honest.len() - 16..];
    for token in [
        BASE64.encode(&record),
        BASE64.encode(&padded),
        plain(tag),
        plain(&[]),
        plain(&[0; 16]),
        json!({"user": "alice"}).to_string(),
        BASE64.encode(json!({"subject": "alice"}).to_string()),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.".into(),
    ] {
        node.browser().holding(token).get("/me").await.removes();
    }
    for version in [0, 2, 127, 255] {
        let mut token = honest.clone();
        token[0] = version;
        node.browser()
            .holding(BASE64.encode(token))
            .get("/me")
            .await
            .is(401);
    }
}

#[actix_web::test]
async fn partitioning_oracle_the_key_id_picks_one_key_and_no_other_is_tried() {
    let node = Node::with(|builder| {
        let ring = KeyRing::builder()
            .key(published_secret(1), UnixMillis::EPOCH, None)
            .key(published_secret(2), UnixMillis::EPOCH, None);
        builder.keys(ring.build().unwrap())
    })
    .await;
    let now = node.clock.now();
    let record = Record::of_alice(now);
    let sealed = [1, 2].map(|secret| {
        Forge {
            secret,
            ..Forge::at(now)
        }
        .seal(&record)
    });
    for token in &sealed {
        node.browser().holding(token).get("/me").await.is(200);
    }
    let [mut one, two] = sealed.map(|token| BASE64.decode(token).unwrap());
    one[1..17].copy_from_slice(&two[1..17]);
    node.browser()
        .holding(BASE64.encode(one))
        .get("/me")
        .await
        .removes();
}

#[actix_web::test]
async fn length_leak_the_cookie_grows_in_steps_of_32_bytes() {
    let node = Node::start().await;
    let mut lengths = BTreeMap::<usize, usize>::new();
    for length in 0..200 {
        let browser = node.browser();
        browser
            .put("/entries/a", json!("x".repeat(length)))
            .await
            .is(204);
        let token = BASE64.decode(browser.session().unwrap()).unwrap();
        *lengths.entry(token.len()).or_default() += 1;
    }
    let sizes: Vec<_> = lengths.keys().copied().collect();
    assert!(
        sizes.windows(2).all(|pair| pair[1] - pair[0] == 32),
        "{sizes:?}"
    );
    assert!(sizes.len() <= 8, "{sizes:?}");
}

#[actix_web::test]
async fn compression_leak_what_repeats_is_as_long_as_what_does_not() {
    let node = Node::start().await;
    let length = async |text: String| {
        let browser = node.browser();
        browser.put("/entries/a", json!(text)).await.is(204);
        browser.session().unwrap().len()
    };
    let repeated = length("secret=0123".repeat(100)).await;
    let mixed =
        (0..1100u32).map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90));
    assert_eq!(repeated, length(mixed.collect()).await);
}

#[test]
fn leaked_or_example_key_is_refused() {
    for number in 1..=4 {
        let text = published_secret(number).to_text();
        assert!(matches!(
            Secret::parse(&text),
            Err(ConfigError::WeakSecret(_))
        ));
        let tables = format!(
            "[[key]]\nsecret = \"{}\"\nactivate = \"2026-01-01T00:00:00Z\"\n",
            *text
        );
        let error = KeyTables::parse(&tables).unwrap_err().to_string();
        assert!(!error.contains(text.as_str()), "{error}");
    }
    for bytes in [[0; 32], [0xff; 32], *b"correct horse battery staple 123"] {
        assert!(Secret::from_bytes(bytes).is_err());
    }
    for text in ["", "changeme", "AAAA", &"a".repeat(43), &"0".repeat(64)] {
        assert!(Secret::parse(text).is_err(), "{text}");
    }
}

#[actix_web::test]
async fn session_fixation_a_planted_session_is_worth_nothing_after_the_login() {
    let node = Node::start().await;
    let attacker = node.browser();
    attacker.put("/entries/planted", json!(1)).await.is(204);
    let victim = attacker.copy();
    victim.post("/login/alice").await.is(200);
    attacker.get("/me").await.is(401);
    attacker.get("/entries/planted").await.is(404);
    // A privilege change makes the cookie from before useless as well.
    let seen = victim.copy();
    victim.post("/renew").await.is(200);
    node.clock.advance(10 * SECOND);
    seen.get("/me").await.is(401);
    victim.get("/me").await.is(200);
}

#[actix_web::test]
async fn older_copy_of_a_session_is_dead_after_a_renewal() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let mut copies = Vec::new();
    for attempt in 0..3 {
        browser
            .put("/entries/attempts", json!(attempt))
            .await
            .is(204);
        copies.push(browser.copy());
    }
    browser.post("/renew").await.is(200);
    node.clock.advance(10 * SECOND);
    for copy in copies {
        copy.get("/entries/attempts").await.is(404);
    }
    assert_eq!(browser.get("/entries/attempts").await.is(200).json(), 2);
}

#[actix_web::test]
async fn lost_update_reading_sends_nothing_back() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.put("/entries/a", json!(1)).await.is(204);
    let reader = browser.copy();
    browser.put("/entries/a", json!(2)).await.is(204);
    for path in ["/entries/a", "/entries/b", "/plain", "/me", "/nowhere"] {
        assert!(reader.get(path).await.set_cookies().is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn equal_second_races_a_login_in_the_moment_of_a_logout_everywhere_holds() {
    let node = Node::start().await;
    let (before, after) = (node.browser(), node.browser());
    // The clock stands still: everything below happens in one millisecond.
    for end in ["/logout-all", "/logout-everyone"] {
        for _ in 0..3 {
            before.post("/login/alice").await.is(200);
            let stolen = before.copy();
            before.post(end).await.is(204);
            after.post("/login/alice").await.is(200);
            after.get("/me").await.is(200);
            stolen.get("/me").await.is(401);
        }
    }
}

#[actix_web::test]
async fn clock_skew_a_node_a_minute_behind_takes_what_others_seal() {
    for skew in [30, 60] {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let node = Node::on(&clock, store.clone()).await;
        let behind = ManualClock::new(clock.now().minus(skew * SECOND));
        let late = Node::serve(behind.clone(), builder(&behind, store)).await;
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        browser.copy().at(&late).get("/me").await.is(200);
        let there = late.browser();
        there.post("/login/bob").await.is(200);
        there.get("/me").await.is(200);
        there.at(&node).get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn eviction_of_the_cookie_is_no_error() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser.remove_cookie("session");
    for path in ["/logout", "/purge"] {
        let answer = browser.post(path).await.is(204);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    browser.get("/me").await.leaves_alone();
    browser.post("/logout-all").await.is(401);
}

#[actix_web::test]
async fn fingerprint_false_alarms_there_are_none() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let cookie = format!("Cookie: session={}", browser.session().unwrap());
    for line in [
        "User-Agent: another",
        "Accept-Language: eo",
        "X-Forwarded-For: 192.0.2.1",
    ] {
        let reply = common::raw::request(&node.url, ["GET /me HTTP/1.1", &cookie, line]).await;
        assert_eq!(reply.status(), 200, "{line}");
    }
}
