//! What a write does, inside one transaction.
//!
//! 1. The rules are those of the lattice; this file keeps the tables and the expiry index in step.
//! 2. Nothing here is final: the transaction commits all of a batch of writes or none.

use std::time::Duration;

use ::redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::fault::Fault;
use super::file;
use super::record::{
    EXPIRY, Expiry, Id, LIST_KEY, List, META, Record, SESSION, SESSIONS, SUBJECT, SUBJECTS,
    Subject, VISITOR, VISITOR_ORDER, VISITORS, Visitor, expiring, expiry,
};
use crate::clock::{UnixMillis, millis};
use crate::id::{SessionId, SubjectKey};
use crate::revoke::{Published, Raise, Raised, Revocation, SessionEntry, Target, VISITOR_CAPACITY};
use crate::store::feed::Feed;
use crate::store::{SWEEP_BATCH, kept, reborn};

/// The tables, open for writing.
pub(super) struct State<'t> {
    list: List,
    stored_list: List,
    meta: Table<'t, &'static str, &'static [u8]>,
    sessions: Table<'t, &'static Id, &'static [u8]>,
    visitors: Table<'t, &'static Id, &'static [u8]>,
    visitor_order: Table<'t, u64, &'static Id>,
    subjects: Table<'t, &'static Id, &'static [u8]>,
    expiry: Table<'t, &'static Expiry, ()>,
    news: News,
}

/// What the followers are told once a transaction is committed.
#[derive(Debug, Default)]
pub(super) struct News {
    entries: Vec<Revocation>,
    restart: bool,
    changed: bool,
}

impl News {
    /// Whether there is anything to commit.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    pub(super) fn tell(self, feed: &Feed) {
        feed.publish(self.entries);
        if self.restart {
            feed.restart();
        }
    }
}

impl<'t> State<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let meta = transaction.open_table(META)?;
        let list = file::list(&meta)?;
        Ok(Self {
            list,
            stored_list: list,
            meta,
            sessions: transaction.open_table(SESSIONS)?,
            visitors: transaction.open_table(VISITORS)?,
            visitor_order: transaction.open_table(VISITOR_ORDER)?,
            subjects: transaction.open_table(SUBJECTS)?,
            expiry: transaction.open_table(EXPIRY)?,
            news: News::default(),
        })
    }

    /// Writes what is left to write.
    pub(super) fn finish(mut self) -> Result<News, Fault> {
        self.list.used |= !self.news.entries.is_empty();
        if self.list != self.stored_list {
            self.meta.insert(LIST_KEY, self.list.encode().as_slice())?;
            self.news.changed = true;
        }
        Ok(self.news)
    }

    pub(super) fn announce(&mut self, longest: Duration) {
        if millis(longest) > self.list.longest {
            self.list.longest = millis(longest);
            // Followers hold subjects with an earlier `until` than they now have. In the tables
            // those are moved by the sweep that would otherwise forget them.
            self.news.restart = true;
        }
    }

    pub(super) fn reborn(&mut self, now: UnixMillis) -> UnixMillis {
        self.list.born = reborn(self.list.born, now);
        self.list.floor = self.list.born;
        self.news.restart = true;
        self.list.born
    }

    pub(super) fn vouch(&mut self, born: UnixMillis) -> UnixMillis {
        let born = born.max(self.list.floor);
        if born < self.list.born {
            self.list.born = born;
            self.list.floor = born;
            self.news.restart = true;
        }
        self.list.born
    }

    pub(super) fn publish(&mut self, revocations: &[Revocation]) -> Result<Vec<Published>, Fault> {
        revocations.iter().map(|each| self.join(*each)).collect()
    }

    fn join(&mut self, revocation: Revocation) -> Result<Published, Fault> {
        let fresh = match revocation {
            Revocation::Session { id, entry } => {
                let held = get::<SessionEntry>(&self.sessions, id.as_bytes())?;
                return Ok(Published::over(held, self.join_session(id, entry)?));
            }
            Revocation::Visitor { id, entry } => {
                let held = get::<SessionEntry>(&self.sessions, id.as_bytes())?;
                return Ok(Published::over(held, self.join_visitor(id, entry)?));
            }
            Revocation::Subject { key, entry } => {
                let old = get::<Subject>(&self.subjects, key.as_bytes())?;
                let stored = old.unwrap_or_default();
                let new = Subject {
                    counter: stored.counter.join(entry.generation),
                    until: stored.until.max(entry.until),
                };
                self.set_subject(key, old, new)?;
                old.is_none_or(|old| entry.generation > old.counter.generation)
            }
            Revocation::Everyone { generation } => {
                let fresh = generation > self.list.everyone.generation;
                if fresh {
                    self.list.everyone = self.list.everyone.join(generation);
                    self.news.entries.push(revocation);
                }
                fresh
            }
        };
        Ok(Published::fresh_if(fresh))
    }

    fn join_session(&mut self, id: SessionId, entry: SessionEntry) -> Result<bool, Fault> {
        let key = id.as_bytes();
        let old = get::<SessionEntry>(&self.sessions, key)?;
        let new = old.map_or(entry, |old| old.join(entry));
        if old != Some(new) {
            self.sessions.insert(key, new.encode().as_slice())?;
            self.reindex(SESSION, key, old.map(|old| old.until), new.until)?;
            self.tell(Revocation::Session { id, entry: new });
        }
        Ok(old.is_none_or(|old| entry.serial > old.serial))
    }

    fn join_visitor(&mut self, id: SessionId, entry: SessionEntry) -> Result<bool, Fault> {
        let key = id.as_bytes();
        let old = get::<Visitor>(&self.visitors, key)?;
        let new = match old {
            Some(old) => Visitor {
                entry: old.entry.join(entry),
                ..old
            },
            None => Visitor {
                place: self.next_place()?,
                entry,
            },
        };
        if old != Some(new) {
            self.visitors.insert(key, new.encode().as_slice())?;
            self.visitor_order.insert(new.place, key)?;
            self.reindex(
                VISITOR,
                key,
                old.map(|old| old.entry.until),
                new.entry.until,
            )?;
            self.tell(Revocation::Visitor {
                id,
                entry: new.entry,
            });
            self.make_room()?;
        }
        Ok(old.is_none_or(|old| entry.serial > old.entry.serial))
    }

    fn next_place(&self) -> Result<u64, Fault> {
        let last = self.visitor_order.last()?;
        Ok(last.map_or(0, |(place, _)| place.value().saturating_add(1)))
    }

    /// Forgets the oldest visitors of those there are too many of.
    fn make_room(&mut self) -> Result<(), Fault> {
        while self.visitors.len()? > VISITOR_CAPACITY as u64 {
            let Some(oldest) = self.visitor_order.pop_first()?.map(|(_, id)| *id.value()) else {
                return Err(Fault::Damaged("visitors without a place".into()));
            };
            let visitor = self.visitors.remove(&oldest)?;
            let visitor = visitor
                .map(|value| Visitor::decode(value.value()))
                .transpose()?;
            if let Some(visitor) = visitor {
                let key = expiry(visitor.entry.until, VISITOR, &oldest);
                self.expiry.remove(&key)?;
                self.list.visitors_dropped = self.list.visitors_dropped.saturating_add(1);
            }
        }
        Ok(())
    }

    pub(super) fn raise(&mut self, raise: &Raise, now: UnixMillis) -> Result<Raised, Fault> {
        match raise.target {
            Target::Subject(key) => {
                let old = get::<Subject>(&self.subjects, key.as_bytes())?;
                let stored = old.unwrap_or_default();
                let (last, counter) = stored.counter.raise(raise, now)?;
                let until = stored.until.max(raise.until);
                let until = self.set_subject(key, old, Subject { counter, until })?;
                Ok(last.raised(until, self.list.born))
            }
            Target::Everyone => {
                let (last, counter) = self.list.everyone.raise(raise, now)?;
                if counter != self.list.everyone {
                    self.list.everyone = counter;
                    let generation = last.generation;
                    self.news.entries.push(Revocation::Everyone { generation });
                }
                Ok(last.raised(UnixMillis::MAX, self.list.born))
            }
        }
    }

    /// Stores `new` in place of `old` for as long as it must be kept, and returns until when.
    fn set_subject(
        &mut self,
        key: SubjectKey,
        old: Option<Subject>,
        mut new: Subject,
    ) -> Result<UnixMillis, Fault> {
        let entry = kept(new.entry(), Duration::from_millis(self.list.longest));
        new.until = entry.until;
        if old != Some(new) {
            let id = key.as_bytes();
            self.subjects.insert(id, new.encode().as_slice())?;
            self.reindex(SUBJECT, id, old.map(|old| old.until), new.until)?;
            self.tell(Revocation::Subject { key, entry });
        }
        Ok(entry.until)
    }

    pub(super) fn sweep(&mut self, now: UnixMillis) -> Result<usize, Fault> {
        let list = file::follow_clock(self.list, now)?;
        self.news.restart |= list != self.list;
        self.list = list;
        self.list.last_sweep = self.list.last_sweep.max(now);
        // Below every key of an entry that is still needed at `now`.
        let bound = expiry(now, 0, &[0; 16]);
        let mut due = Vec::new();
        for key in self.expiry.range::<&Expiry>(..&bound)?.take(SWEEP_BATCH) {
            due.push(*key?.0.value());
        }
        let mut dropped: usize = 0;
        for key in due {
            self.news.changed = true;
            self.expiry.remove(&key)?;
            let (kind, id) = expiring(&key)?;
            if self.expire(kind, &id, now)? {
                dropped = dropped.saturating_add(1);
            }
        }
        Ok(dropped)
    }

    /// Drops the entry, or for a subject that a longer life was announced for, puts it off. What the
    /// entry itself says decides, not the index: a stray key must not end an entry early.
    fn expire(&mut self, kind: u8, id: &Id, now: UnixMillis) -> Result<bool, Fault> {
        match kind {
            SESSION => {
                let session = get::<SessionEntry>(&self.sessions, id)?;
                let ended = session.is_some_and(|entry| entry.until < now);
                if ended {
                    self.sessions.remove(id)?;
                }
                Ok(ended)
            }
            VISITOR => {
                let visitor = get::<Visitor>(&self.visitors, id)?;
                let ended = visitor.filter(|visitor| visitor.entry.until < now);
                if let Some(visitor) = ended {
                    self.visitors.remove(id)?;
                    self.visitor_order.remove(visitor.place)?;
                }
                Ok(ended.is_some())
            }
            SUBJECT => {
                let Some(old) = get::<Subject>(&self.subjects, id)? else {
                    return Ok(false);
                };
                let until = kept(old.entry(), Duration::from_millis(self.list.longest)).until;
                if until < now {
                    return Ok(self.subjects.remove(id)?.is_some());
                }
                let new = Subject { until, ..old };
                self.subjects.insert(id, new.encode().as_slice())?;
                self.expiry.insert(&expiry(until, SUBJECT, id), ())?;
                Ok(false)
            }
            _ => Err(Fault::Damaged(format!("an expiry of unknown kind {kind}"))),
        }
    }

    /// Moves an entry's key in the expiry index to where its `until` now says.
    fn reindex(
        &mut self,
        kind: u8,
        id: &Id,
        old: Option<UnixMillis>,
        new: UnixMillis,
    ) -> Result<(), Fault> {
        if old == Some(new) {
            return Ok(());
        }
        if let Some(old) = old {
            self.expiry.remove(&expiry(old, kind, id))?;
        }
        self.expiry.insert(&expiry(new, kind, id), ())?;
        Ok(())
    }

    fn tell(&mut self, revocation: Revocation) {
        self.news.changed = true;
        self.news.entries.push(revocation);
    }
}

/// The record under `id`, if there is one.
pub(super) fn get<R: Record>(
    table: &impl ReadableTable<&'static Id, &'static [u8]>,
    id: &Id,
) -> Result<Option<R>, Fault> {
    let value = table.get(id)?;
    value.map(|value| R::decode(value.value())).transpose()
}
