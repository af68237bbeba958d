//! What moves messages into mq processes: one table `(source, handler)` a process, and the bus that feeds it events.
//!
//! In the same process the relay calls the handlers itself; between processes it publishes to Kafka and consumers call the
//! same handlers. What a handler cannot do becomes a job, unique by its origin: retry, dead letters and replay exist once,
//! in mqueue.
//!
//! Kafka is the cargo feature `kafka` (default), which builds librdkafka with make and a C compiler; cmake is not needed, and
//! nothing of it is looked for at run time. `kafka-tls` adds TLS and SASL with SCRAM, and builds an OpenSSL into the program
//! (with perl): the image then needs the system's certificates or a `ca_file`, and no library. SASL with PLAIN is always there.

mod binding;
mod config;
mod consumer;
#[cfg(feature = "kafka")]
mod kafka;
mod local;
mod ticker;

use homestay_error::Result;

pub use binding::{Binding, Source, groups, handlers, queue_of_group};
pub use config::{KafkaConfig, Mechanism, Security};
#[cfg(feature = "kafka")]
pub use kafka::{KafkaBus, consume, create_topics};
pub use local::LocalBus;
pub use ticker::ticker;

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Partition key: the order number.
    pub key: String,
    /// JSON text.
    pub payload: String,
    /// Id of the event, the same at every delivery.
    pub id: String,
    /// Trace the event belongs to.
    pub traceparent: String,
}

/// Where the relay delivers events.
#[derive(Debug, Clone)]
pub enum Bus {
    /// Consumers in this process.
    Local(LocalBus),
    /// Consumers in other processes.
    #[cfg(feature = "kafka")]
    Kafka(KafkaBus),
}

impl Bus {
    /// Delivers all messages, or fails and may be asked again with the same ones.
    ///
    /// # Errors
    /// If the broker, or the job queue that takes what a handler could not do, does not answer; a refusal if a message is one
    /// that Kafka never takes.
    pub async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        match self {
            Bus::Local(bus) => bus.publish(messages).await,
            #[cfg(feature = "kafka")]
            Bus::Kafka(bus) => bus.publish(messages).await,
        }
    }
}
