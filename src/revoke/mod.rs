//! Revocation: which authentic cookies are dead.
//!
//! A session travels in its cookie, so the servers cannot delete it. They remember what a cookie cannot
//! say about itself: that its session was ended, or that its subject was logged out everywhere.
//! [`Revocation`] is one such fact. Who remembers them keeps a contract: [`Journal`] for a store of one
//! process, [`ReplicatedLog`] for one that nodes share.

pub(crate) mod anonymous;
mod answers;
pub(crate) mod bell;
pub(crate) mod completeness;
mod generation;
mod journal;
pub(crate) mod list;
mod log;
pub(crate) mod node;
pub(crate) mod policy;
mod revocation;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod sample;
pub(crate) mod store;
mod table;
pub(crate) mod worker;

pub use crate::ids::{Generation, ParseIdError, RaiseId, Serial, SessionId, SubjectKey};
pub use answers::{
    ANONYMOUS_CAPACITY, Announcement, Cursor, Delta, Followed, Found, Incarnation, LogState,
    Published, Purpose, Raise, Raised, Reading, Receipt, SETTLING, SnapshotEnd, Target,
};
pub use journal::Journal;
pub use log::ReplicatedLog;
pub use policy::{OlderSessions, WhenStale};
pub(crate) use revocation::EntryKey;
pub use revocation::{Revocation, SessionEntry, Spared, SubjectEntry};
pub use store::{Contents, Store};
