//! How a record is laid out, up to its entries: postcard, in the order of [`Layout`].
//!
//! 1. The first byte is the record's own version.
//! 2. No field can announce more than the input holds.
//! 3. What is read has one form: numbers in their shortest, lists sorted and without repetition where
//!    their order means nothing. So two readers agree on every record, and a record that was read is
//!    written as the same bytes.
//! 4. What the fields mean, and how large they may be, is the record's to say.

use serde_bytes::Bytes;

use super::read::Reader;
use super::write::Output;
use crate::ids::{Generation, SubjectKey};

/// The version of the record, which is not the token's.
pub(crate) const VERSION: u8 = 1;
/// The fields, in order.
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize, Debug, PartialEq))]
pub(crate) struct Layout<'a> {
    pub(crate) version: u8,
    pub(crate) id: [u8; 16],
    pub(crate) serial: u32,
    #[cfg_attr(test, serde(borrow))]
    pub(crate) login: Option<LoginLayout<'a>>,
    pub(crate) everyone: u64,
    pub(crate) created: u64,
    pub(crate) refreshed: u64,
    pub(crate) expires: u64,
    pub(crate) class: u8,
    #[cfg_attr(test, serde(borrow))]
    pub(crate) keys: &'a Bytes,
    /// How many entries follow.
    pub(crate) entries: u64,
}

/// What a login adds.
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize, Debug, PartialEq))]
pub(crate) struct LoginLayout<'a> {
    pub(crate) subject: &'a str,
    pub(crate) key: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) at: u64,
    #[cfg_attr(test, serde(borrow))]
    pub(crate) roles: Vec<&'a str>,
    pub(crate) groups: Vec<Group>,
    pub(crate) fingerprint: Option<[u8; 16]>,
}

/// A group of sessions that can be ended together, as a subject's can. It is the same in the record, so that no second
/// list is made of those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    test,
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "([u8; 16], u64)", into = "([u8; 16], u64)")
)]
pub(crate) struct Group {
    pub(crate) key: SubjectKey,
    /// The group's generation at login.
    pub(crate) generation: Generation,
}

impl From<Group> for ([u8; 16], u64) {
    fn from(group: Group) -> Self {
        (*group.key.as_bytes(), group.generation.get())
    }
}

impl From<([u8; 16], u64)> for Group {
    fn from((key, generation): ([u8; 16], u64)) -> Self {
        Self {
            key: SubjectKey::from_bytes(key),
            generation: Generation::new(generation),
        }
    }
}

impl<'a> Layout<'a> {
    /// Puts the fields at the end.
    pub(crate) fn write(&self, to: &mut impl Output) {
        to.byte(self.version);
        to.put(&self.id);
        to.number(self.serial.into());
        to.flag(self.login.is_some());
        if let Some(login) = &self.login {
            login.write(to);
        }
        to.number(self.everyone);
        to.number(self.created);
        to.number(self.refreshed);
        to.number(self.expires);
        to.byte(self.class);
        to.bytes(self.keys);
        to.number(self.entries);
    }

    /// Takes the fields off the front. `None`: this is no record of this version in its one form.
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let version = reader.byte()?;
        if version != VERSION {
            return None;
        }
        Some(Self {
            version,
            id: reader.array()?,
            serial: reader.u32()?,
            login: match reader.flag()? {
                false => None,
                true => Some(LoginLayout::read(reader)?),
            },
            everyone: reader.u64()?,
            created: reader.u64()?,
            refreshed: reader.u64()?,
            expires: reader.u64()?,
            class: reader.byte()?,
            keys: Bytes::new(reader.bytes()?),
            entries: reader.u64()?,
        })
    }
}

impl<'a> LoginLayout<'a> {
    fn write(&self, to: &mut impl Output) {
        to.bytes(self.subject.as_bytes());
        to.put(&self.key);
        to.number(self.generation);
        to.number(self.at);
        to.number(self.roles.len() as u64);
        for role in &self.roles {
            to.bytes(role.as_bytes());
        }
        to.number(self.groups.len() as u64);
        for group in &self.groups {
            to.put(group.key.as_bytes());
            to.number(group.generation.get());
        }
        to.flag(self.fingerprint.is_some());
        if let Some(fingerprint) = &self.fingerprint {
            to.put(fingerprint);
        }
    }

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            subject: reader.text()?,
            key: reader.array()?,
            generation: reader.u64()?,
            at: reader.u64()?,
            roles: sorted(reader, Reader::text, |one, next| one < next)?,
            groups: sorted(
                reader,
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

/// A list in the order that `before` tells, each item once.
fn sorted<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Option<T>,
    before: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let count = reader.count()?;
    // Most sessions have neither roles nor groups.
    if count == 0 {
        return Some(Vec::new());
    }
    // Not as long as it announces: that may be more than there is.
    let mut list = Vec::with_capacity(count.min(8).into());
    for _ in 0..count {
        list.push(item(reader)?);
    }
    list.is_sorted_by(before).then_some(list)
}
