//! How the rows of a subject are written: one after the other.
//!
//! ```text
//! length     4 bytes, big endian
//! session   16 bytes
//! row       as many bytes as are left of the length
//! ```
//!
//! A row that is not understood was written by a later release, or is damaged. It is kept as it is, behind the others, and
//! counted.

use crate::ids::SessionId;
use crate::index::{IndexRow, IndexRows};

/// The rows of a subject.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StoredRows {
    /// As the index answers them; whether it is full is not said here.
    pub(super) found: IndexRows,
    /// Those that are not understood, as they are.
    kept: Vec<u8>,
}

impl StoredRows {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (mut stored, mut rest) = (Self::default(), bytes);
        while let Some((whole, row, behind)) = next(rest) {
            match read_row(row) {
                Some(row) => stored.found.rows.push(row),
                None => stored.keep(whole),
            }
            rest = behind;
        }
        if !rest.is_empty() {
            // Where it ends is not known: it stays the last.
            stored.keep(rest);
        }
        stored
    }

    fn keep(&mut self, row: &[u8]) {
        self.kept.extend(row);
        self.found.unreadable = self.found.unreadable.saturating_add(1);
    }

    /// Empty if there is none.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in &self.found.rows {
            let session = row.session.as_bytes();
            let Ok(row) = row.to_bytes() else {
                // Refused before it came here.
                continue;
            };
            // A few hundred bytes.
            let length = u32::try_from(session.len().saturating_add(row.len()));
            bytes.extend(length.unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(session);
            bytes.extend(row);
        }
        bytes.extend(&self.kept);
        bytes
    }
}

/// The next row with its length, without that, and what is behind it.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (row, behind) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len().checked_sub(behind.len())?)?;
    Some((whole, row, behind))
}

fn read_row(bytes: &[u8]) -> Option<IndexRow> {
    let (session, row) = bytes.split_first_chunk()?;
    IndexRow::from_bytes(SessionId::from_bytes(*session), row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::RowState;
    use crate::time::UnixMillis;
    use proptest::prelude::*;

    fn stored(rows: Vec<IndexRow>) -> StoredRows {
        StoredRows {
            found: IndexRows::new(rows),
            ..StoredRows::default()
        }
    }

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
            let stored = stored(rows);
            prop_assert_eq!(StoredRows::read(&stored.bytes()), stored);
        }

        #[test]
        fn rows_that_are_not_understood_are_kept_whatever_they_are(
            rows in rows(),
            garbage in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let stored = stored(rows);
            let mut bytes = stored.bytes();
            bytes.extend(&garbage);
            let read = StoredRows::read(&bytes);
            prop_assert_eq!(&read.bytes(), &bytes);
            prop_assert!(read.found.rows.starts_with(&stored.found.rows));
            prop_assert_eq!(read.found.unreadable == 0, garbage.is_empty());
        }
    }

    /// The layout above, written by hand: files outlive releases.
    #[test]
    fn rows_are_framed_as_it_is_documented() {
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
        let form = row.to_bytes().unwrap();
        let bytes = [&[0, 0, 0, 42], [7; 16].as_slice(), &form].concat();
        let stored = stored(vec![row]);
        assert_eq!(stored.bytes(), bytes);
        // No such row, and a length that is not its own.
        for (at, byte) in [(20, 2), (3, 41), (3, 43), (0, 1)] {
            let mut wrong = bytes.clone();
            wrong[at] = byte;
            let read = StoredRows::read(&wrong);
            let found = &read.found;
            assert!(
                found.rows.is_empty() && found.unreadable > 0,
                "{at}: {byte}"
            );
            assert_eq!(read.bytes(), wrong);
        }
        // A row that is cut off, behind one that is whole.
        let cut = [&bytes[..], &bytes[..bytes.len() - 1]].concat();
        let read = StoredRows::read(&cut);
        assert_eq!((read.found.rows.len(), read.found.unreadable), (1, 1));
        // What is put later goes in front of it.
        let mut more = read;
        more.found.rows.extend(stored.found.rows);
        let read = StoredRows::read(&more.bytes());
        assert_eq!((read.found.rows.len(), read.found.unreadable), (2, 1));
    }
}
