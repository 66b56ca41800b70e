//! Bytes only: how a token, a row and a value are laid out, and what the fields of a record are made of. Knows no cipher,
//! no key and no record.
//!
//! Where a comment says that something takes more instructions, `scripts/instructions` counted it with that code removed.

pub(crate) mod chunks;
pub(crate) mod envelope;
mod malformed;
mod padding;
pub(crate) mod pairs;
pub(crate) mod read;
pub(crate) mod row;
mod sizes;
pub(crate) mod value;
pub(crate) mod write;

pub(crate) use malformed::Malformed;
