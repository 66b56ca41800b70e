//! The table beside a plain map, and beside who reads while it is written to.

use super::*;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::sample::id;
use crate::revoke::{SessionEntry, Spared, SubjectEntry};
use crate::time::UnixMillis;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

type Sessions = Table<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>;
type Subjects = Table<SubjectKey, SubjectEntry, RandomState>;

const NOW: u64 = 1_800_000_000_000;

fn ended(until: u64) -> SessionEntry {
    entry(Serial::ENDED, NOW, until)
}

fn entry(serial: Serial, from: u64, until: u64) -> SessionEntry {
    SessionEntry::new(serial, UnixMillis::new(from), UnixMillis::new(until))
}

/// Whether an entry has expired by then.
fn expired(now: u64) -> impl Fn(SessionEntry) -> bool {
    move |entry| entry.until.as_millis() <= now
}

#[test]
fn an_entry_takes_27_bytes_a_bucket() {
    // And a byte by which the map finds it.
    assert_eq!(size_of::<(SessionId, Packed)>(), 26);
    assert_eq!(size_of::<(SubjectKey, Packed)>(), 26);
}

#[test]
fn a_sweep_gives_back_what_is_not_needed() {
    let table = Sessions::new(Size::LARGE);
    for number in 0..100_000 {
        table.join(id(number), ended(NOW + 1 + u64::from(number % 1000 == 0)));
    }
    let full = table.packed.capacity();
    assert_eq!(table.sweep(expired(NOW)), 0);
    assert_eq!(table.packed.capacity(), full);
    assert_eq!(table.sweep(expired(NOW + 1)), 99_900);
    let left = table.packed.capacity();
    assert!(left < full / 50, "{left} of {full}");
    assert_eq!(table.len(), 100);
    for number in 0..100_000 {
        let kept = (number % 1000 == 0).then(|| ended(NOW + 2));
        assert_eq!(table.get(&id(number)), kept);
    }
}

/// Few keys and few values that fit, so that they meet; and odd ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0..4u64).prop_map(|ahead| NOW + ahead),
        1 => 0..3u64,
        1 => (0..64u32, 0..3u64).prop_map(|(bits, off)| (1u64 << bits).wrapping_add(off).wrapping_sub(1)),
        1 => any::<u64>(),
    ]
}

fn serial() -> impl Strategy<Value = Serial> {
    prop_oneof![
        2 => Just(Serial::ENDED),
        2 => Just(Serial::SUCCEEDED),
        2 => (0..3u32).prop_map(Serial::new),
        1 => (5..10u32).prop_map(Serial::new),
        1 => any::<u32>().prop_map(Serial::new),
    ]
}

#[derive(Debug, Clone)]
enum Step<E> {
    Join(u64, E),
    Remove(u64),
    Sweep(u64),
}

fn steps<E: Clone + std::fmt::Debug + 'static>(
    entry: impl Strategy<Value = E> + 'static,
) -> impl Strategy<Value = Vec<Step<E>>> {
    let step = prop_oneof![
        8 => (0..6u64, entry).prop_map(|(key, entry)| Step::Join(key, entry)),
        1 => (0..6u64).prop_map(Step::Remove),
        1 => number().prop_map(Step::Sweep),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Takes the steps with the table and with a plain map, and looks that both always say the same.
fn agree<K: Copy + Ord + Hash + std::fmt::Debug, E: TableEntry + std::fmt::Debug>(
    table: &Table<K, E, impl BuildHasher + Default + Clone>,
    key: impl Fn(u64) -> K,
    until: fn(E) -> UnixMillis,
    steps: Vec<Step<E>>,
) -> Result<(), TestCaseError> {
    let mut plain = BTreeMap::<K, E>::new();
    for step in steps {
        match step {
            Step::Join(number, entry) => {
                let held = plain.get(&key(number)).copied();
                let is_news = held.is_none_or(|held| entry.exceeds(held));
                let joined = held.map_or(entry, |held| held.join(entry));
                plain.insert(key(number), joined);
                let published = table.join(key(number), entry);
                prop_assert_eq!(published == Published::Fresh, is_news);
            }
            Step::Remove(number) => {
                let removed = plain.remove(&key(number)).is_some();
                prop_assert_eq!(table.remove(&key(number)), removed);
            }
            Step::Sweep(now) => {
                let until = |entry: E| until(entry).as_millis();
                let before = plain.len();
                plain.retain(|_, entry| until(*entry) > now);
                prop_assert_eq!(
                    table.sweep(|entry| until(entry) <= now),
                    before - plain.len()
                );
            }
        }
        for number in 0..6 {
            let held = plain.get(&key(number)).copied();
            prop_assert_eq!(table.get(&key(number)), held);
        }
        let mut shown = BTreeMap::new();
        table.for_each(|key, entry| assert!(shown.insert(key, entry).is_none()));
        prop_assert_eq!(&shown, &plain);
        prop_assert_eq!(table.len(), plain.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn sessions_are_those_of_a_plain_map(
        steps in steps((serial(), number(), number()).prop_map(|(serial, from, until)| {
            entry(serial, from, until)
        })),
    ) {
        agree(&Sessions::new(Size::SMALL), id, |entry| entry.until, steps)?;
    }

    #[test]
    fn subjects_are_those_of_a_plain_map(
        steps in steps((number(), number(), option::of(number())).prop_map(|(generation, until, least)| {
            let entry = SubjectEntry::new(Generation::new(generation), UnixMillis::new(until));
            match least.map(Generation::new) {
                Some(generation) => entry.sparing(Spared { session: id(1), generation }),
                None => entry,
            }
        })),
    ) {
        let key = |number| SubjectKey::from_bytes(*id(number).as_bytes());
        agree(&Subjects::new(Size::SMALL), key, |entry| entry.until, steps)?;
    }
}

/// Entries that are packed, then are not, and then are again, while their shards grow, are swept and shrink.
#[test]
fn who_reads_meanwhile_misses_no_entry() {
    let table = Sessions::new(Size::LARGE);
    let (rounds, each) = (20, 64);
    let fits = [Serial::new(1), Serial::new(8), Serial::ENDED];
    let entered = AtomicU64::new(0);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..rounds {
                let keys = round * each..(round + 1) * each;
                for serial in fits {
                    for number in keys.clone() {
                        table.join(id(number), entry(serial, NOW, NOW + 10));
                    }
                    entered.store(keys.end, Ordering::Release);
                }
                for number in 10_000..20_000 {
                    table.join(id(number), ended(NOW));
                }
                table.sweep(expired(NOW));
            }
        });
        while !writer.is_finished() {
            // Two sweep at the same time, and beside who enters.
            table.sweep(expired(NOW));
            assert!(table.len() <= 20_000, "{} are held", table.len());
            for number in 0..entered.load(Ordering::Acquire) {
                assert!(table.get(&id(number)).is_some(), "it has not expired");
            }
        }
        writer.join().unwrap();
    });
    assert_eq!(table.len(), usize::try_from(rounds * each).unwrap());
    for number in 0..rounds * each {
        assert_eq!(table.get(&id(number)), Some(ended(NOW + 10)));
    }
    assert!(table.overflow.is_empty());
}
