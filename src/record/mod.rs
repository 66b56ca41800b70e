//! The record: what a cookie says about its session.
//!
//! 1. It says everything that a server does not keep: who logged in, when it ends, which keys it passed
//!    through, and what the application wrote.
//! 2. The application's values are opaque bytes here; they are decoded when somebody asks for them.
//! 3. A reader bounds what a writer bounds.
//! 4. `form` goes from it to bytes and back. How a number or a text is laid out is another matter (`wire`).

mod entries;
mod form;
mod trail;

use std::sync::Arc;

use smol_str::SmolStr;

use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::time::{Class, UnixMillis};

pub(crate) use entries::Entries;
pub(crate) use trail::KeyTrail;

/// The longest name of a subject, and of a group or its kind, in bytes.
pub(crate) const LONGEST_SUBJECT: usize = 255;
/// How many roles a login can carry, and how many bytes one can have: 2 KiB of a cookie at the most.
pub(crate) const MOST_ROLES: usize = 32;
pub(crate) const LONGEST_ROLE: usize = 64;
/// How many groups a session can belong to: each is looked up in the list by every request.
pub(crate) const MOST_GROUPS: usize = 8;

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

impl Record {
    /// Who logged in.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.subject.as_str())
    }

    /// The subject's key, if anyone is logged in.
    pub(crate) fn subject_key(&self) -> Option<SubjectKey> {
        self.login.as_ref().map(|login| login.key)
    }

    /// Gives the record other entries. Where others hold it too it becomes a new one, and those from before are not copied.
    pub(crate) fn set_entries(record: &mut Arc<Self>, entries: Entries) {
        match Arc::get_mut(record) {
            Some(record) => record.entries = entries,
            None => {
                *record = Arc::new(Self {
                    login: record.login.clone(),
                    keys: record.keys.clone(),
                    entries,
                    ..**record
                });
            }
        }
    }

    /// Whether a client with this fingerprint is another one than at the login. Where one of them is not known: no.
    pub(crate) fn is_of_another_client(&self, client: Option<[u8; 16]>) -> bool {
        let sealed = self.login.as_ref().and_then(|login| login.fingerprint);
        let known = sealed.zip(client);
        known.is_some_and(|(sealed, client)| sealed != client)
    }
}

/// What a login adds to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginFacts {
    pub(crate) subject: SmolStr,
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

impl LoginFacts {
    /// All by which the list can end the session: the subject's key, and its groups'.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = SubjectKey> {
        let groups = self.groups.iter().map(|group| group.key);
        std::iter::once(self.key).chain(groups)
    }

    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

/// A group of sessions that can be ended together, as a subject's can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[cfg(test)]
mod tests;
