//! A store that fails when it is told to, and a generator that does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{
    Followed, Found, News, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SnapshotEnd,
};
use sealed_session::store::Memory;
use sealed_session::{
    Random, RandomError, SessionId, StoreError, SubjectKey, SystemRandom, UnixMillis,
};

/// What the store does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Works.
    Up,
    /// Fails at once.
    Down,
    /// Does not answer until the mode changes.
    Hanging,
    /// Does what it is asked and then fails: the reply is lost.
    LosesReplies,
    /// Says that a publication was taken, and does not have it: a server that died before it had told
    /// the copy that answers now. Everything else works.
    Forgets,
}

/// Which calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Publish,
    Raise,
    Read,
    /// Following and snapshots: what a node hears of others.
    Follow,
}

/// An in-memory store behind a connection that can be disturbed. Several of them may share one
/// memory: each is the connection of one node.
#[derive(Debug)]
pub struct Faulty {
    memory: Mutex<Arc<Memory>>,
    reach: Reach,
    modes: Mutex<[Mode; 4]>,
    waiting: AtomicUsize,
}

impl Faulty {
    pub fn new(memory: Arc<Memory>, reach: Reach) -> Arc<Self> {
        Arc::new(Self {
            memory: Mutex::new(memory),
            reach,
            modes: Mutex::new([Mode::Up; 4]),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Another server answers from now on: the old one has lost its data, or was replaced.
    pub fn replace(&self, memory: &Arc<Memory>) {
        *self.memory.lock().unwrap() = memory.clone();
    }

    fn memory(&self) -> Arc<Memory> {
        self.memory.lock().unwrap().clone()
    }

    /// Sets the mode of all calls.
    pub fn set(&self, mode: Mode) {
        *self.modes.lock().unwrap() = [mode; 4];
    }

    /// Sets the mode of one call.
    pub fn set_call(&self, call: Call, mode: Mode) {
        self.modes.lock().unwrap()[call as usize] = mode;
    }

    /// How many calls do not get an answer at the moment.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn mode(&self, call: Call) -> Mode {
        self.modes.lock().unwrap()[call as usize]
    }

    async fn disturb<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.mode(call) == Mode::Hanging {
            let _counted = Counted::new(&self.waiting);
            while self.mode(call) == Mode::Hanging {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let lost = || Err(StoreError::Unavailable("made to fail, 10.1.2.3".into()));
        match self.mode(call) {
            Mode::Up | Mode::Forgets => work.await,
            Mode::Down | Mode::Hanging => lost(),
            Mode::LosesReplies => work.await.and_then(|_| lost()),
        }
    }
}

/// Counts calls, also those that are given up.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl RevocationStore for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn reach(&self) -> Reach {
        self.reach
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.disturb(Call::Publish, self.memory().announce(longest))
            .await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        if self.mode(Call::Publish) == Mode::Forgets {
            return Ok(vec![Published::Fresh; revocations.len()]);
        }
        self.disturb(Call::Publish, self.memory().publish(revocations))
            .await
    }

    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.disturb(Call::Publish, self.memory().give_back(revocations))
            .await
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        self.disturb(Call::Raise, self.memory().raise(raise)).await
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.disturb(Call::Read, self.memory().read(subject)).await
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        self.disturb(Call::Read, self.memory().find(session, subject))
            .await
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.disturb(Call::Follow, self.memory().snapshot(receive))
            .await
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        // Answers soon, so that the mode is looked at often.
        let memory = self.memory();
        let soon = async {
            let news = memory.follow(position);
            let end = memory.snapshot(&mut |_| {}).await?;
            let quiet = Followed::News(News {
                revocations: Vec::new(),
                born: None,
                position,
                complete: true,
                settling: Some(end.settling),
            });
            let news = tokio::time::timeout(Duration::from_millis(10), news).await;
            news.unwrap_or(Ok(quiet))
        };
        self.disturb(Call::Follow, soon).await
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.disturb(Call::Publish, self.memory().vouch(epoch, born))
            .await
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        self.disturb(Call::Publish, self.memory().reborn()).await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.disturb(Call::Publish, self.memory().sweep()).await
    }
}

/// The operating system's generator, until it is switched off.
#[derive(Debug, Default)]
pub struct Switched {
    off: AtomicBool,
}

impl Switched {
    pub fn fail(&self, off: bool) {
        self.off.store(off, Ordering::SeqCst);
    }
}

impl Random for Switched {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        if self.off.load(Ordering::SeqCst) {
            return Err(RandomError);
        }
        SystemRandom.fill(bytes)
    }
}
