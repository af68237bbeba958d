use std::collections::HashMap;

use homestay_rpc::Channel;
use homestay_service::Stop;

use crate::Handler;

/// How one worker works its queue.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Queue to claim from.
    pub queue: String,
    /// Target's name, such as `order-mq`, for logs and the broker's view; made unique per start.
    pub name: String,
    /// Jobs in hand at the same time.
    pub concurrency: usize,
    /// How long a claim waits at the broker.
    pub wait: std::time::Duration,
    /// How long jobs in hand may take after the stop, before they are handed back.
    pub grace: std::time::Duration,
}

/// Works a queue until `stop`: claims, runs the handler of each job's kind, reports, keeps leases alive.
///
/// # Errors
/// Never by itself: a broker that does not answer is asked again with backoff.
pub async fn work(
    _channel: Channel,
    _config: WorkerConfig,
    _handlers: HashMap<String, Handler>,
    _stop: Stop,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("not written yet".into())
}
