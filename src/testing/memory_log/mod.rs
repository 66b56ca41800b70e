//! A log in this process's memory.
//!
//! 1. What a call makes of what is stored is decided by [`LogServer`], without a clock of its own: tests of a
//!    protocol drive it themselves. Around it are a lock, a clock, and waiting for what is published.
//! 2. Each handle is one node's connection. When the server is replaced, each handle's next attempt to follow
//!    fails once, as the contract asks for.

mod entries;
mod server;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

pub(crate) use self::server::{LogCall, LogServer};
use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::index::SessionIndex;
use crate::lock::lock;
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Purpose, Raise, Raised, Reading,
    Receipt, ReplicatedLog, Revocation, SnapshotEnd, Store,
};
use crate::store::MemoryIndex;
use crate::time::{Clock, UnixMillis};

/// After how long a follower is told that nothing was published.
const QUIET: Duration = Duration::from_secs(1);

/// A store that several nodes share, in this process's memory: for tests of how nodes behave together.
///
/// Each clone is the connection of another node to the same server. The server can lose everything, be replaced,
/// and lag behind a copy that takes its place.
///
/// A log that was just made settles for half a minute, as every store does that begins anew, and a node that
/// starts on it waits that long. [`settle`](Self::settle) saves a test the wait.
///
/// ```
/// use sealed_session::revoke::Store;
/// use sealed_session::testing::{ManualClock, MemoryLog};
/// use std::sync::Arc;
///
/// let log = MemoryLog::new(Arc::new(ManualClock::default()));
/// log.settle();
/// let one_nodes = Store::shared(log.clone());
/// let anothers = Store::shared(log.clone());
/// # drop((one_nodes, anothers));
/// ```
pub struct MemoryLog {
    shared: Arc<SharedServer>,
    /// How many replacements this connection has noticed.
    noticed: AtomicU64,
}

struct SharedServer {
    server: Mutex<LogServer>,
    index: Arc<MemoryIndex>,
    clock: Arc<dyn Clock>,
    /// How often another server took the place of the one before.
    replaced: AtomicU64,
    changed: Notify,
}

/// What a server held at one time. From [`MemoryLog::copy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCopy(LogServer);

impl MemoryLog {
    /// An empty log, which begins now by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let log = Self {
            shared: Arc::new(SharedServer {
                server: Mutex::new(LogServer::new(random())),
                index: Arc::default(),
                clock,
                replaced: AtomicU64::default(),
                changed: Notify::new(),
            }),
            noticed: AtomicU64::default(),
        };
        log.state();
        log
    }

    /// What the log says of itself.
    pub fn state(&self) -> LogState {
        self.call(LogServer::state)
    }

    /// Lets the log be as if it had settled long ago.
    pub fn settle(&self) {
        self.state();
        lock(&self.shared.server).settle();
    }

    /// The server loses everything, its index of sessions too, and goes on empty.
    pub fn lose_everything(&self) {
        lock(&self.shared.server).lose_everything();
        self.lose_index();
        self.shared.changed.notify_waiters();
    }

    /// The server loses its index of sessions, and no revocation.
    pub fn lose_index(&self) {
        self.shared.index.clear();
    }

    /// Another server takes the place of this one and has all that it held: it was restarted, or a copy that lacks
    /// nothing was promoted.
    pub fn replace_server(&self) {
        let copy = self.copy();
        self.promote(copy);
    }

    /// What the server holds now, as a copy has it that lags from now on.
    pub fn copy(&self) -> LogCopy {
        LogCopy(lock(&self.shared.server).clone())
    }

    /// Another server takes the place of this one and has what `copy` holds.
    pub fn promote(&self, copy: LogCopy) {
        let LogCopy(mut server) = copy;
        server.move_to(random());
        *lock(&self.shared.server) = server;
        self.shared.replaced.fetch_add(1, Ordering::AcqRel);
        self.shared.changed.notify_waiters();
    }

    /// What is stored about the session is not understood from now on, if there is anything.
    pub fn damage(&self, session: SessionId) {
        lock(&self.shared.server).damage(session);
    }

    fn call<T>(&self, work: impl FnOnce(&mut LogServer, LogCall) -> T) -> T {
        let mut server = lock(&self.shared.server);
        let call = LogCall {
            now: self.shared.clock.now(),
            fresh: random(),
        };
        let done = work(&mut server, call);
        drop(server);
        done
    }

    /// A call that changes what followers are told.
    fn change<T>(&self, work: impl FnOnce(&mut LogServer, LogCall) -> T) -> T {
        let done = self.call(work);
        self.shared.changed.notify_waiters();
        done
    }

    /// What there is to tell after `cursor`.
    fn look(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        let replaced = self.shared.replaced.load(Ordering::Acquire);
        if self.noticed.swap(replaced, Ordering::AcqRel) != replaced {
            return Err(StoreError::unavailable("another server answers"));
        }
        Ok(self.call(|server, call| server.follow(call, cursor)))
    }
}

/// Another connection to the same server.
impl Clone for MemoryLog {
    fn clone(&self) -> Self {
        let replaced = self.shared.replaced.load(Ordering::Acquire);
        Self {
            shared: self.shared.clone(),
            noticed: AtomicU64::new(replaced),
        }
    }
}

// Which kind it is. All that it holds would be a line for every revocation.
redacted!(MemoryLog);

impl From<MemoryLog> for Store {
    fn from(log: MemoryLog) -> Self {
        Self::shared(log)
    }
}

/// A number that no other call has.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

#[async_trait]
impl ReplicatedLog for MemoryLog {
    fn name(&self) -> &'static str {
        "memory-log"
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        Some(Arc::clone(&self.shared.index) as _)
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.change(|server, call| server.announce(call, announcement));
        Ok(())
    }

    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        self.change(|server, call| server.publish(call, revocations, purpose))
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        self.change(|server, call| server.raise(call, &raise))
    }

    async fn read(&self, subjects: &[SubjectKey]) -> Result<Reading, StoreError> {
        Ok(self.call(|server, call| server.read(call, subjects)))
    }

    async fn find(&self, session: SessionId, subjects: &[SubjectKey]) -> Result<Found, StoreError> {
        Ok(self.call(|server, call| server.find(call, session, subjects)))
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let (all, end) = self.call(LogServer::snapshot);
        receive(all);
        Ok(end)
    }

    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        // Registered before looking, so that what is published in between wakes it.
        let mut changed = std::pin::pin!(self.shared.changed.notified());
        changed.as_mut().enable();
        match self.look(cursor)? {
            Followed::Delta(delta) if delta.revocations.is_empty() => {}
            followed => return Ok(followed),
        }
        // Woken or not, what is there is the answer.
        let _ = tokio::time::timeout(QUIET, changed).await;
        self.look(cursor)
    }

    async fn attest(
        &self,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError> {
        Ok(self.change(|server, call| server.attest(call, incarnation, since)))
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.call(LogServer::sweep)
    }
}
