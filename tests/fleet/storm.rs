//! Many nodes at once: a server that lost everything is healed without a storm.
#![cfg(feature = "redis")]

use std::time::{Duration, Instant};

use sealed_session::revoke::{Purpose, ReplicatedLog};
use sealed_session::store::Redis;
use sealed_session::{
    Sessions,
    time::{Clock, SystemClock},
};
use support::redis_server::RedisServer;
use support::{DAY, ended, ring, settled};

const NODES: usize = 100;
const ENTRIES: usize = 5_000;
const LIST: &str = "storm";

async fn node(url: &str) -> Sessions {
    let store = Redis::open(url, LIST).unwrap();
    let builder = Sessions::builder("storm").keys(ring()).store(store);
    builder.start().await.unwrap()
}

/// How many calls clients have made.
fn calls(server: &RedisServer) -> u64 {
    let calls = server.calls([
        "evalsha",
        "xread",
        "hscan",
        "info",
        "script|load",
        "hello",
        "client|setinfo",
    ]);
    calls.iter().sum()
}

/// Waits until `is_so` for every node, and returns how long that took.
async fn all(nodes: &[Sessions], what: &str, is_so: impl Fn(&Sessions) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let waiting = nodes.iter().filter(|node| !is_so(node)).count();
        if waiting == 0 {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{waiting} nodes are not yet {what}: {:?}",
            nodes.iter().find(|node| !is_so(node)).unwrap().health()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_nodes_give_a_server_everything_back_without_a_storm() {
    let server = RedisServer::with(["--maxclients", "2000"]);
    settled(&server, LIST).await;
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(node(&server.url()).await);
    }
    let now = SystemClock::default().now();
    let ended = |number| ended(number, now, now + DAY);
    let entries: Vec<_> = (0..ENTRIES as u64).map(ended).collect();
    let store = Redis::open(server.url(), LIST).unwrap();
    for batch in entries.chunks(100) {
        store.publish(batch, Purpose::Revoke).await.unwrap();
    }
    nodes[0].end_subject("alice").await.unwrap();
    all(&nodes, "complete", |node| {
        node.health().entries == ENTRIES + 1
    })
    .await;
    let since = store.read(&[]).await.unwrap().state.complete_since;

    // What the fleet costs when nothing happens.
    let (before, calls_before) = (server.counters(), calls(&server));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = server.counters().since(before);
    println!(
        "idle: {} calls, {} bytes in, {} bytes out a second",
        (calls(&server) - calls_before) / 3,
        idle.bytes_in / 3,
        idle.bytes_out / 3
    );

    server.restart_empty();
    let began = Instant::now();
    // The heart of it: everything is there again, and the list is as old as before.
    let mut stored = Vec::new();
    while stored.len() < ENTRIES + 1 {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody attested");
        tokio::time::sleep(Duration::from_millis(50)).await;
        stored.clear();
        let end = store.snapshot(&mut |batch| stored.extend(batch)).await;
        if end.is_ok_and(|end| end.state.complete_since > since) {
            stored.clear();
        }
    }
    all(&nodes, "healed", |node| {
        let health = node.health();
        let heard = health.staleness + Duration::from_secs(1) < began.elapsed();
        heard && health.lacking == 0 && health.complete_since == since
    })
    .await;
    let healed = began.elapsed();
    // The counters began anew with the server.
    let (healing, calls) = (server.counters(), calls(&server));
    let seconds = healed.as_secs_f64();
    println!(
        "healed in {seconds:.1} s: {calls} calls, {} bytes in, {} bytes out",
        healing.bytes_in, healing.bytes_out
    );
    for node in &nodes {
        assert_eq!(node.health().entries, ENTRIES + 1);
    }

    // Each entry has to be told once, and each node loads the scripts. A node that restored everything on
    // its own would send a hundred times as much.
    let scripts = 2 * 24_000 * NODES as u64;
    let told_once = (ENTRIES * 37) as u64;
    // What they send in any case, for as long as it takes.
    let beats = idle.bytes_in / 3 * seconds.ceil() as u64;
    let budget = scripts + beats + 10 * told_once;
    assert!(
        healing.bytes_in < budget,
        "{} bytes were sent, {budget} would do",
        healing.bytes_in
    );
    // What each node has to hear.
    let heard = 2 * told_once * NODES as u64;
    assert!(
        healing.bytes_out < heard,
        "{} bytes were told, {heard} would do",
        healing.bytes_out
    );
    // Connecting, loading and a second's beats of each node; not a command for each entry.
    let budget = NODES as u64 * (60 + 10 * seconds.ceil() as u64);
    assert!(calls < budget, "{calls} calls, {budget} would do");
}
