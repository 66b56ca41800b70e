//! Orders of events that the model does not try: many batches, stores that settle for long, nodes of different
//! settings.

mod attacks;
mod fork;
mod losses;
mod raises;

use std::sync::Arc;

use super::event::Load;
use super::*;
use crate::ids::SubjectKey;
use crate::revoke::completeness::SharedCompleteness;
use crate::revoke::list::List;
use crate::revoke::policy::Trust;
use crate::revoke::sample::{self, id};
use crate::revoke::{Announcement, Revocation, SETTLING};
use crate::testing::{LogCall, LogServer};
use crate::time::UnixMillis;

const START: UnixMillis = UnixMillis::from_secs(1_800_000_000);
const ALICE: SubjectKey = SubjectKey::from_bytes([1; 16]);
const HOUR: Duration = Duration::from_secs(3600);
const MAX_OUTAGE: Duration = Duration::from_secs(60);
const TRUST: Trust = Trust {
    max_staleness: Duration::from_secs(10),
    max_outage: MAX_OUTAGE,
};

/// Nodes, and the store that they talk to.
struct Bench {
    nodes: Vec<Node>,
    server: LogServer,
    seconds: u64,
}

struct Node {
    core: Core,
    calls: Vec<Call>,
    attested: bool,
}

impl Bench {
    /// A store that has settled, and as many nodes that have loaded it.
    fn start(nodes: usize) -> Self {
        let mut bench = Self {
            nodes: Vec::new(),
            server: LogServer::new(1),
            seconds: 0,
        };
        bench.server.state(bench.call());
        bench.server.settle();
        for _ in 0..nodes {
            bench.join(Announcement::new(HOUR, 10, MAX_OUTAGE));
        }
        bench
    }

    /// Another node starts. Returns which.
    fn join(&mut self, announcement: Announcement) -> usize {
        let node = self.nodes.len();
        let completeness = Arc::<SharedCompleteness>::default();
        let list = Arc::new(List::small());
        let core = Core::new(list, completeness, TRUST, announcement, (node as u64) << 10);
        self.nodes.push(Node {
            core,
            calls: Vec::new(),
            attested: false,
        });
        self.happens(node, Event::Start);
        // The announcement, everything, and what follows.
        for _ in 0..3 {
            self.answer(node);
        }
        node
    }

    fn call(&self) -> LogCall {
        let now = START + Duration::from_secs(self.seconds);
        let fresh = 1 + self.seconds;
        LogCall { now, fresh }
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: self.call().now,
            monotonic: Duration::from_secs(1000 + self.seconds),
        }
    }

    fn happens(&mut self, node: usize, event: Event) {
        let now = self.moment();
        for effect in self.nodes[node].core.on(event, now) {
            match effect {
                Effect::Call(call) => self.nodes[node].calls.push(call),
                Effect::Wake(Timer::Retry | Timer::Sweep, _) | Effect::Reply(..) => (),
                Effect::Wake(timer, _) => self.happens(node, Event::Woken(timer)),
            }
        }
    }

    /// The store answers the node's next call.
    fn answer(&mut self, node: usize) {
        let call = self.nodes[node].calls.remove(0);
        self.answer_to(node, call);
    }

    /// The store answers the node's next publication, if there is one.
    fn answer_publication(&mut self, node: usize) -> bool {
        let calls = &mut self.nodes[node].calls;
        let next = calls.iter().position(|it| matches!(it, Call::Publish(..)));
        let call = next.map(|next| calls.remove(next));
        let is_one = call.is_some();
        if let Some(call) = call {
            self.answer_to(node, call);
        }
        is_one
    }

    fn answer_to(&mut self, node: usize, call: Call) {
        let (server, now) = (&mut self.server, self.seconds);
        let server_call = LogCall {
            now: START + Duration::from_secs(now),
            fresh: 1 + now,
        };
        let answer = match call {
            Call::Announce(announcement) => {
                server.announce(server_call, announcement);
                Answer::Announced(Ok(()))
            }
            Call::Load(load) => {
                let (all, end) = server.snapshot(server_call);
                self.happens(node, Event::Piece(load, all));
                Answer::Loaded(load, Ok(end))
            }
            Call::Follow(cursor) => Answer::Followed(Ok(server.follow(server_call, cursor))),
            Call::Publish(told, publish_for) => {
                let receipt = server.publish(server_call, &told, publish_for.purpose());
                Answer::Published(told, publish_for, receipt)
            }
            Call::Attest(incarnation, since) => {
                self.nodes[node].attested = true;
                Answer::Attested(Ok(server.attest(server_call, incarnation, since)))
            }
            other => unreachable!("{other:?}"),
        };
        self.happens(node, Event::Answered(answer));
    }

    /// A second goes by, in which a node has as many calls answered as it makes.
    fn passes(&mut self, node: usize) {
        self.seconds += 1;
        for _ in 0..8 {
            if !self.nodes[node].calls.is_empty() {
                self.answer(node);
            }
        }
    }

    fn lose(&mut self) {
        self.server.lose_everything();
        self.server.move_to(2 + self.seconds);
        self.seconds += 1;
    }

    /// A request on the node ends a session, and the store is told.
    fn end(&mut self, node: usize, revocation: Revocation) {
        self.nodes[node].core.list().join(&revocation);
        let ask = Ask::Publish {
            revocation,
            is_news: true,
        };
        self.happens(node, Event::Asked(1, ask));
        assert!(self.answer_publication(node));
    }

    /// The store is told of as many ends of sessions, and all nodes have heard of them.
    fn all_hold(&mut self, entries: usize) {
        let all: Vec<_> = (0..entries as u64).map(ended).collect();
        let (call, purpose) = (self.call(), crate::revoke::Purpose::Revoke);
        self.server.publish(call, &all, purpose).unwrap();
        for node in 0..self.nodes.len() {
            self.seconds += 1;
            self.answer(node);
            assert_eq!(self.nodes[node].core.list().len(), entries);
        }
    }

    fn settling(&mut self) -> Duration {
        self.server.state(self.call()).settling
    }

    /// Whether the node judges a session from before everything.
    fn judges(&self, node: usize) -> bool {
        let completeness = self.nodes[node].core.completeness();
        completeness.can_judge(START, self.moment(), TRUST.max_staleness)
    }
}

fn ended(number: u64) -> Revocation {
    sample::session(number, START + 24 * HOUR)
}

fn anonymous(number: u64, created: u64, hours: u32) -> Revocation {
    let created = START + Duration::from_secs(created);
    sample::anonymous(number, created, START + HOUR * hours)
}

#[test]
fn a_late_answer_of_a_store_that_was_left_takes_no_node_the_right_to_attest() {
    let mut bench = Bench::start(1);
    bench.seconds += 1;
    bench.answer(0);
    let call = bench.call();
    let late = bench.server.read(call, &[ALICE]);
    bench.lose();
    // The node hears of the other store, and only then what the first one answered.
    bench.answer(0);
    let answer = Answer::Read(1, vec![ALICE], Ok(late));
    bench.happens(0, Event::Answered(answer));
    bench.passes(0);
    assert!(bench.nodes[0].attested);
}

/// As of ten million entries: each batch comes within the time that a store settles, all of them do not within
/// `max_outage`.
#[test]
fn a_first_restoration_that_outlasts_max_outage_is_waited_for() {
    restoration_outlasts(4_000, 28);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn a_restoration_of_ten_million_entries_is_waited_for() {
    restoration_outlasts(10_000_000, 1);
}

/// A batch comes each `pause` seconds. The node that is late looks some twenty times: each look takes all there is.
fn restoration_outlasts(entries: usize, pause: u64) {
    let mut bench = Bench::start(1);
    bench.all_hold(entries);
    let complete_since = bench.nodes[0].core.list().complete_since();
    bench.lose();
    let began = bench.seconds;
    // The gap, everything, and what the new store needs to be told.
    for _ in 0..3 {
        bench.answer(0);
    }
    let late = bench.join(Announcement::new(HOUR, 10, MAX_OUTAGE));
    let mut batches = 0;
    loop {
        bench.seconds += pause;
        if batches % (entries / 20_000).max(1) == 0 {
            bench.passes(late);
        }
        assert!(!bench.judges(late), "{} s", bench.seconds - began);
        if !bench.answer_publication(0) {
            break;
        }
        batches += 1;
        assert!(!bench.settling().is_zero());
    }
    assert_eq!(batches, entries / 1_000);
    assert!(Duration::from_secs(bench.seconds - began) > MAX_OUTAGE);
    bench.passes(0);
    assert!(bench.nodes[0].attested);
    bench.seconds += SETTLING.as_secs();
    bench.passes(late);
    assert!(bench.judges(late));
    let list = bench.nodes[late].core.list();
    assert_eq!(list.len(), entries);
    assert_eq!(list.complete_since(), complete_since);
}

#[test]
fn what_a_node_that_dies_while_it_restores_has_not_told_another_one_does() {
    let mut bench = Bench::start(2);
    bench.all_hold(3_000);
    bench.lose();
    for _ in 0..3 {
        bench.answer(0);
    }
    assert!(bench.answer_publication(0), "and then it dies");
    let late = bench.join(Announcement::new(HOUR, 10, MAX_OUTAGE));
    assert!(!bench.judges(late));
    for _ in 0..5 {
        bench.passes(1);
    }
    assert!(bench.nodes[1].attested);
    bench.seconds += SETTLING.as_secs();
    bench.passes(late);
    assert!(bench.judges(late));
    let list = bench.nodes[late].core.list();
    assert!((0..3_000).all(|number| list.session(&id(number), false).is_some()));
}

/// The node whose sessions live longer ended some that began before those of the other.
#[test]
fn a_full_list_of_anonymous_ends_revives_nobody_where_nodes_differ_in_lifetimes() {
    let mut bench = Bench::start(0);
    let short = bench.join(Announcement::new(HOUR, 2, MAX_OUTAGE));
    let long = bench.join(Announcement::new(HOUR * 24, 4, MAX_OUTAGE));
    for (node, number, created, hours) in [
        (long, 1, 1, 24),
        (long, 2, 2, 24),
        (short, 3, 3, 1),
        (short, 4, 4, 1),
    ] {
        bench.end(node, anonymous(number, created, hours));
    }
    let ends = |bench: &mut Bench, node: usize, number: u64, created: u64| {
        bench.passes(node);
        let list = bench.nodes[node].core.list();
        let created = START + Duration::from_secs(created);
        created <= list.anonymous().since() || list.session(&id(number), true).is_some()
    };
    // What has expired makes room, although it began later.
    bench.seconds += 2 * HOUR.as_secs();
    bench.end(short, anonymous(5, 5, 24));
    bench.end(long, anonymous(6, 6, 24));
    for node in [short, long] {
        assert!(ends(&mut bench, node, 1, 1) && ends(&mut bench, node, 2, 2));
        assert_eq!(
            bench.nodes[node].core.list().anonymous().since(),
            UnixMillis::EPOCH
        );
    }
    // Where nothing has, those that began first are refused by all.
    bench.end(short, anonymous(7, 7, 24));
    bench.end(short, anonymous(8, 8, 24));
    for node in [short, long] {
        for number in [1, 2, 5, 6, 7, 8] {
            assert!(ends(&mut bench, node, number, number), "{number}");
        }
        let since = bench.nodes[node].core.list().anonymous().since();
        assert_eq!(since, START + Duration::from_secs(2));
    }
}

#[test]
fn anonymous_ends_are_restored_to_a_server_that_is_met_while_everything_is_loaded() {
    let mut bench = Bench::start(1);
    bench.end(0, anonymous(1, 1, 24));
    bench.passes(0);
    // Something was missed of the store that is known, and another one answers.
    let state = bench.server.state(bench.call());
    let gap = crate::revoke::Followed::Gap(state);
    bench.nodes[0].calls.clear();
    bench.happens(0, Event::Answered(Answer::Followed(Ok(gap))));
    assert_eq!(bench.nodes[0].calls, [Call::Load(Load::Follow)]);
    bench.lose();
    for _ in 0..4 {
        bench.passes(0);
    }
    let call = bench.call();
    let stored = bench.server.snapshot(call).0;
    assert_eq!(stored, [anonymous(1, 1, 24)]);
}
