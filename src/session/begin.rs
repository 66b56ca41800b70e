//! What begins and ends a session: the record of one without a login, and the revocations of one.

use std::sync::Arc;

use crate::ids::{Serial, SessionId};
use crate::random::{self, Random, RandomError};
use crate::record::{Entries, KeyTrail, Record};
use crate::revoke::{Revocation, SessionEntry};
use crate::session::service::Service;
use crate::time::{Class, SKEW, UnixMillis};

/// The session of someone who has not logged in.
pub(super) fn anonymous(service: &Service) -> Result<Arc<Record>, RandomError> {
    let now = service.now();
    let list = service.node.list();
    // Also after those that are refused in place of what was dropped.
    let since = list.complete_since().max(list.anonymous().since());
    let created = service.beginning(now, since);
    Ok(Arc::new(Record {
        id: fresh_id(&*service.random)?,
        serial: Serial::FIRST,
        login: None,
        everyone: list.everyone(),
        created,
        refreshed: now,
        expires: created + service.lifetimes.standard.absolute,
        class: Class::Standard,
        keys: KeyTrail::default(),
        entries: Entries::default(),
    }))
}

/// The id of a session that begins.
pub(crate) fn fresh_id(random: &dyn Random) -> Result<SessionId, RandomError> {
    random::bytes(random).map(SessionId::from_bytes)
}

/// What a logout publishes.
pub(super) fn ended(record: &Record, now: UnixMillis) -> Revocation {
    revocation(record, Serial::ENDED, now, record.login.is_none())
}

/// What a login over the session publishes. Also of a session without a login it goes to the main list: what
/// a login ends is worth keeping for its whole time.
pub(super) fn succeeded(record: &Record, now: UnixMillis) -> Revocation {
    revocation(record, Serial::SUCCEEDED, now, false)
}

/// What makes `serial` the newest cookie of its session, from `from` on alone.
pub(crate) fn superseded(record: &Record, serial: Serial, from: UnixMillis) -> Revocation {
    revocation(record, serial, from, record.login.is_none())
}

/// `is_anonymous`: nobody ever logged in to it, and so it goes to the list of limited capacity.
fn revocation(record: &Record, serial: Serial, from: UnixMillis, is_anonymous: bool) -> Revocation {
    let entry = SessionEntry {
        serial,
        from,
        until: record.expires + SKEW,
    };
    let id = record.id;
    if is_anonymous {
        let created = record.created;
        Revocation::AnonymousSession { id, created, entry }
    } else {
        Revocation::Session { id, entry }
    }
}
