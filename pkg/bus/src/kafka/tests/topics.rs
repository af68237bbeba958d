use std::time::Instant;

use homestay_error::Code;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_those_that_exist_stay() {
    let broker = bare();
    if broker.mock.is_some() {
        // The mock cluster has no admin API.
        broker.create().await;
    }
    for partitions in [PARTITIONS, PARTITIONS, PARTITIONS + 1] {
        let config = KafkaConfig {
            partitions,
            ..broker.config.clone()
        };
        create_topics(&config, &[TOPIC]).await.unwrap();
    }
    let (client, topic) = (broker.client(), broker.topic());
    let count = move || {
        let metadata = client.fetch_metadata(Some(&topic), PATIENCE).unwrap();
        metadata.topics()[0].partitions().len()
    };
    let partitions = tokio::task::spawn_blocking(count).await.unwrap();
    assert_eq!(i32::try_from(partitions), Ok(PARTITIONS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_is_named_in_time() {
    let began = Instant::now();
    let error = create_topics(&config("127.0.0.1:1".to_owned()), &[TOPIC])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(error.message(), "Kafka at 127.0.0.1:1 does not answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_after_the_consumers_start_is_found() {
    let (broker, jobs, (tell, mut seen)) = (bare(), Jobs::default(), seen());
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    broker.create().await;
    broker.publish(vec![event(1)]).await;
    let began = Instant::now();
    assert_eq!(seen.next().await.id, "event-1");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    consumer.stop().await;
}
