//! Every store passes the conformance suite, and a store that breaks the contract does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{
    Followed, Found, News, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SnapshotEnd,
};
use sealed_session::store::Memory;
use sealed_session::testing::ManualClock;
use sealed_session::testing::conformance::{self, Harness, Outcome};
use sealed_session::{
    revoke::{Generation, SessionId, SubjectKey},
    store::StoreError,
    time::UnixMillis,
};

#[derive(Default)]
struct InMemory {
    clock: ManualClock,
}

#[async_trait]
impl Harness for InMemory {
    async fn fresh(&self) -> Result<Arc<dyn RevocationStore>, String> {
        Ok(Arc::new(Memory::with_clock(Arc::new(self.clock.clone()))))
    }

    fn advance(&self, by: Duration) -> bool {
        self.clock.advance(by);
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let report = conformance::run(&InMemory::default()).await;
    println!("{report}");
    report.assert_passed();
    let skipped = report
        .checks()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Skipped(_)));
    assert_eq!(skipped.count(), 3, "only the restarts are skipped");
}

#[cfg(feature = "redb")]
mod redb {
    use super::*;
    use sealed_session::store::Redb;
    use std::path::PathBuf;
    use tempfile::TempDir;

    struct InFile {
        clock: ManualClock,
        folder: TempDir,
        files: Mutex<u32>,
    }

    impl InFile {
        fn path(&self) -> PathBuf {
            let name = format!("{}.redb", self.files.lock().unwrap());
            self.folder.path().join(name)
        }
    }

    #[async_trait]
    impl Harness for InFile {
        async fn fresh(&self) -> Result<Arc<dyn RevocationStore>, String> {
            *self.files.lock().unwrap() += 1;
            let options = Redb::options().clock(Arc::new(self.clock.clone()));
            match options.create(self.path()) {
                Ok(store) => Ok(Arc::new(store)),
                Err(error) => Err(error.to_string()),
            }
        }

        async fn reopen(
            &self,
            store: Arc<dyn RevocationStore>,
        ) -> Option<Result<Arc<dyn RevocationStore>, String>> {
            drop(store);
            let options = Redb::options().clock(Arc::new(self.clock.clone()));
            Some(match options.open(self.path()) {
                Ok(store) => Ok(Arc::new(store)),
                Err(error) => Err(error.to_string()),
            })
        }

        fn advance(&self, by: Duration) -> bool {
            self.clock.advance(by);
            true
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn redb_conforms() {
        let harness = InFile {
            clock: ManualClock::default(),
            folder: TempDir::new().unwrap(),
            files: Mutex::new(0),
        };
        let report = conformance::run(&harness).await;
        println!("{report}");
        report.assert_passed();
        let all = report
            .checks()
            .all(|(_, outcome)| *outcome == Outcome::Passed);
        assert!(all, "nothing is skipped");
    }
}

/// A store that looks right and is wrong: it assigns where it should join, forgets by its insertion
/// order, answers every raise alike, and panics at the top of the range.
#[derive(Debug, Default)]
struct Broken {
    inner: Memory,
    last: Mutex<HashMap<String, Revocation>>,
}

#[async_trait]
impl RevocationStore for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn reach(&self) -> Reach {
        Reach::Process
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.inner.announce(longest).await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        let mut last = self.last.lock().unwrap();
        for revocation in revocations {
            let place = match revocation {
                Revocation::Session { id, .. } => id.to_string(),
                Revocation::Visitor { id, .. } => format!("v{id}"),
                Revocation::Subject { key, .. } => format!("s{key}"),
                _ => "everyone".into(),
            };
            last.insert(place, *revocation);
        }
        Ok(vec![Published::Fresh; revocations.len()])
    }

    async fn give_back(&self, _: &[Revocation]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        Ok(Raised::new(
            raise.known,
            Generation::new(raise.known.get().checked_add(1).unwrap()),
            UnixMillis::MAX,
            UnixMillis::EPOCH,
        ))
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.inner.read(subject).await
    }

    async fn find(&self, _: SessionId, _: Option<SubjectKey>) -> Result<Found, StoreError> {
        self.inner.find(SessionId::from_bytes([0; 16]), None).await
    }

    async fn vouch(&self, _: u64, _: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        Ok(None)
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        Ok(UnixMillis::MAX)
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let all = self.last.lock().unwrap().values().copied().collect();
        receive(all);
        self.inner.snapshot(receive).await
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        Ok(Followed::News(News::new(vec![], position)))
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.last.lock().unwrap().clear();
        Ok(0)
    }
}

struct WithBroken;

#[async_trait]
impl Harness for WithBroken {
    async fn fresh(&self) -> Result<Arc<dyn RevocationStore>, String> {
        Ok(Arc::new(Broken::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_store_fails() {
    let report = conformance::run(&WithBroken).await;
    println!("{report}");
    assert!(!report.passed());
    let failed: Vec<_> = report
        .checks()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .map(|(name, _)| name)
        .collect();
    for name in [
        "publishing twice changes nothing and succeeds",
        "the order of publications does not matter",
        "of concurrent renewals exactly one is fresh",
        "a repeated raise returns the same and raises nothing",
        "at the top of its range a raise is an error",
        "following delivers what came after the snapshot",
        "following from a foreign position is a gap",
    ] {
        assert!(failed.contains(&name), "{name:?} did not fail:\n{report}");
    }
    let printed = report.to_string();
    assert!(printed.contains("FAILED") && printed.contains("skipped"));
}
