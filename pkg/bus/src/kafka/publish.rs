use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use homestay_error::{Error, Result};
use homestay_telemetry::trace::TraceContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};

use crate::Message;
use crate::config::KafkaConfig;
use crate::kafka::EVENT_ID;
use crate::kafka::client::{self, DELIVERY_MS};
use crate::kafka::link::Link;

/// librdkafka answers for every message within the delivery time and the second in which it looks; this is for a bug in it.
const PATIENCE: Duration = Duration::from_millis(DELIVERY_MS as u64 + 5_000);

/// Publishes to Kafka. Clones share one client.
#[derive(Clone)]
pub struct KafkaBus(Arc<Inner>);

struct Inner {
    config: KafkaConfig,
    link: Arc<Link>,
    producer: RwLock<FutureProducer<Shared>>,
}

/// The link, as a producer's context.
#[derive(Clone)]
pub(super) struct Shared(Arc<Link>);

impl rdkafka::ClientContext for Shared {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.logged(level, facility, text);
    }

    fn stats(&self, statistics: rdkafka::Statistics) {
        self.0.measured(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.failed(error.rdkafka_error_code(), reason);
    }
}

impl std::fmt::Debug for KafkaBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaBus")
            .field("brokers", &self.0.config.brokers)
            .finish_non_exhaustive()
    }
}

impl KafkaBus {
    /// A client, which connects by and by: that no broker answers is told by [`crate::Bus::publish`].
    ///
    /// # Errors
    /// If no client can be made of the settings, such as a missing `ca_file`.
    pub fn new(config: &KafkaConfig) -> Result<Self> {
        config.validate()?;
        let link = Arc::new(Link::new("relay", &config.brokers));
        let producer = producer(config, &link)?;
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            link,
            producer: RwLock::new(producer),
        })))
    }

    /// Sends all and waits for all. Afterwards nothing of the batch is left in the client: what failed may be sent again, and
    /// what had arrived all the same (its acknowledgement was lost, or others of its batch failed) arrives twice, with the
    /// same event id.
    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        let producer = self.producer();
        let sent = join_all(messages.iter().map(|message| self.send(&producer, message)));
        let Ok(outcomes) = tokio::time::timeout(PATIENCE, sent).await else {
            producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
            return Err(Error::unavailable("Kafka's client does not answer"));
        };
        let mut refusal = None;
        for (message, outcome) in messages.iter().zip(outcomes) {
            let Err(cause) = outcome else { continue };
            if !is_refusal(&cause) {
                self.renew(&producer)?;
                return Err(Error::unavailable(cause));
            }
            refusal.get_or_insert_with(|| {
                Error::invalid("event", format!("{} is refused by Kafka", message.id)).source(cause)
            });
        }
        if !messages.is_empty() && refusal.is_none() {
            self.0.link.answers();
        }
        refusal.map_or(Ok(()), Err)
    }

    async fn send(&self, producer: &FutureProducer<Shared>, message: &Message) -> Result<(), KafkaError> {
        let topic = format!("{}{}", self.0.config.topic_prefix, message.topic);
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header {
                key: EVENT_ID,
                value: Some(&message.id),
            })
            .insert(Header {
                key: TraceContext::HEADER,
                value: Some(&message.traceparent),
            });
        let record = FutureRecord::to(&topic)
            .key(&message.key)
            .payload(&message.payload)
            .headers(headers);
        let queue_timeout = Duration::from_millis(DELIVERY_MS.into());
        let sent = producer.send(record, queue_timeout).await;
        sent.map(|_| ()).map_err(|(cause, _)| cause)
    }

    fn producer(&self) -> FutureProducer<Shared> {
        let producer = self.0.producer.read();
        producer.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client that librdkafka has given up for good is replaced by a new one.
    fn renew(&self, old: &FutureProducer<Shared>) -> Result<()> {
        let Some((_, reason)) = old.client().fatal_error() else {
            return Ok(());
        };
        tracing::warn!(reason, "Kafka's client has failed for good and is replaced");
        let new = producer(&self.0.config, &self.0.link)?;
        *self.0.producer.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

fn producer(config: &KafkaConfig, link: &Arc<Link>) -> Result<FutureProducer<Shared>> {
    FutureProducer::from_config_and_context(&client::producer(config), Shared(link.clone()))
        .map_err(client::refused)
}

/// Whether Kafka will refuse the message again, for what it is. A topic that does not exist, or that we may not write to, says
/// nothing of a message.
fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageProduction(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidArgument
        ) | KafkaError::Nul(_)
    )
}
