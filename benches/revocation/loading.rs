//! A node starts on a store that is full: how long until its list is loaded, and how long until it answers.

use std::time::{Duration, Instant};

use sealed_session::revoke::Revocation;
use sealed_session::time::{Clock, SystemClock};

use crate::answering::{Browsers, first_answer};
use crate::node::{self, Node};
use support::redis_server::RedisServer;
use support::{DAY, ended, settled};

const LIST: &str = "loading";
const ROUNDS: usize = 3;
/// Few enough that the file is not compacted meanwhile.
const ONE_BY_ONE: u64 = 50_000;
/// What a file takes at once: it then looks as after a compaction.
const FILE_BATCH: u64 = 1_000_000;
const REDIS_BATCH: u64 = 10_000;

pub fn run() {
    // As a node writes them when its users log out one after the other.
    file(ONE_BY_ONE, 1);
    file(1_000_000, FILE_BATCH);
    file(10_000_000, FILE_BATCH);
    redis(1_000_000);
}

/// The same with a Redis of some three gigabytes.
pub fn run_large() {
    redis(10_000_000);
}

fn file(entries: u64, batch: u64) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let browsers = runtime.block_on(Browsers::log_in(place, LIST));
    fill_and_load("redb", place, entries, batch, &browsers);
}

fn redis(entries: u64) {
    let server = RedisServer::start();
    let url = server.url();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(settled(&server, LIST));
    let browsers = runtime.block_on(Browsers::log_in(&url, LIST));
    fill_and_load("Redis", &url, entries, REDIS_BATCH, &browsers);
}

fn fill_and_load(what: &str, place: &str, entries: u64, batch: u64, browsers: &Browsers) {
    let took = fill(place, entries, batch);
    println!("  {entries} entries, {what}: published in {took:.1?}");
    // And that of the browser whose session was ended.
    let all = usize::try_from(entries + 1).unwrap();
    for _ in 0..ROUNDS {
        let answered = first_answer(place, LIST, browsers);
        assert_eq!(answered.entries, all);
        println!(
            "    answered in {:.2?} from the start of the process, {:.2?} of them to load",
            answered.after, answered.start
        );
    }
    for _ in 0..ROUNDS {
        let mut node = Node::start(place, LIST);
        let loaded = node.loaded;
        let cpu = node.cpu();
        node.holds(all);
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

/// The store is closed when this returns: one process at a time has a file open.
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
