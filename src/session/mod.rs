//! The session as a handler sees it.
//!
//! 1. [`Session`] is a handle: cheap to clone, `Send`, and the same session for everyone in a request.
//! 2. Writes are collected and sealed once, when the response is ready. A session that was only read costs a
//!    small cookie now and then, the activity cookie.
//! 3. Names and meanings follow actix-session where it has them.

mod before_login;
mod csrf;
mod current;
pub(crate) mod devices;
mod end;
mod ended;
mod entries;
mod error;
mod flash;
mod login;
mod message;
pub(crate) mod observer;
pub(crate) mod refusal;
pub(crate) mod service;
pub(crate) mod state;
mod trust;
mod typed;
pub(crate) mod validity;
mod value;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::ids::{Generation, SessionId};
use crate::lock::lock;
use crate::record::{LoginFacts, Record};
use crate::session::service::Service;
use crate::session::state::RequestState;
use crate::time::{Class, UnixMillis};

pub use before_login::{AnonymousEntries, LoginSettings};
pub use csrf::CsrfToken;
pub use current::{CurrentLogin, CurrentSession};
pub use devices::{DeviceError, DeviceSettings, ListedSession, WhenFull};
pub use ended::{EndReason, SessionEnd};
pub use error::{
    ConfirmError, CsrfTokenError, LoginError, LogoutError, NotWritable, SessionGetError,
    SessionInsertError, SessionUpdateError,
};
pub use flash::Flash;
pub use login::{LoggedIn, Login};
pub use message::{FlashKind, FlashMessage};
pub use observer::{LogoutOutcome, LogoutScope, SessionEvent, SessionObserver};
pub use state::SessionStatus;
pub use typed::{SessionData, TypedSession};
pub use value::Value;
#[cfg(feature = "migrate-actix-session")]
pub(crate) use value::encoded;

pub use crate::error::Rejected;
pub use crate::wire::chunks::TooLarge;

/// The session of a request.
///
/// ```no_run
/// use sealed_session::{session::LoginError, Session};
///
/// async fn login(session: &Session, user: &str) -> Result<(), LoginError> {
///     session.authenticate(user).remember(true).await?; // a new id; the cookie from before is dead
///     session.insert("theme", "dark")?;
///     Ok(())
/// }
/// ```
///
/// Values are stored as MessagePack and read back by type: asking for another type is an error. Two
/// shapes do not survive: `Some(None)` and `Some(())`, or `Some` of a struct without fields, read back as `None`.
///
/// Two requests of one browser that run at the same time each start from the cookie they carry, and
/// the response that arrives last wins. What must not be lost or replayed belongs in a database.
#[derive(Clone)]
pub struct Session {
    shared: Arc<SharedState>,
}

struct SharedState {
    service: Arc<Service>,
    state: Mutex<RequestState>,
}

/// # What the session is
impl Session {
    /// The session's id; `None` before anything was written. From a login on it is a new one. A renewal keeps it.
    pub fn id(&self) -> Option<SessionId> {
        self.record(|record| record.id)
    }

    /// Who is logged in.
    pub fn subject(&self) -> Option<String> {
        self.login(|login| login.subject.to_string())
    }

    /// Whether anyone is logged in.
    pub fn is_authenticated(&self) -> bool {
        self.login(|_| ()).is_some()
    }

    /// The subject's generation that the session was logged in under.
    pub fn generation(&self) -> Option<Generation> {
        self.login(|login| login.generation)
    }

    /// What the user may do, as the login said: sorted, each once; empty without a login.
    pub fn roles(&self) -> Vec<String> {
        self.login(|login| login.roles.clone()).unwrap_or_default()
    }

    /// Whether the login gave this role. Roles are compared byte by byte.
    pub fn has_role(&self, role: &str) -> bool {
        self.has_all_roles(&[role])
    }

    /// Whether the login gave one of these roles. Of none: no.
    pub fn has_any_role(&self, roles: &[&str]) -> bool {
        let has = |login: &LoginFacts| roles.iter().any(|role| login.has_role(role));
        self.login(has).unwrap_or(false)
    }

    /// Whether somebody is logged in whose login gave all of these roles.
    pub fn has_all_roles(&self, roles: &[&str]) -> bool {
        let has = |login: &LoginFacts| roles.iter().all(|role| login.has_role(role));
        self.login(has).unwrap_or(false)
    }

    /// Whether the login put the session into this group.
    pub fn is_in_group(&self, kind: &str, name: &str) -> bool {
        let is_it = |login: &LoginFacts| {
            let key = self.service().group_key(kind, name);
            login.groups.iter().any(|group| group.key == key)
        };
        self.login(is_it).unwrap_or(false)
    }

    /// When the login was; 1970 where nobody knows, of a session that moved in from another library.
    pub fn authenticated_at(&self) -> Option<UnixMillis> {
        self.login(|login| login.at)
    }

    /// Whether somebody logged in, or [did so again](Self::reauthenticate), at most so long ago: for what must not be
    /// done with a session that was left open (ASVS 7.5.1 and 7.5.3). Where this is not so ask for the password, and call
    /// [`reauthenticate`](Self::reauthenticate).
    pub fn authenticated_within(&self, limit: Duration) -> bool {
        let now = self.service().now();
        self.login(|login| now.since(login.at) <= limit)
            .unwrap_or(false)
    }

    /// Whether the client looks otherwise than at the login: another browser, an update of it, other languages, or
    /// somebody else who has the cookie. `false` unless the settings bind sessions to their clients
    /// ([`ClientBinding::Signal`](crate::settings::ClientBinding::Signal)), without a login, and for a session that was logged in
    /// before they did. [`reauthenticate`](Self::reauthenticate) binds it to the client of the request.
    ///
    /// ```
    /// use sealed_session::Session;
    /// use std::time::Duration;
    ///
    /// fn may_change_the_address(session: &Session) -> bool {
    ///     // else ask for the password, and `reauthenticate`
    ///     !session.client_changed() && session.authenticated_within(Duration::from_secs(300))
    /// }
    /// ```
    pub fn client_changed(&self) -> bool {
        self.look(|state| state.client_changed())
    }

    /// When the session began.
    pub fn created_at(&self) -> Option<UnixMillis> {
        self.record(|record| record.created)
    }

    /// When the session ends at the latest, however busy it is.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let lifetimes = self.service().lifetimes;
        self.record(|record| lifetimes.end(record.class, record.created, record.expires))
    }

    /// Whether the login asked to be remembered.
    pub fn is_remembered(&self) -> bool {
        self.record(|record| record.class == Class::Remembered)
            .unwrap_or(false)
    }

    /// Why there is no session although the request carried a cookie for one: to say "you were logged out
    /// on another device". `None` where there is a session, or was no cookie. Of several cookies the first
    /// authentic one counts, or the first if none is. The answer is the same with every request that carries the
    /// cookie, until another session replaces it or a logout removes it.
    ///
    /// The browser cannot tell the reasons apart unless the application lets it.
    pub fn rejected(&self) -> Option<Rejected> {
        self.look(|state| state.rejected)
    }

    /// What has happened to the session in this request.
    pub fn status(&self) -> SessionStatus {
        self.with(|state| state.status())
    }

    /// Asks the store whether the session still counts, for what must not happen in a session that
    /// another node ended a moment ago: a transfer, a change of password.
    ///
    /// Without it a node relies on its own list, which may lack the others' latest revocations, at worst those of the
    /// last `max_staleness`. This costs a round trip. While a shared store settles after a loss or a failover, it is an
    /// error for sessions from before: the store may lack their end. With a store in this process it costs nothing, because the
    /// list is never behind.
    ///
    /// ```no_run
    /// use sealed_session::{session::ConfirmError, Session};
    ///
    /// async fn transfer(session: &Session) -> Result<(), ConfirmError> {
    ///     session.confirm().await?;
    ///     // move the money
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`ConfirmError`].
    pub async fn confirm(&self) -> Result<(), ConfirmError> {
        let service = self.service();
        let known = self.look(|state| {
            let record = state.record()?;
            let login = record.login.iter();
            let subjects = login.flat_map(LoginFacts::subjects).collect();
            Some((record.id, subjects))
        });
        let (id, subjects) = known.ok_or(ConfirmError::Ended)?;
        let since = service.node.backend().find(id, subjects).await?;
        self.with(|state| {
            let rules = service.rules(service.now());
            if let Some(record) = state.record()
                && (service.node.store_may_lack(record.began()) || !rules.covers(since, record))
            {
                let problem = "it has lost data, or may have, and does not have it back yet";
                return Err(StoreError::unavailable(problem).into());
            }
            let counts = state.still_counts(service);
            counts.then_some(()).ok_or(ConfirmError::Ended)
        })
    }

    /// A handle of the session that leaves no trace of looking at it.
    pub fn peek(&self) -> Peek {
        Peek(self.clone())
    }

    fn record<T>(&self, read: impl FnOnce(&Record) -> T) -> Option<T> {
        self.look(|state| state.record().map(|record| read(record)))
    }

    fn login<T>(&self, read: impl FnOnce(&LoginFacts) -> T) -> Option<T> {
        self.look(|state| state.record()?.login.as_ref().map(read))
    }
}

impl Session {
    pub(crate) fn new(service: Arc<Service>, state: RequestState) -> Self {
        Self {
            shared: Arc::new(SharedState {
                service,
                state: Mutex::new(state),
            }),
        }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.shared.service
    }

    /// Runs a step on the state. No code of the application may run in it.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut RequestState) -> T) -> T {
        // A panic in a step cannot leave a half-made state that matters: each replaces whole values, and what
        // does not fit is not sealed.
        step(&mut lock(&self.shared.state))
    }

    /// Runs a step that looks at the session, so that the response depends on it.
    fn look<T>(&self, step: impl FnOnce(&mut RequestState) -> T) -> T {
        self.with(|state| {
            state.looked = true;
            step(state)
        })
    }
}

/// A session that is only looked at. The response does not come to depend on it, and it is no use of the
/// session. For middleware that logs, counts or traces; what decides over a response asks for the
/// [`Session`].
#[derive(Clone)]
pub struct Peek(Session);

impl Peek {
    /// The session's id; `None` if there is no session.
    pub fn id(&self) -> Option<SessionId> {
        self.0.with(|state| state.record().map(|record| record.id))
    }

    /// Who is logged in.
    pub fn subject(&self) -> Option<String> {
        self.0
            .with(|state| state.record()?.subject().map(str::to_owned))
    }

    /// Reads an entry; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the entry was written as another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionGetError> {
        let record = self.0.with(|state| state.record().cloned());
        Session::read(record.as_deref(), key)
    }
}

// Shows nothing of what the session holds.
redacted!(Session: |it| status = it.status());

// Shows nothing of what the session holds.
redacted!(Peek);
