//! Nodes whose lifetimes differ, or have changed.
#![allow(clippy::unwrap_used)]

use sealed_session::revoke::{SessionId, WhenStale};
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::{
    SessionsBuilder,
    settings::Lifetimes,
    time::{Class, Clock, Limits},
};
use support::{Browser, DAY, HOUR, MINUTE, Node, SECOND, builder, eventually, log, with};

fn limits(absolute: std::time::Duration) -> Lifetimes {
    with(Lifetimes::default(), |lifetimes| {
        lifetimes.standard = Limits::new(absolute, absolute);
        lifetimes.remembered = lifetimes.standard;
    })
}

/// Of a node whose clock moves faster than news do.
fn patient(clock: &ManualClock, log: &MemoryLog) -> SessionsBuilder {
    builder(clock, log.clone()).when_stale(WhenStale::Accept, 10 * SECOND)
}

#[actix_web::test]
async fn a_shortened_limit_works_at_once_and_a_longer_one_does_not() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let node = Node::serve(clock.clone(), patient(&clock, &log)).await;
    let with = |absolute| {
        Node::serve(
            clock.clone(),
            patient(&clock, &log).lifetimes(limits(absolute)),
        )
    };
    let (strict, lax) = (with(HOUR).await, with(30 * DAY).await);
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    clock.advance(HOUR / 2);
    browser.get("/me").await.is(200);
    clock.advance(HOUR / 2);
    browser.copy().at(&strict).get("/me").await.is(401);
    browser.get("/me").await.is(200);
    for _ in 0..45 {
        clock.advance(HOUR / 2);
        browser.get("/me").await.is(200);
        browser.copy().at(&lax).get("/me").await.is(200);
    }
    clock.advance(HOUR / 2);
    browser.copy().at(&lax).get("/me").await.is(401);
    assert_eq!(Lifetimes::default().of(Class::Standard).absolute, DAY);
}

#[actix_web::test]
async fn a_node_with_short_limits_remembers_what_concerns_its_neighbours_sessions() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let with = |absolute| {
        Node::serve(
            clock.clone(),
            patient(&clock, &log).lifetimes(limits(absolute)),
        )
    };
    let (short, long) = (with(HOUR).await, with(30 * DAY).await);
    // The node with the short limits has to hear of the long ones first.
    let ids: Vec<(Browser, SessionId)> = {
        let mut ids = Vec::new();
        for user in ["alice", "bob", "carol"] {
            let browser = long.browser();
            let login = browser.post(&format!("/login/{user}")).await.is(200);
            ids.push((browser, login.json().as_str().unwrap().parse().unwrap()));
        }
        ids
    };
    let news = SessionId::from_bytes([9; 16]);
    long.sessions.end_session(news).await.unwrap();
    eventually(|| async { short.sessions.health().entries == 1 }).await;
    short.sessions.end_session(ids[0].1).await.unwrap();
    short.sessions.end_subject("bob").await.unwrap();
    let carol = ids[2].0.copy().at(&short);
    carol.post("/logout").await.is(204);
    for _ in 0..29 {
        clock.advance(DAY);
        for node in [&short, &long] {
            node.sessions.sweep().await.unwrap();
        }
    }
    let late = with(30 * DAY).await;
    for (browser, _) in &ids {
        for node in [&long, &late] {
            browser.copy().at(node).get("/me").await.is(401);
        }
    }
}

/// The clock of a node may be a minute off.
#[actix_web::test]
async fn nothing_is_swept_while_a_cookie_could_live_by_any_clock() {
    for everywhere in [false, true] {
        let clock = ManualClock::default();
        let log = log(&clock);
        let off = MINUTE - SECOND;
        let clocks = [clock.now() + off, clock.now().minus(off)].map(ManualClock::new);
        let pass = |by| {
            clock.advance(by);
            clocks.iter().for_each(|each| each.advance(by));
        };
        let start = async |clock: &ManualClock| {
            let builder = patient(clock, &log).lifetimes(limits(HOUR));
            Node::serve(clock.clone(), builder).await
        };
        let (ahead, behind) = (start(&clocks[0]).await, start(&clocks[1]).await);
        let (living, ended) = (ahead.browser(), ahead.browser());
        living.post("/login/bob").await.is(200);
        ended.post("/login/alice").await.is(200);
        let stolen = ended.copy();
        match everywhere {
            false => drop(ended.post("/logout").await.is(204)),
            // Where the end is remembered for the shortest time.
            true => behind.sessions.end_subject("alice").await.unwrap(),
        }
        for node in [&ahead, &behind] {
            eventually(|| async { node.sessions.health().entries == 1 }).await;
        }
        // The last second of both cookies by the clock that is behind.
        pass(HOUR + off - SECOND);
        for node in [&ahead, &behind] {
            // Where a node has not heard of the store's new time yet, it sweeps nothing.
            eventually(|| async { node.sessions.sweep().await.is_ok() }).await;
        }
        let late = start(&clocks[1]).await;
        for node in [&behind, &late] {
            living.copy().at(node).get("/me").await.is(200);
            stolen.copy().at(node).get("/me").await.is(401);
        }
        // They have ended by every clock, and nobody remembers anything.
        pass(5 * MINUTE);
        for node in [&ahead, &behind, &late] {
            eventually(|| async {
                node.sessions.sweep().await.is_ok() && node.sessions.health().entries == 0
            })
            .await;
        }
    }
}
