//! A raise that takes the place of one which is outstanding.

use super::*;
use crate::revoke::{Raise, Raised, Target};

/// A logout everywhere that the store does not take, and then one of the others, whose request was under way, in its
/// place. What the node does about the answer to that.
fn covers(
    bench: &mut Bench,
    answer: impl FnOnce(&mut Bench, &Raise) -> RaiseAnswer,
) -> Vec<Effect> {
    let target = Target::Subject(ALICE);
    let ask = |bench: &mut Bench, ticket, familiar| {
        let ask = Ask::Raise { target, familiar };
        bench.happens(0, Event::Asked(ticket, ask));
        bench.nodes[0].calls.pop()
    };
    let Some(Call::Raise(everywhere, raise_for)) = ask(bench, 1, false) else {
        unreachable!("it is told at once")
    };
    let failed = Err(StoreError::Unavailable(String::new()));
    let answered = Answer::Raised(everywhere, raise_for, failed);
    bench.happens(0, Event::Answered(answered));
    let Some(Call::Raise(others, raise_for)) = ask(bench, 2, true) else {
        unreachable!("it is told at once")
    };
    let answered = Answer::Raised(others, raise_for, answer(bench, &others));
    let now = bench.moment();
    bench.nodes[0].core.on(Event::Answered(answered), now)
}

type RaiseAnswer = Result<Raised, StoreError>;

#[test]
fn a_raise_in_place_of_one_that_was_not_taken_ended_every_session_from_before() {
    let mut bench = Bench::start(1);
    let effects = covers(&mut bench, |bench, raise| {
        let call = bench.call();
        bench.server.raise(call, raise)
    });
    let [Effect::Reply(2, Ok(Reply::Raised(raised)))] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(raised.previous, raised.generation);
    assert!(!bench.nodes[0].core.list().subject(&ALICE).marked);
}

#[test]
fn a_raise_that_finds_another_server_leaves_the_one_before_it_outstanding() {
    let mut bench = Bench::start(1);
    covers(&mut bench, |_, _| Err(StoreError::Replaced));
    assert!(bench.nodes[0].core.list().subject(&ALICE).marked);
    assert_eq!(bench.nodes[0].core.status().outstanding, 1);
}
