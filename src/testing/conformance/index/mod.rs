//! The part for stores that keep an index of sessions: what a [`SessionIndex`] promises.
//!
//! 1. What an index does is compared with [`IndexUpdate::apply`]: the answer to an update, and what is there then.
//! 2. Times begin at the machine's, and pass by what updates say: a store may also forget by a clock of its own.

mod harness;
mod limits;
mod many;
mod rows;
mod scene;

pub use self::harness::IndexHarness;
use self::scene::{steps, steps_when_full};
use super::report::{Report, run};
#[cfg(doc)]
use crate::index::{IndexUpdate, SessionIndex};

/// Runs every check of a [`SessionIndex`]. It runs on tokio, with its timer, and with several threads to find races:
/// `#[tokio::test(flavor = "multi_thread")]`.
///
/// ```
/// use async_trait::async_trait;
/// use sealed_session::index::SessionIndex;
/// use sealed_session::revoke::Journal;
/// use sealed_session::store::Memory;
/// use sealed_session::testing::conformance::{self, IndexHarness};
/// use std::sync::Arc;
///
/// struct InMemory;
///
/// #[async_trait]
/// impl IndexHarness for InMemory {
///     async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String> {
///         Memory::new().session_index().ok_or_else(|| "it keeps none".into())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let report = conformance::session_index(&InMemory).await;
/// println!("{report}");
/// report.assert_passed();
/// # }
/// ```
pub async fn session_index(harness: &dyn IndexHarness) -> Report {
    let mut report = Report::new();
    run! { report, harness;
        "a new index has no rows": rows::a_new_one_is_empty;
    }
    run! { report, harness, steps;
        "a row that was put is there": rows::put_is_there;
        "facts and labels of any bytes are kept, also empty and the largest": rows::any_bytes;
        "times of zero and the largest are kept and compared": rows::any_times;
        "a row replaces that of the same session": rows::a_row_replaces;
        "of two times of a session the later stays": rows::the_later_stays;
        "what is evicting stays so": rows::evicting_stays;
        "an empty label leaves the one from before": rows::a_label_stays;
        "rows are dropped at the moment when they are over": rows::over_is_dropped;
        "removed rows are dropped, and no others": rows::removed_is_dropped;
        "a row of a session that is removed is put anew": rows::removed_before_it_is_put;
        "an update without a row puts nothing, at any limit": rows::nothing_to_put;
        "a full subject refuses a row, and says so": limits::full_refuses;
        "a session that has a row needs no room": limits::the_same_needs_no_room;
        "what is over or removed makes room before it is counted": limits::dropped_makes_room;
        "what a row takes the place of is not counted, and stays": limits::replaced_is_not_counted;
        "the one that was not seen for the longest time is evicted": limits::longest_ago_is_evicted;
        "the one that was not seen for the longest time is dropped": limits::longest_ago_is_dropped;
    }
    run! { report, harness, steps_when_full;
        "of those seen at once that of the smallest id makes room": limits::the_smallest_id_makes_room;
        "what is evicting is not counted": limits::evicting_is_not_counted;
        "reservations are counted": limits::reserved_is_counted;
        "below what there are as many make room as it takes": limits::a_lower_limit;
    }
    run! { report, harness;
        "a limit of one and the largest one hold": limits::least_and_most;
        "subjects do not mix": many::subjects_are_apart;
        "updates at once lose nothing": many::updates_at_once;
        "updates at once do not exceed a limit": many::a_limit_at_once;
        "random updates end as the rules say": many::random_updates;
        "a sweep forgets what is over, and nothing else": many::a_sweep_forgets;
        "every row is handed over once": many::each_is_once;
        "a row that is not understood is left alone, not counted, and told": many::the_unreadable_stays;
    }
    report
}
