//! Encrypted client-side cookie sessions with revocation.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub mod actix;
mod config;
mod cookie;
mod error;
mod flow;
mod id;
pub mod key;
mod lifetime;
mod random;
pub mod revoke;
mod seal;
mod session;
pub mod store;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod time;
mod wire;

pub use config::SessionConfig;
pub use cookie::{CookieSettings, SameSite};
pub use error::{ConfigError, RandomError, Rejected, StoreError};
pub use flow::{
    CommitError, Health, Inspected, Loaded, Outcome, Policy, Sessions, SessionsBuilder, Ticket,
    Unavailable, inspect,
};
pub use id::{Generation, KeyId, RaiseId, Serial, SessionId, SubjectKey};
pub use key::{Key, KeyRing, KeySource, KeyTables, Secret};
pub use lifetime::{Class, LONGEST, Lifetimes, Limits};
pub use random::{Random, SystemRandom};
pub use session::{
    Login, LoginError, LogoutError, NotWritable, Session, SessionGetError, SessionInsertError,
    SessionStatus, SessionUpdateError, Value,
};
pub use time::{Clock, SystemClock, UnixMillis};
pub use wire::chunks::{MAX_CHUNKS, MAX_COOKIE, TooLarge};
