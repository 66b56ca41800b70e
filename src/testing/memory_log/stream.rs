//! What was published, in order.
//!
//! Publications are counted without gaps, and each has a mark: so a cursor of another list, or of another history
//! of the same length, is recognised, and is a gap. All are kept, for tests end soon.

use crate::revoke::{Cursor, Revocation};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    epoch: u64,
    /// The mark of each, and what it says.
    publications: Vec<(u64, Vec<Revocation>)>,
}

impl Stream {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            publications: Vec::new(),
        }
    }

    /// Where a follower stands that has seen everything so far.
    pub(super) fn end(&self) -> Cursor {
        let last = self.publications.last();
        let mark = last.map_or(self.epoch, |(mark, _)| *mark);
        Cursor::new(self.epoch, self.publications.len() as u64, mark)
    }

    pub(super) fn push(&mut self, mark: u64, revocations: Vec<Revocation>) {
        self.publications.push((mark, revocations));
    }

    /// What comes after `cursor`, in at most `limit` publications, and where that ends. `None` at a gap.
    pub(super) fn after(&self, cursor: Cursor, limit: usize) -> Option<(Vec<Revocation>, Cursor)> {
        let seen = usize::try_from(cursor.sequence).ok()?;
        let mark = match seen.checked_sub(1) {
            Some(last) => self.publications.get(last)?.0,
            None => self.epoch,
        };
        if (cursor.epoch, cursor.mark) != (self.epoch, mark) {
            return None;
        }
        let mut end = cursor;
        let mut all = Vec::new();
        for (mark, revocations) in self.publications.iter().skip(seen).take(limit) {
            all.extend(revocations);
            end.sequence = end.sequence.saturating_add(1);
            end.mark = *mark;
        }
        Some((all, end))
    }
}
