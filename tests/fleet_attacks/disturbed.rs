//! A store whose following and snapshots are disturbed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{
    Followed, Found, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SnapshotEnd,
};
use sealed_session::{SessionId, StoreError, SubjectKey, UnixMillis};

#[derive(Debug)]
pub struct Disturbed {
    inner: Arc<dyn RevocationStore>,
    slow: Mutex<Duration>,
    fails: AtomicBool,
    no_news: AtomicBool,
    untold: AtomicBool,
    snapshots: AtomicUsize,
    given_back: AtomicUsize,
    followed: Mutex<Position>,
}

impl Disturbed {
    pub fn new(inner: Arc<dyn RevocationStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            slow: Mutex::default(),
            fails: false.into(),
            no_news: false.into(),
            untold: false.into(),
            snapshots: 0.into(),
            given_back: 0.into(),
            followed: Mutex::default(),
        })
    }

    /// Snapshots are handed over, and only then take so long.
    pub fn slow_snapshots(&self, slow: Duration) {
        *self.slow.lock().unwrap() = slow;
    }

    /// The next attempt to follow fails.
    pub fn fail_once(&self) {
        self.fails.store(true, SeqCst);
    }

    /// Whether following only ever finds gaps.
    pub fn no_news(&self, none: bool) {
        self.no_news.store(none, SeqCst);
    }

    /// Whether news leave out for how long the store settles, as between two beats.
    pub fn settling_untold(&self, untold: bool) {
        self.untold.store(untold, SeqCst);
    }

    /// How many were asked for.
    pub fn snapshots(&self) -> usize {
        self.snapshots.load(SeqCst)
    }

    /// Whether what `store` holds has been loaded, and news are waited for.
    pub async fn follows(&self, store: &dyn RevocationStore) -> bool {
        let end = store.snapshot(&mut |_| {}).await.unwrap();
        self.followed.lock().unwrap().epoch == end.position.epoch
    }

    /// How many entries.
    pub fn given_back(&self) -> usize {
        self.given_back.load(SeqCst)
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("made to fail".into())
}

#[async_trait]
impl RevocationStore for Disturbed {
    fn name(&self) -> &'static str {
        "disturbed"
    }

    fn reach(&self) -> Reach {
        self.inner.reach()
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.inner.announce(longest).await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        self.inner.publish(revocations).await
    }

    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.given_back.fetch_add(revocations.len(), SeqCst);
        self.inner.give_back(revocations).await
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        self.inner.raise(raise).await
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.inner.read(subject).await
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        self.inner.find(session, subject).await
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.snapshots.fetch_add(1, SeqCst);
        let end = self.inner.snapshot(receive).await;
        let slow = *self.slow.lock().unwrap();
        tokio::time::sleep(slow).await;
        end
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        *self.followed.lock().unwrap() = position;
        if self.fails.swap(false, SeqCst) {
            return Err(lost());
        }
        match self.inner.follow(position).await? {
            Followed::News(_) if self.no_news.load(SeqCst) => Err(lost()),
            Followed::News(mut news) if self.untold.load(SeqCst) => {
                news.settling = None;
                Ok(Followed::News(news))
            }
            followed => Ok(followed),
        }
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.inner.vouch(epoch, born).await
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        self.inner.reborn().await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.inner.sweep().await
    }
}
