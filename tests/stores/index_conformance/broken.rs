//! Indexes that look right and are wrong in one way each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::index::{
    IndexRow, IndexRows, IndexUpdate, MOST_ROWS, RowLimit, RowState, SessionIndex, WhenRowsFull,
};
use sealed_session::revoke::{SessionId, SubjectKey};
use sealed_session::store::StoreError;
use sealed_session::time::UnixMillis;

use super::flaws::Flaw::{self, *};

/// An index in memory, with a flaw if there is one.
#[derive(Debug)]
pub struct Broken {
    flaw: Option<Flaw>,
    held: Mutex<BTreeMap<SubjectKey, Held>>,
}

#[derive(Debug, Clone, Default)]
struct Held {
    rows: Vec<IndexRow>,
    unreadable: BTreeSet<SessionId>,
}

impl Broken {
    pub fn new(flaw: Option<Flaw>) -> Self {
        let held = Mutex::default();
        Self { flaw, held }
    }

    pub fn damage(&self, subject: SubjectKey, session: SessionId) {
        let mut held = self.held.lock().unwrap();
        let held = held.get_mut(&subject).unwrap();
        held.rows.retain(|row| row.session != session);
        held.unreadable.insert(session);
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn key(&self, mut subject: SubjectKey) -> SubjectKey {
        if self.has(MixesSubjects) {
            let mut bytes = *subject.as_bytes();
            bytes.iter_mut().for_each(|byte| *byte &= 0x7f);
            subject = SubjectKey::from_bytes(bytes);
        }
        subject
    }

    fn answer(&self, held: &Held, is_full: bool) -> IndexRows {
        let mut answer = IndexRows::new(held.rows.clone());
        answer.is_full = is_full;
        answer.unreadable = match self.flaw {
            Some(CountsNothingUnreadable) => 0,
            _ => held.unreadable.len(),
        };
        answer
    }

    /// What is asked for instead.
    fn asked(&self, update: &IndexUpdate, held: &Held) -> IndexUpdate {
        let mut update = update.clone();
        let has_row = |row: &IndexRow| held.rows.iter().any(|old| old.session == row.session);
        match self.flaw {
            Some(ForgetsWhatWasPut) => update.row = None,
            Some(IgnoresRemovals) => update.removed.clear(),
            Some(CountsWhatIsReplaced) => update.replaced.clear(),
            Some(RemovesTheFirstOnly) => update.removed.truncate(1),
            Some(RemovesAfterItPuts) => update.removed.clear(),
            Some(KeepsWhatIsJustOver) => update.now = update.now.minus(Duration::from_millis(1)),
            Some(DropsWhatIsAlmostOver) => update.now = update.now + Duration::from_millis(1),
            Some(HoldsFiftyAtMost) => update.limit.rows = update.limit.rows.min(50),
            Some(LetsOneMoreIn) => update.limit.rows += 1,
            Some(DropsWhereItIsToEvict) if update.limit.when_full == WhenRowsFull::Evict => {
                update.limit.when_full = WhenRowsFull::Drop;
            }
            Some(EvictsWhereItIsToDrop) if update.limit.when_full == WhenRowsFull::Drop => {
                update.limit.when_full = WhenRowsFull::Evict;
            }
            Some(CountsTheUnreadableAgainstTheLimit) => {
                update.limit.rows = update.limit.rows.saturating_sub(held.unreadable.len());
            }
            Some(MakesRoomForOneOnly) => {
                let counted = held.rows.iter().filter(|row| row.state.is_counted());
                update.limit.rows = update.limit.rows.max(counted.count());
            }
            Some(NeedsRoomForTheSame)
                if update.row.as_ref().is_some_and(has_row)
                    && held.rows.len() >= update.limit.rows
                    && update.limit.when_full == WhenRowsFull::Refuse =>
            {
                update.row = None;
            }
            _ => {}
        }
        let is_taken = |row: &IndexRow| held.unreadable.contains(&row.session);
        if update.row.as_ref().is_some_and(is_taken) && !self.has(PutsInThePlaceOfTheUnreadable) {
            update.row = None;
        }
        if let Some(row) = &mut update.row {
            match self.flaw {
                Some(IsText) => row.facts = String::from_utf8_lossy(&row.facts).into_owned().into(),
                Some(CutsFacts) => row.facts.truncate(255),
                Some(KeepsTheOldFacts) => {
                    let old = held.rows.iter().find(|old| old.session == row.session);
                    row.facts = old.map_or(row.facts.clone(), |old| old.facts.clone());
                }
                _ => {}
            }
        }
        update
    }

    fn apply(&self, update: &IndexUpdate, held: &mut Held) -> IndexRows {
        let before = held.clone();
        let asked = self.asked(update, held);
        let rows = &mut held.rows;
        match self.flaw {
            Some(MakesRoomForNothing) if update.row.is_none() => {
                while rows.len() > update.limit.rows {
                    rows.remove(0);
                }
            }
            // What the rules choose by is turned around while they choose.
            Some(EvictsTheOneSeenLast | TheLargestIdMakesRoom | ComparesTimesAsFloats) => {
                return self.apply_otherwise(&asked, held);
            }
            Some(CountsWhatIsEvicting | DoesNotCountReservations) => {
                let of = |state: RowState| match self.flaw {
                    Some(CountsWhatIsEvicting) => state == RowState::Evicting,
                    _ => state == RowState::Reserved,
                };
                let kept: Vec<_> = rows.extract_if(.., |row| of(row.state)).collect();
                let mut asked = asked.clone();
                if self.has(CountsWhatIsEvicting) {
                    asked.limit.rows = asked.limit.rows.saturating_sub(kept.len()).max(1);
                }
                let is_full = asked.apply(rows).is_full;
                rows.extend(kept);
                return self.answer(held, is_full);
            }
            Some(CountsBeforeItDrops) => {
                let mut first = asked.clone();
                (first.now, first.removed) = (UnixMillis::EPOCH, Vec::new());
                let is_full = first.apply(rows).is_full;
                let mut rest = asked;
                rest.row = None;
                rest.apply(rows);
                return self.answer(held, is_full);
            }
            _ => {}
        }
        let is_full = asked.apply(rows).is_full;
        let new = update.row.as_ref();
        let of = |rows: &[IndexRow]| {
            let new = new.and_then(|new| rows.iter().position(|row| row.session == new.session));
            new.filter(|_| !is_full)
        };
        if let (Some(at), Some(new)) = (of(&held.rows), new) {
            let row = &mut held.rows[at];
            match self.flaw {
                Some(TheLastTimeCounts) => row.last_seen = new.last_seen,
                Some(ListsWhatIsEvicting) => row.state = new.state,
                Some(EmptiesLabels) => row.label = new.label.clone(),
                Some(RemovesAfterItPuts) => {
                    held.rows
                        .retain(|row| !update.removed.contains(&row.session));
                }
                _ => {}
            }
        }
        if self.has(TakesBackWhatARefusalRemoved) && is_full {
            *held = before.clone();
        }
        match self.flaw {
            Some(HidesThatItIsFull) => self.answer(held, false),
            Some(AnswersWithTheRowsFromBefore) => self.answer(&before, is_full),
            _ => self.answer(held, is_full),
        }
    }

    /// Chooses who makes room by something else than the rules say.
    fn apply_otherwise(&self, update: &IndexUpdate, held: &mut Held) -> IndexRows {
        let mut rest = update.clone();
        rest.row = None;
        rest.apply(&mut held.rows);
        let Some(new) = &update.row else {
            return self.answer(held, false);
        };
        let is_new = held.rows.iter().all(|row| row.session != new.session);
        let counted = |rows: &[IndexRow]| rows.iter().filter(|row| row.state.is_counted()).count();
        while is_new && counted(&held.rows) >= update.limit.rows {
            if update.limit.when_full == WhenRowsFull::Refuse {
                return self.answer(held, true);
            }
            let rows = held.rows.iter_mut().filter(|row| row.state.is_counted());
            let victim = match self.flaw {
                Some(EvictsTheOneSeenLast) => rows.max_by_key(|row| (row.last_seen, row.session)),
                Some(ComparesTimesAsFloats) => rows.min_by(|a, b| {
                    let seen = |row: &IndexRow| row.last_seen.as_millis() as f64;
                    let order = seen(a).total_cmp(&seen(b));
                    order.then(a.session.cmp(&b.session))
                }),
                _ => rows.min_by_key(|row| (row.last_seen, std::cmp::Reverse(row.session))),
            };
            let victim = victim.unwrap();
            victim.state = RowState::Evicting;
            let victim = victim.session;
            if update.limit.when_full == WhenRowsFull::Drop {
                held.rows.retain(|row| row.session != victim);
            }
        }
        rest.row = Some(new.clone());
        rest.removed.clear();
        rest.limit = RowLimit::new(MOST_ROWS, WhenRowsFull::Drop);
        rest.apply(&mut held.rows);
        self.answer(held, false)
    }
}

#[async_trait]
impl SessionIndex for Broken {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        let held = self.held.lock().unwrap();
        let held = held.get(&self.key(subject)).cloned().unwrap_or_default();
        Ok(self.answer(&held, self.has(CountsWhatIsOnlyRead)))
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        let subject = self.key(subject);
        if self.has(DoesNotLock) {
            let held = self.held.lock().unwrap().get(&subject).cloned();
            let mut held = held.unwrap_or_default();
            // For so long that others read meanwhile: tasks that only yield can run one after the other on a busy machine.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let answer = self.apply(update, &mut held);
            self.held.lock().unwrap().insert(subject, held);
            return Ok(answer);
        }
        let mut held = self.held.lock().unwrap();
        Ok(self.apply(update, held.entry(subject).or_default()))
    }

    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let mut held = self.held.lock().unwrap();
        let later = now + Duration::from_millis(1);
        for held in held.values_mut() {
            let has_some = held.rows.iter().any(|row| row.until <= now);
            held.rows.retain(|row| match self.flaw {
                Some(SweepsEverythingOfASubject) => !has_some,
                Some(SweepsEarly) => row.until > later,
                _ => row.until > now,
            });
            if self.has(SweepsTheUnreadable) {
                held.unreadable.clear();
            }
        }
        Ok(0)
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        let all = self.held.lock().unwrap().clone();
        for (subject, mut held) in all {
            let evicting = held.rows.iter();
            let evicting = evicting.filter(|row| row.state == RowState::Evicting);
            match self.flaw {
                Some(TellsEvictingTwice) => {
                    let twice: Vec<_> = evicting.cloned().collect();
                    held.rows.extend(twice);
                }
                Some(TellsOfNoReservations) => {
                    held.rows.retain(|row| row.state != RowState::Reserved);
                }
                _ => {}
            }
            receive(subject, self.answer(&held, false));
        }
        Ok(())
    }
}
