//! What happens without one of the mechanisms, or without what a property rests on: the properties notice.

use std::time::Duration;

use super::config::{Bounds, Config, Mechanisms};
use super::properties::{
    ABOVE, ACCEPTED_AGAIN, ALL_HEARD, AT_ONCE, EVERYWHERE, GIVEN_BACK, HONEST, IN_TIME,
    LOGOUT_WINS, NEVER_STALE, NO_FORGETTING, NOBODY_ELSE,
};
use super::tests::{away, config, counterexample, holds};

/// The property holds, and does no more when `break_it` has changed something.
#[track_caller]
fn rests(property: &'static str, config: Config, break_it: impl FnOnce(&mut Config)) {
    let mut broken = config.clone();
    break_it(&mut broken);
    let found = counterexample(broken, property);
    println!("{}", found.expect("nothing shows that it was broken"));
    let only = Some(property);
    holds(Config { only, ..config });
}

#[track_caller]
fn needs(property: &'static str, config: Config, break_it: impl FnOnce(&mut Mechanisms)) {
    rests(property, config, |config| break_it(&mut config.mechanisms));
}

/// A store that loses everything after a logout.
fn lost() -> Config {
    config(Bounds {
        logins: 1,
        logouts: 1,
        losses: 1,
        ..Bounds::default()
    })
}

fn raised(strays: u8) -> Config {
    let bounds = Bounds {
        logins: 2,
        raises: 1,
        strays,
        ..Bounds::default()
    };
    Config {
        ticks: 0,
        ..config(bounds)
    }
}

/// A counter that is lost together with everyone who knew it.
fn counter_lost() -> Config {
    let bounds = Bounds {
        logins: 2,
        raises: 2,
        losses: 1,
        restarts: 1,
        ..Bounds::default()
    };
    Config {
        nodes: 1,
        ticks: 1,
        ..config(bounds)
    }
}

/// A copy that lags takes the store's place.
fn failed_over() -> Config {
    let bounds = Bounds {
        logins: 2,
        logouts: 2,
        failovers: 1,
        ..Bounds::default()
    };
    Config {
        ticks: 1,
        ..config(bounds)
    }
}

#[test]
fn without_giving_back_a_store_vouches_for_what_it_does_not_know() {
    needs(HONEST, lost(), |without| without.giving_back = false);
}

#[test]
fn if_nobody_vouches_a_store_that_was_lost_logs_everyone_out() {
    needs(ACCEPTED_AGAIN, lost(), |without| without.vouching = false);
}

#[test]
fn vouching_before_giving_back_is_vouching_for_what_is_not_known() {
    needs(HONEST, lost(), |without| without.vouching_last = false);
}

#[test]
fn without_a_birth_a_node_that_starts_takes_what_was_revoked() {
    let mut config = lost();
    config.nodes = 1;
    config.bounds.restarts = 1;
    needs(IN_TIME, config, |without| without.birth = false);
}

#[test]
fn a_node_that_was_stale_and_vouches_takes_what_was_revoked() {
    let mut config = away();
    config.bounds.late = 0;
    needs(IN_TIME, config.clone(), |without| {
        without.honest_witness = false;
    });
    config.mechanisms.honest_witness = false;
    assert_ne!(counterexample(config, NEVER_STALE), None);
}

#[test]
fn a_snapshot_that_is_not_joined_makes_a_node_forget() {
    needs(NO_FORGETTING, lost(), |without| without.joining = false);
}

#[test]
fn another_history_of_the_same_length_is_missed_if_nothing_names_it() {
    let mut config = failed_over();
    config.hidden = true;
    needs(ALL_HEARD, config, |without| without.gaps = false);
}

#[test]
fn a_server_that_knows_less_is_missed_if_its_position_fits() {
    let mut config = failed_over();
    config.bounds.logins = 1;
    needs(EVERYWHERE, config, |without| without.reconnects = false);
}

#[test]
fn without_marks_a_subject_is_not_logged_out_at_once() {
    needs(AT_ONCE, raised(0), |without| without.marks = false);
}

#[test]
fn a_logout_that_is_not_above_every_renewal_can_lose_to_one() {
    let bounds = Bounds {
        logins: 1,
        renewals: 1,
        logouts: 1,
        ..Bounds::default()
    };
    let config = Config {
        ticks: 1,
        ..config(bounds)
    };
    needs(LOGOUT_WINS, config, |without| without.logout_last = false);
}

#[test]
fn a_raise_that_is_not_recognised_ends_a_later_login() {
    needs(NOBODY_ELSE, raised(1), |without| without.raise_ids = false);
}

#[test]
fn what_is_not_told_again_is_not_known_everywhere() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        strays: 1,
        ..Bounds::default()
    };
    let config = Config {
        ticks: 0,
        ..config(bounds)
    };
    needs(EVERYWHERE, config, |without| without.telling_again = false);
}

#[test]
fn without_the_clock_a_counter_that_was_lost_repeats_itself() {
    needs(ABOVE, counter_lost(), |without| without.clock = false);
}

/// The limit of [`ABOVE`]: the clock of a store that begins anew must not be behind the one before.
#[test]
fn a_counter_that_was_lost_rests_on_the_next_stores_clock() {
    rests(ABOVE, counter_lost(), |config| {
        config.slower = Duration::from_secs(30);
    });
}

/// The limit of [`IN_TIME`]: no node can know what a store that died took after the node last heard of it.
#[test]
fn a_node_that_missed_the_last_words_of_a_store_takes_itself_for_whole() {
    rests(IN_TIME, lost(), |config| config.strict = true);
}

/// The limit of [`NOBODY_ELSE`]: who logs in while the store has lost a generation that a node will give
/// back has to log in again.
#[test]
fn a_login_before_everything_is_given_back_may_not_last() {
    let mut config = raised(0);
    config.ticks = 1;
    config.bounds.losses = 1;
    config.bounds.restarts = 1;
    rests(NOBODY_ELSE, config, |config| config.strict = true);
}

/// The limit of [`EVERYWHERE`]: what a copy lacks and nobody else knows is lost.
#[test]
fn what_only_a_lost_server_knew_is_forgotten() {
    let mut config = failed_over();
    config.bounds.logins = 1;
    config.bounds.logouts = 1;
    config.bounds.restarts = 1;
    rests(EVERYWHERE, config, |config| config.strict = true);
}

/// The limit of [`GIVEN_BACK`]: a failover has to break the connections of those who follow.
#[test]
fn a_failover_that_breaks_no_connection_can_go_unnoticed() {
    let mut config = failed_over();
    config.bounds.logins = 1;
    rests(GIVEN_BACK, config, |config| config.hidden = true);
}
