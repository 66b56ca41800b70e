//! What a visitor had stored before the login: it is marked, or dropped by a setting.

use sealed_session::session::{
    AnonymousEntries, LoginSettings, SessionData, SessionInsertError, TypedSession,
};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use sealed_session::{Session, Sessions, inspect, settings::CookieSettings};
use serde::{Deserialize, Serialize};
use support::{builder, cookie, memory, ring, with};

use super::direct::{load, login, sent, sessions};

const MARKS: &str = "\0before-login";

/// The cookie of a visitor who stored these.
async fn visitor(sessions: &Sessions, entries: &[(&str, &str)]) -> String {
    let loaded = load(sessions, "");
    for (key, value) in entries {
        loaded.session.insert(*key, value).unwrap();
    }
    sent(sessions, loaded).await
}

/// The names of what is from before the login, in two ways that have to agree.
fn marked(session: &Session) -> Vec<String> {
    let listed = session.current().unwrap().from_before_login;
    let all = session.entries();
    let asked = all.keys().filter(|key| session.is_from_before_login(key));
    assert_eq!(asked.cloned().collect::<Vec<_>>(), listed);
    listed
}

fn is_in_cookie(sessions: &Sessions, cookie: &str) -> bool {
    let now = ManualClock::default().now();
    let later = now + 60 * support::SECOND;
    let inspected = inspect::token(cookie, sessions.cookie_name(), "test", &ring(), later);
    inspected
        .unwrap()
        .entries
        .iter()
        .any(|(name, _)| name == MARKS)
}

#[actix_web::test]
async fn what_a_visitor_stored_is_told_from_what_the_user_stores() {
    let (sessions, _) = sessions().await;
    let cookie = visitor(
        &sessions,
        &[("cart", "tea"), ("next", "/pay"), ("theme", "dark")],
    )
    .await;
    assert!(
        marked(&load(&sessions, &cookie).session).is_empty(),
        "nobody is logged in"
    );

    let loaded = load(&sessions, &cookie);
    let session = &loaded.session;
    session
        .insert("hint", "written in the request that logs in")
        .unwrap();
    session
        .authenticate("alice")
        .entry("theme", "light")
        .await
        .unwrap();
    assert_eq!(
        marked(session),
        ["cart", "hint", "next"],
        "what the login sets is the user's"
    );
    session.insert("colour", "red").unwrap();
    assert_eq!(marked(session), ["cart", "hint", "next"]);
    let cookie = sent(&sessions, loaded).await;

    let loaded = load(&sessions, &cookie);
    let session = &loaded.session;
    assert_eq!(marked(session), ["cart", "hint", "next"]);
    assert!(!session.is_from_before_login("no such entry") && !session.is_from_before_login(MARKS));
    // Reading changes nothing, also of another type.
    assert!(session.get::<u32>("cart").is_err());
    assert_eq!(marked(session), ["cart", "hint", "next"]);
    // The same value again is written by the user.
    session.insert("cart", "tea").unwrap();
    assert_eq!(marked(session), ["hint", "next"]);
    session.remove("next");
    session.insert("next", "/home").unwrap();
    assert_eq!(marked(session), ["hint"]);
    let cookie = sent(&sessions, loaded).await;
    assert!(is_in_cookie(&sessions, &cookie));

    let loaded = load(&sessions, &cookie);
    assert_eq!(loaded.session.get_or_discard::<u32>("hint"), None);
    assert!(marked(&loaded.session).is_empty());
    loaded.session.insert("hint", 1).unwrap();
    assert!(
        marked(&loaded.session).is_empty(),
        "also what is written there later"
    );
    let cookie = sent(&sessions, loaded).await;
    assert!(!is_in_cookie(&sessions, &cookie));
}

#[actix_web::test]
async fn an_update_is_a_write_and_clearing_removes_all_marks() {
    let (sessions, _) = sessions().await;
    let cookie = visitor(&sessions, &[("a", "1"), ("b", "2"), ("c", "3")]).await;
    let cookie = login(&sessions, &cookie, "alice").await;
    let loaded = load(&sessions, &cookie);
    let session = &loaded.session;
    session.update("a", |text: String| text).unwrap();
    session.update_or("b", String::new(), |text| text).unwrap();
    assert_eq!(marked(session), ["c"]);
    session.flash().info("stays").unwrap();
    session.clear();
    assert!(marked(session).is_empty());
    session.insert("c", "4").unwrap();
    assert!(marked(session).is_empty());
    assert_eq!(session.flash().messages().len(), 1);
    let cookie = sent(&sessions, loaded).await;
    assert!(!is_in_cookie(&sessions, &cookie));
}

#[actix_web::test]
async fn nothing_is_written_where_nothing_was_carried_over() {
    let (sessions, _) = sessions().await;
    let fresh = login(&sessions, "", "alice").await;
    assert!(!is_in_cookie(&sessions, &fresh));
    // A user's own entries are no visitor's.
    let loaded = load(&sessions, &fresh);
    loaded.session.insert("theme", "dark").unwrap();
    let cookie = sent(&sessions, loaded).await;
    let again = login(&sessions, &cookie, "alice").await;
    assert!(!is_in_cookie(&sessions, &again));
    assert!(marked(&load(&sessions, &again).session).is_empty());
    // Messages are not marked.
    let loaded = load(&sessions, "");
    loaded.session.flash().info("log in first").unwrap();
    let cookie = sent(&sessions, loaded).await;
    let cookie = login(&sessions, &cookie, "alice").await;
    assert!(!is_in_cookie(&sessions, &cookie));
    assert_eq!(load(&sessions, &cookie).session.flash().messages().len(), 1);
    // What the login sets over all that was there leaves nothing.
    let loaded = load(&sessions, &visitor(&sessions, &[("a", "1")]).await);
    loaded
        .session
        .authenticate("alice")
        .entry("a", "2")
        .await
        .unwrap();
    assert!(!is_in_cookie(&sessions, &sent(&sessions, loaded).await));
}

#[actix_web::test]
async fn marks_stay_over_further_logins_of_the_user_and_end_with_the_session() {
    let (sessions, clock) = sessions().await;
    let cookie = visitor(&sessions, &[("cart", "tea"), ("next", "/pay")]).await;
    let first = login(&sessions, &cookie, "alice").await;
    // Two clicks are one login.
    let second = login(&sessions, &cookie, "alice").await;
    assert_eq!(marked(&load(&sessions, &second).session), ["cart", "next"]);
    let loaded = load(&sessions, &first);
    loaded.session.insert("colour", "red").unwrap();
    loaded.session.renew();
    let cookie = sent(&sessions, loaded).await;
    let loaded = load(&sessions, &cookie);
    loaded
        .session
        .reauthenticate()
        .entry("next", "/")
        .await
        .unwrap();
    let cookie = sent(&sessions, loaded).await;
    assert_eq!(marked(&load(&sessions, &cookie).session), ["cart"]);
    // Another user's session begins empty, and what is stored after a logout is another visitor's.
    let other = login(&sessions, &cookie, "bob").await;
    assert!(load(&sessions, &other).session.entries().is_empty());
    assert!(!is_in_cookie(&sessions, &other));
    clock.advance(support::MINUTE);
    let loaded = load(&sessions, &other);
    loaded.session.logout().await.unwrap();
    loaded.session.insert("cart", "coffee").unwrap();
    let cookie = sent(&sessions, loaded).await;
    assert!(marked(&load(&sessions, &cookie).session).is_empty());
    let cookie = login(&sessions, &cookie, "bob").await;
    assert_eq!(marked(&load(&sessions, &cookie).session), ["cart"]);
}

/// However the last of them goes.
#[actix_web::test]
async fn a_removal_leaves_no_mark_in_the_cookie() {
    let (sessions, _) = sessions().await;
    let removals: [fn(&Session); 4] = [
        |session| drop(session.remove("a")),
        |session| drop(session.remove_as::<u8>("a")),
        |session| assert_eq!(session.get_or_discard::<u8>("a"), None),
        |session| session.clear(),
    ];
    for remove in removals {
        let cookie = visitor(&sessions, &[("a", "1")]).await;
        let cookie = login(&sessions, &cookie, "alice").await;
        assert!(is_in_cookie(&sessions, &cookie));
        let loaded = load(&sessions, &cookie);
        remove(&loaded.session);
        let cookie = sent(&sessions, loaded).await;
        assert!(!is_in_cookie(&sessions, &cookie));
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Cart(Vec<String>);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[actix_web::test]
async fn saving_a_typed_session_takes_its_mark() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    let mut cart = TypedSession::<Cart>::of(&loaded.session);
    cart.update(|cart| cart.0.push("tea".into())).unwrap();
    loaded.session.authenticate("alice").await.unwrap();
    assert_eq!(marked(&loaded.session), ["cart"]);
    let mut cart = TypedSession::<Cart>::of(&loaded.session);
    assert_eq!(cart.data().0, ["tea"]);
    assert_eq!(marked(&loaded.session), ["cart"], "reading is no write");
    cart.save().unwrap();
    assert!(marked(&loaded.session).is_empty());
    drop(cart);
    let _ = sent(&sessions, loaded).await;
}

async fn dropping() -> Sessions {
    let mut settings = LoginSettings::default();
    settings.anonymous_entries = AnonymousEntries::Drop;
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).login(settings);
    builder.start().await.unwrap()
}

#[actix_web::test]
async fn a_setting_drops_what_a_visitor_stored_and_keeps_what_the_user_did() {
    let sessions = dropping().await;
    let planted = visitor(&sessions, &[("next", "/attack"), ("cart", "tea")]).await;
    let loaded = load(&sessions, &planted);
    loaded.session.flash().info("a stranger's").unwrap();
    let login = loaded
        .session
        .authenticate("alice")
        .entry("theme", "dark")
        .await;
    assert!(!login.unwrap().entries_dropped, "as it was asked for");
    let session = &loaded.session;
    assert_eq!(session.entries().keys().collect::<Vec<_>>(), ["theme"]);
    assert!(session.flash().messages().is_empty());
    session.insert("cart", "cups").unwrap();
    let cookie = sent(&sessions, loaded).await;
    // The second click neither.
    let second = super::direct::login(&sessions, &planted, "alice").await;
    assert!(load(&sessions, &second).session.entries().is_empty());
    // The user's own stay over further logins.
    let cookie = super::direct::login(&sessions, &cookie, "alice").await;
    let session = load(&sessions, &cookie).session;
    assert_eq!(
        session.entries().keys().collect::<Vec<_>>(),
        ["cart", "theme"]
    );
    assert!(marked(&session).is_empty());
}

async fn small(max_bytes: usize) -> Sessions {
    let clock = ManualClock::default();
    let settings = with(cookie("session", "/"), |cookie: &mut CookieSettings| {
        cookie.max_bytes = max_bytes;
    });
    let builder = builder(&clock, memory(&clock)).cookie(settings);
    builder.start().await.unwrap()
}

/// At each size that an anonymous session can have.
#[actix_web::test]
async fn a_full_anonymous_session_has_room_for_its_marks() {
    let sessions = small(1000).await;
    let name = "n".repeat(40);
    let subject = "s".repeat(255);
    for length in 0.. {
        let loaded = load(&sessions, "");
        match loaded.session.insert(name.as_str(), "x".repeat(length)) {
            Ok(()) => (),
            Err(SessionInsertError::TooLarge(_)) => {
                assert!(length > 8, "{length}");
                return;
            }
            Err(error) => panic!("{error}"),
        }
        let login = loaded.session.authenticate(&subject).await.unwrap();
        let session = &loaded.session;
        assert!(!login.entries_dropped, "{length}");
        assert_eq!(marked(session), [name.as_str()]);
        // Writing needs no more room than that.
        session.insert(name.as_str(), "y".repeat(length)).unwrap();
        assert!(marked(session).is_empty());
        sent(&sessions, loaded).await;
    }
}

#[actix_web::test]
async fn a_write_that_does_not_fit_leaves_the_mark() {
    let sessions = small(800).await;
    let cookie = visitor(&sessions, &[("a", "1")]).await;
    let cookie = login(&sessions, &cookie, "alice").await;
    let loaded = load(&sessions, &cookie);
    let error = loaded.session.insert("a", "x".repeat(600)).unwrap_err();
    assert!(matches!(error, SessionInsertError::TooLarge(_)), "{error}");
    assert_eq!(marked(&loaded.session), ["a"]);
    assert_eq!(loaded.session.get("a").unwrap(), Some("1".to_owned()));
}

#[actix_web::test]
async fn the_marks_are_no_entry_of_the_applications() {
    let (sessions, _) = sessions().await;
    let cookie = visitor(&sessions, &[("a", "1")]).await;
    let cookie = login(&sessions, &cookie, "alice").await;
    let loaded = load(&sessions, &cookie);
    let session = &loaded.session;
    assert_eq!(session.entries().keys().collect::<Vec<_>>(), ["a"]);
    let error = session.insert(MARKS, ["b"]).unwrap_err();
    assert!(matches!(error, SessionInsertError::ReservedName { .. }));
    assert!(session.remove(MARKS).is_none());
    assert_eq!(marked(session), ["a"]);
    let json = serde_json::to_value(session.current()).unwrap();
    assert_eq!(json["from_before_login"], serde_json::json!(["a"]));
}
