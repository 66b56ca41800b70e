//! `logout_others` ends every copy of its own cookie too, whatever a thief does with one meanwhile.
//!
//! 1. Once it returns `Ok` a copy is dead here, whether or not the response arrives.
//! 2. A renewal by a copy is overtaken, on whichever node and whichever clock.
//! 3. Of two at once one is first, and the other learns that it was not.

use sealed_session::session::{LogoutError, NotWritable};
use sealed_session::testing::ManualClock;
use support::faulty::{Call, Faulty, Mode};
use support::gate::during;
use support::{Browser, SECOND, builder, eventually, log, serve};

use super::direct::{load, login, sent, sessions, user};
use super::site::{routes, target};

#[actix_web::test]
async fn a_copy_that_renews_first_keeps_the_others_from_being_ended_and_no_more() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let (thief, phone) = (victim.copy(), Browser::new(&t.url));
    phone.post("/login/alice").await.is(200);
    let answer = during("copy1", victim.post("/late/copy1/logout-others"), async {
        thief.post("/renew").await.is(200);
    });
    let answer = answer.await.is(409);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    phone.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_copy_can_do_nothing_before_the_response_is_there() {
    for path in ["/renew", "/logout-others", "/entries/a"] {
        let t = target().await;
        let victim = Browser::new(&t.url);
        victim.post("/login/alice").await.is(200);
        let thief = victim.copy();
        let name = format!("copy2{path}").replace('/', "-");
        let held = format!("/held/{name}/logout-others");
        let request = victim.post(&held);
        let request = async { request.await.is(204) };
        during(&name, request, async {
            match path {
                "/entries/a" => thief.get(path).await.is(404),
                _ => thief.post(path).await,
            };
            thief.get("/me").await.is(401);
        })
        .await;
        t.clock.advance(30 * SECOND);
        thief.get("/me").await.is(401);
        victim.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_copy_is_dead_also_if_the_response_never_comes() {
    let (sessions, clock) = sessions().await;
    let cookie = login(&sessions, "", "alice").await;
    let loaded = load(&sessions, &cookie);
    loaded.session.logout_others().await.unwrap();
    drop(loaded);
    clock.advance(SECOND);
    assert_eq!(user(&sessions, &cookie), None);
}

#[actix_web::test]
async fn where_the_response_was_sent_nobody_is_ended() {
    let (sessions, _) = sessions().await;
    let [cookie, other] = [
        login(&sessions, "", "alice").await,
        login(&sessions, "", "alice").await,
    ];
    let loaded = load(&sessions, &cookie);
    let session = loaded.session.clone();
    drop(sessions.commit(&loaded.session, loaded.ticket).await);
    let refused = session.logout_others().await;
    let sent = LogoutError::NotWritable(NotWritable::AlreadyCommitted);
    assert_eq!(refused, Err(sent));
    assert!(user(&sessions, &cookie).is_some() && user(&sessions, &other).is_some());
}

#[actix_web::test]
async fn of_two_at_once_one_is_first() {
    let (sessions, _) = sessions().await;
    let cookie = login(&sessions, "", "alice").await;
    let (one, two) = (load(&sessions, &cookie), load(&sessions, &cookie));
    one.session.logout_others().await.unwrap();
    let second = two.session.logout_others().await;
    assert_eq!(second, Err(LogoutError::NotAuthenticated));
    let one = sent(&sessions, one).await;
    assert!(user(&sessions, &one).is_some());
    // And once more, with the new one.
    let again = load(&sessions, &one);
    again.session.logout_others().await.unwrap();
    let again = sent(&sessions, again).await;
    assert!(user(&sessions, &again).is_some() && user(&sessions, &one).is_none());
}

/// A user at one node, and somebody at another who holds a copy of the cookie. The nodes follow one log; the first
/// one's way to it can be disturbed.
async fn victim_and_thief(here: &ManualClock, there: &ManualClock) -> (Faulty, Browser, Browser) {
    let shared = log(here);
    let store = Faulty::new(shared.clone());
    let sessions = [
        builder(here, store.clone()).start().await.unwrap(),
        builder(there, Faulty::new(shared)).start().await.unwrap(),
    ];
    let [here, there] = sessions.map(|sessions| serve(&sessions, routes).0);
    let victim = Browser::new(&here);
    victim.post("/login/alice").await.is(200);
    let thief = Browser::new(&there).holding(victim.session().unwrap());
    (store, victim, thief)
}

#[actix_web::test]
async fn a_copy_that_was_renewed_on_another_node_is_overtaken() {
    let clock = ManualClock::default();
    let (store, victim, thief) = victim_and_thief(&clock, &clock).await;
    store.deafen().await;
    for _ in 0..3 {
        thief.post("/renew").await.is(200);
    }
    clock.advance(5 * SECOND);
    victim.post("/logout-others").await.is(204);
    victim.get("/me").await.is(200);
    store.set(Mode::Up);
    eventually(|| async { thief.get("/me").await.status == 401 }).await;
    victim.to(thief.url()).get("/me").await.is(200);
    victim.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_copy_that_logged_the_others_out_on_another_node_was_first() {
    let clock = ManualClock::default();
    let (store, victim, thief) = victim_and_thief(&clock, &clock).await;
    store.deafen().await;
    thief.post("/logout-others").await.is(204);
    // Too late, and it says so.
    victim.post("/logout-others").await.is(401);
    store.set_call(Call::Follow, Mode::Up);
    eventually(|| async { victim.copy().get("/me").await.status == 401 }).await;
}

#[actix_web::test]
async fn a_copy_does_not_read_on_a_node_whose_clock_is_slow() {
    let (fast, slow) = (ManualClock::default(), ManualClock::default());
    fast.advance(45 * SECOND);
    let (_store, victim, stolen) = victim_and_thief(&fast, &slow).await;
    stolen.get("/me").await.is(200);
    victim.post("/logout-others").await.is(204);
    eventually(|| async { stolen.copy().get("/me").await.status == 401 }).await;
    victim.to(stolen.url()).get("/me").await.is(200);
}
