//! Two brokers over one database that do not hear each other: what a worker leaves behind whose calls go to both.

mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use homestay_clock::Clock;
use homestay_jobs::{WorkerConfig, handler, work};
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_rpc::{Channel, LocalSlot};
use homestay_service::Stop;
use homestay_testkit::channel_as;
use support::*;
use tower::util::BoxCloneSyncService;

/// Longer than a waiting claim goes without a look.
const LOOK: Duration = Duration::from_millis(1_300);

/// Passes claims to one broker and everything else to another.
#[derive(Clone)]
struct Split {
    claims: Channel,
    rest: Channel,
}

impl tower::Service<http::Request<tonic::body::Body>> for Split {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let claims = request.uri().path().ends_with("/Claim");
        let channel = if claims { &mut self.claims } else { &mut self.rest };
        let call = channel.call(request);
        Box::pin(async move { Ok(call.await.unwrap_or_else(tonic::Status::into_http)) })
    }
}

/// A broker, and another over the same database.
async fn pair() -> (Broker, LocalSlot) {
    let here = broker(Clock::system(), config()).await;
    let there = open(here.test_db.db.clone(), here.clock.clone(), config());
    (here, there)
}

#[tokio::test]
async fn a_stopped_worker_whose_claim_waits_at_another_replica_strands_no_job() {
    let (here, there) = pair().await;
    let slot = LocalSlot::default();
    slot.bind(BoxCloneSyncService::new(Split {
        claims: channel_as(&there, &service()),
        rest: here.channel(),
    }));
    let config = WorkerConfig {
        queue: "order".into(),
        name: "order-mq".into(),
        concurrency: 4,
        wait: Duration::from_secs(5),
        grace: Duration::from_secs(2),
    };
    let stop = Stop::new();
    let handlers = HashMap::from([("order.a".to_owned(), handler(|_| async { Ok(()) }))]);
    let worker = work(channel_as(&slot, &service()), config, handlers, stop.clone());
    let stopped = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.cancel();
        Instant::now()
    };
    let (ended, began) = tokio::join!(worker, stopped);
    ended.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(1_900),
        "{:?}",
        began.elapsed()
    );

    here.enqueue(vec![job("order.a")]).await;
    tokio::time::sleep(LOOK).await;

    let jobs = here.claim("next", 1).await;
    assert_eq!(kinds(&jobs), ["order.a"]);
    assert_eq!(jobs[0].attempt, 1);
}

#[tokio::test]
async fn a_claim_ends_with_its_caller() {
    let (here, there) = pair().await;
    let request = pb::ClaimRequest {
        queue: "order".into(),
        worker: "killed".into(),
        max: 1,
        wait_ms: 20_000,
    };
    let mut client = MqueueClient::new(channel_as(&there, &service()));
    let cut = tokio::time::timeout(Duration::from_millis(100), client.claim(request)).await;
    assert!(cut.is_err(), "it waits");

    here.enqueue(vec![job("order.a")]).await;
    tokio::time::sleep(LOOK).await;

    assert_eq!(here.only().await.state, "ready");
}
