//! One entry of a session as a type of the application's.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::session::Session;
use crate::session::error::{NotWritable, SessionInsertError};

/// What a [`TypedSession`] holds, and the name of its entry. A session can hold several, each under a name of its own.
///
/// `#[serde(default)]` on the type lets fields be added to it later; fields that are gone are passed over.
pub trait SessionData: Serialize + DeserializeOwned + Default {
    /// The entry's name. Not empty, and not beginning with U+0000.
    const NAME: &'static str;
}

/// One entry of a session, read as `T`: the default where there is none. Changes count once they are saved.
///
/// It is one entry: a change of any field takes the mark of what is [from before the
/// login](Session::is_from_before_login) from all of them.
///
/// An entry that cannot be read as `T` any more is discarded, and the log names it
/// ([`Session::get_or_discard`]).
///
/// ```
/// use sealed_session::{Session, session::{SessionData, SessionInsertError, TypedSession}};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// #[serde(default)]
/// struct Cart {
///     items: Vec<u32>,
/// }
///
/// impl SessionData for Cart {
///     const NAME: &'static str = "cart";
/// }
///
/// fn add(session: &Session, item: u32) -> Result<usize, SessionInsertError> {
///     let mut cart = TypedSession::<Cart>::of(session);
///     cart.update(|cart| cart.items.push(item))?;
///     Ok(cart.data().items.len())
/// }
/// ```
///
/// As an argument of a handler of actix-web it is read from the request's session.
pub struct TypedSession<T: SessionData> {
    session: Session,
    /// Whose data it is.
    subject: Option<String>,
    data: T,
    is_changed: bool,
}

impl<T: SessionData> TypedSession<T> {
    /// The session's entry of this type.
    pub fn of(session: &Session) -> Self {
        Self {
            data: session.get_or_discard(T::NAME).unwrap_or_default(),
            subject: session.subject(),
            session: session.clone(),
            is_changed: false,
        }
    }

    /// What it holds.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// What it holds, to be changed, and [saved](Self::save) afterwards.
    pub fn data_mut(&mut self) -> &mut T {
        self.is_changed = true;
        &mut self.data
    }

    /// Writes what it holds into the session, over what anybody else wrote there since it was read.
    ///
    /// # Errors
    /// As [`Session::insert`], and [`NotWritable::EndedMeanwhile`] where another user has logged in since it was read, or
    /// this one out: one user's data do not go into another's session, so a typed session is taken after a login. The
    /// session is as before then.
    pub fn save(&mut self) -> Result<(), SessionInsertError> {
        // Whoever gets an error knows.
        self.is_changed = false;
        if self.subject.is_some() && self.subject != self.session.subject() {
            return Err(NotWritable::EndedMeanwhile.into());
        }
        self.session.insert(T::NAME, &self.data)
    }

    /// Reads the entry anew, unless a change is not saved yet; changes it, and saves it.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, SessionInsertError> {
        if !self.is_changed {
            self.data = self.session.get_or_discard(T::NAME).unwrap_or_default();
            self.subject = self.session.subject();
        }
        let outcome = change(&mut self.data);
        self.save()?;
        Ok(outcome)
    }

    /// Removes the entry, and holds the default from now on. Refused as [`Session::remove`].
    pub fn clear(&mut self) {
        self.session.remove(T::NAME);
        self.data = T::default();
        self.is_changed = false;
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// A change that nobody tried to save is lost, and the log says so.
impl<T: SessionData> Drop for TypedSession<T> {
    fn drop(&mut self) {
        if self.is_changed {
            tracing::warn!(entry = ?T::NAME, "a change to a typed session was not saved");
        }
    }
}

// Shows nothing of what the session holds.
redacted!(TypedSession<T: SessionData>: |it| name = T::NAME, is_changed = it.is_changed);
