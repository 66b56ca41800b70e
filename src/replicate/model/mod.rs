//! A model checker that drives the code which is shipped.
//!
//! What can go wrong between nodes, a store and users is not one failure but the order of several. Here all
//! orders are tried.
//!
//! **Real** is what decides: [`Core`](super::core::Core) with its list, its completeness and its outbox, exactly as
//! the driver drives it; the validity of sessions ([`Rules`](crate::session::validity::Rules)); and the store, the
//! reference implementation of its contract ([`LogServer`](crate::testing::LogServer)), which the conformance suite
//! holds every other one against.
//!
//! **Modelled** is what lies between them ([`world`]): calls are lost, lose their answers, come after their sender
//! gave up, overtake each other; what is loaded or followed comes late. What a timer wakes a node for comes at once, as
//! its calls can take any time; the outbox tells again whenever it has something. The store loses everything; a copy
//! that lags is promoted; nodes crash, start and are cut off. Users log in, renew, log out, log out everywhere and
//! everywhere else; sessions without a login begin and end. Time goes on between any two steps, by one clock for all
//! nodes.
//!
//! **The properties** ([`properties`]) are what handlers were promised. **Broken** ([`broken`]) takes one
//! mechanism away at a time and wants a counterexample, in bounds in which the property holds with it: in every state,
//! or as many steps far.
//!
//! **Assumed** is what no node can find out by itself; `broken` shows that each is needed:
//!
//! 1. Where a copy that lags is promoted, one holder of each entry survives. What was ended is then refused
//!    everywhere in the end, not in time.
//! 2. No node was cut off alone, while others went on and then died, for less than `max_outage`. It takes
//!    itself for whole.
//! 3. Clocks are within the skew, and that of a store which begins anew is not behind the one before it.
//! 4. Who logs in at a store that has lost a generation, before it is restored, may have to log in again.
//!
//! **Left out**: batches (every publication fits into one), sweeps and expiry, clocks of nodes that differ,
//! `Session::confirm`, more than one subject, groups, and what happens inside a server. Batches, long restorations and
//! nodes of different settings are in the tests of the core.
//!
//! **Bounds.** Two nodes, up to two sessions, up to two ticks, of each thing that can happen as many as a run
//! says ([`Bounds`]). A tick is as long as a list may be old and as a store settles. Each run has to reach that all
//! of it happened: bounds too small for what a test is named for fail it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod broken;
mod calls;
mod judge;
mod properties;
mod state;
mod tests;
mod users;
mod world;

use std::time::Duration;

use crate::ids::{SessionId, SubjectKey};
use crate::revoke::Target;
use crate::revoke::completeness::Moment;
use crate::revoke::policy::Trust;
use crate::time::UnixMillis;

/// The time at tick zero.
const START: UnixMillis = UnixMillis::from_secs(1_800_000_000);
const ALICE: SubjectKey = SubjectKey::from_bytes([0xa1; 16]);
const SUBJECT: Target = Target::Subject(ALICE);

/// One run of the checker.
#[derive(Debug, Clone)]
struct Config {
    nodes: u8,
    /// The last tick.
    ticks: u8,
    tick: Duration,
    /// How long a session lives.
    life: Duration,
    trust: Trust,
    anonymous_capacity: u64,
    bounds: Bounds,
    /// Whether the first steps are taken: one node logs somebody in and out everywhere, and a copy that knows nothing
    /// of it is promoted.
    failed_over: bool,
    /// None in a run that has to hold.
    without: &'static [Without],
    /// The only property to look at, if it is not all.
    only: Option<&'static str>,
}

/// What can happen a limited number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limited {
    Logins,
    Renewals,
    Logouts,
    /// Logouts everywhere.
    Raises,
    /// Logouts everywhere else.
    Others,
    /// Sessions without a login begin.
    Visits,
    /// They end.
    Leaves,
    /// Calls or answers are lost, or calls come after their sender gave up.
    Strays,
    /// What is loaded or followed comes late.
    Late,
    /// The store loses all its data.
    Losses,
    /// The lagging copy catches up.
    Copies,
    /// It is promoted.
    Failovers,
    Crashes,
    Partitions,
}

/// How often each of them can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Bounds([u8; Limited::Partitions as usize + 1]);

/// A mechanism that is taken away, or an assumption that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    /// Nodes restore what the store lacks.
    Restoring,
    /// Nodes restore anonymous sessions' ends.
    RestoringAnonymous,
    /// Whoever is sure attests.
    Attesting,
    /// A node attests nothing before the store has its list: here it does as soon as it may.
    AttestingLast,
    /// Only who was whole attests.
    Honesty,
    /// A list says since when it is complete.
    CompleteSince,
    /// Anonymous sessions are refused whose ends were dropped.
    Since,
    /// Other histories of the same length are recognised.
    MarksOfPublications,
    /// Lists are compared after a lost connection or a new server.
    Comparing,
    /// Who was not whole waits until the store has settled.
    Waiting,
    /// While a raise is outstanding its target is marked.
    Marking,
    /// What the store did not take is told again.
    TellingAgain,
    /// A repeat of a raise is recognised.
    RaiseIds,
    /// What is loaded is joined.
    Joining,
    /// A logout is above every renewal.
    LogoutLast,
    /// Of two generations the larger counts session by session, so that one which comes late ends whoever a larger
    /// one spared.
    EachSession,
    /// Assumption 1: one holder survives.
    Holders,
    /// Assumption 2: nobody was cut off alone.
    Company,
    /// Assumption 3: the next store's clock is not behind.
    Clocks,
    /// Assumption 4: nobody logs in too early.
    Patience,
}

impl Config {
    fn nodes(self, nodes: u8) -> Self {
        Self { nodes, ..self }
    }

    fn ticks(self, ticks: u8) -> Self {
        Self { ticks, ..self }
    }

    /// How often what is named can happen.
    fn with<const N: usize>(mut self, bounds: [(Limited, u8); N]) -> Self {
        for (what, times) in bounds {
            self.bounds.0[what as usize] = times;
        }
        self
    }

    fn lacks(&self, without: Without) -> bool {
        self.without.contains(&without)
    }

    /// The time of a store that so many were lost before. A loss takes a millisecond at least.
    fn store_time(&self, now: u8, losses: u8) -> UnixMillis {
        let time = self.moment(now).wall;
        match self.lacks(Without::Clocks) {
            true => time.minus(self.tick / 2 * losses.into()),
            false => time + Duration::from_millis(losses.into()),
        }
    }

    fn moment(&self, now: u8) -> Moment {
        Moment {
            wall: START + self.tick * now.into(),
            // Nothing is compared because of its age within a run.
            monotonic: Duration::from_secs(3600) + self.tick * now.into(),
        }
    }
}

impl Bounds {
    fn left(&self, what: Limited) -> u8 {
        self.0[what as usize]
    }

    fn take(&mut self, what: Limited) {
        let left = &mut self.0[what as usize];
        *left = left.saturating_sub(1);
    }
}

fn session_id(session: usize) -> SessionId {
    SessionId::from_bytes([u8::try_from(session).unwrap() + 1; 16])
}
