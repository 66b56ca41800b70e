//! What the response has to do: nothing, an activity cookie, seal, renew or remove; and when the browser is told of a use.

use std::mem;
use std::sync::Arc;

use super::{Edit, HeldSession, RequestState};
use crate::client::ClientDevice;
use crate::ids::KeyId;
use crate::record::Record;
use crate::session::error::NotWritable;
use crate::session::service::{EndingSession, Service};
use crate::session::validity::Freshness;
use crate::time::UnixMillis;

/// What a response has to do for the session.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing: the browser keeps what it has.
    Keep,
    /// Nothing was written, but the session was used, and the browser is told so.
    Seen {
        record: Arc<Record>,
        key: KeyId,
        /// Which of the cookies that are read carried it.
        scope: usize,
    },
    /// Seal what was written.
    Write(Arc<Record>),
    /// Seal a session of another library that was only looked at.
    MoveIn(Arc<Record>),
    /// Seal it under a new serial, which ends its older cookies.
    Renew(Arc<Record>),
    /// Remove the cookie.
    Destroy,
}

/// A session whose response is ready.
pub(crate) struct Closing {
    pub(crate) change: Change,
    /// The key that the record to be sealed was opened with.
    pub(crate) key: Option<KeyId>,
    pub(crate) looked: bool,
    pub(crate) refused: Option<NotWritable>,
    /// Whether the browser's session was ended at its own request.
    pub(crate) logged_out: bool,
    pub(crate) endings: Vec<EndingSession>,
    /// What the request tells of its device.
    pub(crate) device: Option<Box<ClientDevice>>,
}

impl RequestState {
    /// Says what the response has to do. From here on nothing can be written.
    ///
    /// `is_asset` tells whether the response is a part of a page.
    pub(crate) fn close(&mut self, service: &Service, is_asset: bool, now: UnixMillis) -> Closing {
        let change = match self.refused {
            Some(_) => Change::Keep,
            None => self.outcome(service, is_asset, now),
        };
        let key = self.key();
        self.committed = true;
        self.sent(&change, service, now);
        Closing {
            change,
            key,
            looked: self.looked,
            refused: self.refused,
            logged_out: self.logged_out,
            endings: mem::take(&mut self.endings),
            device: self.device.take(),
        }
    }

    fn outcome(&self, service: &Service, is_asset: bool, now: UnixMillis) -> Change {
        let held = match &self.presence {
            Err(absence) if absence.ended.is_some() => return Change::Destroy,
            Err(_) => return Change::Keep,
            Ok(held) => held,
        };
        let record = || Arc::clone(&held.record);
        match (held.edit, held.key) {
            // A new session that ended up empty is not worth a cookie, unless something outside is bound to it.
            (Edit::Begun, _) if held.record.entries.is_empty() && !held.is_bound => Change::Keep,
            (Edit::Changed | Edit::Begun | Edit::Replaced, _) => Change::Write(record()),
            (Edit::Renewed, _) => Change::Renew(record()),
            (Edit::Clean, _) if !self.looked || held.freshness != Freshness::Newest => Change::Keep,
            (Edit::Clean, None) => Change::MoveIn(record()),
            (Edit::Clean, Some(key)) if is_due(held, service, is_asset, now) => Change::Seen {
                record: record(),
                key,
                scope: held.scope,
            },
            (Edit::Clean, Some(_)) => Change::Keep,
        }
    }

    /// A handler that is still streaming its body can end the session that is sent now.
    fn sent(&mut self, change: &Change, service: &Service, now: UnixMillis) {
        if let Ok(held) = &mut self.presence
            && !held.is_presented()
            && matches!(change, Change::Write(_))
            && let Some(key) = service.keys.load().sealing(now)
        {
            // What was sent names the key that it came by, and so does what is held. Without room nothing would have been sent.
            if let Some(before) = held.key.replace(key.id()) {
                let _ = Arc::make_mut(&mut held.record).keys.add(before);
            }
            held.last_use = now;
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

/// Whether the browser gets to know that a session was used again: at most every `refresh_after`, and beside
/// a page not for all that it loads, unless the idle limit comes near.
fn is_due(held: &HeldSession, service: &Service, is_asset: bool, now: UnixMillis) -> bool {
    let lifetimes = &service.lifetimes;
    let unknown_for = now.since(held.last_use);
    unknown_for >= lifetimes.refresh_after()
        && (!is_asset || unknown_for >= lifetimes.of(held.record.class).idle / 2)
}
