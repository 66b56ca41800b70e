//! Followers miss nothing: what breaks the chain is a gap.

use std::time::{Duration, Instant};

use sealed_session::revoke::{Cursor, Followed, Generation, ReplicatedLog, Target};

use super::harness::{Server, key, new_list};
use super::tools::*;
use support::moved_clock::MovedClock;

#[tokio::test(flavor = "multi_thread")]
async fn publications_are_trimmed_by_age_and_a_follower_that_was_away_for_longer_has_a_gap() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let meta = key(&list, "meta");
    let away = cursor(&store).await;
    for n in 0..250 {
        end(&store, n).await.unwrap();
    }
    let recent = cursor(&store).await;
    let length = || server.ask::<u64>(&["XLEN", &key(&list, "stream")]);
    let before = length();
    assert!(before >= 250);
    assert!(!is_gap(&store, away).await);
    assert!(length() >= before, "nothing is trimmed before its time");
    // As if the mark had been set 61 s ago, when the list was where it is now.
    let past = now(&store).await.as_millis() - 61_000;
    let sequence = recent.sequence.to_string();
    server.tell(&[
        "HSET",
        &meta,
        "trim_time",
        &past.to_string(),
        "trim_seq",
        &sequence,
    ]);
    eventually("trimmed", || async {
        let _ = store.follow(recent).await.unwrap();
        length() < 150
    })
    .await;
    assert!(is_gap(&store, away).await);
    assert!(!is_gap(&store, recent).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_followers_share_one_heartbeat_a_second() {
    let server = Server::start();
    let list = new_list();
    let start = cursor(&server.open(&list)).await;
    let started = Instant::now();
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let store = server.open(&list);
        followers.spawn(async move {
            let mut cursor = start;
            while started.elapsed() < Duration::from_secs(5) {
                match store.follow(cursor).await.unwrap() {
                    Followed::Delta(delta) => cursor = delta.cursor,
                    other => panic!("{other:?}"),
                }
            }
            cursor
        });
    }
    let mut reached = Vec::new();
    while let Some(cursor) = followers.join_next().await {
        reached.push(cursor.unwrap().sequence);
    }
    let beats = server.ask::<u64>(&["XLEN", &key(&list, "stream")]);
    assert!((3..=7).contains(&beats), "{beats} heartbeats in 5 s");
    assert!(reached.iter().all(|each| *each >= 3), "{reached:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn publications_have_a_millisecond_to_gather_before_they_are_read_again() {
    let server = Server::start();
    let store = server.open(&new_list());
    let start = cursor(&store).await;
    end(&store, 1).await.unwrap();
    let began = Instant::now();
    for _ in 0..50 {
        // From the same place, there is something to tell each time.
        let delta = follow(&store, start).await;
        assert_eq!(sessions(&delta.revocations), [id(1)]);
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(49), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_means_that_nothing_from_before_the_call_is_missing() {
    let server = Server::start();
    let list = new_list();
    let store = server.open(&list);
    let start = cursor(&store).await;
    for n in 0..100 {
        end(&store, n).await.unwrap();
    }
    let mut reached = None;
    // On a busy machine once is not always quick enough.
    for n in 100..150 {
        let store = server.open(&list);
        let asked = Instant::now();
        let delta = follow(&store, start).await;
        assert!(delta.is_complete);
        assert_eq!(sessions(&delta.revocations).len(), usize::from(n));
        // At once again: it is not asked so soon how far the list is, so nothing is promised.
        end(&store, n).await.unwrap();
        let next = follow(&store, delta.cursor).await;
        assert_eq!(sessions(&next.revocations), [id(n)]);
        reached = Some(next.cursor);
        if asked.elapsed() < Duration::from_millis(500) {
            assert!(!next.is_complete);
            break;
        }
        assert!(n < 149, "never within half a second");
    }
    // Where nothing is published it is complete, and answers in time.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let quiet = catch_up(&store, reached.unwrap());
    // As long as a node waits.
    let quiet = tokio::time::timeout(Duration::from_secs(8), quiet).await;
    assert_eq!(quiet.unwrap().unwrap().unwrap().revocations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_publications_are_read_in_one_call() {
    let server = Server::start();
    let store = server.open(&new_list());
    let start = cursor(&store).await;
    for n in 0..1200u16 {
        end(&store, (n % 250) as u8).await.unwrap();
    }
    let delta = follow(&store, start).await;
    assert!(delta.is_complete, "more than one batch");
    assert!(delta.cursor.sequence >= 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_cursors_and_entries_are_gaps() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let here = cursor(&store).await;
    let Cursor {
        epoch,
        sequence,
        mark,
        ..
    } = here;
    for foreign in [
        Cursor::new(epoch ^ 1, sequence, mark),
        Cursor::new(epoch, sequence + 1, mark),
        Cursor::new(epoch, sequence, mark ^ 1),
        Cursor::new(epoch, sequence - 1, mark),
    ] {
        assert!(is_gap(&store, foreign).await, "{foreign:?}");
    }
    // At once again, and where nothing was ever published.
    let empty = server.open(&new_list());
    for _ in 0..2 {
        assert!(is_gap(&empty, here).await);
    }
    // An entry that nobody here wrote, with the next number and with one far ahead.
    for (ahead, field) in [(1, "e"), (1_000_000, "h")] {
        let here = cursor(&store).await;
        let number = format!("{}-0", here.sequence + ahead);
        server.tell(&["XADD", &key(&list, "stream"), &number, field, "x"]);
        // A gap, or the next heartbeat has already taken its place.
        let delta = catch_up(&store, here).await.unwrap();
        assert!(delta.is_none_or(|delta| delta.revocations.is_empty()));
        // It does not stand in the way of what comes next.
        let n = (ahead % 100) as u8 + 50;
        end(&store, n).await.unwrap();
        let (all, end_of) = snapshot(&store).await.unwrap();
        assert!(sessions(&all).contains(&id(n)));
        end(&store, n + 1).await.unwrap();
        let delta = catch_up(&store, end_of.cursor).await.unwrap().unwrap();
        assert_eq!(sessions(&delta.revocations), [id(n + 1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_life_and_an_attestation_are_told_with_the_next_beat() {
    let server = Server::start();
    let store = server.open(&new_list());
    announce(&store, HOUR).await.unwrap();
    let start = cursor(&store).await;
    announce(&store, HOUR).await.unwrap();
    assert!(!is_gap(&store, start).await, "nothing changed");
    announce(&store, DAY).await.unwrap();
    let delta = catch_up(&store, start).await.unwrap().unwrap();
    assert_eq!(delta.state.unwrap().announced.longest, DAY);
    let here = state(&store).await;
    let earlier = here.complete_since.minus(HOUR);
    store.attest(here.incarnation, earlier).await.unwrap();
    let delta = catch_up(&store, delta.cursor).await.unwrap().unwrap();
    assert_eq!(delta.state.unwrap().complete_since, earlier);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_is_a_gap_and_a_list_that_was_swept_before_it_begins_anew() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = Server::under(&clock);
    let store = server.open(&new_list());
    clock.set(600_000);
    let start = cursor(&store).await;
    assert_eq!(store.sweep().await.unwrap(), 0);
    let delta = catch_up(&store, start).await.unwrap().unwrap();
    clock.set(570_000);
    assert!(!is_gap(&store, delta.cursor).await, "half a minute is fine");
    let here = cursor(&store).await;
    clock.set(0);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(is_gap(&store, here).await);
    assert_ne!(cursor(&store).await.epoch, here.epoch);
    assert_eq!(store.sweep().await.unwrap(), 0);
    clock.set(401 * 24 * 3600 * 1000);
    let error = store.sweep().await.unwrap_err();
    assert!(
        matches!(error, sealed_session::store::StoreError::Clock(_)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_has_a_largest_size() {
    let server = Server::start();
    let store = server.open(&new_list());
    let at = now(&store).await;
    let error = publish(&store, &vec![ended(1, at); 10_001])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("10000"), "{error}");
    assert_eq!(snapshot(&store).await.unwrap().0, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lists_do_not_meet() {
    let server = Server::start();
    let (one, other) = (server.open("one"), server.open("other"));
    end(&one, 1).await.unwrap();
    one.raise(raise_of(Target::Everyone, 1)).await.unwrap();
    let from = cursor(&one).await;
    assert_eq!(other.find(id(1), &[]).await.unwrap().revocations, []);
    let reading = other.read(&[subject(1)]).await.unwrap();
    assert_eq!(reading.everyone, Generation::NONE);
    assert!(is_gap(&other, from).await);
    // And the same list under two names of the store is one.
    let again = server.open("one");
    assert_eq!(again.find(id(1), &[]).await.unwrap().revocations.len(), 2);
}
