//! A sharded map of revocations, of which a node can hold millions and every request reads one.
//!
//! 1. It is cut into shards, each behind a lock of its own, so that nobody who reads waits for more
//!    than a shard: it is swept in some tens of microseconds, and grown, at ten million entries, in a few
//!    milliseconds.
//! 2. An entry that fits is kept [`Packed`]. For any other one a sentinel stands in its place, and
//!    the entry itself in a second map.
//! 3. An entry of the second map is read, written and removed only under the lock of the key's place in the
//!    first, which is always taken before. So no entry is ever in neither, and nobody waits in a circle.
//! 4. Before it a [`Filter`], so that a key which was never entered costs one look and no lock.
//! 5. What is held of a key is the join of all that was told of it since it was last forgotten.

mod filter;
mod packed;

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Place;

pub(super) use self::filter::IdHasher;

use self::filter::Filter;
use self::packed::{Packed, TableEntry};
use crate::revoke::answers::Published;

/// What a table is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// A power of two. With fewer, who reads waits longer while a shard grows or is swept; with more, a
    /// look-up fetches from more places in memory.
    shards: usize,
    /// A power of two: the filter's size in four kilobytes.
    filter: usize,
}

impl Size {
    /// Millions of entries. The filter takes two megabytes. After a million keys, counted from the start of
    /// the process, it lets one in sixteen pass that was never entered, after ten million almost half.
    pub(super) const LARGE: Self = Self {
        shards: 256,
        filter: 512,
    };
    /// Half a million entries, and a filter of 256 KiB.
    pub(super) const ANONYMOUS: Self = Self {
        shards: 64,
        filter: 64,
    };
    /// Next to none.
    #[cfg(test)]
    pub(super) const SMALL: Self = Self {
        shards: 2,
        filter: 1,
    };
}

/// Entries by key.
pub(super) struct Table<K: Eq + Hash, E, S: BuildHasher + Clone> {
    filter: Filter,
    packed: DashMap<K, Packed, S>,
    /// What does not fit, such as of a session that was renewed seven times, or that logged others out.
    overflow: DashMap<K, E, S>,
    /// How many entries are held. Counted, because asking would lock every shard.
    entries: AtomicUsize,
}

impl<K: Copy + Eq + Hash, E: TableEntry, S: BuildHasher + Default + Clone> Table<K, E, S> {
    pub(super) fn new(size: Size) -> Self {
        Self {
            filter: Filter::new(size.filter),
            packed: DashMap::with_hasher_and_shard_amount(S::default(), size.shards),
            overflow: DashMap::with_hasher_and_shard_amount(S::default(), size.shards),
            entries: AtomicUsize::new(0),
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
        if packed == Packed::ELSEWHERE {
            self.overflow.get(key).map(|entry| *entry)
        } else {
            Some(E::from_fields(packed.unpack()))
        }
    }

    /// Joins an entry in, and says whether it was news.
    pub(super) fn join(&self, key: K, entry: E) -> Published {
        self.filter.enter(&key);
        match self.packed.entry(key) {
            Place::Vacant(place) => {
                // Counted first: a sweep may forget it at once, and there are never less than none.
                self.entries.fetch_add(1, Ordering::Relaxed);
                place.insert(self.pack(key, entry));
                Published::Fresh
            }
            Place::Occupied(mut place) => {
                let before = *place.get();
                let held = self.unpack(&key, before);
                let joined = held.map_or(entry, |held| held.join(entry));
                let packed = self.pack(key, joined);
                place.insert(packed);
                if before == Packed::ELSEWHERE && packed != Packed::ELSEWHERE {
                    self.overflow.remove(&key);
                }
                Published::fresh_if(held.is_none_or(|held| entry.exceeds(held)))
            }
        }
    }

    /// What stands for `entry` in the place of `key`, which is locked.
    fn pack(&self, key: K, entry: E) -> Packed {
        entry.fields().and_then(Packed::new).unwrap_or_else(|| {
            self.overflow.insert(key, entry);
            Packed::ELSEWHERE
        })
    }

    /// Forgets `key`, and says whether there was an entry.
    pub(super) fn remove(&self, key: &K) -> bool {
        match self.packed.entry(*key) {
            Place::Vacant(_) => false,
            Place::Occupied(place) => {
                self.overflow.remove(key);
                place.remove();
                self.entries.fetch_sub(1, Ordering::Relaxed);
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
        self.entries.load(Ordering::Relaxed)
    }

    /// Forgets what `has_expired`, and returns how much that was.
    pub(super) fn sweep(&self, has_expired: impl Fn(E) -> bool) -> usize {
        let mut forgot: usize = 0;
        self.packed.retain(|key, packed| {
            let needed = if *packed == Packed::ELSEWHERE {
                let removed = self.overflow.remove_if(key, |_, entry| has_expired(*entry));
                removed.is_none()
            } else {
                !has_expired(E::from_fields(packed.unpack()))
            };
            forgot = forgot.saturating_add(usize::from(!needed));
            needed
        });
        self.entries.fetch_sub(forgot, Ordering::Relaxed);
        if forgot > 0 {
            shrink(&self.packed);
            shrink(&self.overflow);
        }
        forgot
    }
}

/// Gives memory back if three quarters of it are not needed.
fn shrink<K: Eq + Hash, V, S: BuildHasher + Clone>(map: &DashMap<K, V, S>) {
    if map.len() < map.capacity() / 4 {
        map.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
