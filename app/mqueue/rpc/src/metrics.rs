//! The broker's metrics. Queues are named by our own processes, so the labels are bounded.

use std::sync::LazyLock;

use homestay_telemetry::metrics;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::rules::State;

/// What became of jobs.
pub(crate) static JOBS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "mqueue_jobs_total",
        "Jobs by what happened to them: enqueued, known, claimed, done, retried, dead, missed (ticks), refused, released.",
        &["queue", "event"],
    )
});
/// Claim minus due time.
pub(crate) static LATENESS: LazyLock<HistogramVec> = LazyLock::new(|| {
    metrics::seconds(
        "mqueue_lateness_seconds",
        "Time from a job's due time to its claim.",
        &["queue"],
    )
});
/// Jobs in the table.
pub(crate) static QUEUE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "mqueue_queue_jobs",
        "Jobs in the table at the last sweep.",
        &["queue", "state"],
    )
});
/// Whole seconds.
pub(crate) static OLDEST: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "mqueue_oldest_due_seconds",
        "Age of the oldest due job at the last sweep.",
        &["queue"],
    )
});

/// Counts what happened to jobs.
pub(crate) fn count(queue: &str, event: &str, jobs: usize) {
    if jobs > 0 {
        JOBS.with_label_values(&[queue, event])
            .inc_by(u64::try_from(jobs).unwrap_or(u64::MAX));
    }
}

/// The event of a job that is out of tries, by the state it has then.
pub(crate) fn given_up(state: State) -> &'static str {
    match state {
        State::Done => "missed",
        State::Ready | State::Running | State::Dead => "dead",
    }
}

/// Rings between replicas.
pub(crate) static BELL: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "mqueue_bell_rings_total",
        "Rings between replicas by what happened to them: rung, heard, dropped.",
        &["event"],
    )
});
/// The two connections to Redis.
pub(crate) static BELL_UP: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "mqueue_bell_connected",
        "Whether the bell's connection to Redis stands (1) or not (0).",
        &["line"],
    )
});
