//! A node that takes 45 seconds to find the server that took over, as behind a name whose address is kept too long.
//!
//! 1. A server that was demoted refuses the late node. Its staleness grows, and its policy decides.
//! 2. What it was told meanwhile waits, and reaches the new server when the node arrives there.
//! 3. A server that was left behind and answers on lets the late node be sure of itself. What that server was told
//!    still reaches the new one, with the node, which restores it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use sealed_session::revoke::WhenStale;
use sealed_session::testing::{ManualClock, MemoryLog};
use support::faulty::{Faulty, Mode};
use support::{Browser, Node, SECOND, builder, eventually, log};

/// In seconds.
const LATE: u32 = 45;

/// A node that finds the new server at once, and late ones that differ in their policy.
struct Failover {
    clock: ManualClock,
    old: MemoryLog,
    prompt: (Faulty, Node),
    rejects: (Faulty, Node),
    accepts: (Faulty, Node),
}

impl Failover {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let old = log(&clock);
        let node = async |policy| {
            let store = Faulty::new(old.clone());
            let builder = builder(&clock, store.clone()).when_stale(policy, 10 * SECOND);
            (store, Node::serve(clock.clone(), builder).await)
        };
        let prompt = node(WhenStale::Reject).await;
        let rejects = node(WhenStale::Reject).await;
        let accepts = node(WhenStale::Accept).await;
        Self {
            prompt,
            rejects,
            accepts,
            old,
            clock,
        }
    }

    /// Somebody who has logged in, as all nodes may know.
    async fn logged_in(&self, user: &str) -> Browser {
        let browser = self.prompt.1.browser();
        browser.post(&format!("/login/{user}")).await.is(200);
        browser
    }

    /// A copy takes over. One node moves to it.
    async fn promote(&self) -> MemoryLog {
        let new = MemoryLog::new(Arc::new(self.clock.clone()));
        new.promote(self.old.copy());
        arrives(&self.prompt, &new).await;
        new
    }

    /// Time passes, and nodes that are in touch stay so.
    async fn pass(&self, seconds: u32, in_touch: &[&(Faulty, Node)]) {
        for _ in 0..seconds {
            self.clock.advance(SECOND);
            for (_, node) in in_touch {
                hears(node).await;
            }
        }
    }
}

/// The node's next connection leads to the new server.
async fn arrives((store, node): &(Faulty, Node), new: &MemoryLog) {
    store.deafen().await;
    store.replace(new.clone());
    store.set(Mode::Up);
    hears(node).await;
}

async fn hears(node: &Node) {
    eventually(|| async { node.sessions.health().staleness.is_zero() }).await;
}

async fn status(browser: &Browser, (_, node): &(Faulty, Node)) -> u16 {
    browser.copy().at(node).get("/me").await.status
}

#[actix_web::test]
async fn a_node_that_is_late_at_a_new_server_grows_stale_and_brings_what_it_was_told() {
    let fleet = Failover::start().await;
    let Failover {
        prompt,
        rejects,
        accepts,
        ..
    } = &fleet;
    let alice = fleet.logged_in("alice").await;
    let (bob, carol) = (fleet.logged_in("bob").await, fleet.logged_in("carol").await);
    let new = fleet.promote().await;
    for (store, _) in [rejects, accepts] {
        store.deafen().await;
        store.set(Mode::Down);
    }
    // Nobody else can know of a logout that did not reach the store.
    let stolen = bob.copy();
    let logout = bob.at(&rejects.1).post("/logout").await.is(503);
    assert!(logout.removes_cookie());
    assert_eq!(status(&stolen, rejects).await, 401);
    assert_eq!(status(&stolen, prompt).await, 200);
    let told = carol.copy();
    carol.at(&prompt.1).post("/logout").await.is(204);
    assert_eq!(status(&told, rejects).await, 200, "not heard of yet");

    fleet.pass(9, &[prompt]).await;
    assert_eq!(status(&alice, rejects).await, 200);
    fleet.pass(LATE - 9, &[prompt]).await;
    for (_, node) in [rejects, accepts] {
        assert!(node.sessions.health().staleness >= LATE * SECOND);
    }
    assert_eq!(status(&alice, prompt).await, 200);
    assert_eq!(status(&alice, rejects).await, 503);
    assert_eq!(status(&told, rejects).await, 503);
    assert_eq!(status(&alice, accepts).await, 200);
    assert_eq!(status(&told, accepts).await, 200, "as the policy says");
    assert_eq!(rejects.1.sessions.health().outstanding, 1);

    for late in [rejects, accepts] {
        arrives(late, &new).await;
    }
    let outstanding = || rejects.1.sessions.health().outstanding;
    eventually(|| async {
        fleet.clock.advance(SECOND / 10);
        outstanding() == 0
    })
    .await;
    for node in [prompt, rejects, accepts] {
        eventually(|| async { status(&stolen, node).await == 401 }).await;
        eventually(|| async { status(&told, node).await == 401 }).await;
        eventually(|| async { status(&alice, node).await == 200 }).await;
    }
}

#[actix_web::test]
async fn what_a_server_was_told_that_was_left_behind_reaches_the_new_one_with_the_late_node() {
    let fleet = Failover::start().await;
    let (prompt, late) = (&fleet.prompt, &fleet.rejects);
    let alice = fleet.logged_in("alice").await;
    let bob = fleet.logged_in("bob").await;
    let new = fleet.promote().await;
    let stolen = bob.copy();
    bob.at(&late.1).post("/logout").await.is(204);
    fleet.pass(LATE, &[prompt, late]).await;
    assert_eq!(status(&stolen, late).await, 401);
    assert_eq!(status(&stolen, prompt).await, 200, "nobody could know");

    // Also where the connection does not break on the way.
    late.0.replace(new.clone());
    let is_known = async || {
        fleet.clock.advance(SECOND / 10);
        status(&stolen, prompt).await == 401
    };
    eventually(is_known).await;
    for node in [prompt, late] {
        eventually(|| async { status(&alice, node).await == 200 }).await;
        assert_eq!(status(&stolen, node).await, 401);
    }
}
