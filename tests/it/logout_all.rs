//! Ends of many sessions at once: `logout_all`, `logout_others`, `logout_everyone`, and `end_subject`.
//!
//! 1. Every session from before is dead, one whose request is under way too; every login after it holds.
//! 2. `logout_others` keeps its own session, if that is still alive by then, and revives nothing.
//! 3. A session that has ended has no say over others.

use sealed_session::adapter::Incoming;
use sealed_session::keys::{Random, RandomError, SystemRandom};
use sealed_session::revoke::SubjectKey;
use sealed_session::testing::ManualClock;
use support::faulty::{Call, Faulty, Mode};
use support::gate::during;
use support::{Browser, Node, SECOND, builder, eventually, log};

use super::direct::{load, login};
use super::site::{routes, target};

#[actix_web::test]
async fn logout_others_in_flight_revives_nothing_that_logout_all_ended() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    let answer = during("a01", thief.post("/late/a01/logout-others"), async {
        victim.post("/logout-all").await.is(204); // acknowledged: all of alice's sessions are dead
        t.clock.advance(30 * SECOND);
    })
    .await;
    thief.get("/me").await.is(401);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
}

#[actix_web::test]
async fn logout_others_in_flight_does_not_outlive_the_end_of_its_subject_nor_end_a_later_login() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a01b", thief.post("/late/a01b/logout-others"), async {
        t.sessions.end_subject("alice").await.unwrap(); // the password was changed
        t.clock.advance(30 * SECOND);
        victim.post("/login/alice").await.is(200);
    })
    .await;
    let owner = victim.get("/me").await.status;
    let thief = thief.get("/me").await.status;
    assert_eq!((owner, thief), (200, 401), "(owner, thief)");
}

#[actix_web::test]
async fn logout_others_in_flight_lifts_no_mark_of_a_logout_that_the_store_did_not_take() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a01c", thief.post("/late/a01c/logout-others"), async {
        t.store.set_call(Call::Raise, Mode::Down);
        victim.post("/logout-all").await.is(503);
        t.store.set_call(Call::Raise, Mode::Up);
    })
    .await;
    thief.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_request_of_a_dead_session_ends_no_later_logins() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a15", thief.post("/late/a15/logout-all"), async {
        victim.post("/logout-all").await.is(204);
        t.clock.advance(SECOND);
        victim.post("/login/alice").await.is(200);
    })
    .await;
    victim.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_thief_who_hammers_does_not_survive_logout_all() {
    let t = target().await;
    let mut survived = 0;
    for round in 0..150 {
        let victim = Browser::new(&t.url);
        victim.post(&format!("/login/alice{round}")).await.is(200);
        let thieves: Vec<_> = (0..12).map(|_| victim.copy()).collect();
        let tries: Vec<_> = thieves
            .iter()
            .map(|thief| {
                let thief = thief.clone();
                actix_web::rt::spawn(async move { thief.post("/logout-others").await.status })
            })
            .collect();
        let acknowledged = victim.post("/logout-all").await.status == 204;
        for each in tries {
            let _ = each.await;
        }
        for thief in &thieves {
            if thief.get("/me").await.status == 200 && acknowledged {
                survived += 1;
                break;
            }
        }
    }
    assert_eq!(survived, 0, "of 150 rounds");
}

#[actix_web::test]
async fn a_logout_of_a_marked_session_reaches_other_nodes_or_fails() {
    let clock = ManualClock::default();
    let shared = log(&clock);
    let store = Faulty::new(shared.clone());
    let here = builder(&clock, store.clone()).start().await.unwrap();
    let there = builder(&clock, shared).start().await.unwrap();
    let (here_url, _) = support::serve(&here, routes);
    let (there_url, _) = support::serve(&there, routes);
    let one = Browser::new(&here_url);
    let two = Browser::new(&here_url);
    one.post("/login/alice").await.is(200);
    two.post("/login/alice").await.is(200);
    let elsewhere = Browser::new(&there_url).holding(two.session().unwrap());
    store.set_call(Call::Publish, Mode::Down);
    store.set_call(Call::Raise, Mode::Down);
    one.post("/logout-all").await.is(503);
    let status = two.post("/logout").await.status;
    actix_web::rt::time::sleep(SECOND / 2).await;
    let after = elsewhere.get("/me").await.status;
    assert!(
        status != 204 || after == 401,
        "logout {status}, elsewhere {after}"
    );
}

#[actix_web::test]
async fn a_body_that_streams_after_a_renewal_can_still_log_out_everywhere() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let header = format!("session={}", browser.session().unwrap());
    let loaded = t
        .sessions
        .load(Incoming::new([header.as_bytes()].into_iter()))
        .unwrap();
    loaded.session.renew();
    let outcome = t.sessions.commit(&loaded.session, loaded.ticket).await;
    assert_eq!(outcome.cookies.len(), 1);
    t.clock.advance(20 * SECOND);
    loaded.session.logout_all().await.unwrap();
}

#[actix_web::test]
async fn logout_others_beside_a_renewal_keeps_someone() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    let answer = during("r2a6", tab.post("/late/r2a6/logout-others"), async {
        browser.post("/renew").await.is(200);
    })
    .await;
    let both = (browser.get("/me").await.status, tab.get("/me").await.status);
    assert!(both.0 == 200 || both.1 == 200, "{both:?} {answer:?}");
}

#[actix_web::test]
async fn a_session_that_died_here_in_flight_can_still_be_ended_elsewhere() {
    let t = target().await;
    let (one, two) = (Browser::new(&t.url), Browser::new(&t.url));
    one.post("/login/alice").await.is(200);
    two.post("/login/alice").await.is(200);
    let cookie = format!("session={}", one.session().unwrap());
    let loaded = t
        .sessions
        .load(Incoming::new([cookie.as_bytes()].into_iter()))
        .unwrap();
    t.store.set_call(Call::Publish, Mode::Down);
    t.store.set_call(Call::Raise, Mode::Down);
    two.post("/logout-all").await.is(503);
    // Marked on this node alone: it has no say over others, and other nodes still take its cookie.
    loaded.session.logout_all().await.unwrap_err();
    loaded.session.logout().await.unwrap_err();
}

#[actix_web::test]
async fn a_retry_of_what_was_replaced_ends_no_later_login() {
    let mut killed = 0;
    // The order of the outbox is random: several rounds.
    for _ in 0..4 {
        let clock = ManualClock::default();
        let store = Faulty::new(log(&clock));
        let sessions = builder(&clock, store.clone()).start().await.unwrap();
        let (url, _) = support::serve(&sessions, routes);
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

#[actix_web::test]
async fn a_login_in_flight_does_not_survive_a_logout_everywhere() {
    let node = Node::start().await;
    let (browser, other) = (node.browser(), node.browser());
    browser.post("/login/alice").await.is(200);
    let request = other.post("/held/login/login/alice");
    let answer = during("login", request, browser.post("/logout-all")).await;
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    other.get("/me").await.is(401);
}

#[actix_web::test]
async fn logout_all_ends_every_session_of_the_user_and_of_nobody_else() {
    let node = Node::start().await;
    let (laptop, phone, other) = (node.browser(), node.browser(), node.browser());
    laptop.post("/login/alice").await.is(200);
    phone.post("/remember/alice").await.is(200);
    other.post("/login/bob").await.is(200);
    let copy = laptop.copy();
    laptop.post("/logout-all").await.is(204);
    copy.get("/me").await.is(401);
    phone.get("/me").await.is(401);
    other.get("/me").await.is(200);
    phone.post("/login/alice").await.is(200);
    phone.get("/me").await.is(200);
}

#[actix_web::test]
async fn logout_others_keeps_this_session() {
    let node = Node::start().await;
    let (laptop, phone) = (node.browser(), node.browser());
    laptop.post("/login/alice").await.is(200);
    phone.post("/login/alice").await.is(200);
    let copy = laptop.copy();
    laptop.post("/logout-others").await.is(204);
    laptop.get("/me").await.is(200);
    phone.get("/me").await.is(401);
    copy.get("/me").await.is(401);
}

#[actix_web::test]
async fn logout_everyone_ends_all_sessions() {
    let node = Node::start().await;
    let (alice, bob) = (node.browser(), node.browser());
    alice.post("/login/alice").await.is(200);
    bob.post("/login/bob").await.is(200);
    alice.post("/logout-everyone").await.is(204);
    bob.get("/me").await.is(401);
    bob.post("/login/bob").await.is(200);
    bob.get("/me").await.is(200);
}

#[actix_web::test]
async fn equal_second_races_a_login_in_the_moment_of_a_logout_everywhere_holds() {
    let node = Node::start().await;
    let (before, after) = (node.browser(), node.browser());
    // The clock stands still: everything below happens in one millisecond.
    for end in ["/logout-all", "/logout-everyone"] {
        for _ in 0..3 {
            before.post("/login/alice").await.is(200);
            let stolen = before.copy();
            before.post(end).await.is(204);
            after.post("/login/alice").await.is(200);
            after.get("/me").await.is(200);
            stolen.get("/me").await.is(401);
        }
    }
}

/// Of a machine that was cloned while its node started.
#[derive(Debug)]
struct SameStart;

impl Random for SameStart {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        match bytes.len() {
            8 => bytes.fill(7),
            _ => SystemRandom.fill(bytes)?,
        }
        Ok(())
    }
}

/// Of a machine whose generator fails once the node has started.
#[derive(Debug)]
struct NoIds;

impl Random for NoIds {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        match bytes.len() {
            16 => Err(RandomError),
            _ => SystemRandom.fill(bytes),
        }
    }
}

#[actix_web::test]
async fn a_generator_that_fails_keeps_nobody_logged_in() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let one = builder(&clock, log.clone()).start().await.unwrap();
    let other = builder(&clock, log.clone()).random(std::sync::Arc::new(NoIds));
    let other = other.start().await.unwrap();
    for _ in 0..2 {
        let cookie = login(&one, "", "alice").await;
        other.end_subject("alice").await.unwrap();
        assert_eq!(load(&other, &cookie).session.subject(), None);
        clock.advance(SECOND);
    }
}

#[actix_web::test]
async fn nodes_that_drew_the_same_at_their_start_take_no_logout_for_a_repeat() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let start = || builder(&clock, log.clone()).random(std::sync::Arc::new(SameStart));
    let [one, other] = [start().start().await, start().start().await].map(Result::unwrap);
    one.end_subject("alice").await.unwrap();
    clock.advance(SECOND);
    let cookie = login(&one, "", "alice").await;
    other.end_subject("alice").await.unwrap();
    eventually(async || load(&one, &cookie).session.subject().is_none()).await;
}

/// What is confirmed after it, in the same request, is asked as before it.
#[actix_web::test]
async fn who_logged_others_out_is_confirmed_only_while_nothing_ended_the_session_since() {
    let node = Node::start().await;
    for ends in [false, true] {
        let cookie = login(&node.sessions, "", "alice").await;
        let session = load(&node.sessions, &cookie).session;
        session.logout_others().await.unwrap();
        if ends {
            node.sessions.end_subject("alice").await.unwrap();
        }
        assert_eq!(session.confirm().await.is_ok(), !ends);
        assert_eq!(session.reauthenticate().await.is_ok(), !ends);
    }
}
