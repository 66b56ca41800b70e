//! A node starts on a store that is full.

use std::time::{Duration, Instant};

use sealed_session::revoke::Revocation;
use sealed_session::time::{Clock, SystemClock};

use crate::node::{self, Node};
use support::redis_server::RedisServer;
use support::{DAY, ended};

const LIST: &str = "loading";
const ROUNDS: usize = 3;

pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    fill_and_load(
        "redb",
        folder.path().to_str().unwrap(),
        10_000_000,
        1_000_000,
    );
    let server = RedisServer::start();
    fill_and_load("Redis", &server.url(), 1_000_000, 10_000);
}

fn fill_and_load(what: &str, place: &str, entries: u64, batch: u64) {
    let took = fill(place, entries, batch);
    println!("  {entries} entries, {what}: published in {took:.1?}");
    for _ in 0..ROUNDS {
        let mut node = Node::start(place, LIST);
        let loaded = node.loaded;
        let cpu = node.cpu();
        node.holds(usize::try_from(entries).unwrap());
        let first = node.state();
        std::thread::sleep(Duration::from_secs(2));
        let stays = (node.state().memory.now - loaded.before.now) * 1024 / entries;
        let peak = (first.memory.peak - loaded.before.now) * 1024 / entries;
        println!(
            "    loaded in {:.2?}, {cpu:.2?} of CPU; {stays} bytes an entry, {peak} at the most",
            loaded.took
        );
    }
}

/// In large publications, for a file takes its time with each. The store is closed when this returns: one process at a
/// time has a file open.
fn fill(place: &str, entries: u64, batch: u64) -> Duration {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = SystemClock::default().now();
    let store = node::store(place, LIST);
    runtime.block_on(async {
        store.announce(node::cookies_live(DAY)).await.unwrap();
        let began = Instant::now();
        for first in (0..entries).step_by(batch as usize) {
            let revocations: Vec<Revocation> = (first..first + batch)
                .map(|number| ended(number, now, now + DAY))
                .collect();
            store.publish(&revocations).await.unwrap();
        }
        began.elapsed()
    })
}
