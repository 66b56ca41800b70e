//! Somebody's devices: which sessions a user has, for the user and for a limit.
//!
//! 1. Off unless the settings turn it on. Where it is on, no request waits for it but one that asks for a list, or ends a
//!    listed session; a login under a limit, or on a store of one process; and a `reauthenticate`, which keeps the label.
//! 2. A row of the index is a hint. Before a session is shown, or counts against a limit, it is judged by the rules that
//!    its cookie would be judged by ([`judge`]). So a session that has ended, as far as this node knows, is never shown.
//! 3. A login under a limit reserves a row while the store is read, in the same round trip ([`place`]).
//! 4. A node writes when a session was last seen together with the activity cookie, which says the same to the browser, or
//!    when it is sealed; once in `refresh_after` at the most ([`seen`]). A row that is missing comes back with that.
//! 5. An end removes its row. What is missed, as the rows of a group that ended, is dropped when it is next looked at.
//! 6. Labels are sealed anew with the key that seals now when a row is looked at ([`labels`]).

mod client;
mod facts;
mod judge;
mod labels;
mod list;
mod listed;
mod place;
mod seen;
mod settings;

use std::sync::Arc;

use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::index::{IndexRow, IndexRows, IndexUpdate};
use crate::record::Record;
use crate::revoke::node::Attempt;
use crate::session::service::Service;

pub(crate) use client::Devices;
use judge::RowJudge;
pub use list::DeviceError;
pub use listed::ListedSession;
pub(crate) use place::Place;
pub use settings::{DeviceSettings, WhenFull};

/// # The index
impl Service {
    /// Removes the rows of sessions that have ended. `None` where there is nothing to do.
    pub(crate) fn unlist(
        &self,
        subject: SubjectKey,
        sessions: Vec<SessionId>,
    ) -> Option<Attempt<IndexRows>> {
        let devices = self.devices.as_ref().filter(|_| !sessions.is_empty())?;
        let update = IndexUpdate {
            removed: sessions,
            ..IndexUpdate::new(self.now())
        };
        Some(devices.update(subject, update))
    }

    /// The same of one, in the background.
    pub(crate) fn unlist_record(&self, record: &Record) {
        if let Some(subject) = record.subject_key() {
            // It runs by itself. What it misses is dropped when it is next looked at.
            drop(self.unlist(subject, vec![record.id]));
        }
    }

    /// Removes the rows of a subject whose sessions have ended, after many did at once. Nobody waits for it.
    pub(crate) fn tidy(service: &Arc<Self>, subject: Option<SubjectKey>) {
        let (Some(devices), Some(subject)) = (&service.devices, subject) else {
            return;
        };
        let (client, service) = (Arc::clone(&devices.client), Arc::downgrade(service));
        devices.worker.begin(async move {
            let found = client.heard(client.index.rows(subject).await);
            let (Ok(found), Some(service)) = (found, service.upgrade()) else {
                return;
            };
            let update = IndexUpdate {
                removed: service.dead(subject, &found.rows),
                ..IndexUpdate::new(service.now())
            };
            // Not while it waits: whoever drops the last handle closes the store.
            drop(service);
            // What is missed is dropped when it is next looked at.
            let _ = client.update(subject, &update).await;
        });
    }

    /// Of these rows those whose sessions have ended.
    fn dead(&self, subject: SubjectKey, rows: &[IndexRow]) -> Vec<SessionId> {
        let judge = RowJudge::new(self, subject);
        let dead = rows.iter().filter(|row| judge.is_dead(row));
        dead.map(|row| row.session).collect()
    }

    /// Forgets rows whose time has passed.
    pub(crate) async fn sweep_index(&self) -> Result<(), StoreError> {
        match &self.devices {
            Some(devices) => devices.client.sweep(&*self.clock).await,
            None => Ok(()),
        }
    }
}
