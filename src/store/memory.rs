//! The store that forgets everything when its process ends.
//!
//! 1. All state is behind one lock; none of it is held while foreign code runs.
//! 2. It was born when it was made, so after a restart it vouches for no session from before.
//! 3. Several nodes in one process (tests) share one through an [`Arc`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::feed::Feed;
use super::{SWEEP_BATCH, check_clock, kept, reborn};
use crate::clock::{Clock, SystemClock, UnixMillis};
use crate::error::StoreError;
use crate::id::{Generation, SessionId, SubjectKey};
use crate::lock::lock;
use crate::revoke::counter::Counter;
use crate::revoke::{
    Followed, Found, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SETTLING, SessionEntry, SnapshotEnd, SubjectEntry, Target, VISITOR_CAPACITY,
};

/// A revocation store in this process's memory, for tests and throw-away processes.
///
/// Nothing survives the process: after a restart every session from before is refused, because
/// nobody knows any more which of them were logged out.
///
/// Following it waits with tokio's timer, as all of this crate's background work does.
///
/// ```
/// use sealed_session::store::Memory;
/// use std::sync::Arc;
///
/// let store = Arc::new(Memory::new());
/// # drop(store);
/// ```
pub struct Memory {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    feed: Feed,
}

/// Which kind it is. All that it holds would be a line for every revocation.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    /// An empty store, born now by the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::default()))
    }

    /// An empty store, born now by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let born = clock.now();
        Self {
            clock,
            state: Mutex::new(State {
                born,
                settled: born + SETTLING,
                last_sweep: born,
                ..State::default()
            }),
            feed: Feed::new(),
        }
    }

    /// How many entries of visitors made room for newer ones before their time.
    pub fn visitors_dropped(&self) -> u64 {
        self.lock().visitors.dropped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only have left a join half applied to a batch that was not
        // acknowledged, which is a valid state.
        lock(&self.state)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl RevocationStore for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn reach(&self) -> Reach {
        Reach::Process
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        let mut state = self.lock();
        if longest > state.longest {
            state.longest = longest;
            // Followers hold subjects with an earlier `until` than they now have.
            self.feed.restart();
        }
        Ok(())
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        let mut state = self.lock();
        let mut news = Vec::new();
        let published = revocations
            .iter()
            .map(|revocation| state.join(*revocation, &mut news))
            .collect();
        self.feed.publish(news);
        Ok(published)
    }

    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.publish(revocations).await?;
        self.lock().settled = self.clock.now() + SETTLING;
        Ok(())
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let (raised, news) = state.raise(&raise, now)?;
        self.feed.publish(news);
        Ok(raised)
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        let now = self.clock.now();
        let state = self.lock();
        let subject = state.subjects.get(&subject);
        Ok(Reading {
            subject: subject.map_or(Generation::NONE, |subject| subject.counter.generation),
            everyone: state.everyone.generation,
            now,
            born: state.born,
        })
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        Ok(self.lock().find(session, subject))
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let now = self.clock.now();
        let (all, end) = {
            let state = self.lock();
            let end = SnapshotEnd {
                position: self.feed.position(),
                born: state.born,
                floor: state.floor,
                longest: state.longest,
                settling: state.settled.since(now),
            };
            (state.all(), end)
        };
        receive(all);
        Ok(end)
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        let mut followed = self.feed.follow(position).await;
        if let Followed::News(news) = &mut followed {
            news.settling = Some(self.lock().settled.since(self.clock.now()));
        }
        Ok(followed)
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let mut state = self.lock();
        if epoch != self.feed.position().epoch {
            return Ok(None);
        }
        let born = born.max(state.floor);
        if born < state.born {
            state.born = born;
            state.floor = born;
            self.feed.restart();
        }
        Ok(Some(state.born))
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        let mut state = self.lock();
        state.born = reborn(state.born, self.clock.now());
        state.floor = state.born;
        self.feed.restart();
        Ok(state.born)
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        self.lock().sweep(now)
    }
}

#[derive(Debug, Default)]
struct State {
    born: UnixMillis,
    /// As in [`SnapshotEnd::floor`].
    floor: UnixMillis,
    /// As in [`SnapshotEnd::settling`]. Asked for only where a memory stands for a store of several nodes,
    /// in tests.
    settled: UnixMillis,
    longest: Duration,
    last_sweep: UnixMillis,
    sessions: HashMap<SessionId, SessionEntry>,
    visitors: Visitors,
    subjects: HashMap<SubjectKey, Subject>,
    everyone: Counter,
}

#[derive(Debug, Clone, Copy, Default)]
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
        kept(entry, longest)
    }
}

impl State {
    /// Joins one revocation, and adds what became of it to `news` if it changed anything.
    fn join(&mut self, revocation: Revocation, news: &mut Vec<Revocation>) -> Published {
        match revocation {
            Revocation::Session { id, entry } => {
                let old = self.sessions.get(&id).copied();
                let new = old.map_or(entry, |old| old.join(entry));
                if old != Some(new) {
                    self.sessions.insert(id, new);
                    news.push(Revocation::Session { id, entry: new });
                }
                Published::over(old, old.is_none_or(|old| entry.serial > old.serial))
            }
            Revocation::Visitor { id, entry } => {
                let main = self.sessions.get(&id).copied();
                let old = self.visitors.get(&id);
                let new = old.map_or(entry, |old| old.join(entry));
                if old != Some(new) {
                    self.visitors.set(id, new);
                    news.push(Revocation::Visitor { id, entry: new });
                }
                Published::over(main, old.is_none_or(|old| entry.serial > old.serial))
            }
            Revocation::Subject { key, entry } => {
                let old = self.subjects.get(&key).copied();
                let stored = old.unwrap_or_default();
                let new = Subject {
                    counter: stored.counter.join(entry.generation),
                    until: stored.until.max(entry.until),
                };
                let new_entry = new.entry(self.longest);
                if old.map(|old| old.entry(self.longest)) != Some(new_entry) {
                    news.push(Revocation::Subject {
                        key,
                        entry: new_entry,
                    });
                }
                self.subjects.insert(key, new);
                Published::fresh_if(old.is_none_or(|old| entry.generation > old.counter.generation))
            }
            Revocation::Everyone { generation } => {
                let higher = generation > self.everyone.generation;
                if higher {
                    self.everyone = self.everyone.join(generation);
                    news.push(revocation);
                }
                Published::fresh_if(higher)
            }
        }
    }

    fn raise(
        &mut self,
        raise: &Raise,
        now: UnixMillis,
    ) -> Result<(Raised, Option<Revocation>), StoreError> {
        match raise.target {
            Target::Subject(key) => {
                let old = self.subjects.get(&key).copied().unwrap_or_default();
                let (last, counter) = old.counter.raise(raise, now)?;
                let mut new = old;
                if counter != old.counter {
                    new.counter = counter;
                    new.until = old.until.max(now + self.longest).max(raise.until);
                    self.subjects.insert(key, new);
                }
                let entry = new.entry(self.longest);
                let raised = last.raised(entry.until, self.born);
                let news = (counter != old.counter).then_some(Revocation::Subject { key, entry });
                Ok((raised, news))
            }
            Target::Everyone => {
                let (last, counter) = self.everyone.raise(raise, now)?;
                let generation = last.generation;
                let news =
                    (counter != self.everyone).then_some(Revocation::Everyone { generation });
                self.everyone = counter;
                Ok((last.raised(UnixMillis::MAX, self.born), news))
            }
        }
    }

    fn find(&self, id: SessionId, subject: Option<SubjectKey>) -> Found {
        let session = self.sessions.get(&id);
        let session = session.map(|&entry| Revocation::Session { id, entry });
        let visitor = self.visitors.get(&id);
        let visitor = visitor.map(|entry| Revocation::Visitor { id, entry });
        let subject = subject.and_then(|key| {
            let entry = self.subjects.get(&key)?.entry(self.longest);
            Some(Revocation::Subject { key, entry })
        });
        let found = session.into_iter().chain(visitor).chain(subject);
        Found {
            revocations: found.chain(self.everyone()).collect(),
            born: self.born,
        }
    }

    fn everyone(&self) -> Option<Revocation> {
        let generation = self.everyone.generation;
        (generation > Generation::NONE).then_some(Revocation::Everyone { generation })
    }

    fn all(&self) -> Vec<Revocation> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|(&id, &entry)| Revocation::Session { id, entry });
        let visitors = self.visitors.iter();
        let visitors = visitors.map(|(id, entry)| Revocation::Visitor { id, entry });
        let subjects = self
            .subjects
            .iter()
            .map(|(&key, subject)| Revocation::Subject {
                key,
                entry: subject.entry(self.longest),
            });
        sessions
            .chain(visitors)
            .chain(subjects)
            .chain(self.everyone())
            .collect()
    }

    fn sweep(&mut self, now: UnixMillis) -> Result<usize, StoreError> {
        check_clock(now, self.last_sweep)?;
        self.last_sweep = self.last_sweep.max(now);
        let longest = self.longest;
        let mut room = SWEEP_BATCH;
        let sessions = self.sessions.iter().map(|(id, entry)| (*id, entry.until));
        for id in expired(sessions, now, &mut room) {
            self.sessions.remove(&id);
        }
        let visitors = self.visitors.iter().map(|(id, entry)| (id, entry.until));
        for id in expired(visitors, now, &mut room) {
            self.visitors.remove(&id);
        }
        let subjects = self.subjects.iter();
        let subjects = subjects.map(|(key, subject)| (*key, subject.entry(longest).until));
        for key in expired(subjects, now, &mut room) {
            self.subjects.remove(&key);
        }
        Ok(SWEEP_BATCH.saturating_sub(room))
    }
}

/// Those whose `until` has passed, as many as there is `room` for.
fn expired<K>(
    entries: impl Iterator<Item = (K, UnixMillis)>,
    now: UnixMillis,
    room: &mut usize,
) -> Vec<K> {
    let expired = entries.filter(|(_, until)| *until < now);
    let expired: Vec<K> = expired.map(|(key, _)| key).take(*room).collect();
    *room = room.saturating_sub(expired.len());
    expired
}

/// Visitors in the order in which they first came.
#[derive(Debug, Default)]
struct Visitors {
    entries: HashMap<SessionId, (u64, SessionEntry)>,
    order: BTreeMap<u64, SessionId>,
    next: u64,
    dropped: u64,
}

impl Visitors {
    fn get(&self, id: &SessionId) -> Option<SessionEntry> {
        self.entries.get(id).map(|(_, entry)| *entry)
    }

    fn iter(&self) -> impl Iterator<Item = (SessionId, SessionEntry)> {
        self.entries.iter().map(|(id, (_, entry))| (*id, *entry))
    }

    fn set(&mut self, id: SessionId, entry: SessionEntry) {
        if let Some((_, old)) = self.entries.get_mut(&id) {
            *old = entry;
            return;
        }
        self.entries.insert(id, (self.next, entry));
        self.order.insert(self.next, id);
        self.next = self.next.saturating_add(1);
        while self.entries.len() > VISITOR_CAPACITY
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some((place, _)) = self.entries.remove(id) {
            self.order.remove(&place);
        }
    }
}
