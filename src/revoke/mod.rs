//! Revocation: which authentic cookies are dead all the same.
//!
//! A session travels in its cookie, so the servers cannot delete it. They remember what a cookie can
//! not say about itself: that its session was ended, or that its subject was logged out everywhere.
//! [`Revocation`] is one such fact; [`RevocationStore`] is the contract of whoever remembers them.

pub(crate) mod counter;
mod lattice;
pub(crate) mod list;
mod mending;
#[cfg(test)]
mod model;
mod outbox;
pub(crate) mod policy;
mod replica;
pub(crate) mod revoker;
mod store;
mod table;
mod vigil;
mod visitors;
pub(crate) mod witness;
mod worker;

pub use crate::id::{Generation, ParseIdError, RaiseId, Serial, SessionId, SubjectKey};
pub use lattice::{Revocation, SessionEntry, SubjectEntry, VISITOR_CAPACITY};
pub use policy::{OlderSessions, WhenStale};
pub use store::{
    Followed, Found, News, Position, Published, Raise, Raised, Reach, Reading, RevocationStore,
    SETTLING, SnapshotEnd, Target,
};
