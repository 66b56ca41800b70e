//! [`Sessions`], the handle of an application: ends for administrators, health, sweep and close, and what adapters call.
//!
//! The path of a request, from Cookie to Set-Cookie, has two halves: [`Engine::load`] in `load`, [`Engine::commit`] in
//! `commit`. Everything that they combine is made elsewhere: opening, checking, the session's own rules, sealing,
//! rendering.

mod adapter;
mod builder;
mod candidates;
mod commit;
mod devices;
mod double_start;
mod engine;
mod inspect;
mod keys;
mod load;
mod log;
#[cfg(feature = "migrate-actix-session")]
mod move_in;
#[cfg(not(feature = "migrate-actix-session"))]
#[path = "no_move_in.rs"]
mod move_in;
mod opener;
mod token_cache;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::client::ClientFingerprint;
use crate::csrf::{CrossSite, RequestSource, Verdict};
use crate::error::{ConfigError, StoreError};
use crate::ids::{Generation, KeyId, SessionId};
use crate::revoke::Target;
use crate::session::observer::PendingLogout;
use crate::session::service::Service;
use crate::session::{LogoutScope, Session};
use crate::time::UnixMillis;

pub use adapter::{CommitError, Committed, Incoming, Loaded, Ticket, Unavailable};
pub use builder::SessionsBuilder;
use engine::Engine;
pub use inspect::{Inspected, InspectedLogin, token};
pub(crate) use opener::Opener;

/// The sessions of one cookie, as an application holds them. Made once and cloned; all clones share the keys, the
/// revocation list, the lifetimes and the cookie's settings.
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
    /// How many revocations the store has not taken yet. They hold on this node, and it sends them again.
    pub outstanding: usize,
    /// How many revocations this node holds that the store has lost and does not have back yet.
    pub lacking: usize,
    /// How many entries of the store this release does not understand, and how many publications since it started.
    /// Each counts as a revocation, if its session or subject can be told.
    pub unreadable: u64,
    /// Since when the list knows of all revocations. Sessions from before are refused, unless they are accepted
    /// by [`SessionsBuilder::older_sessions`].
    pub complete_since: UnixMillis,
    /// How long ago this node last knew its list to be complete. Always zero for a store in this process.
    pub staleness: Duration,
}

impl Sessions {
    /// Ends one session, as its owner's logout would. `Ok` if it was ended already.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the session.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        let service = &self.engine.service;
        let logout = self.logout(Some(id), None, LogoutScope::This);
        let ending = service.ending(service.end_by_id(id), Some(logout));
        service.finish(ending).await.map(drop)
    }

    /// Ends all sessions of one subject, as their `logout_all` would: after a password change, say. If the session of
    /// the request is one of them, call its [`logout`](Session::logout) first: else whatever is written to it later
    /// makes the response a 409.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the sessions.
    pub async fn end_subject(&self, subject: &str) -> Result<(), StoreError> {
        let key = self.engine.service.subject_key(subject);
        let scope = LogoutScope::All;
        let raised = self.raise(Target::Subject(key), Some(subject), scope).await;
        Service::tidy(&self.engine.service, Some(key));
        raised
    }

    /// Ends all sessions of one group ([`Login::group`](crate::session::Login::group)), whoever's they are: when a
    /// customer leaves, or an identity provider says that a session of its own has ended. A session of the request among
    /// them is as for [`end_subject`](Self::end_subject).
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the sessions.
    pub async fn end_group(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        let key = self.engine.service.group_key(kind, name);
        let scope = LogoutScope::Group { kind, name };
        self.raise(Target::Subject(key), None, scope).await
    }

    /// Ends all sessions of everyone, in every application that shares the store.
    ///
    /// # Errors
    /// When other nodes may not know yet; this one refuses the sessions.
    pub async fn end_everyone(&self) -> Result<(), StoreError> {
        let scope = LogoutScope::Everyone;
        self.raise(Target::Everyone, None, scope).await
    }

    async fn raise(
        &self,
        target: Target,
        subject: Option<&str>,
        scope: LogoutScope<'_>,
    ) -> Result<(), StoreError> {
        let node = &self.engine.service.node;
        let logout = self.logout(None, subject, scope);
        let raised = node.raise(target, Generation::NONE, None).await;
        logout.tell(&raised);
        raised
    }

    /// A logout that the observer is to be told of.
    pub(super) fn logout<'e>(
        &self,
        session: Option<SessionId>,
        subject: Option<&str>,
        scope: LogoutScope<'e>,
    ) -> PendingLogout<'e> {
        let observer = &self.engine.service.observer;
        observer.logout(session, subject, scope).by_application()
    }

    /// Looks at the key file now instead of within the next seconds. Reads a file.
    ///
    /// # Errors
    /// When the file cannot be used. The keys in use stay.
    pub fn reload_keys(&self) -> Result<(), ConfigError> {
        self.engine.reload_keys()
    }

    /// Forgets expired revocations now instead of within the next minute, and drops cached tokens that were not used
    /// since the last time.
    ///
    /// # Errors
    /// When the store could not be swept.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let service = &self.engine.service;
        self.engine.scopes().for_each(|scope| scope.tokens.sweep());
        let index = service.sweep_index();
        service.node.backend().sweep().await.and(index.await)
    }

    /// The node's state.
    pub fn health(&self) -> Health {
        let service = &self.engine.service;
        let now = service.now();
        let ring = service.keys.load();
        let watch = self.engine.watch.as_ref();
        let status = service.node.backend().status();
        Health {
            sealing: ring.sealing(now).map(|key| key.id()),
            opening: ring.opening(now).map(|key| key.id()).collect(),
            key_problem: watch.and_then(keys::Watch::problem),
            key_file_modified: watch.and_then(keys::Watch::modified),
            unknown_keys: self.engine.log.unknown_keys(),
            store: self.engine.store,
            entries: status.entries,
            outstanding: status.outstanding,
            lacking: status.lacking,
            unreadable: status.unreadable,
            complete_since: service.node.list().complete_since(),
            staleness: status.staleness,
        }
    }

    /// Waits until revocations under way have reached the store, at most for `deadline`, and returns
    /// how many have not. Call it after the server has stopped, on a clone:
    ///
    /// ```no_run
    /// # #[cfg(feature = "actix")]
    /// # mod application {
    /// # use actix_web::{App, HttpServer};
    /// # use sealed_session::{SessionMiddleware, Sessions};
    /// # use std::time::Duration;
    /// # async fn serve(sessions: Sessions, address: &str) -> std::io::Result<()> {
    /// let closing = sessions.clone(); // the closure takes the other one
    /// let server = HttpServer::new(move || App::new().wrap(SessionMiddleware::new(&sessions)));
    /// server.bind(address)?.run().await?;
    /// let left = closing.close(Duration::from_secs(5)).await;
    /// # let _ = left;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    pub async fn close(&self, deadline: Duration) -> usize {
        let left = self.engine.service.node.close(deadline).await;
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

    /// Where a request comes from. To be asked before [`load`](Self::load): a handler must not see one that is
    /// refused. Answer 403. Counts and logs what is refused.
    pub fn judge_source(&self, source: &RequestSource<'_>) -> Verdict {
        let verdict = self.engine.service.csrf.judge(source);
        if let Verdict::Refused(problem) = &verdict {
            self.engine.log.cross_site(problem);
        }
        verdict
    }

    /// What the client of a request looks like, for [`Incoming::client`]. `None` where no session is bound to that
    /// ([`ClientSettings::binding`](crate::settings::ClientSettings::binding)): then no header is asked for.
    ///
    /// `lines` gives the values of all lines of the header of a name, in small letters, in their order; none where it is
    /// not there.
    pub fn fingerprint<'h, L: Iterator<Item = &'h [u8]> + Clone>(
        &self,
        lines: impl Fn(&'static str) -> L,
    ) -> Option<ClientFingerprint> {
        let names = &self.engine.service.binding.names;
        self.engine
            .service
            .client
            .fingerprint(&names.audience, lines)
    }

    /// From which address a request comes that `peer` sent: the peer's, or the one that trusted proxies name
    /// ([`ClientSettings::trusted_proxies`](crate::settings::ClientSettings::trusted_proxies)). `lines` is as for
    /// [`fingerprint`](Self::fingerprint), and asked only for what a trusted proxy sent.
    pub fn client_address<'h, L: DoubleEndedIterator<Item = &'h [u8]>>(
        &self,
        peer: IpAddr,
        lines: impl FnOnce(&'static str) -> L,
    ) -> IpAddr {
        self.engine.service.client.proxies.client(peer, lines)
    }

    /// Whether a request that needs a token ([`Verdict::NeedsToken`]) carries one of its session. The token is the value
    /// of the header [`csrf_header_name`](Self::csrf_header_name), or else of the form's field [`csrf_field_name`](Self::csrf_field_name);
    /// `None` where the request has neither. To be asked between [`load`](Self::load) and the handler. Counts and logs what
    /// is refused. A request whose session cannot be loaded must not reach a handler either.
    ///
    /// # Errors
    /// When it does not. Answer 403.
    pub fn judge_token(&self, session: &Session, token: Option<&[u8]>) -> Result<(), CrossSite> {
        let Err(problem) = session.check_csrf_token(token.unwrap_or_default()) else {
            return Ok(());
        };
        let problem = if token.is_none() && session.peek().id().is_some() {
            CrossSite::NoToken
        } else {
            tracing::debug!(problem, "refused a token against cross-site requests");
            CrossSite::WrongToken
        };
        self.engine.log.cross_site(&problem);
        Err(problem)
    }

    /// The header that carries a token, in lower case.
    pub fn csrf_header_name(&self) -> &str {
        &self.engine.service.csrf.names.header
    }

    /// The field of a form that carries a token.
    pub fn csrf_field_name(&self) -> &str {
        &self.engine.service.csrf.names.field
    }

    /// To be called where a handler asks for the session of a request that could not be loaded: counts
    /// and logs that it is answered with 503.
    pub fn note_unavailable(&self) {
        let node = &self.engine.service.node;
        let log = &self.engine.log;
        log.unavailable(node.staleness(), node.is_settling());
    }

    /// Closes the session when the response's head is ready, and says what the response gets.
    pub async fn commit(&self, session: &Session, ticket: Ticket) -> Committed {
        self.engine.commit(session, &ticket).await
    }

    /// Whether an adapter should find out now how the cookies that it sets go out: browsers drop a Secure one over plain
    /// http, and finding out may take a tenth of a write. Each call counts. True for the first 1,000 and one in 256 after
    /// them, while the cookie is Secure and [`take_plain_http_warning`](Self::take_plain_http_warning) was not called.
    pub fn should_check_plain_http(&self) -> bool {
        let engine = &self.engine;
        if !engine.current.template.settings.secure || engine.plain_http.load(Ordering::Relaxed) {
            return false;
        }
        let before = engine.plain_http_checks.fetch_add(1, Ordering::Relaxed);
        before < 1_000 || before.is_multiple_of(256)
    }

    /// Whether the cookie is Secure, at the first call; no other call says so. For an adapter that sees the cookie go
    /// out over plain http: it warns once.
    pub fn take_plain_http_warning(&self) -> bool {
        let engine = &self.engine;
        engine.current.template.settings.secure && !engine.plain_http.swap(true, Ordering::Relaxed)
    }

    /// Whether both are for the same cookie of the same application and environment.
    pub fn shares_sessions_with(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|it| &it.engine.service.binding);
        ours.cookie == theirs.cookie && ours.names.audience == theirs.names.audience
    }
}

// Tells which they are. All that they hold would be a line for every revocation.
redacted!(Sessions: |it|
    cookie = it.engine.service.binding.cookie,
    audience = it.engine.service.binding.names.audience
);
