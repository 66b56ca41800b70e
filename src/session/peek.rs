//! Looking at a session without a trace.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::ids::SessionId;
use crate::session::{Session, SessionGetError};

/// A session that is only looked at. The response does not come to depend on it, and it is no use of the
/// session. For middleware that logs, counts or traces; what decides over a response asks for the
/// [`Session`].
#[derive(Clone)]
pub struct Peek(Session);

impl Session {
    /// The same session, to be looked at without a trace.
    pub fn peek(&self) -> Peek {
        Peek(self.clone())
    }
}

impl Peek {
    /// The session's id; `None` if there is no session.
    pub fn id(&self) -> Option<SessionId> {
        self.0.with(|state| state.record().map(|record| record.id))
    }

    /// Who is logged in.
    pub fn subject(&self) -> Option<String> {
        self.0.with(|state| {
            let login = state.record()?.login.as_ref()?;
            Some(login.subject.clone())
        })
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

/// Tells nothing of what the session holds.
impl fmt::Debug for Peek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peek").finish_non_exhaustive()
    }
}
