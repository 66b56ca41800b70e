//! Appends that fail, and what is waited for.

use super::{Disk, HOUR, SECOND, id, node, opened, publish, session};
use crate::error::StoreError;
use crate::ids::{Generation, SessionId, SubjectKey};
use crate::revoke::node::Node;
use crate::revoke::{Published, Store, SubjectEntry, Target};
use crate::testing::ManualClock;
use crate::time::Clock;

const ALICE: SubjectKey = SubjectKey::from_bytes([1; 16]);
const TARGET: Target = Target::Subject(ALICE);

struct Setup {
    disk: Disk,
    clock: ManualClock,
    store: Store,
    node: Node,
}

async fn setup() -> Setup {
    let (disk, clock) = (Disk::default(), ManualClock::default());
    let store = disk.store();
    let node = node(&store, &clock).await;
    Setup {
        disk,
        clock,
        store,
        node,
    }
}

impl Setup {
    async fn raise(&self) -> Result<SubjectEntry, StoreError> {
        self.raise_sparing(None).await
    }

    async fn raise_sparing(&self, spared: Option<SessionId>) -> Result<SubjectEntry, StoreError> {
        self.node.raise(TARGET, Generation::NONE, spared).await?;
        Ok(self.node.list().held(TARGET))
    }

    fn is_marked(&self) -> bool {
        self.marks(id(99))
    }

    fn marks(&self, session: SessionId) -> bool {
        self.node.list().of_session(TARGET, session).marked
    }
}

#[tokio::test]
async fn a_raise_that_failed_keeps_its_mark_until_a_compaction_lifts_it() {
    let it = setup().await;
    it.disk.fail(true);
    assert!(matches!(it.raise().await, Err(StoreError::Unavailable(_))));
    assert!(it.is_marked());
    assert_eq!(it.node.list().generation(TARGET), Generation::NONE);
    assert_eq!(it.node.backend().status().outstanding, 1);
    // Everything else fails at once, and nobody logs in.
    let compactions = it.disk.lock().compactions;
    assert!(publish(&it.node, session(1)).await.is_err());
    assert!(it.node.backend().read(vec![ALICE]).await.is_err());
    it.disk.fail(false);
    // The last attempt was a second ago: a login tries at once.
    it.clock.advance(SECOND);
    let reading = it.node.backend().read(vec![ALICE]).await.unwrap();
    assert_eq!(it.disk.lock().compactions, compactions + 1);
    assert!(!it.is_marked());
    assert_eq!(reading.subjects[0], it.node.list().generation(TARGET));
    assert!(reading.subjects[0] > Generation::NONE);
    assert_eq!(it.node.backend().status().outstanding, 0);
    // A publication that failed meanwhile is there, too.
    drop((it.node, it.store));
    let state = opened(&it.disk).unwrap();
    assert!(state.list.session(&id(1), false).is_some());
    assert_eq!(state.list.generation(TARGET), reading.subjects[0]);
}

#[tokio::test]
async fn a_failed_raise_is_written_later_without_a_request() {
    let it = setup().await;
    it.disk.fail(true);
    assert!(it.raise().await.is_err());
    it.disk.fail(false);
    let made_good = async {
        while it.is_marked() {
            tokio::time::sleep(SECOND / 50).await;
        }
    };
    tokio::time::timeout(30 * SECOND, made_good).await.unwrap();
    assert_eq!(it.node.backend().status().outstanding, 0);
}

#[tokio::test]
async fn a_failed_append_is_not_followed_by_another_before_a_compaction() {
    let it = setup().await;
    it.disk.fail(true);
    assert!(publish(&it.node, session(1)).await.is_err());
    it.disk.fail(false);
    let appends = it.disk.lock().appends;
    // The clock stands still: it is too soon to try again, unless it closes.
    let told = publish(&it.node, session(2)).await;
    if told.is_err() {
        assert_eq!(it.disk.lock().appends, appends);
    }
    assert_eq!(it.node.close(30 * SECOND).await, 0);
    publish(&it.node, session(3)).await.unwrap();
    drop((it.node, it.store));
    let state = opened(&it.disk).unwrap();
    for n in 1..=3 {
        assert!(state.list.session(&id(n), false).is_some(), "{n}");
    }
}

#[tokio::test]
async fn a_raise_over_one_that_is_outstanding_spares_nobody_whom_that_ended() {
    let it = setup().await;
    let spared = id(7);
    let first = it.raise().await.unwrap();
    it.disk.fail(true);
    assert!(it.raise_sparing(Some(spared)).await.is_err());
    assert!(it.is_marked() && !it.marks(spared));
    it.clock.advance(SECOND);
    assert!(it.raise_sparing(Some(spared)).await.is_err());
    assert!(!it.marks(spared), "both spare it");
    it.clock.advance(SECOND);
    assert!(it.raise().await.is_err());
    assert!(it.marks(spared));
    it.clock.advance(SECOND);
    assert!(it.raise_sparing(Some(spared)).await.is_err());
    assert!(it.marks(spared), "it was ended before");
    it.disk.fail(false);
    it.clock.advance(SECOND);
    let raised = it.raise_sparing(Some(spared)).await.unwrap();
    assert!(!it.is_marked() && !it.marks(spared));
    assert!(raised.least(spared) > first.generation);
    assert!(raised.least(spared) < raised.generation);
}

#[tokio::test]
async fn a_session_that_is_spared_stays_so_when_the_list_is_opened_again() {
    let it = setup().await;
    let first = it.raise().await.unwrap();
    let raised = it.raise_sparing(Some(id(7))).await.unwrap();
    assert_eq!(raised.least(id(7)), first.generation);
    drop((it.node, it.store));
    assert_eq!(opened(&it.disk).unwrap().list.held(TARGET), raised);
}

#[tokio::test]
async fn a_raise_at_the_top_of_the_range_fails_for_itself_alone() {
    let it = setup().await;
    let top = Generation::new(u64::MAX);
    let top = SubjectEntry::new(top, it.clock.now() + HOUR);
    it.node.list().join(&TARGET.at(top));
    assert_eq!(it.raise().await, Err(StoreError::Exhausted));
    assert!(!it.is_marked());
    publish(&it.node, session(1)).await.unwrap();
    let everyone = it.node.raise(Target::Everyone, Generation::NONE, None);
    everyone.await.unwrap();
}

#[tokio::test]
async fn raises_that_fail_take_down_nothing_that_is_published_beside_them() {
    let it = setup().await;
    let top = Generation::new(u64::MAX);
    let top = SubjectEntry::new(top, it.clock.now() + HOUR);
    it.node.list().join(&TARGET.at(top));
    let told: Vec<_> = {
        // Holds up the thread that writes.
        let _full = it.disk.lock();
        let ask = |n| {
            let raising = (n % 10 == 0).then(|| it.node.raise(TARGET, Generation::NONE, None));
            (raising, it.node.revoke(session(n)).there)
        };
        (0..200).map(ask).collect()
    };
    for (raising, there) in told {
        if let Some(raising) = raising {
            assert_eq!(raising.await, Err(StoreError::Exhausted));
        }
        assert_eq!(there.await, Ok(Published::Fresh));
    }
    drop((it.node, it.store));
    let list = &opened(&it.disk).unwrap().list;
    assert!((0..200).all(|n| list.session(&id(n), false).is_some()));
}

#[tokio::test]
async fn a_sweep_forgets_nothing_before_its_time_is_durable() {
    let it = setup().await;
    publish(&it.node, session(1)).await.unwrap();
    it.clock.advance(2 * HOUR);
    it.disk.fail(true);
    assert!(it.node.backend().sweep().await.is_err());
    assert_eq!(it.node.list().len(), 1);
    it.disk.fail(false);
    it.clock.advance(SECOND);
    it.node.backend().sweep().await.unwrap();
    assert_eq!(it.node.list().len(), 0);
}

/// It may have forgotten too early what a cookie from that time needs.
#[tokio::test]
async fn a_list_that_was_used_and_is_empty_again_does_not_begin_anew() {
    for is_raise in [false, true] {
        let it = setup().await;
        match is_raise {
            true => it.raise().await.map(drop).unwrap(),
            false => publish(&it.node, session(1)).await.map(drop).unwrap(),
        }
        it.clock.advance(3 * HOUR);
        it.node.backend().sweep().await.unwrap();
        assert_eq!(it.node.list().len(), 0);
        // A compaction leaves nothing of it in the journal.
        let compactions = it.disk.lock().compactions;
        it.disk.fail(true);
        it.clock.advance(SECOND);
        assert!(it.node.backend().sweep().await.is_err());
        it.disk.fail(false);
        it.clock.advance(SECOND);
        it.node.backend().sweep().await.unwrap();
        assert_eq!(it.disk.lock().compactions, compactions + 1);
        drop((it.node, it.store));
        // By the clock from before.
        let outcome = opened(&it.disk).map(drop);
        assert!(matches!(outcome, Err(StoreError::Clock(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn revocations_that_gather_are_appended_together() {
    let it = setup().await;
    let before = it.disk.lock().appends;
    let told: Vec<_> = {
        // Holds up the thread that writes.
        let _full = it.disk.lock();
        (0..500).map(|n| it.node.revoke(session(n)).there).collect()
    };
    for there in told {
        there.await.unwrap();
    }
    let appends = it.disk.lock().appends - before;
    assert!(appends <= 2, "{appends} appends");
}

#[tokio::test]
async fn a_journal_that_has_grown_is_compacted_and_stays_small() {
    let it = setup().await;
    let batch: Vec<_> = (0..1000).map(session).collect();
    let before = it.disk.lock().compactions;
    for _ in 0..300 {
        it.store.publish(&batch).await.unwrap();
    }
    let compactions = it.disk.lock().compactions - before;
    assert!((1..=3).contains(&compactions), "{compactions}");
    assert!(it.disk.lock().bytes.len() < 5 << 20);
    drop((it.node, it.store));
    assert_eq!(opened(&it.disk).unwrap().list.len(), 1000);
}

#[tokio::test]
async fn a_long_list_is_compacted_whole() {
    let it = setup().await;
    let all: Vec<_> = (0..300_000).map(session).collect();
    it.store.publish(&all).await.unwrap();
    it.disk.fail(true);
    assert!(publish(&it.node, session(300_000)).await.is_err());
    it.disk.fail(false);
    assert_eq!(it.node.close(30 * SECOND).await, 0);
    drop((it.node, it.store));
    assert_eq!(opened(&it.disk).unwrap().list.len(), 300_001);
}
