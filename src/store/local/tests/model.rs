//! Any sequence of calls leaves the store in the state that a plain model says, opened again or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{Disk, HOUR, id, node, publish};
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{
    Announcement, Published, Revocation, SessionEntry, Spared, Store, SubjectEntry, Target,
};
use crate::store::Memory;
use crate::testing::ManualClock;
use crate::time::{Clock, UnixMillis};

#[derive(Debug, Clone)]
enum Step {
    Publish(Revocation),
    PublishAll(Vec<Revocation>),
    Raise(Target, Option<SessionId>),
    Announce(Duration),
    Advance(Duration),
    Sweep,
    Reopen,
}

#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<(u8, [u8; 16]), Revocation>,
    longest: Duration,
    /// Expired entries: they may be in the journal still, and come back until the next sweep.
    forgotten: BTreeSet<(u8, [u8; 16])>,
}

fn place(revocation: &Revocation) -> (u8, [u8; 16]) {
    match revocation {
        Revocation::Session { id, .. } => (0, *id.as_bytes()),
        Revocation::AnonymousSession { id, .. } => (1, *id.as_bytes()),
        Revocation::Subject { key, .. } => (2, *key.as_bytes()),
        Revocation::Everyone { .. } => (3, [0; 16]),
        Revocation::Anonymous { .. } => (4, [0; 16]),
    }
}

impl Model {
    fn since(&self) -> UnixMillis {
        match self.entries.get(&(4, [0; 16])) {
            Some(Revocation::Anonymous { since }) => *since,
            _ => UnixMillis::EPOCH,
        }
    }

    /// The answer to a publication.
    fn answer(&self, revocation: &Revocation) -> Published {
        use Revocation::{Anonymous, AnonymousSession, Everyone, Session, Subject};
        let is_news = match (self.entries.get(&place(revocation)), revocation) {
            (_, AnonymousSession { created, .. }) if *created <= self.since() => {
                return Published::Ended;
            }
            (Some(Session { entry: held, .. }), Session { entry, .. })
            | (Some(AnonymousSession { entry: held, .. }), AnonymousSession { entry, .. }) => {
                entry.serial > held.serial
            }
            (Some(Subject { entry: held, .. }), Subject { entry, .. }) => {
                entry.generation > held.generation
            }
            (Some(Everyone { generation: held }), Everyone { generation }) => generation > held,
            (Some(Anonymous { since: held }), Anonymous { since }) => since > held,
            _ => true,
        };
        Published::fresh_if(is_news)
    }

    fn publish(&mut self, revocation: Revocation) {
        let slot = self.entries.entry(place(&revocation)).or_insert(revocation);
        *slot = slot.join(revocation);
        let since = self.since();
        self.entries.retain(|_, held| match held {
            Revocation::AnonymousSession { created, .. } => *created > since,
            _ => true,
        });
    }

    fn all(&self) -> Vec<Revocation> {
        let kept = self.entries.values().map(|held| match *held {
            Revocation::Subject { key, entry } => Revocation::Subject {
                key,
                entry: entry.kept(self.longest),
            },
            other => other,
        });
        kept.collect()
    }

    fn sweep(&mut self, now: UnixMillis) {
        let expired = self.all().into_iter().filter(|held| held.until() < now);
        for held in expired {
            self.entries.remove(&place(&held));
            self.forgotten.insert(place(&held));
        }
    }
}

fn start() -> UnixMillis {
    ManualClock::default().now()
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let time = || (0..40u64).prop_map(|n| start() + Duration::from_secs(n * 100));
    let entry = (0..4u32, time(), time())
        .prop_map(|(serial, from, until)| SessionEntry::new(Serial::new(serial), from, until));
    (0..7u8, 0..3u64, time(), entry).prop_map(|(kind, n, time, entry)| {
        let generation = Generation::new(time.as_millis());
        match kind {
            0 | 1 => Revocation::Session { id: id(n), entry },
            // It began before the test did, at one time in each.
            2 | 3 => Revocation::AnonymousSession {
                id: id(n),
                created: start().minus(Duration::from_secs(10 * n)),
                entry,
            },
            4 => Revocation::Subject {
                key: SubjectKey::from_bytes([n as u8; 16]),
                entry: SubjectEntry::new(generation, entry.until).sparing(Spared {
                    session: id(n + 1),
                    generation: Generation::new(entry.from.as_millis()),
                }),
            },
            5 => Revocation::Everyone { generation },
            _ => Revocation::Anonymous {
                since: start().minus(Duration::from_secs(5 + 10 * n)),
            },
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let spared = (0..3u64).prop_map(id);
    let target = prop_oneof![
        3 => (0..3u8).prop_map(|n| Target::Subject(SubjectKey::from_bytes([n; 16]))),
        1 => Just(Target::Everyone),
    ];
    prop_oneof![
        6 => revocation().prop_map(Step::Publish),
        2 => prop::collection::vec(revocation(), 2..6).prop_map(Step::PublishAll),
        3 => (target, prop::option::of(spared)).prop_map(|(target, spared)| Step::Raise(target, spared)),
        1 => (1..5u32).prop_map(|hours| Step::Announce(hours * HOUR)),
        3 => (0..900u64).prop_map(|n| Step::Advance(Duration::from_secs(n))),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

async fn agrees(steps: &[Step], disk: Option<Disk>) -> Result<(), TestCaseError> {
    let clock = ManualClock::default();
    let open = || match &disk {
        Some(disk) => disk.store(),
        None => Store::from(Memory::new()),
    };
    let mut store = open();
    let mut opened = node(&store, &clock).await;
    let mut model = Model {
        longest: HOUR,
        ..Model::default()
    };
    for step in steps {
        match *step {
            Step::Publish(revocation) => {
                let want = model.answer(&revocation);
                let answer = publish(&opened, revocation).await.unwrap();
                let may_be_back = disk.is_some() && model.forgotten.contains(&place(&revocation));
                prop_assert!(may_be_back || answer == want, "{:?} {:?}", answer, want);
                model.publish(revocation);
            }
            Step::PublishAll(ref all) => {
                store.publish(all).await.unwrap();
                all.iter().for_each(|each| model.publish(*each));
            }
            Step::Raise(target, spared) => {
                let held = opened.list().held(target);
                opened
                    .raise(target, Generation::NONE, spared)
                    .await
                    .unwrap();
                let raised = opened.list().held(target);
                let next = held.generation.next(Generation::NONE, clock.now());
                prop_assert_eq!(Some(raised.generation), next);
                if let (Some(spared), Target::Subject(_)) = (spared, target) {
                    prop_assert_eq!(raised.least(spared), held.least(spared));
                }
                model.publish(target.at(raised));
            }
            Step::Announce(longest) => {
                let announced = Announcement::new(longest, 1000, HOUR);
                store.announce(announced).await.unwrap();
                model.longest = model.longest.max(longest);
            }
            Step::Advance(by) => clock.advance(by),
            Step::Sweep => {
                opened.backend().sweep().await.unwrap();
                model.sweep(clock.now());
            }
            Step::Reopen if disk.is_none() => {}
            Step::Reopen => {
                drop((opened, store));
                store = open();
                opened = node(&store, &clock).await;
            }
        }
        let all = store.contents().await.unwrap().revocations;
        let all: BTreeMap<_, _> = all.iter().map(|held| (place(held), *held)).collect();
        for want in model.all() {
            let held = all.get(&place(&want));
            prop_assert!(
                held.is_some_and(|held| held.covers(&want)),
                "{:?} {:?}",
                held,
                want
            );
        }
        for (place, held) in all {
            let may_be_back = disk.is_some() && model.forgotten.contains(&place);
            prop_assert!(may_be_back || model.all().contains(&held), "{:?}", held);
        }
    }
    Ok(())
}

fn run(steps: &[Step], disk: Option<Disk>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(agrees(steps, disk))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_journal_agrees_with_the_model(steps in prop::collection::vec(step(), 1..50)) {
        run(&steps, Some(Disk::default()))?;
    }

    #[test]
    fn a_list_in_memory_agrees_with_the_model(steps in prop::collection::vec(step(), 1..50)) {
        run(&steps, None)?;
    }
}
