use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_publishing_fails_in_time_and_succeeds_when_it_is_back() {
    let (broker, jobs, (tell, mut seen)) = (mock_broker().await, Jobs::default(), seen());
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    let bus = broker.bus();
    bus.publish(vec![event(0)]).await.unwrap();
    assert_eq!(seen.next().await.id, "event-0");

    broker.mock().down();
    let began = Instant::now();
    let error = bus.publish((1..=64).map(event).collect()).await.unwrap_err();
    assert!(error.code().is_transient(), "{}", error.chain());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");

    broker.mock().up();
    let back = Instant::now();
    while bus.publish((1..=64).map(event).collect()).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(30));
    }
    let mut ids = std::collections::HashSet::new();
    while ids.len() < 64 {
        ids.insert(seen.next().await.id);
    }
    assert!(back.elapsed() < Duration::from_secs(30), "{:?}", back.elapsed());
    consumer.stop().await;
    assert!(broker.committed().await >= 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_at_the_start_a_consumer_waits_for_it() {
    let (broker, jobs, (tell, mut seen)) = (mock_broker().await, Jobs::default(), seen());
    broker.publish(vec![event(1)]).await;
    broker.mock().down();
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    broker.mock().up();
    let back = Instant::now();
    assert_eq!(seen.next().await.id, "event-1");
    assert!(back.elapsed() < Duration::from_secs(30), "{:?}", back.elapsed());
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_broker_that_is_away() {
    let (broker, jobs, (tell, mut seen)) = (mock_broker().await, Jobs::default(), seen());
    broker.publish(vec![event(1)]).await;
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    seen.next().await;
    broker.mock().down();
    let began = Instant::now();
    consumer.stop().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}
