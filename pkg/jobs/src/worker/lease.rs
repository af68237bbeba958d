use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use futures::future::BoxFuture;
use homestay_error::{Code, Error};
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::result::Outcome;
use homestay_service::Stop;
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tower::{Layer, Service};
use tracing::Instrument;

use super::hand::Hand;
use crate::{Delivery, Failure, Handler};

static JOBS: LazyLock<Red> = LazyLock::new(|| Red::new("worker_jobs", "kind", "Jobs run by workers"));

/// The lease a task runs under. When the last clone is gone its slot is free.
#[derive(Debug, Clone)]
pub(super) struct Lease(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    job: (i64, i64),
    lost: Stop,
    hand: Arc<Hand>,
}

impl Lease {
    pub(super) fn new(job: &pb::Job, lost: Stop, hand: Arc<Hand>) -> Self {
        Self(Arc::new(Slot {
            job: (job.id, job.token),
            lost,
            hand,
        }))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.hand.end(self.job);
    }
}

/// A result on its way to the broker, and who waits for it to arrive.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) result: pb::Result,
    pub(super) answer: oneshot::Sender<bool>,
}

/// The outermost layer: sees what timeouts and panics became, reports it, and frees the slot only when the broker has it.
#[derive(Debug, Clone)]
pub(super) struct LeaseLayer(mpsc::Sender<Report>);

impl LeaseLayer {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self(reports)
    }
}

impl<S> Layer<S> for LeaseLayer {
    type Service = Leased<S>;
    fn layer(&self, inner: S) -> Leased<S> {
        Leased {
            inner,
            reports: self.0.clone(),
        }
    }
}

/// A service under [`LeaseLayer`].
#[derive(Debug, Clone)]
pub(super) struct Leased<S> {
    inner: S,
    reports: mpsc::Sender<Report>,
}

impl<S> Service<Task<pb::Job>> for Leased<S>
where
    S: Service<Task<pb::Job>, Response = (), Error = BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<pb::Job>) -> Self::Future {
        let Some(lease) = task.data().get::<Lease>().cloned() else {
            return Box::pin(async { Err("a task without a lease".into()) });
        };
        let (call, reports) = (self.inner.call(task), self.reports.clone());
        // All handlers of a worker would share one task otherwise, and one that panics would take the worker along.
        let run = spawn(call);
        Box::pin(async move {
            let (id, token) = lease.0.job;
            let outcome = tokio::select! {
                outcome = run => outcome.unwrap_or_else(|_| {
                    tracing::error!(job = id, token, "a handler panicked; its job is tried again");
                    let error = Error::with(Code::Internal, "the handler panicked");
                    Err(Failed(Failure::Retry(error)).into())
                }),
                () = lease.0.lost.cancelled() => {
                    tracing::warn!(job = id, token, "the job's lease is lost: it runs elsewhere now");
                    return Err("lease lost".into());
                }
            };
            let result = result(pb::JobRef { id, token }, outcome.as_ref());
            let (answer, answered) = oneshot::channel();
            let sent = reports.send(Report { result, answer }).await.is_ok();
            if !(sent && answered.await.unwrap_or(false)) {
                tracing::warn!(
                    job = id,
                    token,
                    "the broker refused the job's result: its lease was lost"
                );
            }
            outcome
        })
    }
}

fn spawn<F>(call: F) -> AbortOnDropHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "the handle belongs to the worker and aborts the task with it"
    )]
    AbortOnDropHandle::new(tokio::spawn(call))
}

/// A handler's failure as apalis carries it.
#[derive(Debug)]
struct Failed(Failure);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error().fmt(f)
    }
}

impl std::error::Error for Failed {}

/// What the broker is told. Causes stay in our log: its table is read by people who need not know our insides.
fn result(job: pb::JobRef, outcome: Result<&(), &BoxDynError>) -> pb::Result {
    let (outcome, error, retry_after_ms) = match outcome {
        Ok(()) => (Outcome::Done, String::new(), 0),
        Err(error) => match error.downcast_ref::<Failed>() {
            Some(Failed(failure)) => {
                let error = failure.error();
                let text = format!("{}: {}", error.code().reason(), error.message());
                match failure {
                    Failure::Retry(_) => (Outcome::Retry, text, 0),
                    Failure::RetryAfter(_, after) => {
                        let ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX).max(1);
                        (Outcome::Retry, text, ms)
                    }
                    Failure::Dead(_) => (Outcome::Dead, text, 0),
                }
            }
            // A layer's own: the handler took too long.
            None => (Outcome::Retry, error.to_string(), 0),
        },
    };
    pb::Result {
        job: Some(job),
        outcome: outcome.into(),
        error,
        retry_after_ms,
    }
}

/// Runs the handler of a job's kind.
#[derive(Clone)]
pub(super) struct Runner {
    queue: Arc<str>,
    handlers: Arc<HashMap<String, Handler>>,
}

impl Runner {
    pub(super) fn new(queue: String, handlers: HashMap<String, Handler>) -> Self {
        Self {
            queue: queue.into(),
            handlers: Arc::new(handlers),
        }
    }

    pub(super) fn run(&self, job: pb::Job) -> BoxFuture<'static, Result<(), BoxDynError>> {
        let context = TraceContext::continued(Some(&job.traceparent));
        let span = tracing::info_span!(
            "job",
            queue = %self.queue,
            kind = %job.kind,
            job = job.id,
            attempt = job.attempt,
            trace_id = %context.trace_id()
        );
        let handler = self.handlers.get(&job.kind).cloned();
        let run = async move {
            let mut seen = Seen::new(&job.kind, handler.is_some());
            let outcome = match handler {
                Some(handler) => handler(delivery(job)).await,
                None => Err(Failure::Dead(Error::with(
                    Code::NotFound,
                    "no handler for jobs of this kind",
                ))),
            };
            seen.code = outcome
                .as_ref()
                .map_or_else(|failure| failure.error().code().reason(), |()| "OK");
            outcome.map_err(|failure| {
                tell(&failure);
                Failed(failure).into()
            })
        };
        Box::pin(trace::scope(context, run.instrument(span)))
    }
}

fn tell(failure: &Failure) {
    let error = failure.error().chain();
    match failure {
        Failure::Retry(_) => tracing::warn!(error, "a job failed and is tried again"),
        Failure::RetryAfter(_, after) => {
            tracing::info!(error, after = ?after, "a job asks to be tried again later");
        }
        Failure::Dead(_) => tracing::error!(error, "a job failed for good: it is a dead letter"),
    }
}

fn delivery(job: pb::Job) -> Delivery {
    Delivery {
        kind: job.kind,
        payload: job.payload,
        id: job.id.to_string(),
        attempt: job.attempt,
        token: job.token,
    }
}

/// Counts a run when it is over, also when it panics or is cut.
struct Seen {
    kind: String,
    code: &'static str,
    began: Instant,
}

impl Seen {
    fn new(kind: &str, known: bool) -> Self {
        // Kinds without a handler share one label: whoever enqueues must not be able to grow our metrics.
        let kind = if known { kind } else { "unknown" };
        Self {
            kind: kind.to_owned(),
            code: "CUT",
            began: Instant::now(),
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let code = if std::thread::panicking() {
            "PANIC"
        } else {
            self.code
        };
        JOBS.observe(&self.kind, code, self.began.elapsed());
    }
}
