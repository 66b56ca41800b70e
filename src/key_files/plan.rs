//! The tables as a plan: which key seals and opens when.
//!
//! What is set to "now" is set a minute early, so that a node whose clock is behind can use it.

use crate::ids::KeyId;
use crate::keys::Secret;
use crate::keys::tables::{KeyEntry, KeyTables};
use crate::random::{Random, RandomError};
use crate::time::{SKEW, UnixMillis};

/// A time in which one key seals.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reign {
    pub(super) id: KeyId,
    pub(super) from: UnixMillis,
    /// [`UnixMillis::MAX`] if no end is planned.
    pub(super) until: UnixMillis,
}

impl KeyTables {
    /// The keys that are neither revoked nor retired at `now`.
    pub(super) fn usable(&self, now: UnixMillis) -> impl DoubleEndedIterator<Item = &KeyEntry> {
        let keys = self.keys.iter();
        keys.filter(move |key| !self.is_revoked(&key.id) && !key.is_retired(now))
    }

    /// The key that seals at `now`, by the rule of [`KeyRing::sealing`].
    pub(super) fn sealing(&self, now: UnixMillis) -> Option<&KeyEntry> {
        let active = self.usable(now).filter(|key| key.activate <= now);
        active.rev().max_by_key(|key| key.activate)
    }

    /// Which key seals when, in the order of time.
    pub(super) fn reigns(&self) -> Vec<Reign> {
        let keys = self.keys.iter().filter(|key| !self.is_revoked(&key.id));
        let mut turns: Vec<_> = keys
            .flat_map(|key| [Some(key.activate), key.retire])
            .flatten()
            .collect();
        turns.sort_unstable();
        turns.dedup();
        let mut reigns: Vec<Reign> = Vec::new();
        for from in turns {
            let id = self.sealing(from).map(|key| key.id);
            match reigns.last_mut() {
                Some(last) if last.until == UnixMillis::MAX && id == Some(last.id) => continue,
                Some(last) => last.until = last.until.min(from),
                None => {}
            }
            reigns.extend(id.map(|id| Reign {
                id,
                from,
                until: UnixMillis::MAX,
            }));
        }
        reigns
    }

    pub(super) fn key_mut(&mut self, id: KeyId) -> Option<&mut KeyEntry> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    /// Those of keys that are in use, and of those that are gone: some may come twice.
    pub(super) fn ids(&self) -> impl Iterator<Item = KeyId> {
        let keys = self.keys.iter().map(|key| key.id);
        let pruned = self.pruned.iter().map(|pruned| pruned.id);
        let revoked = self.revoked.iter().map(|revoked| revoked.id);
        keys.chain(pruned).chain(revoked)
    }

    pub(super) fn is_revoked(&self, id: &KeyId) -> bool {
        self.revoked_at(id).is_some()
    }

    pub(super) fn revoked_at(&self, id: &KeyId) -> Option<UnixMillis> {
        let mut revoked = self.revoked.iter();
        revoked
            .find(|revoked| revoked.id == *id)
            .map(|revoked| revoked.at)
    }

    /// The first key that is not active yet.
    pub(super) fn pending(&self, now: UnixMillis) -> Option<&KeyEntry> {
        let waiting = self.usable(now).filter(|key| now < key.activate);
        waiting.min_by_key(|key| key.activate)
    }

    /// When this key seals for the last time, if it never retired: newer keys take over from it, and may
    /// themselves retire. `None` if it would go on, or begin again, for ever.
    pub(super) fn stops_sealing(&self, key: &KeyEntry) -> Option<UnixMillis> {
        let mut lasting = self.clone();
        lasting.key_mut(key.id)?.retire = None;
        let reigns = lasting.reigns();
        let last = reigns.iter().rev().find(|reign| reign.id == key.id);
        // One that never seals has stopped when it would begin.
        let stop = last.map_or(key.activate, |reign| reign.until);
        (stop < UnixMillis::MAX).then_some(stop)
    }

    pub(super) fn add_fresh(
        &mut self,
        activate: UnixMillis,
        random: &dyn Random,
    ) -> Result<KeyId, RandomError> {
        // Ids that begin alike come up once in 2^32 draws. Not a loop without end, because a
        // generator that repeats itself would make it one.
        for _ in 0..8 {
            let key = KeyEntry::new(Secret::generate(random)?, activate);
            let prefix = key.id.prefix();
            if self.ids().all(|id| id.prefix() != prefix) {
                let id = key.id;
                self.keys.push(key);
                return Ok(id);
            }
        }
        Err(RandomError)
    }
}

impl KeyEntry {
    pub(super) fn is_retired(&self, now: UnixMillis) -> bool {
        self.retire.is_some_and(|retire| retire <= now)
    }
}

pub(super) fn at_once(now: UnixMillis) -> UnixMillis {
    whole_second(now.minus(SKEW))
}

/// Rounded down, because people read these.
pub(super) fn whole_second(time: UnixMillis) -> UnixMillis {
    UnixMillis::from_secs(time.as_secs())
}
