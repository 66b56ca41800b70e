//! Stores that lose what they held, and what the nodes that still hold it do about that.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use sealed_session::revoke::{ReplicatedLog, Revocation, Store, Target};
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::UnixMillis;
use serde_json::json;
use support::faulty::{Call, Faulty, Mode};
use support::written::Written;
use support::{Browser, MINUTE, Node, SECOND, eventually, log};

/// Nodes on one server that can be lost.
struct Fleet {
    clock: ManualClock,
    server: MemoryLog,
    nodes: Vec<(Faulty, Node)>,
}

impl Fleet {
    async fn start(size: usize) -> Self {
        let clock = ManualClock::default();
        let server = log(&clock);
        clock.advance(SECOND);
        let mut fleet = Self {
            clock,
            server,
            nodes: Vec::new(),
        };
        for _ in 0..size {
            fleet.join().await;
        }
        fleet
    }

    /// Another node starts.
    async fn join(&mut self) {
        let store = Faulty::new(self.server.clone());
        let node = Node::on(&self.clock, store.clone()).await;
        self.nodes.push((store, node));
    }

    fn node(&self, number: usize) -> &Node {
        &self.nodes[number].1
    }

    fn store(&self, number: usize) -> &Faulty {
        &self.nodes[number].0
    }

    /// The server dies, and an empty one answers in its place.
    async fn lose(&mut self, away: Duration) {
        for (store, _) in &self.nodes {
            // What was asked before would come late by the moved clock.
            store.deafen().await;
        }
        self.clock.advance(away);
        self.server = MemoryLog::new(Arc::new(self.clock.clone()));
        for (store, _) in &self.nodes {
            store.replace(self.server.clone());
            store.set_call(Call::Follow, Mode::Up);
        }
    }

    async fn logged_in(&self, user: &str) -> Browser {
        let browser = self.node(0).browser();
        browser.post(&format!("/login/{user}")).await.is(200);
        browser
    }

    /// Somebody who is logged in, and a copy of the cookie of somebody who has logged out, as all nodes know.
    async fn in_and_out(&self) -> (Browser, Browser) {
        let alice = self.logged_in("alice").await;
        let bob = self.logged_in("bob").await;
        let stolen = bob.copy();
        bob.post("/logout").await.is(204);
        self.all_hold(1).await;
        (alice, stolen)
    }

    /// All nodes know of as many revocations.
    async fn all_hold(&self, entries: usize) {
        for (_, node) in &self.nodes {
            eventually(|| async { node.sessions.health().entries == entries }).await;
        }
    }

    async fn stored(&self) -> Vec<Revocation> {
        let mut all = Vec::new();
        let end = self.server.snapshot(&mut |batch| all.extend(batch)).await;
        end.unwrap();
        all
    }

    fn complete_since(&self) -> UnixMillis {
        self.server.state().complete_since
    }

    /// Waits while time passes: what is tried again is tried later by the nodes' clocks. In all it is less than a
    /// store settles.
    async fn eventually(&self, ask: impl AsyncFn() -> bool) {
        eventually(async || {
            self.clock.advance(SECOND / 100);
            ask().await
        })
        .await;
    }

    /// Nodes have had the time to restore everything, and all have heard so.
    async fn settles(&self) {
        self.clock.advance(31 * SECOND);
        assert!(self.server.state().settling.is_zero());
        for (_, node) in &self.nodes {
            eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
        }
    }

    /// The status that each node answers with.
    async fn each(&self, browser: &Browser) -> Vec<u16> {
        let mut all = Vec::new();
        for (_, node) in &self.nodes {
            all.push(browser.copy().at(node).get("/me").await.status);
        }
        all
    }
}

#[actix_web::test]
async fn all_that_a_store_lost_is_restored_and_nobody_is_logged_out() {
    let mut fleet = Fleet::start(2).await;
    let browser = fleet.logged_in("alice").await;
    let dead = fleet.logged_in("bob").await;
    let stolen = dead.copy();
    dead.post("/logout").await.is(204);
    let everywhere = fleet.logged_in("carol").await;
    let everywhere_stolen = everywhere.copy();
    everywhere.post("/logout-all").await.is(204);
    let anonymous = fleet.node(0).browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    anonymous.post("/purge").await.is(204);
    fleet.all_hold(3).await;
    let since = fleet.complete_since();

    fleet.lose(5 * SECOND).await;
    let lost_until = fleet.complete_since();
    assert!(lost_until > since);
    // Whoever held everything goes on.
    for number in 0..2 {
        let fresh = || async { fleet.node(number).sessions.health().staleness.is_zero() };
        eventually(fresh).await;
    }
    assert_eq!(fleet.each(&browser).await, [200, 200]);
    eventually(|| async { fleet.complete_since() == since }).await;
    let stored = fleet.stored().await;
    assert_eq!(stored.len(), 3, "the anonymous one too: {stored:?}");
    // A node that starts now knows all of it, and waits: there might be more.
    fleet.join().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 200]);
    assert_eq!(fleet.each(&stolen).await, [401, 401, 401]);
    assert_eq!(fleet.each(&everywhere_stolen).await, [401, 401, 401]);
    for number in 0..3 {
        let health = || fleet.node(number).sessions.health();
        eventually(|| async { health().lacking == 0 }).await;
        assert_eq!(health().complete_since, since);
    }
    // The announced life came back, too: what is raised now is kept as long as before.
    let longest = fleet.server.state().announced.longest;
    assert!(longest >= 30 * support::DAY);
}

/// Nobody knows whether somebody else was told of a logout that nobody here was.
#[actix_web::test]
async fn nodes_that_were_all_away_for_long_serve_when_nobody_restores_anything_any_more() {
    let fleet = &mut Fleet::start(2).await;
    let (browser, stolen) = fleet.in_and_out().await;
    let since = fleet.complete_since();
    fleet.lose(MINUTE).await;
    eventually(|| async { fleet.stored().await.len() == 1 }).await;
    assert_eq!(fleet.each(&browser).await, [503, 503]);
    // What they held they know.
    eventually(|| async { fleet.complete_since() == since }).await;
    assert_eq!(fleet.each(&browser).await, [503, 503]);
    fleet.settles().await;
    eventually(|| async { fleet.each(&browser).await == [200, 200] }).await;
    assert_eq!(fleet.each(&stolen).await, [401, 401]);
}

#[actix_web::test]
async fn a_node_that_starts_before_the_store_has_everything_back_removes_no_cookie_and_catches_up()
{
    let mut fleet = Fleet::start(1).await;
    let (browser, stolen) = fleet.in_and_out().await;
    let since = fleet.complete_since();
    // What it restores does not arrive yet.
    fleet.store(0).set_call(Call::Publish, Mode::Down);
    fleet.lose(SECOND).await;
    fleet.join().await;
    assert_eq!(fleet.each(&browser).await, [200, 503]);
    assert_eq!(fleet.each(&stolen).await, [401, 503]);
    let health = || fleet.node(0).sessions.health();
    fleet.eventually(async || health().lacking == 1).await;
    assert_ne!(
        fleet.complete_since(),
        since,
        "nobody attests before the end"
    );
    fleet.store(0).set(Mode::Up);
    let there = || fleet.node(1).sessions.health();
    fleet
        .eventually(async || there().complete_since == since)
        .await;
    // There may be others, who have not begun yet.
    assert_eq!(fleet.each(&browser).await, [200, 503]);
    assert_eq!(fleet.each(&stolen).await, [401, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&browser).await, [200, 200]);
    assert_eq!(fleet.each(&stolen).await, [401, 401]);
    assert_eq!(health().lacking, 0);
}

#[actix_web::test]
async fn a_node_that_heard_nothing_for_too_long_restores_what_it_has_and_does_not_attest() {
    let mut fleet = Fleet::start(1).await;
    let (browser, _) = fleet.in_and_out().await;
    fleet.store(0).set_call(Call::Publish, Mode::Down);
    fleet.lose(5 * MINUTE + SECOND).await;
    let since = fleet.complete_since();
    fleet.store(0).set(Mode::Up);
    eventually(|| async { fleet.node(0).sessions.health().complete_since == since }).await;
    // For half a minute another node could still attest.
    assert_eq!(fleet.each(&browser).await, [503]);
    fleet
        .eventually(async || fleet.stored().await.len() == 1)
        .await;
    fleet.settles().await;
    assert_eq!(fleet.complete_since(), since);
    assert_eq!(fleet.each(&browser).await, [401]);
}

#[actix_web::test]
async fn a_store_that_is_lost_again_before_it_was_repaired_is_repaired_too() {
    let mut fleet = Fleet::start(2).await;
    let (browser, stolen) = fleet.in_and_out().await;
    let since = fleet.complete_since();
    for number in 0..2 {
        fleet.store(number).set_call(Call::Publish, Mode::Down);
    }
    fleet.lose(SECOND).await;
    for number in 0..2 {
        let health = || fleet.node(number).sessions.health();
        fleet.eventually(async || health().lacking == 1).await;
    }
    fleet.lose(SECOND).await;
    for number in 0..2 {
        fleet.store(number).set(Mode::Up);
    }
    fleet
        .eventually(async || fleet.complete_since() == since)
        .await;
    fleet.join().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 200]);
    assert_eq!(fleet.each(&stolen).await, [401, 401, 401]);
}

#[actix_web::test]
async fn what_an_older_copy_of_the_store_lacks_is_restored() {
    let mut fleet = Fleet::start(2).await;
    let browser = fleet.logged_in("alice").await;
    let dead = fleet.logged_in("bob").await;
    let stolen = dead.copy();
    let older = fleet.logged_in("carol").await;
    let older_stolen = older.copy();
    older.post("/logout").await.is(204);
    let copy = fleet.server.copy();
    dead.post("/logout").await.is(204);
    fleet.all_hold(2).await;
    fleet.server.promote(copy);
    fleet
        .eventually(async || fleet.stored().await.len() == 2)
        .await;
    fleet.join().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&browser).await, [200, 200, 200]);
    assert_eq!(fleet.each(&stolen).await, [401, 401, 401]);
    assert_eq!(fleet.each(&older_stolen).await, [401, 401, 401]);
}

/// The copy is where the node that told the store already was: no position tells that something is lost.
#[actix_web::test]
async fn a_copy_that_never_heard_of_the_last_logout_is_told_by_the_node_that_made_it() {
    let mut fleet = Fleet::start(1).await;
    let dead = fleet.logged_in("bob").await;
    let stolen = dead.copy();
    fleet.store(0).set_call(Call::Publish, Mode::Forgets);
    dead.post("/logout").await.is(204);
    fleet.store(0).set_call(Call::Publish, Mode::Up);
    assert_eq!(fleet.stored().await, []);
    // The connection to the server that died.
    fleet.store(0).deafen().await;
    fleet.store(0).set_call(Call::Follow, Mode::Up);
    // Over that time a fleet spreads its snapshots.
    fleet.clock.advance(2 * SECOND);
    eventually(|| async { fleet.stored().await.len() == 1 }).await;
    fleet.join().await;
    assert_eq!(fleet.each(&stolen).await, [401, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&stolen).await, [401, 401]);
}

/// As after a restored backup: what it lacks nobody can tell, and a new login is all that helps.
#[actix_web::test]
async fn an_operator_who_ends_all_sessions_on_the_store_is_obeyed_after_it_is_lost_too() {
    let mut fleet = Fleet::start(2).await;
    let browser = fleet.logged_in("alice").await;
    let store = Store::shared(fleet.server.clone());
    store.raise(Target::Everyone).await.unwrap();
    eventually(|| async { fleet.each(&browser).await == [401, 401] }).await;
    fleet.logged_in("alice").await.get("/me").await.is(200);
    fleet.lose(SECOND).await;
    fleet
        .eventually(async || fleet.stored().await.len() == 1)
        .await;
    fleet.join().await;
    assert_eq!(fleet.each(&browser).await, [401, 401, 503]);
    fleet.settles().await;
    assert_eq!(fleet.each(&browser).await, [401, 401, 401]);
}

#[actix_web::test]
async fn a_session_is_confirmed_by_the_store_itself() {
    let mut fleet = Fleet::start(2).await;
    let (deaf, other) = (1, 0);
    for end in ["logout", "logout-all", "logout-everyone"] {
        let browser = fleet.logged_in("alice").await;
        let there = browser.copy().at(fleet.node(deaf));
        there.post("/confirm").await.is(204);
        fleet.store(deaf).set_call(Call::Follow, Mode::Hanging);
        eventually(|| async { fleet.store(deaf).waiting() == 1 }).await;
        browser.post(&format!("/{end}")).await.is(204);
        // The node has not heard of it, but whoever asks is told.
        there.get("/me").await.is(200);
        there.copy().post("/confirm").await.is(401);
        there.get("/me").await.is(401);
        fleet.store(deaf).set(Mode::Up);
    }
    let browser = fleet.logged_in("alice").await;
    fleet.store(other).set_call(Call::Read, Mode::Down);
    browser.post("/confirm").await.is(503);
    browser.get("/me").await.is(200);
    fleet.store(other).set(Mode::Up);
    fleet.node(other).browser().post("/confirm").await.is(401);
    // A store that knows nothing can confirm nothing. No node restores it yet: the other might be the first.
    for node in [deaf, other] {
        fleet.store(node).set_call(Call::Publish, Mode::Down);
    }
    fleet.lose(SECOND).await;
    let lacking = || fleet.node(other).sessions.health().lacking;
    fleet.eventually(async || lacking() > 0).await;
    browser.get("/me").await.is(200);
    browser.post("/confirm").await.is(503);
    for node in [deaf, other] {
        fleet.store(node).set(Mode::Up);
    }
    fleet.eventually(async || lacking() == 0).await;
    // It may lack what another node has not restored yet.
    browser.post("/confirm").await.is(503);
    fleet.settles().await;
    browser.post("/confirm").await.is(204);
}

/// Each loss is told once, and an operator who has one after the other is told that.
#[actix_web::test]
async fn a_store_that_is_lost_again_and_again_is_an_error_in_the_log() {
    let written = Written::default();
    let _guard = written.listen();
    let clock = ManualClock::default();
    let store = log(&clock);
    let node = Node::on(&clock, store.clone()).await;
    for losses in 1..=4 {
        store.replace_server();
        eventually(|| async { written.count("taken the revocation store's place") == losses })
            .await;
        assert_eq!(written.count("again and again"), losses.saturating_sub(2));
    }
    store.settle();
    clock.advance(SECOND);
    // A store that has settled in between begins the count anew.
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
    store.replace_server();
    eventually(|| async { written.count("taken the revocation store's place") == 5 }).await;
    assert_eq!(written.count("again and again"), 2);
}
