//! The part for stores that nodes share: what a [`ReplicatedLog`] promises.

mod anonymous;
mod epochs;
mod following;
mod generations;
mod harness;
mod lifetimes;
mod settling;
mod stored;
mod tools;

pub use self::harness::LogHarness;
use super::report::{Report, run};
#[cfg(doc)]
use crate::revoke::ReplicatedLog;

/// Runs every check of a [`ReplicatedLog`]. It runs on tokio, with its timer, and with several threads to find
/// races: `#[tokio::test(flavor = "multi_thread")]`.
///
/// ```
/// use async_trait::async_trait;
/// use sealed_session::revoke::ReplicatedLog;
/// use sealed_session::testing::conformance::{self, LogHarness};
/// use sealed_session::testing::{ManualClock, MemoryLog};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// struct InMemory(ManualClock);
///
/// #[async_trait]
/// impl LogHarness for InMemory {
///     async fn fresh(&self) -> Result<Arc<dyn ReplicatedLog>, String> {
///         Ok(Arc::new(MemoryLog::new(Arc::new(self.0.clone()))))
///     }
///
///     fn advance(&self, by: Duration) -> bool {
///         self.0.advance(by);
///         true
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let report = conformance::log(&InMemory(ManualClock::default())).await;
/// println!("{report}");
/// report.assert_passed();
/// # }
/// ```
pub async fn log(harness: &dyn LogHarness) -> Report {
    let mut report = Report::new();
    run! { report, harness;
        "a new log is empty and complete since it was made": stored::a_new_log_is_empty;
        "published entries are in the snapshot": stored::published_is_in_the_snapshot;
        "publishing twice changes nothing and succeeds": stored::publishing_is_idempotent;
        "a login over a session shows in later publications about it": stored::a_succession_is_told;
        "the order of publications does not matter": stored::publishing_is_commutative;
        "joining takes the stricter of two entries": stored::joining_takes_the_stricter;
        "publishing tells whether the serial was still free": stored::publishing_tells_fresh;
        "of concurrent renewals exactly one is fresh": stored::one_renewal_wins;
        "ten thousand entries in one publication": stored::a_large_batch;
        "all entries that concern one session are found": stored::one_session_is_found;
        "a raise follows the stored and the known value and the clock": generations::a_raise_follows_all;
        "generations of different targets are apart": generations::targets_are_apart;
        "concurrent raises return different, growing values": generations::raises_are_unique;
        "a repeated raise returns the same and raises nothing": generations::a_repeat_raises_nothing;
        "a raise spares one session, which keeps what held for it": generations::a_raise_spares_one;
        "a raise that comes late ends who was spared meanwhile": generations::a_raise_that_comes_late_ends_who_was_spared;
        "a repeat of one of the last four raises is recognised, too": generations::an_overtaken_raise_is_recognised;
        "at the top of its range a raise is an error": generations::the_top_is_an_error;
        "a published generation is one that raises follow": generations::published_generations_count;
        "anonymous sessions that began first make room, and are refused from then on": anonymous::the_first_make_room;
        "anonymous sessions that have expired make room first": anonymous::the_expired_make_room_first;
        "anonymous sessions that began together make room together": anonymous::room_is_made_by_time;
        "making room is told to followers": anonymous::making_room_is_told;
        "an entry of a refused session is not stored, and answered as ended": anonymous::what_began_before_has_ended;
        "the end of an anonymous session that began ahead of the clock is kept in the main list": anonymous::none_begins_ahead;
        "the largest of each announcement counts": lifetimes::announcements_only_grow;
        "a raise is remembered for the longest life announced": lifetimes::raises_last_long_enough;
        "a later announcement also covers earlier raises": lifetimes::announcements_cover_the_past;
        "a sweep drops entries after their time": lifetimes::a_sweep_drops;
        "a sweep drops nothing before its time": lifetimes::a_sweep_keeps;
        "a later `until` is what counts": lifetimes::the_later_until_counts;
        "everyone's generation never expires": lifetimes::everyone_stays;
        "following delivers publications after the snapshot": following::following_delivers;
        "following delivers raises": following::following_delivers_raises;
        "a waiting follower is woken or answered": following::a_follower_is_answered;
        "a follower is told the state at least once a second": following::the_state_is_told;
        "following from a foreign cursor is a gap": following::a_foreign_cursor_is_a_gap;
        "nothing is missed between snapshot and following": following::nothing_is_missed;
        "the earliest attestation counts": epochs::the_earliest_attestation_counts;
        "an attestation of another incarnation changes nothing": epochs::another_incarnation_attests_nothing;
        "a follower is told of an attestation": epochs::followers_are_told_of_attestations;
        "a log made later is complete since later": epochs::a_later_log_is_younger;
        "a log that lost everything begins a new epoch": epochs::a_loss_begins_an_epoch;
        "another server shows, and has what was acknowledged": epochs::another_server_shows;
        "following fails once when another server answers": epochs::following_fails_once;
        "a restoration is stored, and answered with the incarnation that took it": settling::what_is_restored_is_stored;
        "a log settles after it began": settling::a_log_settles;
        "revoking does not prolong settling": settling::revoking_prolongs_nothing;
        "restoring prolongs settling if it changes something": settling::restoring_prolongs;
        "ends of anonymous sessions prolong nothing but in a first restoration": settling::anonymous_ends_prolong_once;
        "settling ends with the outage announced, but for first restorations": settling::settling_has_an_end;
        "another server settles": settling::another_server_settles;
        "restoring over an entry that is not understood prolongs nothing": settling::the_unreadable_prolongs_nothing;
        "an entry that is not understood is counted, left alone and counts as ended": epochs::the_unreadable_has_ended;
    }
    report
}
