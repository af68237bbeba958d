//! The worker of `homestay_jobs` against a broker that refuses results.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homestay_error::Error;
use homestay_jobs::{Delivery, WorkerConfig, handler, work};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_service::Stop;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

/// Gives each of its jobs once, and takes no result.
#[derive(Clone)]
struct Refusing(Arc<Mutex<Vec<pb::Job>>>);

#[tonic::async_trait]
impl Mqueue for Refusing {
    async fn claim(&self, _: Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        let job = self.0.lock().unwrap().pop();
        if job.is_none() {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(pb::ClaimReply {
            jobs: job.into_iter().collect(),
            lease_ms: 60_000,
        }))
    }
    async fn finish(&self, _: Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        Err(Error::invalid("results[0].error", "is too long").into())
    }
    async fn heartbeat(&self, _: Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        unreachable!("leases are long")
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        Ok(Response::new(Empty {}))
    }
    async fn enqueue(&self, _: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
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

#[tokio::test]
async fn a_result_that_the_broker_refuses_does_not_hold_up_the_jobs_after_it() {
    let jobs = [1, 2].map(|id| pb::Job {
        id,
        kind: "order.a".into(),
        payload: "{}".into(),
        token: 1,
        attempt: 1,
        ..Default::default()
    });
    let broker = Refusing(Arc::new(Mutex::new(jobs.to_vec())));
    let (ran, mut seen) = mpsc::unbounded_channel();
    let run = handler(move |delivery: Delivery| {
        let sent = ran.send(delivery.id);
        async move {
            sent.unwrap();
            Ok(())
        }
    });
    let config = WorkerConfig {
        queue: "order".into(),
        name: "order-mq".into(),
        concurrency: 1,
        wait: Duration::from_secs(20),
        grace: Duration::from_secs(5),
    };
    let stop = Stop::new();
    let channel = homestay_testkit::fake(MqueueServer::new(broker));
    let worker = work(
        channel,
        config,
        HashMap::from([("order.a".to_owned(), run)]),
        stop.clone(),
    );
    tokio::select! {
        ended = worker => panic!("{ended:?}"),
        got = tokio::time::timeout(Duration::from_secs(20), async {
            (seen.recv().await, seen.recv().await)
        }) => assert_eq!(got.unwrap(), (Some("2".into()), Some("1".into()))),
    }
}
