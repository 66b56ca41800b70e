//! The runs in which every property holds.

use std::time::Duration;

use stateright::{Checker, Model};

use super::config::{Bounds, Config, Mechanisms};
use super::occurrences::{
    ALL_HAPPENED, BLIND, FORGOTTEN, GAVE_BACK, LATE, RENEWED_AND_ENDED, REPEATED, STALE, UNVOUCHED,
    WHOLE_AGAIN,
};
use super::symmetry::{is_symmetric, representative};
use crate::revoke::witness::Trust;

const SECOND: Duration = Duration::from_secs(1);
/// What optimised runs may do more often.
const MORE: u8 = if cfg!(debug_assertions) { 0 } else { 1 };

pub(super) fn config(bounds: Bounds) -> Config {
    Config {
        nodes: 2,
        ticks: 2,
        tick: 10 * SECOND,
        life: 3600 * SECOND,
        trust: Trust {
            max_staleness: 10 * SECOND,
            max_outage: 20 * SECOND,
        },
        ahead: [0; 3],
        slower: Duration::ZERO,
        everyone: false,
        hidden: false,
        strict: false,
        reaches: &[ALL_HAPPENED],
        only: None,
        bounds,
        mechanisms: Mechanisms::default(),
    }
}

/// Every property holds in every state, and what has to be reachable is reached.
#[track_caller]
pub(super) fn holds(config: Config) {
    let symmetric = is_symmetric(&config);
    let builder = config.checker();
    let builder = if symmetric {
        builder.symmetry_fn(representative)
    } else {
        builder
    };
    let checker = builder.spawn_dfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
}

/// A shortest way to a state in which `property` does not hold, if there is one.
pub(super) fn counterexample(mut config: Config, property: &'static str) -> Option<String> {
    config.only = Some(property);
    let checker = config.checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let path = checker.discovery(property)?;
    Some(format!("{:?}", path.into_actions()))
}

#[test]
fn a_logout_reaches_everyone_whatever_is_lost_or_late() {
    holds(config(Bounds {
        logins: 1,
        logouts: 1,
        strays: 1 + MORE,
        late: 1,
        partitions: 1,
        ..Bounds::default()
    }));
}

#[test]
fn a_renewal_on_one_node_and_a_logout_on_another_end_in_a_logout() {
    for (renewals, strays) in [(2, MORE), (1, 1 + MORE)] {
        let bounds = Bounds {
            logins: 1,
            renewals,
            logouts: 1,
            strays,
            ..Bounds::default()
        };
        holds(Config {
            ticks: 1,
            reaches: &[ALL_HAPPENED, RENEWED_AND_ENDED],
            ..config(bounds)
        });
    }
}

#[test]
fn a_raise_ends_what_came_before_and_nothing_else() {
    let bounds = Bounds {
        logins: 2,
        raises: 2,
        strays: 2,
        ..Bounds::default()
    };
    for everyone in [false, true] {
        holds(Config {
            ticks: MORE,
            everyone,
            reaches: &[ALL_HAPPENED, REPEATED],
            ..config(bounds)
        });
    }
}

#[test]
fn a_store_that_lost_everything_is_given_it_back_and_nobody_else_is_logged_out() {
    let bounds = Bounds {
        logins: 2,
        logouts: 1,
        losses: 1,
        resyncs: MORE,
        strays: MORE,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        reaches: &[ALL_HAPPENED, WHOLE_AGAIN],
        ..config(bounds)
    });
}

#[test]
fn a_store_that_loses_everything_twice_is_given_it_back() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 2,
        ..Bounds::default()
    };
    // Where it can be noticed that there was one in between, and in optimised runs where it cannot.
    for hidden in [true, false].into_iter().take(1 + usize::from(MORE)) {
        holds(Config {
            hidden,
            reaches: &[ALL_HAPPENED, WHOLE_AGAIN],
            ..config(bounds)
        });
    }
}

#[test]
fn a_counter_that_was_lost_stays_above() {
    let bounds = Bounds {
        logins: 1 + MORE,
        raises: 2,
        losses: 1,
        restarts: MORE,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        reaches: &[ALL_HAPPENED, BLIND],
        ..config(bounds)
    });
}

#[test]
fn nodes_that_restart_while_the_store_is_lost_take_nothing_that_was_revoked() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 1,
        restarts: 2,
        ..Bounds::default()
    };
    holds(Config {
        nodes: 2 + MORE,
        ticks: 1,
        reaches: &[ALL_HAPPENED, UNVOUCHED],
        ..config(bounds)
    });
}

/// A store that loses everything, and nodes that can be stale then, or come too late.
pub(super) fn away() -> Config {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 1,
        late: 1,
        ..Bounds::default()
    };
    let mut config = config(bounds);
    config.trust.max_staleness = config.tick / 2;
    config.trust.max_outage = config.tick;
    config
}

#[test]
fn a_node_that_was_away_for_too_long_does_not_vouch() {
    holds(Config {
        reaches: &[ALL_HAPPENED, STALE, LATE],
        ..away()
    });
}

#[test]
fn a_copy_that_lagged_is_given_what_it_lacks() {
    let bounds = Bounds {
        logins: 1 + MORE,
        logouts: 2,
        copies: 1,
        failovers: 1,
        restarts: MORE,
        ..Bounds::default()
    };
    let raised = Bounds {
        logins: 2,
        logouts: 0,
        raises: 1,
        strays: 1,
        ..bounds
    };
    for bounds in [bounds, raised] {
        holds(Config {
            ticks: 1 + MORE,
            reaches: &[ALL_HAPPENED, GAVE_BACK],
            ..config(bounds)
        });
    }
}

#[test]
fn nothing_is_swept_while_a_cookie_could_live_by_any_clock() {
    for raises in [0, 1] {
        let bounds = Bounds {
            logins: 1,
            logouts: 1 - raises,
            raises,
            sweeps: 3,
            ..Bounds::default()
        };
        let mut config = config(bounds);
        config.tick = 30 * SECOND;
        config.life = 30 * SECOND;
        config.trust.max_staleness = 30 * SECOND;
        config.ticks = 5;
        config.ahead = [59_000, -59_000, 0];
        config.reaches = &[FORGOTTEN];
        holds(config);
    }
}
