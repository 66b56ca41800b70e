//! What the store of one process holds: the list, and what else its journal says of it.
//!
//! 1. All `Sessions` on a store share one book, and so one list. What is joined into it counts at once.
//! 2. A raise counts only once it is durable. Until then its target is marked, and its generation is outstanding:
//!    the next raise is above it, and a login waits for it.
//! 3. When something is forgotten, that it may have been is durable already: a clock that stands before it cannot
//!    be right. But a list in which nothing was ever revoked has nothing that it could have forgotten, and begins
//!    anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::record::About;
use crate::error::StoreError;
use crate::ids::{Generation, Serial};
use crate::lock::lock;
use crate::observe;
use crate::revoke::list::List;
use crate::revoke::{
    ANONYMOUS_CAPACITY, Announcement, Incarnation, LogState, Published, Revocation, Target,
};
use crate::store::sweep::check_clock;
use crate::time::SKEW;
use crate::time::{Clock, UnixMillis};

/// How often the log may say that anonymous sessions were ended to make room.
const QUIET: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Book {
    pub(super) list: Arc<List>,
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<State>,
    is_used: AtomicBool,
    /// How many revocations hold here that are not durable.
    outstanding: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    complete_since: UnixMillis,
    announced: Announcement,
    /// What of it is durable.
    told: Announcement,
    last_sweep: UnixMillis,
    /// The newest raise of each target that is not durable.
    raises: HashMap<Target, Raise>,
    /// When the log last said that anonymous sessions were ended to make room.
    warned: Option<Duration>,
}

/// A raise that is not durable, or was not a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raise {
    pub(super) target: Target,
    pub(super) generation: Generation,
    pub(super) until: UnixMillis,
}

impl Raise {
    /// What says so.
    pub(super) fn revocation(&self) -> Revocation {
        self.target.at(self.generation, self.until)
    }
}

impl Book {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            list: Arc::default(),
            clock,
            state: Mutex::default(),
            is_used: AtomicBool::new(false),
            outstanding: AtomicUsize::new(0),
        }
    }

    /// No state is left half changed where this is used.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Begins a new list, which knows of sessions from now on.
    pub(super) fn begin(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        state.complete_since = now;
        state.last_sweep = now;
        self.list.set_complete_since(now);
    }

    /// Takes what a journal says about the list.
    pub(super) fn load(&self, about: &About) {
        let mut state = self.state();
        state.complete_since = about.complete_since;
        state.announced = about.announced;
        state.told = about.announced;
        state.last_sweep = about.last_sweep;
        if about.is_used {
            self.use_it();
        }
        self.list.set_complete_since(about.complete_since);
        self.list.announce(about.announced.longest);
    }

    /// What a journal is told about the list.
    pub(super) fn about(&self) -> About {
        let state = self.state();
        About {
            complete_since: state.complete_since,
            announced: state.announced,
            last_sweep: state.last_sweep,
            is_used: self.is_used.load(Ordering::Acquire),
        }
    }

    /// Something is revoked.
    pub(super) fn use_it(&self) {
        self.is_used.store(true, Ordering::Release);
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// So many revocations may not be durable.
    pub(super) fn fail(&self, count: usize) {
        self.outstanding.fetch_add(count, Ordering::AcqRel);
    }

    /// All are.
    pub(super) fn settle(&self) {
        self.outstanding.store(0, Ordering::Release);
    }

    /// The state that a store tells with each answer.
    pub(super) fn log_state(&self) -> LogState {
        let now = self.clock.now();
        let since = self.list.complete_since();
        let announced = self.state().announced;
        LogState {
            announced,
            ..LogState::new(Incarnation::default(), now, since)
        }
    }

    /// Joins an announcement in, and says whether that has to be made durable.
    pub(super) fn announce(&self, announcement: Announcement) -> bool {
        let mut state = self.state();
        state.announced = state.announced.join(announcement);
        self.list.announce(state.announced.longest);
        state.announced != state.told
    }

    /// The list knows of sessions since then, if that is earlier.
    pub(super) fn attest(&self, since: UnixMillis) {
        let mut state = self.state();
        state.complete_since = state.complete_since.min(since);
    }

    /// The journal was told this about the list: it counts now.
    pub(super) fn told(&self, about: &About) {
        let mut state = self.state();
        state.told = about.announced;
        // Unless the list has begun anew meanwhile.
        if state.complete_since == about.complete_since {
            self.list.set_complete_since(about.complete_since);
        }
    }

    /// # Errors
    /// When the revocation is of an anonymous session that began in the future: it could not make room.
    pub(super) fn check(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let now = self.clock.now();
        match revocation {
            Revocation::AnonymousSession { created, .. } if *created > now + SKEW => {
                Err(StoreError::clocks(now, *created, SKEW))
            }
            _ => Ok(()),
        }
    }

    /// What has to be durable of a revocation that the list holds already, and the result. An anonymous one
    /// may have to make room, or have been ended to.
    pub(super) fn entered(&self, revocation: Revocation) -> (Vec<Revocation>, Published) {
        self.use_it();
        let Revocation::AnonymousSession { created, .. } = revocation else {
            return (vec![revocation], self.standing(&revocation));
        };
        let capacity = match self.state().announced.anonymous_capacity {
            0 => ANONYMOUS_CAPACITY,
            announced => announced,
        };
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let risen = self.list.anonymous().make_room(capacity, self.clock.now());
        if risen.is_some() {
            self.tell_of_rise(capacity);
        }
        let since = self.list.anonymous().since();
        if created <= since {
            // Durable together with the answer, whoever raised it.
            return (vec![Revocation::Anonymous { since }], Published::Ended);
        }
        let records = risen.into_iter().chain([revocation]).collect();
        (records, self.standing(&revocation))
    }

    /// The result of a revocation that is in the list. It is [`Fresh`](Published::Fresh) unless something larger stands
    /// there: which of two equal ones was first, joining has told.
    fn standing(&self, revocation: &Revocation) -> Published {
        let (id, entry, is_anonymous) = match revocation {
            Revocation::Session { id, entry } => (id, entry, false),
            Revocation::AnonymousSession { id, entry, .. } => (id, entry, true),
            _ => return Published::Fresh,
        };
        let held = self.list.session(id, is_anonymous);
        match held.map(|held| held.serial) {
            Some(serial) if serial <= entry.serial => Published::Fresh,
            Some(Serial::SUCCEEDED) => Published::Succeeded,
            Some(_) => Published::Known,
            // Swept meanwhile, because it has expired.
            None => Published::Known,
        }
    }

    fn tell_of_rise(&self, capacity: usize) {
        observe::anonymous_since_rose();
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.warned.is_none_or(|last| now >= last + QUIET) {
            state.warned = Some(now);
            drop(state);
            tracing::warn!(
                since = %self.list.anonymous().since(),
                capacity,
                "more anonymous sessions were ended than the list holds; those that began first are refused"
            );
        }
    }

    /// Draws the target's next generation, and says what it was before. It is outstanding, and the target marked,
    /// until it is [`raised`](Self::raised).
    ///
    /// # Errors
    /// At the top of the range. Nothing is marked then.
    pub(super) fn raise(&self, target: Target) -> Result<(Raise, Generation), StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let held = self.list.generation(target);
        let earlier = state.raises.get(&target).map(|raise| raise.generation);
        let generation = held.next(earlier.unwrap_or_default(), now);
        let generation = generation.ok_or(StoreError::Exhausted)?;
        let until = match target {
            Target::Subject(_) => now + self.list.longest(),
            Target::Everyone => UnixMillis::MAX,
        };
        let raise = Raise {
            target,
            generation,
            until,
        };
        state.raises.insert(target, raise);
        self.list.mark(target);
        self.use_it();
        // One that it covers had ended every session from before, although no generation said so yet.
        let previous = earlier.map_or(held, |_| generation);
        Ok((raise, previous))
    }

    /// The raise is durable: the list takes it, and the mark goes if it was the newest.
    pub(super) fn raised(&self, raise: &Raise) {
        let mut state = self.state();
        self.list.join(&raise.revocation());
        if state.raises.get(&raise.target) == Some(raise) {
            state.raises.remove(&raise.target);
            self.list.unmark(raise.target);
        }
    }

    /// Whether a raise of the target is outstanding.
    pub(super) fn is_raising(&self, target: Target) -> bool {
        self.state().raises.contains_key(&target)
    }

    /// All raises that are outstanding.
    pub(super) fn raises(&self) -> Vec<Raise> {
        self.state().raises.values().copied().collect()
    }

    /// Prepares to forget what has expired by `now`. What is [`about`](Self::about) the list has to be durable
    /// before.
    ///
    /// # Errors
    /// When the clock cannot be right.
    pub(super) fn prepare_sweep(&self, now: UnixMillis) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Err(error) = check_clock(now, state.last_sweep) {
            if self.is_used.load(Ordering::Acquire) {
                return Err(error);
            }
            tracing::warn!(
                %now,
                last_sweep = %state.last_sweep,
                "the clock was wrong when the empty revocation list was made or swept; it begins anew, and refuses sessions from before"
            );
            state.complete_since = now;
            state.last_sweep = now;
            self.list.set_complete_since(now);
        }
        state.last_sweep = state.last_sweep.max(now);
        Ok(())
    }

    /// Forgets what has expired by `now`.
    pub(super) fn sweep(&self, now: UnixMillis) {
        observe::forgotten(self.list.sweep(now));
    }
}
