//! The worker of `homestay_jobs` against the real broker, in real time with short leases: its timing is the subject.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use homestay_clock::Clock;
use homestay_error::{Code, Error};
use homestay_jobs::{Delivery, Failure, Handler, WorkerConfig, handler, work};
use homestay_proto::mqueue as pb;
use homestay_rpc::LocalSlot;
use homestay_service::Stop;
use homestay_telemetry::trace;
use homestay_testkit::channel_as;
use mqueue_rpc::Config;
use support::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A worker that runs until it is told to stop.
struct Running {
    stop: Stop,
    task: JoinHandle<Outcome>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn worker_config() -> WorkerConfig {
    WorkerConfig {
        queue: "order".into(),
        name: "order-mq".into(),
        concurrency: 4,
        wait: Duration::from_secs(20),
        grace: Duration::from_secs(5),
    }
}

fn start(
    slot: &LocalSlot,
    config: WorkerConfig,
    handlers: impl IntoIterator<Item = (&'static str, Handler)>,
) -> Running {
    let stop = Stop::new();
    let handlers: HashMap<String, Handler> = handlers
        .into_iter()
        .map(|(kind, handler)| (kind.to_owned(), handler))
        .collect();
    let run = work(channel_as(slot, &service()), config, handlers, stop.clone());
    #[expect(clippy::disallowed_methods, reason = "the test awaits it")]
    let task = tokio::spawn(run);
    Running { stop, task }
}

/// Asks again until the broker shows what is expected.
async fn until(broker: &Broker, what: &str, seen: impl Fn(&[pb::JobView]) -> bool) -> Vec<pb::JobView> {
    let began = Instant::now();
    loop {
        let jobs = broker.list("").await;
        if seen(&jobs) {
            return jobs;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {jobs:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn all(state: &str) -> impl Fn(&[pb::JobView]) -> bool + '_ {
    move |jobs| jobs.iter().all(|job| job.state == state)
}

async fn quick(lease_ms: u64) -> Broker {
    let config = Config {
        lease: Duration::from_millis(lease_ms),
        ..config()
    };
    broker(Clock::system(), config).await
}

fn unavailable() -> Error {
    Error::new(Code::Unavailable)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_tried_again_until_it_succeeds_and_each_try_knows_its_number_and_token() {
    let broker = quick(2_000).await;
    let (seen, mut tries) = mpsc::unbounded_channel();
    let flaky = handler(move |delivery: Delivery| {
        let seen = seen.clone();
        async move {
            seen.send((delivery.attempt, delivery.token)).unwrap();
            match delivery.attempt {
                1 => Err(Failure::RetryAfter(unavailable(), Duration::from_millis(30))),
                2 => Err(unavailable().into()),
                _ => Ok(()),
            }
        }
    });
    let worker = start(&broker.slot, worker_config(), [("order.flaky", flaky)]);
    broker.enqueue(vec![job("order.flaky")]).await;

    let jobs = until(&broker, "done", all("done")).await;
    assert_eq!(jobs[0].job.as_ref().unwrap().attempt, 3);
    assert!(
        jobs[0].last_error.starts_with("UNAVAILABLE: "),
        "{}",
        jobs[0].last_error
    );
    worker.stop().await;
    let mut all = Vec::new();
    while let Some(one) = tries.recv().await {
        all.push(one);
    }
    let tries: Vec<i64> = all.iter().map(|(attempt, _)| *attempt).collect();
    assert_eq!(tries, [1, 2, 3]);
    assert!(all.windows(2).all(|two| two[0].1 != two[1].1), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_tried_again_and_harms_nobody_else() {
    let broker = quick(2_000).await;
    let wild = handler(|delivery: Delivery| async move {
        assert!(delivery.attempt > 1, "boom");
        Ok(())
    });
    let slow = handler(|_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    });
    broker
        .enqueue(vec![job("order.slow"), job("order.wild"), job("order.slow")])
        .await;
    let worker = start(
        &broker.slot,
        worker_config(),
        [("order.wild", wild), ("order.slow", slow)],
    );

    let jobs = until(&broker, "done", all("done")).await;
    let attempts: Vec<i64> = jobs.iter().map(|job| job.job.as_ref().unwrap().attempt).collect();
    assert_eq!(attempts, [1, 2, 1]);
    assert_eq!(jobs[1].last_error, "INTERNAL: the handler panicked");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_an_unreadable_payload_and_an_unknown_kind_are_dead_at_once() {
    let broker = quick(2_000).await;
    let refuse = handler(|_| async { Err(Error::new(Code::OrderNotFound).into()) });
    let read = handler(|delivery: Delivery| async move { delivery.read::<Vec<i64>>().map(|_| ()) });
    broker
        .enqueue(vec![
            job("order.refuse"),
            job("order.read"),
            job("order.nobody_knows"),
        ])
        .await;
    let worker = start(
        &broker.slot,
        worker_config(),
        [("order.refuse", refuse), ("order.read", read)],
    );

    let jobs = until(&broker, "dead", all("dead")).await;
    let errors: Vec<&str> = jobs.iter().rev().map(|job| job.last_error.as_str()).collect();
    assert_eq!(
        errors,
        [
            "ORDER_NOT_FOUND: order no exists",
            "INVALID_ARGUMENT: unreadable payload",
            "NOT_FOUND: no handler for jobs of this kind"
        ]
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_longer_than_its_lease_runs_once() {
    let broker = quick(300).await;
    let runs = Arc::new(AtomicI64::new(0));
    let counted = runs.clone();
    let long = handler(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            Ok(())
        }
    });
    let workers = [(); 2].map(|()| start(&broker.slot, worker_config(), [("order.long", long.clone())]));
    broker.enqueue(vec![job("order.long")]).await;

    let jobs = until(&broker, "done", all("done")).await;
    assert_eq!(
        (jobs[0].job.as_ref().unwrap().attempt, runs.load(Ordering::SeqCst)),
        (1, 1)
    );
    for worker in workers {
        worker.stop().await;
    }
}

/// Tells when it is dropped.
struct Cut(Option<oneshot::Sender<()>>);

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_lease_was_lost_is_cut() {
    // The broker's time is ours; the worker's heartbeat runs by its own.
    let clock = homestay_testkit::clock().0;
    let lease = Duration::from_millis(300);
    let broker = broker(clock, Config { lease, ..config() }).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let endless = handler(move |_| {
        let (tell, told) = oneshot::channel();
        begun.send(told).unwrap();
        async move {
            let _cut = Cut(Some(tell));
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    let config = WorkerConfig {
        concurrency: 1,
        ..worker_config()
    };
    let worker = start(&broker.slot, config, [("order.endless", endless)]);
    broker.enqueue(vec![job("order.endless")]).await;
    let cut = begins.recv().await.unwrap();

    broker.clock.advance(lease);
    let taken = broker.claim("thief", 1).await;
    assert_eq!(taken[0].attempt, 2);
    tokio::time::timeout(Duration::from_secs(10), cut)
        .await
        .unwrap()
        .unwrap();
    worker.stop().await;
    assert_eq!(
        broker.only().await.worker,
        "thief",
        "the cut worker has not touched the new lease"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_jobs_end_and_hands_back_what_does_not() {
    let broker = quick(60_000).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let tell = move |delivery: &Delivery| begun.send(delivery.kind.clone()).unwrap();
    let short = {
        let tell = tell.clone();
        handler(move |delivery| {
            tell(&delivery);
            async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(())
            }
        })
    };
    let endless = handler(move |delivery| {
        tell(&delivery);
        std::future::pending()
    });
    broker
        .enqueue(vec![
            job("order.short"),
            job("order.endless"),
            job("order.waits"),
            job("order.waits"),
        ])
        .await;
    let config = WorkerConfig {
        concurrency: 2,
        grace: Duration::from_millis(800),
        ..worker_config()
    };
    let worker = start(
        &broker.slot,
        config,
        [("order.short", short), ("order.endless", endless)],
    );
    for _ in 0..2 {
        begins.recv().await.unwrap();
    }
    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());

    let jobs = broker.list("").await;
    let view = |job: &pb::JobView| (job.state.clone(), job.job.as_ref().unwrap().attempt);
    let seen: Vec<(String, i64)> = jobs.iter().rev().map(view).collect();
    let want = [("done", 1), ("ready", 0), ("ready", 0), ("ready", 0)].map(|(s, n)| (s.to_owned(), n));
    assert_eq!(seen, want);
    assert_eq!(
        broker.claim("next", 4).await.len(),
        3,
        "due at once for the next worker"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_stops_at_once_although_its_claim_waits() {
    let broker = quick(2_000).await;
    let ok = handler(|_| async { Ok(()) });
    let worker = start(&broker.slot, worker_config(), [("order.a", ok)]);
    broker.enqueue(vec![job("order.a")]).await;
    until(&broker, "done", all("done")).await;

    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    broker.enqueue(vec![job("order.a")]).await;
    assert_eq!(
        broker.claim("next", 1).await.len(),
        1,
        "nothing was taken after the stop"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_outlives_a_broker_that_does_not_answer() {
    let down = LocalSlot::default();
    let ok = handler(|_| async { Ok(()) });
    let worker = start(&down, worker_config(), [("order.a", ok)]);
    tokio::time::sleep(Duration::from_millis(120)).await;

    let broker = quick(2_000).await;
    broker.enqueue(vec![job("order.a")]).await;
    // The same broker in the place the worker knows.
    down.bind(forward(&broker));
    until(&broker, "done", all("done")).await;
    worker.stop().await;
}

/// A server that passes calls on to the broker.
fn forward(broker: &Broker) -> homestay_rpc::LocalService {
    tower::util::BoxCloneSyncService::new(Forward(broker.channel()))
}

#[derive(Clone)]
struct Forward(homestay_rpc::Channel);

impl tower::Service<http::Request<tonic::body::Body>> for Forward {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let call = self.0.call(request);
        Box::pin(async move { Ok(call.await.unwrap_or_else(tonic::Status::into_http)) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_continues_the_trace_of_the_job_s_cause() {
    let broker = quick(2_000).await;
    let (seen, mut traces) = mpsc::unbounded_channel();
    let look = handler(move |_| {
        seen.send(trace::current().unwrap().trace_id()).unwrap();
        async { Ok(()) }
    });
    let worker = start(&broker.slot, worker_config(), [("order.a", look)]);
    let traced = pb::NewJob {
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        ..job("order.a")
    };
    broker.enqueue(vec![traced]).await;
    assert_eq!(traces.recv().await.unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
    worker.stop().await;
}
