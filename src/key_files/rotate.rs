//! The schedule of a rotation: nobody is logged out by it.
//!
//! 1. A new key seals only once every node had the time to learn of it.
//! 2. A key that was replaced opens for as long as the last session that it sealed can live, and a margin
//!    for nodes that learn of the change late.

use std::time::Duration;

use super::error::EditError;
use super::plan::{at_once, whole_second};
use crate::ids::KeyId;
use crate::keys::KeyTables;
use crate::random::Random;
use crate::time::{LONGEST, UnixMillis};

/// How a new key takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// How long every node has to learn of the new key before it seals. An hour by default.
    pub distribute: Duration,
    /// The longest that any session lives. 30 days by default.
    pub lifetime: Duration,
    /// Rotate although another key is still waiting to activate. No by default.
    pub although_pending: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            distribute: Duration::from_secs(3600),
            lifetime: Duration::from_secs(30 * 24 * 3600),
            although_pending: false,
        }
    }
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// The new key.
    pub id: KeyId,
    /// When it begins to seal.
    pub activate: UnixMillis,
    /// The keys whose `retire` was set or put off, and until when.
    pub retiring: Vec<(KeyId, UnixMillis)>,
}

impl KeyTables {
    /// Adds a key that will replace the sealing one, without logging anybody out.
    ///
    /// The new key activates after `distribute`; if no key seals at `now`, at once. Every key that it
    /// replaces opens until the longest `lifetime` after that, plus a margin for nodes that hear of the
    /// change late: `distribute`, and an hour at least. A `retire` that was set later than that stays.
    ///
    /// # Errors
    /// [`EditError::Pending`] if a key is waiting to activate already (unless `although_pending`),
    /// [`EditError::Duration`] if `lifetime` is zero or a duration is longer than 400 days, and
    /// [`EditError::Random`].
    pub fn rotate(
        &mut self,
        now: UnixMillis,
        rotation: Rotation,
        random: &dyn Random,
    ) -> Result<Rotated, EditError> {
        if rotation.lifetime.is_zero() {
            return Err(EditError::Duration(
                "a lifetime of zero would log everybody out",
            ));
        }
        if rotation.lifetime.max(rotation.distribute) > LONGEST {
            return Err(EditError::Duration("no session lives longer than 400 days"));
        }
        match self.pending(now) {
            Some(key) if !rotation.although_pending => {
                return Err(EditError::Pending {
                    id: key.id,
                    activate: key.activate,
                });
            }
            _ => {}
        }

        let mut activate = match self.sealing(now) {
            Some(_) => whole_second(now + rotation.distribute),
            // Until some key seals, no server can start: there is nobody to wait for.
            None => at_once(now),
        };
        // Of two keys that activate together the older one would seal.
        while self.usable(now).any(|key| key.activate == activate) {
            activate = activate + Duration::from_secs(1);
        }
        let id = self.add_fresh(activate, random)?;
        let margin = rotation.distribute.max(Duration::from_secs(3600));
        let retiring = self.plan_retirements(now, rotation.lifetime + margin);
        Ok(Rotated {
            id,
            activate,
            retiring,
        })
    }

    /// Lets every replaced key open for `after` once it has stopped sealing.
    fn plan_retirements(&mut self, now: UnixMillis, after: Duration) -> Vec<(KeyId, UnixMillis)> {
        let planned: Vec<_> = self
            .usable(now)
            .filter_map(|key| {
                let stops = self.stops_sealing(key)?;
                let end = whole_second(stops.max(now) + after + Duration::from_millis(999));
                // A key that stopped in the past has its plan since then, or has none yet.
                let is_long_enough = match key.retire {
                    Some(retire) => retire >= end || stops <= now,
                    None => false,
                };
                (!is_long_enough).then_some((key.id, end))
            })
            .collect();
        for key in &mut self.keys {
            if let Some((_, end)) = planned.iter().find(|(id, _)| *id == key.id) {
                key.retire = Some(*end);
            }
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_files::sample::{DAY, one_key, retire, rotate, status};
    use crate::key_files::{Finding, KeyStatus};
    use crate::random::SystemRandom;

    const HOUR: Duration = Duration::from_secs(3600);
    #[test]
    fn a_rotation_waits_and_plans_the_end_of_the_old_key() {
        let (mut tables, old, now) = one_key();
        let rotated = rotate(&mut tables, now);
        assert_eq!(rotated.activate, now + HOUR);
        assert_eq!(rotated.retiring, [(old, now + HOUR + 30 * DAY + HOUR)]);
        assert_eq!(status(&tables, rotated.id, now), KeyStatus::Pending);
        assert_eq!(status(&tables, rotated.id, now + HOUR), KeyStatus::Sealing);
        assert_eq!(status(&tables, old, now + HOUR), KeyStatus::Opening);
        assert_eq!(tables.review(now, 30 * DAY), []);

        let again = tables.rotate(now, Rotation::default(), &SystemRandom);
        assert!(matches!(again, Err(EditError::Pending { id, .. }) if id == rotated.id));
    }

    #[test]
    fn a_second_rotation_leaves_the_first_plan_alone() {
        let (mut tables, first, now) = one_key();
        rotate(&mut tables, now);
        let planned = retire(&tables, first);
        let second = rotate(&mut tables, now + 7 * DAY);
        assert_eq!(retire(&tables, first), planned);
        assert_eq!(second.retiring.len(), 1);
    }

    #[test]
    fn an_end_set_too_early_by_hand_is_put_off() {
        let (mut tables, old, now) = one_key();
        tables.keys[0].retire = Some(now + HOUR / 2);
        assert!(matches!(
            tables.review(now, 30 * DAY)[..],
            [Finding::Problem(_)]
        ));
        let rotated = rotate(&mut tables, now);
        assert_eq!(rotated.retiring, [(old, now + 30 * DAY + 2 * HOUR)]);
        assert_eq!(tables.review(now, 30 * DAY), []);
    }

    #[test]
    fn a_key_that_seals_again_after_a_newer_one_is_not_retired_too_early() {
        let (mut tables, old, now) = one_key();
        rotate(&mut tables, now);
        // By hand: the newer key is ended, and the older goes on.
        tables.keys[0].retire = None;
        tables.keys[1].retire = Some(now + 2 * DAY);
        let now = now + 3 * DAY;
        assert_eq!(status(&tables, old, now), KeyStatus::Sealing);
        let rotated = rotate(&mut tables, now);
        assert_eq!(rotated.retiring, [(old, now + HOUR + 30 * DAY + HOUR)]);
    }

    #[test]
    fn rotations_within_a_second_still_bring_the_new_key_up() {
        let (mut tables, _, now) = one_key();
        let at_once = Rotation {
            distribute: Duration::ZERO,
            ..Rotation::default()
        };
        for _ in 0..3 {
            let rotated = tables
                .rotate(
                    now,
                    Rotation {
                        although_pending: true,
                        ..at_once
                    },
                    &SystemRandom,
                )
                .unwrap();
            let later = now + Duration::from_secs(10);
            assert_eq!(status(&tables, rotated.id, later), KeyStatus::Sealing);
        }
    }

    #[test]
    fn absurd_durations_are_refused() {
        let (mut tables, _, now) = one_key();
        for (distribute, lifetime) in [
            (HOUR, Duration::ZERO),
            (HOUR, 401 * DAY),
            (Duration::MAX, DAY),
            (HOUR, Duration::MAX),
        ] {
            let rotation = Rotation {
                distribute,
                lifetime,
                although_pending: false,
            };
            let refused = tables.rotate(now, rotation, &SystemRandom);
            assert!(matches!(refused, Err(EditError::Duration(_))));
        }
    }
}
