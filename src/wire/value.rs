//! The application's own values: MessagePack with named fields, in serde's human-readable form.
//!
//! 1. It describes itself. postcard does not: what was written as `5u32` would read back as `-3i32`. A
//!    session outlives deployments, so its values must notice that a type has changed. Here a wrong type is
//!    an error, and a struct may gain fields that carry `#[serde(default)]`.
//! 2. Types with two forms, such as addresses and UUIDs, are written as text. serde's own buffers, behind
//!    `tag`, `untagged` and `flatten`, expect them so whatever the format says of itself.
//! 3. Strings are read as strings and bytes as bytes, and neither as the other.
//! 4. Nesting has one limit both ways, because each level takes some of the thread's stack: a value beyond
//!    it is an error, and not the end of the process. rmp-serde allows eight times as much, and counts
//!    nothing for enums and while it writes; so reading and writing are done here, and held against it by
//!    tests.
//! 5. No error says what a value is: it may be personal, and errors are logged.

mod read;
mod write;

use std::fmt::{self, Display};

use serde::de::{self, DeserializeOwned, Expected, Unexpected};
use serde::{Serialize, ser};

/// How many arrays and maps may stand in one another. An enum with data counts as the map that it is.
pub(crate) const MOST_LEVELS: u16 = 128;
/// How many options and newtypes may stand in one another. They add nothing to the bytes, and a type that
/// holds itself by them alone has no end.
const MOST_WRAPPERS: u16 = 512;
/// What reading one level can take: a struct of 32 fields takes a third of it where nothing is optimised. Writing
/// takes a few kilobytes.
const STACK_OF_A_LEVEL: usize = 128 << 10;

/// Why a value cannot be written, or not be read as a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("is nested more than {MOST_LEVELS} levels deep")]
    TooDeep,
    #[error("{0}")]
    Other(String),
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer = write::Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.into_bytes())
}

/// Reads a whole value: bytes that are left over are an error.
///
/// Its levels are counted first. What serde keeps for `tag`, `untagged` and `flatten` is read by code that
/// nobody here is asked by, level for level.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let read = || {
        let mut reader = read::Reader::new(bytes);
        let value = T::deserialize(&mut reader)?;
        if reader.is_done() {
            Ok(value)
        } else {
            Err(Error::other("bytes are left over"))
        }
    };
    match read::levels(bytes)? {
        0 => read(),
        levels => {
            let stack = STACK_OF_A_LEVEL * (1 + levels);
            stacker::maybe_grow(stack, stack, read)
        }
    }
}

/// Where a value is being written or read.
#[derive(Debug, Default)]
struct Depth {
    levels: u16,
    wrappers: u16,
}

impl Depth {
    /// Into an array or a map.
    fn enter(&mut self) -> Result<(), Error> {
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            return Err(Error::TooDeep);
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.levels -= 1;
    }

    /// Into an option or a newtype.
    fn enter_wrapper(&mut self) -> Result<(), Error> {
        self.wrappers += 1;
        if self.wrappers > MOST_WRAPPERS {
            return Err(Error::TooDeep);
        }
        Ok(())
    }

    fn leave_wrapper(&mut self) {
        self.wrappers -= 1;
    }
}

impl Error {
    fn other(problem: impl Into<String>) -> Self {
        Self::Other(problem.into())
    }

    fn expected(expected: &dyn Expected) -> Self {
        Self::Other(format!("holds something else, expected {expected}"))
    }
}

/// Of what the type says, which may not be written.
impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

/// What was expected, without what was found.
impl de::Error for Error {
    fn custom<T: Display>(_: T) -> Self {
        Self::other("cannot be read as this type")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&OneOf(expected).to_string().as_str())
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&OneOf(expected).to_string().as_str())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Other(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Other(format!("duplicate field `{field}`"))
    }
}

struct OneOf(&'static [&'static str]);

impl Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {:?}", self.0)
    }
}

#[cfg(test)]
mod tests;
