use homestay_error::{Code, Error};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::config::{KafkaConfig, Mechanism, Security};

/// How long an event may wait for Kafka before its publishing has failed and the outbox tries again. A stop may have to wait
/// as long.
pub(super) const DELIVERY_MS: u32 = 5_000;

/// What all clients have in common.
fn client(config: &KafkaConfig, id: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", id)
        // Back within seconds of the broker's return, not within librdkafka's ten.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("retry.backoff.max.ms", "1000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.timeout.ms", "10000")
        .set("socket.keepalive.enable", "true")
        // A topic that is made later is found this late.
        .set("topic.metadata.refresh.interval.ms", "5000")
        .set("statistics.interval.ms", "5000")
        // Topics are made by `homestay migrate` or their owner's process, with the partitions and replicas they are to have,
        // and not by the broker with its own defaults because somebody was quicker to ask.
        .set("allow.auto.create.topics", "false")
        .set("security.protocol", protocol(config.security))
        .set_log_level(RDKafkaLogLevel::Info);
    if matches!(config.security, Security::Tls | Security::SaslTls) {
        // "probe": where Linux distributions keep their certificates; a linked-in OpenSSL knows none by itself.
        let ca = if config.ca_file.is_empty() {
            "probe"
        } else {
            &config.ca_file
        };
        client.set("ssl.ca.location", ca);
    }
    if matches!(config.security, Security::SaslPlaintext | Security::SaslTls) {
        client
            .set("sasl.mechanism", mechanism(config.sasl_mechanism))
            .set("sasl.username", &config.sasl_username)
            .set("sasl.password", config.sasl_password.expose());
    }
    client
}

fn protocol(security: Security) -> &'static str {
    match security {
        Security::Plaintext => "plaintext",
        Security::Tls => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslTls => "sasl_ssl",
    }
}

fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::ScramSha512 => "SCRAM-SHA-512",
    }
}

pub(super) fn admin(config: &KafkaConfig) -> ClientConfig {
    client(config, "homestay-admin")
}

pub(super) fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut producer = client(config, "homestay-relay");
    producer
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", DELIVERY_MS.to_string())
        // The relay hands over whole batches: there is nothing to wait for.
        .set("linger.ms", "1")
        // As Java clients choose the partition of a key, should one of them ever publish here too.
        .set("partitioner", "murmur2_random")
        // A relay has one batch in hand; the outbox is the queue.
        .set("queue.buffering.max.messages", "1000")
        .set("queue.buffering.max.kbytes", "8192");
    producer
}

pub(super) fn consumer(config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut consumer = client(config, &format!("homestay-{group}"));
    consumer
        .set("group.id", format!("{}{group}", config.topic_prefix))
        // Offsets are stored after the effect, and what is stored is committed every second and at the end.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("auto.offset.reset", "earliest")
        // A replica that comes or goes disturbs only the partitions that move. Static membership would need names that
        // stay with a replica, which a Deployment does not give.
        .set("partition.assignment.strategy", "cooperative-sticky")
        // A killed replica's partitions go to the others after this time.
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "3000")
        // Events are small and few are handled at once: a deep queue would only cost memory.
        .set("queued.min.messages", "100")
        .set("queued.max.messages.kbytes", "1024")
        .set("fetch.max.bytes", "1048576")
        .set("fetch.message.max.bytes", "262144")
        .set("fetch.error.backoff.ms", "200");
    consumer
}

/// What is wrong with the settings, as librdkafka says it. Its text names a key and never the password.
pub(super) fn refused(cause: KafkaError) -> Error {
    if let KafkaError::ClientConfig(_, what, key, _) = &cause {
        return Error::with(Code::Internal, format!("Kafka's {key}: {what}"));
    }
    Error::with(Code::Internal, format!("no Kafka client can be made: {cause}")).source(cause)
}
