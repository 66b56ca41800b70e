//! The part for stores of one process: the promises of a [`Journal`], and of the library's store on it.
//!
//! 1. First the journal alone: it returns what it was given.
//! 2. Then a store on it: opened again, it holds what was acknowledged, and nothing else.
//!
//! ```
//! use sealed_session::revoke::Journal;
//! use sealed_session::store::Memory;
//! use sealed_session::testing::conformance::{self, JournalHarness};
//!
//! struct InMemory;
//!
//! impl JournalHarness for InMemory {
//!     fn fresh(&self) -> Result<Box<dyn Journal>, String> {
//!         Ok(Box::new(Memory::new()))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let report = conformance::journal(&InMemory).await;
//! println!("{report}");
//! report.assert_passed();
//! # }
//! ```
//!
//! [`Journal`]: crate::revoke::Journal

mod bytes;
mod clocks;
mod harness;
mod lists;
mod tools;

pub use harness::JournalHarness;

use super::report::{Report, run};

/// Runs every check of a [`Journal`](crate::revoke::Journal).
///
/// It runs on tokio, with its timer, and with several threads to find races:
/// `#[tokio::test(flavor = "multi_thread")]`. Skipped checks do not fail the report ([`Report::passed`]): print it
/// to see whether any was skipped. A journal whose [`is_durable`](crate::revoke::Journal::is_durable) is false
/// leaves [`JournalHarness::open`] as it is, `None`, and most checks are skipped.
pub async fn journal(harness: &dyn JournalHarness) -> Report {
    let mut report = Report::new();
    run! { report, harness;
        "a new journal is empty": bytes::a_new_one_is_empty;
        "it returns what it was given, in order": bytes::given_is_returned;
        "any bytes can be appended": bytes::any_bytes;
        "large and many appends are all returned": bytes::large_and_many;
        "it goes on where it was when it is opened again": bytes::it_goes_on;
        "a compaction replaces everything, by all pieces": bytes::a_compaction_replaces;
        "appends after a compaction follow it": bytes::appends_follow_a_compaction;
        "it is open once": bytes::it_is_open_once;
        "after a failed append a compaction repairs everything": bytes::a_compaction_repairs;
        "a new list is empty and begins when it is made": lists::a_new_list_begins_now;
        "published revocations are there again": lists::published_is_kept;
        "raises are there again, and grow": lists::raises_are_kept;
        "announcements only grow, and are there again": lists::announcements_are_kept;
        "an earlier time that was attested counts, and is there again": lists::attestations_are_kept;
        "anonymous sessions that make room are refused for good": lists::capacity_is_kept;
        "three hundred at once are all there again": lists::many_at_once_are_kept;
        "a list that is compacted meanwhile is all there again": lists::a_long_list_is_kept;
        "a failed write is made good once it is possible": lists::a_failure_is_made_good;
        "a sweep forgets expired entries for good, and nothing else": clocks::a_sweep_forgets;
        "a clock that cannot be right forgets nothing and opens nothing": clocks::a_wrong_clock_is_refused;
        "a list that is still empty begins anew when its clock was wrong": clocks::an_empty_list_begins_anew;
        "a list begins anew for good where a node's clock is set back behind a sweep": clocks::a_clock_set_back_begins_anew;
        "a list in which anything was revoked is never opened as a new one": clocks::a_used_list_never_begins_anew;
    }
    report
}
