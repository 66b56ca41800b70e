//! Locking where a panic under the lock leaves nothing behind that the next one could not use.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever uses this has seen to it that every state in between is a valid one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
