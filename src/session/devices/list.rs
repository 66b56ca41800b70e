//! Lists of somebody's sessions, and ending one of them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::judge::{JudgedRow, RowJudge};
use super::listed::ListedSession;
use crate::client::ClientDevice;
use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::index::{IndexRow, IndexUpdate};
use crate::observe::{self, tag};
use crate::record::Record;
use crate::revoke::Published;
use crate::session::Session;
use crate::session::error::LogoutError;
use crate::session::observer::{LogoutScope, PendingLogout};
use crate::session::service::Service;
use crate::time::UnixMillis;

/// Why there is no list of sessions, or none of them was ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Nobody is logged in. Answer 401.
    #[error("nobody is logged in")]
    NotAuthenticated,
    /// The user has no such session: it is unknown, has ended, or is somebody else's. Which of them is not told. Answer
    /// 404.
    #[error("the user has no such session")]
    NotFound,
    /// No index is kept: [`DeviceSettings::index`](crate::settings::DeviceSettings::index) is off.
    #[error("no index of sessions is kept; `devices.index` is off")]
    Off,
    /// The store could not say, or may not know of an end. Answer 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// # Devices
impl Session {
    /// The sessions of the user who is logged in, the newest first: for a page "your devices" (ASVS 7.5.2). None of them has
    /// ended, as far as this node knows. Needs [`DeviceSettings::index`](crate::settings::DeviceSettings::index).
    ///
    /// A session whose row was lost is missing until it is used again, and so are older ones while a store that was begun
    /// anew settles. This one is always there.
    ///
    /// ```no_run
    /// use sealed_session::{session::DeviceError, Session};
    ///
    /// async fn devices(session: &Session) -> Result<Vec<String>, DeviceError> {
    ///     let sessions = session.list_sessions().await?;
    ///     Ok(sessions.into_iter().map(|it| it.label).collect())
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub async fn list_sessions(&self) -> Result<Vec<ListedSession>, DeviceError> {
        let service = self.service();
        let (record, subject) = self.listed_as()?;
        let mut listed = service.list(subject).await?;
        let now = service.now();
        if !listed.iter().any(|it| it.id == record.id) {
            let device = self.with(|state| state.device.clone());
            let label = device.as_deref().and_then(ClientDevice::label);
            listed.push(ListedSession::of(&record, now, label));
            sort(&mut listed);
        }
        if let Some(own) = listed.iter_mut().find(|it| it.id == record.id) {
            own.is_current = true;
            own.last_seen_at = now.max(record.created);
        }
        Ok(listed)
    }

    /// Ends one of the sessions of the user who is logged in, by its id: "log out" beside a device. It is dead on every
    /// node once this returns `Ok`. Of this session it is a [`logout`](Self::logout).
    ///
    /// # Errors
    /// [`DeviceError::NotFound`] where the user has no such session; after any other but [`DeviceError::Store`], too,
    /// nothing was ended. With that this node refuses the session from now on, if it is one, and other nodes learn of it
    /// when the store takes it.
    pub async fn revoke(&self, id: SessionId) -> Result<(), DeviceError> {
        let service = self.service();
        let (record, subject) = self.listed_as()?;
        if id == record.id {
            return self.logout().await.map_err(|error| match error {
                LogoutError::Store(error) => DeviceError::Store(error),
                _ => DeviceError::NotFound,
            });
        }
        let logout = service
            .observer
            .logout(Some(id), record.subject(), LogoutScope::This);
        service.revoke_listed(subject, id, logout).await
    }

    /// The session of a user who is logged in, which still counts.
    fn listed_as(&self) -> Result<(Arc<Record>, SubjectKey), DeviceError> {
        let service = self.service();
        service.devices.as_ref().ok_or(DeviceError::Off)?;
        self.look(|state| {
            state.still_counts(service);
            let record = state.record().ok_or(DeviceError::NotAuthenticated)?;
            let subject = record.subject_key();
            let subject = subject.ok_or(DeviceError::NotAuthenticated)?;
            Ok((Arc::clone(record), subject))
        })
    }
}

impl Service {
    /// The sessions of a subject that count, the newest first.
    pub(crate) async fn list(
        &self,
        subject: SubjectKey,
    ) -> Result<Vec<ListedSession>, DeviceError> {
        let devices = self.devices.as_ref().ok_or(DeviceError::Off)?;
        let found = devices.rows(subject).await?;
        let judge = RowJudge::new(self, subject);
        let (mut listed, mut unreadable) = (Vec::new(), found.unreadable);
        let (mut dead, mut relabelled) = (Vec::new(), Vec::new());
        for row in found.rows {
            match judge.judge(&row) {
                JudgedRow::Counts(session) => {
                    self.require_trust(session.created_at)?;
                    listed.push(session);
                    let label = judge.labels.renewed(&row, subject, None);
                    relabelled.extend(label.map(|label| IndexRow { label, ..row }));
                }
                JudgedRow::Dead => dead.push(row.session),
                JudgedRow::Unreadable => unreadable += 1,
                JudgedRow::Hidden | JudgedRow::Doubtful => (),
            }
        }
        // Labels under the key that seals now. Nobody waits for them.
        for row in relabelled {
            let update = IndexUpdate {
                row: Some(row),
                ..IndexUpdate::new(self.now())
            };
            drop(devices.update(subject, update));
        }
        // What it misses is dropped the next time.
        drop(self.unlist(subject, dead));
        report_unreadable(subject, unreadable);
        sort(&mut listed);
        Ok(listed)
    }

    /// Ends a session that a list of the subject's would show.
    pub(crate) async fn revoke_listed(
        &self,
        subject: SubjectKey,
        id: SessionId,
        logout: PendingLogout<'static>,
    ) -> Result<(), DeviceError> {
        if let Err(error) = self.require_listed(subject, id).await {
            logout.call_off();
            return Err(error);
        }
        // Not by what the row says: a store could make that forget the end too soon.
        let ending = self.ending(self.end_by_id(id), Some(logout));
        if self.finish(ending).await? == Published::Succeeded {
            // A login over it made another one, which lives on.
            return Err(DeviceError::NotFound);
        }
        if let Some(removed) = self.unlist(subject, vec![id])
            && !self.node.is_shared()
        {
            // A row that stays is not shown: its session has ended.
            let _ = removed.await;
        }
        Ok(())
    }

    /// What a session is called, if that is known.
    pub(crate) async fn label_of(&self, subject: SubjectKey, id: SessionId) -> Option<String> {
        let found = self.devices.as_ref()?.rows(subject).await.ok()?;
        let row = found.rows.iter().find(|row| row.session == id)?;
        let label = self.labels().open(row, subject).ok()?;
        Some(label).filter(|label| !label.is_empty())
    }

    /// Fails unless a list of the subject's sessions would show this one.
    async fn require_listed(&self, subject: SubjectKey, id: SessionId) -> Result<(), DeviceError> {
        let devices = self.devices.as_ref().ok_or(DeviceError::Off)?;
        let found = devices.rows(subject).await?;
        let row = found.rows.into_iter().find(|row| row.session == id);
        let row = row.ok_or(DeviceError::NotFound)?;
        match RowJudge::new(self, subject).judge(&row) {
            JudgedRow::Counts(session) => Ok(self.require_trust(session.created_at)?),
            _ => Err(DeviceError::NotFound),
        }
    }

    /// Fails where this node cannot say whether a session counts.
    fn require_trust(&self, began: UnixMillis) -> Result<(), StoreError> {
        match self.cannot_judge(began, false, self.now()) {
            true => Err(StoreError::unavailable(
                "this node's list of revocations cannot be trusted at the moment",
            )),
            false => Ok(()),
        }
    }
}

/// The newest first.
fn sort(listed: &mut [ListedSession]) {
    listed.sort_by_key(|it| (Reverse(it.created_at), it.id));
}

fn report_unreadable(subject: SubjectKey, unreadable: usize) {
    if unreadable > 0 {
        observe::count(observe::INDEX_UNREADABLE, unreadable);
        let subject = tag(subject.as_bytes());
        tracing::warn!(%subject, unreadable, "rows of the index of sessions were not understood, or belong to somebody else, and are skipped");
    }
}
