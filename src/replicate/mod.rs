//! Keeping a node complete behind a store that other nodes write to.
//!
//! What decides has no I/O and is in [`core`]. Here it is driven: calls are made on a thread of their own, so that
//! a revocation outlives the request that made it.

pub(crate) mod core;
mod driver;
#[cfg(test)]
mod model;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId};
use crate::index::SessionIndex;
use crate::random::SystemRandom;
use crate::revoke::node::Node;
use crate::revoke::store::{Contents, NodeStart, StoreKind};
use crate::revoke::{Announcement, Purpose, Raise, ReplicatedLog, Revocation, Target};
use crate::time::{Clock, SystemClock, UnixMillis};

use self::driver::Driver;

/// How many entries a tool publishes at once.
const BATCH: usize = 1000;

/// A store that other nodes write to.
pub(crate) struct Shared(pub(crate) Arc<dyn ReplicatedLog>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl StoreKind for Shared {
    fn is_shared(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        self.0.session_index()
    }

    async fn open(&self, _: Arc<dyn Clock>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn start(&self, start: NodeStart) -> Result<Node, StoreError> {
        Driver::start(self.0.clone(), start).await
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        let mut all = Vec::new();
        let end = self.0.snapshot(&mut |batch| all.extend(batch)).await?;
        // It may show an entry twice.
        let mut seen = HashSet::new();
        all.retain(|each| seen.insert(*each));
        Ok(Contents::new(all, &end.state))
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.0.announce(announcement).await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        for batch in revocations.chunks(BATCH) {
            self.0.publish(batch, Purpose::Revoke).await?;
        }
        Ok(())
    }

    async fn raise(&self, target: Target) -> Result<Generation, StoreError> {
        let state = self.0.read(&[]).await?.state;
        let until = SystemClock::default().now().max(state.now) + state.announced.longest;
        let id = RaiseId::random(&SystemRandom)?;
        let raise = Raise::new(target, id, Generation::NONE, until);
        let raised = self.0.raise(raise).await?.acknowledged()?;
        Ok(raised.generation)
    }

    async fn attest(&self, since: UnixMillis) -> Result<(), StoreError> {
        let state = self.0.read(&[]).await?.state;
        let attested = self.0.attest(state.incarnation, since).await?;
        attested.map(drop).ok_or(StoreError::Replaced)
    }
}
