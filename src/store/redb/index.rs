//! The index of sessions in the file: a table with a row of each subject, which holds all rows of the index.
//!
//! 1. An update reads, changes and writes in one transaction, and none other writes meanwhile.
//! 2. What is read or written blocks, so it runs on tokio's pool for that. Where a caller has no tokio, it runs in the
//!    caller's thread.
//! 3. A sweep and a copy go through the table in pages, so that nobody waits for more than one of them.

use std::ops::Bound;
use std::sync::{Arc, Mutex};

use ::redb::{
    Database, Error as RedbError, ReadOnlyTable, ReadableDatabase, ReadableTable, TableError,
};
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::file::SESSIONS;
use super::rows::StoredRows;
use super::shared::SharedFile;
use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::index::{IndexRows, IndexUpdate, SessionIndex};
use crate::lock::lock;
use crate::time::UnixMillis;

/// How many subjects are looked at in one transaction.
const PAGE: usize = 1_000;
/// How many pages a sweep looks at.
const PAGES: usize = 10;

#[derive(Clone)]
pub(super) struct RedbIndex {
    file: Arc<SharedFile>,
    /// The subject at which the last sweep stopped. None at the end of the table.
    swept: Arc<Mutex<Option<SubjectKey>>>,
}

type SessionsTable = ReadOnlyTable<&'static [u8; 16], &'static [u8]>;
/// Some subjects of the table, in its order.
type Page = Vec<(SubjectKey, StoredRows)>;

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
            let before = table.get(subject.as_bytes())?;
            let before = before.map_or_else(Vec::new, |bytes| bytes.value().to_vec());
            let mut stored = StoredRows::read(&before);
            let mut answer = update.apply(&mut stored.found.rows);
            answer.unreadable = stored.found.unreadable;
            let after = stored.bytes();
            let is_changed = after != before;
            if after.is_empty() {
                table.remove(subject.as_bytes())?;
            } else if is_changed {
                table.insert(subject.as_bytes(), after.as_slice())?;
            }
            Ok((is_changed, answer))
        })
    }

    /// The subjects behind `after`.
    fn page(&self, after: Option<SubjectKey>) -> Result<Page, StoreError> {
        self.file.with(|database| {
            let Some(table) = table(database)? else {
                return Ok(Page::new());
            };
            let after = after.as_ref().map(SubjectKey::as_bytes);
            let after = after.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = table.range::<&[u8; 16]>((after, Bound::Unbounded))?;
            rows.take(PAGE)
                .map(|row| {
                    let (subject, bytes) = row?;
                    let subject = SubjectKey::from_bytes(*subject.value());
                    Ok((subject, StoredRows::read(bytes.value())))
                })
                .collect()
        })
    }

    /// Forgets what is over of some subjects.
    fn forget(&self, now: UnixMillis, subjects: &[SubjectKey]) -> Result<usize, StoreError> {
        self.file.change(|transaction| {
            let mut table = transaction.open_table(SESSIONS)?;
            let mut forgotten: usize = 0;
            for subject in subjects {
                let Some(bytes) = table.remove(subject.as_bytes())? else {
                    continue;
                };
                let mut stored = StoredRows::read(bytes.value());
                drop(bytes);
                let before = stored.found.rows.len();
                stored.found.rows.retain(|row| row.until > now);
                forgotten =
                    forgotten.saturating_add(before.saturating_sub(stored.found.rows.len()));
                let after = stored.bytes();
                if !after.is_empty() {
                    table.insert(subject.as_bytes(), after.as_slice())?;
                }
            }
            Ok((forgotten > 0, forgotten))
        })
    }

    fn sweep_pages(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let mut forgotten: usize = 0;
        for _ in 0..PAGES {
            let after = *lock(&self.swept);
            let page = self.page(after)?;
            let with_some = page
                .iter()
                .filter(|(_, stored)| stored.found.rows.iter().any(|row| row.until <= now));
            let with_some: Vec<_> = with_some.map(|(subject, _)| *subject).collect();
            if !with_some.is_empty() {
                forgotten = forgotten.saturating_add(self.forget(now, &with_some)?);
            }
            let last = page.last().filter(|_| page.len() == PAGE);
            let last = last.map(|(subject, _)| *subject);
            *lock(&self.swept) = last;
            if last.is_none() {
                break;
            }
        }
        Ok(forgotten)
    }
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
            index.file.with(|database| {
                let table = table(database)?;
                let bytes = match &table {
                    Some(table) => table.get(subject.as_bytes())?,
                    None => None,
                };
                let stored = bytes.map(|bytes| StoredRows::read(bytes.value()));
                Ok(stored.unwrap_or_default().found)
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

    /// Looks at ten thousand subjects, from where the last sweep stopped.
    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        self.blocking(move |index| index.sweep_pages(now)).await
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.blocking(move |index| index.page(after)).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (subject, stored) in page {
                receive(subject, stored.found);
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
                let mut stored = StoredRows::default();
                put(number, 10 + number % 2).apply(&mut stored.found.rows);
                table.insert(subject(number).as_bytes(), stored.bytes().as_slice())?;
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
        // A subject without rows is gone from the table.
        let page = index.page(None).unwrap();
        assert!(page.iter().all(|(_, stored)| !stored.found.rows.is_empty()));
        // From the beginning again.
        let mut forgotten = 0;
        for _ in 0..2 {
            forgotten += index.sweep(at(11)).await.unwrap();
        }
        assert_eq!(forgotten as u64, subjects + 3);
        assert!(index.page(None).unwrap().is_empty());
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
