use std::collections::HashMap;

use homestay_error::{Error, Result};
use homestay_proto::mqueue as pb;

use crate::store::{self, NewRow};
use crate::{MqueueService, metrics};

/// Jobs of one call.
const BATCH: usize = 10_000;
/// Longest names and keys.
const NAME_BYTES: usize = 255;
/// Longest payload: ids, not documents. A claim's answer must fit into a message.
const PAYLOAD_BYTES: usize = 8 * 1024;
/// Most tries of a job.
const ATTEMPTS: i64 = 1000;

/// Adds all jobs or none; how many were new.
pub(crate) async fn enqueue(mqueue: &MqueueService, jobs: Vec<pb::NewJob>) -> Result<i64> {
    if jobs.is_empty() {
        return Ok(0);
    }
    if jobs.len() > BATCH {
        return Err(Error::invalid("jobs", format!("must be at most {BATCH}")));
    }
    let now_ms = mqueue.clock.now_ms();
    let mut rows = Vec::with_capacity(jobs.len());
    let mut earliest: HashMap<String, i64> = HashMap::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (i, job) in jobs.into_iter().enumerate() {
        check(i, &job)?;
        let row = NewRow {
            id: mqueue.ids.id(),
            queue: job.queue,
            kind: job.kind,
            payload: job.payload,
            unique_key: Some(job.unique_key).filter(|key| !key.is_empty()),
            due_at_ms: if job.due_at_ms == 0 { now_ms } else { job.due_at_ms },
            max_attempts: if job.max_attempts == 0 {
                mqueue.config.max_attempts
            } else {
                job.max_attempts
            },
            traceparent: job.traceparent,
        };
        earliest
            .entry(row.queue.clone())
            .and_modify(|at| *at = row.due_at_ms.min(*at))
            .or_insert(row.due_at_ms);
        *seen.entry(row.queue.clone()).or_default() += 1;
        rows.push(row);
    }

    let db = &mqueue.db;
    let added = if store::fits_one_insert(rows.len()) {
        db.write_one(move |tx| Box::pin(async move { store::insert(tx, &rows, now_ms).await }))
            .await?
    } else {
        db.write(move |tx| Box::pin(async move { store::insert(tx, &rows, now_ms).await }))
            .await?
    };

    for (queue, at_ms) in earliest {
        mqueue.bell.ring(&queue, at_ms);
    }
    let mut new: HashMap<&str, usize> = HashMap::new();
    for queue in &added {
        *new.entry(queue).or_default() += 1;
    }
    for (queue, all) in &seen {
        let new = new.get(queue.as_str()).copied().unwrap_or_default();
        metrics::count(queue, "enqueued", new);
        metrics::count(queue, "known", all - new);
    }
    Ok(i64::try_from(added.len()).unwrap_or(i64::MAX))
}

fn check(i: usize, job: &pb::NewJob) -> Result<()> {
    let name = |field: &str, value: &str, least: usize| {
        if (least..=NAME_BYTES).contains(&value.len()) {
            Ok(())
        } else {
            let what = format!("must have {least} to {NAME_BYTES} bytes");
            Err(Error::invalid(format!("jobs[{i}].{field}"), what))
        }
    };
    name("queue", &job.queue, 1)?;
    name("kind", &job.kind, 1)?;
    name("uniqueKey", &job.unique_key, 0)?;
    name("traceparent", &job.traceparent, 0)?;
    if job.payload.len() > PAYLOAD_BYTES {
        let what = format!("must have at most {PAYLOAD_BYTES} bytes");
        return Err(Error::invalid(format!("jobs[{i}].payload"), what));
    }
    if job.due_at_ms < 0 {
        return Err(Error::invalid(
            format!("jobs[{i}].dueAtMs"),
            "must not be negative",
        ));
    }
    if !(0..=ATTEMPTS).contains(&job.max_attempts) {
        let what = format!("must be 0 to {ATTEMPTS}");
        return Err(Error::invalid(format!("jobs[{i}].maxAttempts"), what));
    }
    Ok(())
}
