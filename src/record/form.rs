//! From a record to its bytes, and back: postcard, field by field.
//!
//! 1. The first byte is the record's own version.
//! 2. No field can announce more than the input holds, or than the record may have of it.
//! 3. What is read has one form: numbers in their shortest, lists sorted and without repetition where
//!    their order means nothing. So two readers agree on every record, and a record that was read is
//!    written as the same bytes.

use std::sync::Arc;

use super::{
    Entries, Group, KeyTrail, LONGEST_ROLE, LONGEST_SUBJECT, LoginFacts, MOST_GROUPS, MOST_ROLES,
    Record,
};
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::time::{Class, UnixMillis};
use crate::wire::read::Reader;
use crate::wire::write::{ByteCount, Output};

/// The version of the record, which is not the token's.
const VERSION: u8 = 1;
/// The largest time of an honest record, in the year 19809; a byte longer than today's.
const LATEST: u64 = (1 << 49) - 1;
/// What a record mostly takes without its entries.
const WITHOUT_ENTRIES: usize = 192;
/// What a login takes without roles and groups: the longest name and its length, the key, generation and time, and a byte
/// for each of three fields that it does not carry.
const LONGEST_LOGIN: usize = 2 + LONGEST_SUBJECT + 16 + 7 + 7 + 3;

impl Record {
    /// When the session began. With a login, that is when it was made, by the revocation store's clock.
    pub(crate) fn began(&self) -> UnixMillis {
        self.login.as_ref().map_or(self.created, |login| login.at)
    }

    /// Puts its bytes at the end of others, as they are when it is sealed at the time `now`.
    pub(crate) fn write(&self, now: UnixMillis, to: &mut Vec<u8>) {
        self.put(now, &self.entries, to);
    }

    /// How many bytes [`Self::write`] makes, about. The write of a small session takes 15 % more instructions where its
    /// buffer has to grow.
    pub(crate) fn usual_len(&self) -> usize {
        WITHOUT_ENTRIES + self.entries.parts().1.len()
    }

    /// How many bytes [`Self::write`] makes at the most while the session has these entries: after
    /// renewals, under other keys, at later times, and with a login if there was none.
    pub(crate) fn longest_len(&self) -> usize {
        self.longest_len_with(&self.entries)
    }

    /// The same with other entries.
    pub(crate) fn longest_len_with(&self, entries: &Entries) -> usize {
        let mut count = ByteCount::default();
        self.put(self.refreshed, entries, &mut count);
        let login = match self.login {
            Some(_) => 0,
            None => LONGEST_LOGIN,
        };
        count.0 + login + 4 * (KeyTrail::CAPACITY - self.keys.0.len())
    }

    fn put(&self, refreshed: UnixMillis, entries: &Entries, to: &mut impl Output) {
        to.byte(VERSION);
        to.put(self.id.as_bytes());
        to.growing(self.serial.get().into(), u32::MAX.into());
        to.flag(self.login.is_some());
        if let Some(login) = &self.login {
            login.put(to);
        }
        to.growing(self.everyone.get(), LATEST);
        to.growing(self.created.as_millis(), LATEST);
        to.growing(refreshed.as_millis(), LATEST);
        to.growing(self.expires.as_millis(), LATEST);
        to.byte(match self.class {
            Class::Standard => 0,
            Class::Remembered => 1,
        });
        to.bytes(self.keys.0.as_flattened());
        let (count, entries) = entries.parts();
        to.number(count as u64);
        to.put(entries);
    }

    /// Reads the record that `bytes` holds from `start` on, and keeps them for its entries. `None`: no honest
    /// writer made them, or some are left over.
    ///
    /// Shared from here on: a reader of a value holds the record meanwhile, and a writer makes a copy.
    pub(crate) fn decode(bytes: Vec<u8>, start: usize) -> Option<Arc<Self>> {
        let mut reader = Reader::new(bytes.get(start..)?);
        let (mut record, count) = Self::read(&mut reader)?;
        let start = bytes.len() - reader.rest().len();
        record.entries = Entries::read(bytes, start, count)?;
        Some(Arc::new(record))
    }

    /// Reads a record without its entries, and how many follow.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<(Self, u64)> {
        if reader.byte()? != VERSION {
            return None;
        }
        let record = Self {
            id: SessionId::from_bytes(reader.array()?),
            serial: Serial::new(reader.u32()?),
            login: match reader.flag()? {
                false => None,
                true => Some(LoginFacts::read(reader)?),
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
    fn put(&self, to: &mut impl Output) {
        to.bytes(self.subject.as_bytes());
        to.put(self.key.as_bytes());
        to.growing(self.generation.get(), LATEST);
        to.growing(self.at.as_millis(), LATEST);
        to.number(self.roles.len() as u64);
        for role in &self.roles {
            to.bytes(role.as_bytes());
        }
        to.number(self.groups.len() as u64);
        for group in &self.groups {
            to.put(group.key.as_bytes());
            to.growing(group.generation.get(), LATEST);
        }
        to.flag(self.fingerprint.is_some());
        if let Some(fingerprint) = &self.fingerprint {
            to.put(fingerprint);
        }
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            subject: name(reader, LONGEST_SUBJECT)?.into(),
            key: SubjectKey::from_bytes(reader.array()?),
            generation: Generation::new(reader.u64()?),
            at: UnixMillis::new(reader.u64()?),
            roles: sorted(
                reader,
                MOST_ROLES,
                |reader| name(reader, LONGEST_ROLE).map(str::to_owned),
                |one, next| one < next,
            )?,
            groups: sorted(
                reader,
                MOST_GROUPS,
                |reader| Some(Group::from((reader.array()?, reader.u64()?))),
                |one, next| one.key.as_bytes() < next.key.as_bytes(),
            )?,
            fingerprint: match reader.flag()? {
                false => None,
                true => Some(reader.array()?),
            },
        })
    }
}

/// A text of one byte or more, and of no more than so many.
#[inline]
fn name<'r>(reader: &mut Reader<'r>, longest: usize) -> Option<&'r str> {
    let name = reader.text()?;
    (1..=longest).contains(&name.len()).then_some(name)
}

/// A list of so many at the most, in the order that `before` tells, each item once.
fn sorted<T>(
    reader: &mut Reader<'_>,
    most: usize,
    item: impl Fn(&mut Reader<'_>) -> Option<T>,
    before: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let count = usize::from(reader.count()?);
    // Most sessions have neither roles nor groups.
    if count == 0 {
        return Some(Vec::new());
    }
    if count > most {
        return None;
    }
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(item(reader)?);
    }
    list.is_sorted_by(before).then_some(list)
}
