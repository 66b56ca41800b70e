//! What can go wrong between this store and its file, until the file's name is added.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::StoreError;

#[derive(Debug)]
pub(super) enum Fault {
    /// From the database below.
    Redb(Box<::redb::Error>),
    /// A file that this release did not write.
    Damaged(String),
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> StoreError {
        let error = match self {
            Self::Damaged(problem) => return damaged(path, problem),
            Self::Redb(error) => *error,
        };
        use ::redb::Error as E;
        match &error {
            E::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
            E::Corrupted(_)
            | E::UpgradeRequired(_)
            | E::TableTypeMismatch { .. }
            | E::TableIsMultimap(_)
            | E::TableIsNotMultimap(_)
            | E::TypeDefinitionChanged { .. }
            | E::TableDoesNotExist(_) => damaged(path, error.to_string()),
            // What redb says of a file that is none of its own, or shorter than its header says.
            E::Io(io) if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                damaged(path, error.to_string())
            }
            E::PreviousIo => unavailable(
                path,
                "an earlier write failed (is the disk full?); the file has to be opened again",
            ),
            _ => unavailable(path, error),
        }
    }
}

pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        path: Some(path.to_owned()),
        problem: problem.into(),
    }
}

pub(super) fn unavailable(path: &Path, problem: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable(format_args!("{}: {problem}", path.display()))
}

/// Runs `work`, and calls a panic in it damage: redb panics on some damaged pages.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, StoreError> {
    // What `work` touched is not looked at again, or is redb's, which guards itself.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|fault| fault.at(path)),
        Err(_) => Err(damaged(path, "reading the file failed with a panic")),
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<::redb::$error> for Fault {
            fn from(error: ::redb::$error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(
    CommitError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);
