//! Keeping a node complete behind a store that other nodes write to.

use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::id::Generation;
use crate::random::Random;
use crate::revoke::node::Node;
use crate::revoke::store::{Boxed, Contents, Start, StoreKind};
use crate::revoke::{Announcement, ReplicatedLog, Revocation, Target};

#[derive(Debug)]
pub(crate) struct Shared {
    log: Arc<dyn ReplicatedLog>,
}

impl Shared {
    pub(crate) fn new(log: Arc<dyn ReplicatedLog>) -> Self {
        Self { log }
    }
}

impl StoreKind for Shared {
    fn is_shared(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        todo!()
    }

    fn start(&self, _start: Start) -> Boxed<'_, Node> {
        let _ = &self.log;
        todo!()
    }

    fn contents(&self) -> Boxed<'_, Contents> {
        todo!()
    }

    fn announce(&self, _announcement: Announcement) -> Boxed<'_, ()> {
        todo!()
    }

    fn publish<'a>(&'a self, _revocations: &'a [Revocation]) -> Boxed<'a, ()> {
        todo!()
    }

    fn raise(&self, _target: Target, _random: Arc<dyn Random>) -> Boxed<'_, Generation> {
        todo!()
    }

    fn attest(&self, _since: UnixMillis) -> Boxed<'_, ()> {
        todo!()
    }
}
