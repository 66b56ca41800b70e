//! Which sessions this node has written to the index a moment ago.
//!
//! 1. One place for each session by its id, of a fixed number: a megabyte. Two sessions that share a place take turns,
//!    which costs a write now and then.
//! 2. A place holds a hash of the session, its key and the stretch of time. So a session is written again after
//!    `refresh_after`, or when it was sealed with another key.
//! 3. Ids are random, so nobody chooses their place.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ids::{KeyId, SessionId};
use crate::time::{UnixMillis, millis};

const PLACES: usize = 1 << 17;

pub(super) struct SeenSessions {
    places: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl SeenSessions {
    pub(super) fn new() -> Self {
        Self {
            places: std::iter::repeat_with(AtomicU64::default)
                .take(PLACES)
                .collect(),
            hasher: RandomState::new(),
        }
    }

    /// Whether the session has to be written. It counts as written from then on.
    pub(super) fn take(
        &self,
        session: &SessionId,
        key: &KeyId,
        now: UnixMillis,
        refresh_after: Duration,
    ) -> bool {
        let stretch = now.as_millis().checked_div(millis(refresh_after));
        let mut hasher = self.hasher.build_hasher();
        hasher.write(session.as_bytes());
        hasher.write(key.as_bytes());
        hasher.write_u64(stretch.unwrap_or(now.as_millis()));
        // Zero is an empty place.
        let mark = hasher.finish() | 1;
        let place = self.place(session);
        place.is_none_or(|place| place.swap(mark, Ordering::Relaxed) != mark)
    }

    /// It was not written after all.
    pub(super) fn forget(&self, session: &SessionId) {
        if let Some(place) = self.place(session) {
            place.store(0, Ordering::Relaxed);
        }
    }

    fn place(&self, session: &SessionId) -> Option<&AtomicU64> {
        let [first, second, third, ..] = *session.as_bytes();
        let number = u32::from_le_bytes([first, second, third, 0]);
        self.places.get(usize::try_from(number).ok()? % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_written_once_in_a_stretch_and_under_each_key() {
        let seen = SeenSessions::new();
        let minute = Duration::from_secs(60);
        let at = |seconds: u64| UnixMillis::from_secs(1_795_248_000 + seconds);
        let [one, two] = [1, 2].map(|it| SessionId::from_bytes([it; 16]));
        let [old, new] = [1, 2].map(|it| KeyId::from_bytes([it; 16]));
        let take = |session, key, seconds| seen.take(session, key, at(seconds), minute);
        assert!(take(&one, &old, 0));
        assert!(!take(&one, &old, 59));
        assert!(take(&two, &old, 59));
        assert!(!take(&one, &old, 59));
        assert!(take(&one, &new, 59));
        assert!(take(&one, &new, 60));
        assert!(!take(&one, &new, 60));
        // Of two in one place, each when it is its turn.
        let mut other = *one.as_bytes();
        other[15] ^= 1;
        let other = SessionId::from_bytes(other);
        assert!(take(&other, &new, 60));
        assert!(take(&one, &new, 60));
    }
}
