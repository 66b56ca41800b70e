//! How a large list behaves. Ignored by default; for figures:
//! `cargo test --release --features redis --test store_redis -- --ignored --nocapture`

use std::time::{Duration, Instant};

use sealed_session::revoke::{ReplicatedLog, Revocation};

use super::harness::Server;
use super::tools::*;

const ENTRIES: u64 = 1_000_000;

fn memory(server: &Server) -> u64 {
    let info: String = server.ask(&["INFO", "memory"]);
    let line = info.lines().find(|line| line.starts_with("used_memory:"));
    line.unwrap()["used_memory:".len()..]
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long; prints figures"]
async fn a_million_entries() {
    let server = Server::start();
    let store = server.open("large");
    announce(&store, DAY).await.unwrap();
    let at = now(&store).await;
    let before = memory(&server);
    let session = |n: u64| {
        let until = at + Duration::from_secs(30) + Duration::from_millis(n / 50);
        support::ended(n, at, until)
    };
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for from in (0..ENTRIES).step_by(10_000) {
        let batch: Vec<_> = (from..from + 10_000).map(session).collect();
        let one = Instant::now();
        publish(&store, &batch).await.unwrap();
        slowest = slowest.max(one.elapsed());
    }
    println!(
        "published in {:?}, slowest 10,000 in {slowest:?}",
        started.elapsed()
    );
    // Without the stream, which holds the last minute only.
    let stream: u64 = server.ask(&["MEMORY", "USAGE", "sealed-session:{large}:stream"]);
    let used = memory(&server) - before - stream;
    println!("{} bytes an entry", used / ENTRIES);

    for _ in 0..3 {
        let started = Instant::now();
        let mut count = 0;
        let mut receive = |batch: Vec<Revocation>| count += batch.len();
        store.snapshot(&mut receive).await.unwrap();
        let took = started.elapsed();
        println!("loaded in {took:?}");
        assert!(count >= ENTRIES as usize);
        assert!(cfg!(debug_assertions) || took < Duration::from_secs(5));
    }

    while now(&store).await.since(at) < Duration::from_secs(52) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (started, mut swept, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while swept < ENTRIES as usize {
        let one = Instant::now();
        swept += store.sweep().await.unwrap();
        slowest = slowest.max(one.elapsed());
    }
    println!("swept in {:?}, slowest call {slowest:?}", started.elapsed());
}
