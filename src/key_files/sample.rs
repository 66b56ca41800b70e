//! A key file's tables, as tests begin with them.

use std::time::Duration;

use crate::ids::KeyId;
use crate::key_files::{KeyStatus, Rotated, Rotation};
use crate::keys::KeyTables;
use crate::random::SystemRandom;
use crate::time::UnixMillis;

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn start() -> UnixMillis {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// One key, in use for a day.
pub(super) fn one_key() -> (KeyTables, KeyId, UnixMillis) {
    let tables = KeyTables::fresh(start(), &SystemRandom).unwrap();
    let id = tables.keys[0].id;
    (tables, id, start() + DAY)
}

pub(super) fn rotate(tables: &mut KeyTables, now: UnixMillis) -> Rotated {
    tables
        .rotate(now, Rotation::default(), &SystemRandom)
        .unwrap()
}

pub(super) fn status(tables: &KeyTables, id: KeyId, now: UnixMillis) -> KeyStatus {
    let list = tables.list(now);
    list.iter().find(|key| key.id == id).unwrap().status
}

pub(super) fn retire(tables: &KeyTables, id: KeyId) -> Option<UnixMillis> {
    tables.keys.iter().find(|key| key.id == id).unwrap().retire
}
