//! A session's row in the index: reserved, filled, and kept up.
//!
//! 1. Under a limit a login first reserves a row. If there is no room, the rows are judged with all that this node knows,
//!    and the login asks once more without those whose sessions have ended, or which nobody can tell to be the user's. Only
//!    now one makes room, or the login fails.
//! 2. Sessions that make room are ended by the login, before it stands. A login that came to nothing between leaves them
//!    behind as *evicting*: they go on, and the next login that stands ends them. None is ended for a row that may be
//!    somebody else's.
//! 3. Sessions that the login takes the place of are not counted. Their rows go with their end, so a login that comes to
//!    nothing costs them nothing.
//! 4. A reservation holds for two minutes, by whichever node's clock. A login that comes to nothing gives it back.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Devices, IndexClient};
use super::facts;
use super::judge::RowJudge;
use super::labels::Labels;
use super::settings::WhenFull;
use crate::client::ClientDevice;
use crate::error::StoreError;
use crate::ids::{KeyId, SessionId, SubjectKey};
use crate::index::{IndexRow, IndexUpdate, RowLimit, RowState, WhenRowsFull};
use crate::record::Record;
use crate::session::error::LoginError;
use crate::session::service::Service;
use crate::time::{SKEW, UnixMillis};

/// For how long a login may be under way, where clocks differ.
const RESERVED: Duration = Duration::from_secs(60 + SKEW.as_secs());

/// The place of a session that logs in.
#[must_use = "a place that is not taken is given back"]
pub(crate) struct Place<'s> {
    service: &'s Service,
    subject: SubjectKey,
    session: SessionId,
    /// Whose end makes room for it. It is published before the login stands.
    pub(crate) evicting: Vec<SessionId>,
    /// The rows that go with it, also those of nobody knows whom.
    making_room: Vec<SessionId>,
    is_reserved: bool,
}

impl Service {
    /// Reserves a place for a login, where there is a limit. Sessions that it takes the place of are not counted.
    pub(crate) async fn reserve(
        &self,
        subject: SubjectKey,
        session: SessionId,
        replaced: impl FnOnce() -> Vec<SessionId>,
    ) -> Result<Place<'_>, LoginError> {
        let mut place = Place {
            service: self,
            subject,
            session,
            evicting: Vec::new(),
            making_room: Vec::new(),
            is_reserved: false,
        };
        let limit = |devices: &Devices| devices.settings.max_sessions;
        let limited = self.devices.as_ref().and_then(|it| Some((it, limit(it)?)));
        let Some((devices, most)) = limited else {
            return Ok(place);
        };
        let (now, labels) = (self.now(), self.labels());
        let row = IndexRow {
            // Who evicts a row looks whether it is the user's.
            label: labels.seal("", subject, session),
            ..IndexRow::new(session, RowState::Reserved, now, now + RESERVED)
        };
        let mut update = IndexUpdate {
            replaced: replaced(),
            row: Some(row),
            limit: RowLimit::new(most, WhenRowsFull::Refuse),
            ..IndexUpdate::new(now)
        };
        // From now on: the store may have it although nobody hears so.
        place.is_reserved = true;
        let mut answer = devices.update(subject, update.clone()).await?;
        if answer.is_full {
            let judge = RowJudge::new(self, subject);
            let worthless = answer
                .rows
                .iter()
                .filter(|row| !judge.is_worth_a_place(row));
            update.removed.extend(worthless.map(|row| row.session));
            update.limit.when_full = match devices.settings.when_full {
                WhenFull::Evict => WhenRowsFull::Evict,
                WhenFull::Refuse => WhenRowsFull::Refuse,
            };
            answer = devices.update(subject, update).await?;
        }
        if answer.is_full {
            return Err(LoginError::TooManySessions);
        }
        let judge = RowJudge::new(self, subject);
        let rows = answer.rows.iter();
        let evicting = rows.filter(|row| row.state == RowState::Evicting);
        for row in evicting {
            place.making_room.push(row.session);
            if judge.is_own(row) {
                place.evicting.push(row.session);
            }
        }
        Ok(place)
    }

    /// Writes that the session is in use, if this node did not just do so. Nobody waits for it.
    pub(crate) fn saw(&self, record: &Record, key: &KeyId, device: Option<&ClientDevice>) {
        let (Some(devices), Some(subject)) = (&self.devices, record.subject_key()) else {
            return;
        };
        let now = self.now();
        let Ok(turn) = Arc::clone(&devices.uses).try_acquire_owned() else {
            return;
        };
        let refresh_after = self.lifetimes.refresh_after();
        if !devices.seen.take(&record.id, key, now, refresh_after) {
            return;
        }
        let Some(row) = facts::row(record, key, now) else {
            return;
        };
        let (client, labels) = (Arc::clone(&devices.client), self.labels());
        let seen = Arc::clone(&devices.seen);
        let label = device.and_then(ClientDevice::label);
        devices.worker.begin(async move {
            let session = row.session;
            if keep_up(&client, &labels, subject, row, now, label)
                .await
                .is_err()
            {
                // It is written with the next use.
                seen.forget(&session);
            }
            drop(turn);
        });
    }
}

/// Puts the row of a session in use, and gives it a label if it has none that can be read, or an old one.
async fn keep_up(
    client: &IndexClient,
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
    let answer = client.update(subject, &update).await?;
    let stored = answer.rows.iter().find(|row| row.session == session);
    let renewed = stored.and_then(|stored| labels.renewed(stored, subject, label));
    if let (Some(label), Some(row)) = (renewed, &mut update.row) {
        row.label = label;
        client.update(subject, &update).await?;
    }
    Ok(())
}

impl Place<'_> {
    /// Fills the place: the login stands. Where other nodes share the store nobody waits for it.
    pub(crate) async fn fill(mut self, record: &Record, label: Option<String>) {
        self.is_reserved = false;
        let Some(devices) = &self.service.devices else {
            return;
        };
        let labels = self.service.labels();
        let now = self.service.now();
        let Some(key) = labels.ring.sealing(now).map(|key| key.id()) else {
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
            removed: std::mem::take(&mut self.making_room),
            row: Some(row),
            ..IndexUpdate::new(now)
        };
        let seen = Arc::clone(&devices.seen);
        let (client, subject, session) = (Arc::clone(&devices.client), self.subject, self.session);
        let filled = devices.run(async move {
            let filled = client.update(subject, &update).await;
            if filled.is_err() {
                // The login stands without a row, until its next use.
                seen.forget(&session);
            }
            filled.map(drop)
        });
        if !self.service.node.is_shared() {
            // What goes wrong has been said.
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
