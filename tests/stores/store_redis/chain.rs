//! Followers miss nothing: what breaks the chain is a gap, and what empties the list begins it anew.

use std::time::{Duration, Instant};

use redis::Value;
use sealed_session::revoke::{
    Announcement, Cursor, Followed, Generation, ReplicatedLog, Revocation, SessionId, Target,
};

use super::harness::{Server, key, new_list};
use super::tools::*;
use common::moved_clock::MovedClock;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lost_a_key_begins_anew() {
    let server = Server::start();
    for lost in [
        "meta",
        "sessions",
        "anonymous",
        "anonymous_order",
        "subjects",
        "expiry",
    ] {
        let list = new_list();
        let store = filled(&server, &list).await;
        let (_, before) = snapshot(&store).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        server.tell(&["DEL", &key(&list, lost)]);
        assert!(is_gap(&store, before.cursor).await, "{lost}");
        let (all, after) = snapshot(&store).await.unwrap();
        assert_ne!(after.cursor.epoch, before.cursor.epoch, "{lost}");
        let (before, after) = (before.state, after.state);
        assert!(after.complete_since > before.complete_since, "{lost}");
        assert_eq!(all, [], "{lost}");
        let reading = store.read(subject(3)).await.unwrap();
        assert_eq!(reading.subject, Generation::NONE);
        if lost != "meta" {
            let longest = after.announced.longest;
            assert_eq!(longest, DAY, "what only grows is kept");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lost_a_single_entry_begins_anew() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let before = store.read(subject(1)).await.unwrap().state.complete_since;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let field = "\u{1}".repeat(16);
    let removed: u32 = server.ask(&["HDEL", &key(&list, "sessions"), &field]);
    assert_eq!(removed, 1);
    // Whoever comes first notices, also to read.
    assert_eq!(store.find(id(1), None).await.unwrap().revocations, []);
    assert!(store.read(subject(1)).await.unwrap().state.complete_since > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_emptied_while_it_is_read_is_no_snapshot() {
    let server = Server::start();
    for lost in [
        &["FLUSHALL"][..],
        &["DEL", "sealed-session:{emptied}:sessions"],
    ] {
        let store = server.open("emptied");
        let at = now(&store).await;
        let ended = |n| common::ended(n, at, at + DAY);
        let all: Vec<_> = (0..5000).map(ended).collect();
        publish(&store, &all).await.unwrap();
        let mut batches = 0;
        let mut receive = |_| {
            batches += 1;
            if batches == 2 {
                server.tell(lost);
            }
        };
        let outcome = store.snapshot(&mut receive).await;
        assert!(outcome.is_err(), "{lost:?}: {outcome:?}");
        assert_eq!(snapshot(&store).await.unwrap().0, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot_everything_is_a_gap() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let before = cursor(&store).await;
    server.tell(&["FLUSHALL"]);
    assert!(is_gap(&store, before).await);
    // Also once the new list has come further than the old one.
    for n in 0..10 {
        end(&store, n).await.unwrap();
    }
    assert!(is_gap(&store, before).await);
    assert!(!is_gap(&store, cursor(&store).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_is_a_gap_only_for_who_was_behind() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let behind = cursor(&store).await;
    end(&store, 4).await.unwrap();
    server.tell(&["DEL", &key(&list, "stream")]);
    assert!(is_gap(&store, behind).await);
    let (all, end_of) = snapshot(&store).await.unwrap();
    assert_eq!(sessions(&all), [id(1), id(4)], "nothing else was lost");
    end(&store, 5).await.unwrap();
    let news = catch_up(&store, end_of.cursor).await.unwrap().unwrap();
    assert_eq!(sessions(&news.revocations), [id(5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_that_has_overtaken_is_a_gap() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let keys: Vec<String> = server.ask(&["KEYS", "*"]);
    let mut raw = server.raw();
    let mut saved = Vec::new();
    for key in &keys {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(key).query(&mut raw).unwrap();
        saved.push((key, dump));
    }
    end(&store, 10).await.unwrap();
    end(&store, 11).await.unwrap();
    let ahead = cursor(&store).await;
    for (key, dump) in saved {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(0).arg(dump).arg("REPLACE");
        restore.exec(&mut raw).unwrap();
    }
    assert!(is_gap(&store, ahead).await, "the list is behind");
    // The same epoch, and another history of the same length, and then of a greater one.
    let (_, state) = snapshot(&store).await.unwrap();
    assert_eq!(state.cursor.epoch, ahead.epoch);
    let mut n = 20;
    while cursor(&store).await.sequence < ahead.sequence {
        end(&store, n).await.unwrap();
        n += 1;
    }
    assert_eq!(cursor(&store).await.sequence, ahead.sequence);
    assert!(is_gap(&store, ahead).await, "as long");
    for more in 30..33 {
        end(&store, more).await.unwrap();
    }
    assert!(is_gap(&store, ahead).await, "longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_are_trimmed_by_age_and_who_was_away_for_longer_is_told() {
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
                    Followed::Delta(news) => cursor = news.cursor,
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
async fn news_have_a_millisecond_to_gather_before_they_are_read_again() {
    let server = Server::start();
    let store = server.open(&new_list());
    let start = cursor(&store).await;
    end(&store, 1).await.unwrap();
    let began = Instant::now();
    for _ in 0..50 {
        // From the same place, there is something to tell each time.
        let news = follow(&store, start).await;
        assert_eq!(sessions(&news.revocations), [id(1)]);
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
        let news = follow(&store, start).await;
        assert!(news.is_complete);
        assert_eq!(sessions(&news.revocations).len(), usize::from(n));
        // At once again: it is not asked so soon how far the list is, so nothing is promised.
        end(&store, n).await.unwrap();
        let next = follow(&store, news.cursor).await;
        assert_eq!(sessions(&next.revocations), [id(n)]);
        reached = Some(next.cursor);
        if asked.elapsed() < Duration::from_millis(500) {
            assert!(!next.is_complete);
            break;
        }
        assert!(n < 149, "never within half a second");
    }
    // Without news it is complete, and answers in time.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let quiet = catch_up(&store, reached.unwrap());
    // As long as a node waits.
    let quiet = tokio::time::timeout(Duration::from_secs(8), quiet).await;
    assert_eq!(quiet.unwrap().unwrap().unwrap().revocations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_news_are_read_in_one_call() {
    let server = Server::start();
    let store = server.open(&new_list());
    let start = cursor(&store).await;
    for n in 0..1200u16 {
        end(&store, (n % 250) as u8).await.unwrap();
    }
    let news = follow(&store, start).await;
    assert!(news.is_complete, "more than one batch");
    assert!(news.cursor.sequence >= 250);
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
    // At once again, and where the list has no news at all.
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
        let news = catch_up(&store, here).await.unwrap();
        assert!(news.is_none_or(|news| news.revocations.is_empty()));
        // It does not stand in the way of what comes next.
        let n = (ahead % 100) as u8 + 50;
        end(&store, n).await.unwrap();
        let (all, end_of) = snapshot(&store).await.unwrap();
        assert!(sessions(&all).contains(&id(n)));
        end(&store, n + 1).await.unwrap();
        let news = catch_up(&store, end_of.cursor).await.unwrap().unwrap();
        assert_eq!(sessions(&news.revocations), [id(n + 1)]);
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
    let news = catch_up(&store, start).await.unwrap().unwrap();
    assert_eq!(news.state.unwrap().announced.longest, DAY);
    let here = state(&store).await;
    let earlier = here.complete_since.minus(HOUR);
    store.attest(here.incarnation, earlier).await.unwrap();
    let news = catch_up(&store, news.cursor).await.unwrap().unwrap();
    assert_eq!(news.state.unwrap().complete_since, earlier);
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
    let news = catch_up(&store, start).await.unwrap().unwrap();
    clock.set(570_000);
    assert!(!is_gap(&store, news.cursor).await, "half a minute is fine");
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
async fn what_expires_is_what_the_entry_says() {
    let server = Server::start();
    let list = new_list();
    let store = filled(&server, &list).await;
    let expiry = key(&list, "expiry");
    let members: Vec<Value> = server.ask(&["ZRANGE", &expiry, "0", "-1"]);
    assert_eq!(members.len(), 3);
    // Everything is due by the index, and some that never was.
    let mut raw = server.raw();
    for member in &members {
        let Value::BulkString(member) = member else {
            panic!("{member:?}")
        };
        let mut add = redis::cmd("ZADD");
        add.arg(&expiry).arg(1).arg(member.as_slice());
        add.exec(&mut raw).unwrap();
    }
    for stray in ["", "x", "\u{1}stray", "\u{3}0123456789abcdef"] {
        server.tell(&["ZADD", &expiry, "1", stray]);
    }
    let (before, _) = snapshot(&store).await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
    let (after, _) = snapshot(&store).await.unwrap();
    assert_eq!(before.len(), after.len());
    assert_eq!(server.ask::<u64>(&["ZCARD", &expiry]), 3, "strays are gone");
    let due: Vec<String> = server.ask(&["ZRANGE", &expiry, "0", "9999999999", "BYSCORE"]);
    assert_eq!(due.len(), 0, "the index is right again");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_end_by_the_servers_clock() {
    let server = Server::start();
    let list = new_list();
    let store = server.open(&list);
    let at = now(&store).await;
    let until = at + Duration::from_millis(700);
    // One of them a day later.
    let until_of = |n| if n == 7 { at + DAY } else { until };
    let ended = |n| common::ended(n, at, until_of(n));
    let all: Vec<_> = (0..2500).map(ended).collect();
    publish(&store, &all).await.unwrap();
    let early = store.sweep().await.unwrap();
    // On a busy machine their time may have come.
    assert!(early == 0 || now(&store).await > until);
    eventually("past", || async { now(&store).await > until }).await;
    let late = store.sweep().await.unwrap();
    assert_eq!(early + late, 2499, "in several steps");
    let (left, _) = snapshot(&store).await.unwrap();
    assert_eq!(left, [all[7]]);
    let since = state(&store).await.complete_since;
    assert!(since <= at, "and it is still the same list");
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
    assert_eq!(other.find(id(1), None).await.unwrap().revocations, []);
    let reading = other.read(subject(1)).await.unwrap();
    assert_eq!(reading.everyone, Generation::NONE);
    assert!(is_gap(&other, from).await);
    // And the same list under two names of the store is one.
    let again = server.open("one");
    assert_eq!(again.find(id(1), None).await.unwrap().revocations.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_by_its_beginning_goes_in_steps() {
    let server = Server::start();
    let list = new_list();
    let store = server.open(&list);
    let at = now(&store).await;
    let end_of = |n: u64, created| Revocation::AnonymousSession {
        id: SessionId::from_bytes(common::spread(n)),
        created,
        entry: common::ended_entry(at, at + DAY),
    };
    let all: Vec<_> = (0..3500).map(|n| end_of(n, at.minus(HOUR))).collect();
    publish(&store, &all).await.unwrap();
    let epoch = cursor(&store).await.epoch;
    let left = || server.ask::<u64>(&["HLEN", &key(&list, "anonymous")]);
    let since = at.minus(HOUR / 2);
    publish(&store, &[Revocation::Anonymous { since }])
        .await
        .unwrap();
    assert_eq!(left(), 2500, "nobody waits for all of them");
    let found = store.find(id(1), None).await.unwrap().revocations;
    assert_eq!(found, [Revocation::Anonymous { since }]);
    // One publication makes room for itself, and nothing that lives makes room for what does not.
    let small = Announcement::new(DAY, 2000, Duration::ZERO);
    store.announce(small).await.unwrap();
    for n in 4000..4002 {
        publish(&store, &[end_of(n, at)]).await.unwrap();
    }
    let (all, _) = snapshot(&store).await.unwrap();
    assert!(all.contains(&end_of(4000, at)) && all.contains(&Revocation::Anonymous { since }));
    while store.sweep().await.unwrap() > 0 {}
    assert_eq!(left(), 2);
    assert_eq!(cursor(&store).await.epoch, epoch, "the counts are right");
}
