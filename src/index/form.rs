//! A row in bytes, for the stores that keep bytes. `index.lua`, which runs on a server, reads and writes the same.
//!
//! ```text
//! version      1 byte
//! state        1 byte    1 reserved, 2 listed, 3 evicting
//! last seen    8 bytes   milliseconds since 1970
//! until        8 bytes
//! lengths      2 bytes   of the facts, and 2 of the label
//! facts, label
//! ```
//!
//! 1. The session's id is not in it: stores find the row by that.
//! 2. Numbers are big endian. The length is exact. What is not so was written by a later release, or is damaged.

use crate::error::StoreError;
use crate::ids::SessionId;
use crate::index::row::{IndexRow, RowState};
use crate::time::UnixMillis;

const VERSION: u8 = 1;

impl IndexRow {
    /// # Errors
    /// When its facts or its label are longer than any are.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let too_long = || StoreError::unavailable("the row of a session is too long");
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).map_err(|_| too_long());
        let state = match self.state {
            RowState::Reserved => 1,
            RowState::Listed => 2,
            RowState::Evicting => 3,
        };
        let mut bytes = vec![VERSION, state];
        bytes.extend(self.last_seen.as_millis().to_be_bytes());
        bytes.extend(self.until.as_millis().to_be_bytes());
        bytes.extend(length(&self.facts)?.to_be_bytes());
        bytes.extend(length(&self.label)?.to_be_bytes());
        bytes.extend(&self.facts);
        bytes.extend(&self.label);
        Ok(bytes)
    }

    /// The row of this session; `None` if the bytes are not understood.
    pub(crate) fn from_bytes(session: SessionId, bytes: &[u8]) -> Option<Self> {
        let ([VERSION, state], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let state = match state {
            1 => RowState::Reserved,
            2 => RowState::Listed,
            3 => RowState::Evicting,
            _ => return None,
        };
        let (last_seen, rest) = rest.split_first_chunk()?;
        let (until, rest) = rest.split_first_chunk()?;
        let (facts, rest) = rest.split_first_chunk()?;
        let (label, rest) = rest.split_first_chunk()?;
        let [last_seen, until] =
            [last_seen, until].map(|it| UnixMillis::new(u64::from_be_bytes(*it)));
        let [facts, label] = [facts, label].map(|it| usize::from(u16::from_be_bytes(*it)));
        let (facts, rest) = rest.split_at_checked(facts)?;
        (rest.len() == label).then(|| Self {
            facts: facts.to_vec(),
            label: rest.to_vec(),
            ..Self::new(session, state, last_seen, until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SESSION: SessionId = SessionId::from_bytes([7; 16]);

    proptest! {
        #[test]
        fn a_row_reads_back_and_in_no_other_length(
            state in 0..3_usize, seen: u64, until: u64,
            facts in prop::collection::vec(any::<u8>(), 0..300),
            label in prop::collection::vec(any::<u8>(), 0..200),
            cut: prop::sample::Index,
        ) {
            let state = [RowState::Reserved, RowState::Listed, RowState::Evicting][state];
            let [seen, until] = [seen, until].map(UnixMillis::new);
            let row = IndexRow { facts, label, ..IndexRow::new(SESSION, state, seen, until) };
            let mut bytes = row.to_bytes().unwrap();
            prop_assert_eq!(IndexRow::from_bytes(SESSION, &bytes), Some(row));
            prop_assert_eq!(IndexRow::from_bytes(SESSION, &bytes[..cut.index(bytes.len())]), None);
            bytes.push(0);
            prop_assert_eq!(IndexRow::from_bytes(SESSION, &bytes), None);
        }
    }

    /// The layout above, written by hand: stores outlive releases.
    #[test]
    fn a_row_is_written_as_it_is_documented() {
        let row = IndexRow {
            facts: b"fg".to_vec(),
            label: b"lmn".to_vec(),
            ..IndexRow::new(
                SESSION,
                RowState::Evicting,
                UnixMillis::new(300),
                UnixMillis::new(1),
            )
        };
        let bytes = *b"\x01\x03\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\x01\0\x02\0\x03fglmn";
        assert_eq!(row.to_bytes().unwrap(), bytes);
        // A later version, no state, and lengths that are not those.
        for (at, byte) in [
            (0, 0),
            (0, 2),
            (1, 0),
            (1, 4),
            (19, 1),
            (19, 3),
            (21, 2),
            (21, 4),
        ] {
            let mut wrong = bytes;
            wrong[at] = byte;
            assert_eq!(IndexRow::from_bytes(SESSION, &wrong), None, "{at}: {byte}");
        }
        let long = IndexRow {
            label: vec![0; 1 << 16],
            ..row
        };
        assert!(long.to_bytes().is_err());
    }
}
