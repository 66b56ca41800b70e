//! What an operator gets to see: numbers, and names for sessions and users that the log may hold.
//!
//! 1. Only `sink` names the crate `metrics`. Without the feature everything here does nothing, and no
//!    caller has to know.
//! 2. Labels are words of this folder or of its callers' source. What a client chooses is never one: each new
//!    value would be a new time series, and anyone could fill the operator's disk.
//! 3. The log names a session or a subject by its [`tag`].

mod catalog;
#[cfg(not(feature = "metrics"))]
#[path = "no_sink.rs"]
mod sink;
#[cfg(feature = "metrics")]
mod sink;
mod words;

use std::time::Duration;

use crate::error::Rejected;
use catalog::{
    KEY_RELOADS, LACKING, LIST_ENTRIES, METRICS, MetricKind, OUTSTANDING, REJECTED, REVOCATIONS,
    SNAPSHOT_SECONDS, SNAPSHOTS, STALENESS, STORE_ERRORS, TOKEN_HITS, TOKEN_MISSES, TOKENS,
    UNREADABLE,
};
use words::word;

pub(crate) use catalog::{
    ANONYMOUS_SINCE_ROSE, ATTESTED, CROSS_SITE, EXPIRED, GAPS, IDLE_WITHOUT_ACTIVITY,
    INDEX_UNREADABLE, REASSERTED, UNAVAILABLE, UNKNOWN_KEY,
};
pub(crate) use words::tag;

/// Whether this build can tell a recorder. Otherwise what takes long to count is not counted.
pub(crate) fn can_record() -> bool {
    sink::IS_THERE
}

/// Tells the recorder what there is. Once for each start: a recorder that is installed later shows the
/// same numbers without explanations.
pub(crate) fn describe() {
    for (kind, name, label, meaning) in METRICS {
        sink::describe(*kind, name, meaning);
        if *kind == MetricKind::Counter && label.is_empty() {
            // From the start, or the first event would be no increase.
            sink::add(name, &[], 0);
        }
    }
}

/// Adds to a counter that has no label.
pub(crate) fn count(counter: &'static str, times: usize) {
    sink::add(counter, &[], times as u64);
}

/// A cookie was refused.
pub(crate) fn rejected(reason: &Rejected) {
    sink::add(REJECTED, &[("reason", word(reason))], 1);
}

/// The key file was found `changed`, or `broken`.
pub(crate) fn keys_reloaded(outcome: &'static str) {
    sink::add(KEY_RELOADS, &[("outcome", outcome)], 1);
}

/// A `session`, an `anonymous` one, a `subject` or `everyone` was revoked through this node.
pub(crate) fn revoked(kind: &'static str) {
    sink::add(REVOCATIONS, &[("kind", kind)], 1);
}

/// A call of the store failed, or took too long.
pub(crate) fn store_failed(operation: &'static str) {
    sink::add(STORE_ERRORS, &[("operation", operation)], 1);
}

/// A snapshot of `entries` revocations was loaded, which took `seconds`.
pub(crate) fn snapshot(entries: usize, seconds: f64) {
    sink::add(SNAPSHOTS, &[], 1);
    sink::record(SNAPSHOT_SECONDS, seconds);
    tracing::debug!(entries, seconds, "loaded a snapshot of the revocation list");
}

/// How the cache of tokens was used since the last time, and how many there are in it.
pub(crate) fn token_cache(hits: u64, misses: u64, entries: usize) {
    sink::add(TOKEN_HITS, &[], hits);
    sink::add(TOKEN_MISSES, &[], misses);
    sink::set(TOKENS, entries as f64);
}

/// How this node's list is.
#[derive(Default)]
pub(crate) struct ListState {
    pub(crate) entries: usize,
    /// How many revocations the store has not taken yet.
    pub(crate) outstanding: usize,
    /// How many entries it lacks that this node holds, and is restoring.
    pub(crate) lacking: usize,
    /// How many stored entries were not understood.
    pub(crate) unreadable: u64,
    /// How long ago the list was last known to hold all that the store did.
    pub(crate) staleness: Duration,
}

/// Of several lists in one process the last to report is seen.
pub(crate) fn gauges(list: &ListState) {
    sink::set(LIST_ENTRIES, list.entries as f64);
    sink::set(OUTSTANDING, list.outstanding as f64);
    sink::set(LACKING, list.lacking as f64);
    sink::set(UNREADABLE, list.unreadable as f64);
    sink::set(STALENESS, list.staleness.as_secs_f64());
}

#[cfg(test)]
mod tests;
