//! The store of one process: everything but the bytes, for whichever journal keeps them.
//!
//! 1. The journal is opened when the store is first used: its records become the list. All `Sessions` on the store
//!    share that list, so a revocation by one holds for the others at once.
//! 2. Joining, handing out generations, how long entries are kept, how many of anonymous sessions, and when they are
//!    forgotten is decided here ([`state`]), for all journals.
//! 3. One thread calls the journal ([`writer`]), in frames ([`frame`]) of records ([`record`]).
//! 4. It is closed when the last of the store and its nodes is dropped, after the writes under way.

mod frame;
mod lazy;
mod node;
mod open;
mod record;
mod state;
mod store;
mod writer;

pub(crate) use lazy::Local;

#[cfg(test)]
mod tests;
