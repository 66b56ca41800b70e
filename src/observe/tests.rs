//! What a recorder is shown.

use super::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[test]
fn a_tag_is_the_same_everywhere_and_says_nothing_of_its_id() {
    let id = *b"0123456789abcdef";
    let text = tag(&id);
    assert_eq!(text, "ac75d2aa");
    assert_eq!(text, tag(&id));
    assert_ne!(text, tag(b"0123456789abcdeg"));
    let plain: [u8; 32] = Sha256::digest(id).into();
    assert!(!text.starts_with(&format!("{:02x}{:02x}", plain[0], plain[1])));
}

#[test]
fn every_metric_has_a_name_of_its_own_that_says_its_type() {
    let names: BTreeSet<_> = METRICS.iter().map(|(_, name, ..)| *name).collect();
    assert_eq!(names.len(), METRICS.len());
    for (kind, name, label, meaning) in METRICS.iter().copied() {
        assert!(name.starts_with("sealed_session_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            kind == MetricKind::Counter,
            "{name}"
        );
        assert!(label.is_empty() || kind == MetricKind::Counter, "{name}");
        assert!(meaning.ends_with('.'), "{name}");
    }
}

/// A reason is called as its variant is.
#[test]
fn reasons_are_named_after_their_variants() {
    use crate::ids::KeyId;
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
        Rejected::ClientChanged,
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
        count(UNKNOWN_KEY, 1);
        count(UNAVAILABLE, 1);
        count(CROSS_SITE, 1);
        keys_reloaded("changed");
        revoked("session");
        store_failed("publish");
        count(GAPS, 1);
        snapshot(12, 0.5);
        count(REASSERTED, 3);
        count(ATTESTED, 1);
        count(EXPIRED, 5);
        count(ANONYMOUS_SINCE_ROSE, 1);
        token_cache(10, 11, 12);
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
        "sealed_session_cross_site_total 1",
        "sealed_session_key_reloads_total{outcome=\"changed\"} 1",
        "sealed_session_revocations_total{kind=\"session\"} 1",
        "sealed_session_store_errors_total{operation=\"publish\"} 1",
        "sealed_session_gaps_total 1",
        "sealed_session_snapshots_total 1",
        "sealed_session_snapshot_seconds_sum 0.5",
        "sealed_session_reasserted_total 3",
        "sealed_session_attested_total 1",
        "sealed_session_lacking_entries 8",
        "sealed_session_unreadable_entries 9",
        "sealed_session_expired_total 5",
        "sealed_session_anonymous_since_rose_total 1",
        "sealed_session_list_entries 6",
        "sealed_session_token_cache_hits_total 10",
        "sealed_session_token_cache_misses_total 11",
        "sealed_session_token_cache_entries 12",
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
    use crate::ids::KeyId;
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
