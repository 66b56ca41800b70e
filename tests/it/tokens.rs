//! A token that was changed, cut, moved or put together is no session, and gives nothing away.
//!
//! 1. One key opens it, in one form: the text that was sent, whole, under its own cookie and audience.
//! 2. Its length tells the content's in steps of 32 bytes, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::time::{Clock, UnixMillis};
use sealed_session::{KeyRing, Sessions, settings::CookieSettings};
use serde_json::json;
use support::forge::{Forge, Record};
use support::{Node, builder, memory, with};

use super::site::logged_in_with_token;

#[actix_web::test]
async fn a_token_with_any_bit_flipped_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    let bytes = BASE64.decode(&token).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = browser.holding(BASE64.encode(changed));
        let answer = changed.get("/me").await;
        match bit / 8 {
            // No release was of version 0. Another one, or a key that this node does not know, may be a
            // neighbour's.
            0 if bit == 0 => answer.removes(),
            0..17 => answer.leaves_alone(),
            _ => answer.removes(),
        };
    }
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_token_with_any_character_replaced_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    for place in 0..token.len() {
        for replacement in [
            "A", "b", "_", "-", "+", "/", "=", ".", " ", "%41", "\"", ",",
        ] {
            let mut changed = token.clone();
            changed.replace_range(place..=place, replacement);
            if changed != token {
                browser.holding(changed).get("/me").await.is(401);
            }
        }
    }
    browser.get("/me").await.is(200);
}

/// The last character of most lengths carries bits that mean nothing. Were they ignored, one token
/// would have several texts.
#[actix_web::test]
async fn a_token_has_one_text() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    let (start, last) = token.split_at(token.len() - 1);
    let alphabet = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_']);
    for other in alphabet.filter(|other| !last.starts_with(*other)) {
        let answer = browser.holding(format!("{start}{other}")).get("/me").await;
        answer.removes();
    }
    for other in [format!("\"{token}\""), format!("{token}=")] {
        browser.holding(other).get("/me").await.removes();
    }
}

#[actix_web::test]
async fn a_token_that_is_cut_anywhere_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    for length in 0..token.len() {
        browser.holding(&token[..length]).get("/me").await.removes();
        let tail = browser.holding(&token[token.len() - length..]);
        tail.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn a_token_with_any_byte_before_or_after_it_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in_with_token(&node).await;
    let printable = (0x20..=0xff).filter(|byte| ![b';', 0x7f].contains(byte));
    for byte in printable.chain([b'\t']) {
        let after = [b"session=", token.as_bytes(), &[byte], b"; other=1"].concat();
        let before = [
            b"session=",
            [byte].as_slice(),
            token.as_bytes(),
            b"; other=1",
        ]
        .concat();
        for header in [after, before] {
            let answer = browser.send_raw(reqwest::Method::GET, "/me", None, Some(header));
            answer.await.is(401);
        }
    }
}

#[actix_web::test]
async fn a_token_of_another_cookie_or_audience_opens_nowhere() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let node = Node::on(&clock, store.clone()).await;
    let other_cookie = with(CookieSettings::plain_http(), |cookie| {
        cookie.name = "other".into();
    });
    let cookie = builder(&clock, store.clone()).cookie(other_cookie);
    let audience = Sessions::builder("tes")
        .keys(support::ring())
        .store(store)
        .cookie(CookieSettings::plain_http())
        .clock(Arc::new(clock.clone()));
    for (other, name) in [(cookie, "other"), (audience, "session")] {
        let other = Node::serve(clock.clone(), other).await;
        let stranger = other.browser();
        stranger.post("/login/alice").await.is(200);
        stranger.get("/me").await.is(200);
        let token = stranger.cookie(name).unwrap();
        node.browser().holding(token).get("/me").await.removes();

        let (_, token) = logged_in_with_token(&node).await;
        stranger.set_cookie(name, token);
        stranger.get("/me").await.is(401);
    }
}

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
