//! What it costs a node to hear of what the others revoke, and what it costs when they revoke nothing.

use std::thread;
use std::time::{Duration, Instant};

use crate::node::Node;
use crate::process;
use crate::publishing::{Load, Publishers};
use support::redis_server::{Counters, RedisServer};

const LIST: &str = "following";
/// How long is measured, after how long.
const WARMUP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;

/// Revocations a second, and how many are published together. A handler publishes what it revokes on its
/// own; nodes that give a store back what it lost publish in batches.
const LOADS: [(u32, u32); 4] = [(1_000, 1), (5_000, 1), (10_000, 1), (10_000, 100)];

pub fn run() {
    for (revocations, batch) in LOADS {
        let load = Load { revocations, batch };
        println!("  {revocations} revocations a second, {batch} in a publication");
        for _ in 0..ROUNDS {
            follow(load);
        }
    }
}

fn follow(load: Load) {
    let server = RedisServer::start();
    let url = server.url();
    let mut node = Node::start(&url, LIST);
    let publishers = Publishers::start(&url, LIST, load, 0);
    thread::sleep(WARMUP);
    let entries = publishers.published();
    let before = Reading::take(&server, &node);
    thread::sleep(MEASURED);
    let used = Reading::take(&server, &node).since(&before);
    let entries = publishers.published() - entries;
    let all = publishers.stop();
    let behind = all.saturating_sub(node.state().entries as u64);
    node.holds(usize::try_from(all).unwrap());
    println!(
        "    {:.0} a second published; node {:.3} cores, {:.0} reads a second; Redis {:.2} cores; {behind} \
         behind at the end",
        used.a_second(entries),
        used.node,
        used.a_second(used.reads),
        used.redis,
    );
}

/// A node to which nothing happens.
pub fn idle() {
    let server = RedisServer::start();
    let node = Node::start(&server.url(), LIST);
    thread::sleep(WARMUP);
    let before = Reading::take(&server, &node);
    thread::sleep(QUIET);
    let used = Reading::take(&server, &node).since(&before);
    println!(
        "    node {:.5} cores; {:.1} reads and {:.1} beats a second, {:.0} bytes to and {:.0} bytes from Redis \
         a second; Redis {:.4} cores",
        used.node,
        used.a_second(used.reads),
        used.a_second(used.scripts),
        used.a_second(used.counters.bytes_in),
        used.a_second(used.counters.bytes_out),
        used.redis,
    );
}

/// What node and server have done until now.
struct Reading {
    at: Instant,
    node: Duration,
    redis: Duration,
    reads: u64,
    scripts: u64,
    counters: Counters,
}

/// What they did between two readings; CPU as a share of one processor.
struct Used {
    took: Duration,
    node: f64,
    redis: f64,
    reads: u64,
    scripts: u64,
    counters: Counters,
}

impl Reading {
    fn take(server: &RedisServer, node: &Node) -> Self {
        let [reads, scripts] = server.calls(["xread", "evalsha"]);
        Self {
            reads,
            scripts,
            counters: server.counters(),
            at: Instant::now(),
            node: node.cpu(),
            redis: process::cpu(server.id().unwrap()),
        }
    }

    fn since(&self, earlier: &Self) -> Used {
        let took = self.at - earlier.at;
        let share = |now: Duration, then: Duration| (now - then).as_secs_f64() / took.as_secs_f64();
        Used {
            took,
            node: share(self.node, earlier.node),
            redis: share(self.redis, earlier.redis),
            reads: self.reads - earlier.reads,
            scripts: self.scripts - earlier.scripts,
            counters: self.counters.since(earlier.counters),
        }
    }
}

impl Used {
    fn a_second(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64()
    }
}
