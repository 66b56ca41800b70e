//! The index in a file of redb.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redb::{ReadableTable, TableDefinition};
use sealed_session::index::{IndexRows, IndexUpdate, SessionIndex};
use sealed_session::revoke::{Journal, SessionId, SubjectKey};
use sealed_session::store::{Redb, StoreError};
use sealed_session::testing::conformance::{self, IndexHarness};
use sealed_session::time::UnixMillis;
use tempfile::TempDir;

const SESSIONS: TableDefinition<'_, (&[u8; 16], &[u8; 16]), &[u8]> =
    TableDefinition::new("sessions");

/// Each new index is in the next file of a folder.
struct InFiles {
    folder: TempDir,
    opened: Mutex<Vec<Arc<Reopened>>>,
}

/// An index in a file that can be closed, changed and opened again.
#[derive(Debug)]
struct Reopened {
    path: PathBuf,
    store: Mutex<Option<Redb>>,
}

impl Reopened {
    fn index(&self) -> Arc<dyn SessionIndex> {
        let store = self.store.lock().unwrap();
        store.as_ref().unwrap().session_index().unwrap()
    }

    /// Changes the first byte of a session's row, its version.
    fn damage(&self, subject: SubjectKey, session: SessionId) {
        let mut store = self.store.lock().unwrap();
        *store = None;
        let database = redb::Database::open(&self.path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(SESSIONS).unwrap();
            let key = (subject.as_bytes(), session.as_bytes());
            let mut row = table.get(key).unwrap().unwrap().value().to_vec();
            row[0] = 2;
            table.insert(key, row.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        *store = Some(Redb::open(&self.path).unwrap());
    }
}

#[async_trait]
impl SessionIndex for Reopened {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        self.index().rows(subject).await
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        self.index().update(subject, update).await
    }

    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        self.index().sweep(now).await
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        self.index().each(receive).await
    }
}

#[async_trait]
impl IndexHarness for InFiles {
    async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String> {
        let mut opened = self.opened.lock().unwrap();
        let path = self.folder.path().join(format!("{}.redb", opened.len()));
        let store = Redb::create(&path).map_err(|error| error.to_string())?;
        let index = Arc::new(Reopened {
            path,
            store: Mutex::new(Some(store)),
        });
        opened.push(Arc::clone(&index));
        Ok(index)
    }

    async fn damage(&self, subject: SubjectKey, session: SessionId) -> bool {
        let last = self.opened.lock().unwrap().last().cloned();
        last.unwrap().damage(subject, session);
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_in_a_file_conforms() {
    let harness = InFiles {
        folder: TempDir::new().unwrap(),
        opened: Mutex::default(),
    };
    let report = conformance::session_index(&harness).await;
    println!("{report}");
    assert!(super::all_passed(&report), "{report}");
}
