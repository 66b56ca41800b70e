//! A journal in one file, a redb database.
//!
//! 1. One process, one file. An append is a row, and a transaction that is on disk when it returns.
//! 2. A compaction is one transaction: all rows go, and the new ones come.
//! 3. A file that could be misread is an error when it is opened. The database notices what the checksums of the
//!    frames cannot: that the last rows are missing.
//! 4. After a failed write the database refuses every other. So a compaction, which must come next, opens the file
//!    anew first.
//! 5. The index of sessions is a table of its own in the same file (`index.rs`). What the two may do to each other is
//!    in `shared.rs`.

mod fault;
mod file;
mod index;
mod shared;

use std::path::Path;
use std::sync::Arc;

use ::redb::{ReadableDatabase, ReadableTable};

use self::file::JOURNAL;
use self::index::RedbIndex;
use self::shared::SharedFile;
use crate::error::StoreError;
use crate::index::SessionIndex;
use crate::revoke::Journal;

/// A revocation store in one file, for one process: the embedded default.
///
/// What was acknowledged is on disk and survives `kill -9` and, as far as the disk keeps its promises,
/// a loss of power.
///
/// - **A missing file is an error** ([`StoreError::Missing`]), because an empty list must not be
///   taken for one in which nobody was logged out. [`create`](Self::create) is the explicit first
///   start. A new list refuses sessions from before it, so a lost file logs everyone out.
/// - **The file is checked in full at every open**, which takes about 30 ms for a million entries, and half a second
///   for a million sessions in the index. A damaged one is [`StoreError::Damaged`] and stays so. This catches panics inside redb, and so
///   needs the default `panic = "unwind"`. One bit escapes it: the one that says which of the last
///   two commits is the later, damaged in a file that was not closed cleanly, brings back the
///   earlier.
/// - **A second process** gets [`StoreError::InUse`].
/// - **After a failed write** (a full disk, say) every later write fails with
///   [`StoreError::Unavailable`] until the whole list could be written anew, which is tried once a second. What was
///   revoked meanwhile holds until the process ends, and is in the file from then on.
/// - **A clock that cannot be right** is [`StoreError::Clock`]: at the start or a sweep, more than
///   60 s before or 400 days after the last sweep. A list in which nothing was ever revoked begins anew
///   instead: a machine may first start with a clock that is wrong.
/// - **The index of sessions** is in the same file, in a table of its own. What was written to it is on disk with the
///   next write of the list, at the latest after the minute in which a node sweeps; who kills the process before loses
///   some rows of it, and no revocation. A write of it that fails makes no logout fail.
/// - The file belongs to its owner alone (mode 0600). After restoring it from a backup, which has forgotten what
///   happened since, log everyone out before the application starts (`sealed-session revoke everyone`).
///
/// Opening blocks. Dropping the last of the store and the sessions on it waits for the writes under way and closes
/// the file.
///
/// ```
/// use sealed_session::store::Redb;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("revocations.redb");
/// let store = Redb::create(&path)?; // the first start
/// drop(store);
/// let store = Redb::open(&path)?; // every other
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Redb {
    file: Arc<SharedFile>,
    /// The key of the next row.
    next: u64,
}

impl Redb {
    /// Opens the list in the file `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be trusted: see [`Redb`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = Arc::new(SharedFile::open(path.as_ref())?);
        Ok(Self { file, next: 0 })
    }

    /// Creates an empty list in the new file `path`. It begins when sessions are first started on it.
    ///
    /// # Errors
    /// When the file exists already, or cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        file::create(path.as_ref())?;
        Self::open(path)
    }

    /// Opens the list in the file `path`, or creates an empty one if there is none.
    ///
    /// Convenient where a lost file may log everyone out without an error.
    ///
    /// # Errors
    /// When there is a list that cannot be trusted, or none and none can be created.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        match Self::open(&path) {
            Err(StoreError::Missing(_)) => Self::create(path),
            opened => opened,
        }
    }
}

/// Whoever still has the index does not keep the file open.
impl Drop for Redb {
    fn drop(&mut self) {
        self.file.close();
    }
}

impl Journal for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        Some(Arc::new(RedbIndex::new(Arc::clone(&self.file))))
    }

    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.next = self.file.with(|database| {
            let table = database.begin_read()?.open_table(JOURNAL)?;
            let mut next = 0;
            for row in table.iter()? {
                let (key, bytes) = row?;
                receive(bytes.value());
                next = key.value().saturating_add(1);
            }
            Ok(next)
        })?;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let key = self.next;
        self.next = key.saturating_add(1);
        self.file.append(|transaction| {
            transaction.open_table(JOURNAL)?.insert(key, bytes)?;
            Ok(())
        })
    }

    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        self.next = self.file.replace(|transaction| {
            transaction.delete_table(JOURNAL)?;
            let mut table = transaction.open_table(JOURNAL)?;
            let mut next: u64 = 0;
            for piece in pieces {
                table.insert(next, piece.as_slice())?;
                next = next.saturating_add(1);
            }
            Ok(next)
        })?;
        Ok(())
    }
}

redacted!(Redb: |it| path = it.file.path());

#[cfg(test)]
mod tests {
    use super::*;

    fn held(journal: &mut Redb) -> Vec<u8> {
        let mut all = Vec::new();
        journal.load(&mut |piece| all.extend(piece)).unwrap();
        all
    }

    #[test]
    fn after_a_failed_write_a_compaction_opens_the_file_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations.redb");
        let mut journal = Redb::create(&path).unwrap();
        journal.append(b"before").unwrap();
        for _ in 0..2 {
            journal.file.fail();
            let mut pieces = [b"a".to_vec(), b"b".to_vec()].into_iter();
            journal.compact(&mut pieces).unwrap();
            journal.append(b"c").unwrap();
            assert_eq!(held(&mut journal), b"abc");
            assert!(matches!(Redb::open(&path), Err(StoreError::InUse(_))));
        }
        // Where it cannot be opened, that is an error each time, until it can.
        journal.file.fail();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::rename(&path, &elsewhere).unwrap();
        for _ in 0..2 {
            let failed = journal.compact(&mut std::iter::empty());
            assert_eq!(failed, Err(StoreError::Missing(path.clone())));
            let failed = journal.append(b"d");
            assert!(matches!(failed, Err(StoreError::Unavailable(_))));
        }
        std::fs::rename(&elsewhere, &path).unwrap();
        journal
            .compact(&mut [b"anew".to_vec()].into_iter())
            .unwrap();
        assert_eq!(held(&mut journal), b"anew");
    }
}
