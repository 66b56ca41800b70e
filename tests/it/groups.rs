//! Roles and groups of a session, as its login gave them.
//!
//! 1. Roles are sealed in the cookie, and stay as they are until the next login.
//! 2. A group is ended as a user is: everywhere, for good, and a login after it holds.
//! 3. What is no role or no group is an error, and nobody is logged in.

use sealed_session::Session;
use sealed_session::session::{ConfirmError, LoginError, Rejected};
use support::faulty::{Call, Mode};
use support::{SECOND, eventually};

use super::direct::{load, sent, sessions, user};
use super::store_down::Fleet;

#[actix_web::test]
async fn a_login_gives_roles_that_last_until_the_next_login() {
    let (sessions, clock) = sessions().await;
    let loaded = load(&sessions, "");
    assert!(!loaded.session.has_role("admin") && !loaded.session.has_all_roles(&[]));
    let login = loaded.session.authenticate("alice");
    login
        .roles(["editor", "admin"])
        .roles(["admin"])
        .await
        .unwrap();
    let cookie = sent(&sessions, loaded).await;
    clock.advance(SECOND);
    let loaded = load(&sessions, &cookie);
    let session = &loaded.session;
    assert_eq!(session.roles(), ["admin", "editor"]);
    assert!(session.has_role("admin") && !session.has_role("Admin") && !session.has_role(""));
    assert!(session.has_any_role(&["owner", "editor"]) && !session.has_any_role(&["owner"]));
    assert!(!session.has_any_role(&[]) && session.has_all_roles(&[]));
    assert!(session.has_all_roles(&["admin", "editor"]));
    assert!(!session.has_all_roles(&["admin", "owner"]));
    session.renew();
    let cookie = sent(&sessions, loaded).await;
    assert!(load(&sessions, &cookie).session.has_role("admin"));
    let loaded = load(&sessions, &cookie);
    loaded.session.authenticate("alice").await.unwrap();
    let cookie = sent(&sessions, loaded).await;
    assert_eq!(load(&sessions, &cookie).session.roles(), [""; 0]);
}

async fn in_groups(session: &Session, groups: &[(&str, &str)]) -> Result<(), LoginError> {
    let login = session.authenticate("alice");
    let login = groups
        .iter()
        .fold(login, |login, (kind, name)| login.group(*kind, *name));
    login.await.map(drop)
}

#[actix_web::test]
async fn the_end_of_a_group_ends_its_sessions_and_no_others() {
    let (sessions, clock) = sessions().await;
    let login = async |groups: &[(&str, &str)]| {
        let loaded = load(&sessions, "");
        in_groups(&loaded.session, groups).await.unwrap();
        sent(&sessions, loaded).await
    };
    let both = login(&[("org", "acme"), ("sid", "1")]).await;
    let acme = login(&[("org", "acme")]).await;
    let others = [
        login(&[("org", "acme2")]).await,
        login(&[("sid", "acme")]).await,
        login(&[]).await,
    ];
    let session = load(&sessions, &both).session;
    assert!(session.is_in_group("org", "acme") && session.is_in_group("sid", "1"));
    assert!(!session.is_in_group("sid", "acme") && !session.is_in_group("org", "1"));
    clock.advance(SECOND);
    sessions.end_group("org", "acme").await.unwrap();
    for ended in [&both, &acme] {
        let session = load(&sessions, ended).session;
        assert_eq!(session.rejected(), Some(Rejected::GroupEnded));
        assert!(!session.is_authenticated() && !session.is_in_group("org", "acme"));
    }
    for other in &others {
        assert_eq!(user(&sessions, other).as_deref(), Some("alice"));
    }
    let again = login(&[("org", "acme")]).await;
    assert!(user(&sessions, &again).is_some());
    // A group that is called as a user is, or a user as a group's kind, is another.
    sessions.end_group("alice", "alice").await.unwrap();
    sessions.end_subject("org").await.unwrap();
    assert!(user(&sessions, &again).is_some());
    sessions.end_subject("alice").await.unwrap();
    assert!(user(&sessions, &again).is_none());
}

#[actix_web::test]
async fn what_is_no_role_or_no_group_is_an_error_and_nobody_is_logged_in() {
    let (sessions, _) = sessions().await;
    let session = load(&sessions, "").session;
    let long = "x".repeat(65);
    let many: Vec<_> = (0..33).map(|n| n.to_string()).collect();
    for roles in [vec![String::new()], vec!["ok".into(), long], many.clone()] {
        let login = session.authenticate("alice").roles(roles);
        assert_eq!(login.await.map(drop), Err(LoginError::InvalidRoles));
    }
    let long = "x".repeat(256);
    for groups in [
        &[("", "acme")][..],
        &[("org", "")],
        &[("org", long.as_str())],
        &[(long.as_str(), "acme")],
        &many
            .iter()
            .take(9)
            .map(|name| ("org", name.as_str()))
            .collect::<Vec<_>>(),
    ] {
        let outcome = in_groups(&session, groups).await;
        assert_eq!(outcome, Err(LoginError::InvalidGroups), "{groups:?}");
    }
    assert!(!session.is_authenticated());
    // One that is named twice is one, and the most that there can be fit.
    let longest = "x".repeat(255);
    let most: Vec<_> = many
        .iter()
        .take(7)
        .map(|name| ("org", name.as_str()))
        .collect();
    let most = [
        &most[..],
        &[("org", longest.as_str()), ("org", longest.as_str())],
    ]
    .concat();
    in_groups(&session, &most).await.unwrap();
    let longest = many.iter().take(32).map(|name| format!("{name:x>64}"));
    session.authenticate("alice").roles(longest).await.unwrap();
    session
        .authenticate("alice")
        .roles(many.into_iter().take(32))
        .await
        .unwrap();
}

#[actix_web::test]
async fn a_group_that_was_ended_without_a_store_is_ended_before_the_next_login_of_it() {
    let fleet = Fleet::start().await;
    let (here, other) = (&fleet.node.sessions, &fleet.other.sessions);
    let login = async |name| {
        let loaded = load(here, "");
        in_groups(&loaded.session, &[("sid", name), ("org", "acme")]).await?;
        Ok::<_, LoginError>(sent(here, loaded).await)
    };
    let cookie = login("1").await.unwrap();
    assert!(user(other, &cookie).is_some());
    fleet.store.set_call(Call::Raise, Mode::Down);
    here.end_group("sid", "1").await.unwrap_err();
    assert!(user(here, &cookie).is_none(), "at once on this node");
    login("1").await.unwrap_err();
    login("2").await.unwrap();
    fleet.store.set(Mode::Up);
    fleet.clock.advance(SECOND);
    let later = login("1").await.unwrap();
    eventually(|| async { user(other, &cookie).is_none() }).await;
    eventually(|| async { here.health().outstanding == 0 }).await;
    assert!(user(here, &later).is_some() && user(other, &later).is_some());
}

/// Another node has ended the group, and this one has not heard of it.
#[actix_web::test]
async fn a_session_is_not_confirmed_whose_group_was_ended_a_moment_ago() {
    let fleet = Fleet::start().await;
    let here = &fleet.node.sessions;
    let loaded = load(here, "");
    let groups = [("org", "acme"), ("sid", "1"), ("org", "b")];
    in_groups(&loaded.session, &groups).await.unwrap();
    let cookie = sent(here, loaded).await;
    fleet.store.deafen().await;
    let session = load(here, &cookie).session;
    session.confirm().await.unwrap();
    fleet.other.sessions.end_group("sid", "1").await.unwrap();
    assert!(user(here, &cookie).is_some(), "it has not heard of it");
    assert_eq!(session.confirm().await, Err(ConfirmError::Ended));
    assert_eq!(
        load(here, &cookie).session.rejected(),
        Some(Rejected::GroupEnded)
    );
}
