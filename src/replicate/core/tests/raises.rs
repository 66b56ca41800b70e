//! Raises: in place of one that is outstanding, and where no replica has them.

use super::*;
use crate::ids::{RaiseId, SessionId};
use crate::random::SystemRandom;
use crate::replicate::core::event::RaiseFor;
use crate::revoke::{Raise, Raised, SubjectEntry, Target};

const TARGET: Target = Target::Subject(ALICE);
const CALLER: SessionId = SessionId::from_bytes([7; 16]);

/// Asks for a raise, and takes the call of the store.
fn ask(bench: &mut Bench, spared: Option<SessionId>) -> (Raise, RaiseFor) {
    let id = RaiseId::random(&SystemRandom).unwrap();
    bench.happens(0, Event::Asked(1, Ask::Raise(TARGET, spared, id)));
    told(bench)
}

fn told(bench: &mut Bench) -> (Raise, RaiseFor) {
    match bench.nodes[0].calls.pop() {
        Some(Call::Raise(raise, raise_for)) => (raise, raise_for),
        other => unreachable!("it is told at once: {other:?}"),
    }
}

/// The store's answer comes. What the request is told.
fn answer(
    bench: &mut Bench,
    (raise, raise_for): (Raise, RaiseFor),
    raised: Result<Raised, StoreError>,
) -> Result<Reply, StoreError> {
    let now = bench.moment();
    let answered = Event::Answered(Answer::Raised(raise, raise_for, raised));
    let effects = bench.nodes[0].core.on(answered, now);
    let reply = effects.into_iter().find_map(|it| match it {
        Effect::Reply(_, reply) => Some(reply),
        _ => None,
    });
    reply.expect("it is told")
}

fn carries_out(bench: &mut Bench, raise: &Raise) -> Raised {
    let call = bench.call();
    bench.server.raise(call, raise).unwrap()
}

fn is_marked(bench: &Bench, session: SessionId) -> bool {
    bench.nodes[0]
        .core
        .list()
        .of_session(TARGET, session)
        .marked
}

fn held(bench: &Bench) -> SubjectEntry {
    bench.nodes[0].core.list().held(TARGET)
}

/// A logout everywhere that the store does not take, and then one of the others, whose request was under way.
#[test]
fn a_raise_in_place_of_one_that_was_not_taken_spares_nobody_whom_that_ended() {
    for before in [None, Some(SessionId::from_bytes([8; 16])), Some(CALLER)] {
        let mut bench = Bench::start(1);
        let failed = Err(StoreError::Unavailable(String::new()));
        let asked = ask(&mut bench, before);
        assert!(answer(&mut bench, asked, failed).is_err());
        assert_eq!(is_marked(&bench, CALLER), before != Some(CALLER));
        let asked = ask(&mut bench, Some(CALLER));
        assert_eq!(is_marked(&bench, CALLER), before != Some(CALLER));
        let raised = carries_out(&mut bench, &asked.0);
        answer(&mut bench, asked, Ok(raised)).unwrap();
        let lives = held(&bench).least(CALLER) < held(&bench).generation;
        assert_eq!(lives, before == Some(CALLER));
        assert!(!is_marked(&bench, CALLER));
        assert!(!is_marked(&bench, SessionId::from_bytes([9; 16])));
    }
}

#[test]
fn a_raise_that_no_replica_has_counts_here_and_is_told_again() {
    let mut bench = Bench::start(1);
    let asked = ask(&mut bench, None);
    let error = StoreError::NotReplicated {
        wanted: 1,
        acknowledged: 0,
    };
    let raised = Raised {
        unreplicated: Some(error.clone()),
        ..carries_out(&mut bench, &asked.0)
    };
    let entry = raised.entry;
    assert_eq!(answer(&mut bench, asked, Ok(raised)), Err(error));
    assert!(
        !is_marked(&bench, CALLER),
        "nobody is kept out who logs in now"
    );
    assert_eq!(held(&bench), entry);
    let now = bench.moment();
    let effects = bench.nodes[0].core.on(Event::Closing, now);
    let told = effects.into_iter().find_map(|it| match it {
        Effect::Call(Call::Publish(told, _)) => Some(told),
        _ => None,
    });
    assert_eq!(told, Some(vec![TARGET.at(entry)]));
}

/// The store hears of it twice, under one name.
#[test]
fn a_login_that_tells_a_raise_before_its_own_attempt_leaves_no_mark() {
    let mut bench = Bench::start(1);
    let own = ask(&mut bench, None);
    assert!(is_marked(&bench, CALLER));
    bench.happens(0, Event::Asked(2, Ask::Read(vec![ALICE])));
    let of_login = told(&mut bench);
    assert_eq!(of_login.0, own.0);
    for (raise, raise_for) in [of_login, own] {
        let raised = carries_out(&mut bench, &raise);
        let answer = Answer::Raised(raise, raise_for, Ok(raised));
        bench.happens(0, Event::Answered(answer));
        assert!(!is_marked(&bench, CALLER));
        assert_eq!(bench.nodes[0].core.status(bench.moment()).outstanding, 0);
    }
}
