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

mod error;
mod id;
pub mod key;
mod random;
pub mod revoke;
pub mod store;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod time;

pub use error::{ConfigError, RandomError, Rejected, StoreError};
pub use id::{Generation, KeyId, RaiseId, Serial, SessionId, SubjectKey};
pub use key::{Key, KeyRing, KeySource, KeyTables, Secret};
pub use random::{Random, SystemRandom};
pub use time::{Clock, SystemClock, UnixMillis};
