//! Stores that lose what they held, and nodes that were cut off meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sealed_session::revoke::{Announcement, Purpose, ReplicatedLog};
use sealed_session::store::Redis;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::{
    store::StoreError,
    time::{Clock, SystemClock},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{LIST, complete_since, node, node_on, open, remembered, status};
use support::faulty::{Call, Faulty, Mode};
use support::redis_server::RedisServer;
use support::{DAY, MINUTE, Node, SECOND, ended, eventually, log};

/// A store that lost everything has lost how long it has to remember, too.
#[actix_web::test]
async fn a_raise_that_reaches_a_store_which_lost_everything_is_kept() {
    let server = RedisServer::start();
    let node = node(&server).await;
    let browser = remembered(&node, "alice").await;
    let stolen = browser.copy();
    let before = node.sessions.health().complete_since;
    server.command(&["FLUSHALL"]).ok();
    browser.post("/logout-all").await.is(204);
    node.sessions.sweep().await.unwrap();
    assert_eq!(status(&stolen, &node).await, 401);
    eventually(|| async { complete_since(&open(&server)).await == before }).await;
    node.sessions.sweep().await.unwrap();
    assert_eq!(status(&stolen, &node).await, 401);
}

/// Here the raise waited for the store to come back.
#[actix_web::test]
async fn a_raise_that_waited_for_a_store_which_lost_everything_is_kept() {
    let server = RedisServer::start();
    let (node, other) = (node(&server).await, node(&server).await);
    let browser = remembered(&node, "alice").await;
    let stolen = browser.copy();
    let before = node.sessions.health().complete_since;
    server.kill();
    browser.post("/logout-all").await.is(503);
    server.restart_empty();
    eventually(|| async { node.sessions.health().outstanding == 0 }).await;
    for swept in [&other, &node] {
        let _ = swept.sessions.sweep().await;
    }
    eventually(|| async { complete_since(&open(&server)).await == before }).await;
    for node in [&node, &other] {
        eventually(|| async { status(&stolen, node).await == 401 }).await;
    }
}

/// Two nodes. The second is cut off while the first goes on; then the store is lost, which the first was
/// in touch with until the end.
pub struct CutOff {
    pub clock: ManualClock,
    /// The first store.
    pub server: MemoryLog,
    nodes: Vec<(Faulty, Node)>,
}

impl CutOff {
    pub async fn start() -> Self {
        let clock = ManualClock::default();
        let server = log(&clock);
        clock.advance(SECOND);
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let store = Faulty::new(server.clone());
            nodes.push((store.clone(), Node::on(&clock, store).await));
        }
        Self {
            clock,
            server,
            nodes,
        }
    }

    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number].1
    }

    pub fn connection(&self, number: usize) -> &Faulty {
        &self.nodes[number].0
    }

    /// The node's store is lost, and an empty one in its place.
    pub fn empty_store(&self, number: usize) -> MemoryLog {
        let empty = MemoryLog::new(Arc::new(self.clock.clone()));
        self.connection(number).replace(empty.clone());
        empty
    }

    pub async fn cut_the_second_off(&self) {
        self.connection(1).deafen().await;
        self.clock.advance(MINUTE);
        let first = || self.node(0).sessions.health();
        eventually(|| async { first().staleness.is_zero() }).await;
    }

    /// An empty one is in its place, which is returned.
    async fn lose_the_store(&self) -> MemoryLog {
        self.connection(0).deafen().await;
        self.clock.advance(5 * SECOND);
        let server = MemoryLog::new(Arc::new(self.clock.clone()));
        for (store, _) in &self.nodes {
            store.replace(server.clone());
            store.set_call(Call::Follow, Mode::Up);
        }
        server
    }
}

/// How many revocations a store holds.
async fn stored(store: &MemoryLog) -> usize {
    let mut all = 0;
    let end = store.snapshot(&mut |batch| all += batch.len()).await;
    end.unwrap();
    all
}

#[actix_web::test]
async fn a_node_that_was_cut_off_serves_nobody_until_the_others_have_restored_everything() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    assert_eq!(status(&stolen, fleet.node(1)).await, 200);
    fleet.cut_the_second_off().await;
    browser.post("/logout").await.is(204);
    let empty = fleet.lose_the_store().await;
    let seen = async || {
        let seen = status(&stolen, fleet.node(1)).await;
        assert_ne!(seen, 200);
        seen
    };
    // The others restore in real time, and the node waits by its clock.
    eventually(|| async { seen().await == 503 && stored(&empty).await == 1 }).await;
    fleet.clock.advance(31 * SECOND);
    eventually(|| async { seen().await == 401 }).await;
    eventually(|| async { status(&stolen, fleet.node(0)).await == 401 }).await;
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
    let empty = fleet.lose_the_store().await;
    for _ in 0..200 {
        assert_ne!(thief.post("/logout-others").await.status, 204);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eventually(|| async { stored(&empty).await == 1 }).await;
    fleet.clock.advance(31 * SECOND);
    for number in 0..2 {
        let node = fleet.node(number);
        eventually(|| async { status(&thief, node).await == 401 }).await;
    }
}

/// As above, but the store dies once more before that node has heard anything.
#[actix_web::test]
async fn a_second_loss_makes_no_node_forget_that_it_was_cut_off() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    fleet.cut_the_second_off().await;
    browser.post("/logout").await.is(204);
    // The first node is not back yet.
    fleet.connection(0).set(Mode::Down);
    fleet.connection(1).no_news(true);
    let empty = fleet.empty_store(1);
    fleet.connection(1).set_call(Call::Follow, Mode::Up);
    eventually(|| fleet.connection(1).follows(&empty)).await;
    fleet.clock.advance(2 * SECOND);
    drop(empty);
    let again = fleet.empty_store(1);
    let began = again.state().complete_since;
    fleet.connection(1).no_news(false);
    for _ in 0..30 {
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(status(&stolen, fleet.node(1)).await, 503);
    }
    assert_eq!(fleet.node(1).sessions.health().lacking, 0);
    assert_eq!(complete_since(&again).await, began, "it attests nothing");
}

async fn two_losses(away: Duration, between: Duration) {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/remember/alice").await.is(200);
    for _ in 0..2 {
        for number in 0..2 {
            fleet.connection(number).deafen().await;
        }
        fleet.clock.advance(away);
        let empty = MemoryLog::new(Arc::new(fleet.clock.clone()));
        for number in 0..2 {
            fleet.connection(number).replace(empty.clone());
            fleet.connection(number).set_call(Call::Follow, Mode::Up);
        }
        for number in 0..2 {
            eventually(|| fleet.connection(number).follows(&empty)).await;
        }
        fleet.clock.advance(between);
        for number in 0..2 {
            eventually(|| async { status(&browser, fleet.node(number)).await == 200 }).await;
        }
    }
}

/// Nodes that held everything through both are believed.
#[actix_web::test]
async fn two_losses_one_after_the_other_log_nobody_out() {
    two_losses(5 * SECOND, Duration::ZERO).await;
}

/// Nobody is fresh then, and each store has to settle.
#[actix_web::test]
async fn two_long_losses_with_time_to_settle_in_between_log_nobody_out() {
    two_losses(12 * SECOND, 31 * SECOND).await;
}

/// Where a comparison is under way, it may be one with the server that was lost.
#[actix_web::test]
async fn a_connection_that_is_lost_during_a_comparison_asks_for_another() {
    let server = RedisServer::start();
    let store = Faulty::around(open(&server));
    let _node = node_on(store.clone()).await;
    store.hold_snapshots(true);
    store.fail_once();
    eventually(|| async { store.snapshots() == 2 }).await;
    store.fail_once();
    eventually(|| async { store.snapshots() == 3 }).await;
}

/// Forwards connections, but nothing on the first `dead` of them.
async fn gateway(port: u16, dead: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 1.. {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            for (mut from, mut to) in [(from_client, to_server), (from_server, to_client)] {
                let dead = dead.clone();
                tokio::spawn(async move {
                    let mut bytes = [0; 65_536];
                    while let Ok(length @ 1..) = from.read(&mut bytes).await {
                        if number > dead.load(SeqCst) {
                            let _ = to.write_all(&bytes[..length]).await;
                        }
                    }
                });
            }
        }
    });
    own
}

/// It says nothing at all, as when the machine behind it is gone.
#[tokio::test]
async fn a_connection_for_writing_that_is_dead_is_made_anew() {
    let server = RedisServer::start();
    let dead = Arc::new(AtomicUsize::new(0));
    let port = gateway(server.port(), dead.clone()).await;
    let store = Redis::options(format!("redis://127.0.0.1:{port}"), LIST)
        .wait_for_replicas(1)
        .open()
        .unwrap();
    let now = SystemClock::default().now();
    let ended = [ended(9, now, now + MINUTE)];
    // As long as a node waits.
    let tell = || tokio::time::timeout(3 * SECOND, store.publish(&ended, Purpose::Revoke));
    let alone = StoreError::NotReplicated {
        wanted: 1,
        acknowledged: 0,
    };
    assert_eq!(tell().await.unwrap().map(drop), Err(alone.clone()));
    dead.store(1, SeqCst);
    let silent = tell().await;
    assert!(silent.is_ok_and(|outcome| outcome.is_err_and(|error| error != alone)));
    assert_eq!(tell().await.unwrap().map(drop), Err(alone));
}

/// It can take longer than a list may be old.
#[actix_web::test]
async fn a_long_comparison_keeps_nobody_waiting_for_news() {
    let server = RedisServer::start();
    let other = node(&server).await;
    let store = Faulty::around(open(&server));
    let node = node_on(store.clone()).await;
    let browser = remembered(&other, "frank").await;
    let stolen = browser.copy();
    store.hold_snapshots(true);
    store.fail_once();
    eventually(|| async { store.snapshots() == 2 }).await;
    let began = Instant::now();
    browser.post("/logout").await.is(204);
    eventually(|| async { status(&stolen, &node).await == 401 }).await;
    // The list was complete since.
    let staleness = || node.sessions.health().staleness;
    eventually(|| async { staleness() + SECOND < began.elapsed() }).await;
    // What was told meanwhile is not taken for something that the store lacks.
    store.hold_snapshots(false);
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(store.snapshots(), 2);
    assert_eq!(store.restored(), 0);
}

/// What the store said last may be overtaken by what was restored since: only what it says now counts.
#[actix_web::test]
async fn a_node_that_was_cut_off_waits_until_the_store_itself_says_that_it_has_settled() {
    let fleet = CutOff::start().await;
    let browser = fleet.node(0).browser();
    browser.post("/login/alice").await.is(200);
    let here = browser.copy();
    fleet.cut_the_second_off().await;
    fleet.connection(0).set(Mode::Down);
    let empty = fleet.empty_store(1);
    // Announcing would be news for which everything is loaded once more.
    empty
        .announce(Announcement::new(400 * DAY, 500_000, 5 * MINUTE))
        .await
        .unwrap();
    fleet.connection(1).state_untold(true);
    fleet.connection(1).set_call(Call::Follow, Mode::Up);
    eventually(|| fleet.connection(1).follows(&empty)).await;
    fleet.clock.advance(32 * SECOND);
    for _ in 0..30 {
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(status(&here, fleet.node(1)).await, 503);
    }
    fleet.connection(1).state_untold(false);
    eventually(|| async { status(&here, fleet.node(1)).await == 200 }).await;
    let node = fleet.node(1);
    eventually(|| async { complete_since(&empty).await == node.sessions.health().complete_since })
        .await;
}

/// Where a node has only just met its server, that may be a copy to which nobody has restored yet what it lacks.
#[actix_web::test]
async fn who_logs_others_out_at_a_server_that_was_only_just_met_stays() {
    let fleet = CutOff::start().await;
    let node = fleet.node(0);
    let logged_in = async || {
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        browser
    };
    fleet.clock.advance(SECOND);
    let [older, other] = [logged_in().await, logged_in().await];
    fleet.server.replace_server();
    fleet.clock.advance(SECOND);
    older.post("/logout-others").await.is(204);
    older.get("/me").await.is(200);
    other.get("/me").await.is(401);
    let newer = logged_in().await;
    newer.get("/me").await.is(200);
    newer.post("/logout-others").await.is(204);
    newer.get("/me").await.is(200);
    older.get("/me").await.is(401);
    fleet.clock.advance(31 * SECOND);
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    newer.get("/me").await.is(200);
}
