//! Stores that are slow or poisoned, clocks that are wrong, keys that are too many.

use std::time::Duration;

use sealed_session::revoke::{Reach, RevocationStore};
use sealed_session::testing::ManualClock;
use sealed_session::{
    revoke::{SessionId, SubjectKey},
    store::StoreError,
    time::Clock,
};

use crate::common::faulty::{Call, Faulty, Mode};
use crate::common::{Browser, DAY, SECOND, builder, eventually, memory};
use serde_json::json;

use crate::{Site, common, routes, target};

#[actix_web::test]
async fn a_clock_that_the_store_refuses_makes_the_list_forget_nothing() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let stolen = victim.copy();
    victim.post("/logout").await.is(204);
    stolen.copy().get("/me").await.is(401);
    let right = t.clock.now();
    t.clock.set(right + 401 * DAY);
    let swept = t.sessions.sweep().await;
    assert!(
        matches!(swept, Err(StoreError::Clock(_))),
        "the store forgot nothing: {swept:?}"
    );
    t.clock.set(right);
    t.sessions.sweep().await.unwrap();
    stolen.get("/me").await.is(401);
}

#[actix_web::test]
async fn one_logout_that_is_never_taken_holds_up_no_others() {
    let clock = ManualClock::default();
    let memory = memory(&clock);
    let store = Faulty::new(memory.clone(), Reach::Process);
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let [poison, other] = [1, 2].map(|number| SessionId::from_bytes([number; 16]));
    store.never_takes(poison);
    store.set_call(Call::Publish, Mode::Down);
    sessions.end_session(poison).await.unwrap_err();
    sessions.end_session(other).await.unwrap_err();
    store.set(Mode::Up);
    let taken = || async { memory.find(other, None).await.unwrap().revocations.len() };
    eventually(|| async { taken().await == 1 }).await;
}

#[actix_web::test]
async fn a_retry_of_what_was_replaced_ends_no_later_login() {
    let mut killed = 0;
    // The order of the outbox is random: several rounds.
    for _ in 0..4 {
        let clock = ManualClock::default();
        let store = Faulty::new(memory(&clock), Reach::Process);
        let sessions = builder(&clock, store.clone()).start().await.unwrap();
        let (url, _) = common::serve(&sessions, routes);
        // Outstanding: mallory's, whose raise is slow, and alice's.
        store.set_call(Call::Raise, Mode::Down);
        sessions.end_subject("mallory").await.unwrap_err();
        sessions.end_subject("alice").await.unwrap_err();
        store.hold_up(Some(SubjectKey::new("test", "mallory")));
        store.set(Mode::Up);
        eventually(|| async { store.waiting() >= 1 }).await;
        // The retry loop waits for mallory's raise, and may hold alice's old one in its copy.
        clock.advance(SECOND);
        sessions.end_subject("alice").await.unwrap();
        clock.advance(SECOND);
        let alice = Browser::new(&url);
        alice.post("/login/alice").await.is(200);
        clock.advance(SECOND);
        store.hold_up(None);
        sessions.close(30 * SECOND).await;
        killed += usize::from(alice.get("/me").await.status != 200);
    }
    assert_eq!(killed, 0, "of 4 logins");
}

/// A node whose sessions have passed through as many keys as a record can name.
async fn worn() -> (Site, Browser, tempfile::TempDir) {
    use sealed_session::keys::Rotation;
    use sealed_session::{
        keys::{KeySource, KeyTables, SystemRandom},
        time::Clock,
    };
    let clock = ManualClock::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    KeyTables::fresh(clock.now(), &SystemRandom)
        .unwrap()
        .create(&file)
        .unwrap();
    let store = Faulty::new(memory(&clock), Reach::Process);
    let sessions = builder(&clock, store.clone())
        .key_source(KeySource::File(file.clone()))
        .start()
        .await
        .unwrap();
    let (url, _) = common::serve(&sessions, routes);
    let t = Site {
        sessions,
        clock,
        store,
        url,
    };
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    for _ in 0..17 {
        t.clock.advance(2 * SECOND);
        let mut rotation = Rotation::default();
        rotation.distribute = Duration::ZERO;
        rotation.although_pending = true;
        KeyTables::edit_file(&file, |tables| {
            tables.rotate(t.clock.now(), rotation, &SystemRandom)
        })
        .unwrap();
        t.clock.advance(2 * SECOND);
        t.sessions.reload_keys().unwrap();
        // Only a write seals a session anew.
        browser.put("/entries/a", json!(1)).await;
    }
    (t, browser, folder)
}

#[actix_web::test]
async fn a_session_that_passed_through_too_many_keys_ends_and_another_may_begin() {
    let (_t, browser, _folder) = worn().await;
    browser.get("/me").await.is(401);
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
}

#[actix_web::test]
async fn a_login_over_a_session_of_too_many_keys_starts_anew() {
    let (_t, browser, _folder) = worn().await;
    browser.post("/login/alice").await.is(200);
}
