//! What an operator gets to see: numbers, and names for sessions and users that the log may hold.
//!
//! 1. Only this file names the crate `metrics`. Without the feature everything here does nothing, and no
//!    caller has to know.
//! 2. Labels are words of this file or of its callers' source. What a client chooses is never one: each new
//!    value would be a new time series, and anyone could fill the operator's disk.
//! 3. The log names a session or a subject by its [`tag`].

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::Rejected;

const REJECTED: &str = "sealed_session_rejected_total";
const UNKNOWN_KEY: &str = "sealed_session_unknown_key_total";
const UNAVAILABLE: &str = "sealed_session_unavailable_total";
const KEY_RELOADS: &str = "sealed_session_key_reloads_total";
const REVOCATIONS: &str = "sealed_session_revocations_total";
const IDLE_WITHOUT_ACTIVITY: &str = "sealed_session_idle_without_activity_total";
const STORE_ERRORS: &str = "sealed_session_store_errors_total";
const GAPS: &str = "sealed_session_gaps_total";
const SNAPSHOTS: &str = "sealed_session_snapshots_total";
const SNAPSHOT_SECONDS: &str = "sealed_session_snapshot_seconds";
const REASSERTED: &str = "sealed_session_reasserted_total";
const VOUCHED: &str = "sealed_session_vouched_total";
const UNREADABLE: &str = "sealed_session_unreadable_entries";
const LACKING: &str = "sealed_session_lacking_entries";
const EXPIRED: &str = "sealed_session_expired_total";
const LIST_ENTRIES: &str = "sealed_session_list_entries";
const OUTSTANDING: &str = "sealed_session_outstanding_revocations";
const STALENESS: &str = "sealed_session_staleness_seconds";
const ANONYMOUS_SINCE_ROSE: &str = "sealed_session_anonymous_since_rose_total";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Each metric: its type, its name, its label if it has one, and what it says.
const METRICS: [(Kind, &str, Option<&str>, &str); 19] = [
    (
        Kind::Counter,
        REJECTED,
        Some("reason"),
        "Session cookies that were refused.",
    ),
    (
        Kind::Counter,
        IDLE_WITHOUT_ACTIVITY,
        None,
        "Sessions that were idle for too long and came without an activity cookie.",
    ),
    (
        Kind::Counter,
        UNKNOWN_KEY,
        None,
        "Session cookies whose key this node does not know.",
    ),
    (
        Kind::Counter,
        UNAVAILABLE,
        None,
        "Requests answered with 503 because the revocation list could not be trusted.",
    ),
    (
        Kind::Counter,
        KEY_RELOADS,
        Some("outcome"),
        "Changes of the key file that were found.",
    ),
    (
        Kind::Counter,
        REVOCATIONS,
        Some("kind"),
        "Revocations that this node was asked for.",
    ),
    (
        Kind::Counter,
        STORE_ERRORS,
        Some("operation"),
        "Failed calls of the revocation store.",
    ),
    (
        Kind::Counter,
        GAPS,
        None,
        "Times that news from the store may have been missed.",
    ),
    (
        Kind::Counter,
        SNAPSHOTS,
        None,
        "Snapshots of the store's list that were loaded.",
    ),
    (
        Kind::Histogram,
        SNAPSHOT_SECONDS,
        None,
        "How long loading a snapshot took.",
    ),
    (
        Kind::Counter,
        REASSERTED,
        None,
        "Revocations that the store had lost and was told again.",
    ),
    (
        Kind::Counter,
        VOUCHED,
        None,
        "Times that this node vouched for a list that was begun anew.",
    ),
    (
        Kind::Counter,
        EXPIRED,
        None,
        "Revocations that were forgotten because their sessions have ended.",
    ),
    (
        Kind::Counter,
        ANONYMOUS_SINCE_ROSE,
        None,
        "Times that anonymous sessions were ended to make room for the end of others.",
    ),
    (
        Kind::Gauge,
        LIST_ENTRIES,
        None,
        "Revocations that this node holds.",
    ),
    (
        Kind::Gauge,
        OUTSTANDING,
        None,
        "Revocations that the store has not taken yet.",
    ),
    (
        Kind::Gauge,
        LACKING,
        None,
        "Revocations that the store has lost and is being given back.",
    ),
    (
        Kind::Gauge,
        UNREADABLE,
        None,
        "Entries of the store that this release cannot read.",
    ),
    (
        Kind::Gauge,
        STALENESS,
        None,
        "How long ago this node last knew its list to be complete.",
    ),
];

/// Tells the recorder what there is. Once for each start: a recorder that is installed later shows the
/// same numbers without explanations.
pub(crate) fn describe() {
    for (kind, name, label, meaning) in METRICS {
        sink::describe(kind, name, meaning);
        if kind == Kind::Counter && label.is_none() {
            // From the start, or the first event would be no increase.
            sink::add(name, &[], 0);
        }
    }
}

/// A cookie was refused.
pub(crate) fn rejected(reason: &Rejected) {
    sink::add(REJECTED, &[("reason", word(reason))], 1);
}

/// A session went idle whose activity cookie did not come with it.
pub(crate) fn idle_without_activity() {
    sink::add(IDLE_WITHOUT_ACTIVITY, &[], 1);
}

/// A cookie named a key that the ring does not hold.
pub(crate) fn unknown_key() {
    sink::add(UNKNOWN_KEY, &[], 1);
}

/// A request was answered with 503, because this node's list cannot be trusted at the moment.
pub(crate) fn unavailable() {
    sink::add(UNAVAILABLE, &[], 1);
}

/// The key file was found `changed`, or `broken`.
pub(crate) fn keys_reloaded(outcome: &'static str) {
    sink::add(KEY_RELOADS, &[("outcome", outcome)], 1);
}

/// A `session`, a `visitor`, a `subject` or `everyone` was revoked through this node.
pub(crate) fn revoked(kind: &'static str) {
    sink::add(REVOCATIONS, &[("kind", kind)], 1);
}

/// A call of the store failed, or took too long.
pub(crate) fn store_failed(operation: &'static str) {
    sink::add(STORE_ERRORS, &[("operation", operation)], 1);
}

/// News from the store may have been missed, so that a snapshot is needed.
pub(crate) fn gap() {
    sink::add(GAPS, &[], 1);
}

/// A snapshot of `entries` revocations was loaded, which took `seconds`.
pub(crate) fn snapshot(entries: usize, seconds: f64) {
    sink::add(SNAPSHOTS, &[], 1);
    sink::record(SNAPSHOT_SECONDS, seconds);
    tracing::debug!(entries, seconds, "loaded a snapshot of the revocation list");
}

/// The store was told again of revocations that it had lost.
pub(crate) fn reasserted(entries: usize) {
    sink::add(REASSERTED, &[], entries as u64);
}

/// This node told a store that was begun anew what it knew of the list from before.
pub(crate) fn attested() {
    sink::add(VOUCHED, &[], 1);
}

/// Revocations were forgotten, because their time has passed.
pub(crate) fn forgotten(entries: usize) {
    sink::add(EXPIRED, &[], entries as u64);
}

/// Anonymous sessions were ended because more were than the list holds.
pub(crate) fn anonymous_since_rose() {
    sink::add(ANONYMOUS_SINCE_ROSE, &[], 1);
}

/// How this node's list is.
pub(crate) struct ListState {
    pub(crate) entries: usize,
    pub(crate) outstanding: usize,
    pub(crate) lacking: usize,
    pub(crate) unreadable: u64,
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

/// The reason without what the client chose: the version, the key's id.
fn word(reason: &Rejected) -> &'static str {
    match reason {
        Rejected::Length => "length",
        Rejected::Malformed => "malformed",
        Rejected::Version(_) => "version",
        Rejected::UnknownKey(_) => "unknown_key",
        Rejected::RetiredKey(_) => "retired_key",
        Rejected::RevokedKey => "revoked_key",
        Rejected::NotAuthentic => "not_authentic",
        Rejected::Implausible => "implausible",
        Rejected::Expired => "expired",
        Rejected::Idle => "idle",
        Rejected::Ended => "ended",
        Rejected::Succeeded => "succeeded",
        Rejected::Superseded => "superseded",
        Rejected::SubjectEnded => "subject_ended",
        Rejected::GroupEnded => "group_ended",
        Rejected::TooManyKeys => "too_many_keys",
        Rejected::TooLarge => "too_large",
        Rejected::EveryoneEnded => "everyone_ended",
        Rejected::OlderThanList => "older_than_list",
    }
}

/// What the log calls the session or the subject with this id: eight digits, the same on every node.
///
/// Enough to find the lines about one session, and not the id, with which somebody who reads the log
/// could name it to the store or the command line. A tag of 32 bits can be shared by two of many.
pub(crate) fn tag(id: &[u8; 16]) -> impl fmt::Display + use<> {
    let mut hash = Sha256::new();
    // What else is a hash of the same id stays apart from this one.
    hash.update(b"sealed-session/log");
    hash.update(id);
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = digest;
    Tag(u32::from_be_bytes([a, b, c, d]))
}

struct Tag(u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(feature = "metrics")]
mod sink {
    use super::Kind;
    use metrics::Unit;

    pub(super) fn describe(kind: Kind, name: &'static str, meaning: &'static str) {
        let unit = match name.ends_with("_seconds") {
            true => Unit::Seconds,
            false => Unit::Count,
        };
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, meaning),
            Kind::Gauge => metrics::describe_gauge!(name, unit, meaning),
            Kind::Histogram => metrics::describe_histogram!(name, unit, meaning),
        }
    }

    pub(super) fn add(name: &'static str, labels: &[(&'static str, &'static str)], by: u64) {
        metrics::counter!(name, labels).increment(by);
    }

    pub(super) fn set(name: &'static str, value: f64) {
        metrics::gauge!(name).set(value);
    }

    pub(super) fn record(name: &'static str, value: f64) {
        metrics::histogram!(name).record(value);
    }
}

#[cfg(not(feature = "metrics"))]
mod sink {
    use super::Kind;

    pub(super) fn describe(_: Kind, _: &'static str, _: &'static str) {}

    pub(super) fn add(_: &'static str, _: &[(&'static str, &'static str)], _: u64) {}

    pub(super) fn set(_: &'static str, _: f64) {}

    pub(super) fn record(_: &'static str, _: f64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_tag_is_the_same_everywhere_and_says_nothing_of_its_id() {
        let id = *b"0123456789abcdef";
        let text = tag(&id).to_string();
        assert_eq!(text, "ac75d2aa");
        assert_eq!(text, tag(&id).to_string());
        assert_ne!(text, tag(b"0123456789abcdeg").to_string());
        let plain: [u8; 32] = Sha256::digest(id).into();
        assert!(!text.starts_with(&format!("{:02x}{:02x}", plain[0], plain[1])));
    }

    #[test]
    fn every_metric_has_a_name_of_its_own_that_says_its_type() {
        let names: BTreeSet<_> = METRICS.iter().map(|(_, name, ..)| *name).collect();
        assert_eq!(names.len(), METRICS.len());
        for (kind, name, label, meaning) in METRICS {
            assert!(name.starts_with("sealed_session_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(label.is_none() || kind == Kind::Counter, "{name}");
            assert!(meaning.ends_with('.'), "{name}");
        }
    }

    /// A reason is called as its variant is.
    #[test]
    fn reasons_are_named_after_their_variants() {
        use crate::id::KeyId;
        let key = KeyId::from_bytes([0; 16]);
        for reason in [
            Rejected::Length,
            Rejected::Malformed,
            Rejected::Version(9),
            Rejected::UnknownKey(key),
            Rejected::RetiredKey(key),
            Rejected::RevokedKey,
            Rejected::NotAuthentic,
            Rejected::Implausible,
            Rejected::Expired,
            Rejected::Idle,
            Rejected::Ended,
            Rejected::Succeeded,
            Rejected::Superseded,
            Rejected::SubjectEnded,
            Rejected::GroupEnded,
            Rejected::TooManyKeys,
            Rejected::TooLarge,
            Rejected::EveryoneEnded,
            Rejected::OlderThanList,
        ] {
            let variant = format!("{reason:?}");
            let variant = variant.split('(').next().unwrap();
            let joined = word(&reason).replace('_', "");
            assert_eq!(joined, variant.to_lowercase());
            let capitals = variant.chars().filter(char::is_ascii_uppercase).count();
            assert_eq!(word(&reason).split('_').count(), capitals);
        }
    }

    /// What a recorder shows after `happened`.
    #[cfg(feature = "metrics")]
    fn shown(happened: impl FnOnce()) -> String {
        let builder = metrics_exporter_prometheus::PrometheusBuilder::new();
        let recorder = builder.build_recorder();
        metrics::with_local_recorder(&recorder, happened);
        recorder.handle().render()
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn what_is_described_is_what_is_counted() {
        let text = shown(|| {
            describe();
            rejected(&Rejected::Version(77));
            unknown_key();
            unavailable();
            keys_reloaded("changed");
            revoked("session");
            store_failed("publish");
            gap();
            snapshot(12, 0.5);
            reasserted(3);
            vouched();
            forgotten(5);
            anonymous_since_rose();
            gauges(&ListState {
                entries: 6,
                outstanding: 7,
                lacking: 8,
                unreadable: 9,
                staleness: Duration::from_millis(1500),
            });
        });
        for line in [
            "sealed_session_rejected_total{reason=\"version\"} 1",
            "sealed_session_unknown_key_total 1",
            "sealed_session_unavailable_total 1",
            "sealed_session_key_reloads_total{outcome=\"changed\"} 1",
            "sealed_session_revocations_total{kind=\"session\"} 1",
            "sealed_session_store_errors_total{operation=\"publish\"} 1",
            "sealed_session_gaps_total 1",
            "sealed_session_snapshots_total 1",
            "sealed_session_snapshot_seconds_sum 0.5",
            "sealed_session_reasserted_total 3",
            "sealed_session_vouched_total 1",
            "sealed_session_lacking_entries 8",
            "sealed_session_unreadable_entries 9",
            "sealed_session_expired_total 5",
            "sealed_session_anonymous_since_rose_total 1",
            "sealed_session_list_entries 6",
            "sealed_session_outstanding_revocations 7",
            "sealed_session_staleness_seconds 1.5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
        let described: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
            .collect();
        assert_eq!(
            described,
            METRICS.iter().map(|(_, name, ..)| *name).collect()
        );
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn counters_without_labels_begin_at_zero() {
        let text = shown(describe);
        assert!(
            text.contains("sealed_session_unknown_key_total 0\n"),
            "{text}"
        );
        assert!(!text.contains("sealed_session_rejected_total 0"), "{text}");
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn what_a_client_chooses_is_no_label() {
        use crate::id::KeyId;
        let text = shown(|| {
            for byte in 0..=255 {
                rejected(&Rejected::Version(byte));
                rejected(&Rejected::UnknownKey(KeyId::from_bytes([byte; 16])));
                rejected(&Rejected::RetiredKey(KeyId::from_bytes([byte; 16])));
            }
        });
        let series: Vec<_> = text.lines().filter(|line| line.contains('{')).collect();
        assert_eq!(series.len(), 3, "{text}");
        assert!(series.iter().all(|line| line.ends_with(" 256")), "{text}");
    }
}
