//! The interface that gives the suite its indexes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ids::{SessionId, SubjectKey};
use crate::index::SessionIndex;

/// How the suite gets at an index. What it cannot do is skipped.
#[async_trait]
pub trait IndexHarness: Send + Sync {
    /// A new index without rows, which shares nothing with those from before.
    ///
    /// # Errors
    /// When there is none; the check that asked for it then fails with this message.
    async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String>;

    /// Makes something of this row of the last index that it does not understand, as a later release could have
    /// written. False, the default, says that it cannot.
    async fn damage(&self, subject: SubjectKey, session: SessionId) -> bool {
        let _ = (subject, session);
        false
    }
}
