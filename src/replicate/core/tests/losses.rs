//! After the store was lost: a node whose calls take long, or fail.

use super::*;
use crate::error::StoreError;

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
