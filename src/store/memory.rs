//! The store that forgets everything when its process ends.

use std::sync::Arc;

use async_trait::async_trait;
use dashmap::DashMap;

use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::index::{IndexRow, IndexRows, IndexUpdate, SessionIndex};
use crate::revoke::Journal;
use crate::time::UnixMillis;

/// A revocation store in this process's memory, for tests and throw-away processes.
///
/// Nothing survives the process: after a restart every session from before is refused, because the
/// store no longer knows which of them were logged out.
#[derive(Debug, Default)]
pub struct Memory {
    index: Arc<MemoryIndex>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Journal for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        Some(Arc::clone(&self.index) as _)
    }

    fn load(&mut self, _: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&mut self, _: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The rows of each subject that has any.
#[derive(Default)]
pub(crate) struct MemoryIndex {
    subjects: DashMap<SubjectKey, Vec<IndexRow>>,
}

#[cfg(any(test, feature = "testing"))]
impl MemoryIndex {
    /// Forgets all of it.
    pub(crate) fn clear(&self) {
        self.subjects.clear();
    }
}

#[async_trait]
impl SessionIndex for MemoryIndex {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        let rows = self.subjects.get(&subject);
        let rows = rows.map(|rows| rows.clone()).unwrap_or_default();
        Ok(IndexRows::new(rows))
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        let mut rows = self.subjects.entry(subject).or_default();
        let answer = update.apply(&mut rows);
        drop(rows);
        if answer.rows.is_empty() {
            self.subjects.remove_if(&subject, |_, rows| rows.is_empty());
        }
        Ok(answer)
    }

    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let mut dropped = 0;
        self.subjects.retain(|_, rows| {
            let before = rows.len();
            rows.retain(|row| row.until > now);
            dropped += before.saturating_sub(rows.len());
            !rows.is_empty()
        });
        Ok(dropped)
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        for each in &self.subjects {
            receive(*each.key(), IndexRows::new(each.value().clone()));
        }
        Ok(())
    }
}

/// How many subjects it knows.
impl std::fmt::Debug for MemoryIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut it = f.debug_struct("MemoryIndex");
        it.field("subjects", &self.subjects.len()).finish()
    }
}
