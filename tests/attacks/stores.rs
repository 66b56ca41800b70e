//! Stores that are slow or poisoned, clocks that are wrong, keys that are too many.

use std::time::Duration;

use sealed_session::key_files::Rotation;
use sealed_session::revoke::{Reach, RevocationStore};
use sealed_session::testing::ManualClock;
use sealed_session::{
    keys::{KeySource, KeyTables, SystemRandom},
    revoke::{SessionId, SubjectKey},
    session::Rejected,
    store::StoreError,
    time::Clock,
};
use serde_json::json;

use crate::common::faulty::{Call, Faulty, Mode};
use crate::common::gate::during;
use crate::common::{Browser, DAY, SECOND, builder, eventually, memory};
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

/// A node with a key file, and a session that has passed through as many keys as a record can name but one.
struct Worn {
    site: Site,
    browser: Browser,
    folder: tempfile::TempDir,
}

impl Worn {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
        tables.create(&file).unwrap();
        let store = Faulty::new(memory(&clock), Reach::Process);
        let builder = builder(&clock, store.clone()).key_source(KeySource::File(file));
        let sessions = builder.start().await.unwrap();
        let (url, _) = common::serve(&sessions, routes);
        let browser = Browser::new(&url);
        let site = Site {
            sessions,
            clock,
            store,
            url,
        };
        browser.post("/login/alice").await.is(200);
        let worn = Self {
            site,
            browser,
            folder,
        };
        for _ in 0..16 {
            worn.rotate();
            // Only a write seals a session anew.
            worn.browser.put("/entries/a", json!(1)).await.is(204);
            worn.browser.get("/me").await.is(200);
        }
        worn
    }

    fn rotate(&self) {
        let Site {
            clock, sessions, ..
        } = &self.site;
        clock.advance(2 * SECOND);
        let mut rotation = Rotation::default();
        rotation.distribute = Duration::ZERO;
        rotation.although_pending = true;
        let rotate = |tables: &mut KeyTables| tables.rotate(clock.now(), rotation, &SystemRandom);
        KeyTables::edit_file(self.folder.path().join("keys.toml"), rotate).unwrap();
        clock.advance(2 * SECOND);
        sessions.reload_keys().unwrap();
    }
}

#[actix_web::test]
async fn a_session_that_passed_through_too_many_keys_ends_with_a_reason_and_another_may_begin() {
    let worn = Worn::start().await;
    worn.rotate();
    let Worn {
        site: t, browser, ..
    } = &worn;
    let elsewhere = Browser::new(&t.url);
    elsewhere.post("/login/alice").await.is(200);
    let rejected = common::rejected(&t.sessions, browser);
    assert_eq!(rejected, Some(Rejected::TooManyKeys));
    browser.get("/me").await.leaves_alone();
    browser.copy().post("/renew").await.is(200);
    browser.copy().post("/logout-others").await.is(401);
    elsewhere.get("/me").await.is(200);
    let writes = browser.copy();
    writes.put("/entries/b", json!(1)).await.is(204);
    writes.get("/entries/b").await.is(200);
    writes.get("/entries/a").await.is(404);
    browser.post("/login/alice").await.is(200);
    browser.get("/me").await.is(200);
}

/// A raise that ended the others, and then this session for want of room, would keep nobody.
#[actix_web::test]
async fn logout_others_of_a_session_that_can_not_be_sealed_again_ends_nobody() {
    let worn = Worn::start().await;
    let elsewhere = Browser::new(&worn.site.url);
    elsewhere.post("/login/alice").await.is(200);
    let request = worn.browser.post("/late/f5/logout-others");
    let answer = during("f5", request, async { worn.rotate() }).await;
    let answer = answer.is(500);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    elsewhere.get("/me").await.is(200);
}
