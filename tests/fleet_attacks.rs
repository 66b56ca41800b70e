//! What someone with a copied cookie could make of stores that forget, of clocks that are wrong and of nodes
//! that were cut off.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::faulty::{Call, Faulty, Mode};
use common::moved_clock::MovedClock;
use common::redis_server::RedisServer;
use common::{Browser, DAY, MINUTE, Node, SECOND, eventually, memory};
use futures_util::future::join_all;
use sealed_session::revoke::{Reach, RevocationStore};
use sealed_session::store::Redis;
use sealed_session::testing::ManualClock;
use sealed_session::{CookieSettings, Sessions, SubjectKey, UnixMillis};
use serde_json::json;

const LIST: &str = "l";

fn open(server: &RedisServer) -> Redis {
    Redis::open(server.url(), LIST).unwrap()
}

/// A node on the list. A session must be younger than the list to count in it.
async fn node(server: &RedisServer) -> Node {
    let builder = Sessions::builder("test")
        .keys(common::ring())
        .store(Arc::new(open(server)))
        .cookie(CookieSettings::plain_http());
    let node = Node::serve(ManualClock::default(), builder).await;
    tokio::time::sleep(SECOND / 10).await;
    node
}

async fn remembered(node: &Node, user: &str) -> Browser {
    let browser = node.browser();
    browser.post(&format!("/remember/{user}")).await.is(200);
    browser
}

async fn status(browser: &Browser, node: &Node) -> u16 {
    browser.copy().at(node).get("/me").await.status
}

async fn born(server: &RedisServer) -> UnixMillis {
    let nobody = SubjectKey::from_bytes([0; 16]);
    open(server).read(nobody).await.unwrap().born
}

/// A store that lost everything has lost how long it has to remember, too.
#[actix_web::test]
async fn a_raise_that_reaches_a_store_which_lost_everything_is_kept() {
    let server = RedisServer::start();
    let node = node(&server).await;
    let browser = remembered(&node, "alice").await;
    let stolen = browser.copy();
    let before = node.sessions.health().born;
    server.command(&["FLUSHALL"]).ok();
    browser.post("/logout-all").await.is(204);
    node.sessions.sweep().await.unwrap();
    assert_eq!(status(&stolen, &node).await, 401);
    eventually(|| async { born(&server).await == before }).await;
    node.sessions.sweep().await.unwrap();
    assert_eq!(status(&stolen, &node).await, 401);
}

/// The same where the raise waited for the store to come back.
#[actix_web::test]
async fn a_raise_that_waited_for_a_store_which_lost_everything_is_kept() {
    let server = RedisServer::start();
    let (node, other) = (node(&server).await, node(&server).await);
    let browser = remembered(&node, "alice").await;
    let stolen = browser.copy();
    let before = node.sessions.health().born;
    server.kill();
    browser.post("/logout-all").await.is(503);
    server.restart_empty();
    eventually(|| async { node.sessions.health().outstanding == 0 }).await;
    for swept in [&other, &node] {
        let _ = swept.sessions.sweep().await;
    }
    eventually(|| async { born(&server).await == before }).await;
    for node in [&node, &other] {
        eventually(|| async { status(&stolen, node).await == 401 }).await;
    }
}

#[actix_web::test]
async fn a_raise_by_a_server_whose_clock_is_far_behind_is_kept() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = RedisServer::under(&clock);
    let node = node(&server).await;
    let browser = remembered(&node, "carol").await;
    let stolen = browser.copy();
    clock.set(-40 * 24 * 3_600_000);
    tokio::time::sleep(3 * SECOND).await;
    let acknowledged = browser.post("/logout-all").await.status == 204;
    clock.set(0);
    tokio::time::sleep(2 * SECOND).await;
    let _ = node.sessions.sweep().await;
    let refused = status(&stolen, &node).await == 401;
    assert!(refused || !acknowledged);
}

/// It began with a server that is half a minute behind, which is tolerated: what it hands out is below what
/// the lost one did.
#[actix_web::test]
async fn a_session_is_below_the_generation_that_it_raised() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = RedisServer::under(&clock);
    let first = node(&server).await;
    remembered(&first, "grace")
        .await
        .post("/logout-all")
        .await
        .is(204);
    let again = remembered(&first, "grace").await;
    let copy = again.copy();
    first.stop().await;
    server.kill();
    clock.set(-30_000);
    server.restart_empty();
    let second = node(&server).await;
    let acknowledged = again.at(&second).post("/logout-all").await.status == 204;
    assert!(!acknowledged || status(&copy, &second).await != 200);
}

/// What was dropped under a clock that was ahead may still be needed.
#[actix_web::test]
async fn a_list_that_was_swept_in_the_future_vouches_for_nothing() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = RedisServer::under(&clock);
    let first = node(&server).await;
    let browser = remembered(&first, "bob").await;
    let stolen = browser.copy();
    browser.post("/logout").await.is(204);
    first.stop().await;
    clock.set(31 * 24 * 3_600_000);
    assert_eq!(open(&server).sweep().await.unwrap(), 1);
    clock.set(0);
    let second = node(&server).await;
    assert_eq!(status(&stolen, &second).await, 503);
}

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
    assert_eq!(born(&server).await, ordered);

    // A node that would vouch for a list which was begun anew.
    let node = node(&server).await;
    let browser = remembered(&node, "erin").await;
    assert_eq!(node.sessions.health().born, ordered);
    server.command(&["FLUSHALL"]).ok();
    let ordered = open(&server).reborn().await.unwrap();
    eventually(|| async { node.sessions.health().born == ordered }).await;
    assert_ne!(status(&browser, &node).await, 200);
}

/// Today that takes someone who writes into the list; a later release will know values that this one does
/// not.
#[actix_web::test]
async fn a_logout_over_an_entry_that_is_not_understood_is_told_to_everyone() {
    let server = RedisServer::start();
    let (here, there) = (node(&server).await, node(&server).await);
    let browser = here.browser();
    let login = browser.post("/remember/dave").await;
    let id: sealed_session::SessionId = login.json().as_str().unwrap().parse().unwrap();
    let stolen = browser.copy();
    let client = redis::Client::open(server.url()).unwrap();
    let mut command = redis::cmd("HSET");
    command.arg(format!("sealed-session:{{{LIST}}}:sessions"));
    command.arg(id.as_bytes()).arg(b"\x02later release");
    command.exec(&mut client.get_connection().unwrap()).unwrap();
    browser.post("/logout").await.is(204);
    eventually(|| async { status(&stolen, &there).await == 401 }).await;
}

/// Two nodes. The second is cut off while the first goes on; then the store is lost, which the first was
/// in touch with until the end.
struct CutOff {
    clock: ManualClock,
    nodes: Vec<(Arc<Faulty>, Node)>,
}

impl CutOff {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let server = memory(&clock);
        clock.advance(SECOND);
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let store = Faulty::new(server.clone(), Reach::Network);
            let node = Node::on(&clock, store.clone()).await;
            nodes.push((store, node));
        }
        Self { clock, nodes }
    }

    fn node(&self, number: usize) -> &Node {
        &self.nodes[number].1
    }

    async fn cut_the_second_off(&self) {
        self.nodes[1].0.set_call(Call::Follow, Mode::Down);
        tokio::time::sleep(SECOND / 20).await;
        self.clock.advance(MINUTE);
        let first = || self.node(0).sessions.health();
        eventually(|| async { first().staleness.is_zero() }).await;
    }

    async fn lose_the_store(&self) {
        self.nodes[0].0.set_call(Call::Follow, Mode::Down);
        tokio::time::sleep(SECOND / 20).await;
        self.clock.advance(5 * SECOND);
        let server = memory(&self.clock);
        for (store, _) in &self.nodes {
            store.replace(&server);
            store.set_call(Call::Follow, Mode::Up);
        }
    }
}

#[actix_web::test]
async fn a_node_that_was_cut_off_serves_nobody_until_the_others_have_given_everything_back() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    assert_eq!(status(&stolen, fleet.node(1)).await, 200);
    fleet.cut_the_second_off().await;
    browser.post("/logout").await.is(204);
    fleet.lose_the_store().await;
    let refused = || async {
        let seen = status(&stolen, fleet.node(1)).await;
        assert_ne!(seen, 200);
        seen == 401
    };
    eventually(refused).await;
    assert_eq!(status(&stolen, fleet.node(0)).await, 401);
}

#[actix_web::test]
async fn nobody_outlives_a_logout_that_the_store_has_lost() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    let thief = browser.copy().at(fleet.node(1));
    thief.get("/me").await.is(200);
    fleet.cut_the_second_off().await;
    browser.post("/logout-all").await.is(204);
    fleet.lose_the_store().await;
    for _ in 0..200 {
        assert_ne!(thief.post("/logout-others").await.status, 204);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for number in 0..2 {
        let node = fleet.node(number);
        eventually(|| async { status(&thief, node).await == 401 }).await;
    }
}

/// Sessions of visitors cost nothing. Whoever logs out shares the way to the store with them.
#[actix_web::test]
async fn visitors_can_not_crowd_out_those_who_log_out() {
    let clock = ManualClock::default();
    let store = Faulty::new(memory(&clock), Reach::Network);
    clock.advance(SECOND);
    let node = Node::on(&clock, store.clone()).await;
    let user = node.browser();
    user.post("/login/alice").await.is(200);
    let mut visitors = Vec::new();
    for _ in 0..70 {
        let visitor = node.browser();
        visitor.put("/entries/a", json!(1)).await.is(204);
        visitors.push(visitor);
    }
    store.set_call(Call::Publish, Mode::Hanging);
    let all = visitors.iter().map(|visitor| visitor.post("/purge"));
    let all = async { join_all(all).await };
    let meanwhile = async {
        eventually(|| async { store.waiting() == 64 }).await;
        let logout = user.post("/logout");
        let let_through = async {
            eventually(|| async { store.waiting() == 65 }).await;
            store.set(Mode::Up);
        };
        futures_util::join!(logout, let_through).0
    };
    let (answers, logout) = futures_util::join!(all, meanwhile);
    logout.is(204);
    let refused = answers.iter().filter(|answer| answer.status == 503);
    assert_eq!(refused.count(), 70 - 64);
}
