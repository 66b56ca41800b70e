//! What happens without one of the mechanisms, or without what a property rests on: the properties notice.

use super::properties::{
    ABOVE, ACCEPTED_AGAIN, ALL_HEARD, AT_ONCE, EVERYWHERE, HONEST, IN_TIME, LOGOUT_WINS,
    NO_FORGETTING, NOBODY_ELSE, OUTLIVED, RESTORED, WAITS,
};
use super::tests::{
    away, config, counterexample, failed_over, lost, others_after_a_failover, visitors,
};
use super::{Bounds, Config, Without};

/// The property does no more hold in these bounds when `take` has taken something away.
#[track_caller]
fn needs(property: &'static str, mut config: Config, take: impl FnOnce(&mut Without)) {
    take(&mut config.without);
    let found = counterexample(config, property);
    println!("{}", found.expect("nothing shows that it was taken away"));
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

#[test]
fn without_restoring_a_store_lacks_what_its_nodes_hold() {
    needs(RESTORED, lost(), |without| without.restoring = true);
}

#[test]
fn attesting_before_restoring_is_attesting_what_is_not_known() {
    needs(HONEST, lost(), |without| without.attesting_last = true);
}

#[test]
fn without_a_beginning_a_node_that_starts_takes_what_was_ended() {
    let mut config = lost();
    config.nodes = 1;
    config.bounds.crashes = 1;
    config.ticks = 2;
    needs(IN_TIME, config, |without| {
        without.complete_since = true;
        without.waiting = true;
    });
}

#[test]
fn without_waiting_a_node_that_starts_on_a_promoted_copy_takes_what_was_ended() {
    let mut config = failed_over();
    config.nodes = 2;
    config.bounds.copies = 0;
    config.bounds.crashes = 1;
    needs(WAITS, config, |without| without.waiting = true);
}

#[test]
fn what_is_loaded_and_not_joined_makes_a_node_forget() {
    let mut config = failed_over();
    config.bounds.copies = 0;
    needs(NO_FORGETTING, config, |without| without.joining = true);
}

#[test]
fn without_restoring_anonymous_ends_a_store_that_was_lost_revives_visitors() {
    let bounds = Bounds {
        visits: 1,
        leaves: 1,
        losses: 1,
        ..Bounds::default()
    };
    let config = Config {
        ticks: 1,
        bounds,
        ..visitors()
    };
    needs(RESTORED, config, |without| {
        without.restoring_anonymous = true;
    });
}

#[test]
fn who_was_away_for_too_long_and_attests_knows_not_what_was_ended() {
    let mut config = away();
    config.nodes = 2;
    needs(HONEST, config, |without| {
        without.honesty = true;
        without.company = true;
    });
}

/// Assumption 1.
#[test]
fn what_only_a_lost_server_and_a_dead_node_knew_is_forgotten() {
    let mut config = failed_over();
    config.nodes = 1;
    config.bounds.copies = 0;
    config.bounds.crashes = 1;
    needs(EVERYWHERE, config, |without| without.holders = true);
}

/// Assumption 2.
#[test]
fn a_node_that_missed_the_last_words_of_a_store_takes_itself_for_whole() {
    let mut config = lost();
    config.nodes = 2;
    config.bounds.crashes = 1;
    needs(HONEST, config, |without| without.company = true);
}

/// Assumption 4.
#[test]
fn a_login_before_everything_is_restored_may_not_last() {
    let bounds = Bounds {
        logins: 2,
        raises: 1,
        losses: 1,
        ..Bounds::default()
    };
    let config = Config {
        ticks: 1,
        ..config(bounds)
    };
    needs(NOBODY_ELSE, config, |without| without.patience = true);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn another_history_of_the_same_length_is_missed_if_nothing_names_it() {
    let mut config = failed_over();
    config.nodes = 2;
    config.bounds.logouts = 2;
    config.bounds.logins = 2;
    needs(ALL_HEARD, config, |without| {
        without.marks_of_publications = true;
        without.comparing = true;
    });
}

#[test]
fn a_server_that_knows_less_is_missed_if_nothing_is_compared() {
    let config = Config {
        nodes: 2,
        ..failed_over()
    };
    needs(EVERYWHERE, config, |without| without.comparing = true);
}

#[test]
fn without_marks_a_subject_is_not_logged_out_at_once() {
    needs(AT_ONCE, raised(0), |without| without.marking = true);
}

#[test]
fn a_logout_that_is_not_above_every_renewal_can_lose_to_one() {
    let bounds = Bounds {
        logins: 1,
        renewals: 1,
        logouts: 1,
        ..Bounds::default()
    };
    needs(LOGOUT_WINS, config(bounds), |without| {
        without.logout_last = true
    });
}

#[test]
fn a_raise_that_is_not_recognised_ends_a_later_login() {
    needs(NOBODY_ELSE, raised(1), |without| without.raise_ids = true);
}

#[test]
fn what_is_not_told_again_is_not_known_everywhere() {
    let bounds = Bounds {
        logins: 1,
        logouts: 1,
        strays: 1,
        ..Bounds::default()
    };
    needs(EVERYWHERE, config(bounds), |without| {
        without.telling_again = true;
    });
}

#[test]
fn without_since_a_full_list_revives_visitors() {
    needs(EVERYWHERE, visitors(), |without| without.since = true);
}

#[test]
fn a_raise_for_others_that_any_server_takes_revives_who_was_ended() {
    let config = Config {
        nodes: 2,
        ..others_after_a_failover()
    };
    needs(OUTLIVED, config, |without| {
        without.familiarity = true;
    });
}

#[test]
fn if_nobody_attests_a_store_that_was_lost_logs_everyone_out() {
    let mut config = lost();
    config.nodes = 2;
    config.bounds.logouts = 0;
    config.bounds.crashes = 1;
    needs(ACCEPTED_AGAIN, config, |without| without.attesting = true);
}

/// Assumption 3.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn a_generation_that_was_lost_rests_on_the_next_stores_clock() {
    let bounds = Bounds {
        logins: 1,
        raises: 2,
        losses: 1,
        crashes: 1,
        ..Bounds::default()
    };
    let config = Config {
        nodes: 1,
        ticks: 1,
        ..config(bounds)
    };
    needs(ABOVE, config, |without| without.clocks = true);
}
