//! Whatever ends a session ends it although its token is cached, and what lets it count again does so too.
//!
//! In each of these tests a token is one that a node found in its cache; then the rule's change happens,
//! and the next request is answered as by a node that caches nothing (`twins`).

use std::time::Duration;

use sealed_session::keys::Secret;
use sealed_session::session::Rejected;
use sealed_session::settings::{ClientBinding, ClientSettings, Lifetimes};
use sealed_session::testing::{ManualClock, published_secret, token_cache_stats};
use sealed_session::time::{Clock, Limits, UnixMillis};
use sealed_session::{KeyRing, SessionsBuilder};
use serde_json::json;
use support::faulty::{Faulty, Mode};
use support::{DAY, HOUR, MINUTE, SECOND, eventually, log};

use super::twins::{Repeatable, Twins};

fn lifetimes(change: fn(&mut Lifetimes)) -> impl Fn(SessionsBuilder) -> SessionsBuilder {
    move |builder| builder.lifetimes(support::with(Lifetimes::default(), change))
}

#[actix_web::test]
async fn a_cached_session_ends_when_its_key_retires() {
    let retire = ManualClock::default().now() + 30 * MINUTE;
    let ring = KeyRing::builder()
        .key(published_secret(1), UnixMillis::EPOCH, Some(retire))
        .key(published_secret(2), retire, None);
    let ring = ring.build().unwrap();
    let twins = Twins::with(|builder| builder.keys(ring.clone())).await;
    let alice = twins.cached("/login/alice").await;
    twins.clock.set(retire.minus(Duration::from_millis(1)));
    twins.counts(&alice).await;
    twins.clock.set(retire);
    let retired = Rejected::RetiredKey(published_secret(1).key_id());
    twins.not_found(&alice, retired).await;
    twins.clock.set(retire.minus(SECOND));
    twins.counts(&alice).await;
}

#[actix_web::test]
async fn a_cached_session_goes_with_its_key_and_counts_when_that_is_back() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    twins.keys((&[2], &[]), "");
    let unknown = Rejected::UnknownKey(twins.secrets[1].key_id());
    twins.gone(&alice, unknown).await;
    twins.keys((&[2, 1], &[]), "");
    assert_eq!(token_cache_stats(&twins.caches).entries, 0);
    twins.cache(&alice).await;
    twins.counts(&alice).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_its_key_or_one_that_it_passed_through() {
    let twins = Twins::start().await;
    let stays = twins.cached("/login/alice").await;
    let moves = twins.cached("/login/alice").await;
    twins.keys((&[2, 1], &[]), "");
    moves.put("/entries/a", json!(1)).await.is(204);
    for browser in [&stays, &moves] {
        twins.cache(browser).await;
    }
    twins.keys((&[2], &[1]), "");
    for browser in [&stays, &moves] {
        twins.gone(browser, Rejected::RevokedKey).await;
    }
}

#[actix_web::test]
async fn a_cached_session_waits_for_a_clock_that_was_set_back() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let right = twins.clock.now();
    twins.clock.set(right.minus(2 * MINUTE));
    twins.refused(&alice, Rejected::Implausible).await;
    twins.clock.set(right);
    twins.counts(&alice).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_its_idle_limit() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let at = twins.clock.now();
    twins.clock.set(at + HOUR.saturating_sub(SECOND));
    twins.counts(&alice).await;
    twins.clock.set(at + HOUR);
    twins.refused(&alice, Rejected::Idle).await;
    twins.clock.set(at + 59 * MINUTE);
    twins.counts(&alice).await;
}

/// The last use is what this request says of it, and nothing that another one said.
#[actix_web::test]
async fn a_cached_session_lives_by_the_activity_cookie_of_each_request() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let without = alice.copy();
    twins.clock.advance(50 * MINUTE);
    alice.get("/me").await.is(200);
    assert_eq!(alice.names(), ["session", "session.seen"]);
    twins.clock.advance(20 * MINUTE);
    for _ in 0..2 {
        twins.counts(&alice).await;
        twins.refused(&without, Rejected::Idle).await;
    }
    twins.clock.advance(40 * MINUTE);
    twins.refused(&alice, Rejected::Idle).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_its_absolute_limit() {
    let change = lifetimes(|it| it.standard = Limits::new(DAY, DAY));
    let twins = Twins::with(change).await;
    let alice = twins.cached("/login/alice").await;
    let at = twins.clock.now();
    twins.clock.set(at + DAY.saturating_sub(SECOND));
    twins.counts(&alice).await;
    twins.clock.set(at + DAY);
    twins.refused(&alice, Rejected::Expired).await;
    twins.clock.set(at + HOUR);
    twins.counts(&alice).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_a_logout() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let other = twins.cached("/login/alice").await;
    alice.copy().post("/logout").await.is(204);
    // It may have a successor for a moment, and has none later.
    twins.refused(&alice, Rejected::Ended).await;
    twins.clock.advance(MINUTE);
    twins.refused(&alice, Rejected::Ended).await;
    twins.counts(&other).await;
}

#[actix_web::test]
async fn a_cached_session_ends_when_the_application_ends_it_or_its_subject() {
    let twins = Twins::start().await;
    let [one, two] = [(); 2].map(|()| twins.cached("/login/alice"));
    let (one, two) = (one.await, two.await);
    let id = one.get("/me").await.json()["session"].clone();
    let id = id.as_str().unwrap().parse().unwrap();
    twins.opens.end_session(id).await.unwrap();
    twins.refused(&one, Rejected::Ended).await;
    twins.counts(&two).await;
    twins.opens.end_subject("alice").await.unwrap();
    twins.refused(&two, Rejected::SubjectEnded).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_a_logout_everywhere() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let bob = twins.cached("/login/bob").await;
    let other = twins.browser();
    other.post("/login/alice").await.is(200);
    other.post("/logout-all").await.is(204);
    twins.refused(&alice, Rejected::SubjectEnded).await;
    twins.counts(&bob).await;
}

/// So does the caller's own cookie from before.
#[actix_web::test]
async fn a_cached_session_ends_with_a_logout_of_the_others() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let caller = twins.cached("/login/alice").await;
    let before = caller.copy();
    caller.post("/logout-others").await.is(204);
    twins.refused(&alice, Rejected::SubjectEnded).await;
    twins.refused(&before, Rejected::Superseded).await;
    twins.cache(&caller).await;
    twins.counts(&caller).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_a_logout_of_everyone() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    let other = twins.browser();
    other.post("/login/bob").await.is(200);
    other.post("/logout-everyone").await.is(204);
    twins.refused(&alice, Rejected::EveryoneEnded).await;
}

#[actix_web::test]
async fn a_cached_session_ends_by_the_operators_order() {
    let twins = Twins::start().await;
    let alice = twins.cached("/login/alice").await;
    twins.clock.advance(SECOND);
    let order = format!("everyone_before = \"{}\"", twins.clock.now());
    twins.clock.advance(SECOND);
    twins.keys((&[1], &[]), &order);
    twins.gone(&alice, Rejected::EveryoneEnded).await;
    // The token is authentic, so the node caches it now. It still refuses it.
    twins.alike(&alice).await;
    twins.refused(&alice, Rejected::EveryoneEnded).await;
    let bob = twins.cached("/login/bob").await;
    twins.counts(&bob).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_its_group() {
    let twins = Twins::start().await;
    let member = twins.cached("/member/acme/alice").await;
    let stranger = twins.cached("/member/other/alice").await;
    twins.opens.end_group("org", "acme").await.unwrap();
    twins.refused(&member, Rejected::GroupEnded).await;
    twins.counts(&stranger).await;
}

#[actix_web::test]
async fn a_cached_session_only_reads_in_a_renewals_grace_and_then_ends() {
    let twins = Twins::start().await;
    let renewed = twins.cached("/login/alice").await;
    let before = renewed.copy();
    renewed.post("/renew").await.is(200);
    twins.only_reads(&before).await;
    twins.cache(&renewed).await;
    twins.clock.advance(10 * SECOND);
    twins.refused(&before, Rejected::Superseded).await;
    twins.clock.advance(3 * MINUTE);
    twins.refused(&before, Rejected::Superseded).await;
    twins.counts(&renewed).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_a_renewal_that_has_no_grace() {
    let change = lifetimes(|it| it.renew_grace = Duration::ZERO);
    let twins = Twins::with(change).await;
    let renewed = twins.cached("/login/alice").await;
    let before = renewed.copy();
    renewed.post("/renew").await.is(200);
    twins.refused(&before, Rejected::Superseded).await;
    twins.cache(&renewed).await;
    twins.counts(&renewed).await;
}

#[actix_web::test]
async fn a_cached_session_ends_with_a_login_over_it() {
    let twins = Twins::start().await;
    let browser = twins.cached("/login/alice").await;
    let before = browser.copy();
    browser.post("/login/bob").await.is(200);
    twins.refused(&before, Rejected::Succeeded).await;
    twins.clock.advance(3 * MINUTE);
    twins.refused(&before, Rejected::Succeeded).await;
    twins.cache(&browser).await;
    twins.counts(&browser).await;
}

#[actix_web::test]
async fn a_cached_session_of_nobody_ends_by_a_purge_or_when_ends_from_before_are_dropped() {
    let mut twins = Twins::with(|builder| builder.anonymous_capacity(1)).await;
    twins.page = "/entries/a";
    let mut all = Vec::new();
    for _ in 0..4 {
        let browser = twins.browser();
        browser.put("/entries/a", json!(1)).await.is(204);
        twins.cache(&browser).await;
        twins.clock.advance(SECOND);
        all.push(browser);
    }
    all[3].copy().post("/purge").await.is(204);
    for (number, browser) in all.iter().enumerate() {
        let status = if number == 3 { 404 } else { 200 };
        assert_eq!(twins.found(browser).await.0, status);
    }
    // There is room for one end, so these two and all that began before them go.
    for browser in &all[1..3] {
        browser.copy().post("/purge").await.is(204);
    }
    twins.clock.advance(MINUTE);
    for browser in &all {
        assert_eq!(twins.found(browser).await.0, 404);
        assert_eq!(twins.rejected(browser), Some(Rejected::Ended));
    }
}

#[actix_web::test]
async fn a_cached_session_is_none_to_another_client_and_counts_to_its_own() {
    let mut twins = Twins::with(|builder| {
        let mut settings = ClientSettings::default();
        settings.binding = ClientBinding::Reject;
        builder.client(settings)
    })
    .await;
    let alice = twins.cached("/login/alice").await;
    for _ in 0..2 {
        twins.agent = "another";
        twins.refused(&alice, Rejected::ClientChanged).await;
        twins.agent = "hers";
        twins.counts(&alice).await;
    }
}

#[actix_web::test]
async fn a_cached_session_is_not_judged_while_the_list_is_stale() {
    let clock = ManualClock::default();
    let shared = log(&clock);
    let stores = [(); 2].map(|()| Faulty::new(shared.clone()));
    let twins = Twins::on(clock, stores.clone().map(Into::into), |it| it).await;
    let alice = twins.cached("/login/alice").await;
    for store in &stores {
        store.deafen().await;
    }
    twins.clock.advance(11 * SECOND);
    assert_eq!(twins.found(&alice).await, (503, 503));
    for store in &stores {
        store.set(Mode::Up);
    }
    for node in [0, 1] {
        eventually(|| async { twins.get(node, &alice).await.status == 200 }).await;
    }
    twins.counts(&alice).await;
}

/// Its session could not be sealed again by the key that seals from then on: it passed through too many.
#[actix_web::test]
async fn a_cached_session_ends_when_one_key_too_many_begins_to_seal() {
    let begin = ManualClock::default().now();
    let random = Repeatable::new(3);
    let ring = (0..18).fold(KeyRing::builder(), |ring, number: u32| {
        let secret = Secret::generate(&random).unwrap();
        ring.key(secret, begin + number * MINUTE, None)
    });
    let ring = ring.build().unwrap();
    let twins = Twins::with(|builder| builder.keys(ring.clone())).await;
    let alice = twins.cached("/login/alice").await;
    for _ in 0..16 {
        twins.clock.advance(MINUTE);
        alice.put("/entries/a", json!(1)).await.is(204);
    }
    twins.cache(&alice).await;
    twins.counts(&alice).await;
    twins.clock.advance(MINUTE);
    twins.refused(&alice, Rejected::TooManyKeys).await;
    twins.clock.advance(MINUTE);
    twins.refused(&alice, Rejected::TooManyKeys).await;
}
