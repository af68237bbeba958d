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
/// one has fewer partitions than configured is told in the log.
///
/// # Errors
/// A sentence with the brokers' addresses if none answers within ten seconds, or with the topic that Kafka refuses.
pub async fn create_topics(config: &KafkaConfig, topics: &[&str]) -> Result<()> {
    config.validate()?;
    let link = Link::new("admin", &config.brokers);
    let admin =
        AdminClient::from_config_and_context(&client::admin(config), link).map_err(client::refused)?;
    let names: Vec<String> = topics
        .iter()
        .map(|topic| format!("{}{topic}", config.topic_prefix))
        .collect();
    let new: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(
                name,
                config.partitions,
                TopicReplication::Fixed(config.replication),
            )
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE));
    let outcomes = match admin.create_topics(&new, &options).await {
        Ok(outcomes) => outcomes,
        // librdkafka's stand-in, which makes topics as they are asked for.
        Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => Vec::new(),
        Err(cause) => return Err(away(config, cause)),
    };
    for outcome in outcomes {
        match outcome {
            Ok(topic) => tracing::info!(
                topic,
                partitions = config.partitions,
                replication = config.replication,
                "topic made"
            ),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::RequestTimedOut)) => {
                let what = format!(
                    "Kafka at {} did not make the topic {topic} in time",
                    config.brokers
                );
                return Err(Error::with(Code::Unavailable, what));
            }
            Err((topic, code)) => {
                let what = format!(
                    "Kafka at {} does not make the topic {topic}: {code}",
                    config.brokers
                );
                return Err(Error::with(Code::Internal, what));
            }
        }
    }
    let (checked, config) = (names, config.clone());
    tokio::task::spawn_blocking(move || check(&admin, &config, &checked))
        .await
        .map_err(Error::internal)?
}

/// Looks at what there is now. Blocks for an answer of Kafka.
fn check(admin: &AdminClient<Link>, config: &KafkaConfig, names: &[String]) -> Result<()> {
    for name in names {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(name), PATIENCE)
            .map_err(|cause| away(config, cause))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            let what = format!("Kafka at {} has no topic {name}", config.brokers);
            return Err(Error::with(Code::Unavailable, what));
        }
        if i32::try_from(partitions).is_ok_and(|there| there < config.partitions) {
            tracing::warn!(
                topic = name,
                partitions,
                configured = config.partitions,
                "the topic has fewer partitions than configured; more replicas of a consumer than partitions are idle"
            );
        }
    }
    Ok(())
}

fn away(config: &KafkaConfig, cause: KafkaError) -> Error {
    Error::with(
        Code::Unavailable,
        format!("Kafka at {} does not answer", config.brokers),
    )
    .source(cause)
}
