//! The metrics: their types, names, labels and meanings.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Gives each a constant for its name, and lists all of them.
macro_rules! metrics {
    ($($constant:ident = $kind:ident, $name:literal, $label:literal, $meaning:literal;)*) => {
        $(pub(crate) const $constant: &str = $name;)*

        /// Each metric: its type, its name, its label (empty if it has none), and what it says.
        pub(super) const METRICS: &[(MetricKind, &str, &str, &str)] =
            &[$((MetricKind::$kind, $name, $label, $meaning)),*];
    };
}

metrics! {
    REJECTED = Counter, "sealed_session_rejected_total", "reason",
        "Session cookies that were refused.";
    IDLE_WITHOUT_ACTIVITY = Counter, "sealed_session_idle_without_activity_total", "",
        "Sessions that were idle for too long and came without an activity cookie.";
    UNKNOWN_KEY = Counter, "sealed_session_unknown_key_total", "",
        "Session cookies whose key this node does not know.";
    UNAVAILABLE = Counter, "sealed_session_unavailable_total", "",
        "Requests answered with 503 because the revocation list could not be trusted.";
    CROSS_SITE = Counter, "sealed_session_cross_site_total", "",
        "Requests of other sites, or without the token that is demanded, that were answered with 403.";
    KEY_RELOADS = Counter, "sealed_session_key_reloads_total", "outcome",
        "Changes of the key file that were found.";
    REVOCATIONS = Counter, "sealed_session_revocations_total", "kind",
        "Revocations that this node was asked for.";
    STORE_ERRORS = Counter, "sealed_session_store_errors_total", "operation",
        "Failed calls of the revocation store.";
    GAPS = Counter, "sealed_session_gaps_total", "",
        "Times that news from the store may have been missed.";
    SNAPSHOTS = Counter, "sealed_session_snapshots_total", "",
        "Snapshots of the store's list that were loaded.";
    SNAPSHOT_SECONDS = Histogram, "sealed_session_snapshot_seconds", "",
        "How long loading a snapshot took.";
    REASSERTED = Counter, "sealed_session_reasserted_total", "",
        "Revocations that the store had lost and was told again.";
    ATTESTED = Counter, "sealed_session_attested_total", "",
        "Times that this node attested that the store has everything back.";
    INDEX_UNREADABLE = Counter, "sealed_session_index_unreadable_total", "",
        "Rows of the index of sessions that were skipped, each time: not understood, or somebody else's.";
    EXPIRED = Counter, "sealed_session_expired_total", "",
        "Revocations that were forgotten because their sessions have ended.";
    ANONYMOUS_SINCE_ROSE = Counter, "sealed_session_anonymous_since_rose_total", "",
        "Times that anonymous sessions were ended to make room for the end of others.";
    LIST_ENTRIES = Gauge, "sealed_session_list_entries", "",
        "Revocations that this node holds.";
    OUTSTANDING = Gauge, "sealed_session_outstanding_revocations", "",
        "Revocations that the store has not taken yet.";
    LACKING = Gauge, "sealed_session_lacking_entries", "",
        "Revocations that the store has lost and that are being restored.";
    UNREADABLE = Gauge, "sealed_session_unreadable_entries", "",
        "Entries of the store that this release cannot read.";
    TOKEN_HITS = Counter, "sealed_session_token_cache_hits_total", "",
        "Tokens that were in the cache, and not opened again.";
    TOKEN_MISSES = Counter, "sealed_session_token_cache_misses_total", "",
        "Tokens that were opened because they were not in the cache.";
    TOKENS = Gauge, "sealed_session_token_cache_entries", "",
        "Opened tokens in the cache of this node.";
    STALENESS = Gauge, "sealed_session_staleness_seconds", "",
        "How long ago this node last knew its list to be complete.";
}
