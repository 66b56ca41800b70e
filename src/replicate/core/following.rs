//! Keeping the list what the store is: load everything, follow what comes.
//!
//! 1. Nothing is answered before everything was loaded once.
//! 2. What is loaded is joined, never assigned: a store that lost everything erases nothing here.
//! 3. What may have been missed is a gap, and after a gap everything is loaded before anything is followed.
//! 4. After a connection failed, when another server was met, and from time to time in any case, the list
//!    is compared with the store's whole state. Following goes on meanwhile: that may take longer than a list may
//!    be old.
//! 5. What the store turns out to lack is given back to it ([`repair`](super::repair)).

use std::time::Duration;

use crate::error::StoreError;
use crate::observe;
use crate::replicate::core::comparison::Comparison;
use crate::replicate::core::{Call, Command, Core, Load, Reply, Timer, wake_within};
use crate::revoke::completeness::Moment;
use crate::revoke::{Cursor, Delta, Followed, Revocation, SnapshotEnd};

/// The wait after an error; doubles up to [`SLOWEST`].
const BACKOFF: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(2);
/// How long after the last a comparison is made at the latest although nothing seems to be missed, and how
/// much longer each entry makes that.
const COMPARE: Duration = Duration::from_secs(300);
const COMPARE_PER_ENTRY: Duration = Duration::from_millis(1);
/// Over how long the nodes of a fleet spread loading that they all have to do, at most, and for each entry.
const SPREAD: Duration = Duration::from_secs(2);
const SPREAD_PER_ENTRY: Duration = Duration::from_micros(20);

/// Where a node stands with its store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Following {
    /// Up to where everything was taken; `None` before the first loading.
    cursor: Option<Cursor>,
    /// When the call under way was made.
    asked: Option<Moment>,
    /// What is being loaded to follow from.
    loading: Option<Loading>,
    /// What is being loaded to compare.
    comparing: Option<Comparing>,
    /// How many comparisons there were. What comes of one that was given up belongs to none.
    comparisons: u32,
    /// When to compare although nothing seems to be missed, by the monotonic clock.
    compare_at: Duration,
    /// The wait after the next error.
    backoff: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Loading {
    asked: Moment,
    comparison: Comparison,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparing {
    number: u32,
    loading: Loading,
    /// What was told meanwhile, which the store's state at the beginning need not have.
    told: Vec<Revocation>,
}

impl Following {
    pub(super) fn has_loaded(&self) -> bool {
        self.cursor.is_some()
    }

    /// Whether a comparison is due in the next minute.
    #[cfg(test)]
    pub(super) fn is_to_compare(&self, now: Moment) -> bool {
        self.compare_at < now.monotonic + Duration::from_secs(60)
    }

    #[cfg(test)]
    pub(super) fn digest(&self, state: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let Self {
            cursor,
            asked,
            compare_at,
            ..
        } = self;
        (cursor, asked, compare_at).hash(state);
        let comparing = self.comparing.iter();
        let comparing = comparing.map(|it| (&it.loading, it.told.as_slice()));
        let loading = self.loading.iter().map(|it| (it, [].as_slice()));
        for (loading, told) in loading.chain(comparing) {
            (loading.asked, told).hash(state);
            loading.comparison.digest(state);
        }
    }

    fn next_backoff(&mut self) -> Duration {
        let backoff = self.backoff;
        self.backoff = (backoff * 2).clamp(BACKOFF, SLOWEST);
        backoff
    }
}

impl Core {
    /// Loads everything, to follow from there.
    pub(super) fn load(&mut self, now: Moment) -> Vec<Command> {
        self.following.comparing = None;
        self.following.loading = Some(self.begin_loading(now));
        vec![Command::Call(Call::Load(Load::Follow))]
    }

    fn begin_loading(&self, now: Moment) -> Loading {
        Loading {
            asked: now,
            comparison: match self.following.has_loaded() {
                true => Comparison::new(!self.recovery.has_restored),
                false => Comparison::first(),
            },
        }
    }

    pub(super) fn take_piece(&mut self, load: Load, revocations: &[Revocation]) {
        let loading = match load {
            Load::Follow => self.following.loading.as_mut(),
            Load::Compare(number) => {
                let comparing = self.following.comparing.as_mut();
                comparing
                    .filter(|it| it.number == number)
                    .map(|it| &mut it.loading)
            }
        };
        for revocation in revocations {
            self.list.join(revocation);
        }
        if let Some(loading) = loading {
            for revocation in revocations {
                loading.comparison.holds(revocation, &self.list);
            }
        }
    }

    pub(super) fn loaded(
        &mut self,
        load: Load,
        end: Result<SnapshotEnd, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        match load {
            Load::Follow => self.loaded_to_follow(end, now),
            Load::Compare(number) => self.loaded_to_compare(number, end, now),
        }
    }

    fn loaded_to_follow(
        &mut self,
        end: Result<SnapshotEnd, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let is_first = !self.following.has_loaded();
        let loading = self.following.loading.take();
        let end = end.and_then(|end| {
            self.heard(&end.state, now);
            // A list that began by a clock which was behind would claim to know of sessions from before it.
            self.check_clocks(&end.state, now).map(|()| end)
        });
        let (end, loading) = match (end, loading) {
            (Ok(end), Some(loading)) => (end, loading),
            (Err(error), _) if is_first => return vec![started(Err(error))],
            (Err(error), _) => {
                tracing::warn!(%error, "the revocation store cannot be loaded");
                let after = self.following.next_backoff();
                return vec![wake_within(Timer::Load, after / 2, after / 2)];
            }
            (Ok(_), None) => return Vec::new(),
        };
        self.saw_everything(&end.state, loading.asked);
        self.following.cursor = Some(end.cursor);
        self.following.compare_at = self.next_comparison(now);
        let lacking = loading.comparison.lacking(&self.list, now.wall);
        let mut commands = self.begin_repair(lacking);
        if is_first {
            commands.push(started(Ok(())));
        }
        commands.extend(self.follow(now));
        commands
    }

    fn loaded_to_compare(
        &mut self,
        number: u32,
        end: Result<SnapshotEnd, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        let comparing = &mut self.following.comparing;
        let Some(comparing) = comparing.take_if(|it| it.number == number) else {
            return Vec::new();
        };
        let Comparing {
            mut loading, told, ..
        } = comparing;
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                tracing::warn!(%error, "the revocation store's list cannot be compared with this node's");
                self.compare_after(SLOWEST, now);
                return Vec::new();
            }
        };
        if self.heard(&end.state, now) {
            // What was compared may be of the one before.
            return Vec::new();
        }
        for revocation in &told {
            loading.comparison.holds(revocation, &self.list);
        }
        self.following.compare_at = self.next_comparison(now);
        let lacking = loading.comparison.lacking(&self.list, now.wall);
        self.begin_repair(lacking)
    }

    pub(super) fn follow(&mut self, now: Moment) -> Vec<Command> {
        let Some(cursor) = self.following.cursor else {
            return Vec::new();
        };
        self.following.asked = Some(now);
        vec![Command::Call(Call::Follow(cursor))]
    }

    pub(super) fn followed(
        &mut self,
        followed: Result<Followed, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        match followed {
            Ok(Followed::Delta(delta)) => self.take(delta, now),
            Ok(Followed::Gap(state)) => {
                observe::gap();
                tracing::warn!(
                    "what the revocation store published may have been missed; loading everything"
                );
                if !self.heard(&state, now) {
                    self.recovery.missed();
                }
                self.following.comparing = None;
                let after = self.following.next_backoff();
                vec![wake_within(Timer::Load, after, self.spread())]
            }
            Err(error) => {
                tracing::warn!(%error, "the revocation store cannot be followed");
                // Behind the next connection there may be a server that lacks what this node told the last
                // one, at a cursor that fits. A comparison with the one before says nothing of that one.
                self.following.comparing = None;
                self.repair.give_up();
                self.compare_soon(now);
                let after = self.following.next_backoff();
                vec![wake_within(Timer::Follow, after / 2, after / 2)]
            }
        }
    }

    fn take(&mut self, delta: Delta, now: Moment) -> Vec<Command> {
        for revocation in &delta.revocations {
            self.list.join(revocation);
        }
        self.repair.told(&delta.revocations);
        self.following.cursor = Some(delta.cursor);
        self.following.backoff = Duration::ZERO;
        if let Some(comparing) = &mut self.following.comparing {
            comparing.told.extend(&delta.revocations);
        }
        if let Some(state) = &delta.state {
            self.heard(state, now);
            if let Some(asked) = self.following.asked
                && delta.is_complete
            {
                self.saw_everything(state, asked);
            }
        }
        let mut commands = self.repair_if_due();
        if now.monotonic >= self.following.compare_at && self.following.comparing.is_none() {
            let number = self.following.comparisons.wrapping_add(1);
            self.following.comparisons = number;
            self.following.comparing = Some(Comparing {
                number,
                loading: self.begin_loading(now),
                told: Vec::new(),
            });
            commands.push(Command::Call(Call::Load(Load::Compare(number))));
        }
        commands.extend(self.follow(now));
        commands
    }

    /// The list is compared with the store, as soon as that does not mean that a whole fleet does it at once.
    pub(super) fn compare_soon(&mut self, now: Moment) {
        self.compare_after(Duration::ZERO, now);
    }

    pub(super) fn compare_after(&mut self, after: Duration, now: Moment) {
        self.following.comparing = None;
        let soon = now.monotonic + after + self.part_of(self.spread());
        self.following.compare_at = self.following.compare_at.min(soon);
    }

    fn next_comparison(&self, now: Moment) -> Duration {
        let every = COMPARE + COMPARE_PER_ENTRY.saturating_mul(self.count());
        // Between half and the whole of it.
        now.monotonic + every / 2 + self.part_of(every / 2)
    }

    fn spread(&self) -> Duration {
        SPREAD_PER_ENTRY.saturating_mul(self.count()).min(SPREAD)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }
}

fn started(outcome: Result<(), StoreError>) -> Command {
    Command::Reply(0, Reply::Started(outcome))
}
