//! The path of a request, from Cookie to Set-Cookie.
//!
//! [`Engine::load`] and [`Engine::commit`] are the two halves. Everything that they combine is made
//! elsewhere: opening, checking, the session's own rules, sealing, rendering.

mod builder;
mod candidates;
mod commit;
mod inspect;
mod keys;
mod load;
mod log;
#[cfg(feature = "migrate-actix-session")]
mod move_in;
#[cfg(not(feature = "migrate-actix-session"))]
#[path = "stay.rs"]
mod move_in;
mod opener;
mod twins;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{ConfigError, StoreError};
use crate::ids::{Generation, KeyId, Serial, SessionId};
use crate::revoke::policy::Policies;
use crate::revoke::{Revocation, SessionEntry, Target};
use crate::session::Session;
use crate::session::service::Service;
use crate::sessions::load::Scope;
use crate::time::{SKEW, UnixMillis};

pub use builder::SessionsBuilder;
pub use commit::{CommitError, Outcome};
pub use inspect::{Inspected, InspectedLogin, token};
pub use load::{Incoming, Loaded, Ticket, Unavailable};
use move_in::Moving;
pub(crate) use opener::Opener;

/// Everything that the sessions of one cookie share: keys, the revocation list, lifetimes, the
/// cookie's settings. Made once and cloned; all clones are the same.
///
/// ```no_run
/// # async fn start() -> Result<(), sealed_session::ConfigError> {
/// use sealed_session::Sessions;
///
/// let sessions = Sessions::from_file("session.toml").await?;
/// # Ok(()) }
/// ```
///
/// Make it outside the closure of `HttpServer::new`, which runs once for each worker: sessions that are
/// made in it would have a revocation list for each worker, and a logout would reach one of them.
#[derive(Clone)]
pub struct Sessions {
    engine: Arc<Engine>,
}

#[derive(Debug)]
struct Engine {
    service: Arc<Service>,
    /// The cookie that is read and written.
    current: Scope,
    /// Those of earlier settings, which are only read.
    earlier: Vec<Scope>,
    policy: Policies,
    /// Sessions of another library, which are taken over.
    moving: Option<Moving>,
    /// If the keys come from a file.
    watch: Option<keys::Watch>,
    log: log::Log,
    /// Whether a Secure cookie was set over plain http, and reported.
    plain_http: AtomicBool,
}

/// The state of a node, for a health page. Key ids and numbers only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The key that seals now; `None` if no key is active, and no session can be written.
    pub sealing: Option<KeyId>,
    /// The keys that open.
    pub opening: Vec<KeyId>,
    /// What is wrong with the key file, if the ring in use is an older one.
    pub key_problem: Option<ConfigError>,
    /// When the key file in use was last modified; `None` if the keys come from elsewhere. On a node that does
    /// not see an edit (see [`operations`](crate::operations)) it stays what it was.
    pub key_file_modified: Option<UnixMillis>,
    /// How many cookies named a key that this node does not know, since it started. When it grows, a
    /// key file has not reached this node; anyone can send such cookies, though.
    pub unknown_keys: u64,
    /// Which revocation store is used.
    pub store: &'static str,
    /// How many revocations this node holds.
    pub entries: usize,
    /// How many revocations the store has not taken yet. They hold on this node and are told again.
    pub outstanding: usize,
    /// How many revocations this node holds that the store has lost, and is being given back.
    pub lacking: usize,
    /// How many entries of the store this release does not understand, and how many publications it did
    /// not since it started. Each entry counts as revoked, where it can be told whose it is.
    pub unreadable: u64,
    /// Since when the list remembers. Sessions from before are refused, unless they are accepted by
    /// [`SessionsBuilder::older_sessions`].
    pub born: UnixMillis,
    /// How long ago this node last knew its list to be complete. Always zero for a store in this process.
    pub staleness: Duration,
}

impl Sessions {
    /// Starts from settings in code. `audience` names the application and its environment, such as
    /// `"shop/production"`: cookies of one audience are worth nothing to another.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sealed_session::ConfigError> {
    /// use sealed_session::store::Memory;
    /// use sealed_session::{KeyRing, Sessions};
    /// use std::sync::Arc;
    ///
    /// // As a test wants it: keys and revocations that end with the process.
    /// let sessions = Sessions::builder("shop/test")
    ///     .keys(KeyRing::generate()?)
    ///     .store(Arc::new(Memory::new()))
    ///     .start()
    ///     .await?;
    /// # drop(sessions);
    /// # Ok(()) }
    /// ```
    pub fn builder(audience: impl Into<String>) -> SessionsBuilder {
        SessionsBuilder::new(audience.into())
    }

    /// Ends one session, as its owner's logout would. `Ok` if it was ended already.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the session.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        let service = &self.engine.service;
        let now = service.now();
        let entry = SessionEntry {
            serial: Serial::ENDED,
            // Not given up by its browser, which so awaits no successor.
            from: UnixMillis::EPOCH,
            // Nothing is known of the session but that it began before now, on whichever node.
            until: now + service.revoker.longest() + SKEW,
        };
        let revocation = Revocation::Session { id, entry };
        service.revoker.revoke(revocation).there.await.map(|_| ())
    }

    /// Ends all sessions of one subject, as their `logout_all` would: after a password change, say.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the sessions.
    pub async fn end_subject(&self, subject: &str) -> Result<(), StoreError> {
        let service = &self.engine.service;
        let target = Target::Subject(service.subject_key(subject));
        service
            .revoker
            .raise(target, Generation::NONE)
            .await
            .map(|_| ())
    }

    /// Ends all sessions of everyone, in every application that shares the store.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the sessions.
    pub async fn end_everyone(&self) -> Result<(), StoreError> {
        let revoker = &self.engine.service.revoker;
        revoker
            .raise(Target::Everyone, Generation::NONE)
            .await
            .map(|_| ())
    }

    /// Looks at the key file now instead of within the next seconds. Reads a file.
    ///
    /// # Errors
    /// When the file cannot be used. The keys in use stay.
    pub fn reload_keys(&self) -> Result<(), ConfigError> {
        self.engine.reload_keys()
    }

    /// Forgets expired revocations now instead of within the next minute.
    ///
    /// # Errors
    /// When the store could not be swept.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.engine.service.revoker.sweep().await
    }

    /// The node's state.
    pub fn health(&self) -> Health {
        let service = &self.engine.service;
        let now = service.now();
        let ring = service.keys.load();
        Health {
            sealing: ring.sealing(now).map(|key| key.id()),
            opening: ring.opening(now).map(|key| key.id()).collect(),
            key_problem: self.engine.key_problem(),
            key_file_modified: self.engine.watch.as_ref().and_then(keys::Watch::modified),
            unknown_keys: self.engine.log.unknown_keys(),
            store: service.revoker.store_name(),
            entries: service.revoker.list().len(),
            outstanding: service.revoker.outstanding(),
            lacking: service.revoker.lacking(),
            unreadable: service.revoker.unreadable(),
            born: service.revoker.list().born(),
            staleness: self.engine.staleness(),
        }
    }

    /// Waits until revocations under way have reached the store, at most for `deadline`, and returns
    /// how many have not. Call it after the server has stopped.
    pub async fn close(&self, deadline: Duration) -> usize {
        let left = self.engine.service.revoker.close(deadline).await;
        if left > 0 {
            tracing::error!(
                left,
                "closing although the store does not know of all revocations"
            );
        }
        left
    }
}

/// # For adapters to web frameworks
impl Sessions {
    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        self.engine.current.template.name()
    }

    /// Finds the session that a request carries. Whatever does not open or does not count is no session.
    ///
    /// # Errors
    /// When this node cannot say at the moment.
    pub fn load<'h>(
        &self,
        incoming: Incoming<'h, impl Iterator<Item = &'h [u8]> + Clone>,
    ) -> Result<Loaded, Unavailable> {
        self.engine.load(incoming)
    }

    /// To be called where a handler asks for the session of a request that could not be loaded: counts
    /// and logs that it is answered with 503.
    pub fn note_unavailable(&self) {
        self.engine.log.unavailable(self.engine.staleness());
    }

    /// Closes the session when the response's head is ready, and says what the response gets.
    pub async fn commit(&self, session: &Session, ticket: Ticket) -> Outcome {
        self.engine.commit(session, &ticket).await
    }

    /// Whether the cookie is Secure and this is the first call, of which there is no second. For an adapter that sees the cookie go out
    /// over plain http, where browsers drop it: it says so once.
    pub fn take_plain_http_warning(&self) -> bool {
        let engine = &self.engine;
        engine.current.template.is_secure() && !engine.plain_http.swap(true, Ordering::Relaxed)
    }

    /// Whether both are for the same cookie of the same application and environment.
    pub fn shares_sessions_with(&self, other: &Self) -> bool {
        self.engine.shares_sessions_with(&other.engine)
    }
}

/// Tells which they are. All that they hold would be a line for every revocation.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = &self.engine.service.binding;
        f.debug_struct("Sessions")
            .field("cookie", &binding.cookie())
            .field("audience", &binding.audience())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Whether both are for the same cookie of the same application and environment.
    fn shares_sessions_with(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.service.binding, &other.service.binding);
        ours.cookie() == theirs.cookie() && ours.audience() == theirs.audience()
    }

    fn staleness(&self) -> Duration {
        let service = &self.service;
        service.revoker.vigil().staleness(&*service.clock)
    }

    /// Whether the list cannot be trusted at the moment: it may lack what others revoked, or has
    /// forgotten under a wrong clock what is still needed.
    fn is_stale(&self, now: UnixMillis) -> bool {
        let service = &self.service;
        self.staleness() > self.policy.trust.max_staleness
            || service.revoker.list().has_forgotten(now)
    }

    /// Whether another node may still vouch for sessions from before the store began.
    fn is_settling(&self) -> bool {
        let service = &self.service;
        service.revoker.vigil().is_settling(&*service.clock)
    }

    fn key_problem(&self) -> Option<ConfigError> {
        self.watch.as_ref().and_then(keys::Watch::problem)
    }

    fn reload_keys(&self) -> Result<(), ConfigError> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let replace = |ring| self.service.keys.store(Arc::new(ring));
        watch.look(self.service.now(), replace)
    }
}
