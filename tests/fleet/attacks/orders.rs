//! What an operator ordered, and nodes that know better.

use sealed_session::revoke::RevocationStore;

use super::losses::CutOff;
use super::{born, node, node_on, open, remembered, status};
use common::faulty::{Call, Faulty, Mode};
use common::redis_server::RedisServer;
use common::{DAY, SECOND, eventually};

#[actix_web::test]
async fn no_vouch_undoes_what_an_operator_ordered() {
    let server = RedisServer::start();
    let store = open(&server);
    store.announce(DAY).await.unwrap();
    let end = store.snapshot(&mut |_| {}).await.unwrap();
    tokio::time::sleep(SECOND / 10).await;
    let ordered = store.reborn().await.unwrap();
    let vouched = store.vouch(end.position.epoch, end.born).await.unwrap();
    assert_eq!(vouched, Some(ordered));
    assert_eq!(born(&open(&server)).await, ordered);

    // A node that would vouch for a list which was begun anew.
    let node = node(&server).await;
    let browser = remembered(&node, "erin").await;
    assert_eq!(node.sessions.health().born, ordered);
    server.command(&["FLUSHALL"]).ok();
    let ordered = open(&server).reborn().await.unwrap();
    eventually(|| async { node.sessions.health().born == ordered }).await;
    assert_ne!(status(&browser, &node).await, 200);
}

#[actix_web::test]
async fn no_comparison_that_began_before_undoes_what_an_operator_ordered() {
    let server = RedisServer::start();
    let store = Faulty::around(open(&server));
    let node = node_on(store.clone()).await;
    let browser = remembered(&node, "erin").await;
    store.hold_snapshots(true);
    store.fail_once();
    eventually(|| async { store.snapshots() == 2 }).await;
    let ordered = open(&server).reborn().await.unwrap();
    eventually(|| async { node.sessions.health().born == ordered }).await;
    store.hold_snapshots(false);
    for _ in 0..30 {
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(node.sessions.health().born, ordered);
    }
    assert_ne!(status(&browser, &node).await, 200);
}

/// The store that was told is lost. Whoever knows of it vouches first, and that word counts.
#[actix_web::test]
async fn no_node_that_missed_it_undoes_what_an_operator_ordered() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    fleet.cut_the_second_off().await;
    let ordered = fleet.server.reborn().await.unwrap();
    eventually(|| async { fleet.node(0).sessions.health().born == ordered }).await;
    fleet.clock.advance(5 * SECOND);
    let empty = fleet.empty_store(0);
    fleet.connection(1).replace(&empty);
    eventually(|| async { born(&*empty).await == ordered }).await;
    fleet.clock.advance(SECOND);
    fleet.connection(1).set_call(Call::Follow, Mode::Up);
    for _ in 0..6 {
        tokio::time::sleep(SECOND).await;
        fleet.clock.advance(8 * SECOND);
    }
    assert!(born(&*empty).await >= ordered);
    for number in 0..2 {
        assert_ne!(status(&browser, fleet.node(number)).await, 200);
    }
}

/// The order was among the news that it missed, and it cannot vouch yet.
#[actix_web::test]
async fn no_node_that_would_vouch_for_a_time_before_it_misses_what_an_operator_ordered() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    fleet.connection(0).set(Mode::Down);
    fleet.connection(1).set_call(Call::Publish, Mode::Down);
    let empty = fleet.empty_store(1);
    eventually(|| fleet.connection(1).follows(&*empty)).await;
    let node = fleet.node(1);
    assert!(node.sessions.health().born < born(&*empty).await);
    fleet.clock.advance(SECOND);
    let ordered = empty.reborn().await.unwrap();
    eventually(|| async { node.sessions.health().born == ordered }).await;
    assert_ne!(status(&browser, node).await, 200);
}
