//! The store in one file.
//!
//! 1. One process, one file, one writer; what was acknowledged is on disk.
//! 2. Reads go to the file directly and see what was committed.
//! 3. Whatever could be misread is an error, at the open if possible.

mod fault;
mod file;
mod record;
mod state;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};
use async_trait::async_trait;

use self::fault::{Fault, guarded};
use self::record::{Id, List, META, Record, SESSIONS, SUBJECTS, Subject, VISITORS, Visitor};
use self::writer::Writer;
use super::feed::Feed;
use super::kept;
use crate::clock::{Clock, SystemClock, UnixMillis};
use crate::error::StoreError;
use crate::id::{Generation, SessionId, SubjectKey};
use crate::revoke::{
    Followed, Found, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SessionEntry, SnapshotEnd,
};

/// How many entries a snapshot hands over at once.
const SNAPSHOT_BATCH: usize = 4096;

/// A revocation store in one file, for one process: the embedded default.
///
/// What returned `Ok` is on disk and survives `kill -9` and, as far as the disk keeps its promises,
/// a loss of power.
///
/// - **A missing file is an error** ([`StoreError::Missing`]), because an empty list must not be
///   taken for one in which nobody was logged out. [`create`](Self::create) is the explicit first
///   start. A new list refuses sessions from before it, so a lost file logs everyone out.
/// - **The file is checked in full at every open**, which takes about 30 ms for a million entries.
///   A damaged one is [`StoreError::Damaged`] and stays so. This catches panics inside redb, and so
///   needs the default `panic = "unwind"`. One bit escapes it: the one that says which of the last
///   two commits is the later, damaged in a file that was not closed cleanly, brings back the
///   earlier.
/// - **A second process** gets [`StoreError::InUse`].
/// - **After a failed write** (a full disk, say) every later write fails with
///   [`StoreError::Unavailable`] until the file is opened again, which means restarting the process,
///   also when there is space again. Reads go on.
/// - **A clock that cannot be right** is [`StoreError::Clock`]: at the open or a sweep, more than
///   60 s before or 400 days after the last sweep. A list in which nothing was ever revoked begins anew
///   instead: a machine may first start with a clock that is wrong.
/// - The file belongs to its owner alone (mode 0600). Do not restore it from a backup without
///   calling [`reborn`](RevocationStore::reborn): a backup has forgotten what happened since.
///
/// Opening blocks. Dropping waits for the writes under way and closes the file.
///
/// ```
/// use sealed_session::store::Redb;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("revocations.redb");
/// let store = Redb::create(&path)?; // the first start
/// drop(store);
/// let store = Redb::open(&path)?; // every other
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Redb {
    // Dropped in this order: the writer holds the database too.
    writer: Writer,
    database: Arc<Database>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    feed: Arc<Feed>,
}

impl Redb {
    /// Opens the list in the file `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be trusted: see [`Redb`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path)
    }

    /// Creates an empty list in the new file `path`.
    ///
    /// # Errors
    /// When the file exists already, or cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().create(path)
    }

    /// Opens the list in the file `path`, or creates an empty one if there is none.
    ///
    /// Convenient where losing the file may log everyone out without anyone being told.
    ///
    /// # Errors
    /// When there is a list that cannot be trusted, or none and none can be created.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open_or_create(path)
    }

    /// For another clock.
    pub fn options() -> RedbOptions {
        RedbOptions { clock: None }
    }

    /// How many entries of visitors made room for newer ones before their time, since the list
    /// was created.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn visitors_dropped(&self) -> Result<u64, StoreError> {
        guarded(&self.path, || Ok(self.list()?.visitors_dropped))
    }

    fn list(&self) -> Result<List, Fault> {
        file::list(&self.database.begin_read()?.open_table(META)?)
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How to open a [`Redb`]. From [`Redb::options`].
#[derive(Debug, Clone)]
pub struct RedbOptions {
    clock: Option<Arc<dyn Clock>>,
}

impl RedbOptions {
    /// The store's clock; the machine's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// As [`Redb::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Redb, StoreError> {
        let path = path.as_ref().to_owned();
        let clock = self.chosen_clock();
        let database = Arc::new(file::open(&path, clock.now())?);
        let feed = Arc::new(Feed::new());
        let writer = Writer::start(database.clone(), path.clone(), feed.clone())?;
        Ok(Redb {
            writer,
            database,
            path,
            clock,
            feed,
        })
    }

    /// As [`Redb::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Redb, StoreError> {
        file::create(path.as_ref(), self.chosen_clock().now())?;
        self.open(path)
    }

    /// As [`Redb::open_or_create`].
    ///
    /// # Errors
    /// As there.
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<Redb, StoreError> {
        match self.clone().open(&path) {
            Err(StoreError::Missing(_)) => self.create(path),
            opened => opened,
        }
    }
}

#[async_trait]
impl RevocationStore for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn reach(&self) -> Reach {
        Reach::Process
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.writer
            .run(move |state| {
                state.announce(longest);
                Ok(())
            })
            .await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        let revocations = revocations.to_vec();
        self.writer
            .run(move |state| state.publish(&revocations))
            .await
    }

    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.publish(revocations).await.map(|_| ())
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let now = self.clock.now();
        self.writer.run(move |state| state.raise(&raise, now)).await
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        let now = self.clock.now();
        guarded(&self.path, || {
            let transaction = self.database.begin_read()?;
            let list = file::list(&transaction.open_table(META)?)?;
            let subjects = transaction.open_table(SUBJECTS)?;
            let subject = state::get::<Subject>(&subjects, subject.as_bytes())?;
            Ok(Reading {
                subject: subject.map_or(Generation::NONE, |subject| subject.counter.generation),
                everyone: list.everyone.generation,
                now,
                born: list.born,
            })
        })
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        guarded(&self.path, || {
            let transaction = self.database.begin_read()?;
            let list = file::list(&transaction.open_table(META)?)?;
            let mut found = Vec::new();
            let sessions = transaction.open_table(SESSIONS)?;
            if let Some(entry) = state::get(&sessions, session.as_bytes())? {
                found.push(of_session(*session.as_bytes(), entry));
            }
            let visitors = transaction.open_table(VISITORS)?;
            if let Some(visitor) = state::get(&visitors, session.as_bytes())? {
                found.push(of_visitor(*session.as_bytes(), visitor));
            }
            let subjects = transaction.open_table(SUBJECTS)?;
            if let Some(key) = subject
                && let Some(subject) = state::get(&subjects, key.as_bytes())?
            {
                found.push(of_subject(*key.as_bytes(), subject, list.longest));
            }
            found.extend(of_everyone(&list));
            Ok(Found {
                revocations: found,
                born: list.born,
            })
        })
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let position = self.feed.position();
        let (list, sessions, visitors, subjects) = guarded(&self.path, || {
            let transaction = self.database.begin_read()?;
            Ok((
                file::list(&transaction.open_table(META)?)?,
                transaction.open_table(SESSIONS)?,
                transaction.open_table(VISITORS)?,
                transaction.open_table(SUBJECTS)?,
            ))
        })?;
        self.hand_over(&sessions, of_session, receive).await?;
        self.hand_over(&visitors, of_visitor, receive).await?;
        let of_subject = |id, subject| of_subject(id, subject, list.longest);
        self.hand_over(&subjects, of_subject, receive).await?;
        receive(of_everyone(&list).into_iter().collect());
        Ok(SnapshotEnd {
            position,
            born: list.born,
            floor: list.floor,
            longest: Duration::from_millis(list.longest),
            settling: Duration::ZERO,
        })
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        Ok(self.feed.follow(position).await)
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        if epoch != self.feed.position().epoch {
            return Ok(None);
        }
        let born = self.writer.run(move |state| Ok(state.vouch(born))).await?;
        Ok(Some(born))
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        let now = self.clock.now();
        self.writer.run(move |state| Ok(state.reborn(now))).await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        self.writer.run(move |state| state.sweep(now)).await
    }
}

fn of_session(id: Id, entry: SessionEntry) -> Revocation {
    let id = SessionId::from_bytes(id);
    Revocation::Session { id, entry }
}

fn of_visitor(id: Id, visitor: Visitor) -> Revocation {
    let id = SessionId::from_bytes(id);
    let entry = visitor.entry;
    Revocation::Visitor { id, entry }
}

fn of_subject(id: Id, subject: Subject, longest: u64) -> Revocation {
    let key = SubjectKey::from_bytes(id);
    let entry = kept(subject.entry(), Duration::from_millis(longest));
    Revocation::Subject { key, entry }
}

fn of_everyone(list: &List) -> Option<Revocation> {
    let generation = list.everyone.generation;
    (generation > Generation::NONE).then_some(Revocation::Everyone { generation })
}

impl Redb {
    /// Hands a whole table to `receive`, and lets other tasks run between batches.
    async fn hand_over<R: Record>(
        &self,
        table: &ReadOnlyTable<&'static Id, &'static [u8]>,
        revocation: impl Fn(Id, R) -> Revocation,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<(), StoreError> {
        let mut entries = guarded(&self.path, || Ok(table.iter()?))?;
        loop {
            let batch = guarded(&self.path, || {
                let mut batch = Vec::new();
                for entry in entries.by_ref().take(SNAPSHOT_BATCH) {
                    let (id, value) = entry?;
                    batch.push(revocation(*id.value(), R::decode(value.value())?));
                }
                Ok(batch)
            })?;
            if batch.is_empty() {
                return Ok(());
            }
            receive(batch);
            tokio::task::yield_now().await;
        }
    }
}

impl RedbOptions {
    fn chosen_clock(&self) -> Arc<dyn Clock> {
        let clock = self.clock.clone();
        clock.unwrap_or_else(|| Arc::new(SystemClock::default()))
    }
}
