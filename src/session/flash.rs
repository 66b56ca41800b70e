//! Messages for the next page.
//!
//! 1. They are one entry of the session, under a name that no application can set. So they survive a redirect, and work
//!    without a login.
//! 2. Whoever reads them takes all of them. They stay readable for the rest of that request, and are gone after it.
//! 3. There are few, the oldest go first, and they have to fit into the cookie with everything else.
//! 4. They end with the session: what is to be said after a logout is pushed after it.

use crate::session::Session;
use crate::session::error::SessionInsertError;
use crate::session::message::{FlashKind, FlashMessage};
use crate::session::state::RequestState;
use crate::wire::value;

/// The entry's name.
const ENTRY: &str = "\0flash";
/// How many messages wait at the most.
const MOST: usize = 16;

/// The messages of a session; made by [`Session::flash`].
///
/// ```
/// use sealed_session::{Session, session::SessionInsertError};
///
/// # async fn change(_: &str) -> bool { true }
/// async fn rename(session: &Session, name: &str) -> Result<(), SessionInsertError> {
///     match change(name).await {
///         true => session.flash().success("Your name was changed."),
///         false => session.flash().error("That name is taken."),
///     }
///     // and a redirect to a page that shows `session.flash().messages()`
/// }
/// ```
#[derive(Debug)]
pub struct Flash<'a>(&'a Session);

impl Session {
    /// Messages for the next page.
    pub fn flash(&self) -> Flash<'_> {
        Flash(self)
    }
}

impl Flash<'_> {
    /// Says that something was done.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn success(&self, text: impl Into<String>) -> Result<(), SessionInsertError> {
        self.push(FlashKind::Success, text)
    }

    /// Says that something is so.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn info(&self, text: impl Into<String>) -> Result<(), SessionInsertError> {
        self.push(FlashKind::Info, text)
    }

    /// Says that something may go wrong.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn warning(&self, text: impl Into<String>) -> Result<(), SessionInsertError> {
        self.push(FlashKind::Warning, text)
    }

    /// Says that something was not done.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn error(&self, text: impl Into<String>) -> Result<(), SessionInsertError> {
        self.push(FlashKind::Error, text)
    }

    /// Adds a message. Of more than 16 the oldest are dropped. Begins a session where there is none.
    ///
    /// # Errors
    /// When the session would not fit into its cookies ([`SessionInsertError::TooLarge`]) or cannot be written now.
    /// The messages are as before then.
    pub fn push(&self, kind: FlashKind, text: impl Into<String>) -> Result<(), SessionInsertError> {
        let message = FlashMessage::new(kind, text);
        self.0.with(|state| {
            let mut messages = waiting(state);
            messages.push(message);
            let oldest = messages.len().saturating_sub(MOST);
            let messages: Vec<_> = messages.drain(oldest..).map(stored).collect();
            let bytes = value::encode(&messages).map_err(|problem| SessionInsertError::Encode {
                key: ENTRY.to_owned(),
                problem: problem.to_string(),
            })?;
            state.insert(self.0.service(), ENTRY, &bytes)
        })
    }

    /// Takes all messages, the oldest first. Read again in the same request they are the same, and what was pushed
    /// since. They are taken from the session where it can be written, and shown once more where it cannot.
    pub fn messages(&self) -> Vec<FlashMessage> {
        self.0.look(|state| {
            let waiting = waiting(state);
            if state.writable().is_ok() && !waiting.is_empty() {
                state.change(|entries| entries.remove(ENTRY));
                state.shown.extend(waiting);
                return state.shown.clone();
            }
            state.shown.iter().cloned().chain(waiting).collect()
        })
    }

    /// Takes all messages, and returns those of one kind.
    pub fn by_kind(&self, kind: FlashKind) -> Vec<FlashMessage> {
        let mut messages = self.messages();
        messages.retain(|message| message.kind == kind);
        messages
    }

    /// Whether one of the messages is an error. Takes none.
    pub fn has_errors(&self) -> bool {
        let is_error = |message: &FlashMessage| message.kind == FlashKind::Error;
        self.0
            .look(|state| state.shown.iter().any(is_error) || waiting(state).iter().any(is_error))
    }
}

/// What nobody has taken yet. Whatever else stands in the entry is none.
fn waiting(state: &RequestState) -> Vec<FlashMessage> {
    let bytes = state.entries().and_then(|entries| entries.get(ENTRY));
    let stored: Option<Vec<(u8, String)>> = bytes.and_then(|bytes| value::decode(bytes).ok());
    let stored = stored.into_iter().flatten();
    stored
        .filter_map(|(kind, text)| {
            let kind = *FlashKind::ALL.get(usize::from(kind))?;
            Some(FlashMessage::new(kind, text))
        })
        .collect()
}

/// As it is kept: the kind is a byte.
fn stored(message: FlashMessage) -> (u8, String) {
    (message.kind as u8, message.text)
}
