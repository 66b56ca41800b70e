//! Keys that change while the example runs.

use std::path::Path;
use std::time::{Duration, Instant};

use sealed_session::key_files::{EditError, Rotation};
use sealed_session::{
    keys::{KeyId, KeyTables, SystemRandom},
    time::{Clock, SystemClock, UnixMillis},
};
use serde_json::json;

use support::Browser;
use support::accounts::{Server, Steps, folder};

fn now() -> UnixMillis {
    SystemClock::default().now()
}

/// Waits until the server has picked up the key file.
async fn sealing(server: &Server, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let health = server.health().await;
        let sealing = health["keys"]["sealing"].as_str().unwrap();
        if wanted(sealing) {
            return sealing.to_owned();
        }
        assert!(
            Instant::now() < deadline,
            "the key file was not picked up: {health}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn rotate(keys: &Path) -> KeyId {
    let mut rotation = Rotation::default();
    rotation.distribute = Duration::ZERO;
    let rotate = |tables: &mut KeyTables| tables.rotate(now(), rotation, &SystemRandom);
    KeyTables::edit_file(keys, rotate).unwrap().id
}

/// The key in the clear part of a cookie: bytes 1 to 17 of its base64url.
fn key_of(browser: &Browser) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let cookie = browser.session().unwrap();
    let bits = cookie.bytes().take(24).flat_map(|digit| {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        (0..6).rev().map(move |bit| value >> bit & 1)
    });
    let bits: Vec<_> = bits.collect();
    let bytes = bits.chunks_exact(8).skip(1).take(16);
    bytes
        .map(|byte| format!("{:02x}", byte.iter().fold(0, |sum, bit| sum << 1 | bit)))
        .collect()
}

#[actix_web::test]
async fn a_rotation_logs_nobody_out_and_a_revocation_does() {
    let folder = folder();
    let keys = folder.path().join("keys.toml");
    let server = Server::on(folder.path());
    let old = sealing(&server, |_| true).await;
    let (alice, bob) = (server.browser(), server.browser());
    alice.login("alice").await;
    alice.set("a", json!(1)).await.is(204);
    bob.login("bob").await;
    let stolen = alice.copy();
    assert_eq!(key_of(&alice), old);

    let new = rotate(&keys).to_string();
    sealing(&server, |id| id == new).await;
    assert_eq!(
        server.health().await["keys"]["opening"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let me = alice.get("/api/me").await.is(200);
    assert!(me.set_cookies().is_empty(), "only a write seals anew");
    alice.set("b", json!(1)).await.is(204);
    assert_eq!(key_of(&alice), new);
    assert_eq!(alice.get("/api/entries/a").await.is(200).json(), json!(1));
    assert_eq!(stolen.copy().user().await.as_deref(), Some("alice"));
    let carol = server.browser();
    carol.login("carol").await;
    assert_eq!(key_of(&carol), new);

    // The old key leaked. Bob's session was sealed with it, alice's came through it, carol's did not.
    let id: KeyId = old.parse().unwrap();
    let revoke = |tables: &mut KeyTables| tables.revoke(id, now(), &SystemRandom);
    KeyTables::edit_file::<_, EditError>(&keys, revoke).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.health().await["keys"]["opening"] != json!([new]) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for browser in [&alice, &bob, &stolen] {
        assert_eq!(browser.user().await, None);
    }
    assert_eq!(carol.user().await.as_deref(), Some("carol"));
    bob.login("bob").await;
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
}

#[actix_web::test]
async fn the_only_key_can_be_revoked_and_a_fresh_one_takes_over() {
    let folder = folder();
    let keys = folder.path().join("keys.toml");
    let server = Server::on(folder.path());
    let browser = server.browser();
    browser.login("alice").await;
    let old = sealing(&server, |_| true).await;
    let id: KeyId = old.parse().unwrap();
    let revoke = |tables: &mut KeyTables| tables.revoke(id, now(), &SystemRandom);
    KeyTables::edit_file::<_, EditError>(&keys, revoke).unwrap();
    sealing(&server, |id| id != old).await;
    assert_eq!(browser.user().await, None);
    browser.login("alice").await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}

#[actix_web::test]
async fn a_key_file_that_breaks_while_running_changes_nothing() {
    let folder = folder();
    let keys = folder.path().join("keys.toml");
    let server = Server::on(folder.path());
    let browser = server.browser();
    browser.login("alice").await;
    let good = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, "broken").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    browser.login("alice").await;
    std::fs::write(&keys, good).unwrap();
    let new = rotate(&keys).to_string();
    sealing(&server, |id| id == new).await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}
