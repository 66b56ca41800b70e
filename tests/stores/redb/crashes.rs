//! Processes that are killed, and disks that are full.

use std::collections::HashSet;
use std::io::Write;
use std::process::Command;

use sealed_session::revoke::Store;
use sealed_session::store::{Redb, StoreError};
use tempfile::TempDir;

use super::{assert_none_is_lost, ended, kill_after, sessions};

const CHILD: &str = "SEALED_SESSION_TEST_CHILD";

/// Not a test: what the child process of the next one runs. Logs out sessions for ever, and says
/// which were acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_logs_out() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let store = Store::from(Redb::open(path).unwrap());
    let start = sessions(&store).await.unwrap().len() as u64;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let store = store.clone();
        tasks.spawn(async move {
            for n in 0..u64::MAX {
                let n = start + n * 4 + task;
                store.publish(&[ended(n)]).await.unwrap();
                writeln!(std::io::stdout(), "\nacknowledged {n}").unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_logout() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revocations.redb");
    drop(Redb::create(&path).unwrap());
    let mut acknowledged = HashSet::new();
    for round in 1..=5 {
        kill_after(
            100 * round,
            "redb::crashes::child_that_logs_out",
            CHILD,
            &path,
            &mut acknowledged,
        );

        let store = Store::from(Redb::open(&path).unwrap());
        assert_none_is_lost(&store, &acknowledged).await;
    }
}

/// Not a test: what the child process of the next one runs, whose files may not grow large.
#[tokio::test]
async fn child_whose_disk_is_full() {
    let Ok(path) = std::env::var(FULL_CHILD) else {
        return;
    };
    let store = Store::from(Redb::open(path).unwrap());
    let mut acknowledged: u64 = 0;
    let first = loop {
        let batch: Vec<_> = (0..100).map(|n| ended(acknowledged + n)).collect();
        match store.publish(&batch).await {
            Ok(_) => acknowledged += 100,
            Err(error) => break error,
        }
    };
    assert!(matches!(first, StoreError::Unavailable(_)), "{first}");
    let second = store.publish(&[ended(0)]).await;
    let Err(StoreError::Unavailable(later)) = second else {
        panic!("after a failed write: {second:?}");
    };
    assert!(later.contains("earlier write failed"), "{later}");
    // The revocations hold in this process.
    assert!(sessions(&store).await.unwrap().len() as u64 > acknowledged);
    println!("\nacknowledged {acknowledged}");
}

const FULL_CHILD: &str = "SEALED_SESSION_TEST_FULL_CHILD";

#[cfg(unix)]
#[tokio::test]
async fn after_a_failed_write_nothing_is_written_and_nothing_lost_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revocations.redb");
    drop(Redb::create(&path).unwrap());
    // A limit on the size of files stands in for a full disk: the write fails in the same place.
    let child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "redb::crashes::child_whose_disk_is_full",
            "--nocapture",
        ])
        .env(FULL_CHILD, &path)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let acknowledged = output
        .lines()
        .find_map(|line| line.strip_prefix("acknowledged "));
    let acknowledged: u64 = match acknowledged {
        Some(number) => number.parse().unwrap(),
        None => panic!("{output}{}", String::from_utf8_lossy(&child.stderr)),
    };
    assert!(acknowledged > 0);
    let store = Store::from(Redb::open(&path).unwrap());
    let stored = sessions(&store).await.unwrap();
    assert!((0..acknowledged).all(|n| stored.contains(&n)));
    store.publish(&[ended(u64::MAX)]).await.unwrap();
}
