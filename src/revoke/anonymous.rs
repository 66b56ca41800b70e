//! Ended sessions that nobody ever logged in to: a table, and the order in which their sessions began.
//!
//! 1. Such a session costs an attacker nothing, so of these entries a store keeps a limited number. Where one is
//!    dropped before its time its session is refused in another way: all that began at or before [`since`] are.
//!    So a flood can end anonymous sessions, and never revive one.
//! 2. Only what is at the end of what is told makes room ([`make_room`]): a store, and a node for what the store
//!    has not taken. A node's list drops what is at or below `since`, a limited number at a time.
//! 3. `since` is at most the skew ahead of the clock that it rises by.
//!
//! [`since`]: AnonymousList::since
//! [`make_room`]: AnonymousList::make_room

use std::collections::BTreeSet;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::ids::SessionId;
use crate::lock::lock;
use crate::revoke::answers::Published;
use crate::revoke::revocation::{Revocation, SessionEntry};
use crate::revoke::table::{IdHasher, Size, Table};
use crate::time::{SKEW, UnixMillis};

/// How many entries at or below `since` one call drops at the most, so that nobody waits long.
const DROPPED_AT_ONCE: usize = 256;

pub(crate) struct AnonymousList {
    entries: Table<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    /// Who writes locks it first, so that it and the table agree. Who reads does not need it.
    order: Mutex<BTreeSet<(UnixMillis, SessionId)>>,
    since: AtomicU64,
}

impl AnonymousList {
    pub(super) fn new(size: Size) -> Self {
        Self {
            entries: Table::new(size),
            order: Mutex::default(),
            since: AtomicU64::default(),
        }
    }

    /// Anonymous sessions that began then or before are refused.
    pub(crate) fn since(&self) -> UnixMillis {
        UnixMillis::new(self.since.load(Ordering::Acquire))
    }

    /// What refuses them, if anything does.
    pub(crate) fn refused(&self) -> Option<Revocation> {
        let since = self.since();
        (since > UnixMillis::EPOCH).then_some(Revocation::Anonymous { since })
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<SessionEntry> {
        self.entries.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Joins an entry in, and says whether it was news.
    pub(crate) fn join(
        &self,
        id: SessionId,
        created: UnixMillis,
        entry: SessionEntry,
    ) -> Published {
        let mut order = self.lock();
        if created <= self.since() {
            return Published::Ended;
        }
        order.insert((created, id));
        self.entries.join(id, entry)
    }

    /// Refuses anonymous sessions that began then or before, and says whether that was news.
    pub(crate) fn rise(&self, since: UnixMillis) -> Published {
        let held = self.since.fetch_max(since.as_millis(), Ordering::AcqRel);
        self.drop_refused(&mut self.lock(), DROPPED_AT_ONCE);
        Published::fresh_if(since.as_millis() > held)
    }

    /// Makes room where there are more than `capacity` entries: all that began first go. Returns what refuses their
    /// sessions instead, if anything.
    ///
    /// Those that expired go with the next sweep, which holds the clock against the sweep before it.
    pub(crate) fn make_room(&self, capacity: usize, now: UnixMillis) -> Option<Revocation> {
        if self.len() <= capacity {
            return None;
        }
        let mut order = self.lock();
        let mut since = None;
        while self.len() > capacity
            && let Some(&(first, _)) = order.first()
            && first <= now + SKEW
        {
            self.since.fetch_max(first.as_millis(), Ordering::AcqRel);
            self.drop_refused(&mut order, usize::MAX);
            since = Some(first);
        }
        since.map(|since| Revocation::Anonymous { since })
    }

    /// Shows every entry.
    pub(crate) fn for_each(&self, mut show: impl FnMut(Revocation)) {
        let order = self.lock();
        for &(created, id) in &*order {
            if let Some(entry) = self.entries.get(&id) {
                show(Revocation::AnonymousSession { id, created, entry });
            }
        }
    }

    /// Forgets what has expired or is at or below `since`, and returns how much that was.
    pub(crate) fn sweep(&self, now: UnixMillis) -> usize {
        let mut refused: usize = 0;
        loop {
            match self.drop_refused(&mut self.lock(), DROPPED_AT_ONCE) {
                0 => break,
                dropped => refused = refused.saturating_add(dropped),
            }
        }
        let mut order = self.lock();
        let expired = self.entries.sweep(|entry| entry.until < now);
        if expired > 0 {
            order.retain(|(_, id)| self.entries.get(id).is_some());
        }
        refused.saturating_add(expired)
    }

    fn drop_refused(&self, order: &mut BTreeSet<(UnixMillis, SessionId)>, most: usize) -> usize {
        let since = self.since();
        let mut dropped: usize = 0;
        while dropped < most
            && let Some(&(first, id)) = order.first()
            && first <= since
        {
            order.pop_first();
            self.entries.remove(&id);
            dropped = dropped.saturating_add(1);
        }
        dropped
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(UnixMillis, SessionId)>> {
        lock(&self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revoke::sample::id;

    const NOW: UnixMillis = UnixMillis::from_secs(1_000_000);
    const ENDED: SessionEntry = SessionEntry::ended(UnixMillis::MAX);

    /// Sessions that began at these times, none of which has expired.
    fn list(created: &[u64]) -> AnonymousList {
        let list = AnonymousList::new(Size::SMALL);
        for (number, &created) in (1..).zip(created) {
            list.join(id(number), UnixMillis::new(created), ENDED);
        }
        list
    }

    fn agree(list: &AnonymousList) -> usize {
        let order = list.lock();
        assert!(order.iter().all(|(_, id)| list.get(id).is_some()));
        assert_eq!(order.len(), list.len());
        order.len()
    }

    #[test]
    fn all_that_began_first_make_room_and_are_refused_instead() {
        let list = list(&[30, 10, 20, 10, 40]);
        assert_eq!(list.make_room(5, NOW), None);
        let since = UnixMillis::new(10);
        assert_eq!(
            list.make_room(4, NOW),
            Some(Revocation::Anonymous { since })
        );
        assert_eq!((agree(&list), list.since()), (3, since));
        // What comes later from then or before is not stored.
        let late = list.join(id(9), since, ENDED);
        assert_eq!((late, list.get(&id(9))), (Published::Ended, None));
    }

    #[test]
    fn what_has_expired_makes_room_with_a_sweep() {
        let list = list(&[10, 20]);
        let expired = SessionEntry::ended(UnixMillis::new(5));
        list.join(id(9), UnixMillis::new(30), expired);
        assert_eq!(list.sweep(NOW), 1);
        assert_eq!(list.make_room(2, NOW), None);
        assert_eq!((agree(&list), list.since()), (2, UnixMillis::EPOCH));
    }

    #[test]
    fn what_began_in_the_future_makes_no_room() {
        let ahead = (NOW + SKEW).as_millis() + 1;
        let list = list(&[ahead, ahead]);
        assert_eq!(list.make_room(1, NOW), None);
        assert_eq!(list.since(), UnixMillis::EPOCH);
    }

    #[test]
    fn a_rise_drops_what_it_refuses_and_nothing_else() {
        let list = list(&[10, 20, 30]);
        assert_eq!(list.rise(UnixMillis::new(20)), Published::Fresh);
        assert_eq!(list.rise(UnixMillis::new(15)), Published::Known);
        assert_eq!(agree(&list), 1);
        assert_eq!(list.get(&id(3)), Some(ENDED));
    }

    #[test]
    fn order_and_table_agree_after_a_sweep() {
        let list = AnonymousList::new(Size::SMALL);
        for until in 1..=9 {
            let entry = SessionEntry::ended(UnixMillis::new(until));
            list.join(id(until), UnixMillis::new(7), entry);
            list.join(id(until), UnixMillis::new(7), entry);
        }
        assert_eq!(list.sweep(UnixMillis::new(5)), 4);
        assert_eq!(agree(&list), 5);
    }
}
