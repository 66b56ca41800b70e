//! A node's own list of revocations, for benchmarks.

use crate::ids::{Generation, SessionId, SubjectKey};
use crate::revoke::list::List;
use crate::revoke::{Published, Revocation, SessionEntry, Target};
use crate::time::UnixMillis;

/// A node's own list of revocations, without a store or a node around it: what every request is checked
/// against. For this crate's benchmarks: it may change with any release. An application reaches the list of its
/// node through [`Sessions`](crate::Sessions).
///
/// ```
/// use sealed_session::revoke::{Revocation, SessionEntry};
/// use sealed_session::testing::RevocationList;
/// use sealed_session::{revoke::{Serial, SessionId}, time::UnixMillis};
///
/// let list = RevocationList::default();
/// let id = SessionId::from_bytes([7; 16]);
/// let entry = SessionEntry {
///     serial: Serial::ENDED,
///     from: UnixMillis::new(1_000),
///     until: UnixMillis::new(2_000),
/// };
/// list.join(&Revocation::Session { id, entry });
/// assert_eq!(list.session(&id), Some(entry));
/// assert_eq!(list.sweep(UnixMillis::new(2_001)), 1);
/// assert!(list.is_empty());
/// ```
#[doc(hidden)]
#[derive(Default)]
pub struct RevocationList(List);

redacted!(RevocationList);

impl RevocationList {
    /// Joins one revocation in, and says whether it was news.
    pub fn join(&self, revocation: &Revocation) -> Published {
        self.0.join(revocation)
    }

    /// What is known of a session that somebody logged in to.
    pub fn session(&self, id: &SessionId) -> Option<SessionEntry> {
        self.0.session(id, false)
    }

    /// From which generation on a subject's sessions live.
    pub fn subject(&self, key: &SubjectKey) -> Generation {
        self.0.generation(Target::Subject(*key))
    }

    /// Forgets what has expired by `now`, and returns how many entries that were.
    pub fn sweep(&self, now: UnixMillis) -> usize {
        self.0.sweep(now)
    }

    /// How many entries are held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
