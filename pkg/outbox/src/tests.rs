//! The relays over a real table, with a fake of the job broker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use homestay_bus::{Binding, Bus, LocalBus, Source};
use homestay_clock::Clock;
use homestay_error::{Code, Error};
use homestay_jobs::{Delivery, Enqueuer, Failure, NewJob};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_service::Stop;
use homestay_testkit::TestDb;
use homestay_types::{Event, PaymentStatus};
use tonic::{Request, Response, Status};

use crate::{Entry, SCHEMA, push, relay_events, relay_jobs};

const MIGRATIONS: homestay_db::Migrations = &[(1, "outbox", SCHEMA)];

type Reply<T> = Result<Response<T>, Status>;

/// Notes each call's jobs. Calls before `answers_from` are not answered; jobs whose payload says so are refused.
#[derive(Clone, Default)]
struct FakeBroker {
    calls: Arc<Mutex<Vec<Vec<pb::NewJob>>>>,
    answers_from: usize,
    error: Option<Code>,
}

#[tonic::async_trait]
impl Mqueue for FakeBroker {
    async fn enqueue(&self, request: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        let jobs = request.into_inner().jobs;
        let mut calls = self.calls.lock().unwrap();
        calls.push(jobs.clone());
        if calls.len() <= self.answers_from {
            return Err(Error::new(self.error.unwrap_or(Code::Unavailable)).into());
        }
        if jobs.iter().any(|job| job.payload.contains("bad")) {
            return Err(Error::invalid("jobs[0].payload", "must be good").into());
        }
        Ok(Response::new(pb::EnqueueReply::default()))
    }
    async fn claim(&self, _: Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        unreachable!("not called")
    }
    async fn finish(&self, _: Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        unreachable!("not called")
    }
    async fn heartbeat(&self, _: Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        unreachable!("not called")
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        unreachable!("not called")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<Empty> {
        unreachable!("not called")
    }
    async fn list_jobs(&self, _: Request<pb::ListJobsRequest>) -> Reply<pb::ListJobsReply> {
        unreachable!("not called")
    }
    async fn list_queues(&self, _: Request<Empty>) -> Reply<pb::ListQueuesReply> {
        unreachable!("not called")
    }
}

impl FakeBroker {
    fn enqueuer(&self) -> Enqueuer {
        Enqueuer::new(homestay_testkit::fake(MqueueServer::new(self.clone())))
    }

    fn calls(&self) -> Vec<Vec<pb::NewJob>> {
        self.calls.lock().unwrap().clone()
    }
}

async fn outbox(entries: Vec<Entry>) -> TestDb {
    let db = homestay_testkit::sqlite(MIGRATIONS).await;
    let (_, ids) = homestay_testkit::clock();
    db.db
        .write(move |tx| Box::pin(async move { push(tx, &ids, entries).await }))
        .await
        .unwrap();
    db
}

async fn lanes(db: &TestDb) -> Vec<String> {
    sqlx::query_scalar("SELECT lane FROM outbox ORDER BY id")
        .fetch_all(db.db.read())
        .await
        .unwrap()
}

/// Returns when the outbox holds rows of exactly these lanes.
async fn holds(db: &TestDb, want: &[&str]) {
    let wait = async { while lanes(db).await != want {} };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(waited.is_ok(), "{:?} instead of {want:?}", lanes(db).await);
}

/// Relays jobs until the outbox holds rows of exactly these lanes.
async fn relay_until(db: &TestDb, broker: &FakeBroker, want: &[&str]) {
    let stop = Stop::new();
    let relay = relay_jobs("order", db.db.clone(), broker.enqueuer(), stop.clone());
    let (relayed, ()) = tokio::join!(relay, async {
        holds(db, want).await;
        stop.cancel();
    });
    relayed.unwrap();
}

fn job(n: &str) -> NewJob {
    NewJob::new("order.advance", &n)
}

fn event(n: usize) -> PaymentStatus {
    PaymentStatus {
        pay_status: 1,
        order_sn: "HSO2026112110155912345678".parse().unwrap(),
        event_id: format!("event-{n}"),
        payment_sn: "PMT2026112110155912345678".parse().unwrap(),
        amount_cents: 1,
        refunded_cents: 0,
        currency: "CNY".to_owned(),
    }
}

fn bus<F, Fut>(broker: &FakeBroker, run: F) -> Bus
where
    F: Fn(Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let source = Source::Topic {
        topic: PaymentStatus::TOPIC,
        group: "order-mq",
    };
    Bus::Local(LocalBus::new(&[Binding::new(source, run)], broker.enqueuer()))
}

#[tokio::test]
async fn jobs_travel_as_they_were_written_and_all_that_wait_together() {
    let late = job("a").due_at_ms(7).unique("key").max_attempts(1000);
    let db = outbox(vec![Entry::job(late), Entry::job(job("b"))]).await;
    let broker = FakeBroker::default();
    relay_until(&db, &broker, &[]).await;

    let calls = broker.calls();
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    let (first, second) = (&calls[0][0], &calls[0][1]);
    assert_eq!(
        (first.queue.as_str(), first.kind.as_str()),
        ("order", "order.advance")
    );
    assert_eq!(
        (
            first.payload.as_str(),
            first.due_at_ms,
            first.unique_key.as_str(),
            first.max_attempts
        ),
        ("\"a\"", 7, "key", 1000)
    );
    assert_eq!((second.due_at_ms, second.max_attempts), (0, 0));
    assert!(second.unique_key.starts_with("outbox:order:"), "{second:?}");
}

#[tokio::test]
async fn what_is_not_taken_is_kept_and_delivered_again_under_the_same_key() {
    // That the credential is not accepted says nothing of the row either.
    for error in [Code::Unavailable, Code::Unauthenticated] {
        let db = outbox(vec![Entry::job(job("a"))]).await;
        let broker = FakeBroker {
            answers_from: 2,
            error: Some(error),
            ..FakeBroker::default()
        };
        relay_until(&db, &broker, &[]).await;

        let calls = broker.calls();
        assert_eq!(calls.len(), 3, "{error:?}");
        assert!(calls.iter().all(|jobs| *jobs == calls[0]), "{calls:?}");
    }
}

#[tokio::test]
async fn a_refused_row_moves_aside_and_the_others_go_on() {
    let entries = ["a", "bad", "c"].map(|n| Entry::job(job(n)));
    let db = outbox(entries.to_vec()).await;
    let broker = FakeBroker::default();
    relay_until(&db, &broker, &["refused"]).await;

    let taken: Vec<String> = broker.calls()[1..]
        .iter()
        .flatten()
        .map(|job| job.payload.clone())
        .collect();
    assert_eq!(taken, ["\"a\"", "\"bad\"", "\"c\""]);
}

#[tokio::test]
async fn an_event_that_no_handler_can_do_becomes_a_job_with_tries_for_days() {
    let db = outbox(vec![Entry::event(&event(1))]).await;
    let broker = FakeBroker {
        answers_from: 1,
        ..FakeBroker::default()
    };
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = ids.clone();
    let bus = bus(&broker, move |delivery: Delivery| {
        seen.lock().unwrap().push(delivery.id);
        async { Err(Failure::Retry(Error::new(Code::Unavailable))) }
    });
    let stop = Stop::new();
    let (relayed, ()) = tokio::join!(relay_events("payment", db.db.clone(), bus, stop.clone()), async {
        holds(&db, &[]).await;
        stop.cancel();
    });
    relayed.unwrap();

    assert_eq!(*ids.lock().unwrap(), ["event-1", "event-1"]);
    let job = &broker.calls()[1][0];
    assert_eq!(job.kind, format!("order.event:{}", PaymentStatus::TOPIC));
    assert_eq!(
        (job.unique_key.as_str(), job.max_attempts),
        (
            format!("event:order-mq:{}:event-1", PaymentStatus::TOPIC).as_str(),
            1000
        )
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_backlog() {
    let entries = (0..200).map(|n| Entry::event(&event(n))).collect();
    let db = outbox(entries).await;
    let stop = Stop::new();
    let at_once = stop.clone();
    let bus = bus(&FakeBroker::default(), move |_| {
        at_once.cancel();
        async { Ok(()) }
    });
    relay_events("payment", db.db.clone(), bus, stop).await.unwrap();
    assert_eq!(lanes(&db).await.len(), 200 - 64);
}

#[tokio::test]
async fn of_two_processes_each_delivers_its_own_rows_and_the_leader_those_of_the_dead() {
    let Some(test_db) = homestay_testkit::postgres(MIGRATIONS).await else {
        return;
    };
    let (leader, other) = (test_db.reopen().await, test_db.reopen().await);
    let ids = leader.ids(Clock::system());
    leader.seated().await;
    let other_ids = other.ids(Clock::system());
    other.seated().await;
    let mut share = leader.share();
    share
        .wait_for(|share| share.is_some_and(|nodes| nodes & 0b10 == 0))
        .await
        .unwrap();
    for (db, ids, name) in [(&leader, ids, "own"), (&other, other_ids, "others")] {
        let entry = Entry::job(job(name));
        db.write(move |tx| Box::pin(async move { push(tx, &ids, vec![entry]).await }))
            .await
            .unwrap();
    }
    let broker = FakeBroker::default();
    let stop = Stop::new();
    let relay = relay_jobs("order", leader.clone(), broker.enqueuer(), stop.clone());
    let (relayed, ()) = tokio::join!(relay, async {
        holds(&test_db, &["job"]).await;
        assert!(broker.calls()[0][0].payload.contains("own"));
        drop(other);
        holds(&test_db, &[]).await;
        stop.cancel();
    });
    relayed.unwrap();
}
