//! Every index of sessions passes the conformance suite, and one that breaks a promise does not.

mod broken;
mod flaws;
#[cfg(feature = "redb")]
mod in_files;
#[cfg(feature = "redis")]
mod on_redis;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealed_session::index::SessionIndex;
use sealed_session::revoke::{Journal, SessionId, SubjectKey};
use sealed_session::store::Memory;
use sealed_session::testing::conformance::{self, IndexHarness, Outcome, Report};

use broken::Broken;
use flaws::{FLAWS, Flaw};

fn all_passed(report: &Report) -> bool {
    report
        .checks()
        .all(|(_, outcome)| *outcome == Outcome::Passed)
}

struct InMemory;

#[async_trait]
impl IndexHarness for InMemory {
    async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String> {
        Ok(Memory::new().session_index().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_in_memory_conforms() {
    let report = conformance::session_index(&InMemory).await;
    println!("{report}");
    report.assert_passed();
    let printed = report.to_string();
    assert_eq!(printed.matches("skipped").count(), 1, "{printed}");
    assert!(printed.contains("rows cannot be damaged"), "{printed}");
}

/// Indexes that break a promise, if there is one to break.
struct WithFlaw {
    flaw: Option<Flaw>,
    last: Mutex<Option<Arc<Broken>>>,
}

impl WithFlaw {
    fn new(flaw: Option<Flaw>) -> Self {
        let last = Mutex::default();
        Self { flaw, last }
    }
}

#[async_trait]
impl IndexHarness for WithFlaw {
    async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String> {
        let index = Arc::new(Broken::new(self.flaw));
        *self.last.lock().unwrap() = Some(Arc::clone(&index));
        Ok(index)
    }

    async fn damage(&self, subject: SubjectKey, session: SessionId) -> bool {
        let last = self.last.lock().unwrap();
        last.as_ref().unwrap().damage(subject, session);
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_flaws_passes_every_check() {
    let report = conformance::session_index(&WithFlaw::new(None)).await;
    assert!(all_passed(&report), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_promise_of_an_index_is_found_by_the_check_of_it() {
    let mut missed = Vec::new();
    for (flaw, check) in FLAWS {
        let harness = WithFlaw::new(Some(*flaw));
        let report = conformance::session_index(&harness).await;
        let outcome = report.checks().find(|(name, _)| name == check);
        if !matches!(outcome, Some((_, Outcome::Failed(_)))) {
            missed.push(format!("{flaw:?} does not fail {check:?}:\n{report}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
