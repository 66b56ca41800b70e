//! One entry of a session, not decoded yet.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::session::error::SessionGetError;
use crate::wire::entries::Entry;
use crate::wire::value;

/// A value as it is stored: MessagePack, decoded when somebody asks for a type.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    key: String,
    bytes: Vec<u8>,
}

impl Value {
    pub(crate) fn of(entry: &Entry<'_>) -> Self {
        Self::new(entry.name(), entry.value.to_vec())
    }

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
        value::decode(&self.bytes).map_err(|problem| SessionGetError {
            key: self.key.clone(),
            problem,
        })
    }

    /// The value's MessagePack.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Tells the length and not the content, which may be personal.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?}, {} bytes)", self.key, self.bytes.len())
    }
}
