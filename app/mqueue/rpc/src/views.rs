//! SQL of what operators see. Reads only.

use std::collections::BTreeMap;

use homestay_db::Db;
use homestay_error::Result;
use homestay_proto::mqueue as pb;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::rules::State;

/// Which jobs to list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub queue: Option<String>,
    pub state: Option<State>,
    /// Exclusive upper bound on ids.
    pub before_id: Option<i64>,
    pub limit: i64,
}

/// Jobs by id, newest first.
pub(crate) async fn jobs(db: &Db, filter: Filter) -> Result<Vec<pb::JobView>> {
    let mut sql = db.builder(
        "SELECT id, queue, kind, payload, token, attempt, max_attempts, due_at_ms, next_at_ms, traceparent, state, \
         last_error, worker, created_at_ms, finished_at_ms, unique_key FROM job WHERE 1 = 1",
    );
    if let Some(queue) = filter.queue {
        sql.push(" AND queue = ").push_bind(queue);
    }
    // As constants, so that the databases see which partial index fits.
    match filter.state {
        Some(state @ (State::Ready | State::Running)) => {
            sql.push(" AND state < 2 AND state = ").push(state.number());
        }
        Some(state @ (State::Done | State::Dead)) => {
            sql.push(" AND state = ").push(state.number());
        }
        None => {}
    }
    if let Some(id) = filter.before_id {
        sql.push(" AND id < ").push_bind(id);
    }
    sql.push(" ORDER BY id DESC LIMIT ").push(filter.limit);
    let rows = sql.build().fetch_all(db.read()).await?;
    rows.iter().map(|row| Ok(view(row)?)).collect()
}

fn view(row: &AnyRow) -> Result<pb::JobView, sqlx::Error> {
    let state = State::numbered(row.try_get(10)?);
    let job = pb::Job {
        id: row.try_get(0)?,
        queue: row.try_get(1)?,
        kind: row.try_get(2)?,
        payload: row.try_get(3)?,
        token: row.try_get(4)?,
        attempt: row.try_get(5)?,
        max_attempts: row.try_get(6)?,
        due_at_ms: row.try_get(7)?,
        lease_until_ms: if state == Some(State::Running) {
            row.try_get(8)?
        } else {
            0
        },
        traceparent: row.try_get(9)?,
    };
    Ok(pb::JobView {
        job: Some(job),
        state: state.map(State::name).unwrap_or_default().to_owned(),
        last_error: row.try_get(11)?,
        worker: row.try_get(12)?,
        created_at_ms: row.try_get(13)?,
        finished_at_ms: row.try_get(14)?,
        unique_key: row.try_get::<Option<String>, _>(15)?.unwrap_or_default(),
    })
}

/// Counts of all queues that have open or dead jobs, by name.
pub(crate) async fn queues(db: &Db, now_ms: i64) -> Result<Vec<pb::QueueView>> {
    let open = sqlx::query(
        "SELECT queue, \
         CAST(SUM(CASE WHEN state = 0 AND next_at_ms <= $1 THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 0 AND next_at_ms > $1 THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 1 THEN 1 ELSE 0 END) AS BIGINT), \
         MIN(CASE WHEN state = 0 THEN next_at_ms ELSE $1 END) \
         FROM job WHERE state < 2 GROUP BY queue",
    )
    .bind(now_ms)
    .fetch_all(db.read())
    .await?;
    let mut queues = BTreeMap::new();
    for row in &open {
        let queue: String = row.try_get(0)?;
        let oldest: i64 = row.try_get(4)?;
        let view = pb::QueueView {
            queue: queue.clone(),
            ready: row.try_get(1)?,
            scheduled: row.try_get(2)?,
            running: row.try_get(3)?,
            dead: 0,
            oldest_due_ms: (now_ms - oldest).max(0),
        };
        queues.insert(queue, view);
    }
    let dead = sqlx::query("SELECT queue, COUNT(*) FROM job WHERE state = 3 GROUP BY queue")
        .fetch_all(db.read())
        .await?;
    for row in &dead {
        let queue: String = row.try_get(0)?;
        let view = queues.entry(queue.clone()).or_insert_with(|| pb::QueueView {
            queue,
            ..Default::default()
        });
        view.dead = row.try_get(1)?;
    }
    Ok(queues.into_values().collect())
}
