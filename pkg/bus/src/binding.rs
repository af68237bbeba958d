use std::collections::HashMap;
use std::time::Duration;

use homestay_jobs::{Delivery, Failure, Handler, handler};

/// Where deliveries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Events of a topic, once for each group.
    Topic {
        /// Topic.
        topic: &'static str,
        /// Consumer group, named after the mq target, such as `order-mq`.
        group: &'static str,
    },
    /// Jobs of one kind.
    Job(&'static str),
    /// A job of this kind at every multiple of the period, one run a tick however many replicas.
    Every {
        /// The job's kind.
        kind: &'static str,
        /// Distance of the ticks.
        period: Duration,
    },
}

/// One row of an mq process's table.
#[derive(Clone)]
pub struct Binding {
    /// Where deliveries come from.
    pub source: Source,
    /// What runs for each.
    pub handler: Handler,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Binding {
    /// A row of the table.
    pub fn new<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Delivery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self {
            source,
            handler: handler(run),
        }
    }

    /// The job kind under which a worker finds this row's handler. For a topic it is the kind of the job that a failed
    /// event becomes.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.source {
            Source::Topic { topic, group } => retry_kind(group, topic),
            Source::Job(kind) | Source::Every { kind, .. } => (*kind).to_owned(),
        }
    }
}

/// Handlers of a worker, by job kind.
#[must_use]
pub fn handlers(table: &[Binding]) -> HashMap<String, Handler> {
    table
        .iter()
        .map(|row| (row.kind(), row.handler.clone()))
        .collect()
}

/// The consumer groups of a table, each once, in the table's order.
#[must_use]
pub fn groups(table: &[Binding]) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for row in table {
        if let Source::Topic { group, .. } = row.source
            && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    groups
}

/// The queue that a consumer group's failed events go to: group `order-mq` works queue `order`.
#[must_use]
pub fn queue_of_group(group: &str) -> &str {
    group.strip_suffix("-mq").unwrap_or(group)
}

pub(crate) fn retry_kind(group: &str, topic: &str) -> String {
    format!("{}.event:{topic}", queue_of_group(group))
}
