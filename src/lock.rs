//! Locking where a panic under the lock leaves a valid state.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// For state that is valid at every moment, so that a poisoned lock does no harm.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
