//! How the rows of a subject are written: one after the other.
//!
//! ```text
//! row   = length, then as many bytes
//! bytes = version 1, session (16), state (0 reserved, 1 listed, 2 evicting), last seen, until, facts, label
//! ```
//!
//! 1. Lengths, times and what has a length in front are postcard's: seven bits a byte, the lowest first, in no more
//!    bytes than it takes. Times are milliseconds since 1970.
//! 2. A row that is not exactly so was written by a later release, or is damaged. It is kept as it is, behind the
//!    others, and counted.

use crate::ids::SessionId;
use crate::index::{IndexRow, IndexRows, RowState};
use crate::time::UnixMillis;
use crate::wire::read::Reader;

const VERSION: u8 = 1;

/// The rows of a subject.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StoredRows {
    pub(super) rows: Vec<IndexRow>,
    /// Those that are not understood, as they are.
    kept: Vec<u8>,
    /// How many these are.
    unreadable: usize,
}

impl StoredRows {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut stored = Self::default();
        let mut reader = Reader::new(bytes);
        while !reader.rest().is_empty() {
            let rest = reader.rest();
            let Some(bytes) = reader.bytes() else {
                // Where it ends is not known: it stays the last.
                stored.keep(rest);
                break;
            };
            let length = rest.len().saturating_sub(reader.rest().len());
            match (read_row(bytes), rest.split_at_checked(length)) {
                (None, Some((row, _))) => stored.keep(row),
                (row, _) => stored.rows.extend(row),
            }
        }
        stored
    }

    fn keep(&mut self, row: &[u8]) {
        self.kept.extend(row);
        self.unreadable = self.unreadable.saturating_add(1);
    }

    /// Empty if there is none.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in &self.rows {
            put_bytes(&mut bytes, &row_bytes(row));
        }
        bytes.extend(&self.kept);
        bytes
    }

    /// With what is known of those that are not understood.
    pub(super) fn answered(&self, rows: IndexRows) -> IndexRows {
        IndexRows {
            unreadable: self.unreadable,
            ..rows
        }
    }
}

impl From<StoredRows> for IndexRows {
    fn from(stored: StoredRows) -> Self {
        Self {
            unreadable: stored.unreadable,
            ..Self::new(stored.rows)
        }
    }
}

fn row_bytes(row: &IndexRow) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(row.session.as_bytes());
    bytes.push(match row.state {
        RowState::Reserved => 0,
        RowState::Listed => 1,
        RowState::Evicting => 2,
    });
    put_number(&mut bytes, row.last_seen.as_millis());
    put_number(&mut bytes, row.until.as_millis());
    put_bytes(&mut bytes, &row.facts);
    put_bytes(&mut bytes, &row.label);
    bytes
}

fn read_row(bytes: &[u8]) -> Option<IndexRow> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let row = IndexRow {
        session: SessionId::from_bytes(reader.array()?),
        state: match reader.byte()? {
            0 => RowState::Reserved,
            1 => RowState::Listed,
            2 => RowState::Evicting,
            _ => return None,
        },
        last_seen: UnixMillis::new(reader.u64()?),
        until: UnixMillis::new(reader.u64()?),
        facts: reader.bytes()?.to_vec(),
        label: reader.bytes()?.to_vec(),
    };
    reader.rest().is_empty().then_some(row)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<IndexRow>> {
        let state = prop_oneof![
            Just(RowState::Reserved),
            Just(RowState::Listed),
            Just(RowState::Evicting),
        ];
        let bytes = |most| prop::collection::vec(any::<u8>(), 0..=most);
        let row = (
            any::<[u8; 16]>(),
            state,
            any::<u64>(),
            any::<u64>(),
            bytes(300),
            bytes(200),
        );
        let row = row.prop_map(|(session, state, seen, until, facts, label)| IndexRow {
            facts,
            label,
            ..IndexRow::new(
                SessionId::from_bytes(session),
                state,
                UnixMillis::new(seen),
                UnixMillis::new(until),
            )
        });
        prop::collection::vec(row, 0..5)
    }

    proptest! {
        #[test]
        fn rows_of_a_subject_read_back(rows in rows()) {
            let stored = StoredRows { rows, ..StoredRows::default() };
            prop_assert_eq!(StoredRows::read(&stored.bytes()), stored);
        }

        #[test]
        fn rows_that_are_not_understood_are_kept_whatever_they_are(
            rows in rows(),
            garbage in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let stored = StoredRows { rows, ..StoredRows::default() };
            let mut bytes = stored.bytes();
            bytes.extend(&garbage);
            let read = StoredRows::read(&bytes);
            prop_assert_eq!(&read.bytes(), &bytes);
            prop_assert!(read.rows.starts_with(&stored.rows));
            prop_assert_eq!(read.unreadable == 0, garbage.is_empty());
        }
    }

    /// The layout above, written by hand: files outlive releases.
    #[test]
    fn a_row_is_written_as_it_is_documented() {
        let mut bytes = vec![29, 1];
        bytes.extend([7; 16]);
        bytes.extend([2, 0xac, 0x02, 0xff, 0x7f, 2, b'f', b'g', 2, b'l', b'm']);
        let row = IndexRow {
            facts: b"fg".to_vec(),
            label: b"lm".to_vec(),
            ..IndexRow::new(
                SessionId::from_bytes([7; 16]),
                RowState::Evicting,
                UnixMillis::new(300),
                UnixMillis::new(16_383),
            )
        };
        let stored = StoredRows {
            rows: vec![row],
            ..StoredRows::default()
        };
        bytes[0] = (bytes.len() - 1) as u8;
        assert_eq!(stored.bytes(), bytes);
        // Each field in turn is what it must not be.
        let last = bytes.len() - 1;
        for (at, byte) in [(1, 2), (18, 3), (20, 0x80), (23, 200), (26, 1), (26, 3)] {
            let mut wrong = bytes.clone();
            wrong[at] = byte;
            let read = StoredRows::read(&wrong);
            assert_eq!((read.rows.len(), read.unreadable), (0, 1), "{at}: {byte}");
            assert_eq!(read.bytes(), wrong);
        }
        // A row that is cut off, behind one that is whole.
        let cut = [&bytes[..], &bytes[..last]].concat();
        let read = StoredRows::read(&cut);
        assert_eq!((read.rows.len(), read.unreadable), (1, 1));
        // What is put later goes in front of it.
        let mut more = read;
        more.rows.extend(stored.rows);
        let read = StoredRows::read(&more.bytes());
        assert_eq!((read.rows.len(), read.unreadable), (2, 1));
    }
}
