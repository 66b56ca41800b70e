//! Several threads that read at once, on a node with the default settings (`cached`) and on one that caches no token
//! (`opened`): one token, or many. And the cipher alone, for which they share nothing but the machine.
//!
//! A figure is nanoseconds a read of each processor that is busy, so that it is the same for all numbers of threads where
//! nobody waits for anybody.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::common::ours::{self, Ended, Ours};
use crate::figures::Medians;
use crate::library;
use crate::nodes::Nodes;
use crate::timing::median;

/// Few enough that hardly any two of them share a slot.
const MANY: usize = 32;
const TURN: Duration = Duration::from_millis(10);
const TURNS: usize = 25;

pub fn measure(bench: &Bench<'_>) -> Medians {
    let &Bench { system, size } = bench;
    let nodes = Nodes::start(system);
    let (headers, message) = system.block_on(async {
        let ours = Ours::start(nodes.caching.clone(), size, Ended::NONE).await;
        let mut headers = Vec::new();
        for _ in 0..MANY {
            headers.push(ours.new_to(&nodes.uncached).await.header);
        }
        (headers, library::message(&ours.value))
    });
    let cipher = |_| -> Work<'_> {
        let mut message = message.clone();
        Box::new(move || assert!(message.open()))
    };
    let of = |node, headers| {
        move |thread| -> Work<'_> {
            // Each thread begins with another one.
            let mut headers = <[String]>::iter(headers).cycle().skip(thread * MANY / 4);
            Box::new(move || {
                let header = headers.next().unwrap();
                ours::read(node, header).expect("a session");
            })
        }
    };
    let (one, many) = (&headers[..1], &headers[..]);
    let [node, uncached] = [&nodes.caching, &nodes.uncached];
    let paths: [(&'static str, usize, &Worker<'_>); 12] = [
        ("cipher-1", 1, &cipher),
        ("cipher-2", 2, &cipher),
        ("cached-one-1", 1, &of(node, one)),
        ("cached-one-2", 2, &of(node, one)),
        ("cached-one-4", 4, &of(node, one)),
        ("cached-many-1", 1, &of(node, many)),
        ("cached-many-2", 2, &of(node, many)),
        ("cached-many-4", 4, &of(node, many)),
        ("opened-one-1", 1, &of(uncached, one)),
        ("opened-one-2", 2, &of(uncached, one)),
        ("opened-many-1", 1, &of(uncached, many)),
        ("opened-many-2", 2, &of(uncached, many)),
    ];
    let mut nanos: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..TURNS {
        for (name, threads, worker) in paths {
            nanos.entry(name).or_default().push(turn(threads, worker));
        }
    }
    let of_each = nanos.into_iter();
    of_each.map(|(name, nanos)| (name, median(nanos))).collect()
}

/// What a thread does, over and over.
type Work<'w> = Box<dyn FnMut() + 'w>;
/// Its work, by its number.
type Worker<'w> = dyn Fn(usize) -> Work<'w> + Sync + 'w;

/// Nanoseconds a call of each processor.
fn turn(threads: usize, worker: &Worker<'_>) -> f64 {
    let start = Barrier::new(threads);
    let calls = |thread| {
        let mut work = worker(thread);
        start.wait();
        let began = Instant::now();
        let mut calls = 0_u32;
        while began.elapsed() < TURN {
            for _ in 0..MANY {
                work();
            }
            calls += MANY as u32;
        }
        f64::from(calls) / began.elapsed().as_nanos() as f64
    };
    let all: f64 = thread::scope(|scope| {
        let calls = &calls;
        let each: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || calls(thread)))
            .collect();
        each.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let processors = thread::available_parallelism().unwrap().get();
    threads.min(processors) as f64 / all
}
