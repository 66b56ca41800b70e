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
//! gave up, overtake each other; what is loaded or followed comes late; timers fire at any time. The store loses
//! everything; a copy that lags is promoted; nodes crash, start and are cut off. Users log in, renew, log out, log
//! out everywhere and everywhere else, and visitors begin and end sessions without a login. Time goes on between any
//! two steps.
//!
//! **The properties** ([`properties`]) are what handlers were promised. **Broken** ([`broken`]) takes one
//! mechanism away at a time and wants a counterexample, in the same bounds in which the property holds with it.
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
//! **Left out**: batches (every publication fits into one), `Session::confirm`, more than one subject, groups, and
//! what happens inside a server.
//!
//! **Bounds.** Two nodes, up to three sessions, up to four ticks, of each thing that can happen as many as a run
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
    without: Without,
    /// The only property to look at, if it is not all.
    only: Option<&'static str>,
}

/// How often each thing can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Bounds {
    logins: u8,
    renewals: u8,
    logouts: u8,
    /// Logouts everywhere.
    raises: u8,
    /// Logouts everywhere else.
    others: u8,
    /// Sessions without a login, and ends of them.
    visits: u8,
    leaves: u8,
    /// Calls or answers that are lost, or calls that come after their sender gave up.
    strays: u8,
    /// What is loaded or followed, and comes late.
    late: u8,
    /// The store loses all its data.
    losses: u8,
    /// The lagging copy catches up.
    copies: u8,
    /// It is promoted.
    failovers: u8,
    crashes: u8,
    partitions: u8,
}

/// Mechanisms that are taken away, and assumptions that do not hold. None in a run that has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Without {
    /// Nodes restore what the store lacks.
    restoring: bool,
    /// Nodes restore anonymous sessions' ends.
    restoring_anonymous: bool,
    attesting: bool,
    /// A node attests nothing before the store has its list: here it does as soon as it may.
    attesting_last: bool,
    /// Only who was whole attests.
    honesty: bool,
    /// A list says since when it is complete.
    complete_since: bool,
    /// Anonymous sessions are refused whose ends were dropped.
    since: bool,
    /// Other histories of the same length are recognised.
    marks_of_publications: bool,
    /// Lists are compared after a lost connection or a new server.
    comparing: bool,
    /// Who was not whole waits until the store has settled.
    waiting: bool,
    /// While a raise is outstanding its target is marked.
    marking: bool,
    /// What the store did not take is told again.
    telling_again: bool,
    /// A repeat of a raise is recognised.
    raise_ids: bool,
    /// What is loaded is joined.
    joining: bool,
    /// A logout is above every renewal.
    logout_last: bool,
    /// A raise for others names the server that it is meant for, and who may ask for one.
    familiarity: bool,
    /// Assumption 1: one holder survives.
    holders: bool,
    /// Assumption 2: nobody was cut off alone.
    company: bool,
    /// Assumption 3: the next store's clock is not behind.
    clocks: bool,
    /// Assumption 4: nobody logs in too early.
    patience: bool,
}

impl Config {
    /// The time of a store that so many were lost before.
    fn store_time(&self, now: u8, losses: u8) -> UnixMillis {
        let behind = match self.without.clocks {
            true => self.tick / 2 * losses.into(),
            false => Duration::ZERO,
        };
        (START + self.tick * now.into()).minus(behind)
    }

    fn moment(&self, now: u8) -> Moment {
        Moment {
            wall: START + self.tick * now.into(),
            // Nothing is compared because of its age within a run.
            monotonic: Duration::from_secs(3600) + self.tick * now.into(),
        }
    }
}

fn session_id(session: usize) -> SessionId {
    SessionId::from_bytes([u8::try_from(session).unwrap() + 1; 16])
}
