use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use futures::stream::{self, StreamExt};
use homestay_error::Result;
use homestay_jobs::{Delivery, Enqueuer, Handler, NewJob};
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use tracing::Instrument;

use crate::Message;
use crate::binding::{Binding, Source, retry_kind};

static EVENTS: LazyLock<Red> = LazyLock::new(|| Red::new("consumer_events", "consumer", "Events consumed"));

/// Events handled at the same time. Nothing relies on their order.
const CONCURRENCY: usize = 16;

/// Tries of an event before it is a dead letter. Money may hang on it: with the broker's longest pause between two tries they
/// last for days.
const ATTEMPTS: i64 = 1000;

/// Consumers in the same process.
#[derive(Clone)]
pub struct LocalBus {
    consumers: Arc<HashMap<&'static str, Vec<Arc<Consumer>>>>,
    jobs: Enqueuer,
}

struct Consumer {
    group: &'static str,
    /// `group/topic`, for metrics and logs.
    name: String,
    handler: Handler,
}

impl std::fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBus")
            .field("topics", &self.consumers.keys())
            .finish_non_exhaustive()
    }
}

impl LocalBus {
    /// A bus to the topic rows of `table`; `jobs` takes what a handler could not do.
    #[must_use]
    pub fn new(table: &[Binding], jobs: Enqueuer) -> Self {
        let mut consumers: HashMap<&'static str, Vec<Arc<Consumer>>> = HashMap::new();
        for row in table {
            if let Source::Topic { topic, group } = row.source {
                let name = format!("{group}/{topic}");
                consumers.entry(topic).or_default().push(Arc::new(Consumer {
                    group,
                    name,
                    handler: row.handler.clone(),
                }));
            }
        }
        Self {
            consumers: Arc::new(consumers),
            jobs,
        }
    }

    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let message = Arc::new(message);
            for consumer in self.consumers.get(message.topic.as_str()).into_iter().flatten() {
                deliveries.push(consume(consumer.clone(), message.clone()));
            }
        }
        let failed: Vec<NewJob> = stream::iter(deliveries)
            .buffer_unordered(CONCURRENCY)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if !failed.is_empty() {
            self.jobs.enqueue(failed).await?;
        }
        Ok(())
    }
}

/// Runs the handler; the job that is to do what it could not.
async fn consume(consumer: Arc<Consumer>, message: Arc<Message>) -> Option<NewJob> {
    let context = TraceContext::continued(Some(&message.traceparent));
    let span = tracing::info_span!("event", consumer = %consumer.name, key = %message.key, trace_id = %context.trace_id());
    let began = Instant::now();
    let delivery = Delivery {
        kind: message.topic.clone(),
        payload: message.payload.clone(),
        id: message.id.clone(),
        attempt: 1,
        token: 0,
    };
    let run = async {
        let outcome = (consumer.handler)(delivery).await;
        EVENTS.observe(
            &consumer.name,
            outcome
                .as_ref()
                .map_or_else(|f| f.error().code().reason(), |()| "OK"),
            began.elapsed(),
        );
        let failure = outcome.err()?;
        tracing::warn!(error = %failure.error().chain(), "an event could not be handled and becomes a job");
        let mut job = NewJob::new(&retry_kind(consumer.group, &message.topic), &())
            .unique(format!("event:{}:{}", consumer.group, message.id))
            .max_attempts(ATTEMPTS);
        job.payload.clone_from(&message.payload);
        Some(job)
    };
    trace::scope(context, run.instrument(span)).await
}
