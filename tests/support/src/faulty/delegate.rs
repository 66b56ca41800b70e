//! What comes of each call.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::index::SessionIndex;
use sealed_session::revoke::{
    Announcement, Cursor, Delta, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, ReplicatedLog, Revocation, SessionId, SnapshotEnd, SubjectKey,
    Target,
};
use sealed_session::store::StoreError;
use sealed_session::time::UnixMillis;

use super::index::FaultyIndex;
use super::{Call, Faulty, Mode, Orders, alone, lost};

#[async_trait]
impl ReplicatedLog for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        self.inner().session_index()?;
        Some(Arc::new(FaultyIndex(self.clone())))
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.disturb(Call::Publish, self.inner().announce(announcement))
            .await
    }

    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        if purpose != Purpose::Revoke {
            self.0.restored.fetch_add(revocations.len(), SeqCst);
        }
        if self.mode(Call::Publish) == Mode::Forgets {
            let incarnation = self.incarnation().await?;
            let published = vec![Published::Fresh; revocations.len()];
            return Ok(Receipt::new(published, incarnation));
        }
        if self.orders().takes_no(revocations) {
            return Err(lost());
        }
        self.disturb(Call::Publish, self.inner().publish(revocations, purpose))
            .await
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let held_up = || match raise.target {
            Target::Subject(subject) => self.orders().held_up == Some(subject),
            Target::Everyone => false,
        };
        if held_up() && self.mode(Call::Raise) == Mode::Up {
            self.wait_while(held_up).await;
            return Err(lost());
        }
        if self.mode(Call::Raise) == Mode::Alone {
            let mut raised = self.inner().raise(raise).await?;
            raised.unreplicated = Some(alone());
            return Ok(raised);
        }
        self.disturb(Call::Raise, self.inner().raise(raise)).await
    }

    async fn read(&self, subjects: &[SubjectKey]) -> Result<Reading, StoreError> {
        self.disturb(Call::Read, self.inner().read(subjects)).await
    }

    async fn find(&self, session: SessionId, subjects: &[SubjectKey]) -> Result<Found, StoreError> {
        self.disturb(Call::Read, self.inner().find(session, subjects))
            .await
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.0.snapshots.fetch_add(1, SeqCst);
        let end = self
            .disturb(Call::Follow, self.inner().snapshot(receive))
            .await;
        self.wait_while(|| self.orders().snapshots_held).await;
        end
    }

    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        *self.0.followed.lock().unwrap() = cursor;
        let once = std::mem::take(&mut self.orders().fail_once);
        let followed = match once {
            true => Err(lost()),
            false => self.disturb(Call::Follow, self.follow_soon(cursor)).await,
        };
        let told = followed.and_then(|followed| self.orders().tell(followed));
        if told.is_err() {
            self.0.unheard.fetch_add(1, SeqCst);
        }
        told
    }

    async fn attest(
        &self,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError> {
        self.disturb(Call::Publish, self.inner().attest(incarnation, since))
            .await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.disturb(Call::Publish, self.inner().sweep()).await
    }
}

impl Faulty {
    async fn incarnation(&self) -> Result<Incarnation, StoreError> {
        let reading = self.inner().read(&[]).await?;
        Ok(reading.state.incarnation)
    }

    /// Where the log is in this process, nobody waits for news for longer than a moment.
    async fn follow_soon(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        let inner = self.inner();
        if !self.0.is_quick {
            return inner.follow(cursor).await;
        }
        // First: it may say nothing of what is published while there are no news.
        let state = inner.read(&[]).await?.state;
        let followed = tokio::time::timeout(Duration::from_millis(10), inner.follow(cursor)).await;
        followed.unwrap_or_else(|_| Ok(Followed::Delta(Delta::new(Vec::new(), cursor, state))))
    }
}

impl Orders {
    fn takes_no(&self, revocations: &[Revocation]) -> bool {
        revocations.iter().any(|it| match it {
            Revocation::Session { id, .. } => self.never_taken == Some(*id),
            Revocation::AnonymousSession { .. }
            | Revocation::Subject { .. }
            | Revocation::Everyone { .. }
            | Revocation::Anonymous { .. } => false,
        })
    }

    fn tell(&self, followed: Followed) -> Result<Followed, StoreError> {
        match followed {
            Followed::Delta(_) if self.no_news => Err(lost()),
            Followed::Delta(mut delta) if self.state_untold => {
                delta.state = None;
                Ok(Followed::Delta(delta))
            }
            followed => Ok(followed),
        }
    }
}
