//! Revocations, and how two of them become one.
//!
//! 1. A revocation says which cookies are dead. The state of a list is the join of all that it was
//!    ever told and that have not expired.
//! 2. Joining is commutative, associative and idempotent. Messages may be lost, repeated, reordered
//!    or merged from any node, and every node ends in the same state.
//! 3. A join can only refuse more. There is no "un-revoke".

use std::cmp::Reverse;
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::time::{SKEW, UnixMillis};

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
    /// Older cookies, or all, of one session that nobody ever logged in to. Anyone can make and end such sessions, so a store
    /// keeps a limited number of these entries ([`Announcement::anonymous_capacity`]): where one is dropped
    /// before its time, [`Revocation::Anonymous`] refuses its session instead.
    ///
    /// [`Announcement::anonymous_capacity`]: crate::revoke::Announcement::anonymous_capacity
    AnonymousSession {
        /// The session.
        id: SessionId,
        /// When the session began. Those that began first are dropped first.
        created: UnixMillis,
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
    /// All sessions without a login that began at or before a time. Never expires.
    Anonymous {
        /// The time.
        since: UnixMillis,
    },
}

impl Revocation {
    /// When the entry may be forgotten: all cookies that it concerns have ended by then, also by a clock that is slow.
    pub fn until(&self) -> UnixMillis {
        match self {
            Self::Session { entry, .. } | Self::AnonymousSession { entry, .. } => entry.until,
            Self::Subject { entry, .. } => entry.until,
            Self::Everyone { .. } | Self::Anonymous { .. } => UnixMillis::MAX,
        }
    }

    /// Where a store keeps it whose clock says `now`. The end of an anonymous session that began too far ahead goes to
    /// the main list: it could not make room, because `since` is never later than clock and skew. If it were refused,
    /// so would be all that is published with it.
    pub(crate) fn placed(self, now: UnixMillis) -> Self {
        match self {
            Self::AnonymousSession { id, created, entry } if created > now + SKEW => {
                Self::Session { id, entry }
            }
            other => other,
        }
    }

    /// Whether a store may take it whose clock says `now`: not if it refuses sessions that begin in the future.
    pub(crate) fn check(&self, now: UnixMillis) -> Result<(), StoreError> {
        match self {
            Self::Anonymous { since } if *since > now + SKEW => {
                Err(StoreError::since_ahead(*since, now))
            }
            _ => Ok(()),
        }
    }

    /// What both say, if they concern the same; else itself.
    pub(crate) fn join(mut self, other: Self) -> Self {
        match (&mut self, other) {
            (Self::Session { entry, .. }, Self::Session { entry: other, .. }) => {
                *entry = entry.join(other);
            }
            (
                Self::AnonymousSession { created, entry, .. },
                Self::AnonymousSession {
                    created: other_created,
                    entry: other,
                    ..
                },
            ) => {
                // A cookie says it once. The later one is dropped later.
                *created = other_created.max(*created);
                *entry = entry.join(other);
            }
            (Self::Subject { entry, .. }, Self::Subject { entry: other, .. }) => {
                *entry = entry.join(other);
            }
            (Self::Everyone { generation }, Self::Everyone { generation: other }) => {
                *generation = other.max(*generation);
            }
            (Self::Anonymous { since }, Self::Anonymous { since: other }) => {
                *since = other.max(*since);
            }
            _ => (),
        }
        self
    }

    /// Whether it says all that `other` says, which concerns the same.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.join(*other) == *self
    }

    /// What it is held under. Revocations of one key join.
    pub(crate) fn key(&self) -> EntryKey {
        match *self {
            Self::Session { id, .. } => EntryKey::Session(id),
            Self::AnonymousSession { id, .. } => EntryKey::AnonymousSession(id),
            Self::Subject { key, .. } => EntryKey::Subject(key),
            Self::Everyone { .. } => EntryKey::Everyone,
            Self::Anonymous { .. } => EntryKey::Anonymous,
        }
    }
}

/// What a shared store needs to know of it.
#[cfg(any(test, feature = "redis", feature = "testing"))]
impl Revocation {
    /// The session that it concerns, with its entry, if it concerns one.
    pub(crate) fn session(&self) -> Option<(SessionId, SessionEntry)> {
        match *self {
            Self::Session { id, entry } | Self::AnonymousSession { id, entry, .. } => {
                Some((id, entry))
            }
            Self::Subject { .. } | Self::Everyone { .. } | Self::Anonymous { .. } => None,
        }
    }

    /// As [`SubjectEntry::kept`], if it is a subject's.
    pub(crate) fn kept(self, longest: Duration) -> Self {
        match self {
            Self::Subject { key, entry } => Self::Subject {
                key,
                entry: entry.kept(longest),
            },
            other => other,
        }
    }
}

/// What a revocation is held under. In the order in which a store is told of what it lost: what limits the number of
/// anonymous ends first, and they last. A flood of them cannot hold up the logouts of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EntryKey {
    Anonymous,
    Everyone,
    Subject(SubjectKey),
    Session(SessionId),
    AnonymousSession(SessionId),
}

impl EntryKey {
    /// Whether anyone can bring such a revocation about, as often as they like.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self, Self::AnonymousSession(_) | Self::Anonymous)
    }
}

/// From which of its cookies on a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionEntry {
    /// Cookies with a lower serial are superseded.
    pub serial: Serial,
    /// From when on the cookie just before `serial` is dead; until then it reads (the grace of a renewal).
    pub from: UnixMillis,
    /// When the entry may be forgotten.
    pub until: UnixMillis,
}

impl SessionEntry {
    pub(crate) const fn new(serial: Serial, from: UnixMillis, until: UnixMillis) -> Self {
        Self {
            serial,
            from,
            until,
        }
    }

    /// The end of a session since ever: its browser awaits no successor.
    pub(crate) const fn ended(until: UnixMillis) -> Self {
        Self::new(Serial::ENDED, UnixMillis::EPOCH, until)
    }

    /// The larger serial, of equal ones the earlier `from`; the later `until`.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let until = self.until.max(other.until);
        let stricter = std::cmp::max_by_key(self, other, |it| (it.serial, Reverse(it.from)));
        Self { until, ..stricter }
    }
}

/// From which generation on a subject's sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubjectEntry {
    /// Sessions of a lower generation are dead.
    pub generation: Generation,
    /// The session that a logout of all others left alive. Its generation stays what it was.
    pub spared: Option<Spared>,
    /// When the entry may be forgotten.
    pub until: UnixMillis,
}

/// The session that logged all others of its subject out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spared {
    /// The session.
    pub session: SessionId,
    /// It is dead of a lower generation than this: the largest that was raised without sparing it.
    pub generation: Generation,
}

impl Spared {
    /// Stands for nobody where there must be something. Ids are random, and no session has this one.
    pub(crate) const NOBODY: Self = Self {
        session: SessionId::from_bytes([0; 16]),
        generation: Generation::NONE,
    };
}

/// An entry says for each session from which generation on it lives: one number for all but the session that is
/// spared. Of two entries the larger number holds, session by session. That spares one session at most, and
/// a raise that a store had lost ends whoever it ended before, however late it comes back.
impl SubjectEntry {
    /// The entry that ends all sessions of a lower generation.
    pub fn new(generation: Generation, until: UnixMillis) -> Self {
        Self {
            generation,
            spared: None,
            until,
        }
    }

    /// From which generation on a session lives.
    pub fn least(&self, session: SessionId) -> Generation {
        match self.spared {
            Some(spared) if spared.session == session => spared.generation,
            _ => self.generation,
        }
    }

    /// The larger generation for each session, the later `until`.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let (larger, smaller) = match self.generation >= other.generation {
            true => (self, other),
            false => (other, self),
        };
        let until = self.until.max(other.until);
        let raised = Self { until, ..larger };
        match larger.spared {
            Some(spared) => raised.sparing(Spared {
                generation: spared.generation.max(smaller.least(spared.session)),
                ..spared
            }),
            None => raised,
        }
    }

    /// The same, which spares a session.
    #[must_use]
    pub fn sparing(self, spared: Spared) -> Self {
        Self {
            spared: Some(spared).filter(|it| {
                it.generation < self.generation && it.session != Spared::NOBODY.session
            }),
            ..self
        }
    }

    /// The entry after a raise at the time `now`, by who knows `known`. Whoever is spared keeps what held for them, and
    /// so stays as dead or alive as before.
    ///
    /// `None` at the top of the range.
    pub(crate) fn raised(
        self,
        known: Generation,
        spared: Option<Spared>,
        now: UnixMillis,
    ) -> Option<Self> {
        let raised = Self::new(self.generation.next(known, now)?, self.until);
        Some(match spared {
            Some(spared) => raised.sparing(Spared {
                generation: spared.generation.max(self.least(spared.session)),
                ..spared
            }),
            None => raised,
        })
    }

    /// The entry with an `until` that covers every cookie of a node which announced `longest`.
    ///
    /// A generation is at least the time of its raise in milliseconds. So the sum is a lower bound that also
    /// holds for raises from before a longer life was announced, and a function of the joined state: the order
    /// of publications stays irrelevant.
    #[must_use]
    pub fn kept(self, longest: Duration) -> Self {
        let raised = UnixMillis::new(self.generation.get());
        Self {
            until: self.until.max(raised + longest),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Small ranges, so that equal ids, serials and times come up often.
    fn revocation() -> impl Strategy<Value = Revocation> {
        let spared = proptest::option::of((0..2u8, 0..4u64));
        (0..5u8, 0..2u8, 0..4u32, 0..4u64, 0..4u64, 0..3u64, spared).prop_map(
            |(kind, id, serial, from, until, created, spared)| {
                let id = SessionId::from_bytes([id; 16]);
                let (generation, until) = (Generation::new(from), UnixMillis::new(until));
                let entry = SessionEntry::new(Serial::new(serial), UnixMillis::new(from), until);
                match kind {
                    0 => Revocation::Session { id, entry },
                    1 => Revocation::AnonymousSession {
                        id,
                        created: UnixMillis::new(created),
                        entry,
                    },
                    2 => Revocation::Subject {
                        key: SubjectKey::from_bytes(*id.as_bytes()),
                        entry: match spared {
                            None => SubjectEntry::new(generation, until),
                            Some((session, least)) => {
                                SubjectEntry::new(generation, until).sparing(Spared {
                                    session: SessionId::from_bytes([session; 16]),
                                    generation: Generation::new(least),
                                })
                            }
                        },
                    },
                    3 => Revocation::Everyone { generation },
                    _ => Revocation::Anonymous { since: until },
                }
            },
        )
    }

    proptest! {
        // Most pairs do not concern the same.
        #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn joining_what_concerns_the_same_is_a_semilattice(
            a in revocation(), b in revocation(), c in revocation()
        ) {
            prop_assume!(a.key() == b.key());
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(a), a);
            prop_assert!(a.join(b).covers(&a) && a.join(b).covers(&b));
            prop_assume!(b.key() == c.key());
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        }

        #[test]
        fn a_subjects_entries_end_each_session_that_one_of_them_ends(
            a in revocation(), b in revocation(), session in 0..3u8
        ) {
            prop_assume!(a.key() == b.key());
            let session = SessionId::from_bytes([session; 16]);
            let least = |it: &Revocation| match it {
                Revocation::Subject { entry, .. } => Some(entry.least(session)),
                _ => None,
            };
            prop_assert_eq!(least(&a.join(b)), least(&a).max(least(&b)));
        }
    }
}
