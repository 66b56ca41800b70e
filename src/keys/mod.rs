//! Keys: which secrets there are, when each is used, and how they are read. Writing and planning key files
//! is another room's work.
//!
//! 1. A [`Secret`] is 32 random bytes. It is never used itself: everything is derived from it by
//!    HKDF-SHA256, each purpose under a label of its own ([`derive`]).
//! 2. A key's id is derived too, never numbered by hand. It stands in the token and picks exactly
//!    one key; no token is ever tried with several.
//! 3. A [`KeyRing`] says which key seals and which open at a given time. It is immutable: a changed
//!    key file makes a new ring.
//! 4. Keys that are gone leave their id behind, so that their tokens are known to be dead.
//!
//! Nothing here knows of cookies or tokens.

mod builder;
mod derive;
mod file;
mod problem;
mod ring;
mod secret;
mod source;
pub(crate) mod tables;
mod watch;
mod weak;
mod written;

pub use crate::ids::KeyId;
pub use crate::random::RandomError;
pub use crate::random::{Random, SystemRandom};
pub use builder::KeyRingBuilder;
#[cfg(feature = "redis")]
pub(crate) use file::read_password;
pub use ring::{Key, KeyRing};
pub use secret::Secret;
pub use source::KeySource;
pub use tables::KeyTables;

#[cfg(any(test, feature = "cli", feature = "testing"))]
pub(crate) use file::is_loose;
pub(crate) use problem::toml_problem;
pub(crate) use ring::KeyState;
pub(crate) use watch::KeyWatch;
#[cfg(any(test, feature = "testing"))]
pub(crate) use weak::published_bytes;
