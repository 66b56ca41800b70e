//! The runs in which every property holds.

use std::time::Duration;

use stateright::{Checker, Model};

use super::Limited::*;
use super::{Bounds, Config};
use crate::revoke::policy::Trust;

const SECOND: Duration = Duration::from_secs(1);
/// How many nodes there are in runs that would take minutes otherwise.
const NODES: u8 = if cfg!(debug_assertions) { 1 } else { 2 };
/// What optimised runs may do more often. Each takes less than three minutes and a tenth of a gigabyte.
const MORE: u8 = if cfg!(debug_assertions) { 0 } else { 1 };

/// Two nodes and a store, and nothing that happens.
pub(super) fn quiet() -> Config {
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
        bounds: Bounds::default(),
        failed_over: false,
        without: &[],
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

/// A user, and somebody who ends the session.
pub(super) fn one_logout() -> Config {
    quiet().with([(Logins, 1), (Logouts, 1)])
}

#[test]
fn a_logout_reaches_everyone_whatever_is_lost_or_late() {
    holds(one_logout().with([(Strays, 1 + MORE)]));
    holds(one_logout().with([(Late, 1), (Strays, MORE)]));
}

#[test]
fn a_logout_reaches_a_node_that_was_cut_off() {
    holds(one_logout().with([(Partitions, 1)]).ticks(1 + MORE));
}

#[test]
fn a_renewal_on_one_node_and_a_logout_on_another_end_in_a_logout() {
    holds(one_logout().with([(Renewals, 1), (Strays, 1)]).ticks(MORE));
}

#[test]
fn a_raise_ends_what_came_before_and_nothing_else() {
    let bounds = [(Logins, 2), (Raises, 1 + MORE), (Strays, 1)];
    holds(quiet().with(bounds).ticks(0));
}

#[test]
fn logging_others_out_ends_them_and_nobody_else() {
    let bounds = [(Logins, 2), (Others, 1), (Strays, MORE)];
    holds(quiet().with(bounds).ticks(1));
}

/// A store that loses everything after a logout.
pub(super) fn lost() -> Config {
    let config = one_logout().with([(Losses, 1)]);
    config.nodes(NODES).ticks(1 + MORE)
}

#[test]
fn a_store_that_lost_everything_gets_it_back_and_nobody_is_logged_out() {
    holds(lost());
    holds(lost().with([(Logins, 2)]).ticks(1));
}

#[test]
fn a_store_that_loses_everything_twice_gets_it_back() {
    let bounds = [(Losses, 2), (Strays, MORE)];
    holds(lost().with(bounds).nodes(1).ticks(2));
}

#[test]
fn a_node_that_dies_while_it_restores_and_one_that_starts_then_take_nothing_that_was_ended() {
    holds(lost().with([(Crashes, 1)]).ticks(1));
}

#[test]
fn a_generation_that_was_lost_stays_above() {
    let bounds = [(Logins, 1 + MORE), (Raises, 2), (Losses, 1)];
    holds(quiet().with(bounds).nodes(1).ticks(1));
}

/// A store that loses everything, and nodes that were stale then, or come too late.
pub(super) fn away() -> Config {
    let mut config = lost().with([(Partitions, 1)]).ticks(2);
    config.trust.max_staleness = config.tick / 2;
    config.trust.max_outage = config.tick;
    config
}

#[test]
fn a_node_that_was_away_for_too_long_attests_nothing() {
    holds(away().nodes(1).ticks(1 + MORE));
}

/// A copy that lags is promoted.
pub(super) fn failed_over() -> Config {
    let config = one_logout().with([(Copies, 1), (Failovers, 1)]);
    config.nodes(NODES).ticks(1)
}

#[test]
fn a_copy_that_lagged_gets_what_it_lacks() {
    holds(failed_over());
    let bounds = [(Logins, 2), (Logouts, 0), (Raises, 1), (Copies, 0)];
    holds(failed_over().with(bounds));
}

#[test]
fn a_node_that_starts_on_a_promoted_copy_takes_nothing_that_was_ended() {
    holds(failed_over().with([(Crashes, 1), (Copies, 0)]));
}

/// A logout everywhere, a copy that does not know of it, and a logout everywhere else.
pub(super) fn others_after_a_failover() -> Config {
    let bounds = [(Logins, 1), (Raises, 1), (Others, 1), (Failovers, 1)];
    quiet().with(bounds).nodes(NODES).ticks(1)
}

#[test]
fn logging_others_out_after_a_failover_revives_nobody_and_ends_nobody_in_silence() {
    holds(others_after_a_failover().with([(Raises, MORE)]));
}

#[test]
fn logging_others_out_after_a_loss_revives_nobody_and_ends_nobody_in_silence() {
    let bounds = [(Failovers, 0), (Losses, 1)];
    holds(others_after_a_failover().with(bounds).nodes(1));
}

/// Anonymous sessions that end, one more than are remembered.
pub(super) fn anonymous() -> Config {
    let config = quiet().with([(Visits, 2), (Leaves, 2)]).ticks(1);
    Config {
        anonymous_capacity: 1,
        ..config
    }
}

#[test]
fn anonymous_sessions_that_ended_stay_ended_however_many_there_are() {
    holds(anonymous());
    holds(anonymous().with([(Strays, 1)]).ticks(MORE));
}

#[test]
fn anonymous_sessions_that_ended_stay_ended_when_the_store_is_lost() {
    let bounds = [(Visits, 1 + MORE), (Leaves, 1), (Losses, 1)];
    holds(anonymous().with(bounds));
    holds(anonymous().with([(Losses, 1)]).nodes(1));
}

/// Nobody is left who held the end.
#[test]
fn nodes_that_all_start_again_while_the_store_is_lost_take_nothing_that_was_ended() {
    holds(lost().with([(Crashes, 2)]).ticks(1));
}

/// It takes two ticks: a list may be as old as one.
#[test]
fn a_node_that_starts_on_a_store_that_was_lost_takes_nothing_that_was_ended_long_before() {
    holds(lost().with([(Crashes, 1)]).nodes(1).ticks(2));
}
