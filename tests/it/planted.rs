//! Several cookies of ours in one request, and sessions that ended while one of theirs was still at hand: whoever
//! can set cookies in somebody's browser, or has copied some, gains nothing by it.
#![allow(clippy::unwrap_used)]

use common::{HOUR, MINUTE, SECOND, builder, memory, with};
use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::keys::{KeySource, KeyTables, SystemRandom};
use sealed_session::session::{ConfirmError, LogoutError, NotWritable, Rejected};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use sealed_session::{CookieSettings, PreviousCookie, SessionInsertError, Sessions};

async fn sessions() -> (Sessions, ManualClock) {
    let clock = ManualClock::default();
    let store = memory(&clock);
    (builder(&clock, store).start().await.unwrap(), clock)
}

fn load(sessions: &Sessions, cookie: &str) -> Loaded {
    let line = cookie.as_bytes();
    sessions.load(Incoming::new([line].into_iter())).unwrap()
}

/// The Cookie header of a browser that was sent the response.
async fn sent(sessions: &Sessions, loaded: Loaded) -> String {
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let all = outcome.cookies.iter();
    let all = all.filter(|it| !it.contains("Max-Age=0"));
    let all: Vec<_> = all.map(|it| it.split(';').next().unwrap()).collect();
    all.join("; ")
}

async fn visitor(sessions: &Sessions, value: &str) -> String {
    let loaded = load(sessions, "");
    loaded.session.insert("cart", value).unwrap();
    sent(sessions, loaded).await
}

async fn login(sessions: &Sessions, over: &str, user: &str) -> String {
    let loaded = load(sessions, over);
    loaded.session.authenticate(user).await.unwrap();
    sent(sessions, loaded).await
}

fn cart(sessions: &Sessions, cookie: &str) -> Option<String> {
    load(sessions, cookie).session.get("cart").unwrap()
}

fn user(sessions: &Sessions, cookie: &str) -> Option<String> {
    load(sessions, cookie).session.subject()
}

/// However often somebody logs in over it.
async fn nobody_inherits(sessions: &Sessions, copied: &str) {
    for _ in 0..3 {
        let cookie = login(sessions, copied, "mallory").await;
        assert_eq!(cart(sessions, &cookie), None);
    }
}

/// Two logins over a copied cookie look like a double click.
#[actix_web::test]
async fn entries_of_a_session_that_was_logged_out_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let copied = visitor(&sessions, "the owner's").await;
    let loaded = load(&sessions, &copied);
    loaded.session.logout().await.unwrap();
    sent(&sessions, loaded).await;
    clock.advance(HOUR / 2);
    nobody_inherits(&sessions, &copied).await;
}

#[actix_web::test]
async fn entries_of_a_session_that_an_administrator_ended_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let copied = visitor(&sessions, "the owner's").await;
    clock.advance(MINUTE);
    let id = load(&sessions, &copied).session.id().unwrap();
    sessions.end_session(id).await.unwrap();
    nobody_inherits(&sessions, &copied).await;
}

#[actix_web::test]
async fn entries_of_a_cookie_that_was_renewed_follow_no_login() {
    let (sessions, clock) = sessions().await;
    let old = visitor(&sessions, "old").await;
    let loaded = load(&sessions, &old);
    loaded.session.insert("cart", "new").unwrap();
    loaded.session.renew();
    let new = sent(&sessions, loaded).await;
    clock.advance(MINUTE);
    assert_eq!(cart(&sessions, &new).as_deref(), Some("new"));
    // Also right after the owner's login.
    let owner = login(&sessions, &new, "alice").await;
    assert_eq!(cart(&sessions, &owner).as_deref(), Some("new"));
    nobody_inherits(&sessions, &old).await;
}

#[actix_web::test]
async fn a_login_ends_every_session_that_the_request_carried() {
    let (sessions, _) = sessions().await;
    let mallory = [
        login(&sessions, "", "mallory").await,
        login(&sessions, "", "mallory").await,
        visitor(&sessions, "mallory's").await,
    ];
    let planted = mallory.join("; ");
    let alice = login(&sessions, &planted, "alice").await;
    for cookie in mallory {
        assert!(load(&sessions, &cookie).session.id().is_none());
        let both = format!("{cookie}; {alice}");
        assert_eq!(user(&sessions, &both).as_deref(), Some("alice"));
    }
}

#[actix_web::test]
async fn a_logout_ends_every_session_that_the_request_carried() {
    let (sessions, _) = sessions().await;
    let planted = visitor(&sessions, "planted").await;
    let alice = login(&sessions, "", "alice").await;
    for header in [format!("{planted}; {alice}"), format!("{alice}; {planted}")] {
        let loaded = load(&sessions, &header);
        loaded.session.logout().await.unwrap();
        for cookie in [&planted, &alice] {
            assert!(load(&sessions, cookie).session.id().is_none());
        }
    }
}

/// Nodes of old and new settings side by side.
#[actix_web::test]
async fn a_logout_ends_what_the_cookie_of_earlier_settings_holds() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let old = builder(&clock, store.clone()).start().await.unwrap();
    let settings = with(CookieSettings::plain_http(), |cookie| {
        cookie.name = "sid".into();
        cookie.previous = vec![PreviousCookie::new("session")];
    });
    let new = builder(&clock, store).cookie(settings);
    let new = new.start().await.unwrap();
    let at_new = login(&new, "", "alice").await;
    let at_old = login(&old, &at_new, "alice").await;
    let loaded = load(&new, &format!("{at_new}; {at_old}"));
    loaded.session.logout().await.unwrap();
    assert_eq!(user(&new, &at_old), None);
}

#[actix_web::test]
async fn a_dead_cookie_hides_none_that_is_ahead_of_the_clock_from_a_logout() {
    let (sessions, clock) = sessions().await;
    let dead = visitor(&sessions, "planted").await;
    load(&sessions, &dead).session.logout().await.unwrap();
    clock.advance(3 * MINUTE);
    let alice = login(&sessions, "", "alice").await;
    let right = clock.now();
    clock.set(right.minus(2 * MINUTE));
    let loaded = load(&sessions, &format!("{dead}; {alice}"));
    loaded.session.logout().await.unwrap();
    clock.set(right);
    assert_eq!(user(&sessions, &alice), None);
}

/// Whatever the cookie was refused for: its browser has a successor.
#[actix_web::test]
async fn a_login_over_an_idle_cookie_is_replaced_by_no_late_write() {
    for writes_first in [false, true] {
        let (sessions, clock) = sessions().await;
        let idle = login(&sessions, "", "alice").await;
        clock.advance(2 * HOUR);
        let loaded = load(&sessions, &idle);
        assert_eq!(loaded.session.rejected(), Some(Rejected::Idle));
        if writes_first {
            loaded
                .session
                .insert("state", "of a single sign-on")
                .unwrap();
        }
        loaded.session.authenticate("alice").await.unwrap();
        let late = load(&sessions, &idle).session;
        let refused = late.insert("a", 1).unwrap_err();
        let replaced = SessionInsertError::NotWritable(NotWritable::Replaced);
        assert_eq!(refused.to_string(), replaced.to_string());
        assert_eq!(late.rejected(), Some(Rejected::Succeeded));
    }
}

/// A sibling domain may set one of the cookies over which a session is spread.
#[actix_web::test]
async fn a_part_of_somebody_elses_hides_no_session() {
    let clock = ManualClock::default();
    let settings = with(CookieSettings::plain_http(), |cookie| cookie.max_chunks = 3);
    let sessions = builder(&clock, memory(&clock)).cookie(settings);
    let sessions = sessions.start().await.unwrap();
    let loaded = load(&sessions, "");
    loaded.session.authenticate("alice").await.unwrap();
    loaded.session.insert("big", "x".repeat(4000)).unwrap();
    let alice = sent(&sessions, loaded).await;
    for planted in ["session.1=x", "session.1=x; session.1=y", "session.1="] {
        for header in [format!("{planted}; {alice}"), format!("{alice}; {planted}")] {
            let loaded = load(&sessions, &header);
            assert_eq!(
                loaded.session.subject().as_deref(),
                Some("alice"),
                "{header}"
            );
            let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
            assert!(outcome.cookies.is_empty(), "{:?}", outcome.cookies);
        }
    }
    load(&sessions, &alice).session.logout().await.unwrap();
    assert_eq!(user(&sessions, &alice), None);
}

#[actix_web::test]
async fn starting_over_makes_no_logout_in_vain() {
    let (sessions, _) = sessions().await;
    let alice = login(&sessions, "", "alice").await;
    let crowd = "session=x; ".repeat(16);
    let loaded = load(&sessions, &format!("{crowd}{alice}"));
    let refused = Err(LogoutError::MayLiveElsewhere);
    assert_eq!(loaded.session.logout().await, refused);
    loaded.session.start_over().unwrap();
    assert_eq!(loaded.session.logout().await, refused);
    assert!(user(&sessions, &alice).is_some());
}

/// The key leaked, and a request with its cookie was held open until after the revocation.
#[actix_web::test]
async fn a_key_that_is_revoked_ends_the_say_of_a_request_under_way() {
    let clock = ManualClock::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
    tables.create(&file).unwrap();
    let builder = builder(&clock, memory(&clock)).key_source(KeySource::File(file.clone()));
    let sessions = builder.start().await.unwrap();
    let leaked = sessions.health().sealing.unwrap();
    let forged = login(&sessions, "", "alice").await;
    let [confirms, ends] = [load(&sessions, &forged), load(&sessions, &forged)];
    clock.advance(SECOND);
    let now = clock.now();
    KeyTables::edit_file(&file, |tables| tables.revoke(leaked, now, &SystemRandom)).unwrap();
    sessions.reload_keys().unwrap();
    let later = login(&sessions, "", "alice").await;
    assert_eq!(confirms.session.confirm().await, Err(ConfirmError::Ended));
    let ended = ends.session.logout_all().await;
    assert_eq!(ended, Err(LogoutError::NotAuthenticated));
    assert!(user(&sessions, &later).is_some());
}
