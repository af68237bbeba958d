use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use homestay_proto::mqueue as pb;
use tokio::sync::mpsc;

use super::hand::Hand;
use super::lease::{Lease, LeaseLayer};

/// Where apalis gets its tasks: what the claiming task has put into the inbox.
///
/// It yields no errors, because any would end the worker and everything that runs (facts-apalis.md).
#[derive(Debug, Clone)]
pub(super) struct Mqueue {
    hand: Arc<Hand>,
    /// Shared, so that a worker that apalis starts again goes on with it.
    inbox: Arc<Mutex<mpsc::UnboundedReceiver<pb::Job>>>,
    layer: LeaseLayer,
}

impl Mqueue {
    pub(super) fn new(hand: Arc<Hand>, inbox: mpsc::UnboundedReceiver<pb::Job>, layer: LeaseLayer) -> Self {
        Self {
            hand,
            inbox: Arc::new(Mutex::new(inbox)),
            layer,
        }
    }
}

impl Backend for Mqueue {
    type Task = Task<pb::Job>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<pb::Job>, Infallible>>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        while let Poll::Ready(Some(job)) = inbox.poll_recv(cx) {
            let Some(lost) = self.hand.begin(&job) else {
                continue;
            };
            let lease = Lease::new(&job, lost, self.hand.clone());
            // Unique per lease: the same job may come back to this worker.
            let id = TaskId::from_string(format!("{}#{}", job.id, job.token));
            let before = usize::try_from(job.attempt - 1).unwrap_or_default();
            let task = TaskBuilder::new(job)
                .task_id(id)
                .attempt(before)
                .data(lease)
                .build();
            return Poll::Ready(Some(Ok(task)));
        }
        // Empty, or the claiming task has stopped: only the monitor ends the worker.
        Poll::Pending
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Mqueue {
    type Args = pb::Job;
    type Id = TaskId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = LeaseLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> LeaseLayer {
        self.layer.clone()
    }
}
