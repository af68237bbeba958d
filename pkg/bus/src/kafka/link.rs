use std::sync::{LazyLock, Mutex, PoisonError};

use homestay_telemetry::metrics;
use prometheus::IntGaugeVec;
use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

static UP: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "kafka_up",
        "Whether Kafka answers, 0 or 1, by client.",
        &["client"],
    )
});
static QUEUE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "kafka_queued_messages",
        "Events handed to Kafka's client and not yet acknowledged.",
        &["client"],
    )
});

/// What one client knows of its connection to Kafka. It tells a change once, however often librdkafka does.
pub(super) struct Link {
    client: &'static str,
    brokers: String,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    away: bool,
    last: Option<RDKafkaErrorCode>,
}

impl Link {
    /// `client` is the consumer group, or `relay`.
    pub(super) fn new(client: &'static str, brokers: &str) -> Self {
        Self {
            client,
            brokers: brokers.to_owned(),
            trouble: Mutex::default(),
        }
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kafka has answered.
    pub(super) fn answers(&self) {
        let was = std::mem::take(&mut *self.trouble());
        UP.with_label_values(&[self.client]).set(1);
        if was.away || was.last.is_some() {
            tracing::info!(client = self.client, brokers = %self.brokers, "Kafka answers again");
        }
    }

    /// Kafka does not do what it should, for `code`.
    pub(super) fn failed(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        let mut trouble = self.trouble();
        match code {
            // All are gone: the one thing that matters.
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                UP.with_label_values(&[self.client]).set(0);
                if !std::mem::replace(&mut trouble.away, true) {
                    tracing::warn!(client = self.client, brokers = %self.brokers,
                        "Kafka does not answer; what waits for it is kept");
                }
            }
            // One of several, or the first sign of the above.
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
                tracing::debug!(client = self.client, reason, "Kafka");
            }
            code => {
                if trouble.last.is_none() || trouble.last != code {
                    trouble.last = code;
                    tracing::warn!(client = self.client, brokers = %self.brokers, reason, "Kafka");
                }
            }
        }
    }

    /// librdkafka's own log. It repeats every failed connection as an error: [`Link::failed`] tells that once.
    pub(super) fn logged(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let client = self.client;
        match level {
            _ if matches!(facility, "FAIL" | "ERROR" | "REQTMOUT" | "GETPID" | "SESSTMOUT") => {
                tracing::debug!(client, facility, text, "librdkafka");
            }
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!(client, facility, text, "librdkafka"),
            RDKafkaLogLevel::Warning => tracing::warn!(client, facility, text, "librdkafka"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(client, facility, text, "librdkafka");
            }
        }
    }

    pub(super) fn measured(&self, statistics: &Statistics) {
        let queued = i64::try_from(statistics.msg_cnt).unwrap_or(i64::MAX);
        QUEUE.with_label_values(&[self.client]).set(queued);
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.answers();
        }
    }
}

impl ClientContext for Link {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.logged(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.measured(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.failed(error.rdkafka_error_code(), reason);
    }
}
