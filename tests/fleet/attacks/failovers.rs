//! Another server in the place of the one that was told, of the same list: it lacks the last words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use sealed_session::revoke::{Purpose, ReplicatedLog, Revocation, SessionEntry};
use sealed_session::store::Redis;
use sealed_session::{
    revoke::{Serial, SessionId},
    store::StoreError,
    time::{Clock, SystemClock},
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::{LIST, complete_since, node, node_on, open, remembered, status};
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::faulty::Faulty;
use support::moved_clock::MovedClock;
use support::proxy::Proxy;
use support::redis_server::RedisServer;
use support::{DAY, MINUTE, Node, SECOND, ended, ended_entry, eventually, log, settled};

/// What leads to a server: new connections to another one, from some time on.
struct Address {
    own: u16,
    server: Arc<AtomicU16>,
}

impl Address {
    async fn of(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let server = Arc::new(AtomicU16::new(server.port()));
        let to = server.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let to = to.load(SeqCst);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { own, server }
    }

    fn leads_to(&self, server: &RedisServer) {
        self.server.store(server.port(), SeqCst);
    }

    async fn node(&self) -> Node {
        let url = format!("redis://127.0.0.1:{}", self.own);
        node_on(Redis::open(url, LIST).unwrap()).await
    }
}

fn meta() -> String {
    format!("sealed-session:{{{LIST}}}:meta")
}

/// The server's copy, which hears no more of it.
fn copy_of(server: &RedisServer) -> RedisServer {
    let copy = RedisServer::start();
    copy.replica_of(server);
    copy.promote();
    copy
}

#[actix_web::test]
async fn what_is_told_goes_where_the_news_come_from() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    settled(&old, LIST).await;
    let address = Address::of(&old).await;
    let node = address.node().await;
    let browser = remembered(&node, "alice").await;
    let before = node.sessions.health().complete_since;
    address.leads_to(&new);
    // The connection that waits for news; the others stay.
    let clients = old.command(&["CLIENT", "LIST"]).text();
    let waits = clients
        .lines()
        .find(|line| line.contains("cmd=xread"))
        .unwrap();
    let id = waits
        .split_whitespace()
        .find_map(|word| word.strip_prefix("id="))
        .unwrap();
    old.command(&["CLIENT", "KILL", "ID", id]);
    eventually(|| async { complete_since(&open(&new)).await == before }).await;
    browser.post("/logout").await.is(204);
    let mut told = 0;
    open(&new)
        .snapshot(&mut |batch| told += batch.len())
        .await
        .unwrap();
    assert_eq!(told, 1);
}

/// The copy has not heard yet that the session had been ended.
#[actix_web::test]
async fn nobody_outlives_a_logout_by_a_copy_that_lags() {
    let old = RedisServer::start();
    let here = node(&old).await;
    let browser = remembered(&here, "alice").await;
    let thief = browser.copy();
    let new = copy_of(&old);
    browser.post("/logout-all").await.is(204);
    let there = node(&new).await;
    let thief = thief.at(&there);
    thief.get("/me").await.is(200);
    thief.post("/logout-others").await.is(204);
    let [bob, alice] = [there.browser(), there.browser()];
    bob.post("/login/bob").await.is(200);
    alice.post("/login/alice").await.is(200);
    // Somebody restores what the copy lacks, however late.
    let mut lost = Vec::new();
    let snapshot = open(&old).snapshot(&mut |batch| lost.extend(batch)).await;
    snapshot.unwrap();
    let restored = open(&new).publish(&lost, Purpose::Restoration).await;
    restored.unwrap();
    eventually(|| async { thief.get("/me").await.status == 401 }).await;
    bob.get("/me").await.is(200);
    alice.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_attestation_that_the_store_has_forgotten_is_made_again() {
    let server = RedisServer::start();
    let node = node(&server).await;
    let browser = remembered(&node, "alice").await;
    let before = node.sessions.health().complete_since;
    server.command(&["FLUSHALL"]);
    eventually(|| async { complete_since(&open(&server)).await == before }).await;
    // Everybody hears of it.
    tokio::time::sleep(SECOND).await;
    let now = SystemClock::default().now().as_millis().to_string();
    server.command(&["HSET", &meta(), "complete_since", &now]);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually(|| async { complete_since(&open(&server)).await == before }).await;
    browser.get("/me").await.is(200);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_fails_no_call() {
    let server = RedisServer::start();
    let store = open(&server);
    let now = SystemClock::default().now();
    let ended = [ended(9, now, now + MINUTE)];
    store.publish(&ended, Purpose::Revoke).await.unwrap();
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    tokio::time::sleep(SECOND / 10).await;
    store.publish(&ended, Purpose::Revoke).await.unwrap();
}

/// It is an error to whoever asked for it, and holds; nobody is kept out until there are replicas again.
#[actix_web::test]
async fn a_raise_that_no_replica_has_keeps_nobody_out() {
    let server = RedisServer::start();
    let store = Redis::options(server.url(), LIST).wait_for_replicas(1);
    let node = node_on(store.open().unwrap()).await;
    let other = super::node(&server).await;
    for path in ["/logout-all", "/logout-everyone"] {
        let browser = remembered(&node, "alice").await;
        let stolen = browser.copy();
        browser.post(path).await.is(503);
        for node in [&node, &other] {
            eventually(|| async { status(&stolen, node).await == 401 }).await;
            remembered(node, "alice").await.get("/me").await.is(200);
        }
        assert_eq!(node.sessions.health().outstanding, 1);
        let copies = copy_and_follow(&server);
        eventually(|| async { node.sessions.health().outstanding == 0 }).await;
        drop(copies);
    }
}

fn copy_and_follow(server: &RedisServer) -> RedisServer {
    let copy = RedisServer::start();
    copy.replica_of(server);
    copy
}

#[tokio::test]
async fn a_store_whose_clock_was_ahead_settles_in_its_time() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = RedisServer::under(&clock);
    let store = open(&server);
    let now = store.read(&[]).await.unwrap().state.now;
    clock.set(24 * 3_600_000);
    let ended = [ended(9, now, now + 10 * DAY)];
    store
        .publish(&ended, Purpose::FirstRestoration)
        .await
        .unwrap();
    clock.set(0);
    assert!(
        !store
            .snapshot(&mut |_| {})
            .await
            .unwrap()
            .state
            .settling
            .is_zero()
    );
    clock.set(31_000);
    assert!(
        store
            .snapshot(&mut |_| {})
            .await
            .unwrap()
            .state
            .settling
            .is_zero()
    );
}

/// Of two renewals one is first. What is told again may be what was done before.
#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_neither_first_nor_second() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let store = Redis::open(url, LIST).unwrap();
    let now = SystemClock::default().now();
    let entry = ended_entry(now, now + MINUTE);
    let renewed = SessionEntry {
        serial: Serial::new(1),
        ..entry
    };
    // The script is there.
    store
        .publish(&[ended(0, now, now + MINUTE)], Purpose::Revoke)
        .await
        .unwrap();
    for (number, entry) in [(1, renewed), (2, entry)] {
        let id = SessionId::from_bytes([number; 16]);
        let told = [Revocation::Session { id, entry }];
        proxy.cut_reply_to("publish", 0);
        let told = store.publish(&told, Purpose::Revoke).await;
        assert_eq!(told.is_ok(), entry.serial == Serial::ENDED, "{told:?}");
        assert_eq!(proxy.lost(), u64::from(number));
    }
}

#[actix_web::test]
async fn a_logout_over_connections_that_were_closed_while_idle_succeeds() {
    let server = RedisServer::start();
    let copy = RedisServer::start();
    copy.replica_of(&server);
    let store = Redis::options(server.url(), LIST).wait_for_replicas(1);
    let node = node_on(store.open().unwrap()).await;
    for _ in 0..3 {
        let _ = node.sessions.end_subject("alice").await;
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        match node.sessions.end_subject("alice").await {
            // On a busy machine a replica may be late.
            Ok(_) | Err(StoreError::NotReplicated { .. }) => (),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The copy that was promoted answers, and need not know of the last logout until it has settled.
#[actix_web::test]
async fn no_session_is_confirmed_by_a_copy_that_may_lack_its_logout() {
    let clock = ManualClock::default();
    let server = log(&clock);
    clock.advance(SECOND);
    let deaf = Faulty::new(server.clone());
    let told = Node::on(&clock, server.clone()).await;
    let late = Node::on(&clock, deaf.clone()).await;
    let browser = told.browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy().at(&late);
    stolen.post("/confirm").await.is(204);
    let copy = server.copy();
    // For less than `max_staleness`.
    deaf.deafen().await;
    browser.post("/logout").await.is(204);
    server.promote(copy);
    stolen.post("/confirm").await.is(503);
}

/// A node whose clock was ahead made a session, which is ended on a good one. Its end cannot be kept among those of
/// anonymous sessions, and holds nothing up.
#[actix_web::test]
async fn a_cookie_from_a_clock_that_was_ahead_keeps_no_lost_logout_from_being_restored() {
    let clock = ManualClock::default();
    let server = log(&clock);
    clock.advance(SECOND);
    let ahead = ManualClock::new(clock.now());
    let hasty = Node::on(&ahead, server.clone()).await;
    let good = Node::on(&clock, server.clone()).await;
    ahead.set(clock.now() + DAY);
    let stranger = hasty.browser();
    let begins = || async { stranger.put("/entries/a", json!(1)).await.status == 204 };
    eventually(begins).await;
    stranger.copy().at(&good).post("/purge").await.is(204);
    hasty.stop().await;
    let browser = good.browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    let copy = server.copy();
    browser.post("/logout").await.is(204);
    server.promote(copy);
    eventually(|| async {
        clock.advance(SECOND / 10);
        let late = Node::on(&clock, server.clone()).await;
        stolen.copy().at(&late).get("/me").await.status == 401
    })
    .await;
}
