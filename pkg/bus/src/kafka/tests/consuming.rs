use std::collections::HashSet;

use tokio::sync::Notify;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_handler_becomes_one_job_before_its_offset_is_stored() {
    let (broker, jobs) = (broker().await, Jobs::default());
    jobs.set_down(true);
    broker.publish(vec![event(1)]).await;
    let consumer = broker.consumer(&jobs, |_| async { Err(failure()) });

    // Tried for longer than it takes to commit a stored offset.
    jobs.called(5).await;
    assert_eq!(broker.committed().await, 0);
    jobs.set_down(false);
    jobs.holds(1).await;
    consumer.stop().await;

    assert_eq!(broker.committed().await, 1);
    let taken = jobs.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(
        (taken[0].queue.as_str(), taken[0].kind.as_str()),
        ("order", format!("order.event:{TOPIC}").as_str())
    );
    assert_eq!(
        (taken[0].unique_key.as_str(), taken[0].max_attempts),
        (format!("event:order-mq:{TOPIC}:event-1").as_str(), 1000)
    );
    assert_eq!(taken[0].payload, event(1).payload);
    assert_eq!(taken[0].traceparent[..36], event(1).traceparent[..36]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_takes_is_held_while_the_others_go_on() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    jobs.set_down(true);
    broker.publish((0..40).map(event).collect()).await;
    let consumer = broker.consumer(&jobs, move |delivery| {
        let fails = delivery.id == "event-7";
        let _ = tell.send(delivery);
        async move { if fails { Err(failure()) } else { Ok(()) } }
    });

    assert_eq!(seen.ids(40).await.len(), 40);
    jobs.called(4).await;
    // Those behind it are done, and not committed.
    assert!(broker.committed().await <= 7);
    jobs.set_down(false);
    jobs.holds(1).await;
    consumer.stop().await;
    assert_eq!((broker.committed().await, jobs.taken().len()), (40, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_hand_free_partitions_are_paused_and_nothing_is_lost() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    jobs.set_down(true);
    broker.publish((0..60).map(event).collect()).await;
    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Err(failure()) }
    });
    // All hands hold an event for longer than it takes to pause.
    seen.ids(16).await;
    jobs.called(16 * 6).await;
    jobs.set_down(false);
    jobs.holds(60).await;
    consumer.stop().await;

    let keys: HashSet<String> = jobs.taken().into_iter().map(|job| job.unique_key).collect();
    assert_eq!((keys.len(), broker.committed().await), (60, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_consumer_had_in_hand_is_delivered_again() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    broker.publish(vec![event(1)]).await;
    let first = tell.clone();
    let killed = broker.consumer(&jobs, move |delivery| {
        let _ = first.send(delivery);
        std::future::pending()
    });
    assert_eq!(seen.next().await.id, "event-1");
    killed.kill().await;

    let consumer = broker.consumer(&jobs, move |delivery| {
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    assert_eq!(seen.next().await.id, "event-1");
    consumer.stop().await;
    assert_eq!(broker.committed().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_hand_and_commits_it() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    broker.publish(vec![event(1), event(2)]).await;
    let go_on = Arc::new(Notify::new());
    let gate = go_on.clone();
    let consumer = broker.consumer(&jobs, move |delivery| {
        let waits = delivery.id == "event-2";
        let _ = tell.send(delivery);
        let gate = gate.clone();
        async move {
            if waits {
                gate.notified().await;
            }
            Ok(())
        }
    });
    seen.ids(2).await;
    consumer.stop.cancel();
    go_on.notify_one();
    consumer.stop().await;
    assert_eq!(broker.committed().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_the_partitions_and_each_event_is_handled() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    let consumer = |name: &'static str| {
        let tell = tell.clone();
        broker.consumer(&jobs, move |mut delivery| {
            name.clone_into(&mut delivery.kind);
            let _ = tell.send(delivery);
            async { Ok(()) }
        })
    };
    let (one, two) = (consumer("one"), consumer("two"));

    // Rounds of events on all partitions, until both have had some of a round.
    let (mut sent, mut ids) = (0, HashSet::new());
    let (round, mut shared) = (24, false);
    for _ in 0..60 {
        let events = (sent..sent + round).map(|n| Message {
            key: format!("HSO{n}"),
            ..event(n)
        });
        broker.publish(events.collect()).await;
        sent += round;
        let mut names = HashSet::new();
        while ids.len() < sent {
            let delivery = seen.next().await;
            names.insert(delivery.kind);
            ids.insert(delivery.id);
        }
        shared = names.len() == 2;
        if shared {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(shared, "one of them had nothing to do");
    one.stop().await;
    // The other takes over what the first had.
    broker
        .publish(
            (sent..sent + round)
                .map(|n| Message {
                    key: format!("HSO{n}"),
                    ..event(n)
                })
                .collect(),
        )
        .await;
    while ids.len() < sent + round {
        ids.insert(seen.next().await.id);
    }
    two.stop().await;
    assert_eq!(broker.committed().await, i64::try_from(sent + round).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_event_becomes_a_dead_letter_and_is_in_nobodys_way() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    let mut strange = event(1);
    "not JSON \0".clone_into(&mut strange.payload);
    strange.id.clear();
    "nonsense".clone_into(&mut strange.traceparent);
    let mut long = event(2);
    long.payload = serde_json::json!({ "eventId": "event-2", "more": "x".repeat(20_000) }).to_string();
    broker.publish(vec![strange, long, event(3)]).await;
    let consumer = broker.consumer(&jobs, move |delivery| {
        let fails = delivery.id == "event-2";
        let _ = tell.send(delivery);
        async move { if fails { Err(failure()) } else { Ok(()) } }
    });

    assert_eq!(seen.ids(2).await, ["event-2", "event-3"]);
    jobs.holds(2).await;
    consumer.stop().await;
    assert_eq!(broker.committed().await, 3);
    let mut taken = jobs.taken();
    taken.sort_by_key(|job| job.payload.len());
    let shown: serde_json::Value = serde_json::from_str(&taken[0].payload).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({ "malformed": "not JSON \0", "bytes": 10 })
    );
    assert!(
        taken[0]
            .unique_key
            .starts_with(&format!("event:order-mq:{TOPIC}:{TOPIC}/")),
        "{}",
        taken[0].unique_key
    );
    assert!(
        taken[1].payload.starts_with(r#"{"bytes":20"#),
        "{}",
        &taken[1].payload[..40]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_costs_its_event_a_job_and_nothing_else() {
    let (broker, jobs, (tell, mut seen)) = (broker().await, Jobs::default(), seen());
    broker.publish(vec![event(1), event(2)]).await;
    let consumer = broker.consumer(&jobs, move |delivery| {
        assert_ne!(delivery.id, "event-1", "a panic of the test");
        let _ = tell.send(delivery);
        async { Ok(()) }
    });
    assert_eq!(seen.next().await.id, "event-2");
    jobs.holds(1).await;
    consumer.stop().await;
    assert_eq!(broker.committed().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_rows_waits_for_the_stop() {
    let stop = Stop::new();
    let service = consume(
        config("127.0.0.1:1".to_owned()),
        GROUP,
        Vec::new(),
        Jobs::default().enqueuer(),
        stop.clone(),
    );
    stop.cancel();
    service.await.unwrap();
}
