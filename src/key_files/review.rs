//! What an operator should know about key tables that can be used.
//!
//! 1. The tables are a plan: from `activate` and `retire` it follows which key seals when.
//! 2. A response that wrote nothing seals nothing, so a cookie keeps its key until the session is written to.
//!    A key has to open until the last session that it can have sealed has ended: the longest lifetime after
//!    it sealed for the last time.
//! 3. A session that is written to passes through every key that seals in its life, and remembers them
//!    ([`PASSED_KEYS`] and the last one): there can be too many.
//! 4. What was pruned or revoked is left out. The sessions of a pruned key have ended, if its `retire` was
//!    planned; those of a revoked one are refused.

use std::time::Duration;

use super::plan::Reign;
use crate::ids::KeyId;
use crate::keys::tables::{KeyEntry, KeyTables};
use crate::record::KeyTrail;
use crate::time::{SKEW, UnixMillis};

/// Through how many keys a session can pass before the one that seals it last. The record has room for no
/// more.
const PASSED_KEYS: usize = KeyTrail::CAPACITY;

/// What [`KeyTables::review`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Something that will fail, or already does.
    Problem(String),
    /// Something that ends sessions before their time, or will.
    Warning(String),
    /// Something that could be tidied.
    Note(String),
}

impl KeyTables {
    /// What an operator should know about these tables, beyond what makes them unusable.
    ///
    /// `lifetime` is the longest that any session lives. It decides about the warnings: a `retire` that comes
    /// before the last session of its key has ended, and more keys in the life of one session than it can
    /// pass through (16, and the one that seals it last).
    pub fn review(&self, now: UnixMillis, lifetime: Duration) -> Vec<Finding> {
        let reigns = self.reigns();
        let usable = self.usable(now);
        let mut findings: Vec<Finding> = usable
            .filter_map(|key| self.review_end(key, &reigns, now, lifetime))
            .collect();
        findings.extend(review_crowd(&reigns, now, lifetime));
        let unused = self.keys.iter();
        let unused = unused.filter(|key| self.is_revoked(&key.id) || key.is_retired(now));
        findings.extend(unused.map(|key| {
            Finding::Note(format!(
                "the secret of key {} is still in the file though it is no longer used; prune",
                key.id
            ))
        }));
        findings
    }

    /// What is to be said of the end of a key that is in use.
    fn review_end(
        &self,
        key: &KeyEntry,
        reigns: &[Reign],
        now: UnixMillis,
        lifetime: Duration,
    ) -> Option<Finding> {
        let id = key.id;
        let Some(retire) = key.retire else {
            let is_replaced = self.stops_sealing(key).is_some_and(|stops| stops <= now);
            let note = format!("key {id} was replaced by a newer one and never retires");
            return is_replaced.then_some(Finding::Note(note));
        };
        if self.sealing(retire).is_none() {
            return Some(Finding::Problem(format!(
                "key {id} retires at {retire} and no key seals after it; rotate"
            )));
        }
        // A key that never seals ends nobody's session.
        let stops = reigns.iter().filter(|reign| reign.id == id);
        let needed = stops.map(|reign| reign.until).max()? + lifetime;
        (retire < needed).then(|| {
            Finding::Warning(format!(
                "key {id} retires at {retire}, but a session that it sealed can live until {needed} (the \
                 longest lifetime is {}), and is then logged out before its time; set `retire` to that \
                 or later",
                humantime::format_duration(lifetime)
            ))
        })
    }
}

/// Whether a session that may still live meets more keys than it can pass through. Of all sessions that a
/// key can have sealed the last one meets the most that follow.
fn review_crowd(reigns: &[Reign], now: UnixMillis, lifetime: Duration) -> Option<Finding> {
    reigns.iter().enumerate().find_map(|(index, first)| {
        // A node whose clock is behind seals a little longer.
        let end = first.until + lifetime + SKEW;
        if end <= now {
            return None;
        }
        let mut met: Vec<KeyId> = Vec::new();
        let life = reigns.iter().skip(index);
        for reign in life.take_while(|reign| reign.from < end) {
            if !met.contains(&reign.id) {
                met.push(reign.id);
            }
            if met.len() > PASSED_KEYS + 1 {
                return Some(Finding::Warning(format!(
                    "more keys seal in the life of one session ({}) than the {} that it can pass \
                     through: from {} on, one that began at {} or before can no longer be written to; \
                     rotate less often, or shorten the lifetime",
                    humantime::format_duration(lifetime),
                    PASSED_KEYS + 1,
                    reign.from,
                    first.until,
                )));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_files::Rotation;
    use crate::random::SystemRandom;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

    fn start() -> UnixMillis {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    /// Keys with these times, in days after the start.
    fn tables(times: &[(u32, Option<u32>)]) -> KeyTables {
        let mut tables = KeyTables::default();
        for (activate, retire) in times {
            tables
                .add_fresh(start() + DAY * *activate, &SystemRandom)
                .unwrap();
            let key = tables.keys.last_mut().unwrap();
            key.retire = retire.map(|retire| start() + DAY * retire);
        }
        tables
    }

    fn warnings(tables: &KeyTables, now: UnixMillis) -> Vec<String> {
        let findings = tables.review(now, LIFETIME).into_iter();
        let warnings = findings.filter_map(|finding| match finding {
            Finding::Warning(warning) => Some(warning),
            _ => None,
        });
        warnings.collect()
    }

    /// Rotated so often, once every so many days, and how that is reviewed each time.
    fn rotated(times: u32, every: u32) -> Vec<Vec<String>> {
        let mut tables = KeyTables::fresh(start(), &SystemRandom).unwrap();
        let rotations = (1..=times).map(|rotation| {
            let now = start() + DAY * (rotation * every);
            tables
                .rotate(now, Rotation::default(), &SystemRandom)
                .unwrap();
            tables.prune(now);
            warnings(&tables, now)
        });
        rotations.collect()
    }

    #[test]
    fn the_plan_says_which_key_seals_when() {
        let tables = tables(&[(0, Some(9)), (3, Some(5)), (3, None), (20, None)]);
        let ids: Vec<_> = tables.keys.iter().map(|key| key.id).collect();
        let at = |days| start() + DAY * days;
        // Of two that activate together the first seals; the other does once that has retired.
        let plan = [
            (ids[0], at(0), at(3)),
            (ids[1], at(3), at(5)),
            (ids[2], at(5), at(20)),
            (ids[3], at(20), UnixMillis::MAX),
        ];
        let plan = plan.map(|(id, from, until)| Reign { id, from, until });
        assert_eq!(tables.reigns(), plan);
    }

    #[test]
    fn time_in_which_no_key_seals_belongs_to_none() {
        let tables = tables(&[(0, Some(2)), (4, None)]);
        let at = |days| start() + DAY * days;
        let reigns = tables.reigns();
        assert_eq!((reigns[0].from, reigns[0].until), (at(0), at(2)));
        assert_eq!((reigns[1].from, reigns[1].until), (at(4), UnixMillis::MAX));
    }

    #[test]
    fn the_seventeenth_rotation_within_a_life_warns_and_no_earlier_one() {
        let warned = rotated(17, 1);
        assert!(warned[..16].iter().all(Vec::is_empty), "{warned:?}");
        let [warning] = &warned[16][..] else {
            panic!("{warned:?}");
        };
        // The first key sealed until the second took over, the eighteenth begins an hour after the rotation.
        let meets = start() + 17 * DAY + HOUR;
        assert!(warning.contains(&format!("from {meets} on")), "{warning}");
        let began = start() + DAY + HOUR;
        assert!(
            warning.contains(&format!("began at {began} or before")),
            "{warning}"
        );
        assert!(warning.contains("30days"), "{warning}");
    }

    #[test]
    fn rotations_further_apart_never_warn() {
        // A life of thirty days touches 16 keys of two days, or 17 with what clocks may differ.
        assert!(rotated(60, 2).iter().all(Vec::is_empty));
        assert!(rotated(60, 7).iter().all(Vec::is_empty));
    }

    #[test]
    fn a_crowd_is_forgotten_when_its_last_session_has_ended() {
        let mut times: Vec<_> = (0..18).map(|day| (day, Some(day + 40))).collect();
        times.push((17, None));
        let mut tables = tables(&times);
        tables.keys.last_mut().unwrap().activate = start() + 18 * DAY;
        // The last session that still meets 18 keys began when the second key took over from the first,
        // or the third from the second.
        let last = start() + 2 * DAY + LIFETIME + SKEW;
        assert_eq!(warnings(&tables, start() + 20 * DAY).len(), 1);
        assert_eq!(warnings(&tables, last.minus(HOUR)).len(), 1);
        assert_eq!(warnings(&tables, last), [] as [String; 0]);
    }

    #[test]
    fn a_key_that_retires_before_its_last_session_has_ended_warns() {
        let now = start() + 5 * DAY;
        // It stops sealing on the third day.
        for (retire, expected) in [(6, 1), (32, 1), (33, 0), (50, 0)] {
            let tables = tables(&[(0, Some(retire)), (3, None)]);
            let warnings = warnings(&tables, now);
            assert_eq!(warnings.len(), expected, "{retire}: {warnings:?}");
            let until = (start() + 33 * DAY).to_string();
            assert!(warnings.iter().all(|warning| warning.contains(&until)));
        }
        // One that seals up to its own end, when an older one takes over again.
        let again = tables(&[(0, None), (3, Some(10))]);
        assert_eq!(warnings(&again, now).len(), 1);
        // One that never seals, and one that is gone, end nobody's session.
        let unused = tables(&[(0, None), (0, Some(6))]);
        assert_eq!(warnings(&unused, now), [] as [String; 0]);
        let gone = tables(&[(0, Some(4)), (3, None)]);
        assert_eq!(warnings(&gone, now), [] as [String; 0]);
    }
}
