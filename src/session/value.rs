//! One entry of a session, not decoded yet.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::session::error::{SessionGetError, SessionInsertError};
use crate::wire::value;

/// A value as it is stored: MessagePack, decoded when somebody asks for a type.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    key: String,
    bytes: Vec<u8>,
}

impl Value {
    pub(crate) fn new(key: &str, bytes: Vec<u8>) -> Self {
        Self {
            key: key.to_owned(),
            bytes,
        }
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// When it was written as something else.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, SessionGetError> {
        decoded(&self.key, &self.bytes)
    }

    /// The value's MessagePack.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether an entry of this name is the library's own, such as flash messages: the application neither
/// sets it nor finds it among its [`entries`](crate::Session::entries).
pub(super) fn is_reserved(key: &str) -> bool {
    key.starts_with('\0')
}

/// A name that is the application's to set.
pub(super) fn settable<K: AsRef<str>>(key: K) -> Result<K, SessionInsertError> {
    if is_reserved(key.as_ref()) {
        let key = key.as_ref().to_owned();
        return Err(SessionInsertError::ReservedName { key });
    }
    Ok(key)
}

/// Makes the bytes of an entry that the application sets.
pub(crate) fn encoded<T: Serialize + ?Sized>(
    key: &str,
    value: &T,
) -> Result<Vec<u8>, SessionInsertError> {
    let key = settable(key)?;
    let name = || key.to_owned();
    value::encode(value).map_err(|error| match error {
        value::Error::TooDeep => SessionInsertError::TooDeep { key: name() },
        value::Error::Other(problem) => SessionInsertError::Encode {
            key: name(),
            problem,
        },
    })
}

pub(super) fn decoded<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, SessionGetError> {
    value::decode(bytes).map_err(|error| SessionGetError {
        key: key.to_owned(),
        problem: error.to_string(),
    })
}

/// Tells the length and not the content, which may be personal.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?}, {} bytes)", self.key, self.bytes.len())
    }
}
