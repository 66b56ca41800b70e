//! What happens without one of the mechanisms, or without what a property rests on: the properties notice.

use stateright::{Checker, Model};

use super::Limited::*;
use super::Without::*;
use super::properties::{
    ABOVE, ACCEPTED_AGAIN, ALL_HEARD, AT_ONCE, EVERYWHERE, HONEST, IN_TIME, LOGOUT_WINS,
    NO_FORGETTING, NOBODY_ELSE, RESTORED, WAITS,
};
use super::tests::{
    anonymous, away, failed_over, holds, lost, one_logout, others_after_a_failover, quiet,
};
use super::{Config, Without};

/// The property holds in these bounds, and does no more when this has been taken away.
#[track_caller]
fn needs(property: &'static str, config: Config, without: &'static [Without]) {
    breaks(property, config.clone(), without);
    let only = Some(property);
    holds(Config { only, ..config });
}

/// As [`needs`], where to try every state would take long: the property holds as many steps far as it takes to break
/// it.
#[track_caller]
fn needs_so_far(property: &'static str, config: Config, without: &'static [Without]) {
    let steps = breaks(property, config.clone(), without);
    let only = Some(property);
    let checker = Config { only, ..config }.checker();
    // The first state is one, and the last is not looked at.
    let checker = checker.target_max_depth(steps + 2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let found = checker.discovery(property);
    assert_eq!(found.map(|path| path.into_actions()), None);
}

/// The property does not hold in these bounds when this has been taken away. Returns how many steps that takes.
#[track_caller]
fn breaks(property: &'static str, mut config: Config, without: &'static [Without]) -> usize {
    config.without = without;
    config.only = Some(property);
    let checker = config.checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let found = checker.discovery(property);
    let path = found.expect("nothing shows that it was taken away");
    let steps = path.into_actions();
    println!("{steps:?}");
    steps.len()
}

fn raised() -> Config {
    quiet().with([(Logins, 2), (Raises, 1)]).ticks(0)
}

#[test]
fn without_restoring_a_store_lacks_what_its_nodes_hold() {
    needs(RESTORED, lost(), &[Restoring]);
}

#[test]
fn attesting_before_restoring_is_attesting_what_is_not_known() {
    needs(HONEST, lost(), &[AttestingLast]);
}

#[test]
fn without_a_beginning_a_node_that_starts_takes_what_was_ended() {
    let config = lost().with([(Crashes, 1)]).nodes(1).ticks(2);
    needs(IN_TIME, config, &[CompleteSince, Waiting]);
}

#[test]
fn without_waiting_a_node_that_starts_on_a_promoted_copy_takes_what_was_ended() {
    let config = failed_over().with([(Copies, 0), (Crashes, 1)]).nodes(2);
    needs_so_far(WAITS, config, &[Waiting]);
}

#[test]
fn what_is_loaded_and_not_joined_makes_a_node_forget() {
    needs(NO_FORGETTING, failed_over().with([(Copies, 0)]), &[Joining]);
}

#[test]
fn without_restoring_anonymous_ends_a_store_that_was_lost_lacks_them() {
    let config = anonymous().with([(Visits, 1), (Leaves, 1), (Losses, 1)]);
    needs(RESTORED, config, &[RestoringAnonymous]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn who_was_away_for_too_long_and_attests_knows_not_what_was_ended() {
    let mut config = lost().with([(Partitions, 1)]).nodes(2).ticks(1);
    config.trust.max_staleness = config.tick / 2;
    config.trust.max_outage = config.tick / 2;
    needs_so_far(HONEST, config, &[Honesty]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn whose_list_was_stale_and_attests_knows_not_what_was_ended() {
    let config = away().with([(Logins, 2), (Partitions, 0)]);
    needs_so_far(HONEST, config.nodes(2), &[Honesty]);
}

/// Assumption 1.
#[test]
fn what_only_a_lost_server_and_a_dead_node_knew_is_forgotten() {
    let config = failed_over().with([(Copies, 0), (Crashes, 1)]).nodes(1);
    needs(EVERYWHERE, config, &[Holders]);
}

/// Assumption 2.
#[test]
fn a_node_that_missed_the_last_words_of_a_store_takes_itself_for_whole() {
    let config = lost().with([(Crashes, 1)]).nodes(2);
    needs_so_far(HONEST, config, &[Company]);
}

/// Assumption 4.
#[test]
fn a_login_before_everything_is_restored_may_not_last() {
    let bounds = [(Logins, 2), (Raises, 1), (Losses, 1)];
    needs_so_far(NOBODY_ELSE, quiet().with(bounds).ticks(1), &[Patience]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn another_history_of_the_same_length_is_missed_if_nothing_names_it() {
    // Sessions without a login begin without a call, which leaves fewer orders.
    let config = quiet().with([(Visits, 2), (Leaves, 2), (Failovers, 1)]);
    // With it there are too many states that are as near.
    breaks(
        ALL_HEARD,
        config.ticks(1),
        &[MarksOfPublications, Comparing],
    );
}

#[test]
fn a_server_that_knows_less_is_missed_if_nothing_is_compared() {
    needs_so_far(EVERYWHERE, failed_over().nodes(2), &[Comparing]);
}

#[test]
fn without_marks_a_subject_is_not_logged_out_at_once() {
    needs(AT_ONCE, raised(), &[Marking]);
}

#[test]
fn a_logout_that_is_not_above_every_renewal_can_lose_to_one() {
    needs(
        LOGOUT_WINS,
        one_logout().with([(Renewals, 1)]),
        &[LogoutLast],
    );
}

#[test]
fn a_raise_that_is_not_recognised_ends_a_later_login() {
    needs(NOBODY_ELSE, raised().with([(Strays, 1)]), &[RaiseIds]);
}

#[test]
fn what_is_not_told_again_is_not_known_everywhere() {
    needs(
        EVERYWHERE,
        one_logout().with([(Strays, 1)]),
        &[TellingAgain],
    );
}

#[test]
fn without_since_a_full_list_revives_anonymous_sessions() {
    needs(EVERYWHERE, anonymous(), &[Since]);
}

#[test]
fn a_larger_generation_that_covers_a_lost_one_revives_who_logs_others_out() {
    let config = Config {
        failed_over: true,
        ..others_after_a_failover().nodes(2)
    };
    needs(EVERYWHERE, config, &[EachSession]);
}

#[test]
fn if_nobody_attests_a_store_that_was_lost_logs_everyone_out() {
    let config = lost().with([(Logouts, 0), (Crashes, 1)]).nodes(2);
    needs(ACCEPTED_AGAIN, config, &[Attesting]);
}

/// Assumption 3.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimised")]
fn a_generation_that_was_lost_rests_on_the_next_stores_clock() {
    let bounds = [
        (Visits, 1),
        (Logins, 1),
        (Raises, 2),
        (Losses, 1),
        (Crashes, 1),
    ];
    needs_so_far(ABOVE, quiet().with(bounds).nodes(1).ticks(1), &[Clocks]);
}
