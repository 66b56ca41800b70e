//! A node starts where a million revocations are in force.

use std::time::Duration;

use sealed_session::revoke::Revocation;
use sealed_session::time::{Clock, SystemClock};

use crate::node::Node;
use crate::publishing::{fill, halves};
use support::redis_server::RedisServer;
use support::{DAY, ended};

const ENTRIES: u64 = 1_000_000;
const LIST: &str = "loading";
/// As many nodes start, one after the other.
const ROUNDS: usize = 5;

pub fn run() {
    let server = RedisServer::start();
    measure(&server, "half sessions, half subjects", &halves(ENTRIES));
    server.restart_empty();
    let now = SystemClock::default().now();
    let sessions: Vec<Revocation> = (0..ENTRIES)
        .map(|number| ended(number, now, now + DAY))
        .collect();
    measure(&server, "sessions alone", &sessions);
}

fn measure(server: &RedisServer, what: &str, revocations: &[Revocation]) {
    let url = server.url();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = used_memory(server);
    let took = runtime.block_on(fill(&url, LIST, revocations));
    // The stream is cut after a minute, and is no part of the list.
    let stream = format!("sealed-session:{{{LIST}}}:stream");
    let stream = server.command(&["MEMORY", "USAGE", &stream, "SAMPLES", "0"]);
    let used = used_memory(server) - before - u64::try_from(stream.integer()).unwrap();
    println!(
        "  {} entries, {what}: published in {took:.1?}, {} bytes each in Redis",
        revocations.len(),
        used / ENTRIES
    );
    for _ in 0..ROUNDS {
        let mut node = Node::start(&url, LIST);
        let loaded = node.loaded;
        let first = node.state();
        assert_eq!(first.entries, revocations.len());
        // What is given back to the system is given back by then.
        std::thread::sleep(Duration::from_secs(2));
        let stays = node.state().memory.now - loaded.before.now;
        let peak = first.memory.peak - loaded.before.now;
        println!(
            "    loaded in {:.2?}; memory +{} MiB, +{} MiB at the most (from {} MiB)",
            loaded.took,
            stays / 1024,
            peak / 1024,
            loaded.before.now / 1024,
        );
    }
}

fn used_memory(server: &RedisServer) -> u64 {
    server.info("memory")["used_memory"].parse().unwrap()
}
