use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use homestay_telemetry::metrics;
use prometheus::IntGaugeVec;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, Statistics, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::kafka::link::Link;
use crate::kafka::offsets::Offsets;

static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "consumer_lag",
        "Events of this process's partitions that are not done.",
        &["group", "topic"],
    )
});

/// A consumer's side of its group: which partitions it has, and how far it is with them.
pub(super) struct Group {
    name: &'static str,
    prefix: String,
    link: Link,
    offsets: Mutex<Offsets>,
}

impl Group {
    pub(super) fn new(name: &'static str, config: &KafkaConfig) -> Self {
        Self {
            name,
            prefix: config.topic_prefix.clone(),
            link: Link::new(name, &config.brokers),
            offsets: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.link.logged(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.link.measured(&statistics);
        let mut lags: HashMap<&str, i64> = HashMap::new();
        for (name, topic) in &statistics.topics {
            let ours = topic.partitions.values().filter(|p| p.fetch_state == "active");
            let behind = ours.map(|p| match p.consumer_lag_stored {
                // Nothing stored since the start: from where the group had been.
                -1 => p.consumer_lag.max(0),
                lag => lag,
            });
            let name = name.strip_prefix(&self.prefix).unwrap_or(name);
            *lags.entry(name).or_default() += behind.sum::<i64>();
        }
        for (topic, lag) in lags {
            LAG.with_label_values(&[self.name, topic]).set(lag);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.failed(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                tracing::info!(group = self.name, partitions = %listed(partitions), "partitions are ours");
            }
            Rebalance::Revoke(partitions) => {
                let mut offsets = self.offsets();
                for partition in partitions.elements() {
                    offsets.lose(&(partition.topic().to_owned(), partition.partition()));
                }
                tracing::info!(group = self.name, partitions = %listed(partitions), "partitions are no longer ours");
            }
            Rebalance::Error(error) => {
                tracing::warn!(group = self.name, %error, "the group could not be rebalanced");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // The next commit says it again; what is lost in between is delivered twice.
        if let Err(error) = result {
            tracing::debug!(group = self.name, %error, "offsets were not committed");
        }
    }
}

fn listed(partitions: &TopicPartitionList) -> String {
    let names: Vec<String> = partitions
        .elements()
        .iter()
        .map(|p| format!("{}/{}", p.topic(), p.partition()))
        .collect();
    names.join(" ")
}
