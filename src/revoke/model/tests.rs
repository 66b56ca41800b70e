//! The runs in which every property holds.

use std::time::Duration;

use stateright::{Checker, Model};

use super::config::{Bounds, Config, Mechanisms};
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
        only: None,
        bounds,
        mechanisms: Mechanisms::default(),
    }
}

/// Every property holds in every state, and what has to be reachable is reached.
fn holds(config: Config) {
    let checker = config.checker().spawn_dfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
}

/// A state in which `property` does not hold, if there is one.
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
        strays: 2 + MORE,
        late: 1,
        partitions: 1,
        ..Bounds::default()
    }));
}

#[test]
fn a_renewal_on_one_node_and_a_logout_on_another_end_in_a_logout() {
    let bounds = Bounds {
        logins: 1,
        renewals: 2,
        logouts: 1,
        strays: 1 + MORE,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        ..config(bounds)
    });
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
            ticks: 1,
            everyone,
            ..config(bounds)
        });
    }
}

#[test]
fn a_store_that_lost_everything_is_given_it_back_and_nobody_else_is_logged_out() {
    holds(config(Bounds {
        logins: 2,
        logouts: 1,
        losses: 1,
        strays: MORE,
        ..Bounds::default()
    }));
}

#[test]
fn a_store_that_loses_everything_twice_is_given_it_back() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 2,
        ..Bounds::default()
    };
    for hidden in [false, true] {
        holds(Config {
            hidden,
            ..config(bounds)
        });
    }
}

#[test]
fn a_counter_that_was_lost_stays_above() {
    let bounds = Bounds {
        logins: 2,
        raises: 1 + MORE,
        losses: 1,
        restarts: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        ..config(bounds)
    });
}

#[test]
fn nodes_that_restart_while_the_store_is_lost_take_nothing_that_was_revoked() {
    let mut bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 1,
        restarts: 1,
        strays: 1,
        ..Bounds::default()
    };
    let two = config(bounds);
    holds(Config { ticks: 1, ..two });
    bounds.strays = 0;
    let three = config(bounds);
    holds(Config {
        nodes: 2 + MORE,
        ..three
    });
}

#[test]
fn a_node_that_was_away_for_too_long_does_not_vouch() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        losses: 1,
        parts: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 4,
        ..config(bounds)
    });
}

#[test]
fn a_copy_that_lagged_is_given_what_it_lacks() {
    holds(config(Bounds {
        logins: 2,
        logouts: 1,
        raises: 1,
        copies: 1,
        failovers: 1,
        restarts: MORE,
        ..Bounds::default()
    }));
}

#[test]
fn nothing_is_swept_while_a_cookie_could_live_by_any_clock() {
    for (ahead, raises) in [(59_000, 0), (-59_000, 0), (59_000, 1), (-59_000, 1)] {
        let bounds = Bounds {
            logins: 1,
            logouts: 1 - raises,
            raises,
            sweeps: 2,
            ..Bounds::default()
        };
        let mut config = config(bounds);
        config.tick = 30 * SECOND;
        config.life = 30 * SECOND;
        config.trust.max_staleness = 30 * SECOND;
        config.ticks = 5;
        config.ahead = [ahead, -ahead, 0];
        holds(config);
    }
}
