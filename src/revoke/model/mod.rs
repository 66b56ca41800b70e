//! A model of the revocation protocol, checked in every state that its bounds allow.
//!
//! What can go wrong between nodes, a store and users is not one failure but the order of several. Here all
//! orders are tried, around the code that decides.
//!
//! **Modelled.** Users log in, renew, log out and log out everywhere, on any node. Requests to the store
//! are lost, lose their answers, overtake each other, come after their sender gave up, and are told again.
//! News and snapshots come late, in part or never. The store loses everything and begins anew; a copy that
//! lags takes its place; nodes are cut off and restart. Time goes on between any two steps. Lists are
//! swept.
//!
//! **Real** is what decides: the list and the lattice ([`list`](super::list), [`lattice`](super::lattice)),
//! the check ([`validity`](crate::session::validity)), the counter of generations ([`counter`](super::counter)), who may
//! vouch ([`witness`](super::witness)), the comparison with a snapshot and what is owed after it
//! ([`mending`](super::mending)), and the comparison of clocks. What waits for something
//! ([`replica`](super::replica), [`outbox`](super::outbox), [`revoker`](super::revoker)) is modelled step
//! by step: a function here says which one there it does the same as. The store is the model's own, written
//! after the contract; real ones are held to that by the conformance suite.
//!
//! **The properties** are described where they are ([`properties`]). What a handler was promised:
//!
//! 1. What was ended on a node is refused there at once; on every node that answers within `max_staleness`
//!    after the store took it; and on every node that lives in the end.
//! 2. A node that is not stale takes nothing again that it refused as revoked.
//! 3. A raise comes to more than any session from before has.
//! 4. Of a renewal and a logout, on whichever nodes, the logout wins.
//! 5. A session that nobody ended is not refused as revoked: so a repeated raise ends no later login.
//! 6. A store that lost everything is given it back by the nodes that were whole, vouches only for what it
//!    knows then, and nobody loses a session by it if one such node lived.
//! 7. A node that was stale, or that came too late, does not vouch.
//!
//! **Assumed** is what no node can find out by itself. [`broken`] shows each to be needed, with `strict`,
//! `slower` or `hidden`:
//!
//! 1. Where a copy that lags takes the store's place, one holder of each entry survives, a node or a
//!    request that is still told again; and what was ended is then refused everywhere in the end, not in
//!    time. (Where the store begins anew there is the list's birth besides, which refuses what nobody
//!    remembers.)
//! 2. Clocks of nodes and store are within the skew, and the clock of a store that begins anew is not
//!    behind the one before it.
//! 3. No node comes back within `max_outage` that had not heard yet what the store took last before it
//!    died, and was not stale. Such a node takes itself for whole, and vouches in good faith.
//! 4. A server that takes another's place breaks the connections of those who follow it.
//! 5. Who logs in at a store that has lost a subject's generation, before a node has given that back, may
//!    have to log in again.
//!
//! **Left out**: visitors, `Session::confirm`, the announcing of limits, batches, an operator's `reborn`,
//! what happens inside a server, and more than one subject. Also the time in which a store settles, and what
//! rests on it: that a node which was cut off waits (`Vouch::late`), that one which took a birth before then
//! does not vouch for it, and that a word in doubt is held back. Here a store has settled at once, so that
//! assumption 3 is needed more often than outside. `tests/fleet/attacks` and the tests of
//! [`witness`](super::witness) have these.
//!
//! **Bounds.** Two nodes (three in some optimised runs), up to two sessions, up to five ticks, and of each
//! thing that can happen as many as a run says ([`config::Bounds`]), mostly one or two; in a debug build
//! that is up to 90,000 states a run, in an optimised one two millions. A tick is as long as a list may be
//! old, or twice that, so that what a node may and may not trust both occur. Each run names what it has to
//! reach ([`occurrences`]): bounds too small for what a test is named for fail it.
//!
//! **Broken.** A property that holds says little if it would hold anyway. [`broken`] takes one mechanism
//! away at a time and wants a counterexample, in the same bounds in which the property holds with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod actions;
mod broken;
mod config;
mod effects;
mod faults;
mod following;
mod hash;
mod held;
mod judge;
mod node;
mod occurrences;
mod onlooker;
mod properties;
mod requests;
mod state;
mod store;
mod symmetry;
mod tests;
mod transport;
