//! How a session begins, and the revocations that end one.

use std::sync::Arc;

use crate::ids::{Generation, Serial, SessionId};
use crate::random::{self, Random, RandomError};
use crate::record::{Entries, KeyTrail, LoginFacts, Record};
use crate::revoke::node::Attempt;
use crate::revoke::{Published, Revocation, SessionEntry};
use crate::session::service::Service;
use crate::time::{Class, SKEW, UnixMillis};

impl Service {
    /// A session without entries that begins at `created`.
    pub(crate) fn begin(
        &self,
        id: SessionId,
        login: Option<LoginFacts>,
        class: Class,
        everyone: Generation,
        created: UnixMillis,
    ) -> Record {
        Record {
            id,
            serial: Serial::FIRST,
            login,
            everyone,
            created,
            refreshed: self.now(),
            expires: created + self.lifetimes.of(class).absolute,
            class,
            keys: KeyTrail::default(),
            entries: Entries::default(),
        }
    }

    /// The session of someone who has not logged in.
    pub(super) fn begin_anonymous(&self) -> Result<Arc<Record>, RandomError> {
        let list = self.node.list();
        // Also after those that are refused in place of dropped entries.
        let since = list.complete_since().max(list.anonymous().since());
        let created = self.beginning(self.now(), since);
        let id = fresh_id(&*self.random)?;
        let record = self.begin(id, None, Class::Standard, list.everyone(), created);
        Ok(Arc::new(record))
    }

    /// Ends a session on this node. The attempt tells the store.
    pub(super) fn end(&self, record: &Record) -> Attempt<Published> {
        let revocation = revocation(record, Serial::ENDED, self.now());
        self.node.revoke(revocation).there
    }
}

/// The id of a session that begins.
pub(crate) fn fresh_id(random: &dyn Random) -> Result<SessionId, RandomError> {
    random::bytes(random).map(SessionId::from_bytes)
}

/// Lets only cookies from `serial` on count, and from the time `from` on without a grace.
///
/// An anonymous session's goes to the list of limited capacity. But [`Serial::SUCCEEDED`] goes to the main list: what a
/// login ends is worth keeping for its whole time.
pub(crate) fn revocation(record: &Record, serial: Serial, from: UnixMillis) -> Revocation {
    let entry = SessionEntry {
        serial,
        from,
        until: record.expires + SKEW,
    };
    let id = record.id;
    if record.login.is_none() && serial != Serial::SUCCEEDED {
        let created = record.created;
        Revocation::AnonymousSession { id, created, entry }
    } else {
        Revocation::Session { id, entry }
    }
}
