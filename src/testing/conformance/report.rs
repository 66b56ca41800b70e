//! The result of each check, and what checks are written with.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::error::StoreError;

/// After how long a check that has not ended counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The result of each check. Prints one line for each.
#[derive(Debug, Clone)]
pub struct Report {
    checks: Vec<(&'static str, Outcome)>,
}

/// The result of a check.
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

/// Runs checks one after the other, each with the sentence of the contract that it is about. What a check is may be
/// for a runner to say.
macro_rules! run {
    ($report:ident, $harness:ident; $($name:literal: $group:ident::$check:ident;)*) => {$(
        $report.run($name, $group::$check($harness)).await;
    )*};
    ($report:ident, $harness:ident, $runner:ident; $($name:literal: $group:ident::$check:ident;)*) => {$(
        $report.run($name, $runner($harness, $group::$check)).await;
    )*};
}
pub(super) use run;

impl Report {
    /// Of no check yet.
    pub(super) fn new() -> Self {
        Self { checks: Vec::new() }
    }

    /// Runs a check, and notes the result.
    pub(super) async fn run(&mut self, name: &'static str, check: impl Future<Output = Checked>) {
        self.checks.push((name, outcome(check).await));
    }

    /// The checks by name, in the order in which they ran.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        self.checks.iter().map(|(name, outcome)| (*name, outcome))
    }

    /// Whether no check failed. Skipped ones do not count: a store of which everything is skipped passes.
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

/// What a check ends with.
pub(super) type Checked<T = ()> = Result<T, Stop>;

/// Why a check ended early.
pub(super) struct Stop(Outcome);

impl Stop {
    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self(Outcome::Skipped(reason.into()))
    }

    pub(super) fn failed(problem: impl Into<String>) -> Self {
        Self(Outcome::Failed(problem.into()))
    }

    /// With where it was in front.
    pub(super) fn at(self, place: &str) -> Self {
        match self.0 {
            Outcome::Failed(problem) => Self::failed(format!("{place}: {problem}")),
            other => Self(other),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::failed(format!("unexpected error: {error}"))
    }
}

/// Skips the check unless its harness can do what it needs.
pub(super) fn able(can: bool, cannot: &str) -> Checked {
    if can {
        Ok(())
    } else {
        Err(Stop::skipped(cannot))
    }
}

/// Fails the check unless `holds`.
pub(super) fn require(holds: bool, problem: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Stop::failed(problem()))
    }
}

/// Fails the check unless both are equal.
pub(super) fn equal<A, B>(what: &str, got: A, want: B) -> Checked
where
    A: PartialEq<B> + fmt::Debug,
    B: fmt::Debug,
{
    require(got == want, || {
        format!("{what} is {got:?} and should be {want:?}")
    })
}

/// Fails the check unless the entries are these, in whichever order. The message has numbers, and the first entry
/// that is wrong: lists can be long.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, got: &[T], want: &[T]) -> Checked {
    let missing = want.iter().find(|each| !got.contains(each));
    let extra = got.iter().find(|each| !want.contains(each));
    let is_same = missing.is_none() && extra.is_none() && got.len() == want.len();
    require(is_same, || {
        let mut problem = format!("{what}: {} entries, not {}", got.len(), want.len());
        for (word, entry) in [("missing", missing), ("too much", extra)] {
            if let Some(entry) = entry {
                problem += &format!("; the first that is {word}: {entry:?}");
            }
        }
        problem
    })
}

async fn outcome(check: impl Future<Output = Checked>) -> Outcome {
    let caught = AssertUnwindSafe(check).catch_unwind();
    match tokio::time::timeout(PATIENCE, caught).await {
        Ok(Ok(Ok(()))) => Outcome::Passed,
        Ok(Ok(Err(Stop(outcome)))) => outcome,
        Ok(Err(_)) => Outcome::Failed("it panicked".into()),
        Err(_) => Outcome::Failed(format!("not done after {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_differ_are_told_by_numbers_and_the_first_difference() {
        assert!(same("kept", &[2, 1], &[1, 2]).is_ok());
        for (got, problem) in [
            (
                vec![],
                "kept: 0 entries, not 2; the first that is missing: 1",
            ),
            (vec![1, 2, 2], "kept: 3 entries, not 2"),
            (
                vec![3, 4],
                "kept: 2 entries, not 2; the first that is missing: 1; the first that is too much: 3",
            ),
        ] {
            let Err(Stop(outcome)) = same("kept", &got, &[1, 2]) else {
                panic!("{got:?} passes");
            };
            assert_eq!(outcome, Outcome::Failed(problem.to_owned()));
        }
    }

    async fn panics() -> Checked {
        panic!("at the top of the range")
    }

    #[tokio::test]
    async fn a_report_fails_with_a_check_that_fails_or_panics_and_with_no_other() {
        let mut report = Report::new();
        report.run("kept", async { Ok(()) }).await;
        let skipped = async { Err(Stop::skipped("no clock")) };
        report.run("left out", skipped).await;
        assert!(report.passed());
        report.run("in a panic", panics()).await;
        assert!(!report.passed());
        let printed = report.to_string();
        for line in [
            "passed   kept\n",
            "skipped  left out: no clock\n",
            "FAILED   in a panic: it panicked\n",
        ] {
            assert!(printed.contains(line), "{printed}");
        }
        let mut report = Report::new();
        let failed = async { Err(Stop::failed("it is")) };
        report.run("broken", failed).await;
        assert!(!report.passed());
    }
}
