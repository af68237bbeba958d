//! Kafka, between processes. Built without it, the program says so where it would be needed.

use homestay_bus::{Binding, Bus, KafkaConfig};
use homestay_jobs::Enqueuer;
use homestay_service::ServiceGroup;

#[cfg(feature = "kafka")]
pub use kafka::{add_consumer, add_topics, bus, create_topics};

#[cfg(not(feature = "kafka"))]
pub use without::{add_consumer, add_topics, bus, create_topics};

#[cfg(feature = "kafka")]
mod kafka {
    use std::time::Duration;

    use super::{Binding, Bus, Enqueuer, KafkaConfig, ServiceGroup};

    /// Between two tries to make topics: from the first to the longest.
    const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

    /// Where the relays of this process publish.
    ///
    /// # Errors
    /// A sentence naming the setting that is wrong.
    pub fn bus(config: &KafkaConfig) -> Result<Bus, String> {
        homestay_bus::KafkaBus::new(config)
            .map(Bus::Kafka)
            .map_err(|error| format!("kafka: {}", error.chain()))
    }

    /// Adds the service that consumes what `table` has of topics, as the consumer group `name`.
    pub fn add_consumer(
        group: &mut ServiceGroup,
        name: &'static str,
        config: &KafkaConfig,
        table: &[Binding],
        jobs: &Enqueuer,
    ) {
        let (config, table, jobs) = (config.clone(), table.to_vec(), jobs.clone());
        group.add(format!("{name} consumer"), move |stop| {
            homestay_bus::consume(config, name, table, jobs, stop)
        });
    }

    /// Makes topics.
    ///
    /// # Errors
    /// A sentence naming the brokers, and why there are none.
    pub async fn create_topics(config: &KafkaConfig, topics: &[&str]) -> Result<(), String> {
        homestay_bus::create_topics(config, topics)
            .await
            .map_err(|error| format!("kafka.brokers: {}", error.chain()))
    }

    /// Adds the service that makes the topics that `homestay migrate` could not make, because Kafka did not answer then.
    pub fn add_topics(
        group: &mut ServiceGroup,
        name: &'static str,
        config: &KafkaConfig,
        topics: &'static [&'static str],
    ) {
        let config = config.clone();
        group.add(format!("{name} topics"), move |stop| async move {
            let mut pause = PAUSE.0;
            while let Some(outcome) = stop.run_until_cancelled(create_topics(&config, topics)).await {
                match outcome {
                    Ok(()) => {
                        stop.cancelled().await;
                        break;
                    }
                    Err(reason) => {
                        tracing::warn!(
                            topics = topics.join(", "),
                            "topics are not made yet; events wait in the outbox: {reason}"
                        );
                    }
                }
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(PAUSE.1);
            }
            Ok(())
        });
    }
}

#[cfg(not(feature = "kafka"))]
mod without {
    use super::{Binding, Bus, Enqueuer, KafkaConfig, ServiceGroup};

    const SENTENCE: &str =
        "mode: this program was built without Kafka (cargo feature kafka), and is embedded only";

    pub fn bus(_: &KafkaConfig) -> Result<Bus, String> {
        Err(SENTENCE.to_owned())
    }

    pub fn add_consumer(
        _: &mut ServiceGroup,
        name: &'static str,
        _: &KafkaConfig,
        _: &[Binding],
        _: &Enqueuer,
    ) {
        tracing::error!("{name} consumes nothing: {SENTENCE}");
    }

    #[expect(clippy::unused_async, reason = "as the one with Kafka")]
    pub async fn create_topics(_: &KafkaConfig, _: &[&str]) -> Result<(), String> {
        Err(SENTENCE.to_owned())
    }

    pub fn add_topics(_: &mut ServiceGroup, _: &'static str, _: &KafkaConfig, _: &'static [&'static str]) {}
}
