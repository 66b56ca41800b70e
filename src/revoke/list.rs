//! A node's own copy of all revocations, which every request is checked against.
//!
//! 1. Checking takes no I/O and no lock that a slow writer could hold.
//! 2. Entries of logins are never dropped before their time. Entries of visitors, whom nobody ever
//!    logged in and who cost an attacker nothing, live in a list of fixed capacity, oldest out.
//! 3. Session ids are the server's own random bytes and hash to themselves. Users choose their names,
//!    so subjects are hashed with a secret of this process.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dashmap::mapref::entry::Entry;
use dashmap::{DashMap, DashSet};

use crate::id::{Generation, SessionId, SubjectKey};
use crate::lifetime::SKEW;
use crate::revoke::lattice::{Revocation, SessionEntry, SubjectEntry, VISITOR_CAPACITY};
use crate::revoke::store::{Published, Target};
use crate::time::UnixMillis;

/// The join of all revocations that this node knows of.
#[derive(Debug, Default)]
pub(crate) struct List {
    sessions: DashMap<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    visitors: Visitors,
    subjects: DashMap<SubjectKey, SubjectEntry, RandomState>,
    /// Whether any subject was ever entered or marked. Until then no request has to hash its subject.
    any_subject: AtomicBool,
    everyone: AtomicU64,
    born: AtomicU64,
    /// When something was last forgotten because its time had passed.
    forgot: AtomicU64,
    /// Subjects that are logged out on this node although no generation says so yet.
    marked: DashSet<SubjectKey, RandomState>,
    everyone_marked: AtomicBool,
}

impl List {
    /// Joins one revocation in, and says whether it was news.
    pub(crate) fn join(&self, revocation: &Revocation) -> Published {
        match *revocation {
            Revocation::Session { id, entry } => join_session(&self.sessions, id, entry),
            Revocation::Visitor { id, entry } => self.visitors.join(id, entry),
            Revocation::Subject { key, entry } => self.join_subject(key, entry),
            Revocation::Everyone { generation } => {
                let held = self.everyone.fetch_max(generation.get(), Ordering::AcqRel);
                news(generation.get() > held)
            }
        }
    }

    fn join_subject(&self, key: SubjectKey, entry: SubjectEntry) -> Published {
        self.any_subject.store(true, Ordering::Release);
        match self.subjects.entry(key) {
            Entry::Vacant(place) => {
                place.insert(entry);
                Published::Fresh
            }
            Entry::Occupied(mut place) => {
                let held = *place.get();
                place.insert(held.join(entry));
                news(entry.generation > held.generation)
            }
        }
    }

    /// What is known of a session. Visitors are looked up in both lists: a login that ends a
    /// visitor's session says so in the main one.
    pub(super) fn session(&self, id: &SessionId, visitor: bool) -> Option<SessionEntry> {
        let main = self.sessions.get(id).map(|entry| *entry);
        if !visitor {
            return main;
        }
        match (main, self.visitors.get(id)) {
            (Some(main), Some(visitor)) => Some(main.join(visitor)),
            (main, visitor) => main.or(visitor),
        }
    }

    /// The subject's generation. `key` is asked for only when any subject was ever logged out.
    pub(super) fn subject(&self, key: impl FnOnce() -> SubjectKey) -> SubjectState {
        if !self.any_subject.load(Ordering::Acquire) {
            return SubjectState::default();
        }
        let key = key();
        // The mark first: it goes only after the generation has come.
        let marked = self.marked.contains(&key);
        let entry = self.subjects.get(&key);
        SubjectState {
            generation: entry.map_or(Generation::NONE, |entry| entry.generation),
            marked,
        }
    }

    pub(crate) fn everyone(&self) -> Generation {
        Generation::new(self.everyone.load(Ordering::Acquire))
    }

    pub(super) fn everyone_marked(&self) -> bool {
        self.everyone_marked.load(Ordering::Acquire)
    }

    /// The largest generation of the target that this node has seen.
    pub(crate) fn generation(&self, target: Target) -> Generation {
        match target {
            Target::Subject(key) => self.subject(|| key).generation,
            Target::Everyone => self.everyone(),
        }
    }

    /// Logs the target out on this node until its new generation arrives. Never passed on.
    pub(super) fn mark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                self.any_subject.store(true, Ordering::Release);
                self.marked.insert(key);
            }
            Target::Everyone => self.everyone_marked.store(true, Ordering::Release),
        }
    }

    pub(super) fn unmark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                self.marked.remove(&key);
            }
            Target::Everyone => self.everyone_marked.store(false, Ordering::Release),
        }
    }

    /// Since when the list remembers. Sessions from before can not be vouched for.
    pub(crate) fn born(&self) -> UnixMillis {
        UnixMillis::new(self.born.load(Ordering::Acquire))
    }

    pub(super) fn raise_born(&self, born: UnixMillis) {
        self.born.fetch_max(born.as_millis(), Ordering::AcqRel);
    }

    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len() + self.visitors.len() + self.subjects.len()
    }

    /// Forgets what has expired.
    pub(crate) fn sweep(&self, now: UnixMillis) {
        let mut forgot = false;
        let mut is_needed = |until: UnixMillis| {
            forgot |= until <= now;
            until > now
        };
        self.sessions.retain(|_, entry| is_needed(entry.until));
        self.subjects.retain(|_, entry| is_needed(entry.until));
        self.visitors.retain(|entry| is_needed(entry.until));
        if forgot {
            self.forgot.fetch_max(now.as_millis(), Ordering::AcqRel);
        }
    }

    /// Whether the clock stands before the time at which something was last forgotten. It was wrong then
    /// or is wrong now, and what was forgotten may still be needed.
    pub(crate) fn has_forgotten(&self, now: UnixMillis) -> bool {
        (now + SKEW).as_millis() < self.forgot.load(Ordering::Acquire)
    }

    /// Begins anew at `now`: no session from before is vouched for any more.
    pub(super) fn begin_anew(&self, now: UnixMillis) {
        self.born.fetch_max(now.as_millis(), Ordering::AcqRel);
        self.forgot.store(0, Ordering::Release);
    }
}

/// What is known of a subject.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SubjectState {
    pub(super) generation: Generation,
    pub(super) marked: bool,
}

fn join_session<S: std::hash::BuildHasher + Clone>(
    map: &DashMap<SessionId, SessionEntry, S>,
    id: SessionId,
    entry: SessionEntry,
) -> Published {
    match map.entry(id) {
        Entry::Vacant(place) => {
            place.insert(entry);
            Published::Fresh
        }
        Entry::Occupied(mut place) => {
            let held = *place.get();
            place.insert(held.join(entry));
            news(entry.serial > held.serial)
        }
    }
}

fn news(is_news: bool) -> Published {
    if is_news {
        Published::Fresh
    } else {
        Published::Known
    }
}

/// Ended sessions of visitors: a map, and the order in which its keys came.
#[derive(Debug, Default)]
struct Visitors {
    entries: DashMap<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    order: Mutex<VecDeque<SessionId>>,
    dropped: AtomicU64,
}

impl Visitors {
    fn join(&self, id: SessionId, entry: SessionEntry) -> Published {
        // The order is locked first, so that map and order agree.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.entries.contains_key(&id) {
            order.push_back(id);
        }
        let published = join_session(&self.entries, id, entry);
        if order.len() > VISITOR_CAPACITY
            && let Some(oldest) = order.pop_front()
        {
            self.entries.remove(&oldest);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        published
    }

    fn get(&self, id: &SessionId) -> Option<SessionEntry> {
        self.entries.get(id).map(|entry| *entry)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn retain(&self, mut is_needed: impl FnMut(&SessionEntry) -> bool) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.entries.retain(|_, entry| is_needed(entry));
        order.retain(|id| self.entries.contains_key(id));
    }
}

/// Takes eight of an id's random bytes as its hash.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The last write wins: an id is hashed as its length, then its bytes.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Serial;
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
        assert_eq!(list.visitors.dropped.load(Ordering::Relaxed), 10);
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
        assert_eq!(list.visitors.order.lock().unwrap().len(), 0);
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
