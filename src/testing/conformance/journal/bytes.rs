//! The journal alone. It does not know what the bytes mean, so it gets any.

use super::harness::JournalHarness;
use super::tools::{durable, fail_appends, fresh, load, open};
use crate::revoke::Journal;
use crate::testing::conformance::report::{Checked, Stop, require};

pub(super) async fn a_new_one_is_empty(h: &dyn JournalHarness) -> Checked {
    let mut journal = fresh(h)?;
    let held = load(&mut *journal)?;
    require(held.is_empty(), || format!("it holds {} bytes", held.len()))
}

pub(super) async fn given_is_returned(h: &dyn JournalHarness) -> Checked {
    let mut journal = begun(h, &[b"first "])?;
    for piece in [&b"second "[..], b"third ", b"third ", b"x"] {
        journal.append(piece)?;
    }
    returns(h, journal, b"first second third third x")
}

pub(super) async fn any_bytes(h: &dyn JournalHarness) -> Checked {
    let all: Vec<u8> = (0..=255).collect();
    let mut journal = begun(h, &[&all])?;
    let mut want = all.clone();
    for piece in [&[0; 100][..], b"\r\n\r\n", &[255; 100], &all] {
        journal.append(piece)?;
        want.extend(piece);
    }
    returns(h, journal, &want)
}

pub(super) async fn large_and_many(h: &dyn JournalHarness) -> Checked {
    let mut journal = begun(h, &[b"begin"])?;
    let mut want = b"begin".to_vec();
    let long = pattern(1 << 20);
    let short: Vec<_> = (0..300).map(|n| pattern(1 + n % 90)).collect();
    for piece in short.iter().chain([&long]).chain(&short) {
        journal.append(piece)?;
        want.extend(piece);
    }
    returns(h, journal, &want)
}

pub(super) async fn it_goes_on(h: &dyn JournalHarness) -> Checked {
    let journal = begun(h, &[b"0"])?;
    drop(journal);
    let mut want = b"0".to_vec();
    for round in 1..5u8 {
        let mut journal = opened(h, &want)?;
        for byte in [b'a', b'0' + round] {
            journal.append(&[byte])?;
            want.push(byte);
        }
    }
    opened(h, &want).map(drop)
}

pub(super) async fn a_compaction_replaces(h: &dyn JournalHarness) -> Checked {
    let mut journal = begun(h, &[b"old ", b"older "])?;
    journal.append(b"appended ")?;
    let pieces: Vec<_> = (0..70).map(|n| pattern(60_000 + n)).collect();
    journal.compact(&mut pieces.iter().cloned())?;
    drop(journal);
    // A shorter one leaves nothing of the longer.
    let mut journal = opened(h, &pieces.concat())?;
    journal.compact(&mut [b"short".to_vec()].into_iter())?;
    returns(h, journal, b"short")
}

pub(super) async fn appends_follow_a_compaction(h: &dyn JournalHarness) -> Checked {
    let mut journal = begun(h, &[b"1"])?;
    journal.append(b"2")?;
    journal.compact(&mut [b"3".to_vec(), b"4".to_vec()].into_iter())?;
    journal.append(b"5")?;
    journal.append(b"6")?;
    returns(h, journal, b"3456")
}

pub(super) async fn it_is_open_once(h: &dyn JournalHarness) -> Checked {
    let first = durable(h)?;
    match h.open() {
        None => return Err(Stop::skipped("it cannot be opened again")),
        Some(Ok(_)) => return Err(Stop::failed("it is open twice")),
        Some(Err(_)) => drop(first),
    }
    let mut first = open(h)?;
    load(&mut *first)?;
    // Nor after another file, say, has taken the first one's place.
    first.compact(&mut [b"1".to_vec()].into_iter())?;
    let is_refused = matches!(h.open(), Some(Err(_)));
    require(is_refused, || "after a compaction it is open twice".into())?;
    drop(first);
    open(h).map(drop)
}

pub(super) async fn a_compaction_repairs(h: &dyn JournalHarness) -> Checked {
    let mut journal = begun(h, &[b"begin "])?;
    journal.append(b"kept ")?;
    fail_appends(h)?;
    let failed = journal.append(b"lost");
    h.fail_appends(false);
    require(failed.is_err(), || {
        "an append that could not be made durable returned Ok".into()
    })?;
    journal.compact(&mut [b"anew ".to_vec()].into_iter())?;
    journal.append(b"more")?;
    returns(h, journal, b"anew more")
}

/// A new journal, after its first compaction.
fn begun(h: &dyn JournalHarness, pieces: &[&[u8]]) -> Checked<Box<dyn Journal>> {
    let mut journal = durable(h)?;
    load(&mut *journal)?;
    journal.compact(&mut pieces.iter().map(|piece| piece.to_vec()))?;
    Ok(journal)
}

/// Fails the check unless the journal, opened again, returns this.
fn returns(h: &dyn JournalHarness, journal: Box<dyn Journal>, want: &[u8]) -> Checked {
    drop(journal);
    opened(h, want).map(drop)
}

/// The last new journal, opened again. Fails the check unless it returns this.
fn opened(h: &dyn JournalHarness, want: &[u8]) -> Checked<Box<dyn Journal>> {
    let mut journal = open(h)?;
    let held = load(&mut *journal)?;
    let same = held.iter().zip(want).take_while(|(a, b)| a == b).count();
    let (given, returned) = (want.len(), held.len());
    require(held == want, || {
        format!(
            "it was given {given} bytes and returns {returned}, of which the first {same} are the same"
        )
    })?;
    Ok(journal)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + length) as u8).collect()
}
