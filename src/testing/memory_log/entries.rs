//! What a log holds, and how it changes: the rules of every shared log.
//!
//! 1. Everything is joined. What changed is handed on as it stands after the join.
//! 2. Of anonymous sessions a limited number of entries is kept. What expired makes room first, then all that
//!    began first, whose sessions are refused by [`Revocation::Anonymous`] from the same moment on.
//! 3. A damaged entry is never written over and refuses all it could.
//! 4. A raise goes above what is stored, what the caller knows, and the log's time. A repeat of one of the last few
//!    changes nothing. So a retry after a lost reply ends no login that came in between, also if others raised
//!    meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId, SessionId, SubjectKey};
use crate::revoke::{
    Announcement, EntryKey, Published, Raise, Revocation, SessionEntry, SubjectEntry, Target,
};
use crate::store::sweep::check_clock;
use crate::time::{SKEW, UnixMillis};

/// How many raises of one target are remembered. A retry comes within seconds, so as many would have
/// to come in between.
const REMEMBERED: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct StoredEntries {
    pub(super) announced: Announcement,
    pub(super) last_sweep: UnixMillis,
    stored: BTreeMap<EntryKey, Revocation>,
    /// The last raises of each target, the newest first.
    raises: BTreeMap<Target, Vec<RaiseId>>,
    /// Anonymous sessions by when they began.
    order: BTreeSet<(UnixMillis, SessionId)>,
    /// Sessions whose entries are not understood.
    damaged: BTreeSet<SessionId>,
}

impl StoredEntries {
    /// No entries, as if swept at `now`.
    pub(super) fn new(now: UnixMillis) -> Self {
        Self {
            last_sweep: now,
            ..Self::default()
        }
    }
}

/// All that one call changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What is there now.
    pub(super) revocations: Vec<Revocation>,
    /// Whether anything changed that not anyone can change as often as they like.
    pub(super) is_serious: bool,
}

impl StoredEntries {
    pub(super) fn join(
        &mut self,
        revocation: Revocation,
        now: UnixMillis,
        changes: &mut Changes,
    ) -> Published {
        let main = revocation.session().and_then(|(id, _)| self.session(id));
        self.join_one(revocation, now, changes).over(main)
    }

    fn join_one(
        &mut self,
        revocation: Revocation,
        now: UnixMillis,
        changes: &mut Changes,
    ) -> Published {
        let key = revocation.key();
        if self.is_damaged(key) {
            // Followers, who cannot read it either, are told what came.
            changes.revocations.push(revocation);
            return Published::Known;
        }
        if self.has_ended(&revocation) {
            return Published::Ended;
        }
        let held = self.get(key);
        let joined = held.map_or(revocation, |held| held.join(revocation));
        let new = joined.kept(self.announced.longest);
        if held == Some(new) {
            return Published::Known;
        }
        self.forget_order(held);
        self.stored.insert(key, new);
        match new {
            Revocation::AnonymousSession { id, created, .. } => {
                self.order.insert((created, id));
                self.make_room(now, changes);
            }
            Revocation::Anonymous { .. } => self.drop_refused(),
            Revocation::Session { .. }
            | Revocation::Subject { .. }
            | Revocation::Everyone { .. } => {}
        }
        if !self.has_ended(&new) {
            changes.is_serious |= !key.is_anonymous();
            changes.revocations.push(new);
        }
        if self.has_ended(&revocation) {
            return Published::Ended;
        }
        Published::fresh_if(held.is_none_or(|held| rank(&revocation) > rank(&held)))
    }

    /// Whether it is of an anonymous session that is refused by when it began.
    fn has_ended(&self, revocation: &Revocation) -> bool {
        let since = match self.stored.get(&EntryKey::Anonymous) {
            Some(Revocation::Anonymous { since }) => *since,
            _ => return false,
        };
        matches!(revocation, Revocation::AnonymousSession { created, .. } if *created <= since)
    }

    fn make_room(&mut self, now: UnixMillis, changes: &mut Changes) {
        let capacity = self.announced.capacity();
        if self.order.len() > capacity {
            // A clock that cannot be right sweeps nothing.
            let _ = self.sweep(now, usize::MAX);
        }
        while self.order.len() > capacity
            && let Some(&(since, _)) = self.order.first()
            && since <= now + SKEW
        {
            self.join_one(Revocation::Anonymous { since }, now, changes);
        }
    }

    fn drop_refused(&mut self) {
        while let Some(&(_, id)) = self.order.first()
            && let Some(first) = self.stored.get(&EntryKey::AnonymousSession(id))
            && self.has_ended(first)
        {
            self.forget(EntryKey::AnonymousSession(id));
        }
    }

    fn forget(&mut self, key: EntryKey) {
        let forgotten = self.stored.remove(&key);
        self.forget_order(forgotten);
        if let EntryKey::Subject(key) = key {
            self.raises.remove(&Target::Subject(key));
        }
    }

    fn forget_order(&mut self, held: Option<Revocation>) {
        if let Some(Revocation::AnonymousSession { id, created, .. }) = held {
            self.order.remove(&(created, id));
        }
    }

    /// Raises a generation, unless that was done. What it changes is in `changes`.
    pub(super) fn raise(
        &mut self,
        raise: &Raise,
        now: UnixMillis,
        changes: &mut Changes,
    ) -> Result<SubjectEntry, StoreError> {
        let held = self.held(raise.target);
        let last = self.raises.entry(raise.target).or_default();
        if last.contains(&raise.id) {
            return Ok(held);
        }
        let raised = raise.over(held, now).ok_or(StoreError::Exhausted)?;
        last.insert(0, raise.id);
        last.truncate(REMEMBERED);
        let until = raised.until.max(now + self.announced.longest);
        let raised = raise.target.at(SubjectEntry { until, ..raised });
        self.join(raised, now, changes);
        Ok(self.held(raise.target))
    }

    /// What is stored of the target.
    pub(super) fn held(&self, target: Target) -> SubjectEntry {
        let key = match target {
            Target::Subject(key) => EntryKey::Subject(key),
            Target::Everyone => EntryKey::Everyone,
        };
        match self.get(key) {
            Some(Revocation::Subject { entry, .. }) => entry,
            Some(Revocation::Everyone { generation }) => {
                SubjectEntry::new(generation, UnixMillis::MAX)
            }
            _ => SubjectEntry::new(Generation::NONE, UnixMillis::EPOCH),
        }
    }

    pub(super) fn damage(&mut self, id: SessionId) {
        if self.stored.contains_key(&EntryKey::Session(id)) {
            self.damaged.insert(id);
        }
    }

    fn is_damaged(&self, key: EntryKey) -> bool {
        matches!(key, EntryKey::Session(id) if self.damaged.contains(&id))
    }

    /// How many entries are not understood.
    pub(super) fn unreadable(&self) -> u64 {
        self.damaged.len() as u64
    }

    pub(super) fn find(
        &self,
        id: SessionId,
        subjects: &[SubjectKey],
        now: UnixMillis,
    ) -> Vec<Revocation> {
        let concerns = |each: &Revocation| match each.key() {
            EntryKey::Session(of) | EntryKey::AnonymousSession(of) => of == id,
            EntryKey::Subject(of) => subjects.contains(&of),
            EntryKey::Everyone | EntryKey::Anonymous => true,
        };
        self.all(now).into_iter().filter(concerns).collect()
    }

    pub(super) fn all(&self, now: UnixMillis) -> Vec<Revocation> {
        let ended = SessionEntry::ended(now + self.announced.longest);
        let shown = |stored: &Revocation| match *stored {
            Revocation::Session { id, .. } if self.damaged.contains(&id) => {
                Revocation::Session { id, entry: ended }
            }
            stored => stored.kept(self.announced.longest),
        };
        self.stored.values().map(shown).collect()
    }

    fn get(&self, key: EntryKey) -> Option<Revocation> {
        let (generation, since) = (Generation::NONE, UnixMillis::EPOCH);
        let stored = self.stored.get(&key).copied();
        let stored = stored.or(match key {
            EntryKey::Everyone => Some(Revocation::Everyone { generation }),
            EntryKey::Anonymous => Some(Revocation::Anonymous { since }),
            _ => None,
        });
        stored.map(|stored| stored.kept(self.announced.longest))
    }

    /// The session's entry in the main list, if it is understood.
    fn session(&self, id: SessionId) -> Option<SessionEntry> {
        match self.stored.get(&EntryKey::Session(id))? {
            Revocation::Session { entry, .. } if !self.damaged.contains(&id) => Some(*entry),
            _ => None,
        }
    }

    /// Forgets at most `limit` entries whose time has passed, and returns how many.
    ///
    /// # Errors
    /// When the clock cannot be right.
    pub(super) fn sweep(&mut self, now: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        check_clock(now, self.last_sweep)?;
        self.last_sweep = self.last_sweep.max(now);
        let longest = self.announced.longest;
        let is_past = |(key, stored): &(&EntryKey, &Revocation)| {
            stored.kept(longest).until() < now && !self.is_damaged(**key)
        };
        let past = self.stored.iter().filter(is_past).take(limit);
        let past: Vec<_> = past.map(|(key, _)| *key).collect();
        past.iter().for_each(|key| self.forget(*key));
        Ok(past.len())
    }
}

/// What is compared to tell whether a publication is fresh.
fn rank(revocation: &Revocation) -> u64 {
    match revocation {
        Revocation::Session { entry, .. } | Revocation::AnonymousSession { entry, .. } => {
            entry.serial.get().into()
        }
        Revocation::Subject { entry, .. } => entry.generation.get(),
        Revocation::Everyone { generation } => generation.get(),
        Revocation::Anonymous { since } => since.as_millis(),
    }
}
