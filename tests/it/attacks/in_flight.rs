//! Requests that began before their session was ended, and finish after it.

use super::target;
use common::faulty::{Call, Mode};
use common::gate::during;
use common::{Browser, SECOND};

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
async fn of_two_renewals_at_once_without_a_store_one_wins() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a05", thief.post("/held/a05/renew"), async {
        t.store.set_call(Call::Publish, Mode::Down);
        victim.post("/renew").await.is(503);
    })
    .await;
    t.clock.advance(20 * SECOND);
    let both = (
        victim.get("/me").await.status,
        thief.get("/me").await.status,
    );
    assert_eq!(both, (200, 401), "(winner, loser)");
}

#[actix_web::test]
async fn a_login_that_was_cancelled_is_none() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser
        .put("/entries/a", serde_json::json!(1))
        .await
        .is(204); // a visitor: there is a session to end
    t.store.set_call(Call::Publish, Mode::Hanging);
    browser.post("/timeout-login/alice").await.is(504);
    browser.get("/me").await.is(401);
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
async fn entries_of_an_ended_session_do_not_follow_into_a_login_in_flight() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    victim
        .put("/entries/card", serde_json::json!("4111"))
        .await
        .is(204);
    let thief = victim.copy();
    during(
        "a16",
        thief.post("/late/a16/login/mallory"),
        victim.post("/logout-all"),
    )
    .await;
    thief.get("/me").await.is(200);
    thief.get("/entries/card").await.is(404);
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
