//! The store of one process: everything but the bytes, for whichever journal keeps them.
//!
//! 1. The journal is opened when the store is first used: all of it becomes the list. All `Sessions` on the store
//!    share that list, so what one revokes the others refuse at once.
//! 2. Joining, handing out generations, how long entries are kept, how many of anonymous sessions, and when they are
//!    forgotten is decided here ([`book`]), for all journals.
//! 3. A journal is told by one thread ([`writer`]), in frames ([`frame`]) of records ([`record`]).
//! 4. It is closed when the last of the store and its nodes is dropped, which waits for what is being written.

mod book;
mod frame;
mod keeper;
mod node;
mod open;
mod pieces;
mod record;
mod writer;

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::error::StoreError;
use crate::ids::Generation;
use crate::lock::lock;
use crate::revoke::completeness::Completeness;
use crate::revoke::node::Node;
use crate::revoke::store::{Boxed, Contents, NodeStart, StoreKind};
use crate::revoke::{Announcement, Journal, Revocation, Target};
use crate::time::{Clock, SystemClock, UnixMillis};

use self::keeper::Keeper;
use self::node::LocalNode;

/// A journal, and once it is used, all that it holds.
pub(crate) struct Local {
    name: &'static str,
    /// What the journal says of itself.
    text: String,
    place: Mutex<Place>,
}

enum Place {
    Closed(Option<Box<dyn Journal>>),
    Open(Arc<Keeper>),
}

impl Local {
    pub(crate) fn new(journal: Box<dyn Journal>) -> Self {
        Self {
            name: journal.name(),
            text: format!("{journal:?}"),
            place: Mutex::new(Place::Closed(Some(journal))),
        }
    }

    /// What the journal holds, once that is loaded.
    async fn open(
        &self,
        clock: impl FnOnce() -> Arc<dyn Clock>,
    ) -> Result<Arc<Keeper>, StoreError> {
        let keeper = self.keeper(clock)?;
        keeper.loaded().await?;
        Ok(keeper)
    }

    fn keeper(&self, clock: impl FnOnce() -> Arc<dyn Clock>) -> Result<Arc<Keeper>, StoreError> {
        let mut place = lock(&self.place);
        let journal = match &mut *place {
            Place::Open(keeper) => return Ok(Arc::clone(keeper)),
            Place::Closed(journal) => journal.take(),
        };
        // It is gone only if opening it panicked.
        let journal = journal.ok_or(StoreError::Closed)?;
        let keeper = Arc::new(Keeper::open(journal, clock()));
        *place = Place::Open(Arc::clone(&keeper));
        Ok(keeper)
    }

    async fn by_the_machines_clock(&self) -> Result<Arc<Keeper>, StoreError> {
        self.open(|| Arc::new(SystemClock::default())).await
    }
}

impl StoreKind for Local {
    fn is_shared(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self, clock: Arc<dyn Clock>) -> Boxed<'_, ()> {
        Box::pin(async move { self.open(|| clock).await.map(|_| ()) })
    }

    fn start(&self, start: NodeStart) -> Boxed<'_, Node> {
        Box::pin(async move {
            let clock = Arc::clone(&start.clock);
            let keeper = self.open(|| clock).await?;
            keeper.announce(start.announcement).await?;
            let list = Arc::clone(&keeper.book.list);
            let backend = Arc::new(LocalNode::new(self.name, keeper, start.worker));
            let completeness = Arc::new(Completeness::local());
            Ok(Node::new(list, completeness, backend, start.clock))
        })
    }

    fn contents(&self) -> Boxed<'_, Contents> {
        Box::pin(async { Ok(self.by_the_machines_clock().await?.contents()) })
    }

    fn announce(&self, announcement: Announcement) -> Boxed<'_, ()> {
        Box::pin(async move {
            let keeper = self.by_the_machines_clock().await?;
            keeper.announce(announcement).await
        })
    }

    fn publish<'a>(&'a self, revocations: &'a [Revocation]) -> Boxed<'a, ()> {
        Box::pin(async move {
            let keeper = self.by_the_machines_clock().await?;
            keeper.publish_all(revocations).await
        })
    }

    fn raise(&self, target: Target) -> Boxed<'_, Generation> {
        Box::pin(async move {
            let keeper = self.by_the_machines_clock().await?;
            Ok(keeper.raise(target).await?.generation)
        })
    }

    fn attest(&self, since: UnixMillis) -> Boxed<'_, ()> {
        Box::pin(async move {
            let keeper = self.by_the_machines_clock().await?;
            keeper.attest(since).await
        })
    }
}

/// What the journal says of itself: a file's name, where it has one.
impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
