//! Revocation: which authentic cookies are dead all the same.

mod lattice;
mod store;

pub use lattice::{Revocation, SessionEntry, SubjectEntry, VISITOR_CAPACITY};
pub use store::{
    Followed, Position, Published, Raise, Raised, Reach, Reading, RevocationStore, SnapshotEnd,
    Target,
};
