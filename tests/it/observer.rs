//! An application is told what happens to its sessions (`SessionsBuilder::observer`), for an audit log.
//!
//! 1. It is told when something stands, by whoever carried it out, once.
//! 2. It may use sessions itself, and cannot fail a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use futures_util::FutureExt;
use sealed_session::session::{LogoutOutcome, LogoutScope, SessionEvent};
use sealed_session::testing::ManualClock;
use sealed_session::{Session, Sessions, SessionsBuilder};
use support::faulty::{Call, Faulty, Mode};
use support::written::Written;
use support::{MINUTE, SECOND, builder, log, memory, unhurried};

use super::direct::{anonymous, load, login, sent, user};

/// What was told, in words. Ids are told by whether they are these.
#[derive(Clone, Default)]
pub struct Audit(Arc<Mutex<Vec<String>>>);

impl Audit {
    pub fn on(&self, builder: SessionsBuilder) -> SessionsBuilder {
        let lines = Arc::clone(&self.0);
        builder.observer(move |event: &SessionEvent<'_>| lines.lock().unwrap().push(line(event)))
    }

    async fn start() -> (Self, Sessions, ManualClock) {
        let (audit, clock) = (Self::default(), ManualClock::default());
        let builder = audit.on(builder(&clock, memory(&clock)));
        (audit, builder.start().await.unwrap(), clock)
    }

    /// What was told since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn line(event: &SessionEvent<'_>) -> String {
    match event {
        SessionEvent::LoggedIn {
            session,
            subject,
            replaced,
            ..
        } => format!("{session} login of {subject} over {replaced:?}"),
        SessionEvent::Replaced {
            session,
            subject,
            by,
            ..
        } => format!("{session} of {subject:?} replaced by {by}"),
        SessionEvent::LoggedOut {
            session,
            subject,
            scope,
            by_application,
            outcome,
            ..
        } => {
            let scope = match scope {
                LogoutScope::Group { kind, name } => format!("{kind} {name}"),
                scope => format!("{scope:?}"),
            };
            let by = if *by_application {
                " by the application"
            } else {
                ""
            };
            let outcome = match outcome {
                LogoutOutcome::Stored => "",
                LogoutOutcome::HereOnly(_) => ", here only",
                _ => ", nobody waited",
            };
            let session = session.map(|id| id.to_string()).unwrap_or_default();
            format!("{session} logout of {subject:?}: {scope}{by}{outcome}")
        }
        SessionEvent::Rejected {
            reason,
            session,
            subject,
            ..
        } => {
            let session = session.map(|id| id.to_string()).unwrap_or_default();
            format!("{session} of {subject:?} refused: {reason:?}")
        }
        SessionEvent::Renewed {
            session, subject, ..
        } => format!("{session} of {subject:?} renewed"),
        event => format!("{event:?}"),
    }
}

fn id_of(sessions: &Sessions, cookie: &str) -> String {
    load(sessions, cookie).session.id().unwrap().to_string()
}

#[actix_web::test]
async fn a_login_is_told_with_the_session_that_it_replaced() {
    let (audit, sessions, _) = Audit::start().await;
    let visitor = anonymous(&sessions, "tea").await;
    user(&sessions, "theme=dark");
    assert!(audit.take().is_empty(), "nobody logged in or out");
    let before = id_of(&sessions, &visitor);
    let cookie = login(&sessions, &visitor, "alice").await;
    let id = id_of(&sessions, &cookie);
    let over = load(&sessions, &cookie).session.id();
    assert_eq!(
        audit.take(),
        [
            format!("{before} of None replaced by {id}"),
            format!(
                "{id} login of alice over {:?}",
                before.parse::<sealed_session::revoke::SessionId>().ok()
            ),
        ]
    );
    let loaded = load(&sessions, &cookie);
    loaded.session.reauthenticate().await.unwrap();
    let cookie = sent(&sessions, loaded).await;
    let again = id_of(&sessions, &cookie);
    assert_eq!(
        audit.take(),
        [
            format!("{id} of Some(\"alice\") replaced by {again}"),
            format!("{again} login of alice over {over:?}"),
        ]
    );
    load(&sessions, "")
        .session
        .authenticate("")
        .await
        .unwrap_err();
    assert!(audit.take().is_empty(), "nobody logged in");
    login(&sessions, "", "bob").await;
    assert!(audit.take()[0].ends_with("login of bob over None"));
}

#[actix_web::test]
async fn each_logout_is_told_once_with_what_it_ended() {
    let (audit, sessions, clock) = Audit::start().await;
    let alice = async || {
        let cookie = login(&sessions, "", "alice").await;
        clock.advance(SECOND);
        audit.take();
        (id_of(&sessions, &cookie), load(&sessions, &cookie), cookie)
    };
    let (id, loaded, cookie) = alice().await;
    let [this, all, others, everyone] = ["This", "All", "Others", "Everyone"]
        .map(|scope| move |id: &str| format!("{id} logout of Some(\"alice\"): {scope}"));
    loaded.session.logout().await.unwrap();
    assert_eq!(audit.take(), [this(&id)]);
    let again = load(&sessions, &cookie);
    again.session.logout().await.unwrap();
    let refused = format!("{id} of Some(\"alice\") refused: Ended");
    assert_eq!(audit.take(), [refused], "it had been ended before");

    let (id, loaded, _) = alice().await;
    loaded.session.purge();
    assert!(
        audit.take().is_empty(),
        "nobody has waited for the store yet"
    );
    sent(&sessions, loaded).await;
    assert_eq!(audit.take(), [this(&id)]);

    let (id, loaded, _) = alice().await;
    loaded.session.logout_others().await.unwrap();
    sent(&sessions, loaded).await;
    assert_eq!(audit.take(), [others(&id)]);

    let (id, loaded, _) = alice().await;
    loaded.session.logout_all().await.unwrap();
    sent(&sessions, loaded).await;
    assert_eq!(audit.take(), [all(&id)]);

    let (id, loaded, _) = alice().await;
    loaded.session.logout_everyone().await.unwrap();
    sent(&sessions, loaded).await;
    assert_eq!(audit.take(), [everyone(&id)]);

    load(&sessions, "").session.logout().await.unwrap();
    load(&sessions, "").session.logout_all().await.unwrap_err();
    assert!(audit.take().is_empty(), "there was no session");
}

#[actix_web::test]
async fn every_session_that_a_request_carried_is_told_at_its_logout() {
    let (audit, sessions, _) = Audit::start().await;
    let [one, two] = [
        login(&sessions, "", "alice").await,
        login(&sessions, "", "bob").await,
    ];
    let ids = [id_of(&sessions, &one), id_of(&sessions, &two)];
    audit.take();
    let loaded = load(&sessions, &format!("{one}; {two}"));
    loaded.session.logout().await.unwrap();
    let [one, two] = ids;
    let told = audit.take();
    assert_eq!(
        told,
        [
            format!("{one} logout of Some(\"alice\"): This"),
            format!("{two} logout of Some(\"bob\"): This"),
        ]
    );
}

#[actix_web::test]
async fn what_the_application_ends_is_told_as_such() {
    let (audit, sessions, _) = Audit::start().await;
    let cookie = login(&sessions, "", "alice").await;
    let id = load(&sessions, &cookie).session.id().unwrap();
    audit.take();
    for _ in 0..2 {
        sessions.end_session(id).await.unwrap();
    }
    sessions.end_subject("alice").await.unwrap();
    sessions.end_group("org", "acme").await.unwrap();
    sessions.end_everyone().await.unwrap();
    let expected = [
        format!("{id} logout of None: This by the application"),
        " logout of Some(\"alice\"): All by the application".to_owned(),
        " logout of None: org acme by the application".to_owned(),
        " logout of None: Everyone by the application".to_owned(),
    ];
    assert_eq!(audit.take(), expected);
}

#[actix_web::test]
async fn a_refused_cookie_is_told_with_its_session_where_it_is_authentic() {
    let (audit, sessions, clock) = Audit::start().await;
    let [idle, renewed] = [
        login(&sessions, "", "alice").await,
        login(&sessions, "", "alice").await,
    ];
    let [idle_id, id] = [id_of(&sessions, &idle), id_of(&sessions, &renewed)];
    audit.take();
    let loaded = load(&sessions, &renewed);
    loaded.session.renew();
    assert!(audit.take().is_empty(), "the cookie is not made yet");
    sent(&sessions, loaded).await;
    assert_eq!(audit.take(), [format!("{id} of Some(\"alice\") renewed")]);
    clock.advance(MINUTE);
    user(&sessions, &renewed);
    let superseded = format!("{id} of Some(\"alice\") refused: Superseded");
    assert_eq!(audit.take(), [superseded]);
    clock.advance(60 * MINUTE);
    user(&sessions, &idle);
    let refused = format!("{idle_id} of Some(\"alice\") refused: Idle");
    assert_eq!(audit.take(), [refused.as_str()]);
    user(&sessions, "session=junk");
    assert_eq!(audit.take(), [" of None refused: Length"]);
    // Beside a live one, too.
    let live = login(&sessions, "", "bob").await;
    audit.take();
    assert_eq!(
        user(&sessions, &format!("{idle}; {live}")).as_deref(),
        Some("bob")
    );
    assert_eq!(audit.take(), [refused]);
}

#[actix_web::test]
async fn what_only_this_node_knows_is_told_as_such_and_a_login_that_fails_is_none() {
    let (audit, clock) = (Audit::default(), ManualClock::default());
    let store = Faulty::new(log(&clock));
    let builder = audit.on(unhurried(builder(&clock, store.clone())));
    let sessions = builder.start().await.unwrap();
    let alice = async || {
        let cookie = login(&sessions, "", "alice").await;
        clock.advance(SECOND);
        audit.take();
        (id_of(&sessions, &cookie), load(&sessions, &cookie))
    };
    let here = |id: &str, scope| format!("{id} logout of Some(\"alice\"): {scope}, here only");
    let (id, loaded) = alice().await;
    store.set_call(Call::Publish, Mode::Down);
    loaded.session.logout().await.unwrap_err();
    assert_eq!(audit.take(), [here(&id, "This")]);
    store.set(Mode::Up);

    let (id, loaded) = alice().await;
    store.set_call(Call::Publish, Mode::Down);
    loaded.session.authenticate("bob").await.unwrap_err();
    assert_eq!(audit.take(), [here(&id, "This")]);
    store.set(Mode::Up);

    // The others are ended, and copies of its own cookie only here.
    let (id, loaded) = alice().await;
    store.set_call(Call::Publish, Mode::Down);
    loaded.session.logout_others().await.unwrap_err();
    assert_eq!(audit.take(), [here(&id, "Others")]);
    store.set(Mode::Up);

    let (id, loaded) = alice().await;
    store.set_call(Call::Raise, Mode::Down);
    loaded.session.logout_all().await.unwrap_err();
    assert_eq!(audit.take(), [here(&id, "All")]);
    sessions.end_subject("bob").await.unwrap_err();
    let expected = " logout of Some(\"bob\"): All by the application, here only";
    assert_eq!(audit.take(), [expected]);
    store.set(Mode::Up);
}

/// Of two cookies of ours, too: one may have been copied.
#[actix_web::test]
async fn a_login_that_ends_other_sessions_besides_tells_of_each_that_counted() {
    let (audit, sessions, _) = Audit::start().await;
    let alice = login(&sessions, "", "alice").await;
    let mallory = login(&sessions, "", "mallory").await;
    let [of_alice, of_mallory] = [&alice, &mallory].map(|cookie| id_of(&sessions, cookie));
    audit.take();
    let both = format!("{mallory}; {alice}");
    let cookie = login(&sessions, &both, "mallory").await;
    let id = id_of(&sessions, &cookie);
    let told = audit.take();
    let ended = format!("{of_alice} logout of Some(\"alice\"): This");
    assert!(told.contains(&ended), "{told:?}");
    let replaced = format!("{of_mallory} of Some(\"mallory\") replaced by {id}");
    assert!(told.contains(&replaced), "{told:?}");
    assert_eq!(told.len(), 3, "and the login: {told:?}");
    // What is dead already is told of by nobody.
    let again = format!("{cookie}; {alice}");
    login(&sessions, &again, "mallory").await;
    let told = audit.take();
    assert!(!told.contains(&ended), "{told:?}");
}

/// Uses everything that has a lock, whatever is told.
#[actix_web::test]
async fn an_observer_may_use_sessions_itself() {
    let (clock, called) = (ManualClock::default(), Arc::new(AtomicUsize::new(0)));
    let own = Arc::new(OnceLock::<(Sessions, Session)>::new());
    let (inside, count) = (Arc::clone(&own), Arc::clone(&called));
    let builder = builder(&clock, memory(&clock)).observer(move |event: &SessionEvent<'_>| {
        let Some((sessions, session)) = inside.get() else {
            return;
        };
        count.fetch_add(1, Ordering::Relaxed);
        session.subject();
        session.renew();
        let _ = session.insert("told", true);
        sessions.health();
        sessions.reload_keys().unwrap();
        if matches!(event, SessionEvent::LoggedIn { .. }) {
            // What it does is told too, so once. Begins at the call, whether or not it is waited for.
            let _ = sessions.end_subject("somebody else").now_or_never();
        }
    });
    let sessions = builder.start().await.unwrap();
    let cookie = login(&sessions, "", "alice").await;
    let loaded = load(&sessions, &cookie);
    own.set((sessions.clone(), loaded.session.clone()))
        .ok()
        .unwrap();
    loaded.session.authenticate("alice").await.unwrap();
    loaded.session.logout_others().await.unwrap();
    loaded.session.logout().await.unwrap();
    loaded.session.purge();
    sent(&sessions, loaded).await;
    user(&sessions, &cookie);
    assert!(called.load(Ordering::Relaxed) >= 5);
}

#[actix_web::test]
async fn a_panic_in_the_observer_is_logged_once_and_fails_nothing() {
    let written = Written::default();
    let _guard = written.listen();
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock));
    let builder = builder.observer(|_: &SessionEvent<'_>| panic!("an observer that panics"));
    let sessions = builder.start().await.unwrap();
    let cookie = login(&sessions, "", "alice").await;
    let cookie = login(&sessions, &cookie, "alice").await;
    let loaded = load(&sessions, &cookie);
    loaded.session.renew();
    let cookie = sent(&sessions, loaded).await;
    assert_eq!(user(&sessions, "session=junk"), None);
    assert_eq!(user(&sessions, &cookie).as_deref(), Some("alice"));
    load(&sessions, &cookie).session.logout().await.unwrap();
    assert_eq!(user(&sessions, &cookie), None);
    sessions.end_everyone().await.unwrap();
    assert_eq!(written.count("the session observer panicked"), 1);
}
