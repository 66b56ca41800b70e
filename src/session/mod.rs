//! The session as a handler sees it.
//!
//! 1. [`Session`] is a handle: cheap to clone, `Send`, and the same session for everyone in a request.
//! 2. Writes are collected and sealed once, when the response is ready. A session that was only read costs a
//!    small cookie now and then, which tells that it was used.
//! 3. Names and meanings follow actix-session where it has them.

pub(crate) mod begin;
mod confirm;
mod error;
mod login;
mod peek;
pub(crate) mod refusal;
pub(crate) mod service;
pub(crate) mod state;
pub(crate) mod validity;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::{Generation, SessionId};
use crate::lock::lock;
use crate::record::{Entries, LoginFacts, Record};
use crate::revoke::{Published, Target};
use crate::session::service::Service;
use crate::session::state::{Ending, State};
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
    shared: Arc<Shared>,
}

struct Shared {
    service: Arc<Service>,
    state: Mutex<State>,
}

/// # Entries
impl Session {
    /// Reads an entry; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the entry was written as another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionGetError> {
        // Decoded outside of the lock: that is the application's code.
        let record = self.look(|state| state.record().cloned());
        Self::read(record.as_deref(), key)
    }

    /// Reads an entry, and discards one that cannot be read as `T`: what an earlier release of the
    /// application wrote as another type would stay for as long as the session. The log then names the
    /// entry, and not its value.
    ///
    /// `None` if there is none of this name, or none any more. Where the session cannot be written the entry
    /// stays, and reads as `None` all the same.
    pub fn get_or_discard<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let record = self.look(|state| state.record().cloned())?;
        let bytes = record.entries.get(key)?;
        match value::decoded(key, bytes) {
            Ok(value) => Some(value),
            Err(SessionGetError { key, problem }) => {
                let discarded = self.with(|state| {
                    let is_same = state.entries().and_then(|it| it.get(&key)) == Some(bytes);
                    let discards = is_same && state.writable().is_ok();
                    if discards {
                        state.change(|entries| entries.remove(&key));
                    }
                    discards
                });
                if discarded {
                    tracing::warn!(entry = ?key, %problem, "discarding a session entry of another type");
                }
                None
            }
        }
    }

    /// Whether there is an entry of this name.
    pub fn contains_key(&self, key: &str) -> bool {
        self.look(|state| {
            state
                .entries()
                .is_some_and(|entries| entries.get(key).is_some())
        })
    }

    /// All entries that the application has set, by name.
    pub fn entries(&self) -> BTreeMap<String, Value> {
        self.look(|state| {
            let entries = state.entries().into_iter().flat_map(Entries::iter);
            entries
                .filter(|entry| !value::is_reserved(entry.name()))
                .map(|entry| (entry.name().to_owned(), Value::of(&entry)))
                .collect()
        })
    }

    /// Sets an entry. The session is sealed into its cookie when the response is ready.
    ///
    /// What `T`'s [`Serialize`] writes has to be what its `Deserialize` reads, in serde's human-readable form.
    /// Where a crate turns on serde_json's feature `arbitrary_precision`, a number inside a
    /// `serde_json::Value` is not: it becomes a map that reads back as a `serde_json::Value` alone. Nor do
    /// `i128` and `u128` pass through `#[serde(flatten)]`, `tag` and `untagged`: serde itself has no room for them.
    ///
    /// # Errors
    /// When the value cannot be serialized, is nested more than 128 levels deep
    /// ([`SessionInsertError::TooDeep`]), or its name begins with U+0000, as those of the library's own entries
    /// do ([`SessionInsertError::ReservedName`]); when the session would not fit into its cookies
    /// ([`SessionInsertError::TooLarge`]) or cannot be written now. It is as before then.
    pub fn insert<T: Serialize>(
        &self,
        key: impl Into<String>,
        value: T,
    ) -> Result<(), SessionInsertError> {
        let key = key.into();
        let bytes = value::encoded(&key, &value)?;
        self.with(|state| state.insert(self.service(), &key, &bytes))
    }

    /// Replaces an entry by what `updater` makes of it. Does nothing if there is none of this name.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, F>(&self, key: impl Into<String>, updater: F) -> Result<(), SessionUpdateError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(T) -> T,
    {
        let key = value::settable(key.into())?;
        if let Some(old) = self.get(&key)? {
            self.insert(key, updater(old))?;
        }
        Ok(())
    }

    /// Replaces an entry by what `updater` makes of it, or sets it to `default` if there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update_or<T, F>(
        &self,
        key: &str,
        default: T,
        updater: F,
    ) -> Result<(), SessionUpdateError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(T) -> T,
    {
        let key = value::settable(key)?;
        let new = match self.get(key)? {
            Some(old) => updater(old),
            None => default,
        };
        Ok(self.insert(key, new)?)
    }

    /// Removes an entry and returns it.
    ///
    /// Where the session cannot be written ([`NotWritable`]) nothing is removed, and the response
    /// becomes that error.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.with(|state| {
            state.look();
            state.entries()?.get(key)?;
            let bytes = state.change(|entries| entries.remove(key))?;
            Some(Value::new(key, bytes))
        })
    }

    /// Removes an entry and reads it as `T`.
    pub fn remove_as<T: DeserializeOwned>(&self, key: &str) -> Option<Result<T, SessionGetError>> {
        self.remove(key).map(|value| value.decode())
    }

    /// Removes all entries. The session itself, and its login, stay. Refused as [`remove`](Self::remove).
    pub fn clear(&self) {
        self.with(|state| {
            if state.record().is_some() {
                state.change(|entries| *entries = Entries::default());
            }
        });
    }
}

/// # What the session is
impl Session {
    /// The session's id; `None` before anything was written. A login makes a new one, which this tells from then on; a
    /// renewal keeps it.
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
    /// on another device". `None` where there is a session, or was no cookie. Of several cookies that of an
    /// authentic session tells, else the first. The answer is the same with every request that carries the cookie:
    /// until another session replaces it, or a logout removes it.
    ///
    /// The browser cannot tell the reasons apart unless the application lets it.
    pub fn rejected(&self) -> Option<Rejected> {
        self.look(State::rejected)
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

/// # Beginning and ending
impl Session {
    /// Logs `subject` in, when awaited: a new session with a new id. It keeps the entries of a visitor or of
    /// the same subject, and none of another's. The session from before is ended, so a cookie that
    /// someone else planted or copied is worth nothing.
    ///
    /// The subject is the application's name for the user, 1 to 255 bytes, which does not change: what
    /// [`logout_all`](Self::logout_all) ends is found by it. Check the password first.
    ///
    /// Once this returns `Ok` the login stands, also if the handler returns an error afterwards: what
    /// may still fail, such as a transaction, comes before it, or is followed by a
    /// [`logout`](Self::logout).
    ///
    /// # Errors
    /// See [`LoginError`]; nobody is logged in then.
    pub fn authenticate(&self, subject: impl Into<String>) -> Login {
        Login::new(self.clone(), subject.into())
    }

    /// The same, with entries that the new session starts with. [`Login::entry`] adds entries of other
    /// types.
    pub fn authenticate_with<K: Into<String>, V: Serialize>(
        &self,
        subject: impl Into<String>,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Login {
        entries
            .into_iter()
            .fold(self.authenticate(subject), |login, (key, value)| {
                login.entry(key, value)
            })
    }

    /// Makes a new cookie for the same session, whose id stays, and lets the older ones die after a short grace,
    /// in which they only read. Call it when privileges change.
    ///
    /// If two requests renew one session at the same time, one wins and the other's response sets no
    /// cookie. Refused as [`remove`](Self::remove).
    pub fn renew(&self) {
        self.with(State::renew);
    }

    /// Lets a new session begin over a cookie that is none here but may have a successor in this browser, or be
    /// good on another node or later ([`NotWritable::Replaced`], [`NotWritable::MayLiveElsewhere`],
    /// [`NotWritable::NotTried`]): for a page that has to store something before a login, such as the state
    /// of a single sign-on. The answer replaces what the browser holds by then. Does nothing where a write
    /// is possible anyway.
    ///
    /// # Errors
    /// [`NotWritable::EndedMeanwhile`], [`NotWritable::Superseded`] and [`NotWritable::AlreadyCommitted`] stay.
    pub fn start_over(&self) -> Result<(), NotWritable> {
        self.with(State::start_over)
    }

    /// Ends the session: its cookie is removed, and dead on every node. Starts at the call; the
    /// response waits for it and becomes an error if other nodes may not know, or the cookie may be good on
    /// one (503), or if a login has made another session of it, which lives on (409).
    pub fn purge(&self) {
        self.with(|state| state.purge(self.service()));
    }

    /// Ends the session: its cookie is removed, and dead on every node once this returns `Ok`. Whatever else
    /// the request carried of ours ends with it. Ending no session is success.
    ///
    /// # Errors
    /// [`LogoutError::Store`]: this node refuses the session and the browser loses the cookie, other
    /// nodes learn of it when the store takes it. (Of a visitor's session they may not: what costs an attacker
    /// nothing is not kept for the store.) [`LogoutError::Succeeded`] and [`LogoutError::MayLiveElsewhere`]:
    /// nothing was ended, and the browser keeps its cookie.
    pub async fn logout(&self) -> Result<(), LogoutError> {
        let attempts = self.with(|state| state.end(self.service(), Ending::Logout))?;
        let mut result = Ok(());
        for attempt in attempts {
            match attempt.await {
                Ok(Published::Fresh | Published::Known) => (),
                Ok(Published::Succeeded) => {
                    self.with(State::was_succeeded);
                    result = Err(LogoutError::Succeeded);
                }
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Ends all sessions of the user who is logged in, this one included, on all devices.
    ///
    /// # Errors
    /// [`LogoutError::NotAuthenticated`] without a login; [`LogoutError::MayLiveElsewhere`] where the cookie may
    /// be one on another node. [`LogoutError::Store`]: this node ends them all and the browser loses the cookie,
    /// other nodes learn of it when the store takes it.
    pub async fn logout_all(&self) -> Result<(), LogoutError> {
        let (target, seen) = self.target()?;
        let attempt = self.with(|state| {
            let service = self.service();
            state.end_others(service);
            state.forget();
            service.revoker.raise(target, seen)
        });
        attempt.await?;
        Ok(())
    }

    /// Ends all sessions of the user who is logged in, except this one.
    ///
    /// # Errors
    /// Nothing was ended: [`LogoutError::NotAuthenticated`] without a login, [`LogoutError::MayLiveElsewhere`]
    /// where the cookie may be one on another node, [`LogoutError::NotWritable`] where it only reads,
    /// [`LogoutError::CannotSeal`] where this session could not be sealed anew, [`LogoutError::Settling`] where
    /// nobody can tell yet whether it was ended before.
    ///
    /// This session was ended with the others: [`LogoutError::Ended`] if it had been ended before or meanwhile,
    /// [`LogoutError::Store`] if other nodes could no longer tell it from the others.
    pub async fn logout_others(&self) -> Result<(), LogoutError> {
        let (target, seen) = self.target()?;
        let service = self.service();
        self.with(|state| state.may_outlive(service))?;
        match service.revoker.raise(target, seen).await {
            Ok(raised) if self.with(|state| state.outlive(&raised, service)) => Ok(()),
            Ok(_) => Err(LogoutError::Ended),
            Err(error) => {
                self.with(State::forget);
                Err(error.into())
            }
        }
    }

    /// Ends all sessions of everyone, this one included. Who may ask for it is the application's to
    /// decide.
    ///
    /// # Errors
    /// [`LogoutError::NotAuthenticated`] if this session was ended while the request ran: it has no say
    /// any more. [`LogoutError::Store`]: as [`logout`](Self::logout), for all of them.
    pub async fn logout_everyone(&self) -> Result<(), LogoutError> {
        let service = self.service();
        let attempt = self.with(|state| {
            if state.record().is_some() && !state.still_counts(service) {
                return Err(LogoutError::NotAuthenticated);
            }
            let seen = state.record().map(|record| record.everyone);
            let seen = seen.unwrap_or(Generation::NONE);
            state.forget();
            Ok(service.revoker.raise(Target::Everyone, seen))
        })?;
        attempt.await?;
        Ok(())
    }

    /// Whose sessions may be ended, and this one's generation. A session that was ended while its request
    /// ran has no say any more.
    fn target(&self) -> Result<(Target, Generation), LogoutError> {
        let service = self.service();
        self.with(|state| {
            state.look();
            state.still_counts(service);
            match state.record().and_then(|record| record.login.as_ref()) {
                Some(login) => Ok((Target::Subject(login.key), login.generation)),
                None if state.may_live_elsewhere() => Err(LogoutError::MayLiveElsewhere),
                None => Err(LogoutError::NotAuthenticated),
            }
        })
    }
}

impl Session {
    pub(crate) fn new(service: Arc<Service>, state: State) -> Self {
        Self {
            shared: Arc::new(Shared {
                service,
                state: Mutex::new(state),
            }),
        }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.shared.service
    }

    fn read<T: DeserializeOwned>(
        record: Option<&Record>,
        key: &str,
    ) -> Result<Option<T>, SessionGetError> {
        let Some(value) = record.and_then(|record| record.entries.get(key)) else {
            return Ok(None);
        };
        value::decoded(key, value).map(Some)
    }

    /// Runs a step on the state. No code of the application may run in it.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        // A panic in a step cannot leave a half-made state that matters: each replaces whole values, and what
        // does not fit is not sealed.
        step(&mut lock(&self.shared.state))
    }

    /// The same, for what the response then depends on.
    fn look<T>(&self, step: impl FnOnce(&State) -> T) -> T {
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
