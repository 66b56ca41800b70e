//! What stands in a row beside what the store reads: all that it takes to judge its session.
//!
//! It is postcard, its first byte a version. The row is not authentic: whoever can write to the store can make one. So it
//! decides over what is shown and what is counted, and never over what a cookie is worth.

use serde::{Deserialize, Serialize};

use crate::ids::{Generation, KeyId, Serial, SubjectKey};
use crate::index::{IndexRow, RowState};
use crate::record::{Entries, Group, KeyTrail, LoginFacts, MOST_GROUPS, Record};
use crate::time::{Class, UnixMillis};

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct RowLayout {
    version: u8,
    is_remembered: bool,
    created: u64,
    /// Of the subject.
    generation: u64,
    everyone: u64,
    groups: Vec<([u8; 16], u64)>,
    /// The first bytes of the id of the key that sealed the session.
    key: [u8; 4],
}

/// What a row says of its session.
pub(super) struct RowFacts {
    /// The session without its entries, its subject's name and its serial: as its newest cookie would be, if nobody
    /// ended it.
    pub(super) record: Record,
    pub(super) key: [u8; 4],
}

/// The row of a session that was seen at `last_seen`, without a label. `None` if nobody is logged in.
pub(super) fn row(record: &Record, key: &KeyId, last_seen: UnixMillis) -> Option<IndexRow> {
    let login = record.login.as_ref()?;
    let groups = login.groups.iter();
    let layout = RowLayout {
        version: VERSION,
        is_remembered: record.class == Class::Remembered,
        created: record.created.as_millis(),
        generation: login.generation.get(),
        everyone: record.everyone.get(),
        groups: groups
            .map(|group| <([u8; 16], u64)>::from(*group))
            .collect(),
        key: key.prefix(),
    };
    Some(IndexRow {
        facts: postcard::to_allocvec(&layout).ok()?,
        ..IndexRow::new(record.id, RowState::Listed, last_seen, record.expires)
    })
}

/// What the row says. `None` if it is not understood.
pub(super) fn read(row: &IndexRow, subject: SubjectKey) -> Option<RowFacts> {
    let (layout, rest) = postcard::take_from_bytes::<RowLayout>(&row.facts).ok()?;
    if layout.version != VERSION || !rest.is_empty() || layout.groups.len() > MOST_GROUPS {
        return None;
    }
    let login = LoginFacts {
        subject: String::new(),
        key: subject,
        generation: Generation::new(layout.generation),
        at: UnixMillis::new(layout.created),
        roles: Vec::new(),
        groups: layout.groups.into_iter().map(Group::from).collect(),
        fingerprint: None,
    };
    let record = Record {
        id: row.session,
        // A renewal ends no session, so none is behind.
        serial: Serial::LAST,
        login: Some(login),
        everyone: Generation::new(layout.everyone),
        created: UnixMillis::new(layout.created),
        refreshed: row.last_seen,
        expires: row.until,
        class: match layout.is_remembered {
            true => Class::Remembered,
            false => Class::Standard,
        },
        keys: KeyTrail::default(),
        entries: Entries::default(),
    };
    Some(RowFacts {
        record,
        key: layout.key,
    })
}
