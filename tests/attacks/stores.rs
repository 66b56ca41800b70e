//! Stores that are slow or poisoned, clocks that are wrong, keys that are too many.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::*;
use sealed_session::store::Memory;
use sealed_session::testing::ManualClock;
use sealed_session::{Clock, SessionId, StoreError, SubjectKey, UnixMillis};

use crate::common::faulty::Faulty;
use crate::common::{Browser, DAY, SECOND, builder, eventually, memory};
use crate::{Site, common, routes, target};

#[actix_web::test]
async fn a_clock_that_the_store_refuses_makes_the_list_forget_nothing() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let stolen = victim.copy();
    victim.post("/logout").await.is(204);
    stolen.copy().get("/me").await.is(401);
    let right = t.clock.now();
    t.clock.set(right + 401 * DAY);
    let swept = t.sessions.sweep().await;
    assert!(
        matches!(swept, Err(StoreError::Clock(_))),
        "the store forgot nothing: {swept:?}"
    );
    t.clock.set(right);
    t.sessions.sweep().await.unwrap();
    stolen.get("/me").await.is(401);
}

/// A store that never takes one session (a damaged value in its file, say).
#[derive(Debug)]
struct Poisoned {
    memory: Arc<Memory>,
    down: std::sync::atomic::AtomicBool,
    poison: std::sync::Mutex<Option<SessionId>>,
    taken: std::sync::Mutex<Vec<SessionId>>,
}

#[async_trait]
impl RevocationStore for Poisoned {
    fn name(&self) -> &'static str {
        "poisoned"
    }
    fn reach(&self) -> Reach {
        Reach::Process
    }
    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.memory.announce(longest).await
    }
    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        let ids: Vec<_> = revocations
            .iter()
            .filter_map(|r| match r {
                Revocation::Session { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        let poisoned = self
            .poison
            .lock()
            .unwrap()
            .is_some_and(|p| ids.contains(&p));
        if poisoned || self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::Unavailable("poison".into()));
        }
        let published = self.memory.publish(revocations).await?;
        self.taken.lock().unwrap().extend(ids);
        Ok(published)
    }
    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.memory.give_back(revocations).await
    }
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        self.memory.raise(raise).await
    }
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.memory.read(subject).await
    }
    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.memory.snapshot(receive).await
    }
    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        self.memory.follow(position).await
    }
    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        self.memory.find(session, subject).await
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.memory.vouch(epoch, born).await
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        self.memory.reborn().await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.memory.sweep().await
    }
}

#[actix_web::test]
async fn one_logout_that_is_never_taken_holds_up_no_others() {
    use std::sync::atomic::Ordering;
    let clock = ManualClock::default();
    let store = Arc::new(Poisoned {
        memory: memory(&clock),
        down: true.into(),
        poison: std::sync::Mutex::new(Some(SessionId::from_bytes([1; 16]))),
        taken: std::sync::Mutex::default(),
    });
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let other = SessionId::from_bytes([2; 16]);
    sessions
        .end_session(SessionId::from_bytes([1; 16]))
        .await
        .unwrap_err();
    sessions.end_session(other).await.unwrap_err();
    store.down.store(false, Ordering::SeqCst);
    eventually(|| async { store.taken.lock().unwrap().contains(&other) }).await;
}

/// A store whose raises wait where the test says.
#[derive(Debug)]
struct SlowRaise {
    memory: Arc<Memory>,
    down: std::sync::atomic::AtomicBool,
    slow: std::sync::Mutex<Option<SubjectKey>>,
    slow_calls: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl RevocationStore for SlowRaise {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn reach(&self) -> Reach {
        Reach::Process
    }
    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.memory.announce(longest).await
    }
    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        self.memory.publish(revocations).await
    }
    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.memory.give_back(revocations).await
    }
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.down.load(SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        let slow = *self.slow.lock().unwrap();
        if let (Some(slow), Target::Subject(key)) = (slow, raise.target)
            && key == slow
        {
            self.slow_calls.fetch_add(1, SeqCst);
            tokio::time::sleep(SECOND).await;
            return Err(StoreError::Unavailable("slow".into()));
        }
        self.memory.raise(raise).await
    }
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.memory.read(subject).await
    }
    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.memory.snapshot(receive).await
    }
    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        self.memory.follow(position).await
    }
    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        self.memory.find(session, subject).await
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.memory.vouch(epoch, born).await
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        self.memory.reborn().await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.memory.sweep().await
    }
}

#[actix_web::test]
async fn a_retry_of_what_was_replaced_ends_no_later_login() {
    use std::sync::atomic::Ordering::SeqCst;
    let mut killed = 0;
    // The order of the outbox is random: several rounds.
    for _ in 0..4 {
        let clock = ManualClock::default();
        let store = Arc::new(SlowRaise {
            memory: memory(&clock),
            down: true.into(),
            slow: std::sync::Mutex::default(),
            slow_calls: 0.into(),
        });
        let sessions = builder(&clock, store.clone()).start().await.unwrap();
        let (url, _) = common::serve(&sessions, routes);
        // Outstanding: mallory's, whose raise is slow, and alice's.
        sessions.end_subject("mallory").await.unwrap_err();
        sessions.end_subject("alice").await.unwrap_err();
        *store.slow.lock().unwrap() = Some(SubjectKey::new("test", "mallory"));
        store.down.store(false, SeqCst);
        eventually(|| async { store.slow_calls.load(SeqCst) >= 1 }).await;
        // The retry loop waits for mallory's raise, and may hold alice's old one in its copy.
        clock.advance(SECOND);
        sessions.end_subject("alice").await.unwrap();
        clock.advance(SECOND);
        let alice = Browser::new(&url);
        alice.post("/login/alice").await.is(200);
        clock.advance(SECOND);
        *store.slow.lock().unwrap() = None;
        sessions.close(30 * SECOND).await;
        killed += usize::from(alice.get("/me").await.status != 200);
    }
    assert_eq!(killed, 0, "of 4 logins");
}

/// A node whose sessions have passed through as many keys as a record can name.
async fn worn() -> (Site, Browser, tempfile::TempDir) {
    use sealed_session::key::Rotation;
    use sealed_session::{Clock, KeySource, KeyTables, SystemRandom};
    let clock = ManualClock::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    KeyTables::fresh(clock.now(), &SystemRandom)
        .unwrap()
        .create(&file)
        .unwrap();
    let store = Faulty::new(memory(&clock), Reach::Process);
    let sessions = builder(&clock, store.clone())
        .key_source(KeySource::File(file.clone()))
        .start()
        .await
        .unwrap();
    let (url, _) = common::serve(&sessions, routes);
    let t = Site {
        sessions,
        clock,
        store,
        url,
    };
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    for _ in 0..17 {
        t.clock.advance(2 * SECOND);
        let rotation = Rotation {
            distribute: Duration::ZERO,
            although_pending: true,
            ..Rotation::default()
        };
        KeyTables::edit_file(&file, |tables| {
            tables.rotate(t.clock.now(), rotation, &SystemRandom)
        })
        .unwrap();
        t.clock.advance(2 * SECOND);
        t.sessions.reload_keys().unwrap();
        browser.get("/me").await.is(200);
    }
    (t, browser, folder)
}

#[actix_web::test]
async fn a_renewal_that_can_not_be_sealed_changes_nothing() {
    let (t, browser, _folder) = worn().await;
    browser.post("/renew").await.is(500);
    t.clock.advance(20 * SECOND);
    browser.get("/me").await.is(200); // nothing was changed by what failed
}

#[actix_web::test]
async fn a_login_over_a_session_of_too_many_keys_starts_anew() {
    let (_t, browser, _folder) = worn().await;
    browser.post("/login/alice").await.is(200);
}
