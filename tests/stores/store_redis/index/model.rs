//! Random updates, on a server and in memory: the same comes of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sealed_session::index::{IndexRow, IndexRows, IndexUpdate, RowLimit, RowState, WhenRowsFull};
use sealed_session::revoke::{SessionId, SubjectKey};
use sealed_session::time::UnixMillis;

use super::{HOUR, NOW, Server, index, key_of, new_list, sorted};

#[derive(Debug, Clone)]
enum Step {
    Update(IndexUpdate),
    /// Somebody writes what is not understood over the row of a session, if there is one.
    Damage(SessionId, Damage),
}

/// How a value is made one that is not understood.
#[derive(Debug, Clone)]
enum Damage {
    Empty,
    Version(u8),
    State(u8),
    /// Shorter, by one byte or more.
    Cut(usize),
    Longer,
    /// The length of the facts is another, or of the label.
    Length(usize, u8),
}

impl Damage {
    fn apply(&self, value: &mut Vec<u8>) {
        match *self {
            Self::Empty => value.clear(),
            Self::Version(version) => value[0] = version,
            Self::State(state) => value[1] = state,
            Self::Cut(by) => value.truncate(value.len().saturating_sub(by)),
            Self::Longer => value.push(0),
            Self::Length(at, by) => value[at] = value[at].wrapping_add(by),
        }
    }
}

/// Few ids, some of them with bytes that are no text, and some that differ in one late byte.
fn id() -> impl Strategy<Value = SessionId> {
    let byte = prop::sample::select(vec![0, b'a', b'B', 0x7f, 0x80, 0xff]);
    (byte, any::<bool>()).prop_map(|(byte, last)| {
        let mut id = [byte; 16];
        id[15] = u8::from(last);
        SessionId::from_bytes(id)
    })
}

/// In hours, so that none passes while the test runs.
fn hours(most: u64) -> impl Strategy<Value = Duration> {
    (0..=most).prop_map(|hours| HOUR * hours as u32)
}

fn time(most: u64) -> impl Strategy<Value = UnixMillis> {
    prop_oneof![
        12 => hours(most).prop_map(|hours| NOW + hours),
        1 => Just(UnixMillis::EPOCH),
        // Above what floating point can count to, and at the end.
        1 => (0..3_u64).prop_map(|more| UnixMillis::new((1 << 53) + more)),
        1 => (0..3_u64).prop_map(|less| UnixMillis::new(u64::MAX - less)),
    ]
}

fn row() -> impl Strategy<Value = IndexRow> {
    let state = prop::sample::select(vec![
        RowState::Reserved,
        RowState::Listed,
        RowState::Listed,
        RowState::Evicting,
    ]);
    let bytes = || prop::collection::vec(any::<u8>(), 0..4);
    let parts = (id(), state, time(3), time(12), bytes(), bytes());
    parts.prop_map(|(session, state, seen, until, facts, label)| {
        let mut row = IndexRow::new(session, state, seen, until);
        (row.facts, row.label) = (facts, label);
        row
    })
}

/// `now` is how long it is since the step before.
fn step() -> impl Strategy<Value = Step> {
    let limit = prop::sample::select(vec![
        WhenRowsFull::Refuse,
        WhenRowsFull::Evict,
        WhenRowsFull::Drop,
    ]);
    let removed = prop::collection::vec(id(), 0..2);
    let parts = (
        hours(2),
        (removed, prop::collection::vec(id(), 0..2)),
        prop::option::weighted(0.9, row()),
        0..6_usize,
        limit,
    );
    let update = parts.prop_map(|(passed, (removed, replaced), row, rows, when_full)| {
        let mut update = IndexUpdate::new(UnixMillis::EPOCH + passed);
        (update.removed, update.replaced, update.row) = (removed, replaced, row);
        update.limit = RowLimit::new(rows, when_full);
        // Also what no limit is, to the letter.
        update.limit.rows = rows;
        Step::Update(update)
    });
    let damage = prop_oneof![
        Just(Damage::Empty),
        prop::sample::select(vec![0, 2, 255]).prop_map(Damage::Version),
        prop::sample::select(vec![0, 4, 255]).prop_map(Damage::State),
        (1..22_usize).prop_map(Damage::Cut),
        Just(Damage::Longer),
        (18..22_usize, 1..=255_u8).prop_map(|(at, by)| Damage::Length(at, by)),
    ];
    prop_oneof![
        4 => update,
        1 => (id(), damage).prop_map(|(id, damage)| Step::Damage(id, damage)),
    ]
}

/// What the contract says.
#[derive(Default)]
struct Model {
    rows: Vec<IndexRow>,
    odd: BTreeSet<SessionId>,
}

impl Model {
    fn update(&mut self, update: &IndexUpdate) -> IndexRows {
        let mut update = update.clone();
        let row = update.row.take();
        update.row = row.filter(|row| !self.odd.contains(&row.session));
        let mut answer = update.apply(&mut self.rows);
        answer.unreadable = self.odd.len();
        answer
    }
}

#[test]
fn updates_do_what_the_contract_says_to_the_letter() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start();
    let list = new_list();
    let index = index(&server.open(&list));
    let mut raw = server.raw();
    let mut subjects = 0_u128;
    let damaged = Cell::new(0);
    let steps = prop::collection::vec(step(), 1..25);
    let run = |steps: Vec<Step>| {
        subjects += 1;
        let subject = SubjectKey::from_bytes(subjects.to_be_bytes());
        let key = key_of(&list, subject);
        let mut model = Model::default();
        let mut now = NOW;
        for step in steps {
            match step {
                Step::Update(mut update) => {
                    now = now + update.now.since(UnixMillis::EPOCH);
                    update.now = now;
                    let answer = runtime.block_on(index.update(subject, &update)).unwrap();
                    prop_assert_eq!(sorted(answer), sorted(model.update(&update)));
                }
                // A second time could repair it.
                Step::Damage(id, _) if model.odd.contains(&id) => continue,
                Step::Damage(id, damage) => {
                    let field = id.as_bytes().as_slice();
                    let get = redis::cmd("HGET").arg(&key).arg(field).query(&mut raw);
                    let Some(mut value): Option<Vec<u8>> = get.unwrap() else {
                        continue;
                    };
                    damage.apply(&mut value);
                    let mut set = redis::cmd("HSET");
                    set.arg(&key).arg(field).arg(value).exec(&mut raw).unwrap();
                    model.rows.retain(|row| row.session != id);
                    model.odd.insert(id);
                    damaged.set(damaged.get() + 1);
                }
            }
            let found = runtime.block_on(index.rows(subject)).unwrap();
            let mut expected = IndexRows::new(model.rows.clone());
            expected.unreadable = model.odd.len();
            prop_assert_eq!(sorted(found), sorted(expected));
        }
        Ok(())
    };
    let run = RefCell::new(run);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(400));
    runner.run(&steps, |steps| run.borrow_mut()(steps)).unwrap();
    assert!(damaged.get() > 10, "{damaged:?}");
}
