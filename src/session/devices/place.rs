//! A session's place in the index: reserved, filled, and kept up.
//!
//! 1. Under a limit a login first reserves a place. If there is none, the rows are judged with all that this node knows,
//!    and the login asks once more without those whose sessions have ended. Only now one makes room, or the login fails.
//! 2. Sessions that make room are ended by the login, before it stands. A login that died between leaves them behind as
//!    *evicting*, and the next one ends them.
//! 3. A reservation is good for a minute. A login that comes to nothing gives it back.

use std::sync::Arc;
use std::time::Duration;

use super::facts;
use super::labels::Labels;
use super::settings::WhenFull;
use super::shelf::{Devices, Shelf};
use crate::client::ClientDevice;
use crate::error::StoreError;
use crate::ids::{KeyId, SessionId, SubjectKey};
use crate::index::{IndexRow, IndexUpdate, RowLimit, RowState, WhenRowsFull};
use crate::record::Record;
use crate::session::error::LoginError;
use crate::session::service::Service;
use crate::time::UnixMillis;

/// For how long a login may be under way.
const RESERVED: Duration = Duration::from_secs(60);

/// The place of a session that logs in.
#[must_use = "a place that is not taken is given back"]
pub(crate) struct Place<'s> {
    service: &'s Service,
    subject: SubjectKey,
    session: SessionId,
    /// Whose end makes room for it.
    evicting: Vec<SessionId>,
    is_reserved: bool,
}

impl Service {
    /// Reserves a place for a login, where there is a limit. Sessions that it takes the place of are not counted.
    pub(crate) async fn reserve(
        &self,
        subject: SubjectKey,
        session: SessionId,
        replaced: Vec<SessionId>,
    ) -> Result<Place<'_>, LoginError> {
        let mut place = Place {
            service: self,
            subject,
            session,
            evicting: Vec::new(),
            is_reserved: false,
        };
        let Some(devices) = &self.devices else {
            return Ok(place);
        };
        let Some(most) = devices.settings.max_sessions else {
            return Ok(place);
        };
        let now = self.now();
        let mut update = IndexUpdate {
            removed: replaced,
            row: Some(IndexRow::new(
                session,
                RowState::Reserved,
                now,
                now + RESERVED,
            )),
            limit: RowLimit::new(most, WhenRowsFull::Refuse),
            ..IndexUpdate::new(now)
        };
        let mut answer = devices.update(subject, update.clone()).await?;
        if answer.is_full {
            update.removed.extend(self.dead(subject, &answer.rows));
            update.limit.when_full = match devices.settings.when_full {
                WhenFull::Evict => WhenRowsFull::Evict,
                WhenFull::Refuse => WhenRowsFull::Refuse,
            };
            answer = devices.update(subject, update).await?;
        }
        if answer.is_full {
            return Err(LoginError::TooManySessions);
        }
        place.is_reserved = true;
        let rows = answer.rows.iter();
        let evicting = rows.filter(|row| row.state == RowState::Evicting);
        place.evicting = evicting.map(|row| row.session).collect();
        Ok(place)
    }

    /// Writes that the session is in use, if this node did not just do so. Nobody waits for it.
    pub(crate) fn saw(&self, record: &Record, key: &KeyId, device: Option<&ClientDevice>) {
        let (Some(devices), Some(subject)) = (&self.devices, record.subject_key()) else {
            return;
        };
        let now = self.now();
        let refresh_after = self.lifetimes.refresh_after();
        let Ok(turn) = Arc::clone(&devices.shelf.uses).try_acquire_owned() else {
            return;
        };
        if !devices.seen.take(&record.id, key, now, refresh_after) {
            return;
        }
        let Some(row) = facts::row(record, key, now) else {
            return;
        };
        let (shelf, labels) = (Arc::clone(&devices.shelf), self.labels());
        let label = device.and_then(ClientDevice::label);
        devices.worker.begin(async move {
            // What goes wrong has been said, and the session is seen again.
            let _ = keep_up(&shelf, &labels, subject, row, now, label).await;
            drop(turn);
        });
    }
}

/// Puts the row of a session in use, and gives it a label if it has none that can be read, or an old one.
async fn keep_up(
    shelf: &Shelf,
    labels: &Labels,
    subject: SubjectKey,
    row: IndexRow,
    now: UnixMillis,
    label: Option<String>,
) -> Result<(), StoreError> {
    let session = row.session;
    let mut update = IndexUpdate {
        row: Some(row),
        ..IndexUpdate::new(now)
    };
    let answer = shelf.update(subject, &update).await?;
    let stored = answer.rows.iter().find(|row| row.session == session);
    let renewed = stored.and_then(|stored| labels.renewed(stored, subject, label));
    if let (Some(label), Some(row)) = (renewed, &mut update.row) {
        row.label = label;
        shelf.update(subject, &update).await?;
    }
    Ok(())
}

impl Devices {
    /// Labels of rows that are listed, sealed anew.
    pub(super) fn relabel(&self, subject: SubjectKey, now: UnixMillis, rows: Vec<IndexRow>) {
        for row in rows {
            let update = IndexUpdate {
                row: Some(row),
                ..IndexUpdate::new(now)
            };
            drop(self.update(subject, update));
        }
    }
}

impl Place<'_> {
    /// The ends of the sessions that make room, to be published before the login stands.
    pub(crate) fn evictions(&self) -> impl Iterator<Item = SessionId> {
        self.evicting.iter().copied()
    }

    /// Fills the place: the login stands. Where other nodes share the store nobody waits for it.
    pub(crate) async fn fill(mut self, record: &Record, label: Option<String>) {
        self.is_reserved = false;
        let Some(devices) = &self.service.devices else {
            return;
        };
        let labels = self.service.labels();
        let now = self.service.now();
        let Some(key) = labels.ring().sealing(now).map(|key| key.id()) else {
            return;
        };
        let Some(mut row) = facts::row(record, &key, now) else {
            return;
        };
        let label = label.unwrap_or_default();
        row.label = labels.seal(&label, self.subject, self.session);
        // Its first response is no news.
        let refresh_after = self.service.lifetimes.refresh_after();
        devices.seen.take(&record.id, &key, now, refresh_after);
        let update = IndexUpdate {
            removed: std::mem::take(&mut self.evicting),
            row: Some(row),
            ..IndexUpdate::new(now)
        };
        let filled = devices.update(self.subject, update);
        if !self.service.node.is_shared() {
            // What goes wrong has been said: the login stands without a row.
            let _ = filled.await;
        }
    }
}

/// A reservation that was not filled is given back.
impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_reserved {
            drop(self.service.unlist(self.subject, vec![self.session]));
        }
    }
}
