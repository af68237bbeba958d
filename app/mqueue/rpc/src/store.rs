//! SQL of the job table, and nothing but SQL.

use std::collections::{HashMap, HashSet};

use homestay_db::{Db, Dialect, QueryBuilder, Tx};
use homestay_error::Result;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::rules::{State, Tries};

/// Rows of one INSERT: far below the parameter limits of both databases.
const INSERT: usize = 500;
/// Up to that many rows an INSERT of each length stays prepared.
const COMMON: usize = 8;
/// Rows of one DELETE, so that it does not hold up the writer.
const PURGE: u64 = 1000;

/// A lease: job and fencing token.
pub(crate) type Lease = (i64, i64);

/// Who claims, and until when.
#[derive(Debug)]
pub(crate) struct Claimer {
    pub worker: String,
    /// Never used before, not even by a claim that was lost with the server: a count would give the same one twice.
    pub token: i64,
    pub until_ms: i64,
}

/// A row to be inserted.
#[derive(Debug)]
pub(crate) struct NewRow {
    pub id: i64,
    pub queue: String,
    pub kind: String,
    pub payload: String,
    pub unique_key: Option<String>,
    pub due_at_ms: i64,
    pub max_attempts: i64,
    pub traceparent: String,
}

/// A job as claimed.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub id: i64,
    pub kind: String,
    pub payload: String,
    pub token: i64,
    pub attempt: i64,
    pub max_attempts: i64,
    pub due_at_ms: i64,
    pub traceparent: String,
    /// Running, or how it ended: its last lease ran out with its tries used up.
    pub state: State,
}

/// How an attempt ended. `next_at_ms` counts only where the job is to be tried again.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub lease: Lease,
    pub state: State,
    pub next_at_ms: i64,
    pub error: String,
}

/// A job whose attempt ended, as far as the bell and the metrics want to know.
#[derive(Debug)]
pub(crate) struct After {
    pub id: i64,
    pub queue: String,
    pub state: State,
    pub next_at_ms: i64,
}

/// State of a job that is out of tries: a tick was missed, and the next one is its retry; anything else is a dead letter.
macro_rules! used_up {
    () => {
        "CASE WHEN unique_key LIKE 'cron:%' THEN 2 ELSE 3 END"
    };
}

/// Statements with a list come in few lengths, so that they stay prepared: the last entry is repeated.
fn padded<T: Clone>(list: &[T]) -> impl Iterator<Item = T> {
    let length = list.len().next_power_of_two();
    let last = list.last().into_iter().cycle();
    list.iter()
        .chain(last)
        .take(if list.is_empty() { 0 } else { length })
        .cloned()
}

/// `WITH given(…) AS (VALUES …)`: leases to act on, in the order of ids, so that two statements wait for each other in one
/// direction only.
fn given(tx: &Tx, leases: &[Lease]) -> QueryBuilder {
    let mut leases = leases.to_vec();
    leases.sort_unstable();
    let mut sql = tx.builder("WITH given(job_id, job_token) AS (");
    sql.push_values(padded(&leases), |mut row, (id, token)| {
        row.push_bind(id).push_bind(token);
    });
    sql.push(") ");
    sql
}

/// Whether [`insert`] writes this many rows in one statement.
pub(crate) fn fits_one_insert(rows: usize) -> bool {
    rows <= INSERT
}

/// Inserts all whose unique key is not known; the queues of those that were new.
pub(crate) async fn insert(tx: &mut Tx, rows: &[NewRow], now_ms: i64) -> Result<Vec<String>> {
    let mut added = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(INSERT) {
        let mut sql = tx.builder(
            "INSERT INTO job (id, queue, kind, payload, unique_key, state, due_at_ms, next_at_ms, attempt, max_attempts, \
             token, worker, last_error, traceparent, created_at_ms, finished_at_ms) ",
        );
        sql.push_values(chunk, |mut row, new| {
            row.push_bind(new.id)
                .push_bind(&new.queue)
                .push_bind(&new.kind)
                .push_bind(&new.payload)
                .push_bind(&new.unique_key)
                .push_bind(State::Ready.number())
                .push_bind(new.due_at_ms)
                .push_bind(new.due_at_ms)
                .push("0")
                .push_bind(new.max_attempts)
                .push("0, '', ''")
                .push_bind(&new.traceparent)
                .push_bind(now_ms)
                .push("0");
        });
        sql.push(" ON CONFLICT (unique_key) DO NOTHING RETURNING queue");
        // Of other lengths there are too many to keep them all prepared.
        let common = chunk.len() <= COMMON || chunk.len().is_power_of_two();
        let new = sql.build().persistent(common).fetch_all(&mut **tx).await?;
        for row in new {
            added.push(row.try_get(0)?);
        }
    }
    Ok(added)
}

/// When somebody must look at the queue next: its earliest due time or lease end.
pub(crate) async fn head(db: &Db, queue: &str) -> Result<Option<i64>> {
    let row = sqlx::query(
        "SELECT next_at_ms FROM job WHERE queue = $1 AND state < 2 ORDER BY next_at_ms, id LIMIT 1",
    )
    .bind(queue)
    .fetch_optional(db.read())
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Takes at most `max` due jobs under a lease, earliest first. As with how attempts end, what of this is
/// lost with the server is done again. What ran out with its tries used up is
/// buried instead, and marked so in the answer.
pub(crate) async fn claim(
    tx: &mut Tx,
    queue: &str,
    by: Claimer,
    max: i64,
    now_ms: i64,
) -> Result<Vec<Claimed>> {
    let lock = match tx.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
    };
    let mut sql = tx.builder("WITH picked AS MATERIALIZED (SELECT id FROM job WHERE state < 2 AND queue = ");
    sql.push_bind(queue)
        .push(" AND next_at_ms <= ")
        .push_bind(now_ms)
        .push(" ORDER BY next_at_ms, id LIMIT ")
        .push(max)
        .push(lock)
        .push(") UPDATE job SET token = ")
        .push_bind(by.token)
        .push(concat!(
            ", state = CASE WHEN attempt < max_attempts THEN 1 ELSE ",
            used_up!(),
            " END, "
        ))
        .push("last_error = CASE WHEN state = 1 THEN 'the lease ran out' ELSE last_error END, ")
        .push("next_at_ms = CASE WHEN attempt < max_attempts THEN ")
        .push_bind(by.until_ms)
        .push(" ELSE next_at_ms END, worker = CASE WHEN attempt < max_attempts THEN ")
        .push_bind(by.worker)
        .push(" ELSE worker END, finished_at_ms = CASE WHEN attempt < max_attempts THEN 0 ELSE ")
        .push_bind(now_ms)
        .push(" END, attempt = CASE WHEN attempt < max_attempts THEN attempt + 1 ELSE attempt END ")
        .push("WHERE id IN (SELECT id FROM picked)")
        .push(tx.relaxed())
        .push(" RETURNING id, kind, payload, token, attempt, max_attempts, due_at_ms, traceparent, state");
    let rows = sql.build().fetch_all(&mut **tx).await?;
    let mut claimed = rows.iter().map(claimed).collect::<Result<Vec<_>, _>>()?;
    // RETURNING keeps no order.
    claimed.sort_by_key(|job| (job.due_at_ms, job.id));
    Ok(claimed)
}

fn claimed(row: &AnyRow) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        payload: row.try_get(2)?,
        token: row.try_get(3)?,
        attempt: row.try_get(4)?,
        max_attempts: row.try_get(5)?,
        due_at_ms: row.try_get(6)?,
        traceparent: row.try_get(7)?,
        state: State::numbered(row.try_get(8)?).unwrap_or(State::Dead),
    })
}

/// What leases that are still held have been tried.
pub(crate) async fn tries(db: &Db, leases: &[Lease]) -> Result<HashMap<Lease, Tries>> {
    if leases.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = db.builder(concat!(
        "SELECT id, token, attempt, max_attempts, ",
        used_up!(),
        " FROM job WHERE state = 1 AND id IN ("
    ));
    let mut ids = sql.separated(", ");
    for (id, _) in padded(leases) {
        ids.push_bind(id);
    }
    sql.push(")");
    let rows = sql.build().fetch_all(db.read()).await?;
    rows.iter()
        .map(|row| {
            Ok((
                (row.try_get(0)?, row.try_get(1)?),
                Tries {
                    attempt: row.try_get(2)?,
                    max_attempts: row.try_get(3)?,
                    tick: row.try_get::<i64, _>(4)? == State::Done.number(),
                },
            ))
        })
        .collect()
}

/// Ends the leases whose attempt was a success. Stale ones change nothing and are missing in the answer.
pub(crate) async fn done(tx: &mut Tx, leases: &[Lease], now_ms: i64) -> Result<Vec<After>> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = given(tx, leases);
    sql.push("UPDATE job SET state = 2, finished_at_ms = ")
        .push_bind(now_ms)
        .push(" FROM given WHERE job.id = given.job_id AND job.token = given.job_token AND job.state = 1")
        .push(tx.relaxed())
        .push(" RETURNING id, queue, state, next_at_ms");
    after(&sql.build().fetch_all(&mut **tx).await?)
}

/// Ends the leases whose attempt failed: to be tried again, or dead. Stale ones change nothing and are missing in the answer.
pub(crate) async fn failed(tx: &mut Tx, mut ended: Vec<Ended>, now_ms: i64) -> Result<Vec<After>> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    ended.sort_unstable_by_key(|end| end.lease);
    let mut sql = tx.builder(
        "WITH given(job_id, job_token, new_state, new_next_at_ms, new_finished_at_ms, new_error) AS (",
    );
    sql.push_values(padded(&ended), |mut row, end| {
        let finished = if end.state == State::Ready { 0 } else { now_ms };
        row.push_bind(end.lease.0)
            .push_bind(end.lease.1)
            .push_bind(end.state.number())
            .push_bind(end.next_at_ms)
            .push_bind(finished)
            .push_bind(end.error);
    });
    sql.push(") UPDATE job SET state = new_state, due_at_ms = CASE WHEN new_state = 0 THEN new_next_at_ms ELSE due_at_ms END, ")
        .push("next_at_ms = new_next_at_ms, finished_at_ms = new_finished_at_ms, last_error = new_error ")
        .push("FROM given WHERE job.id = given.job_id AND job.token = given.job_token AND job.state = 1 ")
        .push("RETURNING id, queue, state, next_at_ms");
    after(&sql.build().fetch_all(&mut **tx).await?)
}

fn after(rows: &[AnyRow]) -> Result<Vec<After>> {
    let view = |row: &AnyRow| {
        Ok(After {
            id: row.try_get(0)?,
            queue: row.try_get(1)?,
            state: State::numbered(row.try_get(2)?).unwrap_or(State::Dead),
            next_at_ms: row.try_get(3)?,
        })
    };
    rows.iter().map(view).collect()
}

/// Prolongs leases; the jobs whose lease was still held.
pub(crate) async fn prolong(tx: &mut Tx, leases: &[Lease], until_ms: i64) -> Result<HashSet<i64>> {
    if leases.is_empty() {
        return Ok(HashSet::new());
    }
    let mut sql = given(tx, leases);
    sql.push("UPDATE job SET next_at_ms = ")
        .push_bind(until_ms)
        .push(" FROM given WHERE job.id = given.job_id AND job.token = given.job_token AND job.state = 1")
        .push(tx.relaxed())
        .push(" RETURNING id");
    let rows = sql.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Hands back a worker's leases except those to keep, attempts included; (queue, due time) of each.
pub(crate) async fn release(tx: &mut Tx, worker: &str, keep: &[Lease]) -> Result<Vec<(String, i64)>> {
    let nothing: &[Lease] = &[(0, 0)];
    let mut sql = given(tx, if keep.is_empty() { nothing } else { keep });
    sql.push("UPDATE job SET state = 0, attempt = attempt - 1, next_at_ms = due_at_ms WHERE state = 1 AND worker = ")
        .push_bind(worker)
        .push(" AND NOT EXISTS (SELECT 1 FROM given WHERE given.job_id = job.id AND given.job_token = job.token) ")
        .push("RETURNING queue, due_at_ms");
    let rows = sql.build().fetch_all(&mut **tx).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// Ends jobs whose last lease ran out with their tries used up; their queues, and how each ended.
pub(crate) async fn bury(tx: &mut Tx, now_ms: i64) -> Result<Vec<(String, State)>> {
    let rows = sqlx::query(concat!(
        "UPDATE job SET state = ",
        used_up!(),
        ", finished_at_ms = $1, last_error = 'the lease ran out' \
         WHERE state = 1 AND next_at_ms <= $1 AND attempt >= max_attempts RETURNING queue, state",
    ))
    .bind(now_ms)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let state = State::numbered(row.try_get(1)?).unwrap_or(State::Dead);
            Ok((row.try_get(0)?, state))
        })
        .collect()
}

/// Deletes some jobs that were done before `before_ms`. Whether there may be more.
pub(crate) async fn purge(tx: &mut Tx, before_ms: i64) -> Result<bool> {
    let deleted = sqlx::query(
        "DELETE FROM job WHERE id IN \
         (SELECT id FROM job WHERE state = 2 AND finished_at_ms < $1 LIMIT 1000)",
    )
    .bind(before_ms)
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected() >= PURGE)
}
