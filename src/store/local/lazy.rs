//! A journal as a [`Store`](crate::revoke::Store): closed at first, then open.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::node;
use super::store::LocalStore;
use crate::error::StoreError;
use crate::ids::Generation;
use crate::index::SessionIndex;
use crate::lock::lock;
use crate::revoke::node::Node;
use crate::revoke::store::{Contents, NodeStart, StoreKind};
use crate::revoke::{Announcement, Journal, Revocation, Target};
use crate::time::{Clock, SystemClock, UnixMillis};

/// A journal; once it is used, the store on it.
pub(crate) struct Local {
    name: &'static str,
    /// What the journal says of itself.
    text: String,
    index: Option<Arc<dyn SessionIndex>>,
    load: Mutex<LoadState>,
}

enum LoadState {
    Closed(Option<Box<dyn Journal>>),
    Open(Arc<LocalStore>),
}

impl Local {
    pub(crate) fn new(journal: Box<dyn Journal>) -> Self {
        Self {
            name: journal.name(),
            text: format!("{journal:?}"),
            index: journal.session_index(),
            load: Mutex::new(LoadState::Closed(Some(journal))),
        }
    }

    /// The store, once its journal is loaded. Without a `clock` it has the machine's.
    async fn store(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<LocalStore>, StoreError> {
        let store = self.begin(clock)?;
        store.loaded().await?;
        Ok(store)
    }

    /// Begins to load the journal when first called.
    fn begin(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<LocalStore>, StoreError> {
        let mut load = lock(&self.load);
        let journal = match &mut *load {
            LoadState::Open(store) => return Ok(Arc::clone(store)),
            LoadState::Closed(journal) => journal.take(),
        };
        // It is gone only if opening it panicked.
        let journal = journal.ok_or(StoreError::Closed)?;
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let store = Arc::new(LocalStore::open(journal, clock));
        *load = LoadState::Open(Arc::clone(&store));
        Ok(store)
    }
}

#[async_trait]
impl StoreKind for Local {
    fn is_shared(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        self.index.clone()
    }

    async fn open(&self, clock: Arc<dyn Clock>) -> Result<(), StoreError> {
        self.store(Some(clock)).await.map(drop)
    }

    async fn start(&self, start: NodeStart) -> Result<Node, StoreError> {
        let store = self.store(Some(Arc::clone(&start.clock))).await?;
        store.announce(start.announcement).await?;
        let list = Arc::clone(&store.state.list);
        start.worker.repeat(node::sweep(Arc::downgrade(&store)));
        Ok(Node::new(list, None, store, start.clock, start.worker))
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        Ok(self.store(None).await?.contents())
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.store(None).await?.announce(announcement).await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        let publishing = self.store(None).await?.join(revocations);
        publishing.await
    }

    async fn raise(&self, target: Target) -> Result<Generation, StoreError> {
        let raising = self.store(None).await?.raise_generation(target, None);
        raising.await
    }

    async fn attest(&self, since: UnixMillis) -> Result<(), StoreError> {
        self.store(None).await?.attest(since).await
    }
}

/// What the journal says of itself: a file's name, where it has one.
impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
