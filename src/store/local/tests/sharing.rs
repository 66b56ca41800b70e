//! One list for all `Sessions` of a store, and its limits.

use std::time::Duration;

use super::{Disk, HOUR, SECOND, anonymous, id, node, opened, publish, session, started};
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::{Published, Revocation, Store, Target};
use crate::store::Memory;
use crate::testing::ManualClock;
use crate::time::SKEW;
use crate::time::{Clock, UnixMillis};

#[tokio::test]
async fn two_sessions_on_one_store_share_one_list_and_one_sequence_of_raises() {
    let clock = ManualClock::default();
    for store in [Disk::default().store(), Memory::new().into()] {
        let one = node(&store, &clock).await;
        let two = node(&store, &clock).await;
        publish(&one, session(1)).await.unwrap();
        assert!(two.list().session(&id(1), false).is_some());
        assert_eq!(two.revoke(session(1)).here, Published::Known);
        for node in [&one, &two, &one] {
            let last = two.list().everyone();
            let raise = node.raise(Target::Everyone, Generation::NONE, None);
            raise.await.unwrap();
            assert!(one.list().everyone() > last);
        }
        drop(one);
        publish(&two, session(2)).await.unwrap();
    }
}

#[tokio::test]
async fn the_journal_is_closed_with_the_last_of_store_and_nodes() {
    let (disk, clock) = (Disk::default(), ManualClock::default());
    let store = disk.store();
    let node = node(&store, &clock).await;
    let there = node.revoke(session(1)).there;
    drop(store);
    assert!(disk.lock().is_open);
    drop(node);
    assert!(!disk.lock().is_open);
    // The publication under way was finished.
    assert_eq!(there.await, Ok(Published::Fresh));
    assert_eq!(opened(&disk).unwrap().list.len(), 1);
}

#[tokio::test]
async fn a_store_in_memory_appends_nothing_and_begins_when_it_is_used() {
    let clock = ManualClock::default();
    let store = Store::from(Memory::new());
    assert_eq!(
        format!("{store:?}"),
        format!("{:?}", Store::from(Memory::new()))
    );
    clock.advance(HOUR);
    let node = node(&store, &clock).await;
    assert_eq!(node.list().complete_since(), clock.now());
    assert_eq!(publish(&node, session(1)).await, Ok(Published::Fresh));
    let raised = node.raise(Target::Everyone, Generation::NONE, None).await;
    assert_eq!(raised, Ok(()));
    assert!(node.list().everyone() > Generation::NONE);
    assert!(!node.list().of_session(Target::Everyone, id(1)).marked);
    clock.advance(2 * HOUR);
    node.backend().sweep().await.unwrap();
    assert_eq!(node.list().len(), 0);
    assert_eq!(node.close(SECOND).await, 0);
}

#[tokio::test]
async fn a_list_that_is_the_store_can_judge_everything() {
    let clock = ManualClock::default();
    let node = node(&Memory::new().into(), &clock).await;
    clock.advance(HOUR);
    assert!(node.can_judge(UnixMillis::EPOCH, SECOND));
    assert_eq!(node.staleness(), Duration::ZERO);
    assert!(!node.is_settling() && !node.store_may_lack(UnixMillis::EPOCH));
}

#[tokio::test]
async fn a_full_list_of_anonymous_ends_can_end_more_and_never_revives_one() {
    let clock = ManualClock::default();
    let disk = Disk::default();
    let store = disk.store();
    let node = started(&store, &clock, 100).await.unwrap();
    let victim = anonymous(0, clock.now());
    assert_eq!(publish(&node, victim).await, Ok(Published::Fresh));
    for n in 1..=100 {
        clock.advance(SECOND);
        assert_eq!(
            publish(&node, anonymous(n, clock.now())).await,
            Ok(Published::Fresh)
        );
    }
    let began = ManualClock::default().now();
    assert_eq!(node.list().anonymous().since(), began);
    assert_eq!(publish(&node, victim).await, Ok(Published::Ended));
    drop((node, store));
    let list = &opened_at(&disk, &clock).await;
    assert_eq!(list.0, began);
    assert_eq!(list.1, 100);
}

/// Since when anonymous sessions live, and how many entries there are.
async fn opened_at(disk: &Disk, clock: &ManualClock) -> (UnixMillis, usize) {
    let store = disk.store();
    let node = started(&store, clock, 100).await.unwrap();
    let anonymous = node.list().anonymous();
    (anonymous.since(), anonymous.len())
}

#[tokio::test]
async fn three_hundred_anonymous_logouts_at_once_all_succeed() {
    let clock = ManualClock::default();
    for store in [Disk::default().store(), Memory::new().into()] {
        let node = node(&store, &clock).await;
        let told: Vec<_> = (0..300)
            .map(|n| node.revoke(anonymous(n, clock.now())).there)
            .collect();
        for there in told {
            assert_eq!(there.await, Ok(Published::Fresh));
        }
    }
}

/// One that was used may have forgotten something too early, and keeps the later of both times.
#[tokio::test]
async fn a_list_that_is_still_empty_begins_anew_while_it_is_in_use() {
    let (disk, clock) = (Disk::default(), ManualClock::default());
    let right = clock.now();
    clock.set(right + 2 * HOUR);
    let store = disk.store();
    let node = node(&store, &clock).await;
    let day = crate::revoke::Announcement::new(24 * HOUR, 1000, HOUR);
    store.announce(day).await.unwrap();
    clock.set(right);
    node.backend().sweep().await.unwrap();
    assert_eq!(node.list().complete_since(), right);
    // What is revoked from then on is kept, and so is what was announced before.
    publish(&node, session(1)).await.unwrap();
    node.backend().sweep().await.unwrap();
    drop((node, store));
    let state = opened(&disk).unwrap();
    assert_eq!(state.list.complete_since(), right);
    assert!(state.list.session(&id(1), false).is_some());
    assert_eq!(state.about().announced.longest, 24 * HOUR);
}

/// It could not make room among those of anonymous sessions.
#[tokio::test]
async fn the_end_of_an_anonymous_session_from_the_future_is_kept_in_the_main_list() {
    let clock = ManualClock::default();
    let disk = Disk::default();
    let at = clock.now() + SKEW;
    {
        let node = node(&disk.store(), &clock).await;
        assert_eq!(publish(&node, anonymous(1, at)).await, Ok(Published::Fresh));
        let ahead = anonymous(2, at + SECOND);
        assert_eq!(publish(&node, ahead).await, Ok(Published::Fresh));
    }
    let store = disk.store();
    let node = node(&store, &clock).await;
    let held = |n| node.list().session(&id(n), false).is_some();
    assert_eq!((held(1), held(2)), (false, true));

    let since = Revocation::Anonymous { since: at + SECOND };
    let outcome = store.publish(&[session(3), since]).await;
    assert!(matches!(outcome, Err(StoreError::Clock(_))), "{outcome:?}");
    assert!(!held(3), "all or none");
}

#[tokio::test]
async fn a_logout_over_a_login_is_told_that_it_succeeded() {
    let clock = ManualClock::default();
    let store = Disk::default().store();
    let node = node(&store, &clock).await;
    let succeeded = |n| match session(n) {
        Revocation::Session { id, mut entry } => {
            entry.serial = crate::ids::Serial::SUCCEEDED;
            Revocation::Session { id, entry }
        }
        other => other,
    };
    assert_eq!(publish(&node, succeeded(1)).await, Ok(Published::Fresh));
    assert_eq!(publish(&node, session(1)).await, Ok(Published::Succeeded));
    assert_eq!(publish(&node, succeeded(2)).await, Ok(Published::Fresh));
    let logout = anonymous(2, clock.now());
    assert_eq!(publish(&node, logout).await, Ok(Published::Succeeded));
}

#[tokio::test]
async fn a_longer_life_announced_later_keeps_subjects_over_restarts_and_sweeps() {
    let (disk, clock) = (Disk::default(), ManualClock::default());
    let key = crate::ids::SubjectKey::from_bytes([1; 16]);
    let target = Target::Subject(key);
    let store = disk.store();
    let node = node(&store, &clock).await;
    node.raise(target, Generation::NONE, None).await.unwrap();
    let raised = node.list().held(target);
    assert_eq!(raised.until, clock.now() + HOUR);
    let day = crate::revoke::Announcement::new(24 * HOUR, 1000, HOUR);
    store.announce(day).await.unwrap();
    drop((node, store));
    // Past the first `until`.
    for (after, kept) in [
        (2, raised.generation),
        // In its last millisecond it holds.
        (22, raised.generation),
        (1, Generation::NONE),
    ] {
        clock.advance(after * HOUR);
        let store = disk.store();
        let node = super::node(&store, &clock).await;
        node.backend().sweep().await.unwrap();
        assert_eq!(node.list().generation(target), kept, "{after}");
    }
}
