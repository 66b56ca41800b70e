//! The index of sessions in the file: a table with a row for each session, by subject.
//!
//! 1. An update reads, changes and writes in one transaction, and none other writes meanwhile.
//! 2. A row that is not understood was written by a later release, or is damaged. It is counted and left as it is: nothing
//!    is put in its place.
//! 3. What is read or written blocks, so it runs on tokio's pool for that. Where a caller has no tokio, it runs in the
//!    caller's thread.
//! 4. A sweep and a copy go through the table in pages, so that nobody waits for more than one of them.

use std::ops::{Bound, RangeInclusive};
use std::sync::{Arc, Mutex};

use ::redb::{
    Database, Error as RedbError, Range, ReadOnlyTable, ReadableDatabase, ReadableTable, Table,
    TableError,
};
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::file::{SESSIONS, SessionKey};
use super::shared::SharedFile;
use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::index::{IndexRow, IndexRows, IndexUpdate, SessionIndex};
use crate::lock::lock;
use crate::time::UnixMillis;

/// How many rows are looked at in one transaction, and those that their last subject has besides.
const PAGE: usize = 1_000;
/// How many pages a sweep looks at.
const PAGES: usize = 10;

#[derive(Clone)]
pub(super) struct RedbIndex {
    file: Arc<SharedFile>,
    /// The subject at which the last sweep stopped. None at the end of the table.
    swept: Arc<Mutex<Option<SubjectKey>>>,
}

type SessionsTable = ReadOnlyTable<SessionKey<'static>, &'static [u8]>;
/// Some subjects of the table, in its order.
type Page = Vec<(SubjectKey, IndexRows)>;

impl RedbIndex {
    pub(super) fn new(file: Arc<SharedFile>) -> Self {
        Self {
            file,
            swept: Arc::default(),
        }
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Ok(runtime) = Handle::try_current() else {
            return work(self);
        };
        let index = self.clone();
        let done = runtime.spawn_blocking(move || work(&index)).await;
        // It is not done if the runtime ends.
        done.unwrap_or(Err(StoreError::Closed))
    }

    fn change(&self, subject: SubjectKey, update: &IndexUpdate) -> Result<IndexRows, StoreError> {
        if let Some(row) = &update.row {
            // One that cannot be written is no failure of the file.
            row.to_bytes()?;
        }
        self.file.change(|transaction| {
            let mut table = transaction.open_table(SESSIONS)?;
            let (before, answer) = apply(&mut table, subject, update)?;
            Ok((answer.rows != before, answer))
        })
    }

    /// Some subjects behind `after`, and whether there are no more.
    fn page(&self, after: Option<SubjectKey>) -> Result<(Page, bool), StoreError> {
        self.file.with(|database| {
            let Some(table) = table(database)? else {
                return Ok((Page::new(), true));
            };
            let after = after.as_ref().map(|subject| *keys(subject).end());
            let after = after.map_or(Bound::Unbounded, Bound::Excluded);
            let (mut page, mut looked_at) = (Page::new(), 0);
            for row in table.range::<SessionKey<'_>>((after, Bound::Unbounded))? {
                let (key, value) = row?;
                let (subject, session) = key.value();
                let subject = SubjectKey::from_bytes(*subject);
                if page.last().is_none_or(|(last, _)| *last != subject) {
                    if looked_at >= PAGE {
                        return Ok((page, false));
                    }
                    page.push((subject, IndexRows::default()));
                }
                if let Some((_, rows)) = page.last_mut() {
                    rows.take(read(session, value.value()));
                }
                looked_at += 1;
            }
            Ok((page, true))
        })
    }

    /// Forgets what is over of some subjects.
    fn forget(&self, now: UnixMillis, subjects: &[SubjectKey]) -> Result<usize, StoreError> {
        self.file.change(|transaction| {
            let mut table = transaction.open_table(SESSIONS)?;
            let mut forgotten: usize = 0;
            for subject in subjects {
                let (before, left) = apply(&mut table, *subject, &IndexUpdate::new(now))?;
                let gone = before.len().saturating_sub(left.rows.len());
                forgotten = forgotten.saturating_add(gone);
            }
            Ok((forgotten > 0, forgotten))
        })
    }

    fn sweep_pages(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let mut forgotten: usize = 0;
        for _ in 0..PAGES {
            let after = *lock(&self.swept);
            let (page, is_last) = self.page(after)?;
            let with_some = page
                .iter()
                .filter(|(_, found)| found.rows.iter().any(|row| row.until <= now));
            let with_some: Vec<_> = with_some.map(|(subject, _)| *subject).collect();
            if !with_some.is_empty() {
                forgotten = forgotten.saturating_add(self.forget(now, &with_some)?);
            }
            let last = page.last().filter(|_| !is_last);
            *lock(&self.swept) = last.map(|(subject, _)| *subject);
            if is_last {
                break;
            }
        }
        Ok(forgotten)
    }
}

/// The keys of a subject's rows.
fn keys(subject: &SubjectKey) -> RangeInclusive<SessionKey<'_>> {
    (subject.as_bytes(), &[0; 16])..=(subject.as_bytes(), &[u8::MAX; 16])
}

fn read(session: &[u8; 16], row: &[u8]) -> Option<IndexRow> {
    IndexRow::from_bytes(SessionId::from_bytes(*session), row)
}

fn found(rows: Range<'_, SessionKey<'static>, &'static [u8]>) -> Result<IndexRows, RedbError> {
    let mut found = IndexRows::default();
    for row in rows {
        let (key, value) = row?;
        found.take(read(key.value().1, value.value()));
    }
    Ok(found)
}

/// Carries an update out. Returns the rows before it as well.
fn apply(
    table: &mut Table<'_, SessionKey<'static>, &'static [u8]>,
    subject: SubjectKey,
    update: &IndexUpdate,
) -> Result<(Vec<IndexRow>, IndexRows), RedbError> {
    let before = found(table.range(keys(&subject))?)?;
    let is_among =
        |rows: &[IndexRow], row: &IndexRow| rows.iter().any(|it| it.session == row.session);
    let mut update = update.clone();
    if let Some(row) = &update.row
        && !is_among(&before.rows, row)
        && table
            .get((subject.as_bytes(), row.session.as_bytes()))?
            .is_some()
    {
        update.row = None;
    }
    let mut rows = before.rows.clone();
    let mut answer = update.apply(&mut rows);
    answer.unreadable = before.unreadable;
    for row in before.rows.iter().filter(|row| !is_among(&rows, row)) {
        table.remove((subject.as_bytes(), row.session.as_bytes()))?;
    }
    for row in rows.iter().filter(|row| !before.rows.contains(row)) {
        // What cannot be written was refused before it came here.
        if let Ok(bytes) = row.to_bytes() {
            table.insert(
                (subject.as_bytes(), row.session.as_bytes()),
                bytes.as_slice(),
            )?;
        }
    }
    Ok((before.rows, answer))
}

/// None before the first row.
fn table(database: &Database) -> Result<Option<SessionsTable>, RedbError> {
    match database.begin_read()?.open_table(SESSIONS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl SessionIndex for RedbIndex {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        self.blocking(move |index| {
            index.file.with(|database| match table(database)? {
                Some(table) => found(table.range(keys(&subject))?),
                None => Ok(IndexRows::default()),
            })
        })
        .await
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        let update = update.clone();
        self.blocking(move |index| index.change(subject, &update))
            .await
    }

    /// Looks at some ten thousand rows, from where the last sweep stopped.
    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        self.blocking(move |index| index.sweep_pages(now)).await
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (page, is_last) = self.blocking(move |index| index.page(after)).await?;
            for (subject, rows) in page {
                after = Some(subject);
                receive(subject, rows);
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

// The file.
redacted!(RedbIndex: |it| path = it.file.path());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use crate::index::{IndexRow, RowState};
    use crate::revoke::Journal;
    use crate::store::Redb;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_secs(seconds)
    }

    fn subject(number: u64) -> SubjectKey {
        SubjectKey::from_bytes(u128::from(number).to_be_bytes())
    }

    fn put(number: u64, until: u64) -> IndexUpdate {
        let session = SessionId::from_bytes(u128::from(number).to_be_bytes());
        let row = IndexRow::new(session, RowState::Listed, at(1), at(until));
        IndexUpdate {
            row: Some(row),
            ..IndexUpdate::new(at(1))
        }
    }

    /// One of each two is over soon.
    fn filled(index: &RedbIndex, subjects: u64) {
        let filled = index.file.change(|transaction| {
            let mut table = transaction.open_table(SESSIONS)?;
            for number in 0..subjects {
                apply(&mut table, subject(number), &put(number, 10 + number % 2))?;
            }
            Ok((true, ()))
        });
        filled.unwrap();
    }

    #[tokio::test]
    async fn a_sweep_goes_on_where_the_last_one_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let redb = Redb::create(folder.path().join("revocations.redb")).unwrap();
        let index = RedbIndex::new(Arc::clone(&redb.file));
        assert_eq!(index.sweep(at(10)).await, Ok(0), "there is no table yet");
        let subjects = (PAGE * PAGES) as u64;
        filled(&index, subjects * 2 + 6);
        let half = PAGE * PAGES / 2;
        for forgotten in [half, half, 3, 0] {
            assert_eq!(index.sweep(at(10)).await, Ok(forgotten));
        }
        let mut left = 0;
        let count = &mut |_, rows: IndexRows| left += rows.rows.len();
        index.each(count).await.unwrap();
        assert_eq!(left as u64, subjects + 3);
        // From the beginning again.
        let mut forgotten = 0;
        for _ in 0..2 {
            forgotten += index.sweep(at(11)).await.unwrap();
        }
        assert_eq!(forgotten as u64, subjects + 3);
        assert!(index.page(None).unwrap().0.is_empty());
    }

    #[tokio::test]
    async fn a_row_that_is_not_understood_is_counted_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let redb = Redb::create(folder.path().join("revocations.redb")).unwrap();
        let index = RedbIndex::new(Arc::clone(&redb.file));
        let later = b"of a later release".as_slice();
        let key = *subject(1).as_bytes();
        let planted = index.file.change(|transaction| {
            let mut table = transaction.open_table(SESSIONS)?;
            table.insert((&key, &key), later)?;
            Ok((true, ()))
        });
        planted.unwrap();
        // In its own place nothing is put, and beside it another session's row.
        for (number, rows) in [(1, 0), (2, 1)] {
            let answer = index.update(subject(1), &put(number, 10)).await.unwrap();
            let counted = (answer.rows.len(), answer.unreadable, answer.is_full);
            assert_eq!(counted, (rows, 1, false));
        }
        assert_eq!(index.sweep(at(100)).await, Ok(1));
        let found = index.rows(subject(1)).await.unwrap();
        assert_eq!((found.rows.len(), found.unreadable), (0, 1));
        let kept = index.file.with(|database| {
            let table = table(database)?.unwrap();
            Ok(table.get((&key, &key))?.unwrap().value().to_vec())
        });
        assert_eq!(kept.unwrap(), later);
        assert_eq!(index.rows(subject(2)).await.unwrap(), IndexRows::default());
    }

    #[test]
    fn without_a_runtime_an_index_works_in_the_callers_thread() {
        let folder = tempfile::tempdir().unwrap();
        let redb = Redb::create(folder.path().join("revocations.redb")).unwrap();
        let index = redb.session_index().unwrap();
        let update = put(1, 10);
        let mut updating = index.update(subject(1), &update);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let answer = updating.as_mut().poll(&mut context);
        assert!(matches!(&answer, std::task::Poll::Ready(Ok(rows)) if rows.rows.len() == 1));
    }
}
