//! What stands in a row beside what the store reads: all that it takes to judge its session.
//!
//! It is not authentic: whoever can write to the store can make some. So it decides over what is shown and what is counted,
//! and never over what a cookie is worth.

use smol_str::SmolStr;

use crate::ids::{Generation, KeyId, Serial, SubjectKey};
use crate::index::{IndexRow, RowState};
use crate::record::{Entries, Group, KeyTrail, LoginFacts, MOST_GROUPS, Record};
use crate::time::{Class, UnixMillis};
use crate::wire::row::{RowLayout, VERSION};

/// What a row says of its session.
pub(super) struct RowFacts {
    /// The session without its entries, its subject's name and its serial: as its newest cookie would be, if nobody
    /// ended it.
    pub(super) record: Record,
    /// The key that sealed it.
    pub(super) key: [u8; 4],
    /// All of its keys.
    pub(super) keys: Vec<[u8; 4]>,
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
        groups: groups.map(|group| (*group).into()).collect(),
        keys: std::iter::once(key.prefix())
            .chain(record.keys.iter())
            .collect(),
    };
    Some(IndexRow {
        facts: layout.write()?,
        ..IndexRow::new(record.id, RowState::Listed, last_seen, record.expires)
    })
}

/// What the row says. `None` if it is not understood.
pub(super) fn read(row: &IndexRow, subject: SubjectKey) -> Option<RowFacts> {
    let layout = RowLayout::read(&row.facts)?;
    let key = *layout.keys.first()?;
    if layout.groups.len() > MOST_GROUPS || layout.keys.len() > 1 + KeyTrail::CAPACITY {
        return None;
    }
    let login = LoginFacts {
        subject: SmolStr::default(),
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
        key,
        keys: layout.keys,
    })
}
