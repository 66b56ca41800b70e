//! Several threads that read at once, on a node with the default settings (`remembered`) and on one that remembers no token
//! (`opened`): one token, or many.
//!
//! A figure is nanoseconds a read of each processor that is busy, so that it is the same for all numbers of threads where
//! nobody waits for anybody.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use sealed_session::Sessions;

use crate::Bench;
use crate::common::ours::{self, Ended, Ours};
use crate::figures::Medians;
use crate::nodes::Nodes;
use crate::timing::median;

/// Few enough that hardly any two of them share a place.
const MANY: usize = 32;
const TURN: Duration = Duration::from_millis(10);
const TURNS: usize = 31;

pub fn measure(bench: &Bench<'_>) -> Medians {
    let &Bench { system, size } = bench;
    let nodes = Nodes::start(system);
    let headers: Vec<String> = system.block_on(async {
        let ours = Ours::start(nodes.remembering.clone(), size, Ended::NONE).await;
        let mut headers = Vec::new();
        for _ in 0..MANY {
            headers.push(ours.new_to(&nodes.forgetful).await.header);
        }
        headers
    });
    let (one, many) = (&headers[..1], &headers[..]);
    let [remembering, forgetful] = [&nodes.remembering, &nodes.forgetful];
    let paths = [
        ("remembered-one-1", remembering, one, 1),
        ("remembered-one-2", remembering, one, 2),
        ("remembered-one-4", remembering, one, 4),
        ("remembered-many-1", remembering, many, 1),
        ("remembered-many-2", remembering, many, 2),
        ("remembered-many-4", remembering, many, 4),
        ("opened-one-1", forgetful, one, 1),
        ("opened-one-2", forgetful, one, 2),
        ("opened-many-1", forgetful, many, 1),
        ("opened-many-2", forgetful, many, 2),
    ];
    let mut nanos: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..TURNS {
        for (name, node, headers, threads) in paths {
            let turn = turn(node, headers, threads);
            nanos.entry(name).or_default().push(turn);
        }
    }
    let of_each = nanos.into_iter();
    of_each.map(|(name, nanos)| (name, median(nanos))).collect()
}

/// Nanoseconds a read of each processor.
fn turn(node: &Sessions, headers: &[String], threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let reads = |nth: usize| {
        let mut headers = headers.iter().cycle().skip(nth * MANY / threads);
        start.wait();
        let began = Instant::now();
        let mut reads = 0_u32;
        while began.elapsed() < TURN {
            for header in headers.by_ref().take(MANY) {
                ours::read(node, header).expect("a session");
            }
            reads += MANY as u32;
        }
        f64::from(reads) / began.elapsed().as_nanos() as f64
    };
    let all: f64 = thread::scope(|scope| {
        let reads = &reads;
        let each: Vec<_> = (0..threads)
            .map(|nth| scope.spawn(move || reads(nth)))
            .collect();
        each.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let processors = thread::available_parallelism().unwrap().get();
    threads.min(processors) as f64 / all
}
