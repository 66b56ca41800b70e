//! A node's own copy of all revocations, which every request is checked against.
//!
//! 1. Checking takes no I/O and no lock that a slow writer could hold.
//! 2. Entries of logins are never dropped before their time. Entries of visitors, whom nobody ever
//!    logged in and who cost an attacker nothing, live in a list of fixed capacity, oldest out.
//! 3. Session ids are the server's own random bytes and hash to themselves. Users choose their names,
//!    so subjects are hashed with a secret of this process.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dashmap::mapref::entry::Entry as Place;
use dashmap::{DashMap, DashSet};

use crate::id::{Generation, Serial, SessionId, SubjectKey};
use crate::lifetime::SKEW;
use crate::lock::lock;
use crate::revoke::lattice::{Revocation, SessionEntry, SubjectEntry, VISITOR_CAPACITY};
use crate::revoke::store::{Published, Target};
use crate::time::UnixMillis;

/// The join of all revocations that this node knows of.
#[derive(Debug, Default)]
pub(crate) struct List {
    sessions: DashMap<SessionId, Packed, BuildHasherDefault<IdHasher>>,
    visitors: Visitors,
    subjects: DashMap<SubjectKey, SubjectEntry, RandomState>,
    /// Whether any subject was ever entered or marked. Until then no request has to look for its subject.
    any_subject: AtomicBool,
    everyone: AtomicU64,
    /// Since when the store remembers.
    born: AtomicU64,
    /// Since when this list remembers, if it forgot by mistake.
    anew: AtomicU64,
    /// When something was last forgotten because its time had passed.
    forgot: AtomicU64,
    /// Subjects that are logged out on this node although no generation says so yet.
    marked: DashSet<SubjectKey, RandomState>,
    /// At least as many. There are none on a healthy node, and then nothing has to be looked up.
    marks: AtomicUsize,
    everyone_marked: AtomicBool,
}

impl List {
    /// Joins one revocation in, and says whether it was news.
    pub(crate) fn join(&self, revocation: &Revocation) -> Published {
        match *revocation {
            Revocation::Session { id, entry } => join(&self.sessions, id, Packed::new(entry)),
            Revocation::Visitor { id, entry } => self.visitors.join(id, entry),
            Revocation::Subject { key, entry } => {
                self.any_subject.store(true, Ordering::Release);
                join(&self.subjects, key, entry)
            }
            Revocation::Everyone { generation } => {
                let held = self.everyone.fetch_max(generation.get(), Ordering::AcqRel);
                news(generation.get() > held)
            }
        }
    }

    /// What is known of a session. Visitors are looked up in both lists: a login that ends a
    /// visitor's session says so in the main one.
    pub(super) fn session(&self, id: &SessionId, visitor: bool) -> Option<SessionEntry> {
        let main = self.sessions.get(id).map(|entry| entry.unpack());
        if !visitor {
            return main;
        }
        match (main, self.visitors.get(id)) {
            (Some(main), Some(visitor)) => Some(main.join(visitor)),
            (main, visitor) => main.or(visitor),
        }
    }

    /// The subject's generation.
    pub(super) fn subject(&self, key: &SubjectKey) -> SubjectState {
        if !self.any_subject.load(Ordering::Acquire) {
            return SubjectState::default();
        }
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

    pub(super) fn everyone_marked(&self) -> bool {
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
    pub(super) fn mark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                self.any_subject.store(true, Ordering::Release);
                // Counted first: a mark holds from now on.
                self.marks.fetch_add(1, Ordering::AcqRel);
                if !self.marked.insert(key) {
                    self.marks.fetch_sub(1, Ordering::AcqRel);
                }
            }
            Target::Everyone => self.everyone_marked.store(true, Ordering::Release),
        }
    }

    pub(super) fn unmark(&self, target: Target) {
        match target {
            Target::Subject(key) => {
                if self.marked.remove(&key).is_some() {
                    self.marks.fetch_sub(1, Ordering::AcqRel);
                }
            }
            Target::Everyone => self.everyone_marked.store(false, Ordering::Release),
        }
    }

    /// Since when the list remembers. Sessions from before can not be vouched for.
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
                let entry = self.sessions.get(&id)?.unpack();
                Some(Revocation::Session { id, entry })
            }
            Revocation::Visitor { .. } => None,
            Revocation::Subject { key, .. } => {
                let entry = *self.subjects.get(&key)?;
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
        for entry in &self.sessions {
            show(Revocation::Session {
                id: *entry.key(),
                entry: entry.unpack(),
            });
        }
        for entry in &self.subjects {
            show(Revocation::Subject {
                key: *entry.key(),
                entry: *entry,
            });
        }
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
        let mut forgot: usize = 0;
        let mut is_needed = |until: UnixMillis| {
            let needed = until > now;
            forgot = forgot.saturating_add(usize::from(!needed));
            needed
        };
        self.sessions
            .retain(|_, entry| is_needed(entry.unpack().until));
        self.subjects.retain(|_, entry| is_needed(entry.until));
        self.visitors.retain(|entry| is_needed(entry.until));
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
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SubjectState {
    pub(super) generation: Generation,
    pub(super) marked: bool,
}

/// What two entries of one place become, and which of them says more.
trait Entry: Copy {
    fn join(self, other: Self) -> Self;
    fn exceeds(self, other: Self) -> bool;
}

impl Entry for Packed {
    fn join(self, other: Self) -> Self {
        Self::new(self.unpack().join(other.unpack()))
    }

    fn exceeds(self, other: Self) -> bool {
        self.serial > other.serial
    }
}

impl Entry for SubjectEntry {
    fn join(self, other: Self) -> Self {
        self.join(other)
    }

    fn exceeds(self, other: Self) -> bool {
        self.generation > other.generation
    }
}

fn join<K: Eq + Hash, E: Entry, S: BuildHasher + Clone>(
    map: &DashMap<K, E, S>,
    key: K,
    entry: E,
) -> Published {
    match map.entry(key) {
        Place::Vacant(place) => {
            place.insert(entry);
            Published::Fresh
        }
        Place::Occupied(mut place) => {
            let held = *place.get();
            place.insert(held.join(entry));
            news(entry.exceeds(held))
        }
    }
}

/// A [`SessionEntry`] in 16 bytes instead of 24, for a list can hold millions. Its times have 48 bits,
/// which last until the year 10889; what is later is kept as never.
#[derive(Debug, Clone, Copy)]
struct Packed {
    serial: Serial,
    from: [u8; 6],
    until: [u8; 6],
}

impl Packed {
    fn new(entry: SessionEntry) -> Self {
        Self {
            serial: entry.serial,
            from: pack(entry.from),
            until: pack(entry.until),
        }
    }

    fn unpack(self) -> SessionEntry {
        SessionEntry {
            serial: self.serial,
            from: unpack(self.from),
            until: unpack(self.until),
        }
    }
}

const NEVER: [u8; 6] = [0xff; 6];

fn pack(time: UnixMillis) -> [u8; 6] {
    match time.as_millis().to_le_bytes() {
        [a, b, c, d, e, f, 0, 0] => [a, b, c, d, e, f],
        _ => NEVER,
    }
}

fn unpack(time: [u8; 6]) -> UnixMillis {
    if time == NEVER {
        return UnixMillis::MAX;
    }
    let [a, b, c, d, e, f] = time;
    UnixMillis::new(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
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
    entries: DashMap<SessionId, Packed, BuildHasherDefault<IdHasher>>,
    order: Mutex<VecDeque<SessionId>>,
    dropped: AtomicU64,
}

impl Visitors {
    fn join(&self, id: SessionId, entry: SessionEntry) -> Published {
        // The order is locked first, so that map and order agree.
        let mut order = lock(&self.order);
        if !self.entries.contains_key(&id) {
            order.push_back(id);
        }
        let published = join(&self.entries, id, Packed::new(entry));
        if order.len() > VISITOR_CAPACITY
            && let Some(oldest) = order.pop_front()
        {
            self.entries.remove(&oldest);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        published
    }

    fn get(&self, id: &SessionId) -> Option<SessionEntry> {
        self.entries.get(id).map(|entry| entry.unpack())
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn retain(&self, mut is_needed: impl FnMut(&SessionEntry) -> bool) {
        let mut order = lock(&self.order);
        self.entries.retain(|_, entry| is_needed(&entry.unpack()));
        order.retain(|id| self.entries.contains_key(id));
    }
}

/// Takes eight of an id's random bytes as its hash.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn packing_keeps_every_time_there_is() {
        for time in [0, 1, 1_800_000_000_000, (1 << 48) - 2] {
            let time = UnixMillis::new(time);
            assert_eq!(unpack(pack(time)), time);
        }
        for never in [(1 << 48) - 1, 1 << 48, u64::MAX] {
            assert_eq!(unpack(pack(UnixMillis::new(never))), UnixMillis::MAX);
        }
        assert_eq!(size_of::<(SessionId, Packed)>(), 32);
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
