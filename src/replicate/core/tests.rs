//! Orders of events that the model does not try.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::testing::{LogCall, LogServer};
use crate::time::UnixMillis;

const START: UnixMillis = UnixMillis::from_secs(1_800_000_000);

/// A node, and the store that it talks to.
struct Bench {
    core: Core,
    server: LogServer,
    calls: Vec<Call>,
    seconds: u64,
    attested: bool,
}

impl Bench {
    /// A store that has settled, and a node that has loaded it.
    fn start() -> Self {
        let trust = Trust {
            max_staleness: Duration::from_secs(10),
            max_outage: Duration::from_secs(300),
        };
        let core = Core::new(
            Arc::new(List::small()),
            Arc::new(Completeness::shared()),
            trust,
            Announcement::new(Duration::from_secs(3600), 10, trust.max_outage),
            0,
        );
        let mut bench = Self {
            core,
            server: LogServer::new(1),
            calls: Vec::new(),
            seconds: 0,
            attested: false,
        };
        let call = bench.call();
        bench.server.state(call);
        bench.server.settle();
        bench.happens(Event::Start);
        // The announcement, everything, and what follows.
        for _ in 0..3 {
            bench.answer_next();
        }
        bench
    }

    fn call(&self) -> LogCall {
        let now = START + Duration::from_secs(self.seconds);
        let fresh = 1 + self.seconds;
        LogCall { now, fresh }
    }

    fn happens(&mut self, event: Event) {
        let monotonic = Duration::from_secs(1000 + self.seconds);
        let wall = self.call().now;
        for command in self.core.on(event, Moment { wall, monotonic }) {
            match command {
                Command::Call(call) => self.calls.push(call),
                Command::Wake { timer, .. } if timer != Timer::Retry && timer != Timer::Sweep => {
                    self.happens(Event::Woken(timer));
                }
                Command::Wake { .. } | Command::Reply(..) => (),
            }
        }
    }

    fn answer_next(&mut self) {
        let call = self.call();
        let answer = match self.calls.remove(0) {
            Call::Announce(announcement) => {
                self.server.announce(call, announcement);
                Answer::Announced(Ok(()))
            }
            Call::Load(load) => {
                let (all, end) = self.server.snapshot(call);
                self.happens(Event::Piece(load, all));
                Answer::Loaded(load, Ok(end))
            }
            Call::Follow(cursor) => Answer::Followed(Ok(self.server.follow(call, cursor, 100))),
            Call::Attest(incarnation, since) => {
                self.attested = true;
                Answer::Attested(Ok(self.server.attest(call, incarnation, since)))
            }
            other => unreachable!("{other:?}"),
        };
        self.happens(Event::Answered(answer));
    }
}

#[test]
fn a_late_answer_of_a_store_that_was_left_takes_no_node_the_right_to_attest() {
    let mut bench = Bench::start();
    bench.seconds += 1;
    bench.answer_next();
    let call = bench.call();
    let late = bench.server.read(call, &NOBODY);
    bench.server.lose_everything();
    bench.server.move_to(2);
    bench.seconds += 1;
    // The node hears of the other store, and only then what the first one answered.
    bench.answer_next();
    let read_for = ReadFor::Login(1);
    bench.happens(Event::Answered(Answer::Read(NOBODY, read_for, Ok(late))));
    for _ in 0..6 {
        bench.answer_next();
    }
    assert!(bench.attested);
}
