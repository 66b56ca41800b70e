//! The conformance suite for revocation stores.
//!
//! 1. One suite for every backend, ours and third parties': each check is one sentence of the
//!    contract on [`RevocationStore`].
//! 2. A check that cannot be run on a store is reported as skipped, with the reason, never as
//!    passed.
//! 3. The suite moves the store's clock instead of waiting, where the store lets it.
//!
//! ```
//! use async_trait::async_trait;
//! use sealed_session::revoke::RevocationStore;
//! use sealed_session::store::Memory;
//! use sealed_session::testing::ManualClock;
//! use sealed_session::testing::conformance::{self, Harness};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! struct InMemory(ManualClock);
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     async fn fresh(&self) -> Result<Arc<dyn RevocationStore>, String> {
//!         Ok(Arc::new(Memory::with_clock(Arc::new(self.0.clone()))))
//!     }
//!
//!     fn advance(&self, by: Duration) -> bool {
//!         self.0.advance(by);
//!         true
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let report = conformance::run(&InMemory(ManualClock::default())).await;
//! println!("{report}");
//! report.assert_passed();
//! # }
//! ```

mod generations;
mod lifetimes;
mod news;
mod restarts;
mod stored;
mod tools;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::revoke::RevocationStore;

/// After how long a check that has not ended counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the suite gets at a store.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty store, which shares nothing with those from before.
    ///
    /// # Errors
    /// When there is none; the check that asked for it then fails with this message.
    async fn fresh(&self) -> Result<Arc<dyn RevocationStore>, String>;

    /// Closes `store`, the last one that [`fresh`](Self::fresh) or this returned, and opens it again
    /// as a restarted server would. `None`, the default, says that it does not survive that.
    ///
    /// # Errors
    /// When it cannot be opened again; the check then fails with this message.
    async fn reopen(
        &self,
        store: Arc<dyn RevocationStore>,
    ) -> Option<Result<Arc<dyn RevocationStore>, String>> {
        drop(store);
        None
    }

    /// Moves the clock of all stores forward. False, the default, says that it cannot be moved.
    fn advance(&self, by: Duration) -> bool {
        let _ = by;
        false
    }
}

/// Runs every check. The runtime needs its timer, and several threads to find races.
pub async fn run(harness: &dyn Harness) -> Report {
    let mut report = Report { checks: Vec::new() };
    macro_rules! run {
        ($($name:literal: $group:ident::$check:ident;)*) => {$(
            report.checks.push(($name, outcome($group::$check(harness)).await));
        )*};
    }
    run! {
        "a new store is empty and born when it was made": stored::a_new_store_is_empty;
        "what was published is in the snapshot": stored::published_is_in_the_snapshot;
        "publishing twice changes nothing and succeeds": stored::publishing_is_idempotent;
        "a login over a session is told to whoever publishes after it": stored::a_succession_is_told;
        "the order of publications does not matter": stored::publishing_is_commutative;
        "joining takes the stricter of two entries": stored::joining_takes_the_stricter;
        "publishing tells whether the serial was still free": stored::publishing_tells_fresh;
        "of concurrent renewals exactly one is fresh": stored::one_renewal_wins;
        "a raise follows the stored and the known value and the clock": generations::a_raise_follows_all;
        "generations of different targets are apart": generations::targets_are_apart;
        "concurrent raises return different, growing values": generations::raises_are_unique;
        "a repeated raise returns the same and raises nothing": generations::a_repeat_raises_nothing;
        "a raise tells the generation before it, also when it is repeated": generations::a_raise_tells_the_one_before;
        "a repeat of one of the last raises is recognised, too": generations::an_overtaken_raise_is_recognised;
        "at the top of its range a raise is an error": generations::the_top_is_an_error;
        "a published generation is one that raises follow": generations::published_generations_count;
        "what was announced only grows": lifetimes::announcements_only_grow;
        "a raise is remembered for the longest life announced": lifetimes::raises_last_long_enough;
        "a later announcement also covers earlier raises": lifetimes::announcements_cover_the_past;
        "following delivers what came after the snapshot": news::following_delivers;
        "following delivers raises": news::following_delivers_raises;
        "a waiting follower is woken or answered": news::a_follower_is_answered;
        "following from a foreign position is a gap": news::a_foreign_position_is_a_gap;
        "nothing is missed between snapshot and following": news::nothing_is_missed;
        "a sweep drops entries after their time": lifetimes::a_sweep_drops;
        "a sweep drops nothing before its time": lifetimes::a_sweep_keeps;
        "a later `until` is what counts": lifetimes::the_later_until_counts;
        "everyone's generation never expires": lifetimes::everyone_stays;
        "ten thousand entries in one publication": stored::a_large_batch;
        "visitors are bounded, the oldest make room": stored::visitors_are_bounded;
        "what concerns one session is found": stored::one_session_is_found;
        "a vouch makes the list older, in its epoch only, and is told": restarts::a_vouch_makes_older;
        "a list that is reborn is younger, keeps its entries, and that is told": restarts::reborn_makes_younger;
        "what is given back is stored, and the list is not whole for a while": restarts::giving_back_settles;
        "what was acknowledged survives a restart": restarts::a_restart_forgets_nothing;
        "a position from before a restart misses nothing": restarts::positions_survive_or_gap;
        "a store made later is born later": restarts::a_later_store_is_younger;
        "a list that is still empty can be used after a clock that was wrong": restarts::an_empty_list_begins_anew;
    }
    report
}

/// What came of each check. Prints one line for each.
#[derive(Debug, Clone)]
pub struct Report {
    checks: Vec<(&'static str, Outcome)>,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store keeps this part of the contract, as far as the suite can tell.
    Passed,
    /// Not run, for this reason.
    Skipped(String),
    /// The store breaks the contract, as described.
    Failed(String),
}

impl Report {
    /// The checks by name, in the order in which they ran.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        self.checks.iter().map(|(name, outcome)| (*name, outcome))
    }

    /// Whether no check failed. Skipped ones do not count.
    pub fn passed(&self) -> bool {
        !self
            .checks()
            .any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Ends the test if a check failed.
    ///
    /// # Panics
    /// If a check failed, with the report as its message.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the store breaks its contract:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in self.checks() {
            match outcome {
                Outcome::Passed => writeln!(f, "passed   {name}")?,
                Outcome::Skipped(reason) => writeln!(f, "skipped  {name}: {reason}")?,
                Outcome::Failed(problem) => writeln!(f, "FAILED   {name}: {problem}")?,
            }
        }
        Ok(())
    }
}

async fn outcome(check: impl Future<Output = Result<(), Stop>>) -> Outcome {
    match tokio::time::timeout(PATIENCE, caught(check)).await {
        Ok(Some(Ok(()))) => Outcome::Passed,
        Ok(Some(Err(Stop(outcome)))) => outcome,
        Ok(None) => Outcome::Failed("it panicked".into()),
        Err(_) => Outcome::Failed(format!("not done after {} s", PATIENCE.as_secs())),
    }
}

/// What `check` ends with; `None` if it panics.
async fn caught<T>(check: impl Future<Output = T>) -> Option<T> {
    let mut check = std::pin::pin!(check);
    std::future::poll_fn(|context| {
        let poll = AssertUnwindSafe(|| check.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// Why a check ended early.
struct Stop(Outcome);

impl Stop {
    fn skipped(reason: &str) -> Self {
        Self(Outcome::Skipped(reason.into()))
    }

    fn failed(problem: impl Into<String>) -> Self {
        Self(Outcome::Failed(problem.into()))
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::failed(format!("unexpected error: {error}"))
    }
}

/// Fails the check unless `holds`.
fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds {
        Ok(())
    } else {
        Err(Stop::failed(problem()))
    }
}
