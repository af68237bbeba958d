//! A broker of one test, and short ways to talk to it.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its part")]

use std::time::Duration;

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::mqueue_server::MqueueServer;
use homestay_proto::mqueue::result::Outcome;
use homestay_rpc::{Actor, Channel, LocalSlot};
use homestay_testkit::{TestDb, channel_as, serve};
use mqueue_rpc::{Bell, Config, METHODS, MIGRATIONS, MqueueService};

pub struct Broker {
    pub clock: Clock,
    pub client: MqueueClient<Channel>,
    pub slot: LocalSlot,
    pub test_db: TestDb,
}

pub fn config() -> Config {
    Config {
        lease: Duration::from_secs(8),
        retention: Duration::from_secs(3600),
        max_attempts: 3,
    }
}

pub fn service() -> Actor {
    Actor::Service("test".into())
}

/// A broker on a fresh database.
pub async fn broker(clock: Clock, config: Config) -> Broker {
    let test_db = homestay_testkit::database(MIGRATIONS).await;
    let slot = open(test_db.db.clone(), clock.clone(), config);
    let client = MqueueClient::new(channel_as(&slot, &service()));
    Broker {
        clock,
        client,
        slot,
        test_db,
    }
}

/// A broker on a database that there is.
pub fn open(db: Db, clock: Clock, config: Config) -> LocalSlot {
    let ids = Ids::new(clock.clone(), 0);
    serve(
        MqueueServer::new(MqueueService::new(db, ids, clock, Bell::memory(), config)),
        METHODS,
    )
}

/// A broker with a clock that stands.
pub async fn standing() -> Broker {
    broker(homestay_testkit::clock().0, config()).await
}

pub fn job(kind: &str) -> pb::NewJob {
    pb::NewJob {
        queue: "order".into(),
        kind: kind.into(),
        payload: "{}".into(),
        ..Default::default()
    }
}

pub fn due(kind: &str, due_at_ms: i64) -> pb::NewJob {
    pb::NewJob {
        due_at_ms,
        ..job(kind)
    }
}

pub fn unique(kind: &str, key: &str) -> pb::NewJob {
    pb::NewJob {
        unique_key: key.into(),
        ..job(kind)
    }
}

impl Broker {
    pub fn channel(&self) -> Channel {
        channel_as(&self.slot, &service())
    }

    pub async fn enqueue(&self, jobs: Vec<pb::NewJob>) -> i64 {
        let reply = self.client.clone().enqueue(pb::EnqueueRequest { jobs }).await;
        reply.unwrap().into_inner().added
    }

    pub async fn claim(&self, worker: &str, max: i64) -> Vec<pb::Job> {
        self.claim_waiting(worker, max, 0).await
    }

    pub async fn claim_waiting(&self, worker: &str, max: i64, wait_ms: i64) -> Vec<pb::Job> {
        let mut request = tonic::Request::new(pb::ClaimRequest {
            queue: "order".into(),
            worker: worker.into(),
            max,
            wait_ms,
        });
        request.set_timeout(Duration::from_secs(60));
        self.client
            .clone()
            .claim(request)
            .await
            .unwrap()
            .into_inner()
            .jobs
    }

    pub async fn finish(&self, results: Vec<pb::Result>) -> Vec<bool> {
        let reply = self.client.clone().finish(pb::FinishRequest { results }).await;
        reply.unwrap().into_inner().accepted
    }

    pub async fn heartbeat(&self, jobs: &[pb::Job]) -> Vec<bool> {
        let request = pb::HeartbeatRequest {
            worker: "w".into(),
            jobs: jobs.iter().map(lease).collect(),
        };
        self.client
            .clone()
            .heartbeat(request)
            .await
            .unwrap()
            .into_inner()
            .alive
    }

    pub async fn release(&self, worker: &str, keep: &[pb::Job]) {
        let request = pb::ReleaseRequest {
            worker: worker.into(),
            keep: keep.iter().map(lease).collect(),
        };
        self.client.clone().release(request).await.unwrap();
    }

    pub async fn sweep(&self) {
        self.client.clone().sweep(Empty {}).await.unwrap();
    }

    /// All jobs, newest first.
    pub async fn list(&self, state: &str) -> Vec<pb::JobView> {
        let request = pb::ListJobsRequest {
            state: state.into(),
            limit: 100,
            ..Default::default()
        };
        self.client
            .clone()
            .list_jobs(request)
            .await
            .unwrap()
            .into_inner()
            .jobs
    }

    /// The only job.
    pub async fn only(&self) -> pb::JobView {
        let mut jobs = self.list("").await;
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    pub async fn queues(&self) -> Vec<pb::QueueView> {
        let reply = self.client.clone().list_queues(Empty {}).await;
        reply.unwrap().into_inner().queues
    }
}

pub fn lease(job: &pb::Job) -> pb::JobRef {
    pb::JobRef {
        id: job.id,
        token: job.token,
    }
}

pub fn ended(job: &pb::Job, outcome: Outcome) -> pb::Result {
    pb::Result {
        job: Some(lease(job)),
        outcome: outcome.into(),
        error: "UNAVAILABLE: no answer".into(),
        retry_after_ms: 0,
    }
}

pub fn done(job: &pb::Job) -> pb::Result {
    ended(job, Outcome::Done)
}

pub fn kinds(jobs: &[pb::Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.kind.as_str()).collect()
}
