//! A shared log that fails when it is told to, and a generator that does.

mod delegate;
mod index;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sealed_session::revoke::{Cursor, ReplicatedLog, Store};
use sealed_session::{
    keys::{Random, RandomError, SystemRandom},
    revoke::{SessionId, SubjectKey},
    store::StoreError,
};

use super::eventually;

/// What the store does with calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Works.
    #[default]
    Up,
    /// Fails at once.
    Down,
    /// Does not answer until the mode changes.
    Hanging,
    /// Does what it is asked and then fails: the reply is lost.
    LosesReplies,
    /// Does what it is asked and then says that no replica has it.
    Alone,
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
    /// Changes of the index of sessions, and reading it.
    Index,
}

/// A log behind a connection that can be disturbed. Several of them may share one: each is the connection of one
/// node. Clones are the same connection.
#[derive(Debug, Clone)]
pub struct Faulty(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    inner: Mutex<Arc<dyn ReplicatedLog>>,
    /// Whether it is made to answer soon where there is nothing to tell.
    is_quick: bool,
    orders: Mutex<Orders>,
    /// Where news were waited for last.
    followed: Mutex<Cursor>,
    waiting: AtomicUsize,
    unheard: AtomicUsize,
    snapshots: AtomicUsize,
    restored: AtomicUsize,
}

impl From<Faulty> for Store {
    fn from(faulty: Faulty) -> Self {
        Self::shared(faulty)
    }
}

/// What it is told to do.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    modes: [Mode; 5],
    snapshots_held: bool,
    fail_once: bool,
    no_news: bool,
    state_untold: bool,
    never_taken: Option<SessionId>,
    held_up: Option<SubjectKey>,
}

impl Faulty {
    /// Around a log in this process. It is made to answer soon, so that orders are looked at often.
    pub fn new(log: impl ReplicatedLog) -> Self {
        Self::of(Arc::new(log), true)
    }

    /// Around a log on a server.
    pub fn around(log: impl ReplicatedLog) -> Self {
        Self::of(Arc::new(log), false)
    }

    fn of(log: Arc<dyn ReplicatedLog>, is_quick: bool) -> Self {
        Self(Arc::new(Connection {
            inner: Mutex::new(log),
            is_quick,
            orders: Mutex::default(),
            followed: Mutex::default(),
            waiting: AtomicUsize::default(),
            unheard: AtomicUsize::default(),
            snapshots: AtomicUsize::default(),
            restored: AtomicUsize::default(),
        }))
    }

    /// Another log answers from now on: the old one has lost its data.
    pub fn replace(&self, log: impl ReplicatedLog) {
        *self.0.inner.lock().unwrap() = Arc::new(log);
    }

    fn inner(&self) -> Arc<dyn ReplicatedLog> {
        self.0.inner.lock().unwrap().clone()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.0.orders.lock().unwrap()
    }

    /// Sets the mode of all calls.
    pub fn set(&self, mode: Mode) {
        self.orders().modes = [mode; 5];
    }

    /// Sets the mode of one call.
    pub fn set_call(&self, call: Call, mode: Mode) {
        self.orders().modes[call as usize] = mode;
    }

    fn mode(&self, call: Call) -> Mode {
        self.orders().modes[call as usize]
    }

    /// The node hears nothing from now on, and has taken all that it was told before.
    pub async fn deafen(&self) {
        self.set_call(Call::Follow, Mode::Down);
        let before = self.0.unheard.load(SeqCst);
        eventually(|| async { self.0.unheard.load(SeqCst) > before }).await;
    }

    /// Whether snapshots do not end, although everything was handed over.
    pub fn hold_snapshots(&self, held: bool) {
        self.orders().snapshots_held = held;
    }

    /// The next attempt to follow fails.
    pub fn fail_once(&self) {
        self.orders().fail_once = true;
    }

    /// Whether following fails where there are news. Gaps are told.
    pub fn no_news(&self, none: bool) {
        self.orders().no_news = none;
    }

    /// Whether news leave out the log's state, as between two beats.
    pub fn state_untold(&self, untold: bool) {
        self.orders().state_untold = untold;
    }

    /// No publication is taken that has this session in it, as of a damaged value in a file.
    pub fn never_takes(&self, session: SessionId) {
        self.orders().never_taken = Some(session);
    }

    /// Raises of this subject are not answered until another is named, and then fail.
    pub fn hold_up(&self, subject: Option<SubjectKey>) {
        self.orders().held_up = subject;
    }

    /// How many hold it.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// How many calls do not get an answer at the moment.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(SeqCst)
    }

    /// How many snapshots were asked for.
    pub fn snapshots(&self) -> usize {
        self.0.snapshots.load(SeqCst)
    }

    /// How many entries were restored.
    pub fn restored(&self) -> usize {
        self.0.restored.load(SeqCst)
    }

    /// Whether what `log` holds has been loaded, and news are waited for.
    pub async fn follows(&self, log: &dyn ReplicatedLog) -> bool {
        let end = log.snapshot(&mut |_| {}).await.unwrap();
        self.0.followed.lock().unwrap().epoch == end.cursor.epoch
    }

    async fn disturb<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.wait_while(|| self.mode(call) == Mode::Hanging).await;
        match self.mode(call) {
            Mode::Up | Mode::Forgets => work.await,
            Mode::Down | Mode::Hanging => Err(lost()),
            Mode::LosesReplies => work.await.and_then(|_| Err(lost())),
            Mode::Alone => work.await.and_then(|_| Err(alone())),
        }
    }

    async fn wait_while(&self, so: impl Fn() -> bool) {
        if so() {
            let _counted = Counted::new(&self.0.waiting);
            while so() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("made to fail, 10.1.2.3".into())
}

/// No replica has it.
fn alone() -> StoreError {
    StoreError::NotReplicated {
        wanted: 1,
        acknowledged: 0,
    }
}

/// Counts calls, also those that are given up.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// The operating system's generator, until it is switched off.
#[derive(Debug, Default)]
pub struct Switched {
    off: AtomicBool,
}

impl Switched {
    pub fn fail(&self, off: bool) {
        self.off.store(off, SeqCst);
    }
}

impl Random for Switched {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        if self.off.load(SeqCst) {
            return Err(RandomError);
        }
        SystemRandom.fill(bytes)
    }
}
