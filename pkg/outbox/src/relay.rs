use std::sync::LazyLock;
use std::time::Duration;

use homestay_bus::{Bus, Message};
use homestay_db::{Db, QueryBuilder, Tx};
use homestay_error::{Code, Error, Result};
use homestay_jobs::{Enqueuer, NewJob};
use homestay_service::Stop;
use homestay_telemetry::metrics;
use prometheus::{IntCounterVec, IntGaugeVec};
use sqlx::Row;
use sqlx::any::AnyRow;

pub(crate) const EVENT: &str = "event";
pub(crate) const JOB: &str = "job";
/// What nobody takes: kept for an operator, and in nobody's way.
const REFUSED: &str = "refused";

/// Most rows a round. One delivery and one commit carry them all. Of events fewer, as handlers run for each of them, and a
/// stop waits for the round.
const EVENTS: usize = 64;
const JOBS: usize = 200;
/// What arrives within this time travels together: a commit and a call a row would undo the batching.
const LINGER: Duration = Duration::from_millis(5);
/// Rows of a process that was killed before it rang are found this late.
const IDLE: Duration = Duration::from_secs(1);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

static DELIVERED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "outbox_delivered_total",
        "Outbox rows delivered.",
        &["domain", "lane"],
    )
});
static FAILURES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "outbox_failures_total",
        "Deliveries of outbox rows that failed.",
        &["domain", "lane"],
    )
});
static REFUSALS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "outbox_refused_total",
        "Outbox rows that were refused and moved aside.",
        &["domain", "lane"],
    )
});
static WAITING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "outbox_waiting",
        "Outbox rows seen in the last round.",
        &["domain", "lane"],
    )
});

/// Delivers the events of `db` to `bus` until `stop`. One that is refused for what it is moves aside, and the others go on.
///
/// # Errors
/// Never by itself: what cannot be delivered is tried again with backoff.
pub async fn relay_events(domain: &'static str, db: Db, bus: Bus, stop: Stop) -> Result<(), Failed> {
    relay(domain, EVENT, db, stop, move |rows: &[RowView]| {
        let bus = bus.clone();
        let messages = rows.iter().map(message).collect();
        async move { bus.publish(messages).await }
    })
    .await
}

/// Delivers the jobs of `db` to the broker until `stop`. One that is refused for what it is moves aside, and the others go on.
///
/// # Errors
/// Never by itself: what cannot be delivered is tried again with backoff.
pub async fn relay_jobs(domain: &'static str, db: Db, jobs: Enqueuer, stop: Stop) -> Result<(), Failed> {
    relay(domain, JOB, db, stop, move |rows: &[RowView]| {
        let jobs = jobs.clone();
        let batch = rows.iter().map(|row| job(domain, row)).collect();
        async move { jobs.enqueue(batch).await.map(|_| ()) }
    })
    .await
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

struct RowView {
    id: i64,
    name: String,
    key: String,
    payload: String,
    due_at_ms: i64,
    max_attempts: i64,
    traceparent: String,
}

fn message(row: &RowView) -> Message {
    // The event's own id if it has one, so that a repeated delivery carries the same.
    let id = serde_json::from_str::<serde_json::Value>(&row.payload)
        .ok()
        .and_then(|payload| Some(payload.get("eventId")?.as_str()?.to_owned()))
        .unwrap_or_else(|| row.id.to_string());
    Message {
        topic: row.name.clone(),
        key: row.key.clone(),
        payload: row.payload.clone(),
        id,
        traceparent: row.traceparent.clone(),
    }
}

fn job(domain: &str, row: &RowView) -> NewJob {
    // A row delivered twice (killed between delivery and delete) must not become two jobs.
    let unique = if row.key.is_empty() {
        // Two domains' rows may bear the same id.
        format!("outbox:{domain}:{}", row.id)
    } else {
        row.key.clone()
    };
    NewJob {
        kind: row.name.clone(),
        payload: row.payload.clone(),
        due_at_ms: row.due_at_ms,
        unique_key: Some(unique),
        max_attempts: row.max_attempts,
        traceparent: row.traceparent.clone(),
    }
}

async fn relay<D, Fut>(
    domain: &'static str,
    lane: &'static str,
    db: Db,
    stop: Stop,
    deliver: D,
) -> Result<(), Failed>
where
    D: Fn(&[RowView]) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let (mut bell, mut share) = (db.bell(), db.share());
    let mut backoff = BACKOFF.0;
    while !stop.is_cancelled() {
        bell.mark_unchanged();
        let Some(nodes) = *share.borrow_and_update() else {
            // Nobody knows whose the rows are now.
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = share.changed() => continue,
            }
        };
        let pause = match round(domain, lane, &db, nodes, &deliver).await {
            Ok(full) => {
                backoff = BACKOFF.0;
                if full {
                    continue;
                }
                // Nothing, or all there was: wait for the bell.
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    _ = bell.changed() => LINGER,
                    _ = share.changed() => Duration::ZERO,
                    () = tokio::time::sleep(IDLE) => Duration::ZERO,
                }
            }
            Err(error) => {
                FAILURES.with_label_values(&[domain, lane]).inc();
                tracing::warn!(domain, lane, error = %error.chain(), "outbox rows could not be delivered and are kept");
                let pause = backoff;
                backoff = (backoff * 2).min(BACKOFF.1);
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

/// Delivers what waits, at most a batch; whether there may be more.
async fn round<D, Fut>(
    domain: &'static str,
    lane: &'static str,
    db: &Db,
    nodes: i64,
    deliver: &D,
) -> Result<bool>
where
    D: Fn(&[RowView]) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let rows = read(db, lane, nodes).await?;
    WAITING
        .with_label_values(&[domain, lane])
        .set(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    if rows.is_empty() {
        return Ok(false);
    }
    let (mut delivered, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
    let outcome = match deliver(&rows).await {
        Ok(()) => {
            delivered.extend(rows.iter().map(|row| row.id));
            Ok(())
        }
        // Whose fault it is, is found out one by one.
        Err(error) if is_refusal(&error) => {
            let mut outcome = Ok(());
            for row in &rows {
                match deliver(std::slice::from_ref(row)).await {
                    Ok(()) => delivered.push(row.id),
                    Err(error) if is_refusal(&error) => {
                        tracing::error!(domain, lane, id = row.id, name = row.name, error = %error.chain(),
                            "an outbox row is refused and moves aside");
                        refused.push(row.id);
                    }
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            outcome
        }
        Err(error) => Err(error),
    };
    let counts = (delivered.len() as u64, refused.len() as u64);
    settle(db, delivered, refused).await?;
    DELIVERED.with_label_values(&[domain, lane]).inc_by(counts.0);
    REFUSALS.with_label_values(&[domain, lane]).inc_by(counts.1);
    outcome.map(|()| rows.len() == batch(lane))
}

/// Whether the same delivery will be refused again, for what it is. That we may not call, or that nobody is there, says
/// nothing of a row.
fn is_refusal(error: &Error) -> bool {
    let code = error.code();
    !code.is_transient()
        && !matches!(
            code,
            Code::Unauthenticated | Code::Forbidden | Code::RouteNotFound | Code::MethodNotAllowed
        )
}

fn batch(lane: &str) -> usize {
    if lane == EVENT { EVENTS } else { JOBS }
}

/// The rows of a lane whose id is of one of the nodes: bit n for node n.
macro_rules! waiting {
    ($limit:literal) => {
        concat!(
            "SELECT id, name, key, payload, due_at_ms, max_attempts, traceparent FROM outbox WHERE lane = $1 \
             AND ((CAST($2 AS BIGINT) >> CAST((id / 128) % 64 AS INTEGER)) & 1) = 1 ORDER BY id LIMIT ",
            $limit
        )
    };
}

async fn read(db: &Db, lane: &str, nodes: i64) -> Result<Vec<RowView>> {
    // The limit is a literal: as a parameter Postgres would plan at every call (facts-performance.md §7).
    let sql = match batch(lane) {
        EVENTS => waiting!("64"),
        _ => waiting!("200"),
    };
    let rows = sqlx::query(sql)
        .bind(lane)
        .bind(nodes)
        .fetch_all(db.read())
        .await?;
    rows.iter().map(|row| view(row).map_err(Into::into)).collect()
}

fn view(row: &AnyRow) -> Result<RowView, sqlx::Error> {
    Ok(RowView {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        key: row.try_get(2)?,
        payload: row.try_get(3)?,
        due_at_ms: row.try_get(4)?,
        max_attempts: row.try_get(5)?,
        traceparent: row.try_get(6)?,
    })
}

/// Deletes what was delivered and moves aside what was refused.
async fn settle(db: &Db, delivered: Vec<i64>, refused: Vec<i64>) -> Result<()> {
    if !refused.is_empty() {
        db.write_one(move |tx| Box::pin(async move { set_aside(tx, refused).await }))
            .await?;
    }
    if !delivered.is_empty() {
        db.write_one(move |tx| Box::pin(async move { delete(tx, delivered).await }))
            .await?;
    }
    Ok(())
}

/// The ids as a list in brackets, which comes in few lengths, so that the statement stays prepared.
fn list(statement: &mut QueryBuilder, mut ids: Vec<i64>) {
    let last = ids.last().copied().unwrap_or_default();
    let length = [1, 4, 16, EVENTS, JOBS]
        .into_iter()
        .find(|n| *n >= ids.len())
        .unwrap_or(ids.len());
    ids.resize(length, last);
    statement.push("(");
    let mut list = statement.separated(", ");
    for id in ids {
        list.push_bind(id);
    }
    statement.push(")");
}

async fn set_aside(tx: &mut Tx, ids: Vec<i64>) -> Result<()> {
    let mut update = tx.builder("UPDATE outbox SET lane = ");
    update.push_bind(REFUSED).push(" WHERE id IN ");
    list(&mut update, ids);
    update.build().execute(&mut **tx).await?;
    Ok(())
}

/// What of this is lost with the server is delivered again.
async fn delete(tx: &mut Tx, ids: Vec<i64>) -> Result<()> {
    let mut delete = tx.builder("DELETE FROM outbox WHERE id IN ");
    list(&mut delete, ids);
    delete.push(tx.relaxed());
    delete.build().execute(&mut **tx).await?;
    Ok(())
}
