//! What an application with accounts asks of a session: its facts, typed data, and how long ago the login was.

use std::time::Duration;

use sealed_session::SessionInsertError;
use sealed_session::revoke::SubjectKey;
use sealed_session::session::{LoginError, NotWritable, SessionData, TypedSession};
use sealed_session::time::Clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::written::Written;
use support::{MINUTE, SECOND};

use super::direct::{load, sent, sessions};
use super::store_down::Fleet;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Cart {
    items: Vec<u32>,
}

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

/// As a later release has it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct LaterCart {
    voucher: Option<String>,
    items: Vec<u32>,
}

impl SessionData for LaterCart {
    const NAME: &'static str = "cart";
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen(u64);

impl SessionData for Seen {
    const NAME: &'static str = "seen";
}

#[actix_web::test]
async fn typed_data_is_the_default_until_it_is_saved_and_then_comes_back() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    let mut cart = TypedSession::<Cart>::of(&loaded.session);
    assert_eq!(cart.data(), &Cart::default());
    assert_eq!(loaded.session.id(), None, "reading begins no session");
    cart.data_mut().items.push(1);
    assert_eq!(
        TypedSession::<Cart>::of(&loaded.session).data().items,
        [0; 0]
    );
    cart.save().unwrap();
    assert_eq!(cart.update(|cart| cart.items.len()), Ok(1));
    TypedSession::<Seen>::of(&loaded.session)
        .update(|seen| seen.0 += 5)
        .unwrap();
    let cookie = sent(&sessions, loaded).await;

    let loaded = load(&sessions, &cookie);
    let mut later = TypedSession::<LaterCart>::of(&loaded.session);
    assert_eq!(
        (&later.data().voucher, &later.data().items),
        (&None, &vec![1])
    );
    later
        .update(|cart| cart.voucher = Some("ten".into()))
        .unwrap();
    // And back, to a release that does not know the field.
    assert_eq!(TypedSession::<Cart>::of(&loaded.session).data().items, [1]);
    assert_eq!(TypedSession::<Seen>::of(&loaded.session).data(), &Seen(5));
    later.clear();
    assert_eq!(later.data(), &LaterCart::default());
    assert!(!loaded.session.contains_key("cart") && loaded.session.contains_key("seen"));
}

#[actix_web::test]
async fn typed_data_of_another_type_is_discarded_and_what_does_not_fit_is_an_error() {
    let (sessions, _) = sessions().await;
    let session = load(&sessions, "").session;
    session.insert("cart", "not a cart").unwrap();
    let mut cart = TypedSession::<Cart>::of(&session);
    assert_eq!(cart.data(), &Cart::default());
    assert!(!session.contains_key("cart"));
    cart.update(|cart| cart.items = vec![7]).unwrap();
    cart.update(|cart| cart.items = vec![u32::MAX; 10_000])
        .unwrap_err();
    assert_eq!(TypedSession::<Cart>::of(&session).data().items, [7]);
}

#[actix_web::test]
async fn the_facts_of_a_session_come_in_one_piece() {
    let (sessions, clock) = sessions().await;
    let loaded = load(&sessions, "");
    assert_eq!(loaded.session.current(), None);
    let login = loaded.session.authenticate("alice").remember(true);
    login.roles(["admin"]).group("org", "acme").await.unwrap();
    let cookie = sent(&sessions, loaded).await;
    let loaded = load(&sessions, &cookie);
    loaded.session.renew();
    let cookie = sent(&sessions, loaded).await;
    let session = load(&sessions, &cookie).session;
    let current = session.current().unwrap();
    let acme = SubjectKey::group("test", "org", "acme");
    let at = session.authenticated_at().unwrap();
    assert!(at <= clock.now());
    assert_eq!(
        serde_json::to_value(&current).unwrap(),
        json!({
            "id": session.id().unwrap().to_string(),
            "renewals": 1,
            "created_at": session.created_at().unwrap().as_millis(),
            "expires_at": session.expires_at().unwrap().as_millis(),
            "is_remembered": true,
            "from_before_login": [],
            "login": {
                "subject": "alice",
                "authenticated_at": at.as_millis(),
                "roles": ["admin"],
                "groups": [acme.to_string()],
            },
        })
    );
}

#[actix_web::test]
async fn a_login_is_recent_until_its_time_is_over_and_again_once_it_was_repeated() {
    let (sessions, clock) = sessions().await;
    let five = 5 * MINUTE;
    let loaded = load(&sessions, "");
    assert!(!loaded.session.authenticated_within(Duration::MAX));
    let refused = loaded.session.reauthenticate().await.map(drop);
    assert_eq!(refused, Err(LoginError::NotAuthenticated));
    let login = loaded
        .session
        .authenticate("alice")
        .remember(true)
        .entry("theme", "dark");
    login.roles(["admin"]).group("org", "acme").await.unwrap();
    assert!(loaded.session.authenticated_within(Duration::ZERO));
    let before = sent(&sessions, loaded).await;
    clock.advance(five);
    let loaded = load(&sessions, &before);
    assert!(loaded.session.authenticated_within(five));
    assert!(!loaded.session.authenticated_within(five - SECOND));
    let id = loaded.session.id();
    loaded.session.renew();
    assert!(
        !loaded.session.authenticated_within(five - SECOND),
        "a renewal is no login"
    );
    loaded.session.reauthenticate().await.unwrap();
    assert!(loaded.session.authenticated_within(SECOND));
    let cookie = sent(&sessions, loaded).await;
    let session = load(&sessions, &cookie).session;
    assert!(session.authenticated_within(SECOND) && session.id() != id);
    assert!(session.has_role("admin") && session.is_in_group("org", "acme"));
    assert!(session.is_remembered());
    assert_eq!(session.get::<String>("theme"), Ok(Some("dark".into())));
    assert!(!load(&sessions, &before).session.is_authenticated());
    sessions.end_group("org", "acme").await.unwrap();
    assert!(!load(&sessions, &cookie).session.is_authenticated());
}

/// Another node, or another request, has ended the session a moment ago: its roles and groups must not begin anew.
#[actix_web::test]
async fn a_session_that_was_ended_elsewhere_is_no_ground_for_a_new_login() {
    let fleet = Fleet::start().await;
    let here = &fleet.node.sessions;
    let login = async || {
        let loaded = load(here, "");
        let login = loaded.session.authenticate("alice").roles(["admin"]);
        login.group("org", "acme").await.unwrap();
        load(here, &sent(here, loaded).await)
    };
    let [subject, group, own] = [login().await, login().await, login().await];
    fleet.store.deafen().await;
    let other = &fleet.other.sessions;
    other.end_group("org", "acme").await.unwrap();
    let ended = group.session.reauthenticate().await.map(drop);
    assert_eq!(ended, Err(LoginError::NotAuthenticated));
    other.end_subject("alice").await.unwrap();
    let ended = subject.session.reauthenticate().await.map(drop);
    assert_eq!(ended, Err(LoginError::NotAuthenticated));
    // Asked for before it ended.
    let again = own.session.reauthenticate();
    own.session.logout().await.unwrap();
    assert_eq!(again.await.map(drop), Err(LoginError::NotAuthenticated));
    // Asked for before somebody else logged in.
    let loaded = load(here, "");
    loaded.session.authenticate("carol").await.unwrap();
    let again = loaded.session.reauthenticate();
    loaded.session.authenticate("dave").await.unwrap();
    assert_eq!(again.await.map(drop), Err(LoginError::NotAuthenticated));
    assert_eq!(loaded.session.subject().as_deref(), Some("dave"));
}

#[actix_web::test]
async fn typed_data_of_one_user_do_not_go_into_anothers_session() {
    let (sessions, _) = sessions().await;
    let session = load(&sessions, "").session;
    let mut cart = TypedSession::<Cart>::of(&session);
    cart.update(|cart| cart.items.push(1)).unwrap();
    // A login takes over what was stored before it.
    session.authenticate("alice").await.unwrap();
    cart.data_mut().items.push(2);
    cart.save().unwrap();
    let mut alices = TypedSession::<Cart>::of(&session);
    assert_eq!(alices.data().items, [1, 2]);
    alices.data_mut().items.push(3);
    session.authenticate("bob").await.unwrap();
    let refused = SessionInsertError::NotWritable(NotWritable::EndedMeanwhile);
    assert_eq!(alices.save(), Err(refused.clone()));
    assert!(!session.contains_key("cart"));
    let mut bobs = TypedSession::<Cart>::of(&session);
    bobs.update(|cart| cart.items.push(4)).unwrap();
    session.logout().await.unwrap();
    bobs.data_mut().items.push(5);
    assert_eq!(bobs.save(), Err(refused));
    assert_eq!(session.id(), None);
}

#[actix_web::test]
async fn an_update_starts_from_what_is_stored_and_a_change_that_was_not_saved_is_a_warning() {
    let written = Written::default();
    let _listening = written.listen();
    let (sessions, _) = sessions().await;
    let session = load(&sessions, "").session;
    let (mut one, mut two) = (
        TypedSession::<Cart>::of(&session),
        TypedSession::<Cart>::of(&session),
    );
    one.update(|cart| cart.items.push(1)).unwrap();
    two.update(|cart| cart.items.push(2)).unwrap();
    assert_eq!(two.data().items, [1, 2]);
    drop((one, two));
    assert!(!written.text().contains("not saved"));
    let mut cart = TypedSession::<Cart>::of(&session);
    cart.data_mut().items = vec![0; 10_000];
    cart.save().unwrap_err();
    drop(cart);
    assert!(!written.text().contains("not saved"), "the handler knows");
    let mut cart = TypedSession::<Cart>::of(&session);
    cart.data_mut().items.push(3);
    drop(cart);
    let log = written.text();
    let line = log.lines().find(|line| line.contains("not saved")).unwrap();
    assert!(line.contains("WARN") && line.contains("cart"), "{line}");
}
