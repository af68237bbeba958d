use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use homestay_error::{Code, Error, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::KafkaConfig;
use crate::kafka::client;
use crate::kafka::link::Link;

/// Longest wait for an answer of Kafka.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the topics that do not exist, with the configured partitions and replication. Those that exist stay as they are; that
/// one has fewer partitions or replicas than configured is told in the log.
///
/// # Errors
/// A sentence with the brokers' addresses if none answers within ten seconds, or with the topic that Kafka refuses.
pub async fn create_topics(config: &KafkaConfig, topics: &[&str]) -> Result<()> {
    config.validate()?;
    let link = Link::new("admin", &config.brokers);
    let admin =
        AdminClient::from_config_and_context(&client::admin(config), link).map_err(client::refused)?;
    let admin = Arc::new(admin);
    let there = existing(&admin, config).await?;
    let names: Vec<String> = topics
        .iter()
        .map(|topic| format!("{}{topic}", config.topic_prefix))
        .collect();
    for name in &names {
        let Some(Shape {
            partitions,
            replication,
        }) = there.get(name)
        else {
            continue;
        };
        if is_less(*partitions, config.partitions) {
            tracing::warn!(
                topic = name,
                partitions,
                configured = config.partitions,
                "the topic has fewer partitions than configured; replicas of a consumer beyond them are idle"
            );
        }
        if is_less(*replication, config.replication) {
            tracing::warn!(
                topic = name,
                replication,
                configured = config.replication,
                "the topic has fewer replicas than configured; events are lost with the brokers that have them"
            );
        }
    }
    let new: Vec<NewTopic<'_>> = names
        .iter()
        .filter(|name| !there.contains_key(*name))
        .map(|name| {
            NewTopic::new(
                name,
                config.partitions,
                TopicReplication::Fixed(config.replication),
            )
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let options = AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE));
    let outcomes = admin.create_topics(&new, &options).await;
    for outcome in outcomes.map_err(|cause| away(config, cause))? {
        match outcome {
            Ok(topic) => tracing::info!(
                topic,
                partitions = config.partitions,
                replication = config.replication,
                "topic made"
            ),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                let what = format!(
                    "Kafka at {} does not make the topic {topic}: {code}",
                    config.brokers
                );
                return Err(Error::with(Code::Internal, what));
            }
        }
    }
    Ok(())
}

/// What a topic was made with.
struct Shape {
    partitions: usize,
    /// Of the partition that has fewest.
    replication: usize,
}

fn is_less(there: usize, configured: i32) -> bool {
    i32::try_from(there).is_ok_and(|there| there < configured)
}

/// All topics. Not asked for by name: a broker may make a topic that is asked for.
async fn existing(admin: &Arc<AdminClient<Link>>, config: &KafkaConfig) -> Result<HashMap<String, Shape>> {
    let admin = admin.clone();
    let ask = move || admin.inner().fetch_metadata(None, PATIENCE);
    let metadata = tokio::task::spawn_blocking(ask)
        .await
        .map_err(Error::internal)?
        .map_err(|cause| away(config, cause))?;
    let topics = metadata.topics().iter();
    Ok(topics
        .map(|topic| {
            let partitions = topic.partitions();
            let replicas = partitions.iter().map(|partition| partition.replicas().len());
            let shape = Shape {
                partitions: partitions.len(),
                replication: replicas.min().unwrap_or_default(),
            };
            (topic.name().to_owned(), shape)
        })
        .collect())
}

fn away(config: &KafkaConfig, cause: KafkaError) -> Error {
    Error::with(
        Code::Unavailable,
        format!("Kafka at {} does not answer", config.brokers),
    )
    .source(cause)
}
