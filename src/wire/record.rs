//! The record: what a token says once it is opened, in postcard.
//!
//! 1. The first byte is the record's own version.
//! 2. The application's values are opaque bytes here; they are decoded when somebody asks for them.
//! 3. Bytes that are left over are rejected, and no field can announce more than the input holds.

use std::sync::Arc;

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde_bytes::Bytes;

use crate::error::Rejected;
use crate::id::{Generation, KeyId, Serial, SessionId, SubjectKey};
use crate::lifetime::Class;
use crate::time::UnixMillis;
use crate::wire::entries::Entries;
use crate::wire::read::Reader;

const VERSION: u8 = 1;
/// What a record mostly takes without its entries.
const ROOM: usize = 192;

/// Everything a cookie knows about its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: SessionId,
    pub(crate) serial: Serial,
    /// Who logged in, if anyone did.
    pub(crate) login: Option<LoginFacts>,
    /// Everyone's generation when the session began.
    pub(crate) everyone: Generation,
    pub(crate) created: UnixMillis,
    /// When it was last sealed on account of being used.
    pub(crate) refreshed: UnixMillis,
    /// The absolute end, fixed when the session began.
    pub(crate) expires: UnixMillis,
    pub(crate) class: Class,
    pub(crate) keys: KeyTrail,
    pub(crate) entries: Entries,
}

/// What a login adds to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginFacts {
    pub(crate) subject: String,
    /// The subject's in the revocation list: computed at the login, not on each request.
    pub(crate) key: SubjectKey,
    /// The subject's generation at login.
    pub(crate) generation: Generation,
    pub(crate) at: UnixMillis,
}

/// The keys that a session was opened with before others sealed it: four bytes each.
///
/// When one of them turns out to have leaked, the session may have been forged with it, and is dead
/// although an honest key sealed it since.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeyTrail(Vec<[u8; 4]>);

impl KeyTrail {
    /// How many keys a session can pass through. One that would need more ends: forgetting the oldest
    /// would let a forged session outlive its key's revocation.
    pub(crate) const CAPACITY: usize = 16;

    /// Adds a key; `false` when there is no room.
    #[must_use]
    pub(crate) fn add(&mut self, key: KeyId) -> bool {
        let prefix = key.prefix();
        if self.0.contains(&prefix) {
            return true;
        }
        if self.0.len() >= Self::CAPACITY {
            return false;
        }
        self.0.push(prefix);
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.0.iter().copied()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (keys, partial) = bytes.as_chunks();
        let fits = partial.is_empty() && keys.len() <= Self::CAPACITY;
        fits.then(|| Self(keys.to_vec()))
    }
}

/// The layout, in order, up to the entries.
#[derive(Serialize)]
#[cfg_attr(test, derive(serde::Deserialize, Debug, PartialEq))]
struct Layout<'a> {
    version: u8,
    id: [u8; 16],
    serial: u32,
    #[cfg_attr(test, serde(borrow))]
    login: Option<(&'a str, [u8; 16], u64, u64)>,
    everyone: u64,
    created: u64,
    refreshed: u64,
    expires: u64,
    class: u8,
    #[cfg_attr(test, serde(borrow))]
    keys: &'a Bytes,
    /// How many entries follow.
    entries: u64,
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (_, entries) = self.entries.parts();
        let bytes = Vec::with_capacity(ROOM + entries.len());
        // Serializing plain integers, strings and bytes into a growing buffer has no way to fail; an
        // empty record would be rejected by whoever opens it.
        let Ok(mut bytes) = self.with_layout(|layout| postcard::to_extend(layout, bytes)) else {
            return Vec::new();
        };
        bytes.extend_from_slice(entries);
        bytes
    }

    /// How many bytes [`Self::encode`] makes.
    pub(crate) fn encoded_len(&self) -> usize {
        let (_, entries) = self.entries.parts();
        let layout = self.with_layout(|layout| {
            postcard::serialize_with_flavor(layout, Size::default()).unwrap_or(usize::MAX / 2)
        });
        layout + entries.len()
    }

    fn with_layout<T>(&self, use_it: impl FnOnce(&Layout<'_>) -> T) -> T {
        use_it(&Layout {
            version: VERSION,
            id: *self.id.as_bytes(),
            serial: self.serial.get(),
            login: self.login.as_ref().map(|login| {
                let (key, at) = (*login.key.as_bytes(), login.at.as_millis());
                (login.subject.as_str(), key, login.generation.get(), at)
            }),
            everyone: self.everyone.get(),
            created: self.created.as_millis(),
            refreshed: self.refreshed.as_millis(),
            expires: self.expires.as_millis(),
            class: match self.class {
                Class::Standard => 0,
                Class::Remembered => 1,
            },
            keys: Bytes::new(self.keys.0.as_flattened()),
            entries: self.entries.parts().0 as u64,
        })
    }

    /// Reads the record that `bytes` holds from `start` on, and keeps them for its entries.
    ///
    /// Shared from here on: who reads a value holds it meanwhile, and who writes makes a copy.
    pub(crate) fn decode(bytes: Vec<u8>, start: usize) -> Result<Arc<Self>, Rejected> {
        let mut reader = Reader::new(bytes.get(start..).ok_or(Rejected::Implausible)?);
        let (record, count) = Self::read(&mut reader).ok_or(Rejected::Implausible)?;
        let start = bytes.len() - reader.rest().len();
        let entries = Entries::read(bytes, start, count)?;
        Ok(Arc::new(Self { entries, ..record }))
    }

    /// Reads all of [`Layout`]: a record without its entries, and how many follow.
    fn read(reader: &mut Reader<'_>) -> Option<(Self, u64)> {
        if reader.byte()? != VERSION {
            return None;
        }
        let record = Self {
            id: SessionId::from_bytes(reader.array()?),
            serial: Serial::new(reader.u32()?),
            login: match reader.byte()? {
                0 => None,
                1 => Some(LoginFacts::read(reader)?),
                _ => return None,
            },
            everyone: Generation::new(reader.u64()?),
            created: UnixMillis::new(reader.u64()?),
            refreshed: UnixMillis::new(reader.u64()?),
            expires: UnixMillis::new(reader.u64()?),
            class: match reader.byte()? {
                0 => Class::Standard,
                1 => Class::Remembered,
                _ => return None,
            },
            keys: KeyTrail::read(reader.bytes()?)?,
            entries: Entries::default(),
        };
        Some((record, reader.u64()?))
    }
}

impl LoginFacts {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            subject: str::from_utf8(reader.bytes()?).ok()?.to_owned(),
            key: SubjectKey::from_bytes(reader.array()?),
            generation: Generation::new(reader.u64()?),
            at: UnixMillis::new(reader.u64()?),
        })
    }
}

#[cfg(test)]
mod tests;
