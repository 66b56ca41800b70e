//! Closing a session: the response's part.

use std::mem;
use std::sync::Arc;

use super::{Edit, Presence, RequestState};
use crate::ids::KeyId;
use crate::record::Record;
use crate::revoke::Published;
use crate::revoke::node::Attempt;
use crate::session::error::NotWritable;
use crate::session::service::Service;
use crate::session::validity::Freshness;
use crate::time::UnixMillis;

/// What a response has to do for the session.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing: the browser keeps what it has.
    Keep,
    /// Nothing was written, but the session was used, and the browser is told so.
    Seen(Seen),
    /// Seal what was written.
    Write(Arc<Record>),
    /// Seal a session of another library that was only looked at.
    MoveIn(Arc<Record>),
    /// Seal it under a new serial, which ends its older cookies.
    Renew(Arc<Record>),
    /// Remove the cookie.
    Destroy,
}

/// A session that was looked at by the newest of its cookies.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) record: Arc<Record>,
    pub(crate) key: KeyId,
    pub(crate) scope: usize,
}

/// A session whose response is ready.
pub(crate) struct Closing {
    pub(crate) change: Change,
    /// The key that the record to be sealed was opened with.
    pub(crate) key: Option<KeyId>,
    pub(crate) looked: bool,
    pub(crate) refused: Option<NotWritable>,
    pub(crate) attempts: Vec<Attempt<Published>>,
}

impl RequestState {
    /// Says what the response has to do. From here on nothing can be written.
    ///
    /// `is_due` decides whether the browser is told of a further use, given a session that was only looked at and its
    /// last use.
    pub(crate) fn close(
        &mut self,
        service: &Service,
        is_due: impl FnOnce(&Record, UnixMillis) -> bool,
    ) -> Closing {
        let change = match self.refused {
            Some(_) => Change::Keep,
            None => self.outcome(is_due),
        };
        let key = self.key();
        self.committed = true;
        self.sent(&change, service);
        Closing {
            change,
            key,
            looked: self.looked,
            refused: self.refused,
            attempts: mem::take(&mut self.attempts),
        }
    }

    fn outcome(&self, is_due: impl FnOnce(&Record, UnixMillis) -> bool) -> Change {
        let held = match &self.presence {
            Presence::Absent(_) => return Change::Keep,
            Presence::Ended(_) => return Change::Destroy,
            Presence::Present(held) => held,
        };
        let record = || Arc::clone(&held.record);
        match (held.edit, held.key) {
            // A new session that ended up empty is not worth a cookie.
            (Edit::Begun, _) if held.record.entries.is_empty() => Change::Keep,
            (Edit::Changed | Edit::Begun | Edit::LoggedIn | Edit::OthersEnded, _) => {
                Change::Write(record())
            }
            (Edit::Renewed, _) => Change::Renew(record()),
            (Edit::Clean, _) if !self.looked || held.freshness != Freshness::Newest => Change::Keep,
            (Edit::Clean, None) => Change::MoveIn(record()),
            (Edit::Clean, Some(key)) if is_due(&held.record, held.last_use) => Change::Seen(Seen {
                record: record(),
                key,
                scope: held.scope,
            }),
            (Edit::Clean, Some(_)) => Change::Keep,
        }
    }

    /// A handler that is still streaming its body can end the session that is sent now.
    fn sent(&mut self, change: &Change, service: &Service) {
        if let Presence::Present(held) = &mut self.presence
            && !held.is_presented()
            && matches!(change, Change::Write(_))
            && let Some(key) = service.keys.load().sealing(service.now())
        {
            held.key = Some(key.id());
            held.last_use = service.now();
            held.edit = Edit::Clean;
        }
    }

    /// A renewal was sent: the browser's cookie carries the next serial now.
    pub(crate) fn sent_renewal(&mut self) {
        if let Some(record) = self.record_mut()
            && let Some(next) = record.serial.next()
        {
            record.serial = next;
        }
    }
}
