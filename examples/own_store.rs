//! A revocation store of your own: an append-only file, for one process.
//!
//! The library makes the bytes, and notices what was cut off or damaged. A journal only has to keep them:
//! `Sessions::builder(..).store(journal)`. Run it, and the conformance suite says whether it does:
//! `cargo run --example own_store --features testing`

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sealed_session::revoke::Journal;
use sealed_session::store::StoreError;
use sealed_session::testing::conformance::{self, JournalHarness, Report};

#[derive(Debug)]
pub struct AppendOnly {
    path: PathBuf,
    file: File,
    /// A file beside it, because a compaction puts another one in the place of the first. Locked while it is open.
    _lock: File,
}

impl AppendOnly {
    /// Opens the list at `path`, or makes an empty one: then everyone is logged out.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let mut options = File::options();
        options.read(true).append(true).create(true);
        let lock = options
            .open(path.with_extension("lock"))
            .map_err(unavailable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(path.clone()),
            TryLockError::Error(error) => unavailable(error),
        })?;
        let file = options.open(&path).map_err(unavailable)?;
        sync_folder(&path)?;
        let _lock = lock;
        Ok(Self { path, file, _lock })
    }
}

impl Journal for AppendOnly {
    fn name(&self) -> &'static str {
        "append-only"
    }

    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).map_err(unavailable)?;
        receive(&bytes);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(unavailable)?;
        self.file.sync_data().map_err(unavailable)
    }

    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        let beside = self.path.with_extension("new");
        let mut new = File::create(&beside).map_err(unavailable)?;
        for piece in pieces {
            new.write_all(&piece).map_err(unavailable)?;
        }
        // On the disk under its own name first, then under the list's: a reader finds either list whole.
        new.sync_all().map_err(unavailable)?;
        fs::rename(&beside, &self.path).map_err(unavailable)?;
        self.file = new;
        sync_folder(&self.path)
    }
}

/// Makes a new name survive a loss of power.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(unavailable)?;
    folder.sync_all().map_err(unavailable)
}

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Opens journals for the suite: each new list is the next file in a folder.
struct InFolder(tempfile::TempDir, AtomicU32);

impl JournalHarness for InFolder {
    fn fresh(&self) -> Result<Box<dyn Journal>, String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.open().expect("it survives")
    }

    fn open(&self) -> Option<Result<Box<dyn Journal>, String>> {
        let number = self.1.load(Ordering::Relaxed);
        let opened = AppendOnly::open(&self.0.path().join(format!("{number}.revocations")));
        let opened = opened.map_err(|error| error.to_string());
        Some(opened.map(|journal| Box::new(journal) as Box<dyn Journal>))
    }
}

async fn check() -> std::io::Result<Report> {
    Ok(conformance::journal(&InFolder(tempfile::tempdir()?, Default::default())).await)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = check().await?;
    println!("{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    check().await.unwrap().assert_passed();
}
