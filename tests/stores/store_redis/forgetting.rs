//! Entries end by what they say themselves and by the server's clock, in limited steps.

use std::time::Duration;

use redis::Value;
use sealed_session::revoke::{Announcement, ReplicatedLog, Revocation, SessionId};

use super::harness::{Server, key, new_list};
use super::tools::*;

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
    let ended = |n| support::ended(n, at, until_of(n));
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
async fn what_is_refused_by_its_beginning_goes_in_steps() {
    let server = Server::start();
    let list = new_list();
    let store = server.open(&list);
    let at = now(&store).await;
    let end_of = |n: u64, created| Revocation::AnonymousSession {
        id: SessionId::from_bytes(support::spread(n)),
        created,
        entry: support::ended_entry(at, at + DAY),
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
    let found = store.find(id(1), &[]).await.unwrap().revocations;
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
