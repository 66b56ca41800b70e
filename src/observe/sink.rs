//! Metrics go to the recorder that the application installed (feature `metrics`).

use metrics::Unit;

use super::catalog::MetricKind;

pub(super) const IS_THERE: bool = true;

pub(super) fn describe(kind: MetricKind, name: &'static str, meaning: &'static str) {
    let unit = match name.ends_with("_seconds") {
        true => Unit::Seconds,
        false => Unit::Count,
    };
    match kind {
        MetricKind::Counter => metrics::describe_counter!(name, unit, meaning),
        MetricKind::Gauge => metrics::describe_gauge!(name, unit, meaning),
        MetricKind::Histogram => metrics::describe_histogram!(name, unit, meaning),
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
