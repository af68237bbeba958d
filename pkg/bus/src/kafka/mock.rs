//! librdkafka's mock cluster, for tests: it cannot leave the thread it was made on, so it has one.

use std::sync::mpsc::{Sender, channel};

use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;

type Work = Box<dyn FnOnce(&MockCluster<'static, rdkafka::producer::DefaultProducerContext>) + Send>;

/// A cluster of one broker in this process, gone with this value.
pub(super) struct Mock {
    pub brokers: String,
    work: Sender<Work>,
}

impl Mock {
    pub(super) fn start() -> Self {
        let (work, jobs) = channel::<Work>();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let cluster = MockCluster::new(1).expect("a mock cluster");
            tell.send(cluster.bootstrap_servers()).expect("the test waits");
            while let Ok(job) = jobs.recv() {
                job(&cluster);
            }
        });
        Self {
            brokers: told.recv().expect("a mock cluster"),
            work,
        }
    }

    fn run(
        &self,
        job: impl FnOnce(&MockCluster<'static, rdkafka::producer::DefaultProducerContext>) -> KafkaResult<()>
        + Send
        + 'static,
    ) {
        let (tell, told) = channel();
        let job: Work = Box::new(move |cluster| {
            let _ = tell.send(job(cluster));
        });
        self.work.send(job).expect("the cluster's thread");
        told.recv().expect("the cluster's thread").expect("done");
    }

    pub(super) fn create(&self, topic: &str, partitions: i32) {
        let topic = topic.to_owned();
        self.run(move |cluster| cluster.create_topic(&topic, partitions, 1));
    }

    /// Connections are cut and none is taken.
    pub(super) fn down(&self) {
        self.run(|cluster| cluster.broker_down(-1));
    }

    pub(super) fn up(&self) {
        self.run(|cluster| cluster.broker_up(-1));
    }
}
