//! What a store knows of a session.

use crate::ids::SessionId;
use crate::time::UnixMillis;

/// One session of a subject, as a store keeps it.
///
/// A store that reads a row back makes it with [`new`](Self::new), and sets the other fields:
///
/// ```
/// use sealed_session::index::{IndexRow, RowState};
/// use sealed_session::{revoke::SessionId, time::UnixMillis};
///
/// let (session, seen, until) = (SessionId::from_bytes([7; 16]), UnixMillis::from_secs(1), UnixMillis::from_secs(2));
/// let mut row = IndexRow::new(session, RowState::Listed, seen, until);
/// row.facts = b"as they were put".to_vec();
/// row.label = b"as it was put".to_vec();
/// # assert_eq!(row.last_seen, seen);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexRow {
    /// Which session it is. A subject has one row of it.
    pub session: SessionId,
    /// Whether it counts, and is shown.
    pub state: RowState,
    /// When a node last saw it, to the length of [`Lifetimes::refresh_after`](crate::time::Lifetimes::refresh_after).
    pub last_seen: UnixMillis,
    /// When it is over at the latest. The row may be forgotten then.
    pub until: UnixMillis,
    /// What the node needs to judge it; opaque, up to 300 bytes.
    pub facts: Vec<u8>,
    /// What it is called, sealed; opaque, up to 200 bytes. Empty where it has no name yet.
    pub label: Vec<u8>,
}

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    /// A login under way has taken the place. It is counted.
    Reserved,
    /// A session. It is counted.
    Listed,
    /// A session that made room for another. It is not counted, and stays until its end is published.
    Evicting,
}

/// The rows of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexRows {
    /// Each once.
    pub rows: Vec<IndexRow>,
    /// How many were not understood.
    pub unreadable: usize,
    /// Of an update: whether its row was not put, because there are as many as there may be.
    pub is_full: bool,
}

impl IndexRow {
    /// A row without a label.
    pub fn new(
        session: SessionId,
        state: RowState,
        last_seen: UnixMillis,
        until: UnixMillis,
    ) -> Self {
        Self {
            session,
            state,
            last_seen,
            until,
            facts: Vec::new(),
            label: Vec::new(),
        }
    }
}

impl IndexRows {
    /// These rows, all of them understood. A store that skipped some sets [`unreadable`](Self::unreadable).
    pub fn new(rows: Vec<IndexRow>) -> Self {
        Self {
            rows,
            unreadable: 0,
            is_full: false,
        }
    }

    /// Adds a row as it was read. `None`: it is not understood.
    #[cfg(any(feature = "redb", feature = "redis"))]
    pub(crate) fn take(&mut self, row: Option<IndexRow>) {
        match row {
            Some(row) => self.rows.push(row),
            None => self.unreadable = self.unreadable.saturating_add(1),
        }
    }
}

impl RowState {
    /// Whether a limit counts it.
    pub fn is_counted(self) -> bool {
        match self {
            Self::Reserved | Self::Listed => true,
            Self::Evicting => false,
        }
    }
}
