//! A list that lost anything begins anew, and followers of what was lost have a gap.

use std::time::Duration;

use sealed_session::revoke::{Generation, ReplicatedLog};

use super::harness::{Server, key, new_list};
use super::tools::*;

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
        let reading = store.read(&[subject(3)]).await.unwrap();
        assert_eq!(reading.subjects, [Generation::NONE]);
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
    let before = store
        .read(&[subject(1)])
        .await
        .unwrap()
        .state
        .complete_since;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let field = "\u{1}".repeat(16);
    let removed: u32 = server.ask(&["HDEL", &key(&list, "sessions"), &field]);
    assert_eq!(removed, 1);
    // Whoever comes first notices, also to read.
    assert_eq!(store.find(id(1), &[]).await.unwrap().revocations, []);
    assert!(
        store
            .read(&[subject(1)])
            .await
            .unwrap()
            .state
            .complete_since
            > before
    );
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
        let ended = |n| support::ended(n, at, at + DAY);
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
    let delta = catch_up(&store, end_of.cursor).await.unwrap().unwrap();
    assert_eq!(sessions(&delta.revocations), [id(5)]);
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
