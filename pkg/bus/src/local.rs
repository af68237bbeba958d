use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use homestay_error::Result;
use homestay_jobs::{Enqueuer, NewJob};

use crate::Message;
use crate::binding::Binding;
use crate::consumer::{CONCURRENCY, Consumer, consumers};

/// Consumers in the same process.
#[derive(Clone)]
pub struct LocalBus(Arc<Inner>);

struct Inner {
    consumers: HashMap<&'static str, Vec<Arc<Consumer>>>,
    jobs: Enqueuer,
}

impl std::fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBus")
            .field("topics", &self.0.consumers.keys())
            .finish_non_exhaustive()
    }
}

impl LocalBus {
    /// A bus to the topic rows of `table`; `jobs` takes what a handler could not do.
    #[must_use]
    pub fn new(table: &[Binding], jobs: Enqueuer) -> Self {
        Self(Arc::new(Inner {
            consumers: consumers(table),
            jobs,
        }))
    }

    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let message = Arc::new(message);
            for consumer in self.0.consumers.get(message.topic.as_str()).into_iter().flatten() {
                let (consumer, message) = (consumer.clone(), message.clone());
                deliveries.push(async move { consumer.consume(&message).await });
            }
        }
        let failed: Vec<NewJob> = stream::iter(deliveries)
            .buffer_unordered(CONCURRENCY)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if !failed.is_empty() {
            self.0.jobs.enqueue(failed).await?;
        }
        Ok(())
    }
}
