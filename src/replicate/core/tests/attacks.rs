//! What an attacker would wait for.

use super::super::event::PublishFor;
use super::*;
use crate::revoke::Purpose;

/// Nodes that hold so many ends of anonymous sessions.
fn flooded(nodes: usize, ends: usize) -> Bench {
    let mut bench = Bench::start(0);
    for _ in 0..nodes {
        bench.join(Announcement::new(HOUR, 1_000_000, MAX_OUTAGE));
    }
    let all: Vec<_> = (0..ends as u64)
        .map(|n| anonymous(1_000 + n, 1, 24))
        .collect();
    let call = bench.call();
    bench.server.publish(call, &all, Purpose::Revoke).unwrap();
    for node in 0..nodes {
        bench.seconds += 1;
        bench.answer(node);
        assert_eq!(bench.nodes[node].core.list().len(), ends);
    }
    bench
}

fn loses_and_is_compared(bench: &mut Bench) {
    bench.lose();
    for _ in 0..3 {
        bench.answer(0);
    }
}

#[test]
fn a_flood_of_anonymous_ends_holds_up_no_logout_that_is_restored() {
    let mut bench = flooded(1, 20_000);
    bench.end(0, ended(7));
    loses_and_is_compared(&mut bench);
    assert!(bench.answer_publication(0));
    let held = bench.server.clone().snapshot(bench.call()).0;
    assert!(held.contains(&ended(7)));
}

#[test]
fn a_wall_clock_that_jumps_holds_up_no_repair() {
    let mut bench = flooded(1, 3_000);
    loses_and_is_compared(&mut bench);
    let is_publication = |it: &Call| matches!(it, Call::Publish(..));
    let at = bench.nodes[0].calls.iter().position(is_publication);
    let Call::Publish(told, publish_for) = bench.nodes[0].calls.remove(at.unwrap()) else {
        unreachable!()
    };
    assert_eq!(publish_for, PublishFor::Repair { is_first: true });
    let call = bench.call();
    let receipt = bench.server.publish(call, &told, publish_for.purpose());
    let mut now = bench.moment();
    now.wall = now.wall + HOUR;
    now.monotonic += Duration::from_millis(20);
    let answer = Answer::Published(told, publish_for, receipt);
    let effects = bench.nodes[0].core.on(Event::Answered(answer), now);
    let next = effects.into_iter().find_map(|it| match it {
        Effect::Wake(Timer::Repair, after) => Some(after),
        _ => None,
    });
    assert!(
        next.unwrap() < MAX_OUTAGE,
        "the next batch comes after {next:?}"
    );
}

/// An anonymous session of a node whose clock was ahead is ended on a good one. Then a copy without the last logout
/// is promoted.
#[test]
fn a_session_from_ahead_of_the_clock_holds_up_no_repair() {
    let mut bench = Bench::start(1);
    bench.seconds += 1;
    bench.passes(0);
    let from_ahead = anonymous(1, 24 * 3600, 48);
    bench.nodes[0].core.list().join(&from_ahead);
    let ask = Ask::Publish {
        revocation: from_ahead,
        is_news: true,
    };
    bench.happens(0, Event::Asked(1, ask));
    assert!(bench.answer_publication(0));
    bench.passes(0);
    let copy = bench.server.clone();
    bench.end(0, ended(7));
    bench.server = copy;
    bench.server.move_to(99);
    for _ in 0..120 {
        bench.passes(0);
    }
    let held = bench.server.clone().snapshot(bench.call()).0;
    assert!(held.contains(&ended(7)), "{held:?}");
}
