//! A token that was changed, cut, moved or forged is no session; and what the browser does with it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use common::faulty::Faulty;
use common::forge::{Forge, Record};
use common::{Browser, DAY, HOUR, MINUTE, Node, builder, eventually, memory, with};
use sealed_session::adapter::Incoming;
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use sealed_session::{CookieSettings, Sessions, session::LogoutError, time::Clock};
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
    for other in [format!("\"{token}\""), format!("{token}=")] {
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
    let other_cookie = with(CookieSettings::plain_http(), |cookie| {
        cookie.name = "other".into();
    });
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
async fn a_token_of_an_unknown_key_is_no_obstacle_on_a_store_of_one_process() {
    let node = Node::start().await;
    let now = node.clock.now();
    let unknown = Forge {
        secret: 2,
        ..Forge::at(now)
    };
    let token = unknown.seal(&Record::of_alice(now));
    let browser = node.browser().holding(&token);
    browser.get("/me").await.leaves_alone();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
    // A logout removes it, for it can be a session nowhere.
    let browser = node.browser().holding(&token);
    let answer = browser.post("/logout").await.is(204);
    assert_eq!(answer.removed(), ["session"]);
}

#[actix_web::test]
async fn a_token_of_an_unknown_key_is_no_obstacle_in_a_fleet_after_an_hour() {
    let clock = ManualClock::default();
    let node = Node::on(&clock, Faulty::new(memory(&clock), Reach::Network)).await;
    let now = node.clock.now();
    let unknown = Forge {
        secret: 2,
        ..Forge::at(now)
    };
    let token = unknown.seal(&Record::of_alice(now));
    a_foreign_token_is_an_obstacle_for_an_hour(&node, token).await;
}

#[actix_web::test]
async fn a_token_of_a_newer_version_is_no_obstacle_after_an_hour() {
    let node = Node::start().await;
    let now = node.clock.now();
    let newer = Forge {
        version: 2,
        ..Forge::at(now)
    };
    let token = newer.seal(&Record::of_alice(now));
    a_foreign_token_is_an_obstacle_for_an_hour(&node, token).await;
}

async fn a_foreign_token_is_an_obstacle_for_an_hour(node: &Node, token: String) {
    let browser = node.browser().holding(token);
    browser.get("/me").await.leaves_alone();
    // Nothing but a login may overwrite what another node may understand, and no logout is acknowledged.
    for (answer, status) in [
        (browser.put("/entries/a", json!(1)).await, 409),
        (browser.post("/purge").await, 409),
        (browser.post("/logout").await, 503),
        (browser.post("/logout-all").await, 503),
    ] {
        let answer = answer.is(status);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    let login = browser.copy();
    login.post("/login/alice").await.is(200);
    login.get("/me").await.is(200);

    // The token names its minute, so an hour is counted from the start of that.
    let minute = node.clock.now().as_secs() % 60;
    node.clock.advance(HOUR - Duration::from_secs(minute));
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.put("/entries/a", json!(1)).await.is(409);
    node.clock.advance(SECOND);
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    browser.get("/me").await.leaves_alone();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
}

#[actix_web::test]
async fn a_token_of_a_newer_version_from_the_future_is_no_obstacle() {
    let node = Node::start().await;
    let now = node.clock.now();
    for (ahead, status) in [(0, 409), (1, 409), (2, 204), (1_000_000, 204)] {
        let mut forge = Forge::at(now);
        forge.version = 2;
        forge.minute += ahead;
        let browser = node.browser().holding(forge.seal(&Record::of_alice(now)));
        browser.put("/entries/a", json!(1)).await.is(status);
    }
}

/// A late removal would take a successor with it, and Max-Age does it anyway.
#[actix_web::test]
async fn nothing_authentic_is_removed_unasked() {
    let node = Node::start().await;
    let (browser, token) = logged_in(&node).await;
    let (renewed, superseded) = logged_in(&node).await;
    renewed.post("/renew").await.is(200);
    let superseded = browser.holding(superseded);
    let ended = browser.holding(token);
    browser.post("/logout").await.is(204);
    for pause in [9 * SECOND, MINUTE, 3 * MINUTE, 2 * HOUR, DAY] {
        node.clock.advance(pause);
        ended.get("/me").await.leaves_alone();
        if pause > 9 * SECOND {
            superseded.get("/me").await.leaves_alone();
        }
    }
    renewed.get("/me").await.leaves_alone();
}

#[actix_web::test]
async fn a_cookie_that_was_given_up_or_replaced_is_no_obstacle_for_long() {
    let node = Node::start().await;
    for (end, held) in [
        ("/logout", 10 * SECOND),
        ("/login/bob", 2 * MINUTE),
        ("/renew", 2 * MINUTE),
    ] {
        let (browser, token) = logged_in(&node).await;
        browser.post(end).await;
        let old = || browser.holding(&token);
        node.clock.advance(held - SECOND);
        old().put("/entries/a", json!(1)).await.is(409);
        node.clock.advance(SECOND);
        old().put("/entries/a", json!(1)).await.is(204);
    }
}

/// Two browsers of one user, an idle limit that has passed, an administrator: nobody awaits a successor.
#[actix_web::test]
async fn a_session_that_ended_otherwise_is_no_obstacle_at_all() {
    let node = Node::start().await;
    let (one, _) = logged_in(&node).await;
    let (two, _) = logged_in(&node).await;
    one.post("/logout-all").await.is(204);
    two.put("/entries/a", json!(1)).await.is(204);
    two.get("/entries/a").await.is(200);

    let (idle, _) = logged_in(&node).await;
    node.clock.advance(HOUR + SECOND);
    idle.put("/entries/a", json!(1)).await.is(204);

    let browser = node.browser();
    let id = browser.post("/login/alice").await.is(200).json();
    let id = id.as_str().unwrap().parse().unwrap();
    node.sessions.end_session(id).await.unwrap();
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
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
        let session = node.sessions.load(Incoming::new(lines)).unwrap().session;
        let refused = LogoutError::MayLiveElsewhere;
        assert_eq!(session.logout().await, Err(refused.clone()));
        assert_eq!(session.logout_all().await, Err(refused));
    }
}
