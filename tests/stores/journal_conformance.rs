//! Every journal passes the conformance suite, and one that breaks a promise does not.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use sealed_session::revoke::Journal;
use sealed_session::store::{Memory, Redb, StoreError};
use sealed_session::testing::conformance::{self, JournalHarness, Outcome, Report};
use support::ram_journal::{RamDisk, RamJournal};
use tempfile::TempDir;

use super::own_store::AppendOnly;

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report.checks();
    let failed = failed.filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    failed.map(|(name, _)| name).collect()
}

fn skipped(report: &Report) -> usize {
    let skipped = report.checks();
    skipped
        .filter(|(_, outcome)| matches!(outcome, Outcome::Skipped(_)))
        .count()
}

struct InMemory;

impl JournalHarness for InMemory {
    fn fresh(&self) -> Result<Box<dyn Journal>, String> {
        Ok(Box::new(Memory::new()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let report = conformance::journal(&InMemory).await;
    println!("{report}");
    report.assert_passed();
    assert_eq!(report.checks().count() - skipped(&report), 1);
}

/// Each new list is the next file in a folder.
struct InFiles {
    create: Opener,
    open: Opener,
    folder: TempDir,
    last: AtomicU32,
}

type Opener = fn(&Path) -> Result<Box<dyn Journal>, StoreError>;

impl InFiles {
    fn new(create: Opener, open: Opener) -> Self {
        Self {
            create,
            open,
            folder: TempDir::new().unwrap(),
            last: AtomicU32::default(),
        }
    }

    fn opened(&self, open: Opener) -> Result<Box<dyn Journal>, String> {
        let name = format!("{}.list", self.last.load(Ordering::Relaxed));
        open(&self.folder.path().join(name)).map_err(|error| error.to_string())
    }
}

impl JournalHarness for InFiles {
    fn fresh(&self) -> Result<Box<dyn Journal>, String> {
        self.last.fetch_add(1, Ordering::Relaxed);
        self.opened(self.create)
    }

    fn open(&self) -> Option<Result<Box<dyn Journal>, String>> {
        Some(self.opened(self.open))
    }

    /// No file of this process may grow beyond a byte: a full disk fails in the same place.
    fn fail_appends(&self, fail: bool) -> bool {
        let limit = if fail { "1" } else { "unlimited" };
        let process = format!("--pid={}", std::process::id());
        let limited = Command::new("prlimit")
            .args([process, format!("--fsize={limit}:")])
            .status();
        limited.is_ok_and(|status| status.success())
    }
}

const CHILD: &str = "SEALED_SESSION_TEST_JOURNALS";

/// Not a test: what the child process of the next one runs, which survives that its writes fail.
#[tokio::test(flavor = "multi_thread")]
async fn child_whose_appends_can_fail() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let append_only: Opener = |path| Ok(Box::new(AppendOnly::open(path)?));
    for harness in [
        InFiles::new(
            |path| Ok(Box::new(Redb::create(path)?)),
            |path| Ok(Box::new(Redb::open(path)?)),
        ),
        InFiles::new(append_only, append_only),
    ] {
        let report = conformance::journal(&harness).await;
        println!("{report}");
        report.assert_passed();
        // Failing appends, where there is no `prlimit`.
        let without_limits = if cfg!(target_os = "linux") { 0 } else { 2 };
        assert_eq!(skipped(&report), without_limits);
    }
}

#[cfg(unix)]
#[test]
fn redb_and_the_example_conform_also_when_their_appends_fail() {
    let child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; exec \"$0\" \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "journal_conformance::child_whose_appends_can_fail",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}{errors}");
    assert!(said.contains("1 passed"), "{said}");
}

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    HoldsSomethingAtFirst,
    ReturnsInAnotherOrder,
    IsText,
    CutsLongAppends,
    BeginsAnewWhenOpened,
    ForgetsTheLastAppend,
    CompactsByAppending,
    TakesOnlyTheFirstPiece,
    OverwritesTheCompaction,
    IsOpenTwice,
    HidesFailures,
}

#[derive(Debug)]
struct Flawed {
    /// None of its own where it does not know whether another is open.
    inner: RamJournal,
    flaw: Flaw,
}

impl Journal for Flawed {
    fn name(&self) -> &'static str {
        "flawed"
    }

    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        self.inner.load(&mut |piece| bytes.extend(piece))?;
        match self.flaw {
            Flaw::HoldsSomethingAtFirst if bytes.is_empty() => receive(b"header"),
            Flaw::ReturnsInAnotherOrder => bytes.rchunks(7).for_each(receive),
            Flaw::IsText => receive(String::from_utf8_lossy(&bytes).as_bytes()),
            _ => receive(&bytes),
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self.flaw {
            Flaw::CutsLongAppends => self.inner.append(&bytes[..bytes.len().min(4096)]),
            Flaw::HidesFailures => {
                let _ = self.inner.append(bytes);
                Ok(())
            }
            _ => self.inner.append(bytes),
        }
    }

    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        match self.flaw {
            Flaw::CompactsByAppending => {
                for piece in pieces {
                    self.inner.append(&piece)?;
                }
                Ok(())
            }
            Flaw::TakesOnlyTheFirstPiece => self.inner.compact(&mut pieces.take(1)),
            Flaw::OverwritesTheCompaction => {
                let pieces: Vec<_> = pieces.collect();
                let last = pieces.last().cloned();
                self.inner.compact(&mut last.into_iter())
            }
            _ => self.inner.compact(pieces),
        }
    }
}

struct WithFlaw {
    flaw: Flaw,
    disk: Mutex<RamDisk>,
}

impl WithFlaw {
    fn journal(&self) -> Result<Box<dyn Journal>, String> {
        let disk = self.disk.lock().unwrap().clone();
        let flaw = self.flaw;
        match flaw {
            Flaw::IsOpenTwice => disk.lock().is_open = false,
            Flaw::BeginsAnewWhenOpened => disk.lock().bytes.clear(),
            _ => {}
        }
        let inner = disk.open().map_err(|error| error.to_string())?;
        Ok(Box::new(Flawed { inner, flaw }))
    }
}

impl JournalHarness for WithFlaw {
    fn fresh(&self) -> Result<Box<dyn Journal>, String> {
        *self.disk.lock().unwrap() = RamDisk::default();
        self.journal()
    }

    fn open(&self) -> Option<Result<Box<dyn Journal>, String>> {
        let disk = self.disk.lock().unwrap().clone();
        if self.flaw == Flaw::ForgetsTheLastAppend && !disk.lock().is_open {
            let mut state = disk.lock();
            let kept = state.bytes.len().saturating_sub(1);
            state.bytes.truncate(kept);
        }
        Some(self.journal())
    }

    fn fail_appends(&self, fail: bool) -> bool {
        let disk = self.disk.lock().unwrap();
        let mut state = disk.lock();
        state.appends_fail = fail;
        state.torn = 3;
        true
    }
}

async fn report(flaw: Flaw) -> Report {
    let disk = Mutex::default();
    conformance::journal(&WithFlaw { flaw, disk }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_flaws_passes_every_check() {
    let report = report(Flaw::None).await;
    println!("{report}");
    report.assert_passed();
    assert_eq!(skipped(&report), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_promise_is_found_by_the_check_of_it() {
    for (flaw, check) in [
        (Flaw::HoldsSomethingAtFirst, "a new journal is empty"),
        (
            Flaw::ReturnsInAnotherOrder,
            "it returns what it was given, in order",
        ),
        (Flaw::IsText, "any bytes can be appended"),
        (
            Flaw::CutsLongAppends,
            "large and many appends are all returned",
        ),
        (
            Flaw::BeginsAnewWhenOpened,
            "it goes on where it was when it is opened again",
        ),
        (
            Flaw::ForgetsTheLastAppend,
            "it returns what it was given, in order",
        ),
        (
            Flaw::CompactsByAppending,
            "a compaction replaces everything, by all pieces",
        ),
        (
            Flaw::TakesOnlyTheFirstPiece,
            "a compaction replaces everything, by all pieces",
        ),
        (
            Flaw::OverwritesTheCompaction,
            "appends after a compaction follow it",
        ),
        (Flaw::IsOpenTwice, "it is open once"),
        (
            Flaw::HidesFailures,
            "after a failed append a compaction repairs everything",
        ),
    ] {
        let report = report(flaw).await;
        let failed = failed(&report);
        assert!(failed.contains(&check), "{flaw:?}: {report}");
        let printed = report.to_string();
        assert!(printed.contains("FAILED"), "{printed}");
    }
}
