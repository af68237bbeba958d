//! Kafka between processes, over librdkafka.
//!
//! Publishing is idempotent and waits for every replica in sync; consuming stores an offset after the effect. So an event
//! arrives at least once, and handlers know it by its id.

mod client;
mod consume;
mod group;
mod link;
mod offsets;
mod publish;
mod received;
mod topics;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use consume::consume;
pub use publish::KafkaBus;
pub use topics::create_topics;

/// Header with the event's id.
const EVENT_ID: &str = "event-id";
