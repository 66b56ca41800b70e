//! What the script takes, and what a hash holds.
//!
//! 1. A hash has a field for each session of its subject: the 16 bytes of its id. Its value is the row in bytes.
//! 2. Times are eight bytes too, unlike the list's as large as they are.
//! 3. A field or value that is not understood is counted.

use redis::ToRedisArgs;

use crate::error::StoreError;
use crate::ids::SessionId;
use crate::index::{IndexRow, IndexRows, IndexUpdate, WhenRowsFull};
use crate::time::UnixMillis;

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
        Some(row) => (row.session.as_bytes().as_slice(), row.to_bytes()?),
        None => Default::default(),
    };
    let now = time(update.now).to_vec();
    let limit = update.limit.rows;
    Ok((now, removed, limit, when_full, session, value, replaced))
}

fn time(time: UnixMillis) -> [u8; 8] {
    time.as_millis().to_be_bytes()
}

/// What a hash holds.
pub(super) fn rows(fields: Fields) -> IndexRows {
    let mut found = IndexRows::default();
    for (id, value) in fields {
        found.take(read(&id, &value));
    }
    found
}

fn read(id: &[u8], value: &[u8]) -> Option<IndexRow> {
    IndexRow::from_bytes(SessionId::from_bytes(id.try_into().ok()?), value)
}
