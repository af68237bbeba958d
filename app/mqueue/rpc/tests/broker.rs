//! The broker by its calls, on a clock that stands until it is moved.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use homestay_error::{Code, Error};
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::result::Outcome;
use homestay_testkit::{NOW_MS, channel_as};
use support::*;

const SECOND: Duration = Duration::from_secs(1);
/// As [`config`] has it.
const LEASE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_unique_key_is_taken_once_as_long_as_the_job_is_kept() {
    let broker = standing().await;
    assert_eq!(
        broker
            .enqueue(vec![unique("order.a", "k1"), unique("order.b", "k2")])
            .await,
        2
    );
    assert_eq!(
        broker
            .enqueue(vec![
                unique("order.a", "k1"),
                unique("order.c", "k3"),
                unique("order.c", "k3")
            ])
            .await,
        1
    );
    assert_eq!(
        broker.enqueue(vec![job("order.d"), job("order.d")]).await,
        2,
        "no key, no limit"
    );

    // Done jobs hold their key until the sweep after the retention.
    let claimed = broker.claim("w", 10).await;
    broker.finish(claimed.iter().map(done).collect()).await;
    broker.clock.advance(config().retention);
    broker.sweep().await;
    assert_eq!(broker.enqueue(vec![unique("order.a", "k1")]).await, 0);
    broker.clock.advance(SECOND);
    broker.sweep().await;
    assert_eq!(broker.enqueue(vec![unique("order.a", "k1")]).await, 1);
    assert_eq!(broker.list("").await.len(), 1);
}

#[tokio::test]
async fn a_batch_with_a_bad_job_adds_none_and_names_the_field() {
    let broker = standing().await;
    let long = "x".repeat(9000);
    type Spoil = fn(&mut pb::NewJob, &str);
    let cases: [(&str, Spoil); 7] = [
        ("jobs[1].queue", |job, _| job.queue.clear()),
        ("jobs[1].kind", |job, _| job.kind.clear()),
        ("jobs[1].kind", |job, long| job.kind = long.into()),
        ("jobs[1].uniqueKey", |job, long| job.unique_key = long.into()),
        ("jobs[1].payload", |job, long| job.payload = long.into()),
        ("jobs[1].dueAtMs", |job, _| job.due_at_ms = -1),
        ("jobs[1].maxAttempts", |job, _| job.max_attempts = 1001),
    ];
    for (field, spoil) in cases {
        let mut bad = job("order.bad");
        spoil(&mut bad, &long);
        let jobs = vec![job("order.good"), bad];
        let refused = broker
            .client
            .clone()
            .enqueue(pb::EnqueueRequest { jobs })
            .await
            .unwrap_err();
        let refused = Error::from(refused);
        assert_eq!(
            (refused.code(), refused.field_name()),
            (Code::InvalidArgument, Some(field))
        );
    }
    assert_eq!(broker.list("").await, []);
}

#[tokio::test]
async fn nothing_is_claimed_early_and_what_is_due_comes_in_order() {
    let broker = standing().await;
    broker
        .enqueue(vec![
            due("order.late", NOW_MS + 2_000),
            due("order.first", NOW_MS + 1_000),
            due("order.second", NOW_MS + 1_000),
        ])
        .await;
    broker.clock.advance(Duration::from_millis(999));
    assert_eq!(broker.claim("w", 10).await, []);

    broker.clock.advance(Duration::from_millis(1));
    let first = broker.claim("w", 1).await;
    assert_eq!(kinds(&first), ["order.first"]);
    assert_eq!((first[0].attempt, first[0].max_attempts), (1, 3));
    assert_eq!(
        (first[0].due_at_ms, first[0].lease_until_ms),
        (NOW_MS + 1_000, NOW_MS + 9_000)
    );
    broker.clock.advance(SECOND);
    assert_eq!(
        kinds(&broker.claim("w", 10).await),
        ["order.second", "order.late"]
    );
}

#[tokio::test]
async fn a_waiting_claim_wakes_for_a_new_job_for_an_earlier_one_and_for_a_due_time() {
    let broker = standing().await;
    broker
        .enqueue(vec![due("order.much_later", NOW_MS + 60_000)])
        .await;

    let (new, _) = tokio::join!(broker.claim_waiting("w", 1, 20_000), async {
        tokio::task::yield_now().await;
        broker.enqueue(vec![job("order.now")]).await
    });
    assert_eq!(kinds(&new), ["order.now"]);

    let (timed, ()) = tokio::join!(broker.claim_waiting("w", 1, 20_000), async {
        tokio::task::yield_now().await;
        broker.enqueue(vec![due("order.soon", NOW_MS + 5_000)]).await;
        broker.clock.advance(5 * SECOND);
    });
    assert_eq!(kinds(&timed), ["order.soon"]);
}

#[tokio::test]
async fn three_workers_never_get_the_same_job() {
    let broker = standing().await;
    for _ in 0..10 {
        broker
            .enqueue((0..100).map(|i| job(&format!("order.{i}"))).collect())
            .await;
    }
    let work = |worker: &'static str| {
        let broker = &broker;
        async move {
            let mut mine = Vec::new();
            loop {
                let jobs = broker.claim(worker, 7).await;
                if jobs.is_empty() {
                    return mine;
                }
                assert_eq!(
                    broker.finish(jobs.iter().map(done).collect()).await,
                    vec![true; jobs.len()]
                );
                mine.extend(jobs.into_iter().map(|job| job.id));
            }
        }
    };
    let (a, b, c) = tokio::join!(work("a"), work("b"), work("c"));
    assert!(
        !a.is_empty() && !b.is_empty() && !c.is_empty(),
        "all three had work"
    );
    let all: Vec<i64> = [a, b, c].concat();
    assert_eq!(all.len(), 1000);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1000);
}

#[tokio::test]
async fn a_lease_that_ran_out_goes_to_another_worker_and_the_old_token_is_refused() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.a")]).await;
    let old = broker.claim("dead", 1).await;
    broker.clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(broker.claim("w", 1).await, []);

    broker.clock.advance(Duration::from_millis(1));
    let new = broker.claim("w", 1).await;
    assert_eq!((new[0].id, new[0].attempt), (old[0].id, 2));
    assert_ne!(new[0].token, old[0].token);
    assert!(new[0].token < homestay_types::MAX_SAFE_ID);

    for outcome in [Outcome::Done, Outcome::Retry, Outcome::Dead] {
        assert_eq!(broker.finish(vec![ended(&old[0], outcome)]).await, [false]);
    }
    assert_eq!(broker.heartbeat(&old).await, [false]);
    broker.release("dead", &[]).await;
    assert_eq!(
        (
            broker.only().await.state.as_str(),
            broker.only().await.worker.as_str()
        ),
        ("running", "w")
    );

    assert_eq!(
        broker.finish(vec![done(&new[0]), done(&new[0])]).await,
        [true, false],
        "once"
    );
    assert_eq!(broker.finish(vec![done(&new[0])]).await, [false], "over is over");
    assert_eq!(broker.only().await.state, "done");
}

#[tokio::test]
async fn two_claims_share_no_token_even_if_the_first_was_lost_with_the_server() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.a")]).await;
    let lost = broker.claim("w", 1).await;
    // As after a crash that took the commit with it.
    broker
        .test_db
        .db
        .write(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE job SET state = 0, attempt = 0, token = 0, worker = '', next_at_ms = due_at_ms",
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let held = broker.claim("other", 1).await;

    assert_eq!(broker.finish(vec![done(&lost[0])]).await, [false]);
    assert_eq!(broker.finish(vec![done(&held[0])]).await, [true]);
}

#[tokio::test]
async fn a_heartbeat_keeps_a_lease_alive() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.a"), job("order.b")]).await;
    let jobs = broker.claim("w", 2).await;
    for _ in 0..5 {
        broker.clock.advance(LEASE / 2);
        assert_eq!(broker.heartbeat(&jobs[..1]).await, [true]);
    }
    let taken = broker.claim("other", 2).await;
    assert_eq!(kinds(&taken), ["order.b"]);
    assert_eq!(broker.heartbeat(&jobs).await, [true, false]);
}

#[tokio::test]
async fn a_failed_job_comes_back_after_its_backoff_and_dies_when_its_tries_are_used_up() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.a")]).await;
    // Between half and all of 400 ms, 800 ms.
    for (attempt, least, most) in [(1, 200, 400), (2, 400, 800)] {
        let jobs = broker.claim("w", 1).await;
        assert_eq!(jobs[0].attempt, attempt);
        assert_eq!(broker.finish(vec![ended(&jobs[0], Outcome::Retry)]).await, [true]);
        let view = broker.only().await;
        let wait = view.job.as_ref().unwrap().due_at_ms - broker.clock.now_ms();
        assert!((least..=most).contains(&wait), "{wait}");
        assert_eq!(
            (view.state.as_str(), view.last_error.as_str()),
            ("ready", "UNAVAILABLE: no answer")
        );
        assert_eq!(broker.claim("w", 1).await, [], "not before its time");
        broker.clock.advance(Duration::from_millis(wait.unsigned_abs()));
    }
    let last = broker.claim("w", 1).await;
    assert_eq!(last[0].attempt, 3);
    broker.finish(vec![ended(&last[0], Outcome::Retry)]).await;

    let view = broker.only().await;
    assert_eq!(
        (view.state.as_str(), view.finished_at_ms),
        ("dead", broker.clock.now_ms())
    );
    broker.clock.advance(config().retention * 100);
    broker.sweep().await;
    assert_eq!(broker.list("dead").await.len(), 1, "dead letters are kept");
    assert_eq!(broker.claim("w", 1).await, []);
}

#[tokio::test]
async fn a_handler_may_say_when_to_try_again_or_never() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.later"), job("order.never")]).await;
    let jobs = broker.claim("w", 2).await;
    let later = pb::Result {
        retry_after_ms: 1_500,
        ..ended(&jobs[0], Outcome::Retry)
    };
    broker.finish(vec![later, ended(&jobs[1], Outcome::Dead)]).await;
    broker.clock.advance(Duration::from_millis(1_499));
    assert_eq!(broker.claim("w", 2).await, []);
    broker.clock.advance(Duration::from_millis(1));
    assert_eq!(kinds(&broker.claim("w", 2).await), ["order.later"]);
    assert_eq!(
        broker.list("dead").await[0].job.as_ref().unwrap().kind,
        "order.never"
    );
}

#[tokio::test]
async fn a_job_that_takes_every_worker_with_it_ends_as_a_dead_letter() {
    for sweep in [false, true] {
        let broker = standing().await;
        let poison = pb::NewJob {
            max_attempts: 2,
            ..job("order.poison")
        };
        broker.enqueue(vec![poison]).await;
        for _ in 0..2 {
            assert_eq!(broker.claim("dies", 1).await.len(), 1);
            broker.clock.advance(LEASE);
        }
        if sweep {
            broker.sweep().await;
        } else {
            assert_eq!(broker.claim("w", 1).await, []);
        }
        let view = broker.only().await;
        assert_eq!(
            (view.state.as_str(), view.last_error.as_str()),
            ("dead", "the lease ran out")
        );
        assert_eq!(view.job.unwrap().attempt, 2);
    }
}

#[tokio::test]
async fn a_released_job_is_due_at_once_and_its_try_does_not_count() {
    let broker = standing().await;
    broker.enqueue(vec![job("order.a"), job("order.b")]).await;
    let jobs = broker.claim("stops", 2).await;
    broker.release("stops", &jobs[..1]).await;

    let again = broker.claim("w", 2).await;
    assert_eq!(kinds(&again), ["order.b"]);
    assert_eq!(again[0].attempt, 1);
    assert_ne!(again[0].token, jobs[1].token);
    assert_eq!(
        broker.finish(vec![done(&jobs[0]), done(&jobs[1])]).await,
        [true, false]
    );
}

#[tokio::test]
async fn a_stopped_worker_s_waiting_claim_is_sent_home_empty() {
    let broker = standing().await;
    let (jobs, ()) = tokio::join!(broker.claim_waiting("stops", 1, 30_000), async {
        tokio::task::yield_now().await;
        broker.release("stops", &[]).await;
        broker.enqueue(vec![job("order.a")]).await;
    });
    assert_eq!(jobs, []);
    assert_eq!(broker.claim("w", 1).await.len(), 1);
}

#[tokio::test]
async fn a_restart_keeps_jobs_leases_and_keys() {
    let clock = homestay_testkit::clock().0;
    let broker = broker(clock.clone(), config()).await;
    broker
        .enqueue(vec![unique("order.a", "k"), due("order.b", NOW_MS + 60_000)])
        .await;
    let before = broker.claim("w", 1).await;

    let slot = open(broker.test_db.reopen().await, clock.clone(), config());
    let after = Broker {
        client: MqueueClient::new(channel_as(&slot, &service())),
        slot,
        clock,
        ..broker
    };
    assert_eq!(after.enqueue(vec![unique("order.a", "k")]).await, 0);
    assert_eq!(after.claim("w", 1).await, [], "its lease still counts");
    assert_eq!(after.finish(vec![done(&before[0])]).await, [true]);
    after.clock.advance(60 * SECOND);
    assert_eq!(kinds(&after.claim("w", 1).await), ["order.b"]);
}

#[tokio::test]
async fn only_the_enqueueing_waits_for_the_disk() {
    let broker = standing().await;
    let db = &broker.test_db.db;
    if db.dialect() == homestay_db::Dialect::Sqlite {
        return; // It groups what comes together, so that a count says nothing.
    }
    broker.enqueue(vec![job("order.a"), job("order.b")]).await;
    assert_eq!(db.commits(), (1, 0));
    let jobs = broker.claim("w", 2).await;
    assert_eq!(
        broker.finish(vec![done(&jobs[0]), done(&jobs[1])]).await,
        [true, true]
    );
    assert_eq!(db.commits(), (1, 2));
}
