//! The bytes of rows, as `index.lua` reads and writes them too.
//!
//! 1. A hash has a field for each session of its subject: the 16 bytes of its id.
//! 2. Its value is a version, the state, when it was last seen, until when it can live, the lengths of the facts and of
//!    the label, and these. It has an exact length. Numbers are big endian, and unlike the list's as large as they are.
//! 3. A field or value that is not understood is counted.

use redis::ToRedisArgs;

use crate::error::StoreError;
use crate::ids::SessionId;
use crate::index::{IndexRow, IndexRows, IndexUpdate, RowState, WhenRowsFull};
use crate::store::redis::record::Remaining;
use crate::time::UnixMillis;

/// The version that each value begins with.
const VERSION: u8 = 1;

/// The fields of a hash and their values.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// An update as the script takes it.
pub(super) fn arguments(update: &IndexUpdate) -> Result<impl ToRedisArgs, StoreError> {
    let [removed, replaced] = [&update.removed, &update.replaced].map(|ids| {
        let bytes = ids.iter().flat_map(SessionId::as_bytes);
        bytes.copied().collect::<Vec<u8>>()
    });
    let when_full = match update.limit.when_full {
        WhenRowsFull::Refuse => "refuse",
        WhenRowsFull::Evict => "evict",
        WhenRowsFull::Drop => "drop",
    };
    let (session, value) = match &update.row {
        Some(row) => (row.session.as_bytes().as_slice(), write(row)?),
        None => Default::default(),
    };
    let now = time(update.now).to_vec();
    let limit = update.limit.rows;
    Ok((now, removed, limit, when_full, session, value, replaced))
}

fn write(row: &IndexRow) -> Result<Vec<u8>, StoreError> {
    let length = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len());
        length.map_err(|_| StoreError::unavailable("the row of a session is too long"))
    };
    let state = match row.state {
        RowState::Reserved => 1,
        RowState::Listed => 2,
        RowState::Evicting => 3,
    };
    let mut value = vec![VERSION, state];
    value.extend(time(row.last_seen));
    value.extend(time(row.until));
    value.extend(length(&row.facts)?.to_be_bytes());
    value.extend(length(&row.label)?.to_be_bytes());
    value.extend(&row.facts);
    value.extend(&row.label);
    Ok(value)
}

fn time(time: UnixMillis) -> [u8; 8] {
    time.as_millis().to_be_bytes()
}

/// What a hash holds.
pub(super) fn rows(fields: Fields) -> IndexRows {
    let mut found = IndexRows::default();
    for (id, value) in fields {
        match read(&id, &value) {
            Some(row) => found.rows.push(row),
            None => found.unreadable = found.unreadable.saturating_add(1),
        }
    }
    found
}

fn read(id: &[u8], value: &[u8]) -> Option<IndexRow> {
    let session = SessionId::from_bytes(id.try_into().ok()?);
    let mut rest = Remaining(value);
    let [VERSION] = rest.take()? else { return None };
    let state = match rest.take()? {
        [1] => RowState::Reserved,
        [2] => RowState::Listed,
        [3] => RowState::Evicting,
        _ => return None,
    };
    let [last_seen, until] = [rest.number()?, rest.number()?].map(UnixMillis::new);
    let [facts, label] = [rest.take()?, rest.take()?].map(u16::from_be_bytes);
    let (facts, after) = rest.0.split_at_checked(facts.into())?;
    let is_whole = after.len() == usize::from(label);
    is_whole.then(|| IndexRow {
        facts: facts.to_vec(),
        label: after.to_vec(),
        ..IndexRow::new(session, state, last_seen, until)
    })
}
