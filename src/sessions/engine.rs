//! What the sessions of one cookie share, and what a node knows of itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::keys::Watch;
use super::log::Log;
use super::moving::Moving;
use super::scope::Scope;
use crate::error::ConfigError;
use crate::record::Record;
use crate::revoke::WhenStale;
use crate::revoke::policy::Policies;
use crate::revoke::worker::Worker;
use crate::session::service::Service;
use crate::time::UnixMillis;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) service: Arc<Service>,
    /// The cookie that is read and written.
    pub(super) current: Scope,
    /// Those of earlier settings, which are only read.
    pub(super) earlier: Vec<Scope>,
    pub(super) policy: Policies,
    /// Sessions of another library, which are taken over.
    pub(super) moving: Option<Moving>,
    /// If the keys come from a file.
    pub(super) watch: Option<Watch>,
    pub(super) log: Log,
    /// Held for as long as anyone holds the sessions: it looks at the key file.
    pub(super) _worker: Arc<Worker>,
    /// Whether a Secure cookie was set over plain http, and reported.
    pub(super) plain_http: AtomicBool,
}

impl Engine {
    /// The cookies that are read, the current one first.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::once(&self.current).chain(&self.earlier)
    }

    /// Whether the list cannot be relied on for a session that began then: it may lack what others revoked or
    /// the store has lost, or has forgotten under a wrong clock what is still needed.
    pub(super) fn is_stale(&self, began: UnixMillis, now: UnixMillis) -> bool {
        let node = &self.service.node;
        !node.can_judge(began, self.policy.trust.max_staleness) || node.list().has_forgotten(now)
    }

    pub(super) fn reload_keys(&self) -> Result<(), ConfigError> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let replace = |ring| self.service.keys.store(Arc::new(ring));
        watch.look(self.service.now(), replace)
    }

    /// Whether nothing may be written of a session, or judged, until the list can be relied on again.
    pub(super) fn is_untrusted(&self, record: &Record, now: UnixMillis) -> bool {
        self.policy.when_stale == WhenStale::Reject && self.is_stale(record.began(), now)
    }
}
