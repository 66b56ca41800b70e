//! The record: what a token says once it is opened, in postcard.
//!
//! 1. The first byte is the record's own version.
//! 2. The application's values are opaque bytes here; they are decoded when somebody asks for them.
//! 3. Bytes that are left over are rejected, and no field can announce more than the input holds.

use postcard::ser_flavors::Size;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use crate::error::Rejected;
use crate::id::{Generation, KeyId, Serial, SessionId, SubjectKey};
use crate::lifetime::Class;
use crate::time::UnixMillis;
use crate::wire::entries::Entries;

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
}

/// The layout, in order, up to the entries. Borrows from the decoded bytes.
#[derive(Serialize, Deserialize)]
struct Layout<'a> {
    version: u8,
    id: [u8; 16],
    serial: u32,
    #[serde(borrow)]
    login: Option<(&'a str, [u8; 16], u64, u64)>,
    everyone: u64,
    created: u64,
    refreshed: u64,
    expires: u64,
    class: u8,
    #[serde(borrow)]
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
    pub(crate) fn decode(bytes: Vec<u8>, start: usize) -> Result<Self, Rejected> {
        let record = bytes.get(start..).ok_or(Rejected::Implausible)?;
        let (layout, entries) =
            postcard::take_from_bytes::<Layout<'_>>(record).map_err(|_| Rejected::Implausible)?;
        let (keys, partial) = layout.keys.as_chunks::<4>();
        let understood =
            layout.version == VERSION && partial.is_empty() && keys.len() <= KeyTrail::CAPACITY;
        let class = match layout.class {
            0 => Class::Standard,
            1 => Class::Remembered,
            _ => return Err(Rejected::Implausible),
        };
        if !understood {
            return Err(Rejected::Implausible);
        }
        let (count, start) = (layout.entries, bytes.len() - entries.len());
        Ok(Self {
            id: SessionId::from_bytes(layout.id),
            serial: Serial::new(layout.serial),
            login: layout
                .login
                .map(|(subject, key, generation, at)| LoginFacts {
                    subject: subject.to_owned(),
                    key: SubjectKey::from_bytes(key),
                    generation: Generation::new(generation),
                    at: UnixMillis::new(at),
                }),
            everyone: Generation::new(layout.everyone),
            created: UnixMillis::new(layout.created),
            refreshed: UnixMillis::new(layout.refreshed),
            expires: UnixMillis::new(layout.expires),
            class,
            keys: KeyTrail(keys.to_vec()),
            entries: Entries::read(bytes, start, count)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> Record {
        let mut keys = KeyTrail::default();
        assert!(keys.add(KeyId::from_bytes([5; 16])));
        let mut entries = Entries::default();
        entries.insert("theme", &[0xa4]);
        entries.insert("", &[]);
        Record {
            id: SessionId::from_bytes([1; 16]),
            serial: Serial::new(3),
            login: Some(LoginFacts {
                subject: "alice".into(),
                key: SubjectKey::new("test", "alice"),
                generation: Generation::new(77),
                at: UnixMillis::new(1_000_000),
            }),
            everyone: Generation::NONE,
            created: UnixMillis::new(1_000_000),
            refreshed: UnixMillis::new(2_000_000),
            expires: UnixMillis::new(9_000_000),
            class: Class::Remembered,
            keys,
            entries,
        }
    }

    #[test]
    fn a_record_reads_back() {
        let record = record();
        let bytes = record.encode();
        assert_eq!(bytes.len(), record.encoded_len());
        assert_eq!(Record::decode(bytes, 0), Ok(record));
    }

    #[test]
    fn trailing_bytes_prefixes_other_versions_and_classes_are_rejected() {
        let good = record().encode();
        for cut in 0..good.len() {
            assert!(Record::decode(good[..cut].to_vec(), 0).is_err(), "{cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(Record::decode(longer, 0).is_err());
        let mut newer = good;
        newer[0] = 2;
        assert!(Record::decode(newer, 0).is_err());
    }

    #[test]
    fn a_trail_remembers_each_key_once_and_refuses_what_it_can_not_hold() {
        let mut trail = KeyTrail::default();
        for key in 0..KeyTrail::CAPACITY as u8 {
            assert!(trail.add(KeyId::from_bytes([key; 16])));
            assert!(trail.add(KeyId::from_bytes([key; 16])));
        }
        assert_eq!(trail.iter().count(), KeyTrail::CAPACITY);
        assert!(!trail.add(KeyId::from_bytes([99; 16])));
        assert!(trail.add(KeyId::from_bytes([3; 16])));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_to_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(bytes, 0);
        }
    }
}
