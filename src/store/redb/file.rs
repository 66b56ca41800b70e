//! Opening and creating the file.
//!
//! 1. **A missing file is an error.** An empty list is made only when told to, and never in place of
//!    an existing one.
//! 2. **A new file appears whole or not at all.** It is written under a temporary name first.
//! 3. **A file is checked in full at every open**, because redb's reads do not verify checksums. What
//!    was found damaged once stays refused, also if redb could repair it: a repair may have gone
//!    back to an earlier list.
//! 4. **A clock that cannot be right is an error**, unless nothing was ever revoked: then the list begins
//!    anew, for there is nothing that it could have forgotten.
//! 5. **Commits are in two phases.** With one phase, redb takes a damaged last commit in a file that
//!    was not closed cleanly for one that never completed, and silently goes back to the one before.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ::redb::{Database, Durability, ReadableDatabase, ReadableTable, TableError, WriteTransaction};

use super::fault::{Fault, damaged, guarded, unavailable};
use super::record::{
    DAMAGED_KEY, EXPIRY, FORMAT, FORMAT_KEY, LIST_KEY, List, META, Record, SESSIONS, SUBJECTS,
    VISITOR_ORDER, VISITORS,
};
use crate::clock::UnixMillis;
use crate::error::StoreError;
use crate::revoke::counter::Counter;
use crate::store::check_clock;

/// How much of the file redb keeps in memory. Its own default is a gigabyte.
const CACHE_BYTES: usize = 64 << 20;

/// Opens a list that exists.
pub(super) fn open(path: &Path, now: UnixMillis) -> Result<Database, StoreError> {
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
            return Err(Fault::Damaged("the file failed its checksums".into()));
        }
        let list = read_list(&database)?;
        let followed = follow_clock(list, now)?;
        if followed != list {
            write_list(&database, &followed)?;
        }
        Ok(database)
    })
}

/// Makes a new list, born now, with nothing in it.
pub(super) fn create(path: &Path, now: UnixMillis) -> Result<(), StoreError> {
    let failed = |error: &dyn std::fmt::Display| unavailable(path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // For nobody else to read, which is how tempfile makes them.
    let file = tempfile::Builder::new()
        .prefix(".revocations-")
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?
        .into_temp_path();
    guarded(path, || write_empty(&file, now))?;
    file.persist_noclobber(path).map_err(|error| {
        if error.error.kind() == ErrorKind::AlreadyExists {
            failed(&"the file exists already, and a new list never replaces one")
        } else {
            failed(&error.error)
        }
    })?;
    sync_folder(folder).map_err(|error| failed(&error))
}

/// Begins a transaction with the durability that an acknowledged logout needs.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

fn write_empty(path: &Path, now: UnixMillis) -> Result<(), Fault> {
    let database = Database::create(path)?;
    let transaction = begin_write(&database)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT_KEY, FORMAT.as_bytes())?;
        let list = List {
            floor: UnixMillis::EPOCH,
            born: now,
            last_sweep: now,
            longest: 0,
            visitors_dropped: 0,
            used: false,
            everyone: Counter::default(),
        };
        meta.insert(LIST_KEY, list.encode().as_slice())?;
        transaction.open_table(SESSIONS)?;
        transaction.open_table(VISITORS)?;
        transaction.open_table(VISITOR_ORDER)?;
        transaction.open_table(SUBJECTS)?;
        transaction.open_table(EXPIRY)?;
    }
    transaction.commit()?;
    Ok(())
}

/// The list, if this is one that this release understands.
fn read_list(database: &Database) -> Result<List, Fault> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(Fault::Damaged("this is not a revocation list".into())),
    };
    match meta.get(FORMAT_KEY)? {
        Some(format) if format.value() == FORMAT.as_bytes() => {}
        Some(format) => {
            let found: String = String::from_utf8_lossy(format.value())
                .chars()
                .take(64)
                .collect();
            return Err(Fault::Damaged(format!(
                "the file's format is {found:?}, this release reads {FORMAT:?}"
            )));
        }
        None => return Err(Fault::Damaged("this is not a revocation list".into())),
    }
    if meta.get(DAMAGED_KEY)?.is_some() {
        let problem = "the file failed its checksums at an earlier start";
        return Err(Fault::Damaged(problem.into()));
    }
    // Opened here, so that a table that is missing is found now and not at the first login.
    transaction.open_table(SESSIONS)?;
    transaction.open_table(VISITORS)?;
    transaction.open_table(VISITOR_ORDER)?;
    transaction.open_table(SUBJECTS)?;
    transaction.open_table(EXPIRY)?;
    list(&meta)
}

/// The list as it is when it is `now`. One that nothing was ever revoked in begins anew where it was made or
/// swept by a clock that was wrong: it cannot have forgotten anything.
pub(super) fn follow_clock(list: List, now: UnixMillis) -> Result<List, Fault> {
    let Err(error) = check_clock(now, list.last_sweep) else {
        return Ok(list);
    };
    if list.used {
        return Err(error.into());
    }
    tracing::warn!(
        %now,
        last_sweep = %list.last_sweep,
        "the clock was wrong when the empty revocation list was made or swept; it begins anew, and refuses sessions from before"
    );
    let floor = match list.floor {
        UnixMillis::EPOCH => UnixMillis::EPOCH,
        _ => now,
    };
    Ok(List {
        born: now,
        floor,
        last_sweep: now,
        ..list
    })
}

fn write_list(database: &Database, list: &List) -> Result<(), Fault> {
    let transaction = begin_write(database)?;
    transaction
        .open_table(META)?
        .insert(LIST_KEY, list.encode().as_slice())?;
    transaction.commit()?;
    Ok(())
}

/// The list in an open table.
pub(super) fn list(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<List, Fault> {
    match meta.get(LIST_KEY)? {
        Some(list) => List::decode(list.value()),
        None => Err(Fault::Damaged("the list's own entry is missing".into())),
    }
}

fn mark_damaged(database: &Database) -> Result<(), Fault> {
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
