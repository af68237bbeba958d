use std::collections::HashSet;

use homestay_error::{Error, Result};
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::result::Outcome;

use crate::rules::{self, Failed, State};
use crate::store::{self, After, Ended, Lease};
use crate::{MqueueService, metrics};

/// Results, leases and refs of one call.
pub(crate) const BATCH: usize = 1000;
/// Longest error text that is kept.
const ERROR_CHARS: usize = 500;

/// Records how attempts ended. For each, in order, whether its lease was still held: a stale one changes nothing.
pub(crate) async fn finish(mqueue: &MqueueService, results: Vec<pb::Result>) -> Result<Vec<bool>> {
    if results.len() > BATCH {
        return Err(Error::invalid("results", format!("must be at most {BATCH}")));
    }
    if results.is_empty() {
        return Ok(Vec::new());
    }
    let leases: Vec<Lease> = results.iter().map(|result| lease(result.job)).collect();
    // A lease that is named twice counts once: the first word holds.
    let mut named = HashSet::new();
    let first: Vec<bool> = leases.iter().map(|lease| named.insert(*lease)).collect();

    let mut done = Vec::new();
    let mut bad: Vec<(Lease, Failed, String)> = Vec::new();
    for (result, lease) in results
        .into_iter()
        .zip(&leases)
        .zip(&first)
        .filter_map(|(r, first)| first.then_some(r))
    {
        let failed = match result.outcome() {
            Outcome::Done => {
                done.push(*lease);
                continue;
            }
            Outcome::Retry => Failed::Retry {
                after_ms: result.retry_after_ms,
            },
            Outcome::Dead => Failed::Dead,
        };
        bad.push((*lease, failed, result.error.chars().take(ERROR_CHARS).collect()));
    }
    // A lease's attempt does not change while it is held, so this may be read before the transaction.
    let failing: Vec<Lease> = bad.iter().map(|(lease, ..)| *lease).collect();
    let tries = store::tries(&mqueue.db, &failing).await?;
    let now_ms = mqueue.clock.now_ms();
    let ended: Vec<Ended> = bad
        .into_iter()
        .filter_map(|(lease, failed, error)| {
            let tries = *tries.get(&lease)?;
            let (state, next_at_ms) = rules::after_failure(failed, tries, now_ms, rand::random());
            Some(Ended {
                lease,
                state,
                next_at_ms,
                error,
            })
        })
        .collect();

    let mut after = Vec::new();
    if !done.is_empty() {
        after = mqueue
            .db
            .write_one(move |tx| Box::pin(async move { store::done(tx, &done, now_ms).await }))
            .await?;
        for job in &after {
            metrics::count(&job.queue, "done", 1);
        }
    }
    if !ended.is_empty() {
        let failed = mqueue
            .db
            .write_one(move |tx| Box::pin(async move { store::failed(tx, ended, now_ms).await }))
            .await?;
        for job in &failed {
            announce(mqueue, job);
        }
        after.extend(failed);
    }

    let accepted: HashSet<i64> = after.iter().map(|job| job.id).collect();
    let verdicts = leases.iter().zip(&first);
    Ok(verdicts
        .map(|((id, _), first)| *first && accepted.contains(id))
        .collect())
}

/// Tells what a failed try led to.
fn announce(mqueue: &MqueueService, job: &After) {
    let event = match job.state {
        State::Done | State::Dead => metrics::given_up(job.state),
        State::Ready | State::Running => {
            mqueue.bell.ring(&job.queue, job.next_at_ms);
            "retried"
        }
    };
    metrics::count(&job.queue, event, 1);
}

/// Prolongs leases; for each, in order, whether it was still held.
pub(crate) async fn heartbeat(mqueue: &MqueueService, jobs: Vec<pb::JobRef>) -> Result<Vec<bool>> {
    let leases = leases("jobs", jobs)?;
    let until_ms = mqueue.clock.now_ms() + mqueue.config.lease_ms();
    let asked = leases.clone();
    let alive = mqueue
        .db
        .write_one(move |tx| Box::pin(async move { store::prolong(tx, &leases, until_ms).await }))
        .await?;
    Ok(asked.iter().map(|(id, _)| alive.contains(id)).collect())
}

/// Hands back all leases of a worker except those to keep, and sends its waiting claims home.
pub(crate) async fn release(mqueue: &MqueueService, worker: String, keep: Vec<pb::JobRef>) -> Result<()> {
    if worker.is_empty() {
        return Err(Error::invalid("worker", "must not be empty"));
    }
    let keep = leases("keep", keep)?;
    mqueue.bell.dismiss(&worker);
    let released = mqueue
        .db
        .write_one(move |tx| Box::pin(async move { store::release(tx, &worker, &keep).await }))
        .await?;
    for (queue, at_ms) in released {
        mqueue.bell.ring(&queue, at_ms);
        metrics::count(&queue, "released", 1);
    }
    Ok(())
}

fn lease(job: Option<pb::JobRef>) -> Lease {
    let job = job.unwrap_or_default();
    (job.id, job.token)
}

fn leases(field: &'static str, jobs: Vec<pb::JobRef>) -> Result<Vec<Lease>> {
    if jobs.len() > BATCH {
        return Err(Error::invalid(field, format!("must be at most {BATCH}")));
    }
    Ok(jobs.into_iter().map(|job| lease(Some(job))).collect())
}
