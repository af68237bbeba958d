use homestay_error::Code;
use homestay_telemetry::trace;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Headers;
use rdkafka::{Offset, TopicPartitionList};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_with_its_id_and_in_its_trace() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    let traces = Arc::new(Mutex::new(Vec::new()));
    let noted = traces.clone();
    let consumer = broker.consumer(&jobs, move |delivery| {
        noted.lock().unwrap().push(trace::current_header());
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    broker.publish(vec![event(1)]).await;

    let delivery = seen.next().await;
    assert_eq!((delivery.kind.as_str(), delivery.id.as_str()), (TOPIC, "event-1"));
    assert_eq!(delivery.payload, event(1).payload);
    let header = traces.lock().unwrap()[0].clone();
    assert_eq!(header[..36], event(1).traceparent[..36], "the same trace");
    assert_ne!(header, event(1).traceparent, "in a span of its own");
    consumer.stop().await;
    assert!(jobs.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_order_share_a_partition_and_carry_id_and_trace_in_headers() {
    let broker = broker().await;
    broker.publish((0..20).map(event).collect()).await;

    let (client, topic) = (broker.client(), broker.topic());
    let read = move || {
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&topic, partition, Offset::Beginning)
                .unwrap();
        }
        client.assign(&all).unwrap();
        let mut read = Vec::new();
        while read.len() < 20 {
            let message = client.poll(PATIENCE).expect("a message").unwrap();
            let headers: Vec<(String, String)> = message
                .headers()
                .unwrap()
                .iter()
                .map(|h| {
                    let value = String::from_utf8_lossy(h.value.unwrap()).into_owned();
                    (h.key.to_owned(), value)
                })
                .collect();
            let key = String::from_utf8_lossy(message.key().unwrap()).into_owned();
            read.push((message.partition(), key, headers));
        }
        read
    };
    let read = tokio::task::spawn_blocking(read).await.unwrap();
    for (n, (partition, key, headers)) in read.into_iter().enumerate() {
        let sent = event(n);
        assert_eq!(
            headers,
            [
                ("event-id".to_owned(), sent.id),
                ("traceparent".to_owned(), sent.traceparent)
            ]
        );
        // murmur2, as Java clients choose it.
        assert_eq!((partition, key), (murmur2_partition(&sent.key), sent.key));
    }
}

/// Java's default partitioner, for the test's six partitions.
fn murmur2_partition(key: &str) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let data = key.as_bytes();
    let mut h = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap();
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (i, byte) in rest.iter().enumerate().rev() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^= h >> 15;
    i32::try_from(h & 0x7fff_ffff).unwrap() % PARTITIONS
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kafka_never_takes_is_a_refusal_and_the_others_arrive() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    let mut long = event(1);
    long.payload = "x".repeat(2_000_000);
    let mut astray = event(2);
    astray.topic = "no topic".to_owned();
    let mut wrong = vec![long];
    if broker.mock.is_none() {
        // The mock cluster takes any name.
        wrong.push(astray);
    }
    for wrong in wrong {
        let error = broker.bus().publish(vec![event(0), wrong]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{}", error.chain());
        assert!(!error.code().is_transient());
    }
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    assert_eq!(seen.next().await.id, "event-0");
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn librdkafka_knows_every_way_in_that_this_build_accepts() {
    use homestay_config::Secret;

    use crate::{Mechanism, Security};

    let mut made = 0;
    for security in [
        Security::Plaintext,
        Security::Tls,
        Security::SaslPlaintext,
        Security::SaslTls,
    ] {
        for sasl_mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
            let config = KafkaConfig {
                security,
                sasl_mechanism,
                sasl_username: "homestay".to_owned(),
                sasl_password: Secret::new("geheim"),
                ..config("127.0.0.1:1".to_owned())
            };
            if config.validate().is_ok() {
                KafkaBus::new(&config).unwrap();
                made += 1;
            }
        }
    }
    // Without TLS: in the clear, whatever the mechanism says, and with PLAIN.
    assert_eq!(made, if cfg!(feature = "kafka-tls") { 12 } else { 4 });
}
