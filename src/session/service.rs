//! What all sessions of one cookie share.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::error::Rejected;
use crate::ids::{KeyId, SubjectKey};
use crate::keys::{Key, KeyRing};
use crate::random::Random;
use crate::record::Record;
use crate::revoke::node::Node;
use crate::seal::Binding;
use crate::session::validity::Rules;
use crate::time::{Clock, Lifetimes, UnixMillis};
use crate::wire::chunks::CookieRoom;

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) node: Node,
    pub(crate) keys: ArcSwap<KeyRing>,
    pub(crate) binding: Binding,
    pub(crate) room: CookieRoom,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) accept_older: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Service {
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The rules by which a session is judged at the time `now`.
    pub(crate) fn rules(&self, now: UnixMillis) -> Rules<'_> {
        self.rules_with(&self.keys.load(), now)
    }

    /// The same where the ring is at hand already.
    pub(crate) fn rules_with(&self, ring: &KeyRing, now: UnixMillis) -> Rules<'_> {
        Rules {
            list: self.node.list(),
            lifetimes: &self.lifetimes,
            everyone_before: ring.everyone_before(),
            accept_older: self.accept_older,
            room: self.room,
            sealing: ring.sealing(now).map(Key::id),
            now,
        }
    }

    /// Fails if a key that sealed the session, or one that it passed through, has been revoked since it was opened.
    pub(super) fn check_keys(&self, record: &Record, key: Option<KeyId>) -> Result<(), Rejected> {
        let ring = self.keys.load();
        let key = key.as_ref().map(KeyId::prefix);
        let mut keys = key.into_iter().chain(record.keys.iter());
        match keys.any(|key| ring.is_revoked(key)) {
            true => Err(Rejected::RevokedKey),
            false => Ok(()),
        }
    }

    /// The key by which the list knows `subject`.
    pub(crate) fn subject_key(&self, subject: &str) -> SubjectKey {
        self.binding.names().key(subject)
    }

    /// When a session that is made at `now` began: after everything whose sessions do not count. This node knows of
    /// both when it makes one, so the session did begin after them, whatever the clocks say.
    pub(crate) fn beginning(&self, now: UnixMillis, complete_since: UnixMillis) -> UnixMillis {
        let ordered = self.keys.load().everyone_before().unwrap_or_default();
        now.max(complete_since.max(ordered) + Duration::from_millis(1))
    }
}
