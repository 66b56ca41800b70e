//! Bytes only: how a token, a record and a value are laid out. Knows no cipher and no key.
//!
//! Where a comment says that something takes more instructions, `scripts/instructions` counted it with that code removed.

pub(crate) mod chunks;
pub(crate) mod envelope;
pub(crate) mod layout;
mod malformed;
mod padding;
pub(crate) mod pairs;
pub(crate) mod read;
pub(crate) mod row;
mod sizes;
pub(crate) mod value;
pub(crate) mod write;

pub(crate) use malformed::Malformed;
