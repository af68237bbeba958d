use std::sync::Arc;
use std::time::Duration;

use homestay_error::{Error, Result};
use homestay_proto::mqueue as pb;
use homestay_rpc::deadline;
use tokio::time::Instant;

use crate::rules::State;
use crate::store::{self, Claimed, Claimer};
use crate::{MqueueService, metrics};

/// Jobs of one answer.
const BATCH: i64 = 256;
/// Longest wait.
const WAIT_MS: i64 = 30_000;
/// A waiting claim looks this often, whatever the bell says.
const LOOK: Duration = Duration::from_secs(1);
/// Pause before another look where others held the rows that were due.
const OTHERS: Duration = Duration::from_millis(2);
/// Left of the caller's deadline for the way back.
const WAY_BACK: Duration = Duration::from_millis(200);

/// Takes due jobs under a lease; with none due it waits for them, at most `wait_ms`.
///
/// It ends with its caller (a long poll is dropped with its call), so that it takes nothing for a worker that is gone.
pub(crate) async fn claim(mqueue: &MqueueService, request: pb::ClaimRequest) -> Result<pb::ClaimReply> {
    let pb::ClaimRequest {
        queue,
        worker,
        max,
        wait_ms,
    } = request;
    if queue.is_empty() {
        return Err(Error::invalid("queue", "must not be empty"));
    }
    if worker.is_empty() {
        return Err(Error::invalid("worker", "must not be empty"));
    }
    if max < 1 {
        return Err(Error::invalid("max", "must be at least 1"));
    }
    let mut wait = Duration::from_millis(wait_ms.clamp(0, WAIT_MS).unsigned_abs());
    if let Some(left) = deadline::left() {
        wait = wait.min(left.saturating_sub(WAY_BACK));
    }
    let until = Instant::now() + wait;
    let lease_ms = mqueue.config.lease_ms();
    let reply = |jobs| pb::ClaimReply { jobs, lease_ms };

    let place = mqueue.bell.wait(&queue, &worker);
    loop {
        place.sleeps_until(i64::MAX);
        let head = store::head(&mqueue.db, &queue).await?;
        let due = head.is_some_and(|at| at <= mqueue.clock.now_ms());
        if due && !place.dismissed() {
            let jobs = take(mqueue, &queue, &worker, max.min(BATCH)).await?;
            if !jobs.is_empty() {
                return Ok(reply(jobs));
            }
        }
        if place.dismissed() || Instant::now() >= until {
            return Ok(reply(Vec::new()));
        }
        if due {
            // Others were quicker, or all that was due has been buried.
            tokio::time::sleep(OTHERS).await;
            continue;
        }
        let next_ms = head.unwrap_or(i64::MAX);
        place.sleeps_until(next_ms);
        tokio::select! {
            () = place.rung() => {}
            () = mqueue.clock.sleep_until(next_ms), if head.is_some() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

async fn take(mqueue: &MqueueService, queue: &str, worker: &str, max: i64) -> Result<Vec<pb::Job>> {
    let (clock, ids, lease_ms) = (mqueue.clock.clone(), mqueue.ids.clone(), mqueue.config.lease_ms());
    let (owned_queue, owned_worker) = (queue.to_owned(), worker.to_owned());
    // The transaction goes on without us, so it has to ask.
    let caller = Arc::new(());
    let waits = Arc::downgrade(&caller);
    let (claimed, now_ms) = mqueue
        .db
        .write_one(move |tx| {
            Box::pin(async move {
                // Read inside: the transaction may have waited for its turn.
                let now_ms = clock.now_ms();
                if waits.strong_count() == 0 {
                    return Ok((Vec::new(), now_ms));
                }
                let until_ms = now_ms + lease_ms;
                let by = Claimer {
                    worker: owned_worker,
                    token: ids.id(),
                    until_ms,
                };
                let claimed = store::claim(tx, &owned_queue, by, max, now_ms).await?;
                Ok((claimed, now_ms))
            })
        })
        .await?;
    drop(caller);

    let (claimed, ended): (Vec<Claimed>, Vec<Claimed>) =
        claimed.into_iter().partition(|job| job.state == State::Running);
    for job in &ended {
        tracing::warn!(
            queue,
            kind = job.kind,
            job = job.id,
            state = job.state.name(),
            "a job's last lease ran out"
        );
        metrics::count(queue, metrics::given_up(job.state), 1);
    }
    metrics::count(queue, "claimed", claimed.len());
    let lateness = metrics::LATENESS.with_label_values(&[queue]);
    let jobs = claimed.into_iter().map(|job| {
        if job.attempt == 1 {
            let late = Duration::from_millis((now_ms - job.due_at_ms).max(0).unsigned_abs());
            lateness.observe(late.as_secs_f64());
        }
        pb::Job {
            id: job.id,
            queue: queue.to_owned(),
            kind: job.kind,
            payload: job.payload,
            token: job.token,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            due_at_ms: job.due_at_ms,
            lease_until_ms: now_ms + lease_ms,
            traceparent: job.traceparent,
        }
    });
    Ok(jobs.collect())
}
