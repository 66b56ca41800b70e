//! The record: what a token says once it is opened, in postcard.
//!
//! 1. The first byte is the record's own version.
//! 2. The application's values are opaque bytes here; they are decoded when somebody asks for them.
//! 3. Bytes that are left over are rejected, and no field can announce more than the input holds.
//! 4. What is read has one form: numbers in their shortest, lists without repetition and sorted where
//!    their order means nothing. So two readers agree on every record, and a record that was read is
//!    written as the same bytes.
//! 5. A reader bounds what a writer bounds.

use std::borrow::Cow;
use std::sync::Arc;

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde_bytes::Bytes;

use crate::error::Rejected;
use crate::ids::{Generation, KeyId, Serial, SessionId, SubjectKey};
use crate::record::entries::Entries;
use crate::time::{Class, UnixMillis};
use crate::wire::read::Reader;

pub(crate) mod entries;

const VERSION: u8 = 1;
/// What a record mostly takes without its entries.
const ROOM: usize = 192;

/// The longest name of a subject, in bytes.
pub(crate) const LONGEST_SUBJECT: usize = 255;
/// How many roles a login can carry, and how many bytes one can have: 2 KiB of a cookie at the most.
pub(crate) const MOST_ROLES: u8 = 32;
pub(crate) const LONGEST_ROLE: usize = 64;
/// How many groups a session can belong to: each is looked up in the list by every request.
pub(crate) const MOST_GROUPS: u8 = 8;

/// The largest time that an honest record is to hold, in the year 19809; a byte longer than today's.
const LATEST: u64 = (1 << 49) - 1;

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
    /// When it was sealed.
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
    /// What the subject may do: sorted bytewise, each once.
    pub(crate) roles: Vec<String>,
    /// What else ends the session: sorted by key, each once.
    pub(crate) groups: Vec<Group>,
    /// What the client looked like at the login.
    pub(crate) fingerprint: Option<[u8; 16]>,
}

/// A group of sessions that can be ended together, as a subject's can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) key: SubjectKey,
    /// The group's generation at login.
    pub(crate) generation: Generation,
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

    /// By how many bytes [`add`](Self::add) would make the record longer; `None` when there is no room.
    pub(crate) fn room_for(&self, key: KeyId) -> Option<usize> {
        let prefix = key.prefix();
        match self.0.contains(&prefix) {
            true => Some(0),
            false => (self.0.len() < Self::CAPACITY).then_some(prefix.len()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.0.iter().copied()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (keys, partial) = bytes.as_chunks();
        let fits = partial.is_empty() && keys.len() <= Self::CAPACITY;
        let mut before = keys.iter().enumerate();
        let distinct = before.all(|(count, key)| !keys.iter().take(count).any(|it| it == key));
        (fits && distinct).then(|| Self(keys.to_vec()))
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
    login: Option<LoginLayout<'a>>,
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

#[derive(Serialize)]
#[cfg_attr(test, derive(serde::Deserialize, Debug, PartialEq))]
struct LoginLayout<'a> {
    subject: &'a str,
    key: [u8; 16],
    generation: u64,
    at: u64,
    roles: Cow<'a, [String]>,
    groups: Vec<([u8; 16], u64)>,
    fingerprint: Option<[u8; 16]>,
}

impl LoginLayout<'_> {
    /// With nothing but a subject, of the longest name.
    const LONGEST: LoginLayout<'static> = LoginLayout {
        subject: match str::from_utf8(&[b'x'; LONGEST_SUBJECT]) {
            Ok(subject) => subject,
            Err(_) => "",
        },
        key: [0; 16],
        generation: LATEST,
        at: LATEST,
        roles: Cow::Borrowed(&[]),
        groups: Vec::new(),
        fingerprint: None,
    };

    /// With the largest generations and times.
    fn longest(&self) -> LoginLayout<'_> {
        let groups = self.groups.iter();
        LoginLayout {
            subject: self.subject,
            generation: LATEST,
            at: LATEST,
            roles: Cow::Borrowed(&self.roles),
            groups: groups.map(|(key, _)| (*key, LATEST)).collect(),
            ..*self
        }
    }
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

    /// How many bytes [`Self::encode`] makes at the most, whatever becomes of the session with these entries:
    /// renewals, other keys, later times, and a login if there was none.
    pub(crate) fn longest_len(&self) -> usize {
        let (_, entries) = self.entries.parts();
        let layout = self.with_layout(|layout| {
            let login = layout.login.as_ref();
            let longest = Layout {
                serial: u32::MAX,
                login: Some(login.map_or(LoginLayout::LONGEST, LoginLayout::longest)),
                everyone: LATEST,
                created: LATEST,
                refreshed: LATEST,
                expires: LATEST,
                keys: Bytes::new(&[0; 4 * KeyTrail::CAPACITY]),
                ..*layout
            };
            postcard::serialize_with_flavor(&longest, Size::default()).unwrap_or(usize::MAX / 2)
        });
        layout + entries.len()
    }

    fn with_layout<T>(&self, use_it: impl FnOnce(&Layout<'_>) -> T) -> T {
        use_it(&Layout {
            version: VERSION,
            id: *self.id.as_bytes(),
            serial: self.serial.get(),
            login: self.login.as_ref().map(LoginFacts::layout),
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
    fn layout(&self) -> LoginLayout<'_> {
        let groups = self.groups.iter();
        LoginLayout {
            subject: &self.subject,
            key: *self.key.as_bytes(),
            generation: self.generation.get(),
            at: self.at.as_millis(),
            roles: Cow::Borrowed(&self.roles),
            groups: groups
                .map(|group| (*group.key.as_bytes(), group.generation.get()))
                .collect(),
            fingerprint: self.fingerprint,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let subject = str::from_utf8(reader.bytes()?).ok()?;
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT {
            return None;
        }
        Some(Self {
            subject: subject.to_owned(),
            key: SubjectKey::from_bytes(reader.array()?),
            generation: Generation::new(reader.u64()?),
            at: UnixMillis::new(reader.u64()?),
            roles: read_roles(reader)?,
            groups: read_groups(reader)?,
            fingerprint: match reader.byte()? {
                0 => None,
                1 => Some(reader.array()?),
                _ => return None,
            },
        })
    }
}

fn read_roles(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let count = reader.count(MOST_ROLES)?;
    // Not by the count: it may announce more than there is.
    let mut roles: Vec<String> = Vec::new();
    for _ in 0..count {
        let role = str::from_utf8(reader.bytes()?).ok()?;
        let fits = (1..=LONGEST_ROLE).contains(&role.len());
        if !fits || roles.last().is_some_and(|last| last.as_str() >= role) {
            return None;
        }
        roles.push(role.to_owned());
    }
    Some(roles)
}

fn read_groups(reader: &mut Reader<'_>) -> Option<Vec<Group>> {
    let count = reader.count(MOST_GROUPS)?;
    let mut groups: Vec<Group> = Vec::new();
    for _ in 0..count {
        let key = SubjectKey::from_bytes(reader.array()?);
        let generation = Generation::new(reader.u64()?);
        if groups.last().is_some_and(|last| last.key >= key) {
            return None;
        }
        groups.push(Group { key, generation });
    }
    Some(groups)
}

#[cfg(test)]
mod tests;
