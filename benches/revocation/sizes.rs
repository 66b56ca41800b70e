//! Look-ups, joins and memory, by what the list holds.

use std::hint::black_box;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sealed_session::testing::RevocationList;
use serde::{Deserialize, Serialize};

use crate::entries::{self, AFTER, Kind, LOOK_UPS, NOW, each};
use crate::process::Memory;

/// The argument that makes this binary measure one list. The kind and the number of its entries follow.
pub const WORD: &str = "size";

const SIZES: [u64; 4] = [0, 10_000, 1_000_000, 10_000_000];
/// Of as many the median counts.
const ROUNDS: usize = 5;

/// In nanoseconds each, by threads: one, then two.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    join: f64,
    /// KiB.
    memory: u64,
    misses: [f64; 2],
    hits: [f64; 2],
    busy_misses: f64,
    busy_hits: f64,
}

pub fn run() {
    println!(
        "  {:<9} {:>10} | {:>6} | {:>6} {:>6} | {:>6} {:>6} | {:>6} {:>6} | {:>5}",
        "ns each", "entries", "join", "miss", "two", "hit", "two", "miss,", "busy", "bytes"
    );
    for kind in [Kind::Sessions, Kind::Subjects, Kind::Halves] {
        for size in SIZES {
            let figures = ask(kind, size);
            let [miss, miss_two] = figures.misses;
            let [hit, hit_two] = figures.hits;
            let bytes = (figures.memory * 1024).checked_div(size);
            println!(
                "  {:<9} {size:>10} | {:>6.0} | {miss:>6.1} {miss_two:>6.1} | {hit:>6.1} {hit_two:>6.1} | \
                 {:>6.1} {:>6.1} | {:>5}",
                format!("{kind:?}"),
                figures.join,
                figures.busy_misses,
                figures.busy_hits,
                bytes.unwrap_or(0),
            );
        }
    }
}

fn ask(kind: Kind, size: u64) -> Figures {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let kind = serde_json::to_string(&kind).unwrap();
    let output = command
        .args([WORD, &kind, &size.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The other process.
pub fn measure(kind: &str, size: &str) {
    let kind: Kind = serde_json::from_str(kind).unwrap();
    let size: u64 = size.parse().unwrap();
    let list = RevocationList::default();
    let before = Memory::own();
    let began = Instant::now();
    for number in 0..size {
        list.join(&kind.entry(number));
    }
    let took = began.elapsed();
    let memory = Memory::own().now.saturating_sub(before.now);
    assert_eq!(list.len() as u64, size);
    let misses = [entries::unknown(1), entries::unknown(2)];
    let hits = [entries::held(size, 1), entries::held(size, 2)];
    let both = |keys: &[Vec<[u8; 16]>; 2]| {
        let [first, _] = keys;
        [
            look_up(&list, kind, std::slice::from_ref(first)),
            look_up(&list, kind, keys),
        ]
    };
    let [first_misses, _] = &misses;
    let [first_hits, _] = &hits;
    let figures = Figures {
        join: each(took, size.max(1) as usize),
        memory,
        misses: both(&misses),
        hits: both(&hits),
        busy_misses: busy(&list, || {
            look_up(&list, kind, std::slice::from_ref(first_misses))
        }),
        busy_hits: busy(&list, || {
            look_up(&list, kind, std::slice::from_ref(first_hits))
        }),
    };
    assert_eq!(kind.count(&list, first_misses), 0);
    let expected = match kind {
        _ if size == 0 => 0..=0,
        Kind::Halves => LOOK_UPS / 3..=LOOK_UPS * 2 / 3,
        _ => LOOK_UPS..=LOOK_UPS,
    };
    assert!(expected.contains(&kind.count(&list, first_hits)));
    println!("{}", serde_json::to_string(&figures).unwrap());
}

/// How long a look-up takes in as many threads as there are rows of keys: the median of several rounds.
fn look_up(list: &RevocationList, kind: Kind, keys: &[Vec<[u8; 16]>]) -> f64 {
    let round = || {
        let start = Barrier::new(keys.len());
        let reader = |keys: &[[u8; 16]]| {
            start.wait();
            let began = Instant::now();
            black_box(kind.count(list, black_box(keys)));
            began.elapsed()
        };
        thread::scope(|scope| {
            let readers: Vec<_> = keys
                .iter()
                .map(|keys| scope.spawn(|| reader(keys)))
                .collect();
            let times = readers.into_iter().map(|reader| reader.join().unwrap());
            times.sum::<Duration>() / u32::try_from(keys.len()).unwrap()
        })
    };
    let mut times: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    times.sort();
    each(times.remove(ROUNDS / 2), LOOK_UPS)
}

/// The same while 100,000 entries a second are added, and others that have expired are swept.
fn busy(list: &RevocationList, work: impl FnOnce() -> f64) -> f64 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 1 << 50;
            while !stop.load(Ordering::Relaxed) {
                for number in next..next + 100 {
                    list.join(&entries::session(number, NOW));
                }
                next += 100;
                thread::sleep(Duration::from_millis(1));
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                list.sweep(AFTER);
                thread::sleep(Duration::from_millis(50));
            }
        });
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })
}
