//! From a record to its bytes, and back.

use std::sync::Arc;

use serde_bytes::Bytes;

use super::{
    Entries, KeyTrail, LONGEST_ROLE, LONGEST_SUBJECT, LoginFacts, MOST_GROUPS, MOST_ROLES, Record,
};
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::time::{Class, UnixMillis};
use crate::wire::layout::{Layout, LoginLayout, VERSION};
use crate::wire::read::Reader;
use crate::wire::write::{ByteCount, Output};

/// The largest time of an honest record, in the year 19809; a byte longer than today's.
const LATEST: u64 = (1 << 49) - 1;
/// What a record mostly takes without its entries.
const WITHOUT_ENTRIES: usize = 192;
/// The longest name that a subject can have.
const LONGEST_NAME: &str = match str::from_utf8(&[b'x'; LONGEST_SUBJECT]) {
    Ok(name) => name,
    Err(_) => "",
};

impl Record {
    /// When the session began. With a login, that is when it was made, by the revocation store's clock.
    pub(crate) fn began(&self) -> UnixMillis {
        self.login.as_ref().map_or(self.created, |login| login.at)
    }

    /// Puts its bytes at the end of others, as they are when it is sealed at the time `now`.
    pub(crate) fn write(&self, now: UnixMillis, to: &mut Vec<u8>) {
        let (_, entries) = self.entries.parts();
        let layout = Layout {
            refreshed: now.as_millis(),
            ..self.layout()
        };
        layout.write(to);
        to.put(entries);
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
        let (number, entries) = entries.parts();
        let layout = self.layout();
        let login = layout.login.map_or(
            LoginLayout {
                subject: LONGEST_NAME,
                key: [0; 16],
                generation: LATEST,
                at: LATEST,
                roles: Vec::new(),
                groups: Vec::new(),
                fingerprint: None,
            },
            LoginLayout::longest,
        );
        let longest = Layout {
            serial: u32::MAX,
            login: Some(login),
            everyone: LATEST,
            created: LATEST,
            refreshed: LATEST,
            expires: LATEST,
            keys: Bytes::new(&[0; 4 * KeyTrail::CAPACITY]),
            entries: number as u64,
            ..layout
        };
        let mut count = ByteCount::default();
        longest.write(&mut count);
        count.0 + entries.len()
    }

    pub(super) fn layout(&self) -> Layout<'_> {
        Layout {
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
        }
    }

    /// Reads the record that `bytes` holds from `start` on, and keeps them for its entries. `None`: no honest
    /// writer made them, or some are left over.
    ///
    /// Shared from here on: a reader of a value holds the record meanwhile, and a writer makes a copy.
    pub(crate) fn decode(bytes: Vec<u8>, start: usize) -> Option<Arc<Self>> {
        let mut reader = Reader::new(bytes.get(start..)?);
        let (record, count) = Self::read(&mut reader)?;
        let start = bytes.len() - reader.rest().len();
        let entries = Entries::read(bytes, start, count)?;
        Some(Arc::new(Self { entries, ..record }))
    }

    /// Reads a record without its entries, and how many follow.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<(Self, u64)> {
        let layout = Layout::read(reader)?;
        let record = Self {
            id: SessionId::from_bytes(layout.id),
            serial: Serial::new(layout.serial),
            login: match layout.login {
                None => None,
                Some(login) => Some(LoginFacts::of(login)?),
            },
            everyone: Generation::new(layout.everyone),
            created: UnixMillis::new(layout.created),
            refreshed: UnixMillis::new(layout.refreshed),
            expires: UnixMillis::new(layout.expires),
            class: match layout.class {
                0 => Class::Standard,
                1 => Class::Remembered,
                _ => return None,
            },
            keys: KeyTrail::read(layout.keys)?,
            entries: Entries::default(),
        };
        Some((record, layout.entries))
    }
}

impl LoginFacts {
    fn layout(&self) -> LoginLayout<'_> {
        LoginLayout {
            subject: &self.subject,
            key: *self.key.as_bytes(),
            generation: self.generation.get(),
            at: self.at.as_millis(),
            roles: self.roles.iter().map(String::as_str).collect(),
            groups: self.groups.clone(),
            fingerprint: self.fingerprint,
        }
    }

    /// `None` where a bound is exceeded.
    fn of(layout: LoginLayout<'_>) -> Option<Self> {
        let fits = (1..=LONGEST_SUBJECT).contains(&layout.subject.len())
            && layout.roles.len() <= MOST_ROLES
            && layout.groups.len() <= MOST_GROUPS;
        let mut roles = layout.roles.iter();
        let roles_fit = roles.all(|role| (1..=LONGEST_ROLE).contains(&role.len()));
        (fits && roles_fit).then(|| Self {
            subject: layout.subject.to_owned(),
            key: SubjectKey::from_bytes(layout.key),
            generation: Generation::new(layout.generation),
            at: UnixMillis::new(layout.at),
            roles: layout.roles.iter().map(|&role| role.to_owned()).collect(),
            groups: layout.groups,
            fingerprint: layout.fingerprint,
        })
    }
}

impl<'a> LoginLayout<'a> {
    /// With the largest generations and times.
    fn longest(mut self) -> Self {
        for group in &mut self.groups {
            group.generation = Generation::new(LATEST);
        }
        Self {
            generation: LATEST,
            at: LATEST,
            ..self
        }
    }
}
