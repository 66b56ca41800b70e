//! The bytes: what is cut off at the end, and what is damage.

use proptest::prelude::*;

use super::super::frame::{FrameReader, frame};
use super::super::record::{self, About, JournalRecord};
use super::{framed, frames, id, session};
use crate::ids::{Generation, Serial, SubjectKey};
use crate::revoke::{Announcement, Revocation, SessionEntry, Spared, SubjectEntry};
use crate::time::UnixMillis;
use std::time::Duration;

/// The bodies in `bytes`, read in pieces of this length, and whether something was cut off.
fn read(bytes: &[u8], piece: usize) -> Result<(Vec<Vec<u8>>, bool), String> {
    let mut reader = FrameReader::default();
    let mut bodies = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.feed(piece, |body| {
            bodies.push(body.to_vec());
            Ok(())
        })?;
    }
    let end = reader.finish()?;
    assert_eq!(end.length, bytes.len() as u64);
    Ok((bodies, end.is_torn))
}

fn bodies(count: u64) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let bodies: Vec<Vec<u8>> = (0..count)
        .map(|n| vec![n as u8; 3 + n as usize % 50])
        .collect();
    let frames = (7..).zip(&bodies);
    let frames = frames.map(|(number, body)| frame(number, body)).collect();
    (bodies, frames)
}

#[test]
fn frames_are_read_from_pieces_of_any_length() {
    let (bodies, frames) = bodies(20);
    let bytes = frames.concat();
    for piece in 1..bytes.len() + 1 {
        assert_eq!(read(&bytes, piece), Ok((bodies.clone(), false)));
    }
}

#[test]
fn any_cut_leaves_a_prefix() {
    let (bodies, frames) = bodies(6);
    let bytes = frames.concat();
    let mut whole = 0;
    let mut end = 0;
    for cut in 0..bytes.len() {
        while whole < frames.len() && end + frames[whole].len() <= cut {
            end += frames[whole].len();
            whole += 1;
        }
        for piece in [1, 13, 4096] {
            let want = (bodies[..whole].to_vec(), cut > end);
            assert_eq!(read(&bytes[..cut], piece), Ok(want), "cut to {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_is_damage_or_costs_the_last_frame_alone() {
    let (bodies, frames) = bodies(6);
    let good = frames.concat();
    let last = good.len() - frames.last().unwrap().len();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            for piece in [29, 4096] {
                match read(&bad, piece) {
                    Err(_) => assert!(at < last, "bit {bit} of byte {at}"),
                    Ok(read) => {
                        assert_eq!(read, (bodies[..5].to_vec(), true));
                        assert!(at >= last, "bit {bit} of byte {at}");
                    }
                }
            }
        }
    }
}

/// A disk need not write the pages of an append in order.
#[test]
fn the_rest_of_a_torn_append_is_cut_off_whatever_it_holds() {
    let (bodies, frames) = bodies(3);
    let good = frames[..2].concat();
    let last = &frames[2];
    for (from, to) in [(0, 4), (0, 28), (10, 20), (28, last.len()), (0, last.len())] {
        let mut torn = last.clone();
        torn[from..to].fill(0);
        let bytes = [good.clone(), torn].concat();
        assert_eq!(read(&bytes, 11), Ok((bodies[..2].to_vec(), true)));
    }
}

#[test]
fn a_frame_that_is_missing_or_comes_twice_or_too_early_is_damage() {
    let (_, frames) = bodies(5);
    for order in [
        vec![0, 2, 3],
        vec![0, 1, 1],
        vec![0, 2, 1, 3],
        vec![1, 0],
        vec![0, 1, 2, 0],
    ] {
        let bytes: Vec<u8> = order.iter().flat_map(|at| frames[*at].clone()).collect();
        assert!(read(&bytes, 17).is_err(), "{order:?}");
    }
}

#[test]
fn bytes_that_are_missing_from_the_middle_are_damage() {
    let (_, frames) = bodies(5);
    let good = frames.concat();
    let last = good.len() - frames.last().unwrap().len();
    for from in 0..last {
        for length in [1, 5, 40] {
            let to = (from + length).min(last);
            let bytes = [&good[..from], &good[to..]].concat();
            assert!(read(&bytes, 4096).is_err(), "{from}..{to}");
        }
    }
}

#[test]
fn a_frame_of_another_version_is_refused_by_its_number() {
    let mut bytes = frames(2).concat();
    bytes[7] = 2;
    let problem = read(&bytes, 4096).unwrap_err();
    assert!(
        problem.contains("version 2") && problem.contains("version 1"),
        "{problem}"
    );
}

#[test]
fn a_record_of_a_later_release_is_refused() {
    let problem = record::read(&[6, 7], |_| ()).unwrap_err();
    assert!(
        problem.contains("kind 7") && problem.contains("later release"),
        "{problem}"
    );
    // One that ends in the middle of a record is not what we wrote.
    assert!(record::read(&[1, 2, 3], |_| ()).is_err());
}

/// Laid out by hand, as the table in the module's documentation says.
#[test]
fn a_frame_is_laid_out_as_documented() {
    let since = UnixMillis::new(0x0102_0304_0506_0708);
    let record = JournalRecord::Revocation(Revocation::Anonymous { since });
    let bytes = framed(9, &[record]);
    let mut header = b"SSRJ\0\0\0\x01\0\0\0\0\0\0\0\x09\0\0\0\x09".to_vec();
    assert_eq!(bytes[..20], header);
    assert_eq!(bytes[28..37], *b"\x05\x01\x02\x03\x04\x05\x06\x07\x08");
    let sum = |bytes: &[u8]| {
        use sha2::{Digest, Sha256};
        Sha256::digest(bytes)[..8].to_vec()
    };
    assert_eq!(bytes[20..28], sum(&header));
    header.extend(&bytes[20..37]);
    assert_eq!(bytes[37..], sum(&header));
}

fn records() -> impl Strategy<Value = JournalRecord> {
    (
        0..7u8,
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(kind, a, b, c, is_used)| {
            let (created, until) = (UnixMillis::new(a), UnixMillis::new(b));
            let entry = SessionEntry::new(Serial::new(c as u32), created, until);
            let generation = Generation::new(a);
            match kind {
                0 => JournalRecord::About(About {
                    complete_since: created,
                    announced: Announcement::new(
                        Duration::from_millis(b),
                        c,
                        Duration::from_millis(a),
                    ),
                    last_sweep: until,
                    is_used,
                }),
                1 => JournalRecord::Revocation(Revocation::Session { id: id(c), entry }),
                2 => JournalRecord::Revocation(Revocation::AnonymousSession {
                    id: id(c),
                    created,
                    entry,
                }),
                3 => JournalRecord::Revocation(Revocation::Subject {
                    key: SubjectKey::from_bytes(*id(c).as_bytes()),
                    entry: SubjectEntry::new(generation, until).sparing(Spared {
                        session: id(c),
                        generation: Generation::new(entry.from.as_millis()),
                    }),
                }),
                4 => JournalRecord::Revocation(Revocation::Everyone { generation }),
                5 => JournalRecord::Revocation(Revocation::Anonymous { since: until }),
                _ => JournalRecord::End,
            }
        })
}

proptest! {
    #[test]
    fn records_read_back(all in prop::collection::vec(records(), 0..20)) {
        let mut body = Vec::new();
        all.iter().for_each(|record| record.write(&mut body));
        let mut read = Vec::new();
        record::read(&body, |record| read.push(record)).unwrap();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn foreign_bytes_are_no_list(bytes in prop::collection::vec(any::<u8>(), 4..300)) {
        prop_assume!(bytes[0] != b'S');
        prop_assert!(read(&bytes, 64).is_err());
    }
}

#[test]
fn an_ended_session_takes_37_bytes() {
    let mut body = Vec::new();
    JournalRecord::Revocation(session(1)).write(&mut body);
    assert_eq!(body.len(), 37);
}
