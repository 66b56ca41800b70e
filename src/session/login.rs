//! Logging in: a new session, and the end of the one before.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::id::{KeyId, Serial, SessionId, SubjectKey};
use crate::lifetime::Class;
use crate::revoke::revoker::Attempt;
use crate::revoke::{Published, Reading};
use crate::session::Session;
use crate::session::error::{LoginError, NotWritable, SessionInsertError};
use crate::session::service::Service;
use crate::session::state::{Origin, SessionStatus, State, ended};
use crate::session::value;
use crate::wire::entries::Entries;
use crate::wire::record::{KeyTrail, LONGEST_SUBJECT, LoginFacts, Record};

/// A login that happens when it is awaited; made by [`Session::authenticate`].
#[must_use = "nobody is logged in until this is awaited"]
pub struct Login {
    session: Session,
    subject: String,
    class: Class,
    entries: Vec<(String, Result<Vec<u8>, SessionInsertError>)>,
}

impl Login {
    pub(super) fn new(session: Session, subject: String) -> Self {
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

    async fn run(self) -> Result<(), LoginError> {
        if self.subject.is_empty() || self.subject.len() > LONGEST_SUBJECT {
            return Err(LoginError::InvalidSubject);
        }
        let session = self.session;
        let added = encoded(self.entries)?;
        let service = session.service();
        let key = service.subject_key(&self.subject);
        let reading = service.revoker.read(key).await?;
        let start = Start {
            subject: self.subject,
            key,
            class: self.class,
            added,
            reading,
        };
        // This node refuses the old session before anyone can hold the new one's cookie.
        let (record, ending) = session.with(|state| start.prepare(state, service))?;
        if let Some(attempt) = ending
            && let Err(error) = attempt.await
        {
            // Other nodes may still take the old cookie: nobody is logged in.
            session.with(State::forget);
            return Err(error.into());
        }
        // Not before: a login that is cancelled while it waits is none.
        session.with(|state| install(state, record))
    }
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
    type Output = Result<(), LoginError>;
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

impl Start {
    /// Makes the new session and ends the old one, if a browser holds it. On an error everything is as
    /// before.
    fn prepare(
        self,
        state: &mut State,
        service: &Service,
    ) -> Result<(Arc<Record>, Option<Attempt<Published>>), LoginError> {
        if state.committed {
            return Err(NotWritable::AlreadyCommitted.into());
        }
        // A session that was ended while this request ran hands nothing on.
        let counts = state.still_counts(service);
        let old = state.record.as_deref().filter(|_| counts);
        let opened_with = match state.origin {
            Origin::Cookie { key, .. } => Some(key),
            _ => None,
        };
        let record = self.record(old, opened_with, service)?;
        service
            .room
            .admit(record.encoded_len())
            .map_err(SessionInsertError::from)?;
        let ending = old.filter(|_| state.issued).map(|old| {
            // Also a visitor's: what a login ends is worth keeping for its whole time.
            service
                .revoker
                .revoke(ended(old, service.now(), false))
                .there
        });
        Ok((record, ending))
    }

    /// The new session: a new id, with the entries of the old one if they are the same user's or were
    /// nobody's, and then with its key trail.
    fn record(
        self,
        old: Option<&Record>,
        opened_with: Option<KeyId>,
        service: &Service,
    ) -> Result<Arc<Record>, LoginError> {
        let reading = self.reading;
        let created = service.beginning(reading.now, reading.born);
        let id = SessionId::random(&*service.random).map_err(SessionInsertError::from)?;
        let heir = old.filter(|old| {
            let login = old.login.as_ref();
            login.is_none_or(|login| login.subject == self.subject)
        });
        let (entries, keys) = heir
            .and_then(|old| inheritance(old, opened_with))
            .unwrap_or_default();
        Ok(Arc::new(Record {
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
            keys,
            entries: entries.with_all(&self.added),
        }))
    }
}

/// The entries of a session and the keys that they passed through; nothing if those are too many.
fn inheritance(old: &Record, opened_with: Option<KeyId>) -> Option<(Entries, KeyTrail)> {
    let mut keys = old.keys.clone();
    let fits = opened_with.is_none_or(|key| keys.add(key));
    fits.then(|| (old.entries.clone(), keys))
}

/// Puts the new session in the place of the old one.
fn install(state: &mut State, record: Arc<Record>) -> Result<(), LoginError> {
    if state.committed {
        return Err(NotWritable::AlreadyCommitted.into());
    }
    state.record = Some(record);
    state.issued = false;
    state.status = SessionStatus::Renewed;
    // What was refused to the old session does not concern the new one.
    state.refused = None;
    Ok(())
}
