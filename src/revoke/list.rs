//! A node's own copy of all revocations, which every request is checked against.
//!
//! 1. Checking takes no I/O and no lock that a slow writer could hold. Who reads waits for shards that grow
//!    or are swept, one at a time or, for an entry of an unusual form, two.
//! 2. Entries of logins are never dropped before their time. Entries of visitors, whom nobody ever
//!    logged in and who cost an attacker nothing, live in a list of fixed capacity, oldest out.
//! 3. Session ids are the server's own random bytes and hash to themselves. Users choose their names,
//!    so subjects are hashed with a secret of this process.

use std::hash::{BuildHasherDefault, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashSet;

use crate::clock::UnixMillis;
use crate::id::{Generation, SessionId, SubjectKey};
use crate::lifetime::SKEW;
use crate::revoke::lattice::{Revocation, SessionEntry, SubjectEntry};
use crate::revoke::store::{Published, Target};
use crate::revoke::table::{IdHasher, Size, Table};
use crate::revoke::visitors::Visitors;

/// The join of all revocations that this node knows of.
#[derive(Debug)]
pub(crate) struct List {
    sessions: Table<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    visitors: Visitors,
    subjects: Table<SubjectKey, SubjectEntry, RandomState>,
    everyone: AtomicU64,
    /// Since when the store remembers.
    born: AtomicU64,
    /// Since when this list remembers, if it forgot by mistake.
    anew: AtomicU64,
    /// When something was last forgotten because its time had passed.
    forgot: AtomicU64,
    /// Subjects that are logged out on this node although no generation says so yet.
    marked: DashSet<SubjectKey, RandomState>,
    /// At least as many. There are none on a healthy node, and then nothing has to be looked up: asking the set
    /// itself would lock its shards.
    marks: AtomicUsize,
    everyone_marked: AtomicBool,
}

/// Empty, and ready for millions of entries.
impl Default for List {
    fn default() -> Self {
        Self::new(Size::LARGE, Size::VISITORS)
    }
}

impl List {
    /// Empty, for tests that make lists by the thousand.
    #[cfg(test)]
    pub(super) fn small() -> Self {
        Self::new(Size::SMALL, Size::SMALL)
    }

    fn new(size: Size, visitors: Size) -> Self {
        Self {
            sessions: Table::new(size),
            visitors: Visitors::new(visitors),
            subjects: Table::new(size),
            everyone: AtomicU64::default(),
            born: AtomicU64::default(),
            anew: AtomicU64::default(),
            forgot: AtomicU64::default(),
            marked: DashSet::default(),
            marks: AtomicUsize::default(),
            everyone_marked: AtomicBool::default(),
        }
    }

    /// Joins one revocation in, and says whether it was news.
    pub(crate) fn join(&self, revocation: &Revocation) -> Published {
        match *revocation {
            Revocation::Session { id, entry } => {
                self.over(&id, |list| list.sessions.join(id, entry))
            }
            Revocation::Visitor { id, entry } => {
                self.over(&id, |list| list.visitors.join(id, entry))
            }
            Revocation::Subject { key, entry } => self.subjects.join(key, entry),
            Revocation::Everyone { generation } => {
                let held = self.everyone.fetch_max(generation.get(), Ordering::AcqRel);
                Published::fresh_if(generation.get() > held)
            }
        }
    }

    /// Joins an entry of a session, and says so if a login had made another one of it.
    fn over(&self, id: &SessionId, join: impl FnOnce(&Self) -> Published) -> Published {
        let held = self.sessions.get(id);
        Published::over(held, join(self) == Published::Fresh)
    }

    /// What is known of a session. Visitors are looked up in both lists: a login that ends a
    /// visitor's session says so in the main one.
    pub(crate) fn session(&self, id: &SessionId, visitor: bool) -> Option<SessionEntry> {
        let main = self.sessions.get(id);
        if !visitor {
            return main;
        }
        match (main, self.visitors.get(id)) {
            (Some(main), Some(visitor)) => Some(main.join(visitor)),
            (main, visitor) => main.or(visitor),
        }
    }

    /// What is known of a visitor's session but that a login succeeded it.
    pub(crate) fn visitor(&self, id: &SessionId) -> Option<SessionEntry> {
        self.visitors.get(id)
    }

    /// The subject's generation.
    pub(crate) fn subject(&self, key: &SubjectKey) -> SubjectState {
        // The mark first: it goes only after the generation has come.
        let marked = self.marks.load(Ordering::Acquire) > 0 && self.marked.contains(key);
        let entry = self.subjects.get(key);
        SubjectState {
            generation: entry.map_or(Generation::NONE, |entry| entry.generation),
            marked,
        }
    }

    pub(crate) fn everyone(&self) -> Generation {
        Generation::new(self.everyone.load(Ordering::Acquire))
    }

    pub(crate) fn everyone_marked(&self) -> bool {
        self.everyone_marked.load(Ordering::Acquire)
    }

    /// The largest generation of the target that this node has seen.
    pub(crate) fn generation(&self, target: Target) -> Generation {
        match target {
            Target::Subject(key) => self.subject(&key).generation,
            Target::Everyone => self.everyone(),
        }
    }

    /// Logs the target out on this node until its new generation arrives. Never passed on.
    pub(crate) fn mark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                // Counted first: a mark holds from now on.
                self.marks.fetch_add(1, Ordering::AcqRel);
                if !self.marked.insert(key) {
                    self.marks.fetch_sub(1, Ordering::AcqRel);
                }
            }
            Target::Everyone => self.everyone_marked.store(true, Ordering::Release),
        }
    }

    pub(crate) fn unmark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                if self.marked.remove(&key).is_some() {
                    self.marks.fetch_sub(1, Ordering::AcqRel);
                }
            }
            Target::Everyone => self.everyone_marked.store(false, Ordering::Release),
        }
    }

    /// Since when the list remembers. Sessions from before cannot be vouched for.
    pub(crate) fn born(&self) -> UnixMillis {
        let born = self.born.load(Ordering::Acquire);
        UnixMillis::new(born.max(self.anew.load(Ordering::Acquire)))
    }

    /// Takes over since when the store remembers: earlier if another node vouched for that.
    pub(super) fn set_born(&self, born: UnixMillis) {
        self.born.store(born.as_millis(), Ordering::Release);
    }

    /// What the list holds in the place of `revocation`; `None` for a visitor's.
    pub(super) fn find(&self, revocation: &Revocation) -> Option<Revocation> {
        match *revocation {
            Revocation::Session { id, .. } => {
                let entry = self.sessions.get(&id)?;
                Some(Revocation::Session { id, entry })
            }
            Revocation::Visitor { .. } => None,
            Revocation::Subject { key, .. } => {
                let entry = self.subjects.get(&key)?;
                Some(Revocation::Subject { key, entry })
            }
            Revocation::Everyone { .. } => {
                let generation = self.everyone();
                Some(Revocation::Everyone { generation })
            }
        }
    }

    /// Shows every entry but those of visitors.
    pub(super) fn for_each(&self, mut show: impl FnMut(Revocation)) {
        self.sessions
            .for_each(|id, entry| show(Revocation::Session { id, entry }));
        self.subjects
            .for_each(|key, entry| show(Revocation::Subject { key, entry }));
        let generation = self.everyone();
        if generation > Generation::NONE {
            show(Revocation::Everyone { generation });
        }
    }

    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len() + self.visitors.len() + self.subjects.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.everyone() == Generation::NONE
    }

    /// Forgets what has expired, and returns how much that was.
    pub(crate) fn sweep(&self, now: UnixMillis) -> usize {
        let forgot = self.sessions.sweep(now) + self.subjects.sweep(now) + self.visitors.sweep(now);
        if forgot > 0 {
            self.forgot.fetch_max(now.as_millis(), Ordering::AcqRel);
        }
        forgot
    }

    /// Whether the clock stands before the time at which something was last forgotten. It was wrong then
    /// or is wrong now, and what was forgotten may still be needed.
    pub(crate) fn has_forgotten(&self, now: UnixMillis) -> bool {
        (now + SKEW).as_millis() < self.forgot.load(Ordering::Acquire)
    }

    /// Begins anew at `now`: no session from before is vouched for any more.
    pub(super) fn begin_anew(&self, now: UnixMillis) {
        self.anew.fetch_max(now.as_millis(), Ordering::AcqRel);
        self.forgot.store(0, Ordering::Release);
    }
}

/// What is known of a subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubjectState {
    pub(crate) generation: Generation,
    pub(crate) marked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Serial;
    use crate::revoke::lattice::VISITOR_CAPACITY;
    use std::time::Duration;

    fn id(number: u32) -> SessionId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        SessionId::from_bytes(bytes)
    }

    fn ended(until: UnixMillis) -> SessionEntry {
        SessionEntry {
            serial: Serial::ENDED,
            from: UnixMillis::EPOCH,
            until,
        }
    }

    #[test]
    fn only_visitors_make_room() {
        let list = List::default();
        let entry = ended(UnixMillis::MAX);
        let more = VISITOR_CAPACITY as u32 + 10;
        for number in 0..more {
            list.join(&Revocation::Visitor {
                id: id(number),
                entry,
            });
        }
        list.join(&Revocation::Session {
            id: id(more),
            entry,
        });
        assert_eq!(list.len(), VISITOR_CAPACITY + 1);
        assert_eq!(list.session(&id(9), true), None);
        assert_eq!(list.session(&id(10), true), Some(entry));
        assert_eq!(list.session(&id(more), false), Some(entry));
    }

    #[test]
    fn a_sweep_forgets_what_has_expired_and_nothing_else() {
        let list = List::default();
        let now = UnixMillis::new(1_000_000);
        let later = now + Duration::from_millis(1);
        list.join(&Revocation::Session {
            id: id(1),
            entry: ended(now),
        });
        list.join(&Revocation::Session {
            id: id(2),
            entry: ended(later),
        });
        list.join(&Revocation::Visitor {
            id: id(3),
            entry: ended(now),
        });
        list.join(&Revocation::Everyone {
            generation: Generation::new(5),
        });
        list.sweep(now);
        assert_eq!(list.session(&id(1), false), None);
        assert_eq!(list.session(&id(2), false), Some(ended(later)));
        assert_eq!(list.session(&id(3), true), None);
        assert_eq!(list.everyone(), Generation::new(5));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_behind_a_sweep_is_noticed() {
        let list = List::default();
        let now = UnixMillis::new(1_000_000_000);
        let day = Duration::from_secs(24 * 3600);
        list.join(&Revocation::Session {
            id: id(1),
            entry: ended(now + day),
        });
        list.sweep(now + day / 2);
        assert!(!list.has_forgotten(now), "nothing was forgotten");
        list.sweep(now + 2 * day);
        assert!(!list.has_forgotten((now + 2 * day).minus(SKEW)));
        assert!(list.has_forgotten(now));
        list.begin_anew(now);
        assert!(!list.has_forgotten(now));
        assert_eq!(list.born(), now);
    }

    #[test]
    fn the_first_of_two_equal_entries_is_news() {
        let list = List::default();
        let revocation = Revocation::Session {
            id: id(1),
            entry: ended(UnixMillis::MAX),
        };
        assert_eq!(list.join(&revocation), Published::Fresh);
        assert_eq!(list.join(&revocation), Published::Known);
        let raise = Revocation::Everyone {
            generation: Generation::new(1),
        };
        assert_eq!(list.join(&raise), Published::Fresh);
        assert_eq!(list.join(&raise), Published::Known);
    }
}
