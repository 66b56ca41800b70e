//! Any interleaving of calls leaves every store in the state that a plain model says.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sealed_session::revoke::{
    Published, Raise, Revocation, RevocationStore, SessionEntry, SubjectEntry, Target,
};
use sealed_session::store::Memory;
use sealed_session::testing::ManualClock;
use sealed_session::{
    revoke::{Generation, RaiseId, Serial, SessionId, SubjectKey},
    time::{Clock, UnixMillis},
};

const START: u64 = 1_800_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<Revocation>),
    Raise(Raise),
    Announce(Duration),
    Advance(Duration),
    Sweep,
    Reopen,
}

/// The contract in its plainest form: one map, no index, no feed.
#[derive(Debug, Clone, Default)]
struct Model {
    sessions: BTreeMap<(bool, SessionId), SessionEntry>,
    subjects: BTreeMap<SubjectKey, SubjectEntry>,
    everyone: Generation,
    last: BTreeMap<Option<SubjectKey>, Vec<(RaiseId, Generation)>>,
    longest: Duration,
}

impl Model {
    fn publish(&mut self, revocation: Revocation) -> Published {
        let fresh = match revocation {
            Revocation::Session { id, entry } => self.session(false, id, entry),
            Revocation::Visitor { id, entry } => self.session(true, id, entry),
            Revocation::Subject { key, entry } => {
                let old = self.subjects.get(&key).copied();
                let new = old.map_or(entry, |old| old.join(entry));
                self.subjects.insert(key, new);
                old.is_none_or(|old| entry.generation > old.generation)
            }
            Revocation::Everyone { generation } => {
                let fresh = generation > self.everyone;
                self.everyone = self.everyone.max(generation);
                fresh
            }
        };
        if fresh {
            Published::Fresh
        } else {
            Published::Known
        }
    }

    fn session(&mut self, visitor: bool, id: SessionId, entry: SessionEntry) -> bool {
        let old = self.sessions.get(&(visitor, id)).copied();
        let new = old.map_or(entry, |old| old.join(entry));
        self.sessions.insert((visitor, id), new);
        old.is_none_or(|old| entry.serial > old.serial)
    }

    fn raise(&mut self, raise: Raise, now: UnixMillis) -> Generation {
        let key = match raise.target {
            Target::Subject(key) => Some(key),
            Target::Everyone => None,
        };
        let recent = self.last.get(&key).into_iter().flatten().rev().take(4);
        if let Some((_, value)) = recent.into_iter().find(|(id, _)| *id == raise.id) {
            return *value;
        }
        let stored = key.map_or(self.everyone, |key| {
            self.subjects
                .get(&key)
                .map_or(Generation::NONE, |entry| entry.generation)
        });
        let value = stored.next(raise.known, now).unwrap();
        self.last.entry(key).or_default().push((raise.id, value));
        self.publish(match key {
            Some(key) => Revocation::Subject {
                key,
                entry: SubjectEntry {
                    generation: value,
                    until: now + self.longest,
                },
            },
            None => Revocation::Everyone { generation: value },
        });
        value
    }

    fn until(&self, entry: &SubjectEntry) -> UnixMillis {
        let raised = UnixMillis::new(entry.generation.get());
        entry.until.max(raised + self.longest)
    }

    fn sweep(&mut self, now: UnixMillis) -> usize {
        let before = self.sessions.len() + self.subjects.len();
        self.sessions.retain(|_, entry| entry.until >= now);
        let model = self.clone();
        self.subjects.retain(|_, entry| model.until(entry) >= now);
        let subjects = &self.subjects;
        self.last
            .retain(|key, _| key.is_none_or(|key| subjects.contains_key(&key)));
        before - self.sessions.len() - self.subjects.len()
    }

    fn all(&self) -> Vec<String> {
        let sessions = self.sessions.iter().map(|(&(visitor, id), &entry)| {
            if visitor {
                Revocation::Visitor { id, entry }
            } else {
                Revocation::Session { id, entry }
            }
        });
        let subjects = self.subjects.iter().map(|(&key, entry)| {
            let until = self.until(entry);
            Revocation::Subject {
                key,
                entry: SubjectEntry { until, ..*entry },
            }
        });
        let generation = self.everyone;
        let everyone =
            (generation > Generation::NONE).then_some(Revocation::Everyone { generation });
        text(sessions.chain(subjects).chain(everyone))
    }
}

fn text(revocations: impl Iterator<Item = Revocation>) -> Vec<String> {
    let mut all: Vec<_> = revocations.map(|each| format!("{each:?}")).collect();
    all.sort();
    all
}

fn entry() -> impl Strategy<Value = SessionEntry> {
    (0..4u32, 0..4u64, 0..40u64).prop_map(|(serial, from, until)| SessionEntry {
        serial: Serial::new(serial),
        from: UnixMillis::new(START + from),
        until: UnixMillis::new(START + until * 1000),
    })
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let id = || (0..3u8).prop_map(|n| SessionId::from_bytes([n; 16]));
    let generation = || (0..40u64).prop_map(|n| Generation::new(START + n * 500));
    prop_oneof![
        (id(), entry()).prop_map(|(id, entry)| Revocation::Session { id, entry }),
        (id(), entry()).prop_map(|(id, entry)| Revocation::Visitor { id, entry }),
        (subject(), generation(), 0..40u64).prop_map(|(key, generation, until)| {
            let until = UnixMillis::new(START + until * 1000);
            let entry = SubjectEntry { generation, until };
            Revocation::Subject { key, entry }
        }),
        generation().prop_map(|generation| Revocation::Everyone { generation }),
    ]
}

fn subject() -> impl Strategy<Value = SubjectKey> {
    (0..3u8).prop_map(|n| SubjectKey::from_bytes([n; 16]))
}

fn step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![
        3 => subject().prop_map(Target::Subject),
        1 => Just(Target::Everyone),
    ];
    let raise = (target, 0..7u8, 0..20_000u64).prop_map(|(target, id, known)| {
        Raise::new(
            target,
            RaiseId::from_bytes([id; 16]),
            Generation::new(START + known),
            UnixMillis::EPOCH,
        )
    });
    prop_oneof![
        6 => prop::collection::vec(revocation(), 1..6).prop_map(Step::Publish),
        3 => raise.prop_map(Step::Raise),
        1 => (0..15u64).prop_map(|n| Step::Announce(Duration::from_secs(n))),
        3 => (0..9_000u64).prop_map(|n| Step::Advance(Duration::from_millis(n))),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

/// Applies `steps` to the store that `open` opens, and to the model. `moved` hears of each new time.
async fn agrees<S: RevocationStore>(
    steps: &[Step],
    clock: &ManualClock,
    moved: impl Fn(UnixMillis),
    mut open: impl FnMut(Option<S>) -> S,
) -> Result<(), TestCaseError> {
    let mut store = open(None);
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Publish(all) => {
                let want: Vec<_> = all.iter().map(|each| model.publish(*each)).collect();
                prop_assert_eq!(store.publish(all).await, Ok(want));
            }
            Step::Raise(raise) => {
                let want = model.raise(*raise, clock.now());
                let raised = store.raise(*raise).await.unwrap();
                prop_assert_eq!(raised.generation, want);
            }
            Step::Announce(longest) => {
                model.longest = model.longest.max(*longest);
                store.announce(*longest).await.unwrap();
            }
            Step::Advance(by) => {
                clock.advance(*by);
                moved(clock.now());
            }
            Step::Sweep => {
                let want = model.sweep(clock.now());
                prop_assert_eq!(store.sweep().await, Ok(want));
            }
            Step::Reopen => store = open(Some(store)),
        }
        let mut all = Vec::new();
        let end = store
            .snapshot(&mut |batch| all.extend(batch))
            .await
            .unwrap();
        prop_assert_eq!(text(all.into_iter()), model.all());
        prop_assert_eq!(end.longest, model.longest);
        for n in 0..3 {
            let key = SubjectKey::from_bytes([n; 16]);
            let read = store.read(key).await.unwrap();
            let want = model.subjects.get(&key).map(|entry| entry.generation);
            prop_assert_eq!(read.subject, want.unwrap_or_default());
            prop_assert_eq!(read.everyone, model.everyone);
        }
    }
    Ok(())
}

fn run<F: Future<Output = Result<(), TestCaseError>>>(future: F) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

proptest! {
    #[test]
    fn memory_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let clock = ManualClock::new(UnixMillis::new(START));
        let shared = Arc::new(clock.clone());
        run(agrees(&steps, &clock, |_| (), |store| {
            store.unwrap_or_else(|| Memory::with_clock(shared.clone()))
        }))?;
    }
}

#[cfg(feature = "redb")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn redb_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        use sealed_session::store::Redb;
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("revocations.redb");
        let clock = ManualClock::new(UnixMillis::new(START));
        let options = Redb::options().clock(Arc::new(clock.clone()));
        run(agrees(&steps, &clock, |_| (), |store: Option<Redb>| match store {
            None => options.clone().create(&path).unwrap(),
            Some(store) => {
                drop(store);
                options.clone().open(&path).unwrap()
            }
        }))?;
    }
}

#[cfg(feature = "redis")]
#[test]
fn redis_agrees_with_the_model() {
    use proptest::test_runner::TestRunner;
    use sealed_session::store::Redis;

    use crate::store_redis::harness;
    use common::moved_clock::MovedClock;

    let Some(servers_clock) = MovedClock::build() else {
        return;
    };
    let server = harness::Server::under(&servers_clock);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    let outcome = runner.run(&prop::collection::vec(step(), 1..60), |steps| {
        let clock = ManualClock::new(UnixMillis::new(START));
        servers_clock.stop_at(START);
        let list = harness::new_list();
        let moved = |now: UnixMillis| servers_clock.stop_at(now.as_millis());
        // Opened again, it has another connection.
        let open = |_: Option<Redis>| server.open(&list);
        run(agrees(&steps, &clock, moved, open))
    });
    outcome.unwrap();
}
