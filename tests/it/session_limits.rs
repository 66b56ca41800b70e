//! How many sessions somebody may have (`devices.max_sessions`).
//!
//! 1. A login beyond ends the session that was not used for the longest time, or is refused.
//! 2. What has ended is not counted, whatever ended it, and what is nobody's takes no place.
//! 3. A login that comes to nothing costs nobody anything.

use std::time::Duration;

use sealed_session::ConfigError;
use sealed_session::index::{IndexUpdate, RowState};
use sealed_session::revoke::{SessionId, Store};
use sealed_session::session::{LoginError, Rejected};
use sealed_session::settings::{DeviceSettings, WhenFull};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use support::ram_journal::RamDisk;
use support::{MINUTE, SECOND, builder, eventually, with};

use super::devices::{HOUR, Listed, key, listing};
use super::direct::{load, login, sent, user};
use super::observer::Audit;

pub fn at_most(sessions: usize) -> DeviceSettings {
    with(listing(), |it| it.max_sessions = Some(sessions))
}

pub fn refusing(sessions: usize) -> DeviceSettings {
    with(at_most(sessions), |it| it.when_full = WhenFull::Refuse)
}

async fn limited(devices: DeviceSettings) -> Listed {
    Listed::with(|builder| builder.devices(devices)).await
}

#[actix_web::test]
async fn a_login_beyond_the_limit_ends_the_session_not_used_for_the_longest_time() {
    let audit = Audit::default();
    let it = Listed::with(|builder| audit.on(builder.devices(at_most(2)))).await;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    it.login("bob").await;
    // The first is used again.
    it.clock.advance(10 * MINUTE);
    let loaded = load(&it.sessions, &first);
    loaded.session.insert("a", 1).unwrap();
    let first = sent(&it.sessions, loaded).await;
    let used = async || {
        it.rows("alice")
            .await
            .iter()
            .any(|row| row.last_seen == it.clock.now())
    };
    eventually(|| async { used().await }).await;
    audit.take();
    let (third, three) = it.login("alice").await;
    assert_eq!(
        load(&it.sessions, &second).session.rejected(),
        Some(Rejected::Ended)
    );
    assert!(user(&it.sessions, &first).is_some() && user(&it.sessions, &third).is_some());
    assert_eq!(it.ids("alice").await, [three, one]);
    assert_eq!(it.rows("alice").await.len(), 2);
    assert_eq!(it.ids("bob").await.len(), 1);
    let told = audit.take();
    let evicted = format!("{two} logout of Some(\"alice\"): Evicted {{ by: {three:?} }}");
    assert_eq!(told[0], evicted);
    assert_eq!(told[1], format!("{three} login of alice over None"));
}

#[actix_web::test]
async fn a_login_beyond_the_limit_is_refused_where_the_settings_say_so() {
    let it = limited(refusing(2)).await;
    let (first, one) = it.login("alice").await;
    let (_, two) = it.login("alice").await;
    let refused = async || {
        let session = load(&it.sessions, "").session;
        session.authenticate("alice").await
    };
    assert_eq!(refused().await, Err(LoginError::TooManySessions));
    assert_eq!(it.ids("alice").await, [two, one]);
    assert_eq!(it.rows("alice").await.len(), 2, "nothing is left of it");
    // In the browser of one of them it takes that one's place, as often as one likes.
    let mut cookie = first;
    for _ in 0..5 {
        it.clock.advance(SECOND);
        cookie = login(&it.sessions, &cookie, "alice").await;
        assert_eq!(it.ids("alice").await.len(), 2);
    }
    let loaded = load(&it.sessions, &cookie);
    loaded.session.reauthenticate().await.unwrap();
    cookie = sent(&it.sessions, loaded).await;
    // Another's sessions are not counted, nor is one's own that has ended.
    it.login("bob").await;
    load(&it.sessions, &cookie).session.logout().await.unwrap();
    it.sessions.end_session(two).await.unwrap();
    refused().await.unwrap();
}

#[actix_web::test]
async fn what_has_ended_is_not_counted_whatever_ended_it() {
    for devices in [at_most(2), refusing(2)] {
        let it = limited(devices).await;
        let (living, id) = it.login("alice").await;
        // It lives longest ago, so that it would be the one that is ended.
        let dead = async |group: &str| {
            it.clock.advance(SECOND);
            let loaded = load(&it.sessions, "");
            let login = loaded.session.authenticate("alice").group("org", group);
            login.await.unwrap();
            let id = loaded.session.id().unwrap();
            sent(&it.sessions, loaded).await;
            id
        };
        let by_id = dead("a").await;
        it.sessions.end_session(by_id).await.unwrap();
        dead("b").await;
        assert!(user(&it.sessions, &living).is_some());
        it.clock.advance(SECOND);
        it.sessions.end_group("org", "b").await.unwrap();
        dead("c").await;
        assert!(user(&it.sessions, &living).is_some());
        assert!(it.ids("alice").await.contains(&id));
        // All of them are idle, one longer than the others; then everything of the user's is ended.
        it.clock.advance(2 * HOUR);
        dead("d").await;
        dead("d").await;
        it.clock.advance(SECOND);
        it.sessions.end_subject("alice").await.unwrap();
        dead("e").await;
        dead("e").await;
        assert_eq!(it.ids("alice").await.len(), 2);
    }
}

/// A row may lag behind the last use by `refresh_after`.
#[actix_web::test]
async fn a_session_that_may_have_been_used_since_is_not_shown_and_not_forgotten() {
    let it = limited(refusing(1)).await;
    // At the beginning of five minutes, so that a use within them is not written.
    let started = it.clock.now().as_millis() % 300_000;
    it.clock
        .advance(Duration::from_millis(300_000 - started) - SECOND);
    let (cookie, id) = it.login("alice").await;
    it.clock.advance(4 * MINUTE);
    let loaded = load(&it.sessions, &cookie);
    loaded.session.insert("a", 1).unwrap();
    let cookie = sent(&it.sessions, loaded).await;
    it.clock.advance(56 * MINUTE - SECOND);
    assert_eq!(it.ids("alice").await, [id]);
    it.clock.advance(SECOND);
    assert_eq!(it.ids("alice").await, []);
    assert!(user(&it.sessions, &cookie).is_some());
    let again = async || load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(again().await, Err(LoginError::TooManySessions));
    it.clock.advance(5 * MINUTE - SECOND);
    assert_eq!(again().await, Err(LoginError::TooManySessions));
    it.clock.advance(SECOND);
    again().await.unwrap();
}

/// A list that begins anew refuses all sessions from before: they lock nobody out.
#[actix_web::test]
async fn sessions_that_are_older_than_the_list_take_no_place() {
    let it = limited(refusing(1)).await;
    let (_, id) = it.login("alice").await;
    let rows = it.rows("alice").await;
    let store = support::memory(&it.clock);
    let index = store.session_index().unwrap();
    it.clock.advance(SECOND);
    let sessions = builder(&it.clock, store).devices(refusing(1));
    let sessions = sessions.start().await.unwrap();
    let mut row = IndexUpdate::new(it.clock.now());
    row.row = rows.into_iter().find(|row| row.session == id);
    index.update(key("alice"), &row).await.unwrap();
    assert_eq!(sessions.list_sessions("alice").await, Ok(vec![]));
    it.clock.advance(SECOND);
    let cookie = login(&sessions, "", "alice").await;
    assert!(user(&sessions, &cookie).is_some());
}

#[actix_web::test]
async fn a_limit_that_was_lowered_holds_from_the_next_login() {
    let it = limited(at_most(5)).await;
    let mut cookies = Vec::new();
    for _ in 0..5 {
        cookies.push(it.login("alice").await);
    }
    let lower = builder(&it.clock, it.store.clone()).devices(at_most(2));
    let lower = lower.start().await.unwrap();
    assert_eq!(lower.list_sessions("alice").await.unwrap().len(), 5);
    it.clock.advance(SECOND);
    let last = login(&lower, "", "alice").await;
    let alive = cookies
        .iter()
        .filter(|(cookie, _)| user(&lower, cookie).is_some());
    assert_eq!(alive.count(), 1);
    assert!(user(&lower, &last).is_some() && user(&lower, &cookies[4].0).is_some());
}

#[actix_web::test]
async fn a_limit_needs_an_index_and_sense() {
    let clock = ManualClock::default();
    let start = async |devices| {
        let builder = builder(&clock, support::memory(&clock)).devices(devices);
        builder.start().await.map(drop).unwrap_err().to_string()
    };
    let off = with(DeviceSettings::default(), |it| it.max_sessions = Some(3));
    assert!(start(off).await.contains("devices.max_sessions"));
    for odd in [0, 101, usize::MAX] {
        assert!(start(at_most(odd)).await.contains("must be 1 to 100"));
    }
    // A store of somebody else's that keeps none works without one.
    let store = || Store::journal(RamDisk::default().open().unwrap());
    builder(&clock, store()).start().await.unwrap();
    for (devices, setting) in [
        (listing(), "devices.index"),
        (at_most(3), "devices.max_sessions"),
    ] {
        let refused = builder(&clock, store()).devices(devices).start().await;
        let Err(ConfigError::Setting { setting: named, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(named, setting);
    }
}

/// Nothing is lost for a login that comes to nothing, be it over one's own session or at the limit.
#[actix_web::test]
async fn a_login_that_comes_to_nothing_hides_and_ends_no_session() {
    let it = limited(at_most(2)).await;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    let long = "x".repeat(100_000);
    for over in ["", &first, &second] {
        let session = load(&it.sessions, over).session;
        let failed = session
            .authenticate("alice")
            .entry("long", long.as_str())
            .await;
        assert!(matches!(failed, Err(LoginError::Insert(_))), "{failed:?}");
        assert_eq!(it.ids("alice").await, [two, one]);
        assert!(user(&it.sessions, &first).is_some() && user(&it.sessions, &second).is_some());
    }
    load(&it.sessions, &first)
        .session
        .revoke(two)
        .await
        .unwrap();
    assert_eq!(it.ids("alice").await, [one]);
    // The next login that stands leaves no more than there may be.
    let (third, three) = it.login("alice").await;
    assert_eq!(it.ids("alice").await[0], three);
    let alive = [&first, &second, &third].map(|it_is| user(&it.sessions, it_is).is_some());
    assert!(alive.iter().filter(|it| **it).count() <= 2);
    let it = limited(refusing(1)).await;
    let (first, one) = it.login("alice").await;
    let session = load(&it.sessions, &first).session;
    let failed = session
        .authenticate("alice")
        .entry("long", long.as_str())
        .await;
    assert!(failed.is_err());
    assert_eq!(it.ids("alice").await, [one]);
    let second = load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(second, Err(LoginError::TooManySessions));
}

#[actix_web::test]
async fn rows_that_nobody_can_tell_to_be_the_users_take_no_place_and_are_not_ended() {
    for devices in [at_most(1), refusing(1)] {
        let it = limited(devices).await;
        let (bobs, _) = it.login("bob").await;
        let bob = it.rows("bob").await.remove(0);
        let mut stripped = bob.clone();
        stripped.label.clear();
        let mut flipped = bob.clone();
        flipped.label[0] ^= 1;
        let mut odd = bob.clone();
        odd.facts = vec![255; 20];
        for row in [bob, stripped, flipped, odd] {
            let session = row.session;
            let mut moved = IndexUpdate::new(it.clock.now());
            moved.row = Some(row);
            it.index.update(key("alice"), &moved).await.unwrap();
            assert_eq!(it.ids("alice").await, []);
            let (cookie, id) = match it.try_login("alice").await {
                Some(login) => login,
                // What may be a row that is being put is waited for.
                None => {
                    let mut gone = IndexUpdate::new(it.clock.now());
                    gone.removed = vec![session];
                    it.index.update(key("alice"), &gone).await.unwrap();
                    it.login("alice").await
                }
            };
            assert!(user(&it.sessions, &bobs).is_some());
            assert_eq!(it.ids("alice").await, [id]);
            load(&it.sessions, &cookie).session.logout().await.unwrap();
            it.keeps_rows("alice", 0).await;
        }
    }
}

#[actix_web::test]
async fn a_login_that_comes_to_nothing_leaves_no_place_taken() {
    let it = limited(refusing(1)).await;
    let session = load(&it.sessions, "").session;
    let long = "x".repeat(100_000);
    let failed = session.authenticate("alice").entry("long", long).await;
    assert!(matches!(failed, Err(LoginError::Insert(_))), "{failed:?}");
    eventually(|| async { it.rows("alice").await.is_empty() }).await;
    // And one whose node died holds it for a minute.
    let mut dead = IndexUpdate::new(it.clock.now());
    let until = it.clock.now() + MINUTE;
    let id = SessionId::from_bytes([9; 16]);
    dead.row = Some(sealed_session::index::IndexRow::new(
        id,
        RowState::Reserved,
        it.clock.now(),
        until,
    ));
    it.index.update(key("alice"), &dead).await.unwrap();
    let refused = load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(refused, Err(LoginError::TooManySessions));
    assert_eq!(it.ids("alice").await, []);
    it.clock.advance(MINUTE);
    it.login("alice").await;
}

#[actix_web::test]
async fn a_limit_counts_a_user_under_their_name_in_each_application() {
    let it = limited(at_most(1)).await;
    let (cookie, _) = it.login("alice").await;
    let other = sealed_session::Sessions::builder("other")
        .keys(support::ring())
        .store(it.store.clone())
        .cookie(support::cookie("other", "/"))
        .clock(std::sync::Arc::new(it.clock.clone()))
        .devices(at_most(1));
    let other = other.start().await.unwrap();
    let over = login(&other, "", "alice").await;
    it.login("Alice").await;
    assert!(user(&it.sessions, &cookie).is_some() && user(&other, &over).is_some());
}
