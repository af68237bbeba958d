use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use futures::FutureExt;
use homestay_error::Error;
use homestay_jobs::{Delivery, Failure, Handler, NewJob};
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use tracing::Instrument;

use crate::Message;
use crate::binding::{Binding, Source, retry_kind};

static EVENTS: LazyLock<Red> = LazyLock::new(|| Red::new("consumer_events", "consumer", "Events consumed"));

/// Events handled at the same time. Nothing relies on their order.
pub(crate) const CONCURRENCY: usize = 16;

/// Tries of an event before it is a dead letter. Money may hang on it: with the broker's longest pause between two tries they
/// last for days.
const ATTEMPTS: i64 = 1000;

/// One topic row of a table: what every bus does with an event, wherever it came from.
pub(crate) struct Consumer {
    group: &'static str,
    topic: &'static str,
    /// `group/topic`, for metrics and logs.
    name: String,
    handler: Handler,
}

/// The topic rows of a table, by topic.
pub(crate) fn consumers(table: &[Binding]) -> HashMap<&'static str, Vec<Arc<Consumer>>> {
    let mut consumers: HashMap<&'static str, Vec<Arc<Consumer>>> = HashMap::new();
    for row in table {
        if let Source::Topic { topic, group } = row.source {
            consumers.entry(topic).or_default().push(Arc::new(Consumer {
                group,
                topic,
                name: format!("{group}/{topic}"),
                handler: row.handler.clone(),
            }));
        }
    }
    consumers
}

impl Consumer {
    #[cfg(feature = "kafka")]
    pub(crate) fn group(&self) -> &'static str {
        self.group
    }

    /// Runs the handler; the job that is to do what it could not.
    pub(crate) async fn consume(&self, message: &Message) -> Option<NewJob> {
        let delivery = Delivery {
            kind: message.topic.clone(),
            payload: message.payload.clone(),
            id: message.id.clone(),
            attempt: 1,
            token: 0,
        };
        let run = async {
            let began = Instant::now();
            // A panic is one event's misfortune: without this it would end the process, at every delivery again.
            let outcome = AssertUnwindSafe(async { (self.handler)(delivery).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Failure::Retry(Error::internal("the handler panicked"))));
            let code = outcome
                .as_ref()
                .map_or_else(|f| f.error().code().reason(), |()| "OK");
            EVENTS.observe(&self.name, code, began.elapsed());
            let failure = outcome.err()?;
            tracing::warn!(error = %failure.error().chain(), "an event could not be handled and becomes a job");
            Some(self.job(message, message.payload.clone()))
        };
        self.traced(message, run).await
    }

    /// The job of a message that no handler can read: it becomes a dead letter with this text, which an operator sees.
    #[cfg(feature = "kafka")]
    pub(crate) async fn malformed(&self, message: &Message, text: String) -> NewJob {
        let run = async {
            EVENTS.observe(&self.name, "MALFORMED", std::time::Duration::ZERO);
            tracing::warn!(id = %message.id, "a message that is no event becomes a dead letter");
            self.job(message, text)
        };
        self.traced(message, run).await
    }

    /// Runs `work` in one span of the event's trace.
    async fn traced<T>(&self, message: &Message, work: impl Future<Output = T>) -> T {
        let context = TraceContext::continued(Some(&message.traceparent));
        let span = tracing::info_span!("event", consumer = %self.name, key = %message.key, trace_id = %context.trace_id());
        trace::scope(context, work.instrument(span)).await
    }

    fn job(&self, message: &Message, payload: String) -> NewJob {
        let mut job = NewJob::new(&retry_kind(self.group, self.topic), &())
            // Ids of events are their domain's: two topics may have the same.
            .unique(format!("event:{}:{}:{}", self.group, self.topic, message.id))
            .max_attempts(ATTEMPTS);
        job.payload = payload;
        job
    }
}
