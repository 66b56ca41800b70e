//! What stays open after its request hears of the end of its session (`Session::ended`).
//!
//! 1. Every end is heard, with the reason that a request would be told; a renewal is none.
//! 2. Time alone ends it too: the absolute limit, and the idle limit where that is asked for.
//! 3. A copy that `logout_others` left behind does not stay open.
//! 4. Where there is no session it is over at once.
//!
//! Time stands still in most of these tests, but for timers: nothing waits for them.

use futures_util::FutureExt;
use sealed_session::Sessions;
use sealed_session::adapter::Loaded;
use sealed_session::session::{EndReason, Rejected, SessionEnd};
use support::{HOUR, MINUTE, SECOND};

use super::direct::{anonymous, load, login, sent, sessions, user};

/// Whether it is not over after a few looks.
async fn is_open(ended: &mut SessionEnd) -> bool {
    tokio::time::timeout(3 * SECOND, ended).await.is_err()
}

/// Why it is over, after a few looks at the most.
async fn reason(ended: &mut SessionEnd) -> EndReason {
    tokio::time::timeout(3 * SECOND, ended)
        .await
        .expect("it is over")
}

fn over(reason: Rejected) -> EndReason {
    EndReason::Over(reason)
}

/// A user who is logged in, and what she has open.
async fn opened(sessions: &Sessions) -> (String, SessionEnd) {
    let cookie = login(sessions, "", "alice").await;
    let ended = load(sessions, &cookie).session.ended();
    (cookie, ended)
}

/// Runs a step of another request with this cookie, and sends its response.
async fn request(sessions: &Sessions, cookie: &str, step: impl AsyncFnOnce(&Loaded)) -> String {
    let loaded = load(sessions, cookie);
    step(&loaded).await;
    sent(sessions, loaded).await
}

#[tokio::test(start_paused = true)]
async fn a_renewed_session_stays_open_until_it_ends() {
    let (sessions, clock) = sessions().await;
    let (mut cookie, mut ended) = opened(&sessions).await;
    for _ in 0..3 {
        cookie = request(&sessions, &cookie, async |it| it.session.renew()).await;
        assert!(is_open(&mut ended).await);
        // The grace of the cookie that it was opened with is over.
        clock.advance(MINUTE);
        assert!(is_open(&mut ended).await);
    }
    request(&sessions, &cookie, async |it| {
        it.session.logout().await.unwrap()
    })
    .await;
    assert_eq!(reason(&mut ended).await, over(Rejected::Ended));
    assert_eq!(
        reason(&mut ended).await,
        over(Rejected::Ended),
        "it stays so"
    );
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_session_is_heard_with_its_reason() {
    let (sessions, clock) = sessions().await;
    let grouped = async || {
        let loaded = load(&sessions, "");
        let login = loaded.session.authenticate("alice").group("org", "acme");
        login.await.unwrap();
        let cookie = sent(&sessions, loaded).await;
        clock.advance(SECOND);
        let loaded = load(&sessions, &cookie);
        let (id, ended) = (loaded.session.id().unwrap(), loaded.session.ended());
        (cookie, id, ended)
    };
    for (number, expected) in [
        Rejected::Ended,
        Rejected::Ended,
        Rejected::Succeeded,
        Rejected::SubjectEnded,
        Rejected::SubjectEnded,
        Rejected::SubjectEnded,
        Rejected::GroupEnded,
        Rejected::EveryoneEnded,
    ]
    .into_iter()
    .enumerate()
    {
        let elsewhere = login(&sessions, "", "alice").await;
        let (cookie, id, mut ended) = grouped().await;
        assert!(is_open(&mut ended).await, "{number}");
        match number {
            0 => drop(
                request(&sessions, &cookie, async |it| {
                    it.session.logout().await.unwrap()
                })
                .await,
            ),
            1 => sessions.end_session(id).await.unwrap(),
            2 => drop(login(&sessions, &cookie, "bob").await),
            3 => load(&sessions, &elsewhere)
                .session
                .logout_all()
                .await
                .unwrap(),
            4 => drop(
                request(&sessions, &elsewhere, async |it| {
                    it.session.logout_others().await.unwrap()
                })
                .await,
            ),
            5 => sessions.end_subject("alice").await.unwrap(),
            6 => sessions.end_group("org", "acme").await.unwrap(),
            _ => sessions.end_everyone().await.unwrap(),
        }
        assert_eq!(reason(&mut ended).await, over(expected), "{number}");
        assert_eq!(
            load(&sessions, &cookie).session.rejected(),
            Some(expected),
            "{number}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn others_ends_leave_it_open() {
    let (sessions, clock) = sessions().await;
    let (_, mut ended) = opened(&sessions).await;
    clock.advance(SECOND);
    let other = login(&sessions, "", "alice").await;
    load(&sessions, &other).session.logout().await.unwrap();
    sessions.end_subject("bob").await.unwrap();
    sessions.end_group("org", "acme").await.unwrap();
    assert!(is_open(&mut ended).await);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_logout_others_left_behind_is_over_and_the_session_is_not() {
    let (sessions, _) = sessions().await;
    let (cookie, mut thief) = opened(&sessions).await;
    let loaded = load(&sessions, &cookie);
    loaded.session.logout_others().await.unwrap();
    let mut own = loaded.session.ended();
    let cookie = sent(&sessions, loaded).await;
    assert_eq!(reason(&mut thief).await, over(Rejected::Superseded));
    assert!(is_open(&mut own).await);
    assert!(is_open(&mut load(&sessions, &cookie).session.ended()).await);
}

#[tokio::test(start_paused = true)]
async fn the_absolute_limit_is_heard_and_the_idle_limit_where_it_is_asked_for() {
    let (sessions, clock) = sessions().await;
    let (cookie, mut ended) = opened(&sessions).await;
    let mut minding = load(&sessions, &cookie).session.ended_or_idle();
    clock.advance(HOUR - SECOND);
    assert!(is_open(&mut minding).await);
    clock.advance(SECOND);
    assert_eq!(reason(&mut minding).await, over(Rejected::Idle));
    assert!(is_open(&mut ended).await);
    clock.advance(23 * HOUR - SECOND);
    assert!(is_open(&mut ended).await);
    clock.advance(SECOND);
    assert_eq!(reason(&mut ended).await, over(Rejected::Expired));
}

/// The request is a use of the session, whose data cookie says nothing of it.
#[tokio::test(start_paused = true)]
async fn the_idle_limit_counts_from_the_call() {
    let (sessions, clock) = sessions().await;
    let cookie = login(&sessions, "", "alice").await;
    clock.advance(59 * MINUTE);
    let mut ended = load(&sessions, &cookie).session.ended_or_idle();
    clock.advance(59 * MINUTE);
    assert!(is_open(&mut ended).await);
    clock.advance(MINUTE);
    assert_eq!(reason(&mut ended).await, over(Rejected::Idle));
}

#[tokio::test(start_paused = true)]
async fn without_a_session_it_is_over_at_once() {
    let (sessions, _) = sessions().await;
    assert_eq!(
        load(&sessions, "").session.ended().await,
        EndReason::NoSession
    );
    assert_eq!(
        load(&sessions, "").session.ended_or_idle().await,
        EndReason::NoSession
    );
    let cookie = login(&sessions, "", "alice").await;
    let late = load(&sessions, &cookie);
    request(&sessions, &cookie, async |it| {
        it.session.logout().await.unwrap()
    })
    .await;
    let refused = load(&sessions, &cookie);
    assert_eq!(refused.session.ended().await, over(Rejected::Ended));
    // It was a session when the request began.
    assert_eq!(late.session.ended().await, over(Rejected::Ended));
    let cookie = login(&sessions, "", "alice").await;
    let left = load(&sessions, &cookie);
    left.session.logout().await.unwrap();
    assert_eq!(left.session.ended().await, EndReason::NoSession);
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_what_was_before_it_and_begins_what_is_asked_after_it() {
    let (sessions, _) = sessions().await;
    let cookie = anonymous(&sessions, "tea").await;
    let loaded = load(&sessions, &cookie);
    let mut before = loaded.session.ended();
    assert!(is_open(&mut before).await);
    loaded.session.authenticate("alice").await.unwrap();
    let mut after = loaded.session.ended();
    assert_eq!(reason(&mut before).await, over(Rejected::Succeeded));
    assert!(is_open(&mut after).await);
    let cookie = sent(&sessions, loaded).await;
    assert!(is_open(&mut after).await);
    assert_eq!(user(&sessions, &cookie).as_deref(), Some("alice"));
    request(&sessions, &cookie, async |it| {
        it.session.logout().await.unwrap()
    })
    .await;
    assert_eq!(reason(&mut after).await, over(Rejected::Ended));
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_session_is_open_until_its_logout() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    loaded.session.insert("cart", "tea").unwrap();
    let mut ended = loaded.session.ended();
    let cookie = sent(&sessions, loaded).await;
    assert!(is_open(&mut ended).await);
    request(&sessions, &cookie, async |it| {
        it.session.logout().await.unwrap()
    })
    .await;
    assert_eq!(reason(&mut ended).await, over(Rejected::Ended));
}

/// By the timers, of which one goes off every second.
#[tokio::test(start_paused = true)]
async fn an_end_is_heard_before_the_next_second() {
    let (sessions, clock) = sessions().await;
    let steps: [fn(&Sessions, &Loaded) -> bool; 3] = [
        |_, it| it.session.logout().now_or_never().is_some(),
        |_, it| it.session.logout_all().now_or_never().is_some(),
        |sessions, _| sessions.end_group("org", "acme").now_or_never().is_some(),
    ];
    for end in steps {
        let loaded = load(&sessions, "");
        let login = loaded.session.authenticate("alice").group("org", "acme");
        login.await.unwrap();
        let cookie = sent(&sessions, loaded).await;
        clock.advance(SECOND);
        let loaded = load(&sessions, &cookie);
        let mut ended = loaded.session.ended();
        let half_past_two = tokio::time::timeout(SECOND * 5 / 2, &mut ended).await;
        assert!(half_past_two.is_err());
        // It holds at once, whether or not the store has it yet.
        end(&sessions, &loaded);
        let heard = tokio::time::timeout(SECOND / 5, &mut ended).await;
        assert!(heard.is_ok());
    }
}
