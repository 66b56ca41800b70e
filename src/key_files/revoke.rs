//! Revoking a key that leaked.
//!
//! 1. Retiring and revoking are different acts. A rotation retires: nobody notices. A revocation says
//!    that a key leaked: its tokens are refused at once, and whoever holds one is logged out.
//! 2. If no key would be left to seal, another one is put in its place.
//! 3. A key that seals for longer than was planned, because its successor was revoked, also opens for longer.

use super::error::EditError;
use super::plan::at_once;
use crate::ids::KeyId;
use crate::keys::tables::{KeyTables, RevokedEntry};
use crate::random::Random;
use crate::time::UnixMillis;

/// What a revocation did besides refusing the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Successor {
    /// Nothing: another key seals, as before.
    Unchanged,
    /// No key was left, so a fresh one was added, active at once.
    Fresh(KeyId),
    /// The key that was waiting was activated at once.
    Activated(KeyId),
    /// The key that the revoked one had replaced seals again, so its `retire` was removed.
    Reinstated(KeyId),
}

impl KeyTables {
    /// Revokes a key that leaked: removes its secret and leaves a tombstone, so that its tokens, and the
    /// sessions that passed through it, are refused. Works on retired and pruned keys too. Revoking
    /// a revoked key again changes nothing.
    ///
    /// If no key would be left to seal, one is put in its place; see [`Successor`].
    ///
    /// # Errors
    /// [`EditError::Unknown`] if the tables never held the key (see [`KeyTables::revoke_unknown`]), and
    /// [`EditError::Random`].
    pub fn revoke(
        &mut self,
        id: KeyId,
        now: UnixMillis,
        random: &dyn Random,
    ) -> Result<Successor, EditError> {
        if self.ids().all(|known| known != id) {
            return Err(EditError::Unknown(id));
        }
        let before = self.sealing(now).map(|key| key.id);
        let planned = self.planned(now);
        self.revoke_unknown(id, now);

        let successor = match self.sealing(now).map(|key| (key.id, key.retire)) {
            Some((id, Some(_))) if planned.iter().any(|(planned, _)| *planned == id) => {
                let is_replaced = self.planned(now).iter().any(|(planned, _)| *planned == id);
                if before == Some(id) && is_replaced {
                    Successor::Unchanged
                } else {
                    // Its end was planned from when it was to stop, and no longer holds; the next rotation
                    // plans another.
                    if let Some(key) = self.key_mut(id) {
                        key.retire = None;
                    }
                    Successor::Reinstated(id)
                }
            }
            Some(_) => Successor::Unchanged,
            // The tables could not be used before either: nothing is put in place of nothing.
            None if before.is_none() => Successor::Unchanged,
            None => self.replace(now, random)?,
        };
        self.put_off(&planned, now);
        Ok(successor)
    }

    /// Revokes a key that these tables have never held, say because its secret was found elsewhere.
    pub fn revoke_unknown(&mut self, id: KeyId, now: UnixMillis) {
        self.keys.retain(|key| key.id != id);
        self.pruned.retain(|pruned| pruned.id != id);
        if !self.is_revoked(&id) {
            self.revoked.push(RevokedEntry { id, at: now });
        }
    }

    /// The usable keys that another one takes over from, or has, and when.
    fn planned(&self, now: UnixMillis) -> Vec<(KeyId, UnixMillis)> {
        let usable = self.usable(now);
        usable
            .filter_map(|key| Some((key.id, self.stops_sealing(key)?)))
            .collect()
    }

    /// A key that now seals for longer than was planned, because a later one is gone, also opens for longer by
    /// as much: what it seals last would otherwise end early. Its cookies are not sealed anew by reading.
    fn put_off(&mut self, planned: &[(KeyId, UnixMillis)], now: UnixMillis) {
        for (id, planned) in planned {
            let Some(key) = self.keys.iter().find(|key| key.id == *id) else {
                continue;
            };
            // One that is to retire while it seals was set so by hand.
            let Some(retire) = key.retire.filter(|retire| retire >= planned) else {
                continue;
            };
            let end = match self.stops_sealing(key) {
                Some(stops) if stops > now => Some(retire + stops.since(*planned)),
                Some(_) => Some(retire),
                None => None,
            };
            if let Some(key) = self.key_mut(*id) {
                key.retire = end;
            }
        }
    }

    /// Puts a key in the place of the last one that sealed.
    fn replace(&mut self, now: UnixMillis, random: &dyn Random) -> Result<Successor, EditError> {
        let activate = at_once(now);
        let pending = self.pending(now).map(|key| key.id);
        match pending.and_then(|id| self.key_mut(id)) {
            Some(key) => {
                key.activate = activate;
                Ok(Successor::Activated(key.id))
            }
            None => Ok(Successor::Fresh(self.add_fresh(activate, random)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::key_files::sample::{DAY, one_key, retire, rotate, status};
    use crate::key_files::{Finding, KeyStatus, Rotation};
    use crate::random::SystemRandom;

    #[test]
    fn revoking_the_only_key_brings_a_fresh_one() {
        let (mut tables, old, now) = one_key();
        assert!(tables.is_in_use(&old, now));
        let Ok(Successor::Fresh(new)) = tables.revoke(old, now, &SystemRandom) else {
            panic!("no fresh key");
        };
        assert_eq!(status(&tables, new, now), KeyStatus::Sealing);
        assert_eq!(status(&tables, old, now), KeyStatus::Revoked);
        assert!(
            tables.keys.iter().all(|key| key.id != old),
            "the secret is gone"
        );
        assert!(tables.ring(now).is_ok());

        let again = tables.revoke(old, now + DAY, &SystemRandom);
        assert_eq!(again, Ok(Successor::Unchanged));
        assert_eq!(tables.revoked.len(), 1);
        assert_eq!(tables.revoked[0].at, now);
    }

    #[test]
    fn revoking_the_sealing_key_activates_the_waiting_one() {
        let (mut tables, old, now) = one_key();
        let new = rotate(&mut tables, now).id;
        assert!(!tables.is_in_use(&new, now));
        let successor = tables.revoke(old, now, &SystemRandom);
        assert_eq!(successor, Ok(Successor::Activated(new)));
        assert_eq!(status(&tables, new, now), KeyStatus::Sealing);
    }

    #[test]
    fn revoking_the_new_key_reinstates_the_old_one() {
        for later in [Duration::ZERO, DAY] {
            let (mut tables, old, now) = one_key();
            let new = rotate(&mut tables, now).id;
            let successor = tables.revoke(new, now + later, &SystemRandom);
            assert_eq!(successor, Ok(Successor::Reinstated(old)));
            assert_eq!(retire(&tables, old), None);
        }
    }

    #[test]
    fn a_reinstated_key_does_not_end_before_what_it_seals_meanwhile() {
        let (mut tables, first, now) = one_key();
        let second = rotate(&mut tables, now).id;
        let now = now + DAY;
        rotate(&mut tables, now);
        let successor = tables.revoke(second, now, &SystemRandom);
        assert_eq!(successor, Ok(Successor::Reinstated(first)));
    }

    #[test]
    fn a_key_that_seals_for_longer_because_the_next_one_is_revoked_opens_for_longer() {
        let (mut tables, first, now) = one_key();
        let hour = Duration::from_secs(3600);
        let mut add = |hours| {
            let rotation = Rotation {
                distribute: hour * hours,
                although_pending: true,
                ..Rotation::default()
            };
            tables.rotate(now, rotation, &SystemRandom).unwrap().id
        };
        let (second, third) = (add(1), add(6));
        let before = retire(&tables, first).unwrap();
        let successor = tables.revoke(second, now, &SystemRandom);
        assert_eq!(successor, Ok(Successor::Unchanged));
        assert_eq!(retire(&tables, first), Some(before + 5 * hour));

        // And one that was to be replaced, and no longer is, before it seals at all.
        let mut tables = tables;
        let rotation = Rotation {
            distribute: 9 * hour,
            although_pending: true,
            ..Rotation::default()
        };
        let last = tables.rotate(now, rotation, &SystemRandom).unwrap().id;
        assert!(retire(&tables, third).is_some());
        tables.revoke(last, now, &SystemRandom).unwrap();
        assert_eq!(retire(&tables, third), None);
    }

    #[test]
    fn pruned_and_unknown_keys_can_be_revoked() {
        let (mut tables, old, now) = one_key();
        rotate(&mut tables, now);
        let later = now + 40 * DAY;
        assert!(matches!(
            tables.review(later, 30 * DAY)[..],
            [Finding::Note(_)]
        ));
        assert_eq!(tables.prune(now), []);
        assert_eq!(tables.prune(later), [old]);
        assert_eq!(status(&tables, old, later), KeyStatus::Pruned);
        assert_eq!(tables.review(later, 30 * DAY), []);

        assert_eq!(
            tables.revoke(old, later, &SystemRandom),
            Ok(Successor::Unchanged)
        );
        assert_eq!(status(&tables, old, later), KeyStatus::Revoked);
        let stranger = KeyId::from_bytes([9; 16]);
        let unknown = tables.revoke(stranger, later, &SystemRandom);
        assert_eq!(unknown, Err(EditError::Unknown(stranger)));
        tables.revoke_unknown(stranger, later);
        assert_eq!(status(&tables, stranger, later), KeyStatus::Revoked);
        assert!(tables.ring(later).is_ok());
    }
}
