//! What must hold in every state.

use stateright::Property;

use super::judge::{Cookie, Verdict};
use super::state::{Node, Session, State};
use super::{Bounds, Config, Limited, Without};
use crate::revoke::Revocation;

/// A session that was ended is refused at once by the nodes that were asked to end it.
pub(super) const AT_ONCE: &str = "what was ended on a node is refused there";
/// A session whose end the store has taken is refused by every node that answers, `max_staleness` later.
///
/// Rests on assumptions 1 and 2.
pub(super) const IN_TIME: &str = "what was acknowledged is refused everywhere in time";
/// Once everything is quiet, every node refuses what the store or a living node was told to end.
///
/// Rests on assumption 1. (Where the store was lost with all holders, its `complete_since` refuses the session.)
pub(super) const EVERYWHERE: &str = "what was ended is refused everywhere in the end";
/// A node that can be relied on does not take again what it refused as revoked.
pub(super) const NO_FORGETTING: &str = "no node forgets";
/// A generation that a raise is answered with is above that of every session from before the raise.
///
/// Rests on assumption 3.
pub(super) const ABOVE: &str = "a raise is above every login before";
/// A session that was renewed and ended, on whichever nodes, ends.
pub(super) const LOGOUT_WINS: &str = "of a renewal and a logout the logout wins";
/// A session that nobody ended is never refused as revoked.
///
/// Rests on assumption 4, and holds for sessions with a login.
pub(super) const NOBODY_ELSE: &str = "nobody else is logged out";
/// A store that says since when it knows of sessions knows of those whose end it, or one before it, has taken.
///
/// Rests on the same as [`IN_TIME`].
pub(super) const HONEST: &str = "a store that says it is complete knows what was ended";
/// Once everything is quiet and settled, a session that nobody ended is taken by every node, if a node lives that
/// held all that a lost store did, and knew it.
pub(super) const ACCEPTED_AGAIN: &str = "nobody loses a session because the store lost its data";
/// Once everything is quiet, the store holds all that any node does.
pub(super) const RESTORED: &str = "the store gets everything back";
/// Once everything is quiet, every node holds all that the store does.
pub(super) const ALL_HEARD: &str = "every node has heard everything";
/// A node that waits until a store has settled takes nothing meanwhile that began before it met the server and was
/// acknowledged as ended, also if the store and the node lack it. What began later it judges by its list.
pub(super) const WAITS: &str = "who waits takes nothing that was ended";

const ALL_HAPPENS: &str = "everything that can happen happens";

pub(super) fn all() -> Vec<Property<Config>> {
    vec![
        Property::always(AT_ONCE, |config: &Config, state: &State| {
            every_cookie(config, state, |session, number, verdict| {
                session.by >> number & 1 == 0 || !counts(verdict)
            })
        }),
        Property::always(IN_TIME, |config: &Config, state: &State| {
            if state.seen.failed_over || is_deaf(config, state) {
                return true;
            }
            every_cookie(config, state, |session, _, verdict| {
                session.acknowledged.is_none_or(|when| {
                    let since = config.tick * (state.now - when).into();
                    since <= config.trust.max_staleness || !counts(verdict)
                })
            })
        }),
        Property::always(EVERYWHERE, |config: &Config, state: &State| {
            !state.is_quiet(config) || every_cookie(config, state, |it, _, v| ends(config, it, v))
        }),
        Property::always(LOGOUT_WINS, |config: &Config, state: &State| {
            !state.is_quiet(config)
                || every_cookie(config, state, |session, _, verdict| {
                    session.asked == 0 || ends(config, session, verdict)
                })
        }),
        Property::always(NO_FORGETTING, |config: &Config, state: &State| {
            every(config, state, |(session, serial), number, _, verdict| {
                let bit = 2 * u32::from(number) + serial;
                state.sessions[session].refused >> bit & 1 == 0 || !counts(verdict)
            })
        }),
        Property::always(ABOVE, |_, state: &State| !state.seen.not_above),
        Property::always(NOBODY_ELSE, |config: &Config, state: &State| {
            every(config, state, |cookie, _, node, _| {
                !is_innocent(config, state, cookie) || !state.is_revoked(config, node, cookie)
            })
        }),
        Property::always(HONEST, |config: &Config, state: &State| {
            if !state.seen.attested || state.seen.failed_over || is_deaf(config, state) {
                return true;
            }
            state.cookies().all(|cookie| {
                state.sessions[cookie.0].acknowledged.is_none()
                    || !counts(state.stores_verdict(config, cookie))
            })
        }),
        Property::always(ACCEPTED_AGAIN, |config: &Config, state: &State| {
            let is_whole =
                |(_, node): (u8, &Node)| node.was_whole && !node.was_stale && node.core.is_sure();
            if !is_settled(config, state) || !state.live().any(is_whole) {
                return true;
            }
            every(config, state, |cookie, _, _, verdict| {
                !is_innocent(config, state, cookie) || counts(verdict)
            })
        }),
        Property::always(RESTORED, |config: &Config, state: &State| {
            let stored = state.store_entries();
            !state.is_quiet(config)
                || state
                    .live()
                    .all(|(_, node)| holds_all(&stored, &node.core.entries()))
        }),
        Property::always(ALL_HEARD, |config: &Config, state: &State| {
            let stored = state.store_entries();
            !state.is_quiet(config)
                || state
                    .live()
                    .all(|(_, node)| holds_all(&node.core.entries(), &stored))
        }),
        Property::always(WAITS, |config: &Config, state: &State| {
            every(config, state, |(session, _), _, node, verdict| {
                let session = state.sessions[session];
                let completeness = node.core.completeness();
                let began = session.login.map_or(session.created, |(_, at)| at);
                let waits = completeness.waits && began <= completeness.met;
                session.acknowledged.is_none() || !waits || !counts(verdict)
            })
        }),
    ]
}

/// All that the bounds allow has happened, and everything is quiet again.
pub(super) fn all_happens() -> Property<Config> {
    Property::sometimes(ALL_HAPPENS, |config: &Config, state: &State| {
        let can = |what| config.bounds.left(what) > 0;
        state.left == Bounds::default()
            && state.is_quiet(config)
            && (!(can(Limited::Losses) || can(Limited::Failovers))
                || !(can(Limited::Logouts) || can(Limited::Raises))
                || state.seen.restored
                || state.seen.attested)
    })
}

fn counts(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Counts(_))
}

/// Whether what assumption 2 excludes has happened.
fn is_deaf(config: &Config, state: &State) -> bool {
    state.seen.was_deaf && !config.lacks(Without::Company)
}

/// Whether the store has settled, and every node has heard what was attested to it.
fn is_settled(config: &Config, state: &State) -> bool {
    let mut server = state.server.clone();
    let told = server.state(state.server_call(config));
    let has_heard = |(_, node): (u8, &Node)| {
        !node.core.completeness().waits && node.core.store_since() == told.complete_since
    };
    told.settling.is_zero() && state.is_quiet(config) && state.live().all(has_heard)
}

/// Whether `one` holds what `other` does. An anonymous session's end need not be kept where `since` ends it.
pub(super) fn holds_all(one: &[Revocation], other: &[Revocation]) -> bool {
    let since = one.iter().find_map(|it| match it {
        Revocation::Anonymous { since } => Some(*since),
        _ => None,
    });
    other.iter().all(|theirs| {
        let is_refused = matches!(
            theirs, Revocation::AnonymousSession { created, .. } if Some(*created) <= since
        );
        is_refused || covers(one, theirs)
    })
}

/// Whether one of these says all that `it` does.
pub(super) fn covers(these: &[Revocation], it: &Revocation) -> bool {
    let mut these = these.iter();
    these.any(|ours| ours.key() == it.key() && ours.covers(it))
}

fn every(
    config: &Config,
    state: &State,
    holds: impl Fn(Cookie, u8, &Node, Verdict) -> bool,
) -> bool {
    state.cookies().all(|cookie| {
        state
            .live()
            .all(|(number, node)| holds(cookie, number, node, state.verdict(config, node, cookie)))
    })
}

fn every_cookie(
    config: &Config,
    state: &State,
    holds: impl Fn(Session, u8, Verdict) -> bool,
) -> bool {
    every(config, state, |cookie, number, _, verdict| {
        holds(state.sessions[cookie.0], number, verdict)
    })
}

/// Whether a cookie is refused, if it has to be.
fn ends(config: &Config, session: Session, verdict: Verdict) -> bool {
    let was_told = session.acknowledged.is_some() || session.by != 0;
    let is_excused = session.is_forgotten && !config.lacks(Without::Holders);
    !was_told || is_excused || !counts(verdict)
}

/// Whether nobody ended the session, somebody logged in to it, and this is its newest cookie.
fn is_innocent(config: &Config, state: &State, (session, serial): Cookie) -> bool {
    let session = state.sessions[session];
    let is_early = session.is_early && !config.lacks(Without::Patience);
    session.login.is_some() && !session.is_ended && serial >= session.asked && !is_early
}
