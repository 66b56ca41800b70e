//! Who may say that a store which lost everything is whole again.
//!
//! A store that lost its data begins anew, as a list that knows of no revocation and vouches for no
//! session from before. Nodes that still hold what it held can give it back. A node may vouch for the
//! result only if its own list was whole when it last heard of the store that was lost: otherwise
//! something that was revoked since would be forgotten.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::lifetime::SKEW;
use crate::revoke::store::SnapshotEnd;
use crate::revoke::vigil::Moment;

/// How far a node trusts its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Trust {
    /// How old a list may be and still count as whole.
    pub(crate) max_staleness: Duration,
    /// How long the store may have been away if this node is to vouch for what it lost. A node cannot
    /// tell a store that is down from a network that is: behind it others may have gone on.
    pub(crate) max_outage: Duration,
}

/// What a node knows of its own list, as far as it matters when the store begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Witness {
    /// The epoch of the store that the list is of.
    epoch: u64,
    /// Whether the list was whole when the store was last heard of.
    whole: bool,
    /// When that was.
    heard: Moment,
    /// How old the list was then.
    age: Duration,
    /// The epoch that was found in the place of the list's, if its state was not loaded yet, and when.
    found: Option<(u64, Moment)>,
    /// The last word that the store was heard to be given: since when it vouches. Nobody can vouch for a time
    /// before it.
    word: UnixMillis,
    /// Whether it had not heard of the lost store for longer than its list may be old. Others may have
    /// gone on meanwhile. Until they have had the time to say so, it is not complete.
    late: bool,
    /// Whether the list's birth is that of a store which may still be given back what it lost. Others know
    /// of an earlier one.
    provisional: bool,
}

/// Since when a list vouches after a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Birth {
    /// Since when the store does.
    Accept(UnixMillis),
    /// The store lost its data. This node keeps what it has, gives it back, and then vouches.
    Vouch(Vouch),
}

/// What a node says once the store has everything back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Vouch {
    /// In which epoch of the store. If that is lost too, the word is not worth anything.
    pub(super) epoch: u64,
    /// Since when the list remembers.
    pub(super) born: UnixMillis,
    /// Whether others are to be waited for, who may have heard more of the lost store.
    pub(super) late: bool,
}

impl Witness {
    /// A node that has taken its first snapshot.
    pub(super) fn new(epoch: u64, word: UnixMillis, heard: Moment) -> Self {
        Self {
            epoch,
            whole: true,
            heard,
            age: Duration::ZERO,
            found: None,
            word,
            late: false,
            provisional: false,
        }
    }

    /// The store was heard of, when the list was of this age.
    pub(super) fn heard(&mut self, now: Moment, staleness: Duration, trust: Trust) {
        self.heard = now;
        // While it is late nothing tells how old the list is. It is as whole as it was.
        if !self.late {
            self.whole = staleness <= trust.max_staleness;
            self.age = staleness;
        }
    }

    /// The store says that it vouches from another time on. Whether someone vouched or an operator ordered
    /// it: it is settled. Returns since when this node's list counts then.
    pub(super) fn told_of_birth(&mut self, born: UnixMillis, now: Moment) -> UnixMillis {
        self.word = self.believed(born, now);
        self.late = false;
        self.provisional = false;
        self.word
    }

    /// The last word, where the store may have forgotten it. One in the future was given by a clock that was
    /// ahead, and taken back since.
    fn believed(&self, told: UnixMillis, now: Moment) -> UnixMillis {
        match self.word > now.wall + SKEW {
            true => told,
            false => told.max(self.word),
        }
    }

    /// Whether the list may lack what others heard of a store that was lost, unless the store has settled.
    pub(super) fn is_late(&self) -> bool {
        self.late
    }

    /// Everybody had the time to give back what they held.
    pub(super) fn settled(&mut self) {
        self.late = false;
        self.provisional = false;
    }

    /// Something was missed. If the store is still the one that the list is of, then the list is not whole
    /// until the next snapshot. If it begins anew, then what it has taken since is missed too, and comes
    /// with the next snapshot, unless that is of yet another.
    pub(super) fn missed(&mut self, epoch: u64, now: Moment) {
        match self.found {
            Some((found, _)) if found == epoch => return,
            Some(_) => self.whole = false,
            None => self.whole &= epoch != self.epoch,
        }
        self.found = Some((epoch, now));
    }

    /// A snapshot of the store was taken. This node's own list remembers since `own`.
    pub(super) fn took_snapshot(
        &mut self,
        end: &SnapshotEnd,
        own: UnixMillis,
        now: Moment,
        trust: Trust,
    ) -> Birth {
        let epoch = end.position.epoch;
        let settled = end.settling.is_zero();
        let lost = epoch != self.epoch;
        let floor = self.believed(end.floor, now);
        let born = end.born.max(floor);
        // What the lost store told, it told before another was found in its place.
        let (found, at) = self.found.unwrap_or((epoch, now));
        let skipped = found != epoch;
        let is_later = at.monotonic >= self.heard.monotonic;
        let away = if is_later && !skipped { at } else { now }.since(self.heard);
        let in_time = away <= trust.max_outage;
        let knows = self.whole && !self.provisional && !skipped && in_time;
        // Someone was first, or an operator ordered it.
        let told = born <= floor;
        let own = own.max(floor);
        // In the same epoch a later birth which is not the last word is one for which somebody had vouched,
        // and which the store has forgotten.
        let vouching = own < born && (knows || !lost && in_time);
        // A store that has settled lacks nothing any more.
        let late = (lost && away.saturating_add(self.age) > trust.max_staleness)
            || (self.late && (lost || !settled));
        // Of an epoch that was known already nothing new is provisional.
        let provisional = !told && !settled && (self.provisional || lost && own < born);
        *self = Self {
            late: late && vouching,
            provisional: provisional && !vouching,
            ..Self::new(epoch, floor, now)
        };
        if vouching {
            let born = own;
            Birth::Vouch(Vouch { epoch, born, late })
        } else {
            Birth::Accept(born)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revoke::store::Position;

    const SECOND: Duration = Duration::from_secs(1);
    const TRUST: Trust = Trust {
        max_staleness: Duration::from_secs(10),
        max_outage: Duration::from_secs(300),
    };
    const OWN: UnixMillis = UnixMillis::from_secs(1);
    const REBORN: UnixMillis = UnixMillis::from_secs(1000);

    fn at(seconds: u64) -> Moment {
        Moment {
            wall: UnixMillis::from_secs(seconds),
            monotonic: Duration::from_secs(seconds),
        }
    }

    fn witness() -> Witness {
        Witness::new(1, UnixMillis::EPOCH, at(1000))
    }

    /// A snapshot of a store in `epoch` that was `born` then.
    fn end(epoch: u64, born: UnixMillis) -> SnapshotEnd {
        SnapshotEnd {
            position: Position {
                epoch,
                ..Position::default()
            },
            born,
            floor: UnixMillis::EPOCH,
            longest: Duration::ZERO,
            settling: Duration::ZERO,
        }
    }

    /// The same, to which something may still be given back.
    fn unsettled(epoch: u64, born: UnixMillis) -> SnapshotEnd {
        SnapshotEnd {
            settling: SECOND,
            ..end(epoch, born)
        }
    }

    fn vouches(mut witness: Witness, epoch: u64, now: u64) -> bool {
        let birth = witness.took_snapshot(&end(epoch, REBORN), OWN, at(now), TRUST);
        assert_eq!(witness.epoch, epoch);
        match birth {
            Birth::Vouch(vouch) => vouch.epoch == epoch && vouch.born == OWN,
            Birth::Accept(born) => {
                assert_eq!(born, REBORN);
                false
            }
        }
    }

    #[test]
    fn a_node_vouches_for_a_store_that_was_lost_while_it_was_whole() {
        assert!(vouches(witness(), 2, 1005));
        let mut late = witness();
        late.heard(at(1000), 10 * SECOND, TRUST);
        assert!(vouches(late, 2, 1005));
    }

    #[test]
    fn until_someone_has_vouched_a_node_stands_by_its_word() {
        let mut vouching = witness();
        vouching.took_snapshot(&end(2, REBORN), OWN, at(1005), TRUST);
        assert!(vouches(vouching, 2, 1010));
        let mut ordered = vouching;
        ordered.told_of_birth(REBORN, at(1000));
        assert!(!vouches(ordered, 2, 1010));
        // Someone else was first.
        let birth = vouching.took_snapshot(&end(2, OWN), OWN, at(1010), TRUST);
        assert_eq!(birth, Birth::Accept(OWN));
        // The store has forgotten that.
        assert!(vouches(vouching, 2, 1015));
    }

    #[test]
    fn what_the_store_was_ordered_and_has_forgotten_still_counts() {
        let mut ordered = witness();
        ordered.told_of_birth(REBORN, at(1000));
        for epoch in [1, 2] {
            let birth = ordered.took_snapshot(&end(epoch, OWN), REBORN, at(1005), TRUST);
            assert_eq!(birth, Birth::Accept(REBORN));
        }
        // Not what a clock that was ahead has said.
        let ahead = REBORN + 120 * SECOND;
        ordered.told_of_birth(ahead, at(1000));
        let birth = ordered.took_snapshot(&end(2, REBORN), ahead, at(1005), TRUST);
        assert_eq!(birth, Birth::Accept(REBORN));
    }

    #[test]
    fn how_long_the_loading_took_makes_no_node_late() {
        let mut found = witness();
        found.missed(2, at(1009));
        found.missed(2, at(1400));
        let birth = found.took_snapshot(&end(2, REBORN), OWN, at(1500), TRUST);
        assert!(matches!(birth, Birth::Vouch(Vouch { late: false, .. })));
    }

    #[test]
    fn nobody_vouches_for_a_time_before_a_word_that_was_given() {
        let word = OWN + SECOND;
        let floor = |floor| SnapshotEnd {
            floor,
            ..unsettled(2, REBORN)
        };
        let mut vouching = witness();
        let birth = vouching.took_snapshot(&floor(word), OWN, at(1011), TRUST);
        assert!(matches!(birth, Birth::Vouch(Vouch { born, .. }) if born == word));
        assert!(vouching.is_late());
        let birth = vouching.took_snapshot(&floor(REBORN), OWN, at(1012), TRUST);
        assert_eq!(birth, Birth::Accept(REBORN));
        assert!(!vouching.is_late() && !vouching.provisional);
    }

    #[test]
    fn a_node_that_was_stale_does_not_vouch() {
        let mut stale = witness();
        stale.heard(at(1000), 10 * SECOND + SECOND / 1000, TRUST);
        assert!(!vouches(stale, 2, 1005));
    }

    #[test]
    fn a_node_that_missed_something_of_the_lost_store_does_not_vouch() {
        let mut missed = witness();
        missed.missed(1, at(1000));
        assert!(!vouches(missed, 2, 1005));
        // What it misses of the new one says nothing about the old one.
        let mut found = witness();
        found.missed(2, at(1000));
        assert!(vouches(found, 2, 1005));
    }

    #[test]
    fn a_node_that_never_saw_what_a_store_in_between_had_does_not_vouch() {
        let mut found = witness();
        found.missed(2, at(1000));
        assert!(!vouches(found, 3, 1005));
        found.missed(3, at(1000));
        assert!(!vouches(found, 3, 1005));
        // A snapshot in between shows all that the second one had.
        let mut seen = witness();
        seen.missed(2, at(1000));
        seen.took_snapshot(&end(2, REBORN), OWN, at(1005), TRUST);
        seen.missed(3, at(1000));
        assert!(vouches(seen, 3, 1010));
    }

    #[test]
    fn a_node_that_was_stale_when_the_store_was_lost_waits_for_those_that_were_not() {
        for (now, late) in [(1010, false), (1011, true)] {
            let mut found = witness();
            let birth = found.took_snapshot(&end(2, REBORN), OWN, at(now), TRUST);
            let vouch = Vouch {
                epoch: 2,
                born: OWN,
                late,
            };
            assert_eq!(birth, Birth::Vouch(vouch));
            assert_eq!(found.is_late(), late);
            // The same list once more: nothing is different.
            found.took_snapshot(&unsettled(2, REBORN), OWN, at(now + 1), TRUST);
            assert_eq!(found.is_late(), late);
            let mut told = found;
            told.told_of_birth(REBORN, at(1000));
            assert!(!told.is_late());
            found.settled();
            assert!(!found.is_late());
        }
    }

    #[test]
    fn a_node_that_took_a_birth_before_the_store_had_settled_does_not_vouch_for_it() {
        let mut away = witness();
        away.took_snapshot(&unsettled(2, REBORN), OWN, at(1500), TRUST);
        let later = REBORN + SECOND;
        let birth = away.took_snapshot(&unsettled(3, later), REBORN, at(1505), TRUST);
        assert_eq!(birth, Birth::Accept(later));
        // Nobody called it older in time.
        let mut settled = witness();
        settled.took_snapshot(&unsettled(2, REBORN), OWN, at(1500), TRUST);
        settled.settled();
        let birth = settled.took_snapshot(&unsettled(3, later), REBORN, at(1505), TRUST);
        assert!(matches!(birth, Birth::Vouch(_)));
    }

    #[test]
    fn a_node_that_heard_nothing_for_too_long_does_not_vouch() {
        assert!(vouches(witness(), 2, 1300));
        assert!(!vouches(witness(), 2, 1301));
    }
}
