//! Journals that are cut off, damaged, foreign, or of another release.

use super::super::record::JournalRecord;
use super::{Disk, SECOND, about, framed, frames, id, node, opened, publish, session};
use crate::error::StoreError;
use crate::testing::ManualClock;
use crate::time::Clock;

fn assert_damaged(bytes: &[u8], says: &str) {
    match opened(&Disk::holding(bytes)) {
        Err(StoreError::Damaged {
            path: None,
            problem,
        }) => {
            assert!(
                problem.contains(says) && problem.starts_with("Ram("),
                "{problem}"
            );
        }
        other => panic!("{:?}", other.map(|_| "opened")),
    }
}

#[test]
fn a_journal_with_nothing_in_it_is_a_new_list_and_is_written_at_once() {
    let disk = Disk::default();
    let state = opened(&disk).unwrap();
    assert_eq!(state.list.complete_since(), ManualClock::default().now());
    assert_eq!(disk.lock().compactions, 1);
    assert!(!disk.lock().bytes.is_empty());
    disk.lock().bytes.clear();
    disk.fail(true);
    assert!(matches!(opened(&disk), Err(StoreError::Unavailable(_))));
}

#[test]
fn any_cut_loads_as_a_prefix_or_is_refused_and_a_torn_end_is_cut_off_first() {
    let frames = frames(3);
    let first = frames[0].len();
    let good = frames.concat();
    for cut in 1..good.len() {
        let disk = Disk::holding(&good[..cut]);
        if cut < first {
            assert!(matches!(opened(&disk), Err(StoreError::Damaged { .. })));
            continue;
        }
        let state = opened(&disk).unwrap();
        let whole = (cut - first) / frames[1].len();
        for n in 0..3 {
            let is_there = state.list.session(&id(n), false).is_some();
            assert_eq!(is_there, (n as usize) < whole, "cut to {cut}");
        }
        let is_torn = !(cut - first).is_multiple_of(frames[1].len());
        assert_eq!(disk.lock().compactions, usize::from(is_torn));
        // Nothing torn is left.
        opened(&disk).unwrap();
        assert_eq!(disk.lock().compactions, usize::from(is_torn));
    }
}

/// All that a compaction wrote was acknowledged.
#[test]
fn a_compaction_that_is_cut_off_is_damage_also_between_two_frames() {
    let record = |n| JournalRecord::Revocation(session(n));
    let base = [
        framed(0, &[about(), record(1)]),
        framed(1, &[record(2), JournalRecord::End]),
    ];
    assert!(opened(&Disk::holding(&base.concat())).is_ok());
    assert_damaged(&base[0], "its end is missing");
}

#[test]
fn damage_foreign_bytes_and_later_releases_are_told_apart() {
    let good = frames(3).concat();
    let mut bad = good.clone();
    bad[frames(0)[0].len() + 40] ^= 1;
    assert_damaged(&bad, "damaged at byte");
    assert_damaged(b"[keys]\nfile = \"keys.toml\"", "no list of revocations");
    assert_damaged(&[0; 5000], "no list of revocations");
    let mut other = good.clone();
    other[7] = 9;
    assert_damaged(&other, "version 9");
    let mut future = frames(1);
    future.push(super::super::frame::frame(7, &[200]));
    assert_damaged(&future.concat(), "kind 200");
}

#[tokio::test]
async fn a_journal_that_was_refused_is_closed_and_untouched() {
    let disk = Disk::holding(b"something else");
    let store = disk.store();
    for _ in 0..2 {
        let error = store.contents().await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    assert!(!disk.lock().is_open);
    assert_eq!(disk.lock().bytes, b"something else");
}

#[tokio::test]
async fn a_torn_end_that_cannot_be_cut_off_lets_a_node_start_and_takes_no_write() {
    let good = frames(3).concat();
    let disk = Disk::holding(&good[..good.len() - 1]);
    disk.fail(true);
    let clock = ManualClock::default();
    let store = disk.store();
    let node = node(&store, &clock).await;
    assert!(node.list().session(&id(1), false).is_some());
    let told = publish(&node, session(9)).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    disk.fail(false);
    assert_eq!(node.close(30 * SECOND).await, 0);
    drop((node, store));
    let held = opened(&disk).unwrap();
    assert!(held.list.session(&id(9), false).is_some());
    assert!(held.list.session(&id(2), false).is_none());
}
