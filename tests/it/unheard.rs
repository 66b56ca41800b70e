//! Requests that are dropped while they wait for the store are in the audit log too.

use std::future::IntoFuture;

use futures_util::FutureExt;
use sealed_session::adapter::Loaded;
use sealed_session::testing::ManualClock;
use sealed_session::{Session, Sessions};
use support::faulty::{Call, Faulty, Mode};
use support::{builder, eventually, log, unhurried};

use super::direct::{load, login};
use super::observer::Audit;

/// Sessions on a store that takes nothing and says nothing, and alice who is logged in to them.
async fn before_silence() -> (Audit, Faulty, Sessions, Loaded) {
    let (audit, clock) = (Audit::default(), ManualClock::default());
    let store = Faulty::new(log(&clock));
    let builder = audit.on(unhurried(builder(&clock, store.clone())));
    let sessions = builder.start().await.unwrap();
    let cookie = login(&sessions, "", "alice").await;
    let loaded = load(&sessions, &cookie);
    audit.take();
    for call in [Call::Publish, Call::Raise] {
        store.set_call(call, Mode::Hanging);
    }
    (audit, store, sessions, loaded)
}

fn unheard(session: &Session, scope: &str) -> String {
    let id = session.id().unwrap();
    format!("{id} logout of Some(\"alice\"): {scope}, nobody waited")
}

/// By its client, or by a timeout.
#[actix_web::test]
async fn a_logout_whose_request_is_dropped_while_it_waits_is_told() {
    type Step = fn(&Session) -> bool;
    let steps: [(&str, Step); 4] = [
        ("This", |it| it.logout().now_or_never().is_none()),
        ("All", |it| it.logout_all().now_or_never().is_none()),
        ("Others", |it| it.logout_others().now_or_never().is_none()),
        ("Everyone", |it| {
            it.logout_everyone().now_or_never().is_none()
        }),
    ];
    for (scope, is_dropped) in steps {
        let (audit, _store, _sessions, loaded) = before_silence().await;
        let expected = unheard(&loaded.session, scope);
        assert!(is_dropped(&loaded.session), "{scope}");
        assert_eq!(audit.take(), [expected]);
        drop(loaded);
        assert!(audit.take().is_empty(), "it is told once");
    }
    for commits in [true, false] {
        let (audit, _store, sessions, loaded) = before_silence().await;
        let expected = unheard(&loaded.session, "This");
        loaded.session.purge();
        assert!(audit.take().is_empty());
        match commits {
            true => {
                let commit = sessions.commit(&loaded.session, loaded.ticket);
                assert!(commit.now_or_never().is_none());
            }
            // The handler never came to its response.
            false => drop(loaded),
        }
        assert_eq!(audit.take(), [expected]);
    }
}

/// It is none, and ended what was before it.
#[actix_web::test]
async fn a_login_that_is_dropped_while_it_waits_is_told_as_a_logout() {
    let (audit, store, _sessions, loaded) = before_silence().await;
    let expected = unheard(&loaded.session, "This");
    let mut login = loaded.session.authenticate("bob").into_future();
    tokio::select! {
        _ = &mut login => panic!("the store says nothing"),
        () = eventually(|| async { store.waiting() > 0 }) => {}
    }
    drop(login);
    assert_eq!(audit.take(), [expected]);
}

#[actix_web::test]
async fn a_renewal_whose_request_is_dropped_while_it_waits_is_told() {
    let (audit, _store, sessions, loaded) = before_silence().await;
    let id = loaded.session.id().unwrap();
    loaded.session.renew();
    let commit = sessions.commit(&loaded.session, loaded.ticket);
    assert!(commit.now_or_never().is_none());
    assert_eq!(audit.take(), [format!("{id} of Some(\"alice\") renewed")]);
}

#[actix_web::test]
async fn a_login_that_comes_too_late_is_told_as_the_logout_that_it_was() {
    let (audit, store, sessions, loaded) = before_silence().await;
    let id = loaded.session.id().unwrap();
    let session = loaded.session.clone();
    let late = actix_web::rt::spawn(session.authenticate("alice").into_future());
    eventually(|| async { store.waiting() >= 1 }).await;
    // The response is sent meanwhile.
    drop(sessions.commit(&loaded.session, loaded.ticket).await);
    store.set(Mode::Up);
    late.await.unwrap().unwrap_err();
    let ended = format!("{id} logout of Some(\"alice\"): This");
    assert_eq!(audit.take(), [ended]);
}
