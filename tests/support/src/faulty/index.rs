//! The index of sessions behind the same connection.

use async_trait::async_trait;
use sealed_session::index::{IndexRows, IndexUpdate, SessionIndex};
use sealed_session::revoke::SubjectKey;
use sealed_session::store::StoreError;
use sealed_session::time::UnixMillis;

use super::{Call, Faulty, lost};

#[derive(Debug)]
pub(super) struct FaultyIndex(pub(super) Faulty);

impl FaultyIndex {
    fn inner(&self) -> Result<std::sync::Arc<dyn SessionIndex>, StoreError> {
        self.0.inner().session_index().ok_or_else(lost)
    }
}

#[async_trait]
impl SessionIndex for FaultyIndex {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        let index = self.inner()?;
        self.0.disturb(Call::Index, index.rows(subject)).await
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        let index = self.inner()?;
        self.0
            .disturb(Call::Index, index.update(subject, update))
            .await
    }

    async fn sweep(&self, now: UnixMillis) -> Result<usize, StoreError> {
        let index = self.inner()?;
        self.0.disturb(Call::Index, index.sweep(now)).await
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        self.inner()?.each(receive).await
    }
}
