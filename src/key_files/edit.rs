//! Changing the key tables.
//!
//! 1. Every edit takes the time as an argument and changes nothing but the tables; writing them is
//!    [`KeyTables::edit_file`]'s business.
//! 2. After every edit some key seals, if one did before.
//! 3. No id is ever forgotten. The secret of a key that is gone is removed, its tombstone stays.

use super::error::EditError;
use super::plan::at_once;
use crate::ids::KeyId;
use crate::keys::tables::{KeyEntry, KeyTables, PrunedEntry};
use crate::random::{Random, RandomError};
use crate::time::{SKEW, UnixMillis};

impl KeyTables {
    /// Tables with one fresh key that is active at once.
    ///
    /// # Errors
    /// When the generator cannot deliver.
    pub fn fresh(now: UnixMillis, random: &dyn Random) -> Result<Self, RandomError> {
        let mut tables = Self::default();
        tables.add_fresh(at_once(now), random)?;
        Ok(tables)
    }

    /// Whether revoking this key ends sessions: it has been active and is not retired.
    ///
    /// Sessions that only passed through the key, and were sealed anew under another one since, are
    /// ended by revoking it in any case; none are left once the key has been retired for as long as
    /// sessions are carried on.
    pub fn is_in_use(&self, id: &KeyId, now: UnixMillis) -> bool {
        let mut usable = self.usable(now);
        usable.any(|key| key.id == *id && key.activate <= now)
    }

    /// Removes the secrets of keys that retired before `now`, or were revoked, and leaves their tombstones.
    /// Returns the ids of the keys.
    pub fn prune(&mut self, now: UnixMillis) -> Vec<KeyId> {
        let keys = std::mem::take(&mut self.keys).into_iter();
        let (gone, kept): (Vec<_>, _) =
            keys.partition(|key| key.is_retired(now) || self.is_revoked(&key.id));
        self.keys = kept;
        for KeyEntry { id, retire, .. } in &gone {
            if let (Some(retired), false) = (*retire, self.is_revoked(id)) {
                self.pruned.push(PrunedEntry { id: *id, retired });
            }
        }
        gone.iter().map(|key| key.id).collect()
    }

    /// Ends every session that began before `time`, on every node that reads these tables.
    ///
    /// This does not stop somebody who holds a key: a leaked key must be revoked.
    ///
    /// # Errors
    /// [`EditError::Future`] if `time` is more than a minute after `now`; [`EditError::Backwards`] if a later
    /// time is set already.
    pub fn end_everyone(&mut self, time: UnixMillis, now: UnixMillis) -> Result<(), EditError> {
        match self.everyone_before {
            Some(before) if time < before => Err(EditError::Backwards(before)),
            _ => self.set_everyone_before(time, now),
        }
    }

    /// Like [`KeyTables::end_everyone`], but may go back in time, which revives the sessions between.
    ///
    /// # Errors
    /// [`EditError::Future`] if `time` is more than a minute after `now`.
    pub fn set_everyone_before(
        &mut self,
        time: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), EditError> {
        if time > now + SKEW {
            return Err(EditError::Future(time));
        }
        self.everyone_before = Some(time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::key_files::sample::one_key;

    #[test]
    fn everyone_goes_forward_only() {
        let (mut tables, _, now) = one_key();
        let future = now + SKEW + Duration::from_millis(1);
        assert_eq!(
            tables.end_everyone(future, now),
            Err(EditError::Future(future))
        );
        tables.end_everyone(now + SKEW, now).unwrap();
        let back = tables.end_everyone(now, now);
        assert_eq!(back, Err(EditError::Backwards(now + SKEW)));
        tables.set_everyone_before(now, now).unwrap();
        assert_eq!(tables.everyone_before(), Some(now));
    }
}
