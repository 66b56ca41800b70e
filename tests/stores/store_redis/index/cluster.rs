//! The index in a cluster: subjects are where their slots are, wherever the list is.

use std::sync::Arc;

use sealed_session::index::{IndexRows, SessionIndex};
use sealed_session::revoke::{ReplicatedLog, SubjectKey};
use sealed_session::store::Redis;

use super::super::access::documented_rights;
use super::super::harness::{Server, new_list};
use super::super::tools::*;
use super::{all, index, key_of, put, row, session};

/// One subject whose rows are on each of the two nodes.
fn one_on_each(nodes: &[Server; 2], list: &str) -> [SubjectKey; 2] {
    let slot = |n: u8| -> u32 { nodes[0].ask(&["CLUSTER", "KEYSLOT", &key_of(list, subject(n))]) };
    let first = (0..).find(|n| slot(*n) < 8192).unwrap();
    let second = (0..).find(|n| slot(*n) >= 8192).unwrap();
    [first, second].map(subject)
}

async fn add(index: &Arc<dyn SessionIndex>, subject: SubjectKey, n: u32) -> IndexRows {
    index
        .update(subject, &put(row(session(n), 0)))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_spreads_subjects_and_the_list_stays_where_it_is() {
    let nodes = cluster().await;
    let list = new_list();
    let stores = nodes.each_ref().map(|node| node.open(&list));
    let mut from = Vec::new();
    for store in &stores {
        let cursor = cursor(store).await;
        // The first time the list may be elsewhere.
        let _ = store.follow(cursor).await;
        follow(store, cursor).await;
        from.push(cursor);
    }
    let indexes = stores.each_ref().map(index);
    for n in 0..50 {
        // Whichever node it is asked at.
        add(&indexes[usize::from(n) % 2], subject(n), 1).await;
        let rows = add(&indexes[usize::from(n + 1) % 2], subject(n), 2).await;
        assert_eq!(rows.rows.len(), 2);
    }
    let on = nodes.each_ref().map(|node| node.ask::<u32>(&["DBSIZE"]));
    assert!(on.iter().all(|keys| *keys > 10), "{on:?}");
    for index in &indexes {
        let copied = all(&**index).await.unwrap();
        assert_eq!(copied.len(), 50);
        assert!(copied.iter().all(|(_, rows)| rows.rows.len() == 2));
    }

    // Each is where it was found last, so it is asked for there.
    let sent_away = || {
        let stats = nodes.each_ref().map(|node| node.info("commandstats"));
        let reads = stats.each_ref().map(|stats| &stats["cmdstat_hgetall"]);
        reads.map(|stat| stat.split("rejected_calls=").nth(1).unwrap().to_owned())
    };
    for n in 0..50 {
        indexes[0].rows(subject(n)).await.unwrap();
    }
    let before = sent_away();
    for n in 0..50 {
        indexes[0].rows(subject(n)).await.unwrap();
    }
    assert_eq!(sent_away(), before);

    // That subjects are elsewhere moved no list, and was no loss to who follows it.
    for (store, from) in stores.iter().zip(from) {
        follow(store, from).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_concerns_its_own_subjects_alone_until_another_takes_over() {
    let nodes = cluster().await;
    for node in &nodes {
        node.tell(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let list = new_list();
    let index = index(&nodes[0].open(&list));
    let [near, far] = one_on_each(&nodes, &list);
    for subject in [near, far] {
        add(&index, subject, 1).await;
    }
    nodes[1].kill();
    for _ in 0..3 {
        let error = index.rows(far).await.unwrap_err();
        let port = nodes[1].port().to_string();
        assert!(error.to_string().contains(&port), "{error}");
        add(&index, near, 1).await;
        all(&*index).await.unwrap_err();
    }
    nodes[1].restart();
    eventually("back", || async { index.rows(far).await.is_ok() }).await;
    assert!(
        add(&index, far, 2)
            .await
            .rows
            .iter()
            .any(|row| row.session == session(2))
    );

    // Another takes its slot over, and the one of the settings knows.
    nodes[1].kill();
    let slot: u32 = nodes[0].ask(&["CLUSTER", "KEYSLOT", &key_of(&list, far)]);
    for command in ["DELSLOTS", "ADDSLOTS"] {
        nodes[0].tell(&["CLUSTER", command, &slot.to_string()]);
    }
    index.rows(far).await.unwrap_err();
    assert_eq!(add(&index, far, 3).await.rows.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_found_where_its_slot_has_moved_to() {
    let nodes = cluster().await;
    let list = new_list();
    let stores = nodes.each_ref().map(|node| index(&node.open(&list)));
    let [subject, _] = one_on_each(&nodes, &list);
    for store in &stores {
        add(store, subject, 1).await;
    }
    let key = key_of(&list, subject);
    let slot = nodes[0]
        .ask::<u32>(&["CLUSTER", "KEYSLOT", &key])
        .to_string();
    let ids = nodes
        .each_ref()
        .map(|node| node.ask::<String>(&["CLUSTER", "MYID"]));
    nodes[1].tell(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
    nodes[0].tell(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
    let port = nodes[1].port().to_string();
    nodes[0].tell(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
    let error = stores[0].rows(subject).await.unwrap_err();
    assert!(error.to_string().contains("moving"), "{error}");
    for node in [&nodes[1], &nodes[0]] {
        node.tell(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
    }
    for store in &stores {
        assert_eq!(add(store, subject, 2).await.rows.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_whole_is_not_copied() {
    let nodes = cluster().await;
    for node in &nodes {
        node.tell(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let list = new_list();
    let index = index(&nodes[0].open(&list));
    let [near, _] = one_on_each(&nodes, &list);
    add(&index, near, 1).await;
    assert_eq!(all(&*index).await.unwrap().len(), 1);
    nodes[0].tell(&["CLUSTER", "DELSLOTS", "16383"]);
    let error = all(&*index).await.unwrap_err();
    assert!(error.to_string().contains("no node serves"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_are_enough_in_a_cluster() {
    let nodes = cluster().await;
    let list = new_list();
    let rights = documented_rights(&list);
    for node in &nodes {
        let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
        node.tell(&rights);
    }
    let url = format!("redis://sessions:hunter2@127.0.0.1:{}", nodes[0].port());
    let store = Redis::open(url, &list).unwrap();
    let index = index(&store);
    for subject in one_on_each(&nodes, &list) {
        add(&index, subject, 1).await;
        index.rows(subject).await.unwrap();
    }
    assert_eq!(all(&*index).await.unwrap().len(), 2);
    for node in &nodes {
        node.tell(&["ACL", "SETUSER", "sessions", "-cluster|slots"]);
    }
    let error = all(&*index).await.unwrap_err();
    assert!(error.to_string().contains("permission"), "{error}");
}
