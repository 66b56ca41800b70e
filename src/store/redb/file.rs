//! Opening and creating the file.
//!
//! 1. **A missing file is an error.** An empty one is made only when told to, and never in place of
//!    an existing one.
//! 2. **A new file appears whole or not at all.** It is written under a temporary name first.
//! 3. **A file is checked in full at every open**, because redb's reads do not verify checksums. A
//!    damaged file stays refused, also if redb could repair it: a repair may have gone back to an
//!    earlier list.
//! 4. **Commits are in two phases.** With one phase, redb takes a damaged last commit in a file that
//!    was not closed cleanly for one that never completed, and silently goes back to the one before.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ::redb::{
    Database, Durability, Error as RedbError, ReadableDatabase, TableDefinition, TableError,
    WriteTransaction,
};

use super::fault::{damaged, guarded, unavailable};
use crate::error::StoreError;

/// The appended frames, in order.
pub(super) const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");

/// The index of sessions: a row for each, by subject and session. Made with the first row, so a file without it is one of a
/// store that keeps no index, and of the same format: a release that does not know the table leaves it alone.
pub(super) const SESSIONS: TableDefinition<'_, SessionKey<'_>, &[u8]> =
    TableDefinition::new("sessions");
/// Subject and session.
pub(super) type SessionKey<'k> = (&'k [u8; 16], &'k [u8; 16]);

/// About the file.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";
const FORMAT: &str = "sealed-session revocations 2";
/// Present once the file failed its checksums.
const DAMAGED_KEY: &str = "damaged";

/// How much of the file redb keeps in memory: it is read once. Its own default is a gigabyte.
const CACHE_BYTES: usize = 16 << 20;

/// Opens a file that exists.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
        _ => unavailable(path, error),
    })?;
    if !metadata.is_file() {
        return Err(unavailable(path, "this is not a file"));
    }
    if metadata.len() == 0 {
        return Err(damaged(path, "the file is empty"));
    }
    guarded(path, || {
        let mut database = Database::builder().set_cache_size(CACHE_BYTES).open(path)?;
        if !database.check_integrity()? {
            mark_damaged(&database)?;
            return Err(RedbError::Corrupted("the file failed its checksums".into()));
        }
        check_format(&database)?;
        Ok(database)
    })
}

/// Makes a new file, with nothing in it.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| unavailable(path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // tempfile makes files that only their owner can read.
    let file = tempfile::Builder::new()
        .prefix(".revocations-")
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(failed)?
        .into_temp_path();
    guarded(path, || write_empty(&file))?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => unavailable(
                path,
                "the file exists already, and a new list never replaces one",
            ),
            _ => failed(error.error),
        })?;
    sync_folder(folder).map_err(failed)
}

/// Begins a transaction with the durability that an acknowledged logout needs.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, RedbError> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

fn write_empty(path: &Path) -> Result<(), RedbError> {
    let database = Database::create(path)?;
    let transaction = begin_write(&database)?;
    transaction
        .open_table(META)?
        .insert(FORMAT_KEY, FORMAT.as_bytes())?;
    transaction.open_table(JOURNAL)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the file is one that this release understands.
fn check_format(database: &Database) -> Result<(), RedbError> {
    let transaction = database.begin_read()?;
    let foreign = || RedbError::Corrupted("this is not a revocation list".into());
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(foreign()),
    };
    let format = meta.get(FORMAT_KEY)?.ok_or_else(foreign)?;
    if format.value() != FORMAT.as_bytes() {
        let found = String::from_utf8_lossy(format.value());
        let found: String = found.chars().take(64).collect();
        return Err(RedbError::Corrupted(format!(
            "the file's format is {found:?}, this release reads {FORMAT:?}"
        )));
    }
    if meta.get(DAMAGED_KEY)?.is_some() {
        let problem = "the file failed its checksums at an earlier start";
        return Err(RedbError::Corrupted(problem.into()));
    }
    // Opened here, so that a table that is missing is found now and not when it is loaded.
    transaction.open_table(JOURNAL)?;
    match transaction.open_table(SESSIONS) {
        Ok(_) | Err(TableError::TableDoesNotExist(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn mark_damaged(database: &Database) -> Result<(), RedbError> {
    let transaction = begin_write(database)?;
    transaction
        .open_table(META)?
        .insert(DAMAGED_KEY, [].as_slice())?;
    transaction.commit()?;
    Ok(())
}

/// Makes the new name survive a loss of power.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
