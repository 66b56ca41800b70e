//! What someone with a copied cookie could make of stores that forget, of clocks that are wrong and of nodes
//! that were cut off.
#![cfg(all(feature = "actix", feature = "redis"))]
#![allow(clippy::unwrap_used)]

mod clocks;
mod failovers;
mod losses;
mod orders;
mod others;

use sealed_session::revoke::{ReplicatedLog, Store};
use sealed_session::store::Redis;
use sealed_session::testing::ManualClock;
use sealed_session::{Sessions, settings::CookieSettings, time::UnixMillis};
use support::redis_server::RedisServer;
use support::{Browser, Node, SECOND};

const LIST: &str = "l";

fn open(server: &RedisServer) -> Redis {
    Redis::open(server.url(), LIST).unwrap()
}

/// A node on the list, which settled long ago.
async fn node(server: &RedisServer) -> Node {
    support::settled(server, LIST).await;
    node_on(open(server)).await
}

async fn node_on(store: impl Into<Store>) -> Node {
    let builder = Sessions::builder("test")
        .keys(support::ring())
        .store(store)
        .cookie(CookieSettings::plain_http());
    let node = Node::serve(ManualClock::default(), builder).await;
    // A session must be younger than the list to count in it.
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

/// Since when the store knows of sessions.
async fn complete_since(store: &dyn ReplicatedLog) -> UnixMillis {
    store.read(&[]).await.unwrap().state.complete_since
}
