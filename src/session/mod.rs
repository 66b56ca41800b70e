//! The session as a handler sees it.
//!
//! 1. [`Session`] is a handle: cheap to clone, `Send`, and the same session for everyone in a request.
//! 2. Writes are collected and sealed once, when the response is ready. A session that was only read costs a
//!    small cookie now and then, the activity cookie.
//! 3. Names and meanings follow actix-session where it has them.

pub(crate) mod begin;
mod confirm;
mod end;
mod entries;
mod error;
mod login;
mod peek;
pub(crate) mod refusal;
pub(crate) mod service;
pub(crate) mod state;
pub(crate) mod validity;
mod value;

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::ids::{Generation, SessionId};
use crate::lock::lock;
use crate::record::{LoginFacts, Record};
use crate::session::service::Service;
use crate::session::state::RequestState;
use crate::time::{Class, UnixMillis};

pub use confirm::ConfirmError;
pub use error::{
    LoginError, LogoutError, NotWritable, SessionGetError, SessionInsertError, SessionUpdateError,
};
pub use login::{LoggedIn, Login};
pub use peek::Peek;
pub use state::SessionStatus;
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
        self.login(|login| login.subject.clone())
    }

    /// Whether anyone is logged in.
    pub fn is_authenticated(&self) -> bool {
        self.login(|_| ()).is_some()
    }

    /// The subject's generation that the session was logged in under.
    pub fn generation(&self) -> Option<Generation> {
        self.login(|login| login.generation)
    }

    /// When the login was; 1970 where nobody knows, of a session that moved in from another library.
    pub fn authenticated_at(&self) -> Option<UnixMillis> {
        self.login(|login| login.at)
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
        self.look(RequestState::rejected)
    }

    /// What has happened to the session in this request.
    pub fn status(&self) -> SessionStatus {
        self.with(|state| state.status())
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

    /// The same, for what the response then depends on.
    fn look<T>(&self, step: impl FnOnce(&RequestState) -> T) -> T {
        self.with(|state| {
            state.look();
            step(state)
        })
    }
}

/// Tells nothing of what the session holds.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
