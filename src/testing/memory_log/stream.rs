//! What was published, in order.
//!
//! Publications are counted without gaps, and each has a mark: so a cursor of another list, of another history of
//! the same length, or of what is forgotten already is recognised, and is a gap.

use std::collections::VecDeque;

use crate::revoke::{Cursor, Revocation};

/// How many publications are kept for followers that are behind.
const WINDOW: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    epoch: u64,
    /// How many publications were forgotten, and the mark of the last of them.
    forgotten: u64,
    forgotten_mark: u64,
    kept: VecDeque<Publication>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Publication {
    mark: u64,
    revocations: Vec<Revocation>,
}

impl Stream {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            forgotten: 0,
            forgotten_mark: epoch,
            kept: VecDeque::new(),
        }
    }

    /// Where a follower stands that has seen everything so far.
    pub(super) fn end(&self) -> Cursor {
        let kept = self.kept.len() as u64;
        let mark = self
            .kept
            .back()
            .map_or(self.forgotten_mark, |last| last.mark);
        Cursor::new(self.epoch, self.forgotten.saturating_add(kept), mark)
    }

    pub(super) fn push(&mut self, mark: u64, revocations: Vec<Revocation>) {
        if self.kept.len() == WINDOW
            && let Some(first) = self.kept.pop_front()
        {
            self.forgotten = self.forgotten.saturating_add(1);
            self.forgotten_mark = first.mark;
        }
        self.kept.push_back(Publication { mark, revocations });
    }

    /// What comes after `cursor`, in at most `limit` publications, and where that ends. `None` at a gap.
    pub(super) fn after(&self, cursor: Cursor, limit: usize) -> Option<(Vec<Revocation>, Cursor)> {
        if cursor.epoch != self.epoch {
            return None;
        }
        let seen = cursor.sequence.checked_sub(self.forgotten)?;
        let seen = usize::try_from(seen).ok()?;
        let mark = match seen.checked_sub(1) {
            Some(last) => self.kept.get(last)?.mark,
            None => self.forgotten_mark,
        };
        if mark != cursor.mark {
            return None;
        }
        let mut end = cursor;
        let mut revocations = Vec::new();
        for publication in self.kept.iter().skip(seen).take(limit) {
            revocations.extend(&publication.revocations);
            end.sequence = end.sequence.saturating_add(1);
            end.mark = publication.mark;
        }
        Some((revocations, end))
    }
}
