//! A map to entries of the lattice, of which a node can hold millions and every request reads one.
//!
//! 1. It is cut into shards, each behind a lock of its own, so that nobody who reads waits for long: a
//!    shard is small enough to be grown or swept within microseconds.
//! 2. An entry that fits is kept [`Packed`]. For any other one a sign stands in its place, and the entry
//!    itself in a second map.
//! 3. The second map is read and written only under the lock of the key's place in the first. So no entry
//!    is ever in neither, and nobody waits in a circle.
//! 4. Before it a [`Filter`], so that a key which was never entered costs one look and no lock.
//! 5. What is held of a key is the join of all that was told of it since it was last forgotten.

mod filter;
mod packed;

use std::hash::{BuildHasher, Hash, Hasher};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Place;

pub(super) use self::filter::Key;

use self::filter::Filter;
use self::packed::{Fields, Packed};
use crate::revoke::lattice::{SessionEntry, SubjectEntry};
use crate::revoke::store::Published;
use crate::time::UnixMillis;

/// What a table is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// A power of two. With fewer, who reads waits longer while a shard grows or is swept; with more, a
    /// look-up fetches from more places in memory.
    shards: usize,
    /// A power of two: how many times 64 bits the filter has.
    filter: usize,
}

impl Size {
    /// Millions of entries. The filter takes two megabytes; with a million entries one key in sixteen
    /// passes that was not entered, with ten million almost half of them.
    pub(super) const LARGE: Self = Self {
        shards: 256,
        filter: 1 << 18,
    };
    /// Next to none.
    pub(super) const SMALL: Self = Self {
        shards: 2,
        filter: 1,
    };
}

/// What is held of a key.
pub(super) trait Entry: Copy + Eq + Into<Fields> + From<Fields> {
    /// What both say.
    fn join(self, other: Self) -> Self;
    /// Whether it is news to who holds `other`.
    fn exceeds(self, other: Self) -> bool;
    /// When it may be forgotten.
    fn until(self) -> UnixMillis;
}

impl Entry for SessionEntry {
    fn join(self, other: Self) -> Self {
        self.join(other)
    }

    fn exceeds(self, other: Self) -> bool {
        self.serial > other.serial
    }

    fn until(self) -> UnixMillis {
        self.until
    }
}

impl Entry for SubjectEntry {
    fn join(self, other: Self) -> Self {
        self.join(other)
    }

    fn exceeds(self, other: Self) -> bool {
        self.generation > other.generation
    }

    fn until(self) -> UnixMillis {
        self.until
    }
}

/// Entries by key.
#[derive(Debug)]
pub(super) struct Table<K: Eq + Hash, E, S: BuildHasher + Clone> {
    filter: Filter,
    packed: DashMap<K, Packed, S>,
    /// What does not fit, which is next to nothing.
    odd: DashMap<K, E, S>,
}

impl<K: Key + Copy + Eq + Hash, E: Entry, S: BuildHasher + Default + Clone> Table<K, E, S> {
    pub(super) fn new(size: Size) -> Self {
        let few = Size::SMALL.shards;
        Self {
            filter: Filter::new(size.filter),
            packed: DashMap::with_capacity_and_hasher_and_shard_amount(
                0,
                S::default(),
                size.shards,
            ),
            odd: DashMap::with_capacity_and_hasher_and_shard_amount(0, S::default(), few),
        }
    }

    /// What is held of `key`.
    #[inline]
    pub(super) fn get(&self, key: &K) -> Option<E> {
        if !self.filter.may_hold(key) {
            return None;
        }
        let place = self.packed.get(key)?;
        self.unpack(key, *place)
    }

    /// What stands for `packed` in the place of `key`, which is locked.
    fn unpack(&self, key: &K, packed: Packed) -> Option<E> {
        if packed == Packed::ODD {
            self.odd.get(key).map(|entry| *entry)
        } else {
            Some(packed.unpack().into())
        }
    }

    /// Joins an entry in, and says whether it was news.
    pub(super) fn join(&self, key: K, entry: E) -> Published {
        self.filter.enter(&key);
        match self.packed.entry(key) {
            Place::Vacant(place) => {
                place.insert(self.pack(key, entry));
                Published::Fresh
            }
            Place::Occupied(mut place) => {
                let held = self.unpack(&key, *place.get());
                let joined = held.map_or(entry, |held| held.join(entry));
                place.insert(self.pack(key, joined));
                match held.is_none_or(|held| entry.exceeds(held)) {
                    true => Published::Fresh,
                    false => Published::Known,
                }
            }
        }
    }

    /// What stands for `entry` in the place of `key`, which is locked.
    fn pack(&self, key: K, entry: E) -> Packed {
        match Packed::new(entry.into()) {
            Some(packed) => {
                // Next to nothing does not fit, and then nothing has to be looked for.
                if !self.odd.is_empty() {
                    self.odd.remove(&key);
                }
                packed
            }
            None => {
                self.odd.insert(key, entry);
                Packed::ODD
            }
        }
    }

    /// Forgets `key`, and says whether there was an entry.
    pub(super) fn remove(&self, key: &K) -> bool {
        match self.packed.entry(*key) {
            Place::Vacant(_) => false,
            Place::Occupied(place) => {
                self.odd.remove(key);
                place.remove();
                true
            }
        }
    }

    /// Shows every entry. A shard is locked while its entries are shown.
    pub(super) fn for_each(&self, mut show: impl FnMut(K, E)) {
        for place in &self.packed {
            let key = *place.key();
            if let Some(entry) = self.unpack(&key, *place) {
                show(key, entry);
            }
        }
    }

    /// How many entries are held.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Forgets what has expired, and returns how much that was. Gives memory back when most of it is not
    /// needed any more.
    pub(super) fn sweep(&self, now: UnixMillis) -> usize {
        let mut forgot: usize = 0;
        self.packed.retain(|key, packed| {
            let needed = if *packed == Packed::ODD {
                self.odd
                    .remove_if(key, |_, entry| entry.until() <= now)
                    .is_none()
            } else {
                packed.until() > now
            };
            forgot = forgot.saturating_add(usize::from(!needed));
            needed
        });
        if forgot > 0 && self.packed.len() < self.packed.capacity() / 4 {
            self.packed.shrink_to_fit();
        }
        forgot
    }
}

/// Takes eight of an id's random bytes as its hash.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

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
mod tests;
