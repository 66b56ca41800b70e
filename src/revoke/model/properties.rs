//! What must hold in every state.

use stateright::Property;

use super::config::Config;
use super::held::Held;
use super::node::Node;
use super::state::State;
use crate::clock::UnixMillis;

/// A session that was ended is refused at once by the nodes that were asked to end it.
pub(super) const AT_ONCE: &str = "what was ended on a node is refused there";
/// A session whose end the store has taken is refused by every node that answers, `max_staleness` later.
///
/// Rests on: the store did not fail over to a copy that lagged; no node that missed the last words of a
/// store that was lost took itself for whole.
pub(super) const IN_TIME: &str = "what was acknowledged is refused everywhere in time";
/// Once everything is quiet, every node refuses what the store or a living node was told to end.
///
/// Rests on: one holder of the entry survived, where a copy took the store's place. (Where the store was
/// lost with all holders, its birth refuses the session.)
pub(super) const EVERYWHERE: &str = "what was ended is refused everywhere in the end";
/// A node that can be trusted does not take again what it refused as revoked.
pub(super) const NO_FORGETTING: &str = "no node forgets";
/// A generation that a raise is answered with is above that of every session from before the raise.
pub(super) const ABOVE: &str = "a raise is above every login before";
/// A session that was renewed and ended, on whichever nodes, ends.
pub(super) const LOGOUT_WINS: &str = "of a renewal and a logout the logout wins";
/// A session that nobody ended is never refused as revoked.
pub(super) const NOBODY_ELSE: &str = "nobody else is logged out";
/// A store that vouches for sessions refuses those that it, or one before it, had taken the end of.
///
/// Rests on the same as [`IN_TIME`].
pub(super) const HONEST: &str = "a store that vouches knows what was ended";
/// Once everything is quiet, a session that nobody ended is taken by every node if one was whole whenever
/// the store was lost, and came back to it in time.
pub(super) const ACCEPTED_AGAIN: &str = "nobody loses a session because the store lost its data";
/// Once everything is quiet, the store holds all that any node does.
pub(super) const GIVEN_BACK: &str = "the store is given everything back";
/// Once everything is quiet, every node holds all that the store does.
pub(super) const ALL_HEARD: &str = "every node has heard everything";
/// Who vouches for a store that was lost had been whole when it last heard of it, not too long ago.
pub(super) const NEVER_STALE: &str = "who was stale does not vouch";

pub(super) fn all() -> Vec<Property<Config>> {
    vec![
        Property::always(AT_ONCE, |config: &Config, state: &State| {
            every_cookie(state, |session, cookie| {
                let by = state.sessions[session].by;
                every_node(state, |number, node| {
                    by >> number & 1 == 0 || !state.takes(config, number, node, cookie)
                })
            })
        }),
        Property::always(IN_TIME, |config: &Config, state: &State| {
            if state.seen.failed_over || (state.seen.deaf_vouched && !config.strict) {
                return true;
            }
            every_cookie(state, |session, cookie| {
                let Some(when) = state.sessions[session].acknowledged else {
                    return true;
                };
                let since = config.tick * (state.now - when).into();
                since <= config.trust.max_staleness
                    || every_node(state, |number, node| {
                        !state.answers(config, number, node)
                            || !state.takes(config, number, node, cookie)
                    })
            })
        }),
        Property::always(EVERYWHERE, |config: &Config, state: &State| {
            !state.is_quiet(config) || every_cookie(state, |_, cookie| ends(config, state, cookie))
        }),
        Property::always(LOGOUT_WINS, |config: &Config, state: &State| {
            !state.is_quiet(config)
                || every_cookie(state, |session, cookie| {
                    state.sessions[session].asked == 0 || ends(config, state, cookie)
                })
        }),
        Property::always(NO_FORGETTING, |config: &Config, state: &State| {
            every_cookie(state, |session, cookie| {
                every_node(state, |number, node| {
                    let bit = u32::from(number) * 4 + cookie.1;
                    state.sessions[session].refused >> bit & 1 == 0
                        || !state.answers(config, number, node)
                        || !state.takes(config, number, node, cookie)
                })
            })
        }),
        Property::always(ABOVE, |_, state: &State| !state.seen.not_above),
        Property::always(NOBODY_ELSE, |config: &Config, state: &State| {
            every_cookie(state, |session, cookie| {
                !is_innocent(config, state, session, cookie.1)
                    || every_node(state, |number, node| {
                        let now = config.moment(state.now, number).wall;
                        !state.is_revoked(config, &node.held, now, cookie)
                    })
            })
        }),
        Property::always(HONEST, |config: &Config, state: &State| {
            if !state.seen.vouched || state.seen.deaf_vouched || state.seen.failed_over {
                return true;
            }
            every_cookie(state, |session, cookie| {
                let now = state.store_time(config);
                state.sessions[session].acknowledged.is_none()
                    || !state.counts(config, &state.store.held, now, cookie)
            })
        }),
        Property::always(ACCEPTED_AGAIN, |config: &Config, state: &State| {
            if !state.is_quiet(config) || !state.live().any(|(n, _)| state.seen.whole >> n & 1 == 1)
            {
                return true;
            }
            every_cookie(state, |session, cookie| {
                !is_innocent(config, state, session, cookie.1)
                    || every_node(state, |number, node| {
                        let now = config.moment(state.now, number).wall;
                        state.has_expired(config, now, cookie.0)
                            || state.takes(config, number, node, cookie)
                    })
            })
        }),
        Property::always(GIVEN_BACK, |config: &Config, state: &State| {
            // What has expired is not worth giving back.
            !state.is_quiet(config)
                || every_node(state, |number, node| {
                    let now = config.moment(state.now, number).wall;
                    let now = now.max(state.store_time(config));
                    holds_all(&state.store.held, &node.held, now)
                })
        }),
        Property::always(ALL_HEARD, |config: &Config, state: &State| {
            !state.is_quiet(config)
                || every_node(state, |number, node| {
                    let now = config.moment(state.now, number).wall;
                    let now = now.max(state.store_time(config));
                    holds_all(&node.held, &state.store.held, now)
                })
        }),
        Property::always(NEVER_STALE, |_, state: &State| !state.seen.stale_vouched),
    ]
}

/// Whether `one` holds what `other` does, of what has not expired.
fn holds_all(one: &Held, other: &Held, now: UnixMillis) -> bool {
    let mut entries = other.entries.iter();
    entries.all(|entry| entry.until() <= now || one.says(entry))
}

fn every_cookie(state: &State, holds: impl Fn(usize, (u8, u32)) -> bool) -> bool {
    state
        .cookies()
        .all(|cookie| holds(usize::from(cookie.0), cookie))
}

fn every_node(state: &State, holds: impl Fn(u8, &Node) -> bool) -> bool {
    state.live().all(|(number, node)| holds(number, node))
}

/// Whether a cookie is refused everywhere, if it has to be.
fn ends(config: &Config, state: &State, cookie: (u8, u32)) -> bool {
    let session = state.sessions[usize::from(cookie.0)];
    let was_told = session.acknowledged.is_some() || session.by != 0;
    !was_told
        || (session.forgotten && !config.strict)
        || every_node(state, |number, node| {
            !state.takes(config, number, node, cookie)
        })
}

/// Whether nobody ended the session, and this is its newest cookie.
fn is_innocent(config: &Config, state: &State, session: usize, serial: u32) -> bool {
    let session = state.sessions[session];
    !session.ended && serial >= session.asked && (config.strict || !session.early)
}
