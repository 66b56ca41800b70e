//! Strangers end anonymous sessions, several times as many as the list holds.

use std::thread;
use std::time::{Duration, Instant};

use sealed_session::revoke::{Purpose, ReplicatedLog, Revocation, SessionId};
use sealed_session::store::Redis;
use sealed_session::time::{Clock, SystemClock, UnixMillis};

use crate::node::{Node, cookies_live};
use support::redis_server::RedisServer;
use support::{DAY, ended_entry, spread};

const LIST: &str = "flood";
/// How many ends the list holds unless a setting says otherwise.
const CAPACITY: u64 = 500_000;
const CAPACITIES: u64 = 4;
/// In milliseconds.
const HOUR: u64 = 3_600_000;
/// Handlers that end anonymous sessions share publications of this size.
const BATCH: u64 = 100;

pub fn run() {
    let server = RedisServer::start();
    let url = server.url();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Redis::open(url.as_str(), LIST).unwrap();
    runtime.block_on(store.announce(cookies_live(DAY))).unwrap();
    let mut node = Node::start(&url, LIST);
    let (redis_before, node_before) = (used_memory(&server), node.state().memory.now);
    for part in 0..CAPACITIES {
        let began = Instant::now();
        let first = part * CAPACITY;
        for first in (first..first + CAPACITY).step_by(BATCH as usize) {
            let ends: Vec<_> = (first..first + BATCH).map(purged).collect();
            let published = store.publish(&ends, Purpose::Revoke);
            runtime.block_on(published).unwrap();
        }
        let took = began.elapsed();
        // What the system gets back it has by then.
        thread::sleep(Duration::from_secs(2));
        let state = node.state();
        let stream = stream(&server);
        println!(
            "  {} ends, published in {took:.1?}: node +{} MiB with {} entries, \
             Redis +{} MiB and {} MiB of its stream",
            first + CAPACITY,
            state.memory.now.saturating_sub(node_before) / 1024,
            state.entries,
            (used_memory(&server) - redis_before - stream) >> 20,
            stream >> 20,
        );
        // A publication may be over the capacity until it is heard.
        assert!(state.entries as u64 <= CAPACITY + BATCH, "{state:?}");
    }
}

/// A session that began after the one before it, all of them within the last hour.
fn purged(number: u64) -> Revocation {
    let now = SystemClock::default().now();
    Revocation::AnonymousSession {
        id: SessionId::from_bytes(spread(number)),
        created: UnixMillis::new(now.as_millis() - HOUR + number),
        entry: ended_entry(now, now + DAY),
    }
}

fn used_memory(server: &RedisServer) -> u64 {
    server.info("memory")["used_memory"].parse().unwrap()
}

/// The stream is cut after a minute or two, and is no part of the list.
fn stream(server: &RedisServer) -> u64 {
    let key = format!("sealed-session:{{{LIST}}}:stream");
    let usage = server.command(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]);
    u64::try_from(usage.integer()).unwrap()
}
