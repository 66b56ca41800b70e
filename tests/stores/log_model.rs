//! Any interleaving of calls leaves every shared log in the state that a plain model says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sealed_session::revoke::{
    Announcement, Generation, Published, Purpose, Raise, RaiseId, ReplicatedLog, Revocation,
    Serial, SessionEntry, SessionId, SubjectEntry, SubjectKey, Target,
};
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::{Clock, UnixMillis};

const START: u64 = 1_800_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<Revocation>),
    Raise(Raise),
    Announce(Announcement),
    Advance(Duration),
    Sweep,
    Reopen,
}

/// The contract in its plainest form: maps, no index, no stream.
#[derive(Debug, Clone, Default)]
struct Model {
    sessions: BTreeMap<SessionId, SessionEntry>,
    anonymous: BTreeMap<SessionId, (UnixMillis, SessionEntry)>,
    since: UnixMillis,
    subjects: BTreeMap<SubjectKey, SubjectEntry>,
    everyone: Generation,
    last: BTreeMap<Option<SubjectKey>, Vec<(RaiseId, Generation)>>,
    announced: Announcement,
}

impl Model {
    fn publish(&mut self, revocation: Revocation, now: UnixMillis) -> Published {
        let fresh = match revocation {
            Revocation::Session { id, entry } => {
                let old = self.sessions.get(&id).copied();
                let new = old.map_or(entry, |old| old.join(entry));
                self.sessions.insert(id, new);
                if old.is_some_and(|old| old.serial == Serial::SUCCEEDED) {
                    return Published::Succeeded;
                }
                old.is_none_or(|old| entry.serial > old.serial)
            }
            Revocation::AnonymousSession { id, created, entry } => {
                let main = self.sessions.get(&id).copied();
                let fresh = self.anonymous(id, created, entry, now);
                if main.is_some_and(|main| main.serial == Serial::SUCCEEDED) {
                    return Published::Succeeded;
                }
                if created <= self.since {
                    return Published::Ended;
                }
                fresh
            }
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
            Revocation::Anonymous { since } => {
                let fresh = since > self.since;
                self.rise(self.since.max(since));
                fresh
            }
        };
        if fresh {
            Published::Fresh
        } else {
            Published::Known
        }
    }

    fn anonymous(
        &mut self,
        id: SessionId,
        created: UnixMillis,
        entry: SessionEntry,
        now: UnixMillis,
    ) -> bool {
        if created <= self.since {
            return false;
        }
        let old = self.anonymous.get(&id).copied();
        let new = old.map_or((created, entry), |(began, old)| {
            (began.max(created), old.join(entry))
        });
        self.anonymous.insert(id, new);
        if old == Some(new) {
            return false;
        }
        let capacity = match self.announced.anonymous_capacity {
            0 => 500_000,
            announced => announced as usize,
        };
        if self.anonymous.len() > capacity {
            self.sweep(now);
        }
        while self.anonymous.len() > capacity {
            let first = self.anonymous.values().map(|(created, _)| *created).min();
            self.rise(first.unwrap());
        }
        old.is_none_or(|(_, old)| entry.serial > old.serial)
    }

    fn rise(&mut self, since: UnixMillis) {
        self.since = since;
        self.anonymous.retain(|_, (created, _)| *created > since);
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
        let raised = match key {
            Some(key) => Revocation::Subject {
                key,
                entry: SubjectEntry {
                    generation: value,
                    until: now + self.announced.longest,
                },
            },
            None => Revocation::Everyone { generation: value },
        };
        self.publish(raised, now);
        value
    }

    fn until(&self, entry: &SubjectEntry) -> UnixMillis {
        let raised = UnixMillis::new(entry.generation.get());
        entry.until.max(raised + self.announced.longest)
    }

    fn sweep(&mut self, now: UnixMillis) -> usize {
        let count = |it: &Self| it.sessions.len() + it.anonymous.len() + it.subjects.len();
        let before = count(self);
        self.sessions.retain(|_, entry| entry.until >= now);
        self.anonymous.retain(|_, (_, entry)| entry.until >= now);
        let model = self.clone();
        self.subjects.retain(|_, entry| model.until(entry) >= now);
        let subjects = &self.subjects;
        self.last
            .retain(|key, _| key.is_none_or(|key| subjects.contains_key(&key)));
        before - count(self)
    }

    fn all(&self) -> Vec<String> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|(&id, &entry)| Revocation::Session { id, entry });
        let anonymous = self.anonymous.iter();
        let anonymous = anonymous.map(|(&id, &(created, entry))| Revocation::AnonymousSession {
            id,
            created,
            entry,
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
        let since = self.since;
        let since = (since > UnixMillis::EPOCH).then_some(Revocation::Anonymous { since });
        text(
            sessions
                .chain(anonymous)
                .chain(subjects)
                .chain(everyone)
                .chain(since),
        )
    }
}

fn text(revocations: impl Iterator<Item = Revocation>) -> Vec<String> {
    let mut all: Vec<_> = revocations.map(|each| format!("{each:?}")).collect();
    all.sort();
    all
}

fn entry() -> impl Strategy<Value = SessionEntry> {
    let serial = prop_oneof![
        5 => (0..4u32).prop_map(Serial::new),
        1 => Just(Serial::SUCCEEDED),
    ];
    (serial, 0..4u64, 0..40u64).prop_map(|(serial, from, until)| SessionEntry {
        serial,
        from: UnixMillis::new(START + from),
        until: UnixMillis::new(START + until * 1000),
    })
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let id = || (0..3u8).prop_map(|n| SessionId::from_bytes([n; 16]));
    let many = (0..12u8).prop_map(|n| SessionId::from_bytes([n; 16]));
    let created = || (0..12u64).prop_map(|n| UnixMillis::new(START - 6_000 + n * 1000));
    let generation = || (0..40u64).prop_map(|n| Generation::new(START + n * 500));
    prop_oneof![
        4 => (id(), entry()).prop_map(|(id, entry)| Revocation::Session { id, entry }),
        8 => (many, created(), entry()).prop_map(|(id, created, entry)| {
            Revocation::AnonymousSession { id, created, entry }
        }),
        1 => created().prop_map(|since| Revocation::Anonymous { since }),
        4 => (subject(), generation(), 0..40u64).prop_map(|(key, generation, until)| {
            let until = UnixMillis::new(START + until * 1000);
            let entry = SubjectEntry { generation, until };
            Revocation::Subject { key, entry }
        }),
        4 => generation().prop_map(|generation| Revocation::Everyone { generation }),
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
        1 => (0..15u64, 0..9u64).prop_map(|(longest, capacity)| {
            let longest = Duration::from_secs(longest);
            Step::Announce(Announcement::new(longest, capacity, Duration::ZERO))
        }),
        3 => (0..9_000u64).prop_map(|n| Step::Advance(Duration::from_millis(n))),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

/// Applies `steps` to the log that `open` opens, and to the model. `moved` hears of each new time.
async fn agrees<S: ReplicatedLog>(
    steps: &[Step],
    clock: &ManualClock,
    moved: impl Fn(UnixMillis),
    mut open: impl FnMut(Option<S>) -> S,
) -> Result<(), TestCaseError> {
    let mut log = open(None);
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Publish(all) => {
                let now = clock.now();
                let want: Vec<_> = all.iter().map(|it| model.publish(*it, now)).collect();
                let receipt = log.publish(all, Purpose::Revoke).await.unwrap();
                prop_assert_eq!(receipt.published, want);
            }
            Step::Raise(raise) => {
                let want = model.raise(*raise, clock.now());
                let raised = log.raise(*raise).await.unwrap();
                prop_assert_eq!(raised.generation, want);
            }
            Step::Announce(announcement) => {
                model.announced = model.announced.join(*announcement);
                log.announce(*announcement).await.unwrap();
            }
            Step::Advance(by) => {
                clock.advance(*by);
                moved(clock.now());
            }
            Step::Sweep => {
                let want = model.sweep(clock.now());
                prop_assert_eq!(log.sweep().await, Ok(want));
            }
            Step::Reopen => log = open(Some(log)),
        }
        let mut all = Vec::new();
        let end = log.snapshot(&mut |batch| all.extend(batch)).await.unwrap();
        prop_assert_eq!(text(all.into_iter()), model.all());
        prop_assert_eq!(end.state.announced, model.announced);
        for n in 0..3 {
            let key = SubjectKey::from_bytes([n; 16]);
            let read = log.read(Some(key)).await.unwrap();
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
        run(agrees(&steps, &clock, |_| (), |log: Option<MemoryLog>| match log {
            Some(log) => log.clone(),
            None => MemoryLog::new(shared.clone()),
        }))?;
    }
}

#[cfg(feature = "redis")]
#[test]
fn redis_agrees_with_the_model() {
    use proptest::test_runner::TestRunner;
    use sealed_session::store::Redis;

    use crate::store_redis::harness;
    use support::moved_clock::MovedClock;

    let Some(servers_clock) = MovedClock::build() else {
        return;
    };
    let server = harness::Server::under(&servers_clock);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(150));
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
