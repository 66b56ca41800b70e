//! A token that was changed, cut, moved or forged is no session; and what the browser does with it.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use common::forge::{Forge, Record};
use common::{Browser, HOUR, MINUTE, Node, builder, memory};
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::{Clock, CookieSettings, KeyRing, LogoutError, NotWritable, Sessions};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

async fn logged_in(node: &Node) -> (Browser, String) {
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let token = browser.session().unwrap();
    (browser, token)
}

#[actix_web::test]
async fn a_token_with_any_bit_flipped_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
    let bytes = BASE64.decode(&token).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = browser.holding(BASE64.encode(changed));
        let answer = changed.get("/me").await;
        match bit / 8 {
            // A version or a key that this node does not know may be a neighbour's.
            0..17 => answer.leaves_alone(),
            _ => answer.removes(),
        };
    }
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_token_with_any_character_replaced_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
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
    let (browser, token) = logged_in(&node).await;
    let (start, last) = token.split_at(token.len() - 1);
    let alphabet = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_']);
    for other in alphabet.filter(|other| !last.starts_with(*other)) {
        let answer = browser.holding(format!("{start}{other}")).get("/me").await;
        answer.removes();
    }
    for other in [
        format!("\"{token}\""),
        token.to_lowercase(),
        format!("{token}="),
    ] {
        browser.holding(other).get("/me").await.removes();
    }
}

#[actix_web::test]
async fn a_token_that_is_cut_anywhere_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
    for length in 0..token.len() {
        browser.holding(&token[..length]).get("/me").await.removes();
        let tail = browser.holding(&token[token.len() - length..]);
        tail.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn a_token_with_any_byte_before_or_after_it_opens_nowhere() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
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
    let other_cookie = CookieSettings {
        name: "other".into(),
        ..CookieSettings::plain_http()
    };
    let cookie = builder(&clock, store.clone()).cookie(other_cookie);
    let audience = Sessions::builder("tes")
        .keys(common::ring())
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

        let (_, token) = logged_in(&node).await;
        stranger.set_cookie(name, token);
        stranger.get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn a_token_of_an_unknown_key_is_left_alone_for_an_hour_and_then_removed() {
    let node = Node::start().await;
    let neighbour = Node::serve(
        node.clock.clone(),
        builder(&node.clock, memory(&node.clock)).keys(KeyRing::single(published_secret(2))),
    )
    .await;
    let (_, token) = logged_in(&neighbour).await;
    assert_eq!(node.sessions.health().unknown_keys, 0);
    a_foreign_token_is_left_alone_for_an_hour(&node, token).await;
    assert!(
        node.sessions.health().unknown_keys > 0,
        "an operator can see it"
    );
}

#[actix_web::test]
async fn a_token_of_a_newer_version_is_left_alone_for_an_hour_and_then_removed() {
    let node = Node::start().await;
    let now = node.clock.now();
    let newer = Forge {
        version: 2,
        ..Forge::at(now)
    };
    let token = newer.seal(&Record::of_alice(now));
    a_foreign_token_is_left_alone_for_an_hour(&node, token).await;
}

async fn a_foreign_token_is_left_alone_for_an_hour(node: &Node, token: String) {
    let browser = node.browser().holding(token);
    browser.get("/me").await.leaves_alone();
    // Nothing but a login may overwrite what another node may understand.
    for answer in [
        browser.put("/entries/a", json!(1)).await,
        browser.post("/purge").await,
        browser.post("/logout").await,
        browser.post("/logout-all").await,
    ] {
        let answer = answer.is(409);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    let login = browser.copy();
    login.post("/login/alice").await.is(200);
    login.get("/me").await.is(200);

    // The token names its minute, so an hour is counted from the start of that.
    let minute = node.clock.now().as_secs() % 60;
    node.clock.advance(HOUR - Duration::from_secs(minute));
    browser.get("/me").await.leaves_alone();
    node.clock.advance(SECOND);
    browser.get("/me").await.removes();
    assert_eq!(browser.session(), None);
}

#[actix_web::test]
async fn a_foreign_token_from_the_future_is_removed() {
    let node = Node::start().await;
    let now = node.clock.now();
    for (ahead, kept) in [(0, true), (1, true), (2, false), (1_000_000, false)] {
        let mut forge = Forge::at(now);
        forge.secret = 2;
        forge.minute += ahead;
        let browser = node.browser().holding(forge.seal(&Record::of_alice(now)));
        let answer = browser.get("/me").await;
        if kept {
            answer.leaves_alone();
        } else {
            answer.removes();
        }
    }
}

#[actix_web::test]
async fn an_authentic_cookie_is_removed_a_minute_after_it_died() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
    let (renewed, superseded) = logged_in(&node).await;
    renewed.post("/renew").await.is(200);
    let superseded = browser.holding(superseded);
    let ended = browser.holding(token);
    browser.post("/logout").await.is(204);

    ended.get("/me").await.leaves_alone();
    node.clock.advance(MINUTE - SECOND);
    ended.get("/me").await.leaves_alone();
    node.clock.advance(SECOND);
    ended.get("/me").await.removes();

    // It has been dead since the end of its grace.
    node.clock.advance(Duration::from_secs(9));
    superseded.get("/me").await.leaves_alone();
    node.clock.advance(SECOND);
    superseded.get("/me").await.removes();

    node.clock.advance(HOUR - MINUTE - Duration::from_secs(10));
    let idle = renewed;
    idle.get("/me").await.leaves_alone();
    node.clock.advance(MINUTE);
    idle.get("/me").await.removes();
}

#[actix_web::test]
async fn while_a_session_has_just_ended_only_a_login_sets_a_cookie() {
    let node = Node::start().await;
    let (browser, _) = logged_in(&node).await;
    let ended = browser.copy();
    browser.post("/logout").await.is(204);
    let write = ended.put("/entries/a", json!(1)).await.is(409);
    assert!(write.set_cookies().is_empty(), "{write:?}");
    let logout = ended.post("/logout").await.is(204);
    assert!(logout.set_cookies().is_empty(), "{logout:?}");
    ended.post("/login/bob").await.is(200);
    assert_eq!(ended.get("/me").await.is(200).json()["user"], "bob");
}

#[actix_web::test]
async fn a_logout_does_not_succeed_beside_a_cookie_that_it_can_not_end() {
    let node = Node::start().await;
    let (browser, ended) = logged_in(&node).await;
    browser.post("/logout").await.is(204);
    let now = node.clock.now();
    let foreign = Forge {
        version: 2,
        ..Forge::at(now)
    };
    let foreign = foreign.seal(&Record::of_alice(now));
    for (one, other) in [(&ended, &foreign), (&foreign, &ended)] {
        let header = format!("session={one}; session={other}");
        let lines = std::iter::once(header.as_bytes());
        let session = node.sessions.load(lines).unwrap().session;
        let refused = LogoutError::NotWritable(NotWritable::CookieHeld);
        assert_eq!(session.logout().await, Err(refused.clone()));
        assert_eq!(session.logout_all().await, Err(refused));
    }
}
