//! Logs that look right and are wrong in one way each.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{
    Announcement, Cursor, Followed, Found, Generation, Incarnation, LogState, Published, Purpose,
    Raise, RaiseId, Raised, Reading, Receipt, ReplicatedLog, Revocation, Serial, SessionId,
    SnapshotEnd, SubjectKey, Target,
};
use sealed_session::store::StoreError;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::{Clock, UnixMillis};

use super::faults::Fault::{self, *};

/// A log in memory with a fault.
#[derive(Debug)]
pub struct Broken {
    inner: MemoryLog,
    clock: ManualClock,
    fault: Fault,
    noted: Mutex<Noted>,
}

/// What some faults need to know.
#[derive(Debug, Default)]
struct Noted {
    first: Option<Incarnation>,
    announced: Option<Announcement>,
    attested: Option<UnixMillis>,
    /// Of each name of a raise, the one that was passed on.
    raises: Vec<(Target, RaiseId)>,
    count: u8,
    published: Vec<Revocation>,
}

impl Broken {
    pub fn new(inner: MemoryLog, clock: ManualClock, fault: Fault) -> Self {
        let noted = Mutex::default();
        Self {
            inner,
            clock,
            fault,
            noted,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// All but what concerns a subject whose generation is larger.
    async fn not_covered(&self, all: &[Revocation]) -> Result<Vec<Revocation>, StoreError> {
        let mut left = Vec::new();
        for revocation in all {
            let is_covered = match revocation {
                Revocation::Subject { key, entry } => {
                    self.inner.read(&[*key]).await?.subjects >= vec![entry.generation]
                }
                _ => false,
            };
            left.extend(Some(*revocation).filter(|_| !is_covered));
        }
        Ok(left)
    }

    fn state(&self, mut state: LogState) -> LogState {
        let mut noted = self.noted.lock().unwrap();
        let first = *noted.first.get_or_insert(state.incarnation);
        match self.fault {
            KeepsItsEpoch => state.incarnation.epoch = first.epoch,
            KeepsItsServer => state.incarnation.server = first.server,
            NeverSettles => state.settling = Duration::from_secs(30),
            IsSettledAtOnce => state.settling = Duration::ZERO,
            CountsNothingUnreadable => state.unreadable = 0,
            TheLastAnnouncementCounts => {
                state.announced = noted.announced.unwrap_or(state.announced);
            }
            TheLastAttestationCounts => {
                state.complete_since = noted.attested.unwrap_or(state.complete_since);
            }
            _ => {}
        }
        state
    }

    /// What of it is told.
    fn told(&self, all: &mut Vec<Revocation>, unreadable: u64, to_followers: bool) {
        match self.fault {
            HidesThatRoomWasMade => all.retain(|it| !matches!(it, Revocation::Anonymous { .. })),
            HidesFromFollowersThatRoomWasMade if to_followers => {
                all.retain(|it| !matches!(it, Revocation::Anonymous { .. }));
            }
            HidesRaises if to_followers => {
                all.retain(|it| !matches!(it, Revocation::Subject { .. }));
            }
            LeavesOutTheUnreadable if unreadable > 0 => all.retain(|it| match it {
                Revocation::Session { entry, .. } => entry.serial != Serial::ENDED,
                _ => true,
            }),
            EveryoneExpires => {
                let year = Duration::from_secs(365 * 24 * 3600);
                let is_old = |generation: &Generation| {
                    UnixMillis::new(generation.get()) + year < self.clock.now()
                };
                all.retain(|it| match it {
                    Revocation::Everyone { generation } => !is_old(generation),
                    _ => true,
                });
            }
            Assigns | KeepsTheShorterUntil => {
                for told in all {
                    self.change(told);
                }
            }
            _ => {}
        }
    }

    fn change(&self, told: &mut Revocation) {
        let noted = self.noted.lock().unwrap();
        let of = |it: &&Revocation| match (it, &*told) {
            (Revocation::Session { id, .. }, Revocation::Session { id: other, .. }) => id == other,
            _ => false,
        };
        let same: Vec<_> = noted.published.iter().filter(of).copied().collect();
        let shortest = same.iter().map(Revocation::until).min();
        if let Revocation::Session { entry, .. } = told {
            match self.fault {
                Assigns => *told = *same.last().unwrap(),
                _ => entry.until = shortest.unwrap(),
            }
        }
    }

    /// As it may be taken.
    fn taken(&self, revocation: &Revocation) -> Revocation {
        let now = self.clock.now();
        match *revocation {
            Revocation::AnonymousSession { id, created, entry } => Revocation::AnonymousSession {
                id,
                created: created.min(now),
                entry,
            },
            other => other,
        }
    }
}

#[async_trait]
impl ReplicatedLog for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.noted.lock().unwrap().announced = Some(announcement);
        let announcement = match self.fault {
            ForgetsAnnouncements => return Ok(()),
            KeepsAnyNumber => {
                Announcement::new(announcement.longest, u64::MAX, announcement.max_outage)
            }
            _ => announcement,
        };
        self.inner.announce(announcement).await
    }

    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        let purpose = match (self.fault, purpose) {
            (RevokingProlongs, Purpose::Revoke) => Purpose::FirstRestoration,
            (RestoringProlongsNothing, _) => Purpose::Revoke,
            (RestoringProlongsWithoutAnEnd, Purpose::Restoration) => Purpose::FirstRestoration,
            (NoRestorationIsTheFirst, Purpose::FirstRestoration) => Purpose::Restoration,
            (_, purpose) => purpose,
        };
        let count = revocations.len();
        let stored = match self.fault {
            ForgetsPublications => Vec::new(),
            StoresTheFirstOfABatch => revocations.iter().take(1).copied().collect(),
            TheLargerRaiseCounts => self.not_covered(revocations).await?,
            TakesWhatIsAheadOfItsClock => revocations.iter().map(|it| self.taken(it)).collect(),
            _ => revocations.to_vec(),
        };
        if self.has(StoresHalfOfWhatItRefuses) && count == 2 {
            let outcome = self.inner.publish(&stored, purpose).await;
            if outcome.is_err() {
                self.inner.publish(&stored[..1], purpose).await?;
            }
            return outcome;
        }
        let mut receipt = self.inner.publish(&stored, purpose).await?;
        self.noted.lock().unwrap().published.extend(stored);
        receipt.published.resize(count, Published::Fresh);
        for answer in &mut receipt.published {
            *answer = match (self.fault, *answer) {
                (SaysFreshOfWhatItKnew, Published::Known)
                | (SaysFreshOfWhatHasEnded, Published::Ended) => Published::Fresh,
                (HidesSuccessions, Published::Succeeded) => Published::Known,
                (_, answer) => answer,
            };
        }
        if self.has(AnswersForAnotherIncarnation) {
            receipt.incarnation.epoch ^= 1;
        }
        Ok(receipt)
    }

    async fn raise(&self, mut raise: Raise) -> Result<Raised, StoreError> {
        let asked = raise;
        {
            let mut noted = self.noted.lock().unwrap();
            let last = noted.raises.iter().rev().find(|it| it.0 == raise.target);
            let is_last = last.is_some_and(|it| it.1 == raise.id);
            if self.has(RaisesRepeatsAgain) || self.has(RemembersOneRaise) && !is_last {
                noted.count += 1;
                noted.raises.push((raise.target, raise.id));
                raise.id = RaiseId::from_bytes([noted.count; 16]);
            }
        }
        match self.fault {
            IgnoresWhatTheCallerKnows => raise.known = Generation::NONE,
            IgnoresHowLongToRemember => raise.until = UnixMillis::EPOCH,
            WrapsAtTheTop => raise.known = Generation::new(raise.known.get() % (u64::MAX / 2)),
            SparesNobody => raise.spared = None,
            _ => {}
        }
        let mut raised = self.inner.raise(raise).await?;
        raised.state = self.state(raised.state);
        if self.has(SparesTheDead)
            && let Some(spared) = asked.spared
        {
            raised.entry = raised.entry.sparing(spared);
        }
        Ok(raised)
    }

    async fn read(&self, subjects: &[SubjectKey]) -> Result<Reading, StoreError> {
        let mut reading = self.inner.read(subjects).await?;
        let generation = reading.everyone;
        let mut everyone = vec![Revocation::Everyone { generation }];
        self.told(&mut everyone, 0, false);
        if everyone.is_empty() {
            reading.everyone = Generation::NONE;
        }
        reading.state = self.state(reading.state);
        Ok(reading)
    }

    async fn find(&self, session: SessionId, subjects: &[SubjectKey]) -> Result<Found, StoreError> {
        let mut found = self.inner.find(session, subjects).await?;
        let all = &mut found.revocations;
        self.told(all, found.state.unreadable, false);
        all.retain(|it| match it {
            Revocation::Subject { .. } => !self.has(FindsNothingOfSubjects),
            Revocation::AnonymousSession { .. } | Revocation::Anonymous { .. } => {
                !self.has(FindsNothingOfAnonymousSessions)
            }
            Revocation::Session { .. } | Revocation::Everyone { .. } => true,
        });
        found.state = self.state(found.state);
        Ok(found)
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let mut all = Vec::new();
        let mut end = self.inner.snapshot(&mut |batch| all.extend(batch)).await?;
        self.told(&mut all, end.state.unreadable, false);
        if self.has(NotesTheCursorLast) {
            tokio::task::yield_now().await;
            end = self.inner.snapshot(&mut |_| {}).await?;
        }
        receive(all);
        end.state = self.state(end.state);
        Ok(end)
    }

    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        let mut followed = self.inner.follow(cursor).await;
        if self.has(HidesThatTheServerWasReplaced) && followed.is_err() {
            followed = self.inner.follow(cursor).await;
        }
        let mut delta = match followed? {
            Followed::Delta(delta) => delta,
            Followed::Gap(_) if self.has(FollowsAnyCursor) => {
                let end = self.inner.snapshot(&mut |_| {}).await?;
                match self.inner.follow(end.cursor).await? {
                    Followed::Delta(delta) => delta,
                    other => return Ok(other),
                }
            }
            Followed::Gap(state) => return Ok(Followed::Gap(self.state(state))),
            other => return Ok(other),
        };
        self.told(&mut delta.revocations, 0, true);
        match self.fault {
            SkipsTheLastPublication => drop(delta.revocations.pop()),
            NeverAnswersWithNothingToTell if delta.revocations.is_empty() => {
                std::future::pending().await
            }
            NeverTellsItsState => delta.state = None,
            HidesAttestations => delta.state.iter_mut().for_each(|state| {
                state.complete_since = state.complete_since.max(self.clock.now());
            }),
            _ => {}
        }
        delta.state = delta.state.map(|state| self.state(state));
        Ok(Followed::Delta(delta))
    }

    async fn attest(
        &self,
        mut incarnation: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError> {
        self.noted.lock().unwrap().attested = Some(since);
        if self.has(AttestsForAnyIncarnation) {
            incarnation = self.inner.state().incarnation;
        }
        let state = self.inner.attest(incarnation, since).await?;
        Ok(state.map(|state| self.state(state)))
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        match self.fault {
            SweepsNothing => Ok(0),
            SweepsEarly => {
                let now = self.clock.now();
                self.clock.set(now + Duration::from_secs(7200));
                let swept = self.inner.sweep().await;
                self.clock.set(now);
                swept
            }
            _ => self.inner.sweep().await,
        }
    }
}
