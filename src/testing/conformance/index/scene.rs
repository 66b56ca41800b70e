//! An index beside what it has to hold, and rows to put.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::harness::IndexHarness;
use crate::ids::{SessionId, SubjectKey};
use crate::index::{
    IndexRow, IndexRows, IndexUpdate, RowLimit, RowState, SessionIndex, WhenRowsFull,
};
use crate::testing::conformance::report::{Checked, Stop, equal, same};
use crate::time::{Clock, SystemClock, UnixMillis};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) const WHEN_FULL: [WhenRowsFull; 3] = [
    WhenRowsFull::Refuse,
    WhenRowsFull::Evict,
    WhenRowsFull::Drop,
];

/// What a check does, one after the other.
pub(super) type Updates = Vec<IndexUpdate>;

/// An index, and what it has to hold.
pub(super) struct Scene {
    pub(super) index: Arc<dyn SessionIndex>,
    pub(super) held: BTreeMap<SubjectKey, Vec<IndexRow>>,
    /// When it began.
    pub(super) start: UnixMillis,
}

impl Scene {
    pub(super) async fn new(h: &dyn IndexHarness) -> Checked<Self> {
        let failed = |error| Stop::failed(format!("no index: {error}"));
        Ok(Self {
            index: h.fresh().await.map_err(failed)?,
            held: BTreeMap::new(),
            start: SystemClock::default().now(),
        })
    }

    /// A listed session, seen so many seconds after the beginning. It is over after a day.
    pub(super) fn row(&self, number: u64, seen: u64) -> IndexRow {
        let seen = self.start + Duration::from_secs(seen);
        let row = IndexRow::new(
            session(number),
            RowState::Listed,
            seen,
            self.start + 24 * HOUR,
        );
        IndexRow {
            facts: format!("facts of {number}").into(),
            label: format!("label of {number}").into(),
            ..row
        }
    }

    pub(super) fn update(&self) -> IndexUpdate {
        IndexUpdate::new(self.start)
    }

    pub(super) fn put(&self, row: IndexRow) -> IndexUpdate {
        IndexUpdate {
            row: Some(row),
            ..self.update()
        }
    }

    pub(super) fn put_of(
        &self,
        row: IndexRow,
        rows: usize,
        when_full: WhenRowsFull,
    ) -> IndexUpdate {
        IndexUpdate {
            limit: RowLimit::new(rows, when_full),
            ..self.put(row)
        }
    }

    /// Makes the update, and fails the check unless the index does as the rules say.
    pub(super) async fn step_of(&mut self, subject: SubjectKey, update: &IndexUpdate) -> Checked {
        let want = update.apply(self.held.entry(subject).or_default());
        let answer = self.index.update(subject, update).await?;
        let after = || format!("after {update:?}");
        equal(
            &format!("`is_full` {}", after()),
            answer.is_full,
            want.is_full,
        )?;
        understood(&answer)?;
        same(&format!("the answer {}", after()), &answer.rows, &want.rows)?;
        self.holds(subject, &after()).await
    }

    /// Fails the check unless the subject has the rows that it has to have.
    pub(super) async fn holds(&self, subject: SubjectKey, when: &str) -> Checked {
        let rows = self.index.rows(subject).await?;
        understood(&rows)?;
        equal(
            &format!("`is_full` of what is only read {when}"),
            rows.is_full,
            false,
        )?;
        let want = self.held.get(&subject).map_or(&[][..], Vec::as_slice);
        same(&format!("what is there {when}"), &rows.rows, want)
    }

    /// Makes the updates of one subject, as [`Self::step_of`] does.
    pub(super) async fn steps(&mut self, updates: Updates) -> Checked {
        for update in updates {
            self.step_of(subject(0), &update).await?;
        }
        Ok(())
    }

    /// Puts a row of each of these, seen one second after the other.
    pub(super) fn listed(&self, numbers: impl IntoIterator<Item = u64>) -> Updates {
        let numbers = (1..).zip(numbers);
        numbers
            .map(|(seen, number)| self.put(self.row(number, seen)))
            .collect()
    }

    pub(super) fn removing(&self, numbers: &[u64]) -> IndexUpdate {
        IndexUpdate {
            removed: numbers.iter().copied().map(session).collect(),
            ..self.update()
        }
    }
}

/// Makes the updates of a check, in an index of their own.
pub(super) async fn steps(h: &dyn IndexHarness, updates: fn(&Scene) -> Updates) -> Checked {
    let mut scene = Scene::new(h).await?;
    let updates = updates(&scene);
    scene.steps(updates).await
}

/// Does so for each thing that is done where there are as many rows as there may be.
pub(super) async fn steps_when_full(
    h: &dyn IndexHarness,
    updates: fn(&Scene, WhenRowsFull) -> Updates,
) -> Checked {
    for when_full in WHEN_FULL {
        let mut scene = Scene::new(h).await?;
        let updates = updates(&scene, when_full);
        scene.steps(updates).await?;
    }
    Ok(())
}

fn understood(rows: &IndexRows) -> Checked {
    equal("the number of rows not understood", rows.unreadable, 0)
}

/// Ids in the order of their numbers.
pub(super) fn session(number: u64) -> SessionId {
    SessionId::from_bytes(ordered(number))
}

pub(super) fn subject(number: u64) -> SubjectKey {
    SubjectKey::from_bytes(ordered(number))
}

/// The lowest and the highest byte count: as text, as numbers, from the left.
fn ordered(number: u64) -> [u8; 16] {
    let number = u128::from(number);
    (number << 120 | number << 64 | 0xff00_0aff).to_be_bytes()
}

/// Numbers that look random, the same in each run: splitmix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// One of the numbers from 0 to `below` - 1.
    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(below).unwrap_or(0)
    }

    /// Whether it is one case of so many.
    pub(super) fn one_of(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    pub(super) fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.below(most.saturating_add(1));
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}
