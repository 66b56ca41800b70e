//! The index of sessions in the same file: what it may do to the list, and what it may not.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, TableDefinition, TableHandle};
use sealed_session::index::{IndexRow, IndexUpdate, RowState, SessionIndex};
use sealed_session::revoke::{Journal, Store, SubjectKey};
use sealed_session::store::{Redb, StoreError};
use sealed_session::time::UnixMillis;

use super::{Place, assert_damaged, assert_none_is_lost, ended, id, kill_after, sessions};

fn subject(n: u64) -> SubjectKey {
    SubjectKey::from_bytes(*id(n).as_bytes())
}

fn listed(n: u64) -> IndexUpdate {
    let mut row = IndexRow::new(id(n), RowState::Listed, UnixMillis::EPOCH, UnixMillis::MAX);
    row.facts = vec![n as u8; 60];
    row.label = vec![!n as u8; 140];
    let mut update = IndexUpdate::new(UnixMillis::EPOCH);
    update.row = Some(row);
    update
}

async fn put(index: &dyn SessionIndex, n: u64) -> Result<(), StoreError> {
    let answer = index.update(subject(n), &listed(n)).await?;
    assert_eq!(answer.rows.as_slice(), listed(n).row.as_slice());
    Ok(())
}

async fn has(index: &dyn SessionIndex, n: u64) -> bool {
    let rows = index.rows(subject(n)).await.unwrap();
    assert_eq!(rows.unreadable, 0);
    match rows.rows.as_slice() {
        [] => false,
        rows => rows == listed(n).row.as_slice(),
    }
}

fn tables(place: &Place) -> Vec<String> {
    let database = redb::Database::open(place.path()).unwrap();
    let reading = database.begin_read().unwrap();
    let tables = reading.list_tables().unwrap();
    let mut names: Vec<_> = tables.map(|table| table.name().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_without_an_index_gets_one_with_its_first_row_and_keeps_it() {
    let place = Place::new();
    place.filled(3).await;
    assert_eq!(tables(&place), ["journal", "meta"]);
    let store = Store::from(place.open().unwrap());
    let index = store.session_index().unwrap();
    assert!(!has(&*index, 1).await);
    index.sweep(UnixMillis::MAX).await.unwrap();
    drop(store);
    assert_eq!(tables(&place), ["journal", "meta"], "nothing was put");
    for n in 1..5 {
        let store = Store::from(place.open().unwrap());
        let index = store.session_index().unwrap();
        put(&*index, n).await.unwrap();
        drop(store);
        let store = Store::from(place.open().unwrap());
        let index = store.session_index().unwrap();
        for earlier in 1..=n {
            assert!(has(&*index, earlier).await, "{earlier} of {n}");
        }
        assert_eq!(sessions(&store).await.unwrap().len(), 3);
    }
    assert_eq!(tables(&place), ["journal", "meta", "sessions"]);
}

#[tokio::test]
async fn an_index_that_is_another_kind_of_table_is_damage() {
    let place = Place::new();
    place.filled(3).await;
    let database = redb::Database::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    const OTHER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("sessions");
    transaction.open_table(OTHER).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_damaged(place.open(), "another table");
}

#[tokio::test]
async fn a_row_that_was_changed_on_the_disk_is_damage() {
    let place = Place::new();
    let store = Store::from(place.create().unwrap());
    let index = store.session_index().unwrap();
    for n in 0..50 {
        put(&*index, n).await.unwrap();
    }
    drop(store);
    drop(place.open().unwrap());
    let mut bytes = std::fs::read(place.path()).unwrap();
    // Every copy of it: what a page held that is free again is no loss.
    let mut changed = 0;
    for at in 0..bytes.len() - 60 {
        if bytes[at..at + 60] == [7; 60] {
            bytes[at] = 8;
            changed += 1;
        }
    }
    assert!(changed > 0, "its facts are in the file");
    std::fs::write(place.path(), bytes).unwrap();
    assert_damaged(place.open(), "a changed row");
    assert_damaged(place.open(), "and it stays so");
}

#[tokio::test]
async fn whoever_has_the_index_does_not_keep_the_file_open() {
    let place = Place::new();
    let redb = place.create().unwrap();
    let index = redb.session_index().unwrap();
    put(&*index, 1).await.unwrap();
    drop(redb);
    for _ in 0..20 {
        let store = Store::from(place.open().unwrap());
        let index = store.session_index().unwrap();
        // Some are under way when the store is dropped.
        let writing: Vec<_> = (0..20)
            .map(|n| {
                let index = Arc::clone(&index);
                tokio::spawn(async move { index.update(subject(n), &listed(n)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(store);
        place.open().unwrap();
        for written in writing {
            let written = written.await.unwrap();
            assert!(matches!(written, Ok(_) | Err(StoreError::Closed)));
        }
        assert_eq!(index.rows(subject(1)).await, Err(StoreError::Closed));
        assert_eq!(put(&*index, 1).await, Err(StoreError::Closed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_under_way_keeps_no_reader_of_the_index_waiting() {
    let place = Place::new();
    let mut redb = place.create().unwrap();
    let index = redb.session_index().unwrap();
    put(&*index, 1).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let mut read = 0;
    let mut pieces = (0..100).map(|piece| {
        // The table is being written now. A reader that waited for it would wait for this thread.
        let index = Arc::clone(&index);
        let (told, answer) = std::sync::mpsc::channel();
        runtime.spawn(async move { told.send(has(&*index, 1).await) });
        let answer = answer.recv_timeout(Duration::from_secs(60));
        assert_eq!(answer, Ok(true), "no answer while the list is written");
        read += 1;
        vec![piece; 1000]
    });
    let compacted = tokio::task::block_in_place(|| redb.compact(&mut pieces));
    compacted.unwrap();
    assert_eq!(read, 100);
}

const CHILD: &str = "SEALED_SESSION_TEST_INDEX_CHILD";

/// Not a test: what the child process of the next one runs. Logs in and out for ever, and says which logouts were
/// acknowledged. The row of a login was put before.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_logs_in_and_out() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let store = Store::from(Redb::open(path).unwrap());
    let index = store.session_index().unwrap();
    let start = sessions(&store).await.unwrap().len() as u64;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (store, index) = (store.clone(), Arc::clone(&index));
        tasks.spawn(async move {
            for n in 0..u64::MAX {
                let n = start + n * 4 + task;
                put(&*index, n).await.unwrap();
                // Many more rows than logouts.
                for more in 1..20 {
                    put(&*index, n + more * (1 << 32)).await.unwrap();
                }
                store.publish(&[ended(n)]).await.unwrap();
                writeln!(std::io::stdout(), "\nacknowledged {n}").unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Also shows when the index is on disk: with the next write of the list.
#[tokio::test]
async fn a_killed_process_leaves_the_list_whole_and_the_rows_from_before_its_last_logout() {
    let place = Place::new();
    drop(place.create().unwrap());
    let mut acknowledged = std::collections::HashSet::new();
    for round in 1..=5 {
        kill_after(
            30 * round,
            "redb::index::child_that_logs_in_and_out",
            CHILD,
            &place.path(),
            &mut acknowledged,
        );

        let store = Store::from(place.open().unwrap());
        assert_none_is_lost(&store, &acknowledged).await;
        let index = store.session_index().unwrap();
        for n in &acknowledged {
            assert!(has(&*index, *n).await, "row {n}");
        }
        let mut unreadable = 0;
        let count = &mut |_, rows: sealed_session::index::IndexRows| unreadable += rows.unreadable;
        index.each(count).await.unwrap();
        assert_eq!(unreadable, 0);
    }
}

const FULL_CHILD: &str = "SEALED_SESSION_TEST_INDEX_FULL_CHILD";

/// How large the files of this process may grow, in bytes.
#[cfg(unix)]
fn limit_files(bytes: Option<u64>) {
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let process = format!("--pid={}", std::process::id());
    let limited = Command::new("prlimit")
        .args([process, format!("--fsize={limit}:")])
        .status();
    assert!(limited.unwrap().success());
}

/// Puts large rows until there is no room for one. Nothing else is put at these subjects.
async fn fill(index: &dyn SessionIndex) -> StoreError {
    for n in 0..1_000 {
        let n = (1 << 48) + n;
        let mut update = listed(n);
        if let Some(row) = &mut update.row {
            row.facts = vec![1; 60_000];
        }
        if let Err(error) = index.update(subject(n), &update).await {
            return error;
        }
    }
    panic!("60 MB went into a file that cannot grow");
}

/// Not a test: what the child process of the next one runs, which survives that its writes fail.
#[cfg(unix)]
#[tokio::test]
async fn child_whose_index_has_no_room() {
    let Ok(path) = std::env::var(FULL_CHILD) else {
        return;
    };
    let length = || std::fs::metadata(&path).unwrap().len();
    let store = Store::from(Redb::open(&path).unwrap());
    let index = store.session_index().unwrap();
    let mut published = 0;
    for unflushed in [0, 10] {
        put(&*index, 1).await.unwrap();
        store.publish(&[ended(published)]).await.unwrap();
        for n in 0..unflushed {
            put(&*index, 100 + n).await.unwrap();
        }
        // The file cannot grow.
        limit_files(Some(length()));
        let failed = fill(&*index).await;
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
        let later = put(&*index, 3).await;
        let Err(StoreError::Unavailable(told)) = &later else {
            panic!("after a failed write: {later:?}");
        };
        assert!(told.contains("earlier write failed"), "{told}");
        store.publish(&[ended(published + 1)]).await.unwrap();
        published += 2;
        // The file was opened anew, and holds what was flushed.
        assert!(has(&*index, 1).await);
        assert!(!has(&*index, 1 << 48).await);
        put(&*index, 3).await.unwrap();
        limit_files(None);
    }

    // The file has grown, and most of it is in memory. There turns out to be no room for its end when it is flushed.
    put(&*index, 4).await.unwrap();
    store.publish(&[ended(published)]).await.unwrap();
    let (before, mut n) = (length(), 0);
    while length() == before {
        n += 1;
        put(&*index, (1 << 32) + n).await.unwrap();
    }
    let grown = length();
    for n in n..n * 9 / 5 {
        put(&*index, (1 << 32) + n).await.unwrap();
    }
    assert_eq!(length(), grown);
    limit_files(Some(grown / 100 * 85));
    store.publish(&[ended(published + 1)]).await.unwrap();
    published += 2;
    assert!(has(&*index, 4).await);
    assert!(!has(&*index, (1 << 32) + 1).await, "it was let go of");
    put(&*index, 5).await.unwrap();
    store.publish(&[ended(published)]).await.unwrap();
    published += 1;
    println!("\npublished {published}");
    // Whoever is killed closes nothing.
    std::process::abort();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failed_write_of_the_index_fails_no_logout() {
    let place = Place::new();
    drop(place.create().unwrap());
    let child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -c 0; exec \"$0\" \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "redb::index::child_whose_index_has_no_room",
            "--nocapture",
        ])
        .env(FULL_CHILD, place.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    let published = output
        .lines()
        .find_map(|line| line.strip_prefix("published "));
    let Some(published) = published else {
        panic!("{output}{errors}");
    };
    let store = Store::from(place.open().unwrap());
    let stored = sessions(&store).await.unwrap();
    assert_eq!(stored, (0..published.parse().unwrap()).collect());
    let index = store.session_index().unwrap();
    assert!(has(&*index, 5).await);
}
