//! The errors of this store: which of redb's means what to an operator.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::Error as RedbError;

use crate::error::StoreError;

pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        path: Some(path.to_owned()),
        problem: problem.into(),
    }
}

pub(super) fn unavailable(path: &Path, problem: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable(format_args!("{}: {problem}", path.display()))
}

/// Runs `work`, and calls a panic in it damage: redb panics on some damaged pages. `work` says
/// [`Corrupted`](RedbError::Corrupted) of a file that this release did not write.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, RedbError>,
) -> Result<T, StoreError> {
    // After a panic nothing is read but redb's own state, which redb guards.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| store_error(path, error)),
        Err(_) => Err(damaged(path, "reading the file failed with a panic")),
    }
}

fn store_error(path: &Path, error: RedbError) -> StoreError {
    use RedbError as E;
    match error {
        E::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        E::Corrupted(problem) => damaged(path, problem),
        E::UpgradeRequired(_)
        | E::TableTypeMismatch { .. }
        | E::TableIsMultimap(_)
        | E::TableIsNotMultimap(_)
        | E::TypeDefinitionChanged { .. }
        | E::TableDoesNotExist(_) => damaged(path, error.to_string()),
        // redb's error for a foreign file, or one that is shorter than its header says.
        E::Io(ref io) if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            damaged(path, error.to_string())
        }
        E::PreviousIo => unavailable(
            path,
            "an earlier write failed (is the disk full?); the file has to be opened again",
        ),
        _ => unavailable(path, error),
    }
}
