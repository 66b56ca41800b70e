//! A store that is lost, and what a node may say of it that was away, was stale or skipped one, or whose calls take
//! long or fail.

use super::*;
use crate::error::StoreError;
use crate::revoke::Followed;

impl Bench {
    /// A node that has heard of everything a moment ago, and since when it is complete.
    fn one() -> (Self, UnixMillis) {
        let mut bench = Self::start(1);
        bench.passes(0);
        let since = bench.nodes[0].core.list().complete_since();
        (bench, since)
    }

    /// The next store is there so many seconds from now.
    fn is_lost_for(&mut self, seconds: u64) {
        self.seconds += seconds - 1;
        self.lose();
    }

    /// Less time than a store needs to settle, and enough for all that a node does.
    fn has_time(&mut self) {
        for _ in 0..8 {
            self.passes(0);
        }
        assert!(!self.settling().is_zero());
    }

    fn store_since(&mut self) -> UnixMillis {
        let call = self.call();
        self.server.state(call).complete_since
    }
}

/// `max_staleness` is 10 seconds, `max_outage` 60.
#[test]
fn a_node_goes_on_if_it_was_away_for_max_staleness_and_attests_if_it_was_for_max_outage() {
    for (away, goes_on, attests) in [
        (10, true, true),
        (11, false, true),
        (60, false, true),
        (61, false, false),
    ] {
        let (mut bench, since) = Bench::one();
        bench.is_lost_for(away);
        bench.answer(0);
        // It has met the next store, and not seen yet what that holds.
        assert_eq!(
            bench.nodes[0].core.completeness().waits,
            !goes_on,
            "{away} s"
        );
        bench.has_time();
        assert_eq!(bench.judges(0), goes_on, "{away} s");
        assert_eq!(bench.store_since() == since, attests, "{away} s");
    }
}

/// It was in touch to the end, and had not heard for so long what others published.
#[test]
fn a_node_whose_list_was_stale_when_the_store_was_last_heard_of_attests_nothing() {
    for (stale, attests) in [(10, true), (11, false)] {
        let (mut bench, since) = Bench::one();
        bench.seconds += stale;
        let reading = bench.server.read(bench.call(), &[ALICE]);
        let answer = Answer::Read(1, vec![ALICE], Ok(reading));
        bench.happens(0, Event::Answered(answer));
        bench.is_lost_for(1);
        bench.has_time();
        assert_eq!(bench.store_since() == since, attests, "{stale} s");
    }
}

/// It may lack what others have not restored yet.
#[test]
fn a_node_that_still_waits_when_the_store_is_lost_again_attests_nothing() {
    for (away, attests) in [(10, true), (11, false)] {
        let (mut bench, since) = Bench::one();
        bench.is_lost_for(away);
        // It meets the next one at once.
        bench.answer(0);
        bench.passes(0);
        assert_eq!(bench.store_since(), since);
        bench.is_lost_for(1);
        bench.has_time();
        assert_eq!(bench.store_since() == since, attests, "{away} s");
    }
}

/// What it misses of the next one says nothing of the one that was lost.
#[test]
fn a_node_that_missed_something_of_the_lost_store_attests_nothing() {
    for has_missed in [false, true] {
        let (mut bench, since) = Bench::one();
        if has_missed {
            let gap = Followed::Gap(bench.server.state(bench.call()));
            bench.nodes[0].calls.clear();
            bench.happens(0, Event::Answered(Answer::Followed(Ok(gap))));
        }
        bench.is_lost_for(1);
        bench.has_time();
        assert_eq!(bench.store_since() == since, !has_missed);
        assert_eq!(bench.judges(0), !has_missed);
    }
}

/// That one may have taken something that the node lacks.
#[test]
fn a_node_that_never_saw_what_a_store_in_between_had_attests_nothing() {
    for has_seen in [false, true] {
        let (mut bench, since) = Bench::one();
        bench.is_lost_for(1);
        // The gap, and then everything.
        bench.answer(0);
        if has_seen {
            bench.answer(0);
        }
        bench.is_lost_for(1);
        bench.has_time();
        assert_eq!(bench.store_since() == since, has_seen);
    }
}

/// Others may know of an earlier one.
#[test]
fn a_node_attests_the_time_of_a_store_that_had_settled_and_of_no_other() {
    for (was_away, has_settled) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut bench, own) = Bench::one();
        if was_away {
            bench.is_lost_for(61);
        } else {
            // It never sees what the next store has.
            bench.is_lost_for(1);
            bench.answer(0);
            bench.is_lost_for(1);
        }
        bench.passes(0);
        let taken = bench.nodes[0].core.list().complete_since();
        assert!(taken > own);
        if has_settled {
            bench.seconds += SETTLING.as_secs();
            bench.passes(0);
        }
        bench.is_lost_for(1);
        bench.has_time();
        let since = bench.store_since();
        assert_eq!(since == taken, has_settled);
        assert_eq!(bench.nodes[0].core.list().complete_since(), since);
        assert_eq!(bench.judges(0), has_settled || !was_away);
    }
}

fn unavailable() -> StoreError {
    StoreError::unavailable("it is away")
}

/// What counts is when the node met the store, and not how long it then took to load it.
#[test]
fn a_node_that_loads_for_long_is_neither_stale_nor_too_late_to_attest() {
    // Longer than a list may be old, and longer than a store may be away.
    for seconds in [2 * TRUST.max_staleness.as_secs(), 2 * MAX_OUTAGE.as_secs()] {
        let mut bench = Bench::start(1);
        bench.all_hold(1);
        let complete_since = bench.nodes[0].core.list().complete_since();
        bench.lose();
        bench.answer(0);
        assert_eq!(bench.nodes[0].calls, [Call::Load(Load::Follow)]);
        bench.seconds += seconds / 2;
        bench.nodes[0].calls.clear();
        let failed = Answer::Loaded(Load::Follow, Err(unavailable()));
        bench.happens(0, Event::Answered(failed));
        assert_eq!(bench.nodes[0].calls, [Call::Load(Load::Follow)]);
        bench.seconds += seconds / 2;
        bench.answer(0);
        bench.passes(0);
        assert!(bench.judges(0), "{seconds} s");
        assert!(bench.nodes[0].attested, "{seconds} s");
        assert_eq!(bench.nodes[0].core.list().complete_since(), complete_since);
    }
}

#[test]
fn an_attestation_that_fails_is_made_again() {
    let mut bench = Bench::start(1);
    bench.all_hold(1);
    bench.lose();
    let is_attestation = |it: &Call| matches!(it, Call::Attest(..));
    while !bench.nodes[0].calls.iter().any(is_attestation) {
        bench.answer(0);
    }
    bench.nodes[0].calls.retain(|it| !is_attestation(it));
    let failed = Answer::Attested(Err(unavailable()));
    bench.happens(0, Event::Answered(failed));
    assert!(!bench.nodes[0].attested);
    for _ in 0..5 {
        bench.passes(0);
    }
    assert!(bench.nodes[0].attested);
}
