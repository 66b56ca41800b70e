//! How long somebody who reads is held up by somebody who writes.
//!
//! A reader takes the time of each look-up. The system takes processors away from threads as it likes, so
//! the same is done while nobody writes: only what exceeds that is the list's.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sealed_session::testing::RevocationList;
use sealed_session::{revoke::SessionId, time::UnixMillis};

use crate::entries::{self, AFTER, NOW, UNTIL};

const ENTRIES: u64 = 1_000_000;
const ROUNDS: usize = 10;
/// About as long as what is measured.
const CONTROL: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

pub fn run() {
    for control in CONTROL {
        report("nobody writes", || {
            (filled(UNTIL), move |_: &RevocationList| {
                thread::sleep(control)
            })
        });
    }
    report("a million expired entries are swept", || {
        (filled(NOW), |list: &RevocationList| {
            assert_eq!(list.sweep(AFTER) as u64, ENTRIES);
        })
    });
    report("half of a million are swept", || {
        let list = RevocationList::default();
        for number in 0..ENTRIES {
            let until = if number % 2 == 0 { NOW } else { UNTIL };
            list.join(&entries::session(number, until));
        }
        (list, |list: &RevocationList| {
            assert_eq!(list.sweep(AFTER) as u64, ENTRIES / 2);
        })
    });
    report("two million are added to none", || {
        (RevocationList::default(), |list: &RevocationList| {
            for number in 0..2 * ENTRIES {
                list.join(&entries::session(number, UNTIL));
            }
        })
    });
    report("two million are added to six million", || {
        let list = RevocationList::default();
        for number in 0..6 * ENTRIES {
            list.join(&entries::session(number, UNTIL));
        }
        (list, |list: &RevocationList| {
            for number in 6 * ENTRIES..8 * ENTRIES {
                list.join(&entries::session(number, UNTIL));
            }
        })
    });
}

fn filled(until: UnixMillis) -> RevocationList {
    let list = RevocationList::default();
    for number in 0..ENTRIES {
        list.join(&entries::session(number, until));
    }
    list
}

fn report<W: FnOnce(&RevocationList)>(what: &str, mut make: impl FnMut() -> (RevocationList, W)) {
    let mut longest = Vec::new();
    let mut tails = Vec::new();
    let mut writes = Vec::new();
    for _ in 0..ROUNDS {
        let (list, write) = make();
        let (mut times, wrote) = read_while(&list, write);
        times.sort_unstable();
        let tail = times.len() - 1 - times.len() / 10_000;
        tails.push(times[tail]);
        longest.push(times[times.len() - 1]);
        writes.push(wrote);
    }
    longest.sort();
    tails.sort();
    writes.sort();
    let middle = ROUNDS / 2;
    let micros = |nanos: u32| f64::from(nanos) / 1e3;
    let longest: Vec<_> = longest
        .into_iter()
        .map(|each| format!("{:.0}", micros(each)))
        .collect();
    println!(
        "  {what} ({:.0?}): p99.99 {:.1} µs; longest of each round, in µs: {}",
        writes[middle],
        micros(tails[middle]),
        longest.join(" "),
    );
}

/// The time of each look-up while `write` runs, in nanoseconds, and how long that ran.
fn read_while(list: &RevocationList, write: impl FnOnce(&RevocationList)) -> (Vec<u32>, Duration) {
    let keys = entries::unknown(3);
    let stop = AtomicBool::new(false);
    let ready = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // Written to once before: a page that is new takes its time.
            let mut times = vec![1; 1 << 25];
            times.clear();
            let mut keys = keys.iter().cycle().copied();
            ready.store(true, Ordering::Release);
            while !stop.load(Ordering::Acquire) && times.len() < times.capacity() {
                let id = SessionId::from_bytes(keys.next().unwrap());
                let began = Instant::now();
                black_box(list.session(black_box(&id)));
                times.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
            times
        });
        while !ready.load(Ordering::Acquire) {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(1));
        let began = Instant::now();
        write(list);
        let wrote = began.elapsed();
        stop.store(true, Ordering::Release);
        (reader.join().unwrap(), wrote)
    })
}
