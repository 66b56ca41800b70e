//! The store of one process: everything but the bytes, for whichever journal keeps them.

use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::id::Generation;
use crate::random::Random;
use crate::revoke::node::Node;
use crate::revoke::store::{Boxed, Contents, Start, StoreKind};
use crate::revoke::{Announcement, Journal, Revocation, Target};

#[derive(Debug)]
pub(crate) struct Local {
    journal: std::sync::Mutex<Option<Box<dyn Journal>>>,
}

impl Local {
    pub(crate) fn new(journal: Box<dyn Journal>) -> Self {
        Self {
            journal: std::sync::Mutex::new(Some(journal)),
        }
    }
}

impl StoreKind for Local {
    fn is_shared(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        todo!()
    }

    fn start(&self, _start: Start) -> Boxed<'_, Node> {
        let _ = &self.journal;
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
