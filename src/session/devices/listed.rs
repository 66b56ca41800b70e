//! A session in a list of devices.

use serde::Serialize;

use crate::ids::SessionId;
use crate::record::Record;
use crate::time::{Class, UnixMillis};

/// A session of somebody, in a list of their devices. Serializes with the names of its fields; times are milliseconds
/// since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListedSession {
    /// Which one. No credential: it opens nothing.
    pub id: SessionId,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last used, exact to [`Lifetimes::refresh_after`](crate::time::Lifetimes::refresh_after); never before it
    /// began.
    pub last_seen_at: UnixMillis,
    /// What it is called: `"Firefox on Linux"`, or what [`Login::label`](crate::Login::label) said; `"unknown device"` where
    /// nothing is known, or the key that sealed it has gone. Plain text: escape it in a page.
    pub label: String,
    /// Whether the login asked to be remembered.
    pub is_remembered: bool,
    /// Whether it is the session of the request.
    pub is_current: bool,
}

/// What is shown where nothing is known.
const UNKNOWN_DEVICE: &str = "unknown device";

impl ListedSession {
    /// That of this record; no label, or an empty one, where nothing is known.
    pub(super) fn of(record: &Record, last_seen: UnixMillis, label: Option<String>) -> Self {
        let label = label.filter(|label| !label.is_empty());
        Self {
            id: record.id,
            created_at: record.created,
            // The store's clock and this node's may differ.
            last_seen_at: last_seen.max(record.created),
            label: label.unwrap_or_else(|| UNKNOWN_DEVICE.to_owned()),
            is_remembered: record.class == Class::Remembered,
            is_current: false,
        }
    }
}
