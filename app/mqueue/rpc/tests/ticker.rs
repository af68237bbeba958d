//! Repeating jobs: the ticker of `homestay_bus` against the real broker, on a clock that stands until it is moved.

mod support;

use std::time::Duration;

use homestay_bus::{Binding, Source, ticker};
use homestay_jobs::Enqueuer;
use homestay_proto::mqueue::result::Outcome;
use homestay_service::Stop;
use homestay_testkit::NOW_MS;
use support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn table() -> Vec<Binding> {
    let nothing = |_| async { Ok(()) };
    vec![
        Binding::new(
            Source::Every {
                kind: "order.sweep",
                period: MINUTE,
            },
            nothing,
        ),
        Binding::new(Source::Job("order.other"), nothing),
    ]
}

/// Waits until the broker has `count` jobs; their due times and keys, oldest first.
async fn ticks(broker: &Broker, count: usize) -> Vec<(i64, String)> {
    for _ in 0..10_000 {
        let jobs = broker.list("").await;
        if jobs.len() >= count {
            let view = |job: &homestay_proto::mqueue::JobView| {
                (job.job.as_ref().unwrap().due_at_ms, job.unique_key.clone())
            };
            return jobs.iter().rev().map(view).collect();
        }
    }
    panic!("only {} of {count} ticks came", broker.list("").await.len());
}

fn tick(at_ms: i64) -> (i64, String) {
    (at_ms, format!("cron:order.sweep:{at_ms}"))
}

#[tokio::test]
async fn every_tick_is_one_job_however_many_replicas_tick_and_a_late_start_does_the_current_one() {
    let broker = standing().await;
    broker.clock.advance(Duration::from_secs(42));
    let stop = Stop::new();
    let replica = || {
        ticker(
            &table(),
            Enqueuer::new(broker.channel()),
            broker.clock.clone(),
            stop.clone(),
        )
    };
    let watch = async {
        assert_eq!(ticks(&broker, 1).await, [tick(NOW_MS)]);
        broker.clock.advance(Duration::from_secs(17));
        assert_eq!(broker.list("").await.len(), 1, "a second before the next tick");
        broker.clock.advance(Duration::from_secs(1));
        assert_eq!(ticks(&broker, 2).await[1], tick(NOW_MS + 60_000));
        // Ticks nobody was there for are not made up for.
        broker.clock.advance(5 * MINUTE);
        assert_eq!(ticks(&broker, 3).await[2], tick(NOW_MS + 360_000));
        stop.cancel();
    };
    let (a, b, ()) = tokio::join!(replica(), replica(), watch);
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(broker.list("").await.len(), 3);
}

#[tokio::test]
async fn a_table_without_ticks_waits_for_the_stop() {
    let broker = standing().await;
    let stop = Stop::new();
    let ticks = ticker(
        &[],
        Enqueuer::new(broker.channel()),
        broker.clock.clone(),
        stop.clone(),
    );
    tokio::pin!(ticks);
    assert!(futures::poll!(&mut ticks).is_pending());
    stop.cancel();
    assert!(ticks.await.is_ok());
}

#[tokio::test]
async fn a_tick_that_failed_or_was_killed_in_hand_is_no_dead_letter_and_goes_after_the_retention() {
    let broker = standing().await;
    let keys = ["cron:order.sweep:0", "order.close:1", "cron:order.sweep:1"];
    broker
        .enqueue(
            keys.map(|key| homestay_proto::mqueue::NewJob {
                max_attempts: 1,
                ..unique("order.a", key)
            })
            .to_vec(),
        )
        .await;
    let claimed = broker.claim("w", 10).await;
    let failed = claimed.iter().take(2).map(|job| ended(job, Outcome::Retry));
    broker.finish(failed.collect()).await;
    broker.clock.advance(config().lease);
    assert!(
        broker.claim("w", 10).await.is_empty(),
        "the lease of the third ran out"
    );

    let done = broker.list("done").await;
    let errors = done.iter().map(|job| job.last_error.is_empty());
    assert_eq!(errors.collect::<Vec<_>>(), [false, false]);
    assert_eq!(broker.list("dead").await.len(), 1);
    broker.clock.advance(config().retention + Duration::from_secs(1));
    broker.sweep().await;

    assert_eq!(broker.only().await.unique_key, "order.close:1");
}
