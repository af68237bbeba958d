//! Prometheus metrics: base units, `homestay_` prefix, bounded labels.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, TextEncoder};

/// Latency buckets in seconds: from an in-process call to the request deadline.
const SECONDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0,
];

/// A counter `homestay_<name>` with labels, in the default registry.
///
/// # Panics
/// If the name is registered twice or is no metric name: both are mistakes in the program.
#[must_use]
pub fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let counter =
        IntCounterVec::new(Opts::new(format!("homestay_{name}"), help), labels).expect("a metric name");
    prometheus::register(Box::new(counter.clone())).expect("registered once");
    counter
}

/// A gauge `homestay_<name>` with labels, in the default registry.
///
/// # Panics
/// As [`counter`].
#[must_use]
pub fn gauge(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let gauge = IntGaugeVec::new(Opts::new(format!("homestay_{name}"), help), labels).expect("a metric name");
    prometheus::register(Box::new(gauge.clone())).expect("registered once");
    gauge
}

/// A histogram of seconds `homestay_<name>` with labels, in the default registry.
///
/// # Panics
/// As [`counter`].
#[must_use]
pub fn seconds(name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let opts = HistogramOpts::new(format!("homestay_{name}"), help).buckets(SECONDS.to_vec());
    let histogram = HistogramVec::new(opts, labels).expect("a metric name");
    prometheus::register(Box::new(histogram.clone())).expect("registered once");
    histogram
}

/// Rate, errors and duration of one kind of work: `homestay_<kind>_total{<label>,code}` and
/// `homestay_<kind>_duration_seconds{<label>}`.
#[derive(Debug, Clone)]
pub struct Red {
    total: IntCounterVec,
    duration: HistogramVec,
}

impl Red {
    /// Registers both series. Keep it in a `static LazyLock`.
    #[must_use]
    pub fn new(kind: &str, label: &str, help: &str) -> Self {
        Self {
            total: counter(
                &format!("{kind}_total"),
                &format!("{help}: count by outcome."),
                &[label, "code"],
            ),
            duration: seconds(
                &format!("{kind}_duration_seconds"),
                &format!("{help}: duration."),
                &[label],
            ),
        }
    }

    /// Counts one piece of work.
    pub fn observe(&self, what: &str, code: &str, took: Duration) {
        self.total.with_label_values(&[what, code]).inc();
        self.duration
            .with_label_values(&[what])
            .observe(took.as_secs_f64());
    }
}

/// All metrics of the process in Prometheus' text format 0.0.4.
#[must_use]
pub fn render() -> String {
    TextEncoder::new()
        .encode_to_string(&prometheus::gather())
        .unwrap_or_default()
}
