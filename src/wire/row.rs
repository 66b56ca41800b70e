//! What a row of the index of sessions says beside what a store reads: postcard, in the order of [`RowLayout`].
//!
//! 1. The first byte is the layout's own version. Of another one nothing is read.
//! 2. Nothing follows the last field.

use serde::{Deserialize, Serialize};

/// The version of the layout.
pub(crate) const VERSION: u8 = 1;

/// The fields, in order.
#[derive(Serialize, Deserialize)]
pub(crate) struct RowLayout {
    pub(crate) version: u8,
    pub(crate) is_remembered: bool,
    pub(crate) created: u64,
    /// Of the subject.
    pub(crate) generation: u64,
    pub(crate) everyone: u64,
    pub(crate) groups: Vec<([u8; 16], u64)>,
    /// The first bytes of the ids of the key that sealed the session, and of those that it passed through before.
    pub(crate) keys: Vec<[u8; 4]>,
}

impl RowLayout {
    /// The bytes. Never `None`.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// What the bytes say; `None` if they are not understood.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (layout, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        (layout.version == VERSION && rest.is_empty()).then_some(layout)
    }
}
