//! The runs in which every property holds.

use std::time::Duration;

use stateright::{Checker, Model};

use super::{Bounds, Config, Without};
use crate::revoke::policy::Trust;

const SECOND: Duration = Duration::from_secs(1);
/// How many nodes there are in runs that would take minutes otherwise.
const NODES: u8 = if cfg!(debug_assertions) { 1 } else { 2 };
/// What optimised runs may do more often.
const MORE: u8 = if cfg!(debug_assertions) { 0 } else { 1 };

pub(super) fn config(bounds: Bounds) -> Config {
    Config {
        nodes: 2,
        ticks: 2,
        tick: 30 * SECOND,
        life: 3600 * SECOND,
        trust: Trust {
            max_staleness: 30 * SECOND,
            max_outage: 60 * SECOND,
        },
        anonymous_capacity: 10,
        bounds,
        without: Without::default(),
        only: None,
    }
}

/// Every property holds in every state, and all that the bounds allow is reached.
#[track_caller]
pub(super) fn holds(config: Config) {
    let checker = config.checker().spawn_dfs().join();
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

/// A user, somebody who ends the session, and what gets in the way.
fn one_logout(others: Bounds) -> Bounds {
    Bounds {
        logins: 1,
        logouts: 1,
        ..others
    }
}

#[test]
fn a_logout_reaches_everyone_whatever_is_lost_or_late() {
    let strays = Bounds {
        strays: 1 + MORE,
        ..Bounds::default()
    };
    let late = Bounds {
        late: 1,
        strays: MORE,
        ..Bounds::default()
    };
    for bounds in [strays, late] {
        holds(config(one_logout(bounds)));
    }
}

#[test]
fn a_logout_reaches_a_node_that_was_cut_off() {
    let bounds = Bounds {
        partitions: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1 + MORE,
        ..config(one_logout(bounds))
    });
}

#[test]
fn a_renewal_on_one_node_and_a_logout_on_another_end_in_a_logout() {
    let bounds = Bounds {
        renewals: 1,
        strays: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: MORE,
        ..config(one_logout(bounds))
    });
}

#[test]
fn a_raise_ends_what_came_before_and_nothing_else() {
    let bounds = Bounds {
        logins: 2,
        raises: 1 + MORE,
        strays: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: MORE,
        ..config(bounds)
    });
}

#[test]
fn logging_others_out_ends_them_and_nobody_else() {
    let bounds = Bounds {
        logins: 2,
        others: 1,
        strays: MORE,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        ..config(bounds)
    });
}

/// A store that loses everything after a logout.
pub(super) fn lost() -> Config {
    let bounds = Bounds {
        losses: 1,
        ..Bounds::default()
    };
    Config {
        nodes: NODES,
        ticks: 1 + MORE,
        ..config(one_logout(bounds))
    }
}

#[test]
fn a_store_that_lost_everything_gets_it_back_and_nobody_is_logged_out() {
    holds(lost());
    let bounds = Bounds {
        logins: 2,
        logouts: 1,
        ..lost().bounds
    };
    holds(Config {
        ticks: 1,
        bounds,
        ..lost()
    });
}

#[test]
fn a_store_that_loses_everything_twice_gets_it_back() {
    let bounds = Bounds {
        losses: 2,
        ..Bounds::default()
    };
    holds(Config {
        nodes: NODES,
        ticks: 2,
        ..config(one_logout(bounds))
    });
}

#[test]
fn a_node_that_dies_while_it_restores_and_one_that_starts_then_take_nothing_that_was_ended() {
    let bounds = Bounds {
        crashes: 1,
        ..lost().bounds
    };
    holds(Config {
        bounds,
        ticks: 1 + MORE,
        ..lost()
    });
}

#[test]
fn a_generation_that_was_lost_stays_above() {
    let bounds = Bounds {
        logins: 1 + MORE,
        raises: 2,
        losses: 1,
        ..Bounds::default()
    };
    holds(Config {
        nodes: NODES,
        ticks: 1,
        ..config(bounds)
    });
}

/// A store that loses everything, and nodes that were stale then, or come too late.
pub(super) fn away() -> Config {
    let bounds = Bounds {
        partitions: 1,
        losses: 1,
        ..Bounds::default()
    };
    let mut config = config(one_logout(bounds));
    config.nodes = NODES;
    config.trust.max_staleness = config.tick / 2;
    config.trust.max_outage = config.tick;
    config
}

#[test]
fn a_node_that_was_away_for_too_long_attests_nothing() {
    holds(Config {
        ticks: 1 + MORE,
        ..away()
    });
}

/// A copy that lags is promoted.
pub(super) fn failed_over() -> Config {
    let bounds = Bounds {
        copies: 1,
        failovers: 1,
        ..Bounds::default()
    };
    Config {
        nodes: NODES,
        ticks: 1,
        ..config(one_logout(bounds))
    }
}

#[test]
fn a_copy_that_lagged_gets_what_it_lacks() {
    holds(failed_over());
    let bounds = Bounds {
        logins: 2,
        logouts: 0,
        raises: 1,
        copies: 0,
        ..failed_over().bounds
    };
    holds(Config {
        bounds,
        ..failed_over()
    });
}

#[test]
fn a_node_that_starts_on_a_promoted_copy_takes_nothing_that_was_ended() {
    let bounds = Bounds {
        crashes: 1,
        copies: 0,
        ..failed_over().bounds
    };
    holds(Config {
        bounds,
        ..failed_over()
    });
}

/// A logout everywhere, a copy that does not know of it, and a logout everywhere else.
pub(super) fn others_after_a_failover() -> Config {
    let bounds = Bounds {
        logins: 1,
        raises: 1,
        others: 1,
        failovers: 1,
        ..Bounds::default()
    };
    Config {
        nodes: NODES,
        ticks: 1,
        ..config(bounds)
    }
}

#[test]
fn logging_others_out_after_a_failover_revives_nobody_and_ends_nobody_in_silence() {
    let bounds = Bounds {
        raises: MORE,
        ..others_after_a_failover().bounds
    };
    holds(Config {
        bounds,
        ..others_after_a_failover()
    });
}

/// Visitors who leave, one more than are remembered.
pub(super) fn visitors() -> Config {
    let bounds = Bounds {
        visits: 2,
        leaves: 2,
        ..Bounds::default()
    };
    Config {
        ticks: 1,
        anonymous_capacity: 1,
        ..config(bounds)
    }
}

#[test]
fn anonymous_sessions_that_ended_stay_ended_however_many_there_are() {
    holds(visitors());
    let bounds = Bounds {
        strays: 1,
        ..visitors().bounds
    };
    holds(Config {
        ticks: MORE,
        bounds,
        ..visitors()
    });
}

#[test]
fn anonymous_sessions_that_ended_stay_ended_when_the_store_is_lost() {
    let bounds = Bounds {
        visits: 1 + MORE,
        leaves: 1 + MORE,
        losses: 1,
        ..Bounds::default()
    };
    holds(Config {
        ticks: 1,
        bounds,
        ..visitors()
    });
}
