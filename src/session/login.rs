//! Logging in: a new session, and the end of the one before.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Serialize;

use crate::id::{Serial, SessionId};
use crate::lifetime::Class;
use crate::revoke::revoker::Attempt;
use crate::revoke::{Published, Reading};
use crate::session::Session;
use crate::session::error::{LoginError, NotWritable, SessionInsertError};
use crate::session::service::Service;
use crate::session::state::{SessionStatus, State, ended};
use crate::wire::record::{Entries, LoginFacts, Record};
use crate::wire::value;

/// The longest name of a subject, in bytes.
const LONGEST_SUBJECT: usize = 255;

/// A login that happens when it is awaited; made by [`Session::authenticate`].
#[must_use = "nobody is logged in until this is awaited"]
pub struct Login {
    session: Session,
    subject: String,
    class: Class,
    entries: Vec<(String, Result<Vec<u8>, String>)>,
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
        self.entries.push((key.into(), value::encode(&entry)));
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
            class: self.class,
            added,
            reading,
        };
        // This node refuses the old session before anyone can hold the new one's cookie.
        let ending = session.with(|state| start.replace(state, service))?;
        if let Some(attempt) = ending
            && let Err(error) = attempt.await
        {
            // Other nodes may still take the old cookie: nobody is logged in.
            session.with(State::forget);
            return Err(error.into());
        }
        Ok(())
    }
}

/// Tells neither who logs in nor what the session will hold.
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

fn encoded(entries: Vec<(String, Result<Vec<u8>, String>)>) -> Result<Entries, LoginError> {
    let mut encoded = Entries::new();
    for (key, entry) in entries {
        match entry {
            Ok(bytes) => encoded.insert(key, bytes),
            Err(problem) => return Err(SessionInsertError::Encode { key, problem }.into()),
        };
    }
    Ok(encoded)
}

/// What a new session starts from.
struct Start {
    subject: String,
    class: Class,
    added: Entries,
    reading: Reading,
}

impl Start {
    /// Puts the new session in the place of the old one, whose end it returns if a browser holds it.
    /// On an error everything is as before.
    fn replace(
        self,
        state: &mut State,
        service: &Service,
    ) -> Result<Option<Attempt<Published>>, LoginError> {
        if state.committed {
            return Err(NotWritable::AlreadyCommitted.into());
        }
        let record = self.record(state.record.as_ref(), service)?;
        service
            .room
            .admit(record.encoded_len())
            .map_err(SessionInsertError::from)?;
        let old = state.record.replace(record);
        let issued = std::mem::replace(&mut state.issued, false);
        state.status = SessionStatus::Renewed;
        // A cookie that nothing but a login may replace is being replaced by one.
        state
            .refused
            .take_if(|refused| *refused == NotWritable::CookieHeld);
        Ok(old.filter(|_| issued).map(|old| {
            // Also a visitor's: what a login ends is worth keeping for its whole time.
            service.revoker.revoke(ended(&old, service.now(), false))
        }))
    }

    /// The new session: a new id, with the entries and the key trail of the old one.
    fn record(self, old: Option<&Record>, service: &Service) -> Result<Record, LoginError> {
        let reading = self.reading;
        let created = service.beginning(reading.now, reading.born);
        let id = SessionId::random(&*service.random).map_err(SessionInsertError::from)?;
        let mut entries = old.map(|old| old.entries.clone()).unwrap_or_default();
        entries.extend(self.added);
        Ok(Record {
            id,
            serial: Serial::FIRST,
            login: Some(LoginFacts {
                subject: self.subject,
                generation: reading.subject,
                at: created,
            }),
            everyone: reading.everyone,
            created,
            refreshed: service.now(),
            expires: created + service.lifetimes.of(self.class).absolute,
            class: self.class,
            keys: old.map(|old| old.keys.clone()).unwrap_or_default(),
            entries,
        })
    }
}
