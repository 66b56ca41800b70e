//! What a log holds, and how it changes.
//!
//! 1. Everything is joined. What changed is handed on as it stands after the join.
//! 2. Of anonymous sessions a limited number of entries is kept. What expired makes room first, then all that
//!    began first, whose sessions are refused by [`Revocation::Anonymous`] from the same moment on.
//! 3. A damaged entry is never written over and refuses all it could.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::counter::{Counter, PastRaise};
use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{Published, Raise, Revocation, SessionEntry, SubjectEntry, Target};
use crate::time::SKEW;
use crate::time::UnixMillis;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Entries {
    sessions: BTreeMap<SessionId, SessionEntry>,
    anonymous: BTreeMap<SessionId, (UnixMillis, SessionEntry)>,
    /// The same by when they began.
    order: BTreeSet<(UnixMillis, SessionId)>,
    since: UnixMillis,
    subjects: BTreeMap<SubjectKey, Subject>,
    everyone: Counter,
    /// Sessions whose entries are not understood.
    damaged: BTreeSet<SessionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Subject {
    counter: Counter,
    until: UnixMillis,
}

impl Subject {
    fn entry(&self, longest: Duration) -> SubjectEntry {
        let entry = SubjectEntry {
            generation: self.counter.generation,
            until: self.until,
        };
        entry.kept(longest)
    }
}

/// By what entries are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) now: UnixMillis,
    pub(super) longest: Duration,
    pub(super) anonymous_capacity: usize,
    /// Whether the clock can be right.
    pub(super) may_sweep: bool,
}

/// What a publication changes.
#[derive(Debug, Default)]
pub(super) struct News {
    /// What is there now.
    pub(super) revocations: Vec<Revocation>,
    /// Whether anything changed that not anyone can change as often as they like.
    pub(super) is_serious: bool,
    /// Whether entries were swept to make room.
    pub(super) has_swept: bool,
}

impl News {
    fn push(&mut self, revocation: Revocation) {
        self.is_serious |= !revocation.matter().is_anonymous();
        self.revocations.push(revocation);
    }
}

impl Entries {
    /// # Errors
    /// When an anonymous session began so far ahead that everyone's would be refused with it.
    pub(super) fn check(revocation: &Revocation, now: UnixMillis) -> Result<(), StoreError> {
        let time = match revocation {
            Revocation::AnonymousSession { created, .. } => *created,
            Revocation::Anonymous { since } => *since,
            Revocation::Session { .. }
            | Revocation::Subject { .. }
            | Revocation::Everyone { .. } => return Ok(()),
        };
        if time > now + SKEW {
            return Err(StoreError::clocks(time, now, SKEW));
        }
        Ok(())
    }

    pub(super) fn join(
        &mut self,
        revocation: Revocation,
        rules: Rules,
        news: &mut News,
    ) -> Published {
        match revocation {
            Revocation::Session { id, entry } => {
                let held = self.sessions.get(&id).copied();
                if self.damaged.contains(&id) {
                    // Followers, who cannot read it either, are told what came.
                    news.revocations.push(revocation);
                    return Published::Known;
                }
                let new = held.map_or(entry, |held| held.join(entry));
                if held != Some(new) {
                    self.sessions.insert(id, new);
                    news.push(Revocation::Session { id, entry: new });
                }
                let is_fresh = held.is_none_or(|held| entry.serial > held.serial);
                Published::fresh_if(is_fresh).over(held)
            }
            Revocation::AnonymousSession { id, created, entry } => {
                let main = self.sessions.get(&id).copied();
                self.join_anonymous(id, created, entry, rules, news)
                    .over(main)
            }
            Revocation::Subject { key, entry } => {
                let held = self.subjects.get(&key).copied();
                let stored = held.unwrap_or_default();
                let new = Subject {
                    counter: stored.counter.join(entry.generation),
                    until: stored.until.max(entry.until),
                };
                let entry_now = new.entry(rules.longest);
                if held.map(|held| held.entry(rules.longest)) != Some(entry_now) {
                    news.push(Revocation::Subject {
                        key,
                        entry: entry_now,
                    });
                }
                self.subjects.insert(key, new);
                let is_fresh = |held: Subject| entry.generation > held.counter.generation;
                Published::fresh_if(held.is_none_or(is_fresh))
            }
            Revocation::Everyone { generation } => {
                let is_fresh = generation > self.everyone.generation;
                if is_fresh {
                    self.everyone = self.everyone.join(generation);
                    news.push(revocation);
                }
                Published::fresh_if(is_fresh)
            }
            Revocation::Anonymous { since } => {
                let is_fresh = since > self.since;
                if is_fresh {
                    self.rise(since, news);
                }
                Published::fresh_if(is_fresh)
            }
        }
    }

    fn join_anonymous(
        &mut self,
        id: SessionId,
        created: UnixMillis,
        entry: SessionEntry,
        rules: Rules,
        news: &mut News,
    ) -> Published {
        if created <= self.since {
            return Published::Ended;
        }
        let held = self.anonymous.get(&id).copied();
        let new = match held {
            Some((began, held)) => (began.max(created), held.join(entry)),
            None => (created, entry),
        };
        if held == Some(new) {
            return Published::Known;
        }
        if let Some((began, _)) = held {
            self.order.remove(&(began, id));
        }
        self.order.insert((new.0, id));
        self.anonymous.insert(id, new);
        self.make_room(rules, news);
        let (began, joined) = new;
        if began > self.since {
            news.push(Revocation::AnonymousSession {
                id,
                created: began,
                entry: joined,
            });
        }
        if created <= self.since {
            return Published::Ended;
        }
        Published::fresh_if(held.is_none_or(|(_, held)| entry.serial > held.serial))
    }

    fn make_room(&mut self, rules: Rules, news: &mut News) {
        if self.anonymous.len() > rules.anonymous_capacity && rules.may_sweep {
            news.has_swept = true;
            self.sweep(rules, usize::MAX);
        }
        while self.anonymous.len() > rules.anonymous_capacity
            && let Some(&(first, _)) = self.order.first()
            && first <= rules.now + SKEW
        {
            self.rise(first, news);
        }
    }

    /// Refuses anonymous sessions that began then or before, in place of their entries.
    fn rise(&mut self, since: UnixMillis, news: &mut News) {
        self.since = since;
        while let Some(&(first, id)) = self.order.first()
            && first <= since
        {
            self.order.pop_first();
            self.anonymous.remove(&id);
        }
        news.push(Revocation::Anonymous { since });
    }

    /// Raises a generation. What it changes is in `news`, nothing for a repeat.
    pub(super) fn raise(
        &mut self,
        raise: &Raise,
        rules: Rules,
        news: &mut News,
    ) -> Result<(PastRaise, UnixMillis), StoreError> {
        let (last, until, raised) = match raise.target {
            Target::Subject(key) => {
                let mut subject = self.subjects.get(&key).copied().unwrap_or_default();
                let (last, counter) = subject.counter.raise(raise, rules.now)?;
                subject.counter = counter;
                subject.until = subject
                    .until
                    .max(rules.now + rules.longest)
                    .max(raise.until);
                self.subjects.insert(key, subject);
                let entry = subject.entry(rules.longest);
                (last, entry.until, Revocation::Subject { key, entry })
            }
            Target::Everyone => {
                let (last, counter) = self.everyone.raise(raise, rules.now)?;
                self.everyone = counter;
                let generation = last.generation;
                (last, UnixMillis::MAX, Revocation::Everyone { generation })
            }
        };
        news.push(raised);
        Ok((last, until))
    }

    /// The result of the raise that `raise` repeats, and until when it is kept.
    pub(super) fn repeated(
        &self,
        raise: &Raise,
        longest: Duration,
    ) -> Option<(PastRaise, UnixMillis)> {
        match raise.target {
            Target::Subject(key) => {
                let subject = self.subjects.get(&key)?;
                let past = subject.counter.repeated(raise)?;
                Some((past, subject.entry(longest).until))
            }
            Target::Everyone => Some((self.everyone.repeated(raise)?, UnixMillis::MAX)),
        }
    }

    pub(super) fn subject(&self, key: &SubjectKey) -> Generation {
        let subject = self.subjects.get(key);
        subject.map_or(Generation::NONE, |subject| subject.counter.generation)
    }

    pub(super) fn everyone(&self) -> Generation {
        self.everyone.generation
    }

    pub(super) fn damage(&mut self, id: SessionId) {
        if self.sessions.contains_key(&id) {
            self.damaged.insert(id);
        }
    }

    /// How many entries are not understood.
    pub(super) fn unreadable(&self) -> u64 {
        self.damaged.len() as u64
    }

    pub(super) fn find(
        &self,
        id: SessionId,
        subject: Option<SubjectKey>,
        rules: Rules,
    ) -> Vec<Revocation> {
        let session = self.sessions.get(&id);
        let session = session.map(|&entry| self.session(id, entry, rules));
        let anonymous = self.anonymous.get(&id);
        let anonymous =
            anonymous.map(|&(created, entry)| Revocation::AnonymousSession { id, created, entry });
        let subject = subject.and_then(|key| {
            let entry = self.subjects.get(&key)?.entry(rules.longest);
            Some(Revocation::Subject { key, entry })
        });
        let found = [session, anonymous, subject];
        found.into_iter().flatten().chain(self.of_all()).collect()
    }

    pub(super) fn all(&self, rules: Rules) -> Vec<Revocation> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|(&id, &entry)| self.session(id, entry, rules));
        let anonymous = self.anonymous.iter();
        let anonymous = anonymous.map(|(&id, &(created, entry))| Revocation::AnonymousSession {
            id,
            created,
            entry,
        });
        let subjects = self.subjects.iter().map(|(&key, subject)| {
            let entry = subject.entry(rules.longest);
            Revocation::Subject { key, entry }
        });
        let entries = sessions.chain(anonymous).chain(subjects);
        self.of_all().chain(entries).collect()
    }

    /// What concerns more than one session or subject.
    fn of_all(&self) -> impl Iterator<Item = Revocation> {
        let generation = self.everyone.generation;
        let everyone = Revocation::Everyone { generation };
        let since = self.since;
        let anonymous = Revocation::Anonymous { since };
        let everyone = (generation > Generation::NONE).then_some(everyone);
        let anonymous = (since > UnixMillis::EPOCH).then_some(anonymous);
        everyone.into_iter().chain(anonymous)
    }

    fn session(&self, id: SessionId, entry: SessionEntry, rules: Rules) -> Revocation {
        let ended = SessionEntry {
            serial: Serial::ENDED,
            from: UnixMillis::EPOCH,
            until: rules.now + rules.longest,
        };
        let is_damaged = self.damaged.contains(&id);
        let entry = if is_damaged { ended } else { entry };
        Revocation::Session { id, entry }
    }

    /// Forgets at most `limit` entries whose time has passed, and returns how many.
    pub(super) fn sweep(&mut self, rules: Rules, limit: usize) -> usize {
        let now = rules.now;
        let damaged = &self.damaged;
        let is_past =
            |id: &SessionId, entry: &SessionEntry| entry.until < now && !damaged.contains(id);
        let past = self
            .sessions
            .iter()
            .filter(|(id, entry)| is_past(id, entry));
        let past: Vec<_> = past.map(|(id, _)| *id).take(limit).collect();
        past.iter().for_each(|id| {
            self.sessions.remove(id);
        });
        let mut swept = past.len();
        let is_past = |subject: &Subject| subject.entry(rules.longest).until < now;
        let past = self.subjects.iter().filter(|(_, subject)| is_past(subject));
        let left = limit.saturating_sub(swept);
        let past: Vec<_> = past.map(|(key, _)| *key).take(left).collect();
        past.iter().for_each(|key| {
            self.subjects.remove(key);
        });
        swept = swept.saturating_add(past.len());
        swept.saturating_add(self.sweep_anonymous(now, limit.saturating_sub(swept)))
    }

    fn sweep_anonymous(&mut self, now: UnixMillis, limit: usize) -> usize {
        let anonymous = self.anonymous.iter();
        let past = anonymous.filter(|(_, (_, entry))| entry.until < now);
        let past: Vec<_> = past
            .map(|(id, (created, _))| (*created, *id))
            .take(limit)
            .collect();
        for place in &past {
            self.order.remove(place);
            self.anonymous.remove(&place.1);
        }
        past.len()
    }
}
