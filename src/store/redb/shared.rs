//! The open file, which the list and the index of sessions share.
//!
//! 1. **Whoever reads waits for nobody who writes**, also not for a compaction: a reader has the file as it was. Only
//!    while the file is closed and opened anew does a reader wait.
//! 2. **One writes at a time**, so that of a write that failed it is known whose it was. A database in which one
//!    failed refuses every other until the file is opened anew.
//! 3. **The list is flushed, the index is not.** What was written to the index is on disk with the next write of the
//!    list: with a logout, or with the sweep that a node makes every minute. A process that is killed before has
//!    forgotten some rows, which is no more than the index promises, and a request that touches it waits for no disk.
//!    The write of the list that flushes them takes longer by 10 to 20 µs for each.
//! 4. **A write of the index never fails a logout.** If one failed, the list opens the file anew before it appends.
//!    If it cannot append while the index has something that is not flushed, that may be what there is no room for:
//!    it is let go of, by opening the file anew, and the append is tried once more. That is safe after a failed flush
//!    too: it puts the same row, and every page that it does not write itself was flushed before.
//! 5. **After a failed write of the list** only a compaction helps, as the contract of a journal has it.
//! 6. **The store closes the file.** The index has no database of its own, and none after that.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use ::redb::{Database, Durability, Error as RedbError, WriteTransaction};

use super::fault::{guarded, unavailable};
use super::file;
use crate::error::StoreError;
use crate::lock::lock;

pub(super) struct SharedFile {
    path: PathBuf,
    database: RwLock<Handle>,
    /// Locked before `database`, by whoever writes, opens or closes.
    writing: Mutex<WriteState>,
}

enum Handle {
    Open(Database),
    /// It could not be opened again.
    Lost,
    Closed,
}

#[derive(Default)]
struct WriteState {
    failed: Option<Failed>,
    /// Whether the index has something that is not flushed.
    has_unflushed: bool,
}

/// Whose write has failed since the file was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failed {
    Index,
    List,
}

impl SharedFile {
    /// Opens a file that exists.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            database: RwLock::new(Handle::Open(file::open(path)?)),
            writing: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work` with the database, which stays open meanwhile.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, RedbError>,
    ) -> Result<T, StoreError> {
        let handle = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*handle {
            Handle::Open(database) => guarded(&self.path, || work(database)),
            Handle::Lost => Err(unavailable(&self.path, "it could not be opened again")),
            Handle::Closed => Err(StoreError::Closed),
        }
    }

    /// Changes the index, if `work` says so with what it returns.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(bool, T), RedbError>,
    ) -> Result<T, StoreError> {
        let mut state = lock(&self.writing);
        if state.failed.is_some() {
            return Err(self.failed_before());
        }
        let changed = self.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::None)?;
            let (is_changed, result) = work(&transaction)?;
            if is_changed {
                transaction.commit()?;
            }
            Ok((is_changed, result))
        });
        match &changed {
            Ok((is_changed, _)) => state.has_unflushed |= is_changed,
            // Nothing was tried. If it counted as failed, the list would open the closed file anew.
            Err(StoreError::Closed) => (),
            Err(_) => state.failed = Some(Failed::Index),
        }
        changed.map(|(_, result)| result)
    }

    /// Adds to the list. `work` may be done twice.
    pub(super) fn append(
        &self,
        work: impl Fn(&WriteTransaction) -> Result<(), RedbError>,
    ) -> Result<(), StoreError> {
        let mut state = lock(&self.writing);
        if state.failed == Some(Failed::List) {
            return Err(self.failed_before());
        }
        let mut appended = self.write(&mut state, &work);
        if appended.is_err() && state.has_unflushed {
            appended = self.write(&mut state, &work);
        }
        appended
    }

    /// Replaces the list.
    pub(super) fn replace<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, RedbError>,
    ) -> Result<T, StoreError> {
        self.write(&mut lock(&self.writing), work)
    }

    /// Writes the list, to a file that is opened anew if a write has failed.
    fn write<T>(
        &self,
        state: &mut WriteState,
        work: impl FnOnce(&WriteTransaction) -> Result<T, RedbError>,
    ) -> Result<T, StoreError> {
        let failed = state.failed.replace(Failed::List);
        if failed.is_some() {
            self.open_anew()?;
            state.has_unflushed = false;
        }
        let written = self.with(|database| {
            let transaction = file::begin_write(database)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })?;
        *state = WriteState::default();
        Ok(written)
    }

    fn open_anew(&self) -> Result<(), StoreError> {
        let handle = self.database.write();
        let mut handle = handle.unwrap_or_else(PoisonError::into_inner);
        // Closed first: it is locked.
        *handle = Handle::Lost;
        *handle = Handle::Open(file::open(&self.path)?);
        Ok(())
    }

    /// Waits for what is under way, and closes the file.
    pub(super) fn close(&self) {
        let _writing = lock(&self.writing);
        let handle = self.database.write();
        *handle.unwrap_or_else(PoisonError::into_inner) = Handle::Closed;
    }

    fn failed_before(&self) -> StoreError {
        unavailable(
            &self.path,
            "an earlier write failed (is the disk full?); the file is opened anew with the next write of the list",
        )
    }

    /// As if a write of the list had failed.
    #[cfg(test)]
    pub(super) fn fail(&self) {
        lock(&self.writing).failed = Some(Failed::List);
    }
}
