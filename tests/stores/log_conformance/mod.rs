//! A log in memory passes the conformance suite, and one that breaks a promise does not.

mod broken;
mod faults;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{ReplicatedLog, SessionId};
use sealed_session::testing::conformance::{self, LogHarness, Outcome, Report};
use sealed_session::testing::{ManualClock, MemoryLog};

use broken::Broken;
use faults::{FAULTS, Fault};

/// Logs in memory, by a clock that is moved, with a fault if there is one.
struct InMemory {
    clock: ManualClock,
    last: Mutex<Option<MemoryLog>>,
    fault: Option<Fault>,
}

impl InMemory {
    fn new(fault: Option<Fault>) -> Self {
        Self {
            clock: ManualClock::default(),
            last: Mutex::default(),
            fault,
        }
    }

    fn last(&self) -> MemoryLog {
        self.last.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl LogHarness for InMemory {
    async fn fresh(&self) -> Result<Arc<dyn ReplicatedLog>, String> {
        let log = MemoryLog::new(Arc::new(self.clock.clone()));
        *self.last.lock().unwrap() = Some(log.clone());
        Ok(match self.fault {
            Some(fault) => Arc::new(Broken::new(log, self.clock.clone(), fault)),
            None => Arc::new(log),
        })
    }

    fn advance(&self, by: Duration) -> bool {
        self.clock.advance(by);
        true
    }

    async fn replace_server(&self) -> bool {
        self.last().replace_server();
        true
    }

    async fn lose_everything(&self) -> bool {
        self.last().lose_everything();
        true
    }

    async fn damage(&self, session: SessionId) -> bool {
        self.last().damage(session);
        true
    }
}

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report
        .checks()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    failed.map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_memory_conforms() {
    let report = conformance::log(&InMemory::new(None)).await;
    println!("{report}");
    report.assert_passed();
    let mut all = report.checks();
    let is_passed = all.all(|(_, outcome)| *outcome == Outcome::Passed);
    assert!(is_passed, "nothing is skipped");
}

/// A harness that can do nothing but open logs.
struct Modest;

#[async_trait]
impl LogHarness for Modest {
    async fn fresh(&self) -> Result<Arc<dyn ReplicatedLog>, String> {
        Ok(Arc::new(MemoryLog::new(Arc::new(ManualClock::default()))))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_harness_cannot_do_is_skipped_and_says_why() {
    let report = conformance::log(&Modest).await;
    report.assert_passed();
    let printed = report.to_string();
    for reason in [
        "the log's clock cannot be moved",
        "the server cannot be replaced",
        "the server cannot lose everything",
        "entries cannot be damaged",
    ] {
        assert!(printed.contains(reason), "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_broken_promise_is_noticed() {
    let mut missed = Vec::new();
    for (fault, check) in FAULTS {
        let report = conformance::log(&InMemory::new(Some(*fault))).await;
        if !failed(&report).contains(check) {
            missed.push(format!("{fault:?} does not fail {check:?}:\n{report}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
