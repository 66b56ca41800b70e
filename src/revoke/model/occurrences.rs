//! What must be reached, so that a run shows what it is named for.

use stateright::Property;

use super::config::{Bounds, Config};
use super::state::State;

/// All that the bounds allow has happened, a session has ended, and everything is quiet.
pub(super) const ALL_HAPPENED: &str = "everything that can happen happens";
/// A session was renewed, the browser has the new cookie, and the session was ended.
pub(super) const RENEWED_AND_ENDED: &str = "a session is renewed and ended";
pub(super) const REPEATED: &str = "a raise is repeated after a login, and recognised";
pub(super) const BLIND: &str = "a raise comes to a store and from a node that lost the last one";
pub(super) const WHOLE_AGAIN: &str = "a store that was lost is whole again";
pub(super) const GAVE_BACK: &str = "a store is given back what it lacks";
/// A node refuses a session that was ended, and it is only by the list's birth that it does.
pub(super) const UNVOUCHED: &str = "a node refuses what nobody remembers";
pub(super) const STALE: &str = "a node does not vouch because its list was stale";
pub(super) const LATE: &str = "a node does not vouch because it heard nothing for too long";
/// A session was ended and expired, and nobody remembers it.
pub(super) const FORGOTTEN: &str = "what has expired is forgotten everywhere";

pub(super) fn all() -> Vec<Property<Config>> {
    vec![
        Property::sometimes(ALL_HAPPENED, |config: &Config, state: &State| {
            state.left == Bounds::default() && is_over(config, state)
        }),
        Property::sometimes(RENEWED_AND_ENDED, |config: &Config, state: &State| {
            let mut sessions = state.sessions.iter();
            is_over(config, state)
                && sessions.any(|session| session.cookies > 1 && session.acknowledged.is_some())
        }),
        Property::sometimes(REPEATED, |config: &Config, state: &State| {
            state.seen.repeated && is_over(config, state)
        }),
        Property::sometimes(BLIND, |_, state: &State| state.seen.blind),
        Property::sometimes(WHOLE_AGAIN, |config: &Config, state: &State| {
            state.seen.vouched && state.seen.given_back && is_over(config, state)
        }),
        Property::sometimes(GAVE_BACK, |config: &Config, state: &State| {
            state.seen.given_back && is_over(config, state)
        }),
        Property::sometimes(UNVOUCHED, |config: &Config, state: &State| {
            state.cookies().any(|cookie| {
                let session = state.sessions[usize::from(cookie.0)];
                let by_birth = |(number, node)| {
                    let now = config.moment(state.now, number).wall;
                    state.answers(config, number, node)
                        && !state.is_revoked(config, &node.held, now, cookie)
                        && !state.takes(config, number, node, cookie)
                };
                session.acknowledged.is_some() && state.live().any(by_birth)
            })
        }),
        Property::sometimes(STALE, |_, state: &State| state.seen.stale),
        Property::sometimes(LATE, |_, state: &State| state.seen.late),
        Property::sometimes(FORGOTTEN, |config: &Config, state: &State| {
            is_over(config, state)
                && state.store.held.entries.is_empty()
                && state.live().all(|(_, node)| node.held.entries.is_empty())
        }),
    ]
}

/// Whether a session has ended and everything is quiet.
fn is_over(config: &Config, state: &State) -> bool {
    let mut sessions = state.sessions.iter();
    state.is_quiet(config) && sessions.any(|session| session.acknowledged.is_some())
}
