//! The store in a file: damage, crashes, full disks and second starts.
//!
//! That it keeps the contract of a journal, clocks included, is what `journal_conformance.rs` shows.
#![cfg(feature = "redb")]

mod crashes;
mod damage;
mod files;
mod index;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sealed_session::revoke::{Revocation, Serial, SessionEntry, SessionId, Store};
use sealed_session::store::{Redb, StoreError};
use sealed_session::time::UnixMillis;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("revocations.redb")
    }

    fn create(&self) -> Result<Redb, StoreError> {
        Redb::create(self.path())
    }

    fn open(&self) -> Result<Redb, StoreError> {
        Redb::open(self.path())
    }

    /// The sessions in the list.
    async fn read(&self) -> Result<HashSet<u64>, StoreError> {
        sessions(&self.open()?.into()).await
    }

    /// A closed file that holds `count` sessions, each a write of its own.
    async fn filled(&self, count: u64) {
        let store = Store::from(self.create().unwrap());
        for n in 0..count {
            store.publish(&[ended(n)]).await.unwrap();
        }
    }
}

/// Runs a test in a process of its own, on the file that `variable` names to it, and kills that (SIGKILL) once it has
/// acknowledged so many logouts. Their numbers are added to `acknowledged`.
fn kill_after(
    count: u64,
    test: &str,
    variable: &str,
    path: &Path,
    acknowledged: &mut HashSet<u64>,
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        let number = line.strip_prefix("acknowledged ");
        let Some(Ok(number)) = number.map(str::parse::<u64>) else {
            continue;
        };
        acknowledged.insert(number);
        seen += 1;
        if seen == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= count, "the child ended by itself");
}

/// That the list has all of these.
async fn assert_none_is_lost(store: &Store, acknowledged: &HashSet<u64>) {
    let stored = sessions(store).await.unwrap();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are lost", stored.len());
}

fn id(n: u64) -> SessionId {
    // Spread out, so that the tree is written to in many places.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SessionId::from_bytes((u128::from(spread) << 64 | u128::from(n)).to_be_bytes())
}

fn number(id: SessionId) -> u64 {
    u128::from_be_bytes(*id.as_bytes()) as u64
}

fn ended(n: u64) -> Revocation {
    let entry = SessionEntry {
        serial: Serial::ENDED,
        from: UnixMillis::EPOCH,
        until: UnixMillis::MAX,
    };
    Revocation::Session { id: id(n), entry }
}

async fn sessions(store: &Store) -> Result<HashSet<u64>, StoreError> {
    let contents = store.contents().await?;
    let sessions = contents.revocations.iter().map(|each| match each {
        Revocation::Session { id, .. } => number(*id),
        other => panic!("{other:?}"),
    });
    Ok(sessions.collect())
}

fn assert_damaged<T: std::fmt::Debug>(opened: Result<T, StoreError>, what: &str) {
    match opened {
        Err(StoreError::Damaged { .. }) => {}
        other => panic!("{what}: {other:?}"),
    }
}
