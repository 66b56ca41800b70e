//! The application's own values: MessagePack with named fields, in serde's human-readable form.
//!
//! 1. It describes itself. postcard does not: what was written as `5u32` would read back as `-3i32`. A
//!    session outlives deployments, so its values must notice that a type has changed. Here a wrong type is
//!    an error, and a struct may gain fields that carry `#[serde(default)]`.
//! 2. Types with two forms, such as addresses and UUIDs, are written as text. serde's own buffers, behind
//!    `tag`, `untagged` and `flatten`, expect them so whatever the format says of itself.
//! 3. Strings are read as strings and bytes as bytes, and neither as the other.
//! 4. Nesting has one limit both ways, because each level takes some of the thread's stack: a value beyond
//!    it is an error, and not the end of the process.
//! 5. No error says what a value is: it may be personal, and errors are logged.
//! 6. Reading and writing are done here, and compared with rmp-serde by tests: that reads bytes as strings
//!    and strings as bytes, writes `u128::MAX` as `-1i128`, bounds nothing while it writes, and its errors
//!    quote values.

mod error;
mod read;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use error::Error;

/// What reading one level can take: a struct of 32 fields takes a third of it where nothing is optimised. Writing
/// takes a few kilobytes.
const STACK_OF_A_LEVEL: usize = 128 << 10;

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer = write::ValueWriter::default();
    value.serialize(&mut writer)?;
    Ok(writer.into_bytes())
}

/// Reads a whole value: bytes that are left over are an error.
///
/// Its levels are counted first. What serde keeps for `tag`, `untagged` and `flatten` is read by code that
/// nobody here is asked by, level for level.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let read = || {
        let mut reader = read::ValueReader::new(bytes);
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

#[cfg(test)]
mod tests;
