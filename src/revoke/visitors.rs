//! Ended sessions of visitors: a table, and the order in which its keys came.
//!
//! A session that nobody logged in to costs an attacker nothing, so of these there are [`VISITOR_CAPACITY`] at
//! the most, and the oldest make room.

use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::sync::Mutex;

use crate::clock::UnixMillis;
use crate::id::SessionId;
use crate::lock::lock;
use crate::revoke::lattice::{SessionEntry, VISITOR_CAPACITY};
use crate::revoke::store::Published;
use crate::revoke::table::{IdHasher, Size, Table};

#[derive(Debug)]
pub(super) struct Visitors {
    entries: Table<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    /// Who writes locks it first, so that it and the table agree. Who reads does not need it.
    order: Mutex<VecDeque<SessionId>>,
}

impl Visitors {
    pub(super) fn new(size: Size) -> Self {
        Self {
            entries: Table::new(size),
            order: Mutex::default(),
        }
    }

    pub(super) fn join(&self, id: SessionId, entry: SessionEntry) -> Published {
        let mut order = lock(&self.order);
        if self.entries.get(&id).is_none() {
            order.push_back(id);
        }
        let published = self.entries.join(id, entry);
        if order.len() > VISITOR_CAPACITY
            && let Some(oldest) = order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        published
    }

    pub(super) fn get(&self, id: &SessionId) -> Option<SessionEntry> {
        self.entries.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn sweep(&self, now: UnixMillis) -> usize {
        let mut order = lock(&self.order);
        let forgot = self.entries.sweep(now);
        if forgot > 0 {
            order.retain(|id| self.entries.get(id).is_some());
        }
        forgot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Serial;

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    #[test]
    fn order_and_table_agree_after_a_sweep() {
        let visitors = Visitors::new(Size::SMALL);
        for until in 1..=9 {
            let entry = SessionEntry {
                serial: Serial::ENDED,
                from: UnixMillis::EPOCH,
                until: UnixMillis::new(until.into()),
            };
            visitors.join(id(until), entry);
            visitors.join(id(until), entry);
        }
        assert_eq!(visitors.sweep(UnixMillis::new(4)), 4);
        assert_eq!(visitors.len(), 5);
        let order = lock(&visitors.order);
        assert_eq!(*order, [5, 6, 7, 8, 9].map(id));
    }
}
