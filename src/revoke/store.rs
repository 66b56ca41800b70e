//! A store, whichever contract it keeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::ids::Generation;
use crate::index::SessionIndex;
use crate::random::Random;
use crate::revoke::answers::{Announcement, LogState, Target};
use crate::revoke::node::Node;
use crate::revoke::policy::Trust;
use crate::revoke::revocation::Revocation;
use crate::revoke::worker::Worker;
use crate::time::{Clock, UnixMillis};

/// Where revocations are remembered: what [`SessionsBuilder::store`](crate::SessionsBuilder::store) takes.
///
/// The stores of [`store`](crate::store) turn into one, and so does any [`Journal`](crate::revoke::Journal). A
/// [`ReplicatedLog`](crate::revoke::ReplicatedLog) of your own does by [`Store::shared`]. Clones are the same
/// store. Several `Sessions` of one process may share a store on a journal: they have one list.
///
/// A journal is loaded when the store is first used, by the clock of its first user.
#[derive(Clone)]
pub struct Store {
    pub(crate) kind: Arc<dyn StoreKind>,
}

/// What can be done with a store of either contract.
#[async_trait]
pub(crate) trait StoreKind: Send + Sync + fmt::Debug {
    /// Whether other processes write to it.
    fn is_shared(&self) -> bool;

    /// What the store is called.
    fn name(&self) -> &'static str;

    /// The index of sessions that it keeps.
    fn session_index(&self) -> Option<Arc<dyn SessionIndex>>;

    /// Loads a journal now, by this clock.
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<(), StoreError>;

    /// Loads the whole state before it returns, so that nothing is ever answered from an empty list.
    async fn start(&self, start: NodeStart) -> Result<Node, StoreError>;

    async fn contents(&self) -> Result<Contents, StoreError>;
    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError>;
    async fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError>;
    async fn raise(&self, target: Target) -> Result<Generation, StoreError>;
    async fn attest(&self, since: UnixMillis) -> Result<(), StoreError>;
}

/// What a node starts with.
pub(crate) struct NodeStart {
    pub(crate) worker: Arc<Worker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) announcement: Announcement,
    pub(crate) trust: Trust,
}

/// All that a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// The revocations, each once.
    pub revocations: Vec<Revocation>,
    /// Since when the store knows of sessions.
    pub complete_since: UnixMillis,
    /// For how much longer nodes may restore what the store has lost; zero once it has settled.
    pub settling: Duration,
    /// The largest of each that was announced.
    pub announced: Announcement,
    /// How many entries were not understood.
    pub unreadable: u64,
    /// The store's time.
    pub now: UnixMillis,
}

impl Contents {
    pub(crate) fn new(revocations: Vec<Revocation>, state: &LogState) -> Self {
        Self {
            revocations,
            complete_since: state.complete_since,
            settling: state.settling,
            announced: state.announced,
            unreadable: state.unreadable,
            now: state.now,
        }
    }
}

impl Store {
    pub(crate) fn of(kind: impl StoreKind + 'static) -> Self {
        Self {
            kind: Arc::new(kind),
        }
    }

    /// What the store is called in logs and health reports: `"redb"`, `"redis"`.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The index of sessions that the store keeps beside its revocations, if it keeps one.
    pub fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        self.kind.session_index()
    }

    /// Loads the store's journal now, by `clock`, instead of when it is first used. Nothing is done where it is
    /// loaded already, or other nodes write to the store.
    ///
    /// # Errors
    /// When it cannot be loaded, or not be trusted.
    pub async fn open(&self, clock: Arc<dyn Clock>) -> Result<(), StoreError> {
        self.kind.open(clock).await
    }
}

/// # For tools
///
/// An application needs none of these. They are for looking at a store that no node uses, for moving what it
/// holds, and for ending sessions from elsewhere.
impl Store {
    /// All that the store holds.
    ///
    /// # Errors
    /// When not everything could be read.
    pub async fn contents(&self) -> Result<Contents, StoreError> {
        self.kind.contents().await
    }

    /// As [`ReplicatedLog::announce`](crate::revoke::ReplicatedLog::announce).
    ///
    /// # Errors
    /// When it may not have been remembered.
    pub async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.kind.announce(announcement).await
    }

    /// Joins `revocations` into the store's state.
    ///
    /// # Errors
    /// When they may not all have been remembered. Publishing again is safe.
    pub async fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.kind.publish(revocations).await
    }

    /// Raises a generation: the target's sessions from before have ended.
    ///
    /// # Errors
    /// When it may not have been raised.
    pub async fn raise(&self, target: Target) -> Result<Generation, StoreError> {
        self.kind.raise(target).await
    }

    /// Says that the store holds all that was revoked since `since`, as after a list was copied into it.
    ///
    /// # Errors
    /// When it may not have been remembered.
    pub async fn attest(&self, since: UnixMillis) -> Result<(), StoreError> {
        self.kind.attest(since).await
    }
}

/// What the store says of itself: of a server where it is, without a password.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}
