//! The one step in which rows change.

use crate::ids::SessionId;
use crate::index::row::{IndexRow, IndexRows, RowState};
use crate::time::UnixMillis;

/// How many rows of one subject an index holds at the most, those not counted that are being evicted. Of a subject with
/// more sessions, those are missing that were not used for the longest time.
pub const MOST_ROWS: usize = 100;

/// A step that changes the rows of one subject.
///
/// In this order:
///
/// 1. Rows whose `until` is not after `now` are dropped.
/// 2. The rows of `removed` are dropped.
/// 3. `row` is put. If there is one of the same session, that is replaced, with three exceptions: the later `last_seen`
///    stays; what is [`Evicting`](RowState::Evicting) stays so; and where the new label is empty the old one stays.
/// 4. If it is a new one, and as many are counted as `limit` allows, [`WhenRowsFull`] says what happens first. Those of
///    `replaced` are not counted, and make no room: whoever puts the row ends them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexUpdate {
    /// The node's time.
    pub now: UnixMillis,
    /// Sessions that have ended.
    pub removed: Vec<SessionId>,
    /// Sessions whose place the one of `row` takes.
    pub replaced: Vec<SessionId>,
    /// What is put.
    pub row: Option<IndexRow>,
    /// How many there may be. Does not matter without a `row`.
    pub limit: RowLimit,
}

/// How many rows a subject may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowLimit {
    /// At least one, and at most [`MOST_ROWS`].
    pub rows: usize,
    /// What happens where there are as many.
    pub when_full: WhenRowsFull,
}

/// What happens before a row is put where there are as many as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenRowsFull {
    /// It is not put, and [`IndexRows::is_full`] says so. The node judges the rows, and asks again.
    Refuse,
    /// Of those counted the one that was not seen for the longest time (of equals that of the smaller id) becomes
    /// [`Evicting`](RowState::Evicting), until there is room.
    Evict,
    /// As `Evict`, but they are dropped. Their sessions live on without a row.
    Drop,
}

impl IndexUpdate {
    /// One that puts and removes nothing.
    pub fn new(now: UnixMillis) -> Self {
        Self {
            now,
            removed: Vec::new(),
            replaced: Vec::new(),
            row: None,
            limit: RowLimit::MOST,
        }
    }

    /// Does to `rows` what an index does, and returns what that returns but for what is not understood. For indexes that
    /// have the rows of a subject for themselves while they do it: under a lock, or in a transaction.
    pub fn apply(&self, rows: &mut Vec<IndexRow>) -> IndexRows {
        rows.retain(|row| row.until > self.now && !self.removed.contains(&row.session));
        let is_full = self.row.as_ref().is_some_and(|row| !self.put(row, rows));
        IndexRows {
            is_full,
            ..IndexRows::new(rows.clone())
        }
    }

    /// Whether it was.
    fn put(&self, row: &IndexRow, rows: &mut Vec<IndexRow>) -> bool {
        if let Some(old) = rows.iter_mut().find(|old| old.session == row.session) {
            *old = joined(old, row);
            return true;
        }
        let is_counted =
            |row: &IndexRow| row.state.is_counted() && !self.replaced.contains(&row.session);
        while rows.iter().filter(|row| is_counted(row)).count() >= self.limit.rows {
            let counted = rows.iter_mut().filter(|row| is_counted(row));
            let longest_ago = counted.min_by_key(|row| (row.last_seen, row.session));
            match (self.limit.when_full, longest_ago) {
                (WhenRowsFull::Refuse, _) | (_, None) => return false,
                (WhenRowsFull::Evict, Some(victim)) => victim.state = RowState::Evicting,
                (WhenRowsFull::Drop, Some(victim)) => {
                    let victim = victim.session;
                    rows.retain(|row| row.session != victim);
                }
            }
        }
        rows.push(row.clone());
        true
    }
}

fn joined(old: &IndexRow, new: &IndexRow) -> IndexRow {
    let is_evicting = old.state == RowState::Evicting;
    IndexRow {
        state: if is_evicting { old.state } else { new.state },
        last_seen: old.last_seen.max(new.last_seen),
        label: match new.label.is_empty() {
            true => old.label.clone(),
            false => new.label.clone(),
        },
        ..new.clone()
    }
}

impl RowLimit {
    /// As many as an index holds.
    pub const MOST: Self = Self {
        rows: MOST_ROWS,
        when_full: WhenRowsFull::Drop,
    };

    /// At most so many rows, between one and [`MOST_ROWS`].
    pub fn new(rows: usize, when_full: WhenRowsFull) -> Self {
        Self {
            rows: rows.clamp(1, MOST_ROWS),
            when_full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use std::time::Duration;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_secs(seconds)
    }

    fn row(number: u8, seen: u64) -> IndexRow {
        let session = SessionId::from_bytes([number; 16]);
        IndexRow {
            facts: vec![number],
            ..IndexRow::new(session, RowState::Listed, at(seen), at(1000))
        }
    }

    fn put(row: IndexRow, rows: usize, when_full: WhenRowsFull) -> IndexUpdate {
        IndexUpdate {
            row: Some(row),
            limit: RowLimit::new(rows, when_full),
            ..IndexUpdate::new(at(100))
        }
    }

    fn states(rows: &[IndexRow]) -> Vec<(u8, RowState)> {
        let number = |row: &IndexRow| row.session.as_bytes()[0];
        rows.iter().map(|row| (number(row), row.state)).collect()
    }

    #[test]
    fn of_the_counted_rows_the_one_seen_longest_ago_makes_room() {
        use RowState::{Evicting, Listed, Reserved};
        let mut rows = vec![row(1, 7), row(2, 5), row(3, 5)];
        rows[0].state = Evicting;
        let full = put(row(4, 9), 2, WhenRowsFull::Refuse).apply(&mut rows.clone());
        assert!(full.is_full);
        assert_eq!(full.rows, rows);
        let mut evicted = rows.clone();
        let answer = put(row(4, 9), 2, WhenRowsFull::Evict).apply(&mut evicted);
        assert!(!answer.is_full);
        assert_eq!(
            states(&evicted),
            [(1, Evicting), (2, Evicting), (3, Listed), (4, Listed)]
        );
        // Below what there are already: as many as it takes. A reservation counts as seen now.
        let reserved = IndexRow {
            state: Reserved,
            ..row(4, 9)
        };
        put(reserved, 1, WhenRowsFull::Drop).apply(&mut rows);
        assert_eq!(states(&rows), [(1, Evicting), (4, Reserved)]);
    }

    #[test]
    fn a_row_of_the_same_session_keeps_what_must_stay_and_needs_no_room() {
        let mut rows = vec![IndexRow {
            label: b"sealed".to_vec(),
            state: RowState::Evicting,
            ..row(1, 50)
        }];
        let seen = IndexRow {
            facts: b"new".to_vec(),
            until: at(2000),
            ..row(1, 40)
        };
        put(seen.clone(), 1, WhenRowsFull::Refuse).apply(&mut rows);
        let kept = IndexRow {
            state: RowState::Evicting,
            last_seen: at(50),
            label: b"sealed".to_vec(),
            ..seen.clone()
        };
        assert_eq!(rows, [kept]);
        let named = IndexRow {
            label: b"other".to_vec(),
            ..seen
        };
        put(named, 1, WhenRowsFull::Refuse).apply(&mut rows);
        assert_eq!(rows[0].label, b"other");
    }

    #[test]
    fn what_is_replaced_is_not_counted_and_makes_no_room() {
        use RowState::{Evicting, Listed};
        let mut rows = vec![row(1, 1), row(2, 2)];
        let replacing = |when_full| IndexUpdate {
            replaced: vec![row(1, 0).session, row(9, 0).session],
            ..put(row(3, 3), 2, when_full)
        };
        assert!(
            !replacing(WhenRowsFull::Refuse)
                .apply(&mut rows.clone())
                .is_full
        );
        rows.push(row(4, 4));
        let update = replacing(WhenRowsFull::Evict);
        update.apply(&mut rows);
        assert_eq!(
            states(&rows),
            [(1, Listed), (2, Evicting), (4, Listed), (3, Listed)]
        );
    }

    #[test]
    fn what_is_over_or_removed_goes_before_it_is_counted() {
        let mut rows = vec![row(1, 1), row(2, 2), row(3, 3)];
        rows[0].until = at(100);
        let update = IndexUpdate {
            removed: vec![rows[1].session],
            ..put(row(4, 4), 2, WhenRowsFull::Refuse)
        };
        assert!(!update.apply(&mut rows).is_full);
        assert_eq!(
            states(&rows),
            [(3, RowState::Listed), (4, RowState::Listed)]
        );
        let later = IndexUpdate::new(at(1000) + Duration::from_millis(1));
        assert!(later.apply(&mut rows).rows.is_empty());
    }
}
