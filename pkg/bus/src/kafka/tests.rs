//! The same tests against Kafka, where `HOMESTAY_TEST_KAFKA_BROKERS` names one, and against librdkafka's mock cluster otherwise;
//! those that take the broker away always against the latter.

mod consuming;
mod faults;
mod publishing;
mod topics;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homestay_error::{Code, Error};
use homestay_jobs::{Delivery, Enqueuer, Failure};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_service::{Stop, Tasks};
use homestay_types::topic::PAYMENT_STATUS as TOPIC;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

use crate::kafka::mock::Mock;
use crate::{Binding, Bus, KafkaBus, KafkaConfig, Message, Source, consume, create_topics};

const GROUP: &str = "order-mq";
const PARTITIONS: i32 = 6;
/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A broker with topics and groups of this test alone.
struct Broker {
    config: KafkaConfig,
    mock: Option<Mock>,
}

/// Kafka if there is one, without topics.
fn bare() -> Broker {
    match homestay_config::test_server("HOMESTAY_TEST_KAFKA_BROKERS") {
        Some(brokers) => Broker {
            config: config(brokers),
            mock: None,
        },
        None => mock(),
    }
}

fn mock() -> Broker {
    let mock = Mock::start();
    Broker {
        config: config(mock.brokers.clone()),
        mock: Some(mock),
    }
}

fn config(brokers: String) -> KafkaConfig {
    KafkaConfig {
        brokers,
        topic_prefix: format!("test-{:x}-", RandomState::new().hash_one(0)),
        partitions: PARTITIONS,
        ..KafkaConfig::default()
    }
}

/// Kafka if there is one, with the topic.
async fn broker() -> Broker {
    let broker = bare();
    broker.create().await;
    broker
}

/// The mock cluster, with the topic.
async fn mock_broker() -> Broker {
    let broker = mock();
    broker.create().await;
    broker
}

impl Broker {
    async fn create(&self) {
        match &self.mock {
            Some(mock) => mock.create(&self.topic(), PARTITIONS),
            None => create_topics(&self.config, &[TOPIC]).await.unwrap(),
        }
    }

    fn topic(&self) -> String {
        format!("{}{TOPIC}", self.config.topic_prefix)
    }

    fn mock(&self) -> &Mock {
        self.mock.as_ref().expect("a test of the mock cluster")
    }

    fn bus(&self) -> Bus {
        Bus::Kafka(KafkaBus::new(&self.config).unwrap())
    }

    async fn publish(&self, messages: Vec<Message>) {
        self.bus().publish(messages).await.unwrap();
    }

    fn client(&self) -> BaseConsumer {
        rdkafka::ClientConfig::new()
            .set("bootstrap.servers", &self.config.brokers)
            .set("group.id", format!("{}{GROUP}", self.config.topic_prefix))
            .create()
            .unwrap()
    }

    /// How many events of the group are done by its committed offsets, of all partitions together.
    async fn committed(&self) -> i64 {
        let (client, topic) = (self.client(), self.topic());
        let work = move || {
            let mut all = TopicPartitionList::new();
            all.add_partition_range(&topic, 0, PARTITIONS - 1);
            let committed = client.committed_offsets(all, PATIENCE).unwrap();
            committed
                .elements()
                .iter()
                .map(|p| match p.offset() {
                    Offset::Offset(n) => n,
                    _ => 0,
                })
                .sum()
        };
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// Runs a consumer of the group with this handler.
    fn consumer<F, Fut>(&self, jobs: &Jobs, run: F) -> Running
    where
        F: Fn(Delivery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let source = Source::Topic {
            topic: TOPIC,
            group: GROUP,
        };
        let table = vec![Binding::new(source, run)];
        let stop = Stop::new();
        let service = consume(self.config.clone(), GROUP, table, jobs.enqueuer(), stop.clone());
        Running {
            stop,
            task: Tasks::new().spawn(service),
        }
    }
}

struct Running {
    stop: Stop,
    task: JoinHandle<Result<(), Box<dyn std::error::Error + Send + Sync>>>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("stops")
            .unwrap()
            .unwrap();
    }

    /// As far as Kafka can see, killed: nothing is finished, nothing stored.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The job queue: keeps what it takes, and takes nothing while it is down.
#[derive(Clone)]
struct Jobs {
    taken: Arc<Mutex<Vec<pb::NewJob>>>,
    calls: Arc<watch::Sender<usize>>,
    down: Arc<AtomicBool>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            taken: Arc::default(),
            calls: Arc::new(watch::channel(0).0),
            down: Arc::default(),
        }
    }
}

impl Jobs {
    fn enqueuer(&self) -> Enqueuer {
        Enqueuer::new(homestay_testkit::fake(MqueueServer::new(self.clone())))
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn taken(&self) -> Vec<pb::NewJob> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until so many calls were made, answered or not.
    async fn called(&self, times: usize) {
        let mut calls = self.calls.subscribe();
        tokio::time::timeout(PATIENCE, calls.wait_for(|n| *n >= times))
            .await
            .expect("calls")
            .unwrap();
    }

    /// Waits until so many jobs were taken.
    async fn holds(&self, count: usize) {
        let mut calls = self.calls.subscribe();
        tokio::time::timeout(PATIENCE, calls.wait_for(|_| self.taken().len() >= count))
            .await
            .expect("jobs")
            .unwrap();
    }
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Mqueue for Jobs {
    async fn enqueue(&self, request: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        let down = self.down.load(Ordering::SeqCst);
        let jobs = request.into_inner().jobs;
        let refused = jobs.iter().any(|job| job.payload.len() > 10_000);
        if !down && !refused {
            self.taken.lock().unwrap().extend(jobs);
        }
        self.calls.send_modify(|n| *n += 1);
        if down {
            return Err(Error::new(Code::Unavailable).into());
        }
        if refused {
            return Err(Error::invalid("jobs[0].payload", "must be shorter").into());
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

/// What handlers were given.
struct Seen(UnboundedReceiver<Delivery>);

fn seen() -> (UnboundedSender<Delivery>, Seen) {
    let (tell, told) = unbounded_channel();
    (tell, Seen(told))
}

impl Seen {
    async fn next(&mut self) -> Delivery {
        tokio::time::timeout(PATIENCE, self.0.recv())
            .await
            .expect("a delivery")
            .expect("a consumer")
    }

    /// The ids of the next deliveries, sorted.
    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.id);
        }
        ids.sort();
        ids
    }
}

/// Event `n`. All have one key, and so one partition, unless the test gives them others.
fn event(n: usize) -> Message {
    Message {
        topic: TOPIC.to_owned(),
        key: "HSO2026112110155912345678".to_owned(),
        payload: format!(r#"{{"payStatus":1,"orderSn":"HSO2026112110155912345678","eventId":"event-{n}"}}"#),
        id: format!("event-{n}"),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
    }
}

fn failure() -> Failure {
    Failure::Retry(Error::new(Code::Unavailable))
}
