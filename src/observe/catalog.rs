//! The metrics: their names, types and meanings.

pub(super) const REJECTED: &str = "sealed_session_rejected_total";
pub(super) const UNKNOWN_KEY: &str = "sealed_session_unknown_key_total";
pub(super) const UNAVAILABLE: &str = "sealed_session_unavailable_total";
pub(super) const KEY_RELOADS: &str = "sealed_session_key_reloads_total";
pub(super) const REVOCATIONS: &str = "sealed_session_revocations_total";
pub(super) const IDLE_WITHOUT_ACTIVITY: &str = "sealed_session_idle_without_activity_total";
pub(super) const STORE_ERRORS: &str = "sealed_session_store_errors_total";
pub(super) const GAPS: &str = "sealed_session_gaps_total";
pub(super) const SNAPSHOTS: &str = "sealed_session_snapshots_total";
pub(super) const SNAPSHOT_SECONDS: &str = "sealed_session_snapshot_seconds";
pub(super) const REASSERTED: &str = "sealed_session_reasserted_total";
pub(super) const ATTESTED: &str = "sealed_session_attested_total";
pub(super) const UNREADABLE: &str = "sealed_session_unreadable_entries";
pub(super) const LACKING: &str = "sealed_session_lacking_entries";
pub(super) const EXPIRED: &str = "sealed_session_expired_total";
pub(super) const ANONYMOUS_SINCE_ROSE: &str = "sealed_session_anonymous_since_rose_total";
pub(super) const LIST_ENTRIES: &str = "sealed_session_list_entries";
pub(super) const OUTSTANDING: &str = "sealed_session_outstanding_revocations";
pub(super) const STALENESS: &str = "sealed_session_staleness_seconds";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Each metric: its type, its name, its label if it has one, and what it says.
pub(super) const METRICS: [(MetricKind, &str, Option<&str>, &str); 19] = [
    (
        MetricKind::Counter,
        REJECTED,
        Some("reason"),
        "Session cookies that were refused.",
    ),
    (
        MetricKind::Counter,
        IDLE_WITHOUT_ACTIVITY,
        None,
        "Sessions that were idle for too long and came without an activity cookie.",
    ),
    (
        MetricKind::Counter,
        UNKNOWN_KEY,
        None,
        "Session cookies whose key this node does not know.",
    ),
    (
        MetricKind::Counter,
        UNAVAILABLE,
        None,
        "Requests answered with 503 because the revocation list could not be trusted.",
    ),
    (
        MetricKind::Counter,
        KEY_RELOADS,
        Some("outcome"),
        "Changes of the key file that were found.",
    ),
    (
        MetricKind::Counter,
        REVOCATIONS,
        Some("kind"),
        "Revocations that this node was asked for.",
    ),
    (
        MetricKind::Counter,
        STORE_ERRORS,
        Some("operation"),
        "Failed calls of the revocation store.",
    ),
    (
        MetricKind::Counter,
        GAPS,
        None,
        "Times that news from the store may have been missed.",
    ),
    (
        MetricKind::Counter,
        SNAPSHOTS,
        None,
        "Snapshots of the store's list that were loaded.",
    ),
    (
        MetricKind::Histogram,
        SNAPSHOT_SECONDS,
        None,
        "How long loading a snapshot took.",
    ),
    (
        MetricKind::Counter,
        REASSERTED,
        None,
        "Revocations that the store had lost and was told again.",
    ),
    (
        MetricKind::Counter,
        ATTESTED,
        None,
        "Times that this node attested that the store has everything back.",
    ),
    (
        MetricKind::Counter,
        EXPIRED,
        None,
        "Revocations that were forgotten because their sessions have ended.",
    ),
    (
        MetricKind::Counter,
        ANONYMOUS_SINCE_ROSE,
        None,
        "Times that anonymous sessions were ended to make room for the end of others.",
    ),
    (
        MetricKind::Gauge,
        LIST_ENTRIES,
        None,
        "Revocations that this node holds.",
    ),
    (
        MetricKind::Gauge,
        OUTSTANDING,
        None,
        "Revocations that the store has not taken yet.",
    ),
    (
        MetricKind::Gauge,
        LACKING,
        None,
        "Revocations that the store has lost and is being given back.",
    ),
    (
        MetricKind::Gauge,
        UNREADABLE,
        None,
        "Entries of the store that this release cannot read.",
    ),
    (
        MetricKind::Gauge,
        STALENESS,
        None,
        "How long ago this node last knew its list to be complete.",
    ),
];
