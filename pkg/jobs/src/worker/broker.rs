use std::time::Duration;

use homestay_error::Result;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_rpc::Channel;
use tonic::Request;

/// What a claim's call gets beyond its wait.
const BEYOND_WAIT: Duration = Duration::from_secs(2);

/// The job broker as one worker sees it.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    client: MqueueClient<Channel>,
    queue: String,
    worker: String,
    wait: Duration,
}

impl Broker {
    pub(super) fn new(channel: Channel, queue: String, worker: String, wait: Duration) -> Self {
        Self {
            client: MqueueClient::new(channel),
            queue,
            worker,
            wait,
        }
    }

    /// At most `max` due jobs; none if none became due while it waited.
    pub(super) async fn claim(&self, max: usize) -> Result<pb::ClaimReply> {
        let mut request = Request::new(pb::ClaimRequest {
            queue: self.queue.clone(),
            worker: self.worker.clone(),
            max: i64::try_from(max).unwrap_or(i64::MAX),
            wait_ms: i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX),
        });
        request.set_timeout(self.wait + BEYOND_WAIT);
        Ok(self.client.clone().claim(request).await?.into_inner())
    }

    pub(super) async fn finish(&self, results: Vec<pb::Result>) -> Result<Vec<bool>> {
        let reply = self.client.clone().finish(pb::FinishRequest { results }).await?;
        Ok(reply.into_inner().accepted)
    }

    pub(super) async fn heartbeat(&self, jobs: &[pb::JobRef]) -> Result<Vec<bool>> {
        let request = pb::HeartbeatRequest {
            worker: self.worker.clone(),
            jobs: jobs.to_vec(),
        };
        Ok(self.client.clone().heartbeat(request).await?.into_inner().alive)
    }

    pub(super) async fn release(&self, keep: &[pb::JobRef]) -> Result<()> {
        let request = pb::ReleaseRequest {
            worker: self.worker.clone(),
            keep: keep.to_vec(),
        };
        self.client.clone().release(request).await?;
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses between calls to a broker that does not answer: 50 ms, doubling to 5 s.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.0 = SHORTEST;
    }

    pub(super) async fn pause(&mut self) {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        tokio::time::sleep(pause).await;
    }
}
