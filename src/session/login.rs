//! Logging in: a new session, and the end of the one before.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::ids::{KeyId, Serial, SubjectKey};
use crate::observe;
use crate::record::{Entries, KeyTrail, LONGEST_SUBJECT, LoginFacts, Record};
use crate::revoke::node::Attempt;
use crate::revoke::{Published, Reading};
use crate::session::error::{LoginError, SessionInsertError};
use crate::session::service::Service;
use crate::session::state::RequestState;
use crate::session::{Session, begin, value};
use crate::time::Class;

/// A login that happens when it is awaited; made by [`Session::authenticate`].
#[must_use = "nobody is logged in until this is awaited"]
pub struct Login {
    session: Session,
    subject: String,
    class: Class,
    entries: Vec<(String, Result<Vec<u8>, SessionInsertError>)>,
}

/// # Beginning
impl Session {
    /// Logs `subject` in, when awaited: a new session with a new id. It keeps the entries of an anonymous session or of
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
}

impl Login {
    fn new(session: Session, subject: String) -> Self {
        Self {
            session,
            subject,
            class: Class::Standard,
            entries: Vec::new(),
        }
    }

    /// Whether the session outlives the browser ("keep me logged in"). Default: it does not.
    pub fn remember(mut self, remember: bool) -> Self {
        self.class = if remember {
            Class::Remembered
        } else {
            Class::Standard
        };
        self
    }

    /// An entry that the new session starts with, over one of the same name from before.
    pub fn entry<T: Serialize>(mut self, key: impl Into<String>, entry: T) -> Self {
        let key = key.into();
        let encoded = value::encoded(&key, &entry);
        self.entries.push((key, encoded));
        self
    }

    async fn run(self) -> Result<LoggedIn, LoginError> {
        if self.subject.is_empty() || self.subject.len() > LONGEST_SUBJECT {
            return Err(LoginError::InvalidSubject);
        }
        let session = self.session;
        let added = encoded(self.entries)?;
        let service = session.service();
        let key = service.subject_key(&self.subject);
        let reading = service.node.read(key).await?;
        let start = Start {
            subject: self.subject,
            key,
            class: self.class,
            added,
            reading,
        };
        // This node refuses the old session before anyone can hold the new one's cookie.
        let begun = session.with(|state| start.prepare(state, service))?;
        for (attempt, counted) in begun.endings {
            if let Err(error) = attempt.await
                && counted
            {
                // Other nodes may still take the old cookie: nobody is logged in.
                session.with(RequestState::forget);
                return Err(error.into());
            }
        }
        if begun.dropped {
            let session = observe::tag(begun.record.id.as_bytes());
            tracing::warn!(%session, "a login dropped the entries from before it, which did not fit beside it");
        }
        // Not before: a login that is cancelled while it waits is none.
        session.with(|state| state.install(begun.record))?;
        Ok(LoggedIn {
            entries_dropped: begun.dropped,
        })
    }
}

/// What a login did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// Whether entries of the session from before were left behind because they did not fit beside the
    /// login, or because that session had passed through as many keys as one can. A login never fails over
    /// them.
    pub entries_dropped: bool,
}

/// Tells neither who logs in nor what the session starts with.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

impl IntoFuture for Login {
    type Output = Result<LoggedIn, LoginError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

fn encoded(
    entries: Vec<(String, Result<Vec<u8>, SessionInsertError>)>,
) -> Result<Entries, LoginError> {
    let mut encoded = Vec::new();
    for (key, entry) in entries {
        encoded.push((key, entry?));
    }
    let entries = encoded.iter();
    Ok(entries
        .map(|(key, bytes)| (key.as_str(), bytes.as_slice()))
        .collect())
}

/// What a new session starts from.
struct Start {
    subject: String,
    key: SubjectKey,
    class: Class,
    added: Entries,
    reading: Reading,
}

/// A login that only has to be installed.
struct Begun {
    record: Arc<Record>,
    /// The ends of what the request carried, and whether each counted until now.
    endings: Vec<(Attempt<Published>, bool)>,
    dropped: bool,
}

impl Start {
    /// Makes the new session and ends the old one, if a browser holds it. On an error everything is as
    /// before.
    fn prepare(self, state: &mut RequestState, service: &Service) -> Result<Begun, LoginError> {
        let before = state.before_login(service)?;
        let (record, dropped) = self.record(before.heir, service)?;
        let now = service.now();
        let live = before.live.map(|old| (begin::succeeded(old, now), true));
        let dead = before.dead.iter().flat_map(|old| {
            // First, so that a second login, which finds it succeeded, does not take it for a double click.
            let is_anonymous = old.login.is_none();
            let ended = is_anonymous.then(|| begin::ended(old, now));
            ended.into_iter().chain([begin::succeeded(old, now)])
        });
        let endings = live.into_iter().chain(dead.map(|it| (it, false)));
        let endings = endings
            .filter(|(revocation, _)| revocation.until() > now)
            .map(|(revocation, counted)| (service.node.revoke(revocation).there, counted));
        Ok(Begun {
            record,
            endings: endings.collect(),
            dropped,
        })
    }

    /// The new session: a new id, with the entries of the old one if they are the same user's or were
    /// nobody's, and then with its key trail. Without them if they do not fit.
    fn record(
        self,
        heir: Option<(&Arc<Record>, Option<KeyId>)>,
        service: &Service,
    ) -> Result<(Arc<Record>, bool), LoginError> {
        let reading = self.reading;
        let created = service.beginning(reading.state.now, reading.state.complete_since);
        let id = begin::fresh_id(&*service.random).map_err(SessionInsertError::from)?;
        let heir = heir.filter(|(old, _)| {
            let login = old.login.as_ref();
            let same = login.is_none_or(|login| login.subject == self.subject);
            same && !old.entries.is_empty()
        });
        let record = Record {
            id,
            serial: Serial::FIRST,
            login: Some(LoginFacts {
                subject: self.subject,
                key: self.key,
                generation: reading.subject,
                at: created,
                roles: Vec::new(),
                groups: Vec::new(),
                fingerprint: None,
            }),
            everyone: reading.everyone,
            created,
            refreshed: service.now(),
            expires: created + service.lifetimes.of(self.class).absolute,
            class: self.class,
            keys: KeyTrail::default(),
            entries: self.added,
        };
        if let Some((old, opened_with)) = heir
            && let Some(keys) = trail(old, opened_with)
        {
            let with_entries = Record {
                entries: old.entries.with_all(&record.entries),
                keys,
                ..record.clone()
            };
            if service.room.admit(with_entries.longest_len()).is_ok() {
                return Ok((Arc::new(with_entries), false));
            }
        }
        let fits = service.room.admit(record.longest_len());
        fits.map_err(SessionInsertError::from)?;
        Ok((Arc::new(record), heir.is_some()))
    }
}

/// The keys that the entries of a session passed through; nothing if those are too many.
fn trail(old: &Record, opened_with: Option<KeyId>) -> Option<KeyTrail> {
    let mut keys = old.keys.clone();
    let fits = opened_with.is_none_or(|key| keys.add(key));
    fits.then_some(keys)
}
