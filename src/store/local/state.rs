//! The state of a store of one process: the list, and the facts about it that its journal keeps.
//!
//! 1. All `Sessions` on a store share one state, and so one list. A revocation that is joined into it counts at once.
//! 2. A raise counts only once it is durable. Until then its target is marked, and its generation is outstanding:
//!    the next raise is above it, and a login waits for it.
//! 3. Before anything is forgotten, the time of that sweep is durable. A clock that stands before it does not open the
//!    list: it may be wrong, and the sweep may have forgotten too early. But a list in which nothing was ever revoked
//!    has forgotten nothing, and begins anew.
//! 4. Where the clock is set back behind the last sweep while the list is open, the list begins anew, and knows of
//!    sessions from then on. Nobody can refuse that clock: requests are judged by it already. The new beginning is
//!    as durable as a sweep, so the list can be opened by that clock afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::record::About;
use crate::error::StoreError;
use crate::ids::{Generation, SessionId};
use crate::lock::lock;
use crate::observe;
use crate::revoke::list::List;
use crate::revoke::{
    Announcement, Incarnation, LogState, Revocation, Spared, SubjectEntry, Target,
};
use crate::store::sweep::{FORWARD, check_clock};
use crate::time::{Clock, UnixMillis};

/// How often the log may say that anonymous sessions were ended to make room.
const QUIET: Duration = Duration::from_secs(60);

pub(super) struct LocalState {
    pub(super) list: Arc<List>,
    pub(super) clock: Arc<dyn Clock>,
    fields: Mutex<StateFields>,
}

#[derive(Debug, Default)]
struct StateFields {
    about: About,
    /// As far as announcements are durable.
    durable: Announcement,
    /// What the raises of each target come to that are not durable.
    raises: HashMap<Target, SubjectEntry>,
    /// How many revocations hold here that are not durable.
    outstanding: usize,
    /// When the log last said that anonymous sessions were ended to make room.
    warned: Option<Duration>,
}

/// Something to be made durable.
#[derive(Debug)]
pub(super) enum Job {
    /// Revocations that the list holds already.
    Join(Vec<Revocation>),
    /// A raise, which the list holds once it is durable.
    Raise(Target, SubjectEntry),
    /// Something about the list has changed.
    About,
    /// The time of the last sweep has changed. Then entries are forgotten that have expired by this time.
    Sweep(UnixMillis),
    /// Nothing: it waits for the jobs before it.
    Flush,
    /// Nothing either, but a compaction that is needed is not put off.
    Close,
}

impl Job {
    /// How many revocations it makes durable.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Join(revocations) => revocations.len(),
            Self::Raise(..) => 1,
            Self::About | Self::Sweep(_) | Self::Flush | Self::Close => 0,
        }
    }
}

impl LocalState {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            list: Arc::default(),
            clock,
            fields: Mutex::default(),
        }
    }

    /// No state is left half changed where this is used.
    fn fields(&self) -> MutexGuard<'_, StateFields> {
        lock(&self.fields)
    }

    /// Begins a new list, which knows of sessions from now on.
    pub(super) fn begin(&self) {
        self.begin_at(&mut self.fields(), self.clock.now());
    }

    fn begin_at(&self, fields: &mut StateFields, now: UnixMillis) {
        fields.about.complete_since = now;
        fields.about.last_sweep = now;
        self.list.set_complete_since(now);
    }

    /// Takes the facts about the list that a journal holds.
    pub(super) fn load(&self, about: &About) {
        let mut fields = self.fields();
        fields.about = *about;
        fields.durable = about.announced;
        self.list.set_complete_since(about.complete_since);
        self.list.announce(about.announced.longest);
    }

    /// The facts about the list that a journal keeps.
    pub(super) fn about(&self) -> About {
        self.fields().about
    }

    /// Something is revoked.
    pub(super) fn mark_used(&self) {
        self.fields().about.is_used = true;
    }

    pub(super) fn outstanding(&self) -> usize {
        self.fields().outstanding
    }

    /// So many revocations may not be durable.
    pub(super) fn add_outstanding(&self, count: usize) {
        self.fields().outstanding += count;
    }

    /// Every revocation is durable.
    pub(super) fn all_durable(&self) {
        self.fields().outstanding = 0;
    }

    /// The state that a store tells with each answer.
    pub(super) fn log_state(&self) -> LogState {
        let since = self.list.complete_since();
        LogState {
            announced: self.about().announced,
            ..LogState::new(Incarnation::default(), self.clock.now(), since)
        }
    }

    /// Joins an announcement in, and says whether that has to be made durable.
    pub(super) fn announce(&self, announcement: Announcement) -> bool {
        let mut fields = self.fields();
        let announced = fields.about.announced.join(announcement);
        fields.about.announced = announced;
        self.list.announce(announced.longest);
        announced != fields.durable
    }

    /// The list knows of sessions since then, if that is earlier. It counts once it is durable.
    pub(super) fn attest(&self, since: UnixMillis) {
        let about = &mut self.fields().about;
        about.complete_since = about.complete_since.min(since);
    }

    /// Returns the revocations that have to be durable for one that the list holds, and whether its session is refused
    /// by when it began instead: an anonymous one may need room, or come too late because room was made.
    pub(super) fn make_room(&self, revocation: &Revocation) -> (Vec<Revocation>, bool) {
        self.mark_used();
        let Revocation::AnonymousSession { created, .. } = revocation else {
            return (vec![*revocation], false);
        };
        let capacity = self.about().announced.capacity();
        let risen = self.list.anonymous().make_room(capacity, self.clock.now());
        if risen.is_some() {
            self.report_rise(capacity);
        }
        let since = self.list.anonymous().since();
        if *created <= since {
            // The rise has to be durable before this is answered, whichever call raised it.
            return (vec![Revocation::Anonymous { since }], true);
        }
        (risen.into_iter().chain([*revocation]).collect(), false)
    }

    fn report_rise(&self, capacity: usize) {
        observe::count(observe::ANONYMOUS_SINCE_ROSE, 1);
        let now = self.clock.monotonic();
        let mut fields = self.fields();
        if fields.warned.is_none_or(|last| now >= last + QUIET) {
            fields.warned = Some(now);
            drop(fields);
            tracing::warn!(
                since = %self.list.anonymous().since(),
                capacity,
                "more anonymous sessions were ended than the list holds; those that began first are refused"
            );
        }
    }

    /// Draws the target's next generation. It is outstanding, and the target marked, until it is durable. Neither
    /// concerns the session that is spared.
    ///
    /// # Errors
    /// At the top of the range. Nothing is marked then.
    pub(super) fn raise(
        &self,
        target: Target,
        spared: Option<SessionId>,
    ) -> Result<SubjectEntry, StoreError> {
        let now = self.clock.now();
        let mut fields = self.fields();
        let held = self.list.held(target);
        // It ends whom it ends, although the list does not say so yet.
        let earlier = fields.raises.get(&target).copied();
        let held = earlier.map_or(held, |earlier| held.join(earlier));
        let spared = spared.map(|session| Spared {
            session,
            generation: Generation::NONE,
        });
        let raised = held.raised(Generation::NONE, spared, now);
        let raised = raised.ok_or(StoreError::Exhausted)?;
        let until = raised.until.max(self.list.until(now));
        let raised = SubjectEntry { until, ..raised };
        fields.raises.insert(target, raised);
        fields.about.is_used = true;
        let spares = |entry: SubjectEntry| entry.spared.map(|it| it.session);
        let spared =
            spares(raised).filter(|_| earlier.is_none_or(|it| spares(it) == spares(raised)));
        self.list.mark(target, spared);
        Ok(raised)
    }

    /// Whether a raise of the target is outstanding.
    pub(super) fn is_raising(&self, target: Target) -> bool {
        self.fields().raises.contains_key(&target)
    }

    /// All raises that are outstanding.
    pub(super) fn raises(&self) -> Vec<(Target, SubjectEntry)> {
        let fields = self.fields();
        let raises = fields.raises.iter();
        raises.map(|(target, raised)| (*target, *raised)).collect()
    }

    /// Whether the clock can be right. Returns whether the list begins anew, because it was wrong before.
    ///
    /// # Errors
    /// When it cannot be right, or the list may have forgotten entries too early.
    pub(super) fn check_clock(&self, now: UnixMillis) -> Result<bool, StoreError> {
        self.check_fields(&mut self.fields(), now)
    }

    fn check_fields(&self, fields: &mut StateFields, now: UnixMillis) -> Result<bool, StoreError> {
        let last_sweep = fields.about.last_sweep;
        let Err(error) = check_clock(now, last_sweep) else {
            return Ok(false);
        };
        if fields.about.is_used {
            return Err(error);
        }
        tracing::warn!(
            %now,
            %last_sweep,
            "the clock was wrong when the empty revocation list was made or swept; it begins anew, and refuses sessions from before"
        );
        self.begin_at(fields, now);
        Ok(true)
    }

    /// Prepares to forget the entries that have expired by `now`: the new time of the last sweep has to be durable
    /// before. A list whose clock was set back behind it begins anew.
    ///
    /// # Errors
    /// When the clock cannot be right, because it was moved by more than the longest life of a session.
    pub(super) fn prepare_sweep(&self, now: UnixMillis) -> Result<(), StoreError> {
        let mut fields = self.fields();
        let checked = self.check_fields(&mut fields, now);
        let about = &mut fields.about;
        let behind = about.last_sweep.since(now);
        let is_set_back = match checked {
            // A sweep that was under way when the clock was set back.
            Ok(_) => self.list.has_forgotten(now),
            // A sweep by this clock could not be followed by one by the clock from before.
            Err(error) if behind.is_zero() || behind > FORWARD => return Err(error),
            Err(_) => true,
        };
        if is_set_back {
            self.list.begin_anew(now);
            about.complete_since = self.list.complete_since();
            about.last_sweep = now;
        }
        about.last_sweep = about.last_sweep.max(now);
        Ok(())
    }

    /// The job and these facts about the list are durable. They count now.
    pub(super) fn carried_out(&self, job: &Job, about: &About) {
        match job {
            Job::Raise(target, raised) => self.raised(*target, *raised),
            Job::About => self.about_is_durable(about),
            Job::Sweep(now) => {
                self.about_is_durable(about);
                observe::count(observe::EXPIRED, self.list.sweep(*now));
            }
            Job::Join(_) | Job::Flush | Job::Close => {}
        }
    }

    /// The list takes a raise that is durable. The mark goes unless a newer one is outstanding.
    pub(super) fn raised(&self, target: Target, raised: SubjectEntry) {
        let mut fields = self.fields();
        self.list.join(&target.at(raised));
        if fields.raises.get(&target) == Some(&raised) {
            fields.raises.remove(&target);
            self.list.unmark(target);
        }
    }

    /// The journal holds these facts: they count now.
    pub(super) fn about_is_durable(&self, about: &About) {
        let mut fields = self.fields();
        fields.durable = about.announced;
        // Unless the list has begun anew meanwhile.
        if fields.about.complete_since == about.complete_since {
            self.list.set_complete_since(about.complete_since);
        }
    }
}
