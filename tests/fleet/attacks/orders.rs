//! An operator who ends everyone's sessions, as after a restored backup, and nodes that know better.

use sealed_session::revoke::{ReplicatedLog, Store, Target};

use super::losses::CutOff;
use super::{complete_since, node, node_on, open, remembered, status};
use support::faulty::{Call, Faulty, Mode};
use support::redis_server::RedisServer;
use support::{Browser, Node, SECOND, eventually};

/// Ends everyone's sessions, with a tool that is no node.
async fn order(log: impl ReplicatedLog) {
    let raised = Store::shared(log).raise(Target::Everyone).await;
    raised.unwrap();
}

/// From here on the node refuses the browser.
async fn obeys(node: &Node, browser: &Browser) {
    eventually(|| async { status(browser, node).await == 401 }).await;
}

#[actix_web::test]
async fn no_attestation_undoes_what_an_operator_ordered() {
    let server = RedisServer::start();
    let node = node(&server).await;
    let browser = remembered(&node, "erin").await;
    let store = open(&server);
    let state = store.snapshot(&mut |_| {}).await.unwrap().state;
    order(open(&server)).await;
    let since = state.complete_since;
    let attested = store.attest(state.incarnation, since).await.unwrap();
    assert_eq!(attested.unwrap().complete_since, since);
    obeys(&node, &browser).await;

    // A node that attests to a list which was begun anew.
    server.command(&["FLUSHALL"]).ok();
    let again = remembered(&node, "erin").await;
    order(open(&server)).await;
    obeys(&node, &again).await;
    eventually(|| async { complete_since(&open(&server)).await == since }).await;
    for browser in [&browser, &again] {
        assert_eq!(status(browser, &node).await, 401);
    }
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
    order(open(&server)).await;
    obeys(&node, &browser).await;
    store.hold_snapshots(false);
    for _ in 0..30 {
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(status(&browser, &node).await, 401);
    }
    assert_eq!(store.restored(), 0, "the store had it");
}

/// The store that was told is lost, and who was cut off meanwhile has not heard of the order.
#[actix_web::test]
async fn no_node_that_missed_it_undoes_what_an_operator_ordered() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    fleet.cut_the_second_off().await;
    order(fleet.server.clone()).await;
    obeys(fleet.node(0), &browser).await;
    fleet.clock.advance(5 * SECOND);
    let empty = fleet.empty_store(0);
    fleet.connection(1).replace(empty.clone());
    let before = fleet.node(0).sessions.health().complete_since;
    eventually(|| async { complete_since(&empty).await == before }).await;
    fleet.clock.advance(SECOND);
    fleet.connection(1).set_call(Call::Follow, Mode::Up);
    for _ in 0..6 {
        tokio::time::sleep(SECOND).await;
        fleet.clock.advance(8 * SECOND);
        assert_ne!(status(&browser, fleet.node(1)).await, 200);
    }
    for number in 0..2 {
        obeys(fleet.node(number), &browser).await;
    }
}

/// The order was among the news that it missed, and it cannot attest yet.
#[actix_web::test]
async fn no_node_that_would_attest_to_a_time_before_it_misses_what_an_operator_ordered() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    fleet.connection(0).set(Mode::Down);
    fleet.connection(1).set_call(Call::Publish, Mode::Down);
    let empty = fleet.empty_store(1);
    eventually(|| fleet.connection(1).follows(&empty)).await;
    let node = fleet.node(1);
    let before = node.sessions.health().complete_since;
    assert!(before < complete_since(&empty).await);
    fleet.clock.advance(SECOND);
    order(empty.clone()).await;
    obeys(node, &browser).await;
    fleet.connection(1).set(Mode::Up);
    let attested = || async {
        fleet.clock.advance(SECOND / 20);
        complete_since(&empty).await == before
    };
    eventually(attested).await;
    assert_eq!(status(&browser, node).await, 401);
}
