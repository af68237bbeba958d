use homestay_error::Result;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_rpc::Channel;
use homestay_telemetry::trace;
use serde::Serialize;

/// A job to be enqueued, through an outbox or directly.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// What is to be done, a constant of `homestay_types::job`. The part before the dot is the queue.
    pub kind: String,
    /// JSON text: ids only, no secrets.
    pub payload: String,
    /// Unix milliseconds; 0 means at once.
    pub due_at_ms: i64,
    /// A second job with this key is not added as long as the broker keeps the first.
    pub unique_key: Option<String>,
    /// Tries before the job is a dead letter; 0 means the broker's default.
    pub max_attempts: i64,
    /// Trace the job belongs to.
    pub traceparent: String,
}

impl NewJob {
    /// A job that is due at once and continues the running task's trace.
    ///
    /// # Panics
    /// If `payload` cannot be written as JSON, which is a mistake in the program.
    #[must_use]
    pub fn new(kind: &str, payload: &impl Serialize) -> Self {
        Self {
            kind: kind.to_owned(),
            payload: serde_json::to_string(payload).expect("a payload is plain data"),
            due_at_ms: 0,
            unique_key: None,
            max_attempts: 0,
            traceparent: trace::current_header(),
        }
    }

    /// Not before this time, unix milliseconds.
    #[must_use]
    pub fn due_at_ms(mut self, at: i64) -> Self {
        self.due_at_ms = at;
        self
    }

    /// Once, however often it is enqueued.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Dead only after so many failed tries, 1 to 1000.
    #[must_use]
    pub fn max_attempts(mut self, tries: i64) -> Self {
        self.max_attempts = tries;
        self
    }

    /// The queue: the kind's part before the dot.
    #[must_use]
    pub fn queue(&self) -> &str {
        self.kind
            .split_once('.')
            .map_or(self.kind.as_str(), |(queue, _)| queue)
    }
}

impl From<NewJob> for pb::NewJob {
    fn from(job: NewJob) -> Self {
        pb::NewJob {
            queue: job.queue().to_owned(),
            kind: job.kind,
            payload: job.payload,
            due_at_ms: job.due_at_ms,
            unique_key: job.unique_key.unwrap_or_default(),
            max_attempts: job.max_attempts,
            traceparent: job.traceparent,
        }
    }
}

/// Puts jobs into the broker.
#[derive(Debug, Clone)]
pub struct Enqueuer(MqueueClient<Channel>);

impl Enqueuer {
    /// Over a channel to mqueue-rpc with a service's identity.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self(MqueueClient::new(channel))
    }

    /// Enqueues all or none; durable when it returns. How many were new (the others' unique keys were known).
    ///
    /// # Errors
    /// Those of the call.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<i64> {
        let jobs = jobs.into_iter().map(pb::NewJob::from).collect();
        let reply = self.0.clone().enqueue(pb::EnqueueRequest { jobs }).await?;
        Ok(reply.into_inner().added)
    }
}
