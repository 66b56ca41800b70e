//! Revocations, and how two of them become one.
//!
//! 1. A revocation says which cookies are dead. The state of a list is the join of all that it was
//!    ever told and that have not expired.
//! 2. Joining is commutative, associative and idempotent. Messages may be lost, repeated, reordered
//!    or merged from any node, and every node ends in the same state.
//! 3. A join can only refuse more. There is no "un-revoke".

use crate::clock::UnixMillis;
use crate::id::{Generation, Serial, SessionId, SubjectKey};

/// One fact about which cookies are dead. Exhaustive, like its entries: a store that forgets a part of it must not
/// compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Older cookies of one session, or with [`Serial::ENDED`] or [`Serial::SUCCEEDED`] all of them.
    Session {
        /// The session.
        id: SessionId,
        /// From which cookie on it lives.
        entry: SessionEntry,
    },
    /// The same for a session that nobody ever logged in to. Such sessions cost an attacker nothing,
    /// so these entries live in a list of fixed capacity ([`VISITOR_CAPACITY`]), oldest out.
    Visitor {
        /// The session.
        id: SessionId,
        /// From which cookie on it lives.
        entry: SessionEntry,
    },
    /// Sessions of one subject from before a generation.
    Subject {
        /// The subject.
        key: SubjectKey,
        /// From which generation on its sessions live.
        entry: SubjectEntry,
    },
    /// Everyone's sessions from before a generation. Never expires.
    Everyone {
        /// From which generation on sessions live.
        generation: Generation,
    },
}

impl Revocation {
    /// When the entry may be forgotten: every cookie it concerns has ended by then, also by a clock
    /// that is slow by the tolerated skew.
    pub fn until(&self) -> UnixMillis {
        match self {
            Self::Session { entry, .. } | Self::Visitor { entry, .. } => entry.until,
            Self::Subject { entry, .. } => entry.until,
            Self::Everyone { .. } => UnixMillis::MAX,
        }
    }

    /// What both say, if they concern the same; else itself.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Session { id, entry }, Self::Session { entry: other, .. }) => Self::Session {
                id,
                entry: entry.join(other),
            },
            (Self::Subject { key, entry }, Self::Subject { entry: other, .. }) => Self::Subject {
                key,
                entry: entry.join(other),
            },
            (Self::Everyone { generation }, Self::Everyone { generation: other }) => {
                Self::Everyone {
                    generation: generation.max(other),
                }
            }
            (itself, _) => itself,
        }
    }

    /// Whether it says all that `other` says, which concerns the same.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.join(*other) == *self
    }
}

/// How many [`Revocation::Visitor`] entries a list or store keeps; the oldest make room.
pub const VISITOR_CAPACITY: usize = 100_000;

/// From which of its cookies on a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionEntry {
    /// Cookies with a lower serial are superseded.
    pub serial: Serial,
    /// From when on the cookie just before `serial` is dead; until then it reads (the grace of a
    /// renewal).
    pub from: UnixMillis,
    /// When the entry may be forgotten.
    pub until: UnixMillis,
}

impl SessionEntry {
    /// The larger serial, of equal ones the earlier `from`; the later `until`.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let until = self.until.max(other.until);
        let stricter = match self.serial.cmp(&other.serial) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal if self.from <= other.from => self,
            std::cmp::Ordering::Equal => other,
        };
        Self { until, ..stricter }
    }
}

/// From which generation on a subject's sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubjectEntry {
    /// Sessions of a lower generation are dead.
    pub generation: Generation,
    /// When the entry may be forgotten.
    pub until: UnixMillis,
}

impl SubjectEntry {
    /// The larger generation, the later `until`.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            generation: self.generation.max(other.generation),
            until: self.until.max(other.until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session_entry() -> impl Strategy<Value = SessionEntry> {
        // Small ranges, so that equal serials and times come up often.
        (0..4u32, 0..4u64, 0..4u64).prop_map(|(serial, from, until)| SessionEntry {
            serial: Serial::new(serial),
            from: UnixMillis::new(from),
            until: UnixMillis::new(until),
        })
    }

    fn subject_entry() -> impl Strategy<Value = SubjectEntry> {
        (0..4u64, 0..4u64).prop_map(|(generation, until)| SubjectEntry {
            generation: Generation::new(generation),
            until: UnixMillis::new(until),
        })
    }

    proptest! {
        #[test]
        fn joining_session_entries_is_a_semilattice(a in session_entry(), b in session_entry(), c in session_entry()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(b).join(b), a.join(b));
        }

        #[test]
        fn joining_subject_entries_is_a_semilattice(a in subject_entry(), b in subject_entry(), c in subject_entry()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
        }
    }
}
