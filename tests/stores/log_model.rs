//! Any interleaving of calls leaves a list in Redis in the state of a log in memory, with the same answers.
//!
//! The log in memory is the plain model: maps, without an index. What holds it is the conformance suite
//! (`log_conformance`), and here that publishing is joining: neither order nor repeats matter.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sealed_session::revoke::{
    Announcement, Generation, Purpose, Raise, RaiseId, ReplicatedLog, Revocation, Serial,
    SessionEntry, SessionId, SnapshotEnd, Spared, SubjectEntry, SubjectKey, Target,
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
        4 => (subject(), generation(), 0..40u64, spared()).prop_map(|(key, generation, until, spared)| {
            let until = UnixMillis::new(START + until * 1000);
            let entry = SubjectEntry::new(generation, until);
            let entry = spared.map_or(entry, |spared| entry.sparing(spared));
            Revocation::Subject { key, entry }
        }),
        4 => generation().prop_map(|generation| Revocation::Everyone { generation }),
    ]
}

fn spared() -> impl Strategy<Value = Option<Spared>> {
    prop::option::of((1..3u8, 0..40u64).prop_map(|(session, n)| Spared {
        session: SessionId::from_bytes([session; 16]),
        generation: Generation::new(START + n * 500),
    }))
}

fn subject() -> impl Strategy<Value = SubjectKey> {
    (0..3u8).prop_map(|n| SubjectKey::from_bytes([n; 16]))
}

fn step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![
        3 => subject().prop_map(Target::Subject),
        1 => Just(Target::Everyone),
    ];
    let raise = (target, 0..7u8, 0..20_000u64, spared());
    let raise = raise.prop_map(|(target, id, known, spared)| {
        let id = RaiseId::from_bytes([id; 16]);
        let known = Generation::new(START + known);
        let mut raise = Raise::new(target, id, known, UnixMillis::EPOCH);
        raise.spared = spared.filter(|_| target != Target::Everyone);
        raise
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

/// Applies `steps` to a log in memory, and to the log that `open` opens. `moved` hears of each new time.
async fn agrees<S: ReplicatedLog>(
    steps: &[Step],
    clock: &ManualClock,
    moved: impl Fn(UnixMillis),
    mut open: impl FnMut() -> S,
) -> Result<(), TestCaseError> {
    let memory = MemoryLog::new(Arc::new(clock.clone()));
    let mut log = open();
    for step in steps {
        match step {
            Step::Publish(all) => {
                let want = memory.publish(all, Purpose::Revoke).await.unwrap();
                let receipt = log.publish(all, Purpose::Revoke).await.unwrap();
                prop_assert_eq!(receipt.published, want.published);
            }
            Step::Raise(raise) => {
                let want = memory.raise(*raise).await.unwrap();
                let raised = log.raise(*raise).await.unwrap();
                prop_assert_eq!(raised.entry, want.entry);
            }
            Step::Announce(announcement) => {
                memory.announce(*announcement).await.unwrap();
                log.announce(*announcement).await.unwrap();
            }
            Step::Advance(by) => {
                clock.advance(*by);
                moved(clock.now());
            }
            Step::Sweep => prop_assert_eq!(log.sweep().await, memory.sweep().await),
            Step::Reopen => log = open(),
        }
        let (all, end) = stored(&log).await;
        let (want, wanted) = stored(&memory).await;
        prop_assert_eq!(all, want);
        prop_assert_eq!(end.state.announced, wanted.state.announced);
        let subjects = [0, 1, 2].map(|n| SubjectKey::from_bytes([n; 16]));
        let read = log.read(&subjects).await.unwrap();
        let want = memory.read(&subjects).await.unwrap();
        prop_assert_eq!(read.subjects, want.subjects);
        prop_assert_eq!(read.everyone, want.everyone);
    }
    Ok(())
}

/// All that the log holds, in one order.
async fn stored(log: &impl ReplicatedLog) -> (Vec<String>, SnapshotEnd) {
    let mut all = Vec::new();
    let mut receive = |batch: Vec<Revocation>| {
        all.extend(batch.iter().map(|each| format!("{each:?}")));
    };
    let end = log.snapshot(&mut receive).await.unwrap();
    all.sort();
    (all, end)
}

fn run<F: Future<Output = Result<(), TestCaseError>>>(future: F) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// A session begins once.
fn began_once(revocation: Revocation) -> Revocation {
    match revocation {
        Revocation::AnonymousSession { id, entry, .. } => {
            let after = u64::from(id.as_bytes()[0]) * 1000;
            let created = UnixMillis::new(START - 6_000 + after);
            Revocation::AnonymousSession { id, created, entry }
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn in_any_order_and_repeated_publications_to_memory_end_in_the_same_state(
        (once, shuffled) in prop::collection::vec(revocation().prop_map(began_once), 1..20)
            .prop_flat_map(|all| (Just(all.clone()), Just([all.clone(), all].concat()).prop_shuffle()))
    ) {
        run(async {
            let clock = Arc::new(ManualClock::new(UnixMillis::new(START)));
            let logs = [(); 2].map(|()| MemoryLog::new(clock.clone()));
            logs[0].publish(&once, Purpose::Revoke).await.unwrap();
            for each in shuffled {
                logs[1].publish(&[each], Purpose::Revoke).await.unwrap();
            }
            prop_assert_eq!(stored(&logs[0]).await.0, stored(&logs[1]).await.0);
            Ok(())
        })?;
    }
}

#[cfg(feature = "redis")]
#[test]
fn redis_agrees_with_a_log_in_memory() {
    use proptest::test_runner::TestRunner;

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
        run(agrees(&steps, &clock, moved, || server.open(&list)))
    });
    outcome.unwrap();
}
