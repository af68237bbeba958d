//! Rows of `order_step`.

use homestay_db::{QueryBuilder, Tx};
use homestay_error::Result;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, FromRow, Row};

use crate::step::{Name, Step};

impl<'r> FromRow<'r, AnyRow> for Step {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get(0)?,
            name: row.try_get(1)?,
            attempt: row.try_get(2)?,
            node: row.try_get(3)?,
            error: row.try_get(4)?,
            started_at_ms: row.try_get(5)?,
            ended_at_ms: row.try_get(6)?,
            undo_started_at_ms: row.try_get(7)?,
            undo_ended_at_ms: row.try_get(8)?,
        })
    }
}

/// The steps of an order, in the order they happened.
pub(crate) async fn of_order<'e>(db: impl Executor<'e, Database = Any>, sn: &str) -> Result<Vec<Step>> {
    Ok(sqlx::query_as(
        "SELECT seq, name, attempt, node, error, started_at_ms, ended_at_ms, undo_started_at_ms, undo_ended_at_ms \
         FROM order_step WHERE order_sn = $1 ORDER BY seq",
    )
    .bind(sn)
    .fetch_all(db)
    .await?)
}

/// Columns of what [`push_values`] writes.
pub(super) const COLUMNS: &str = "order_sn, seq, name, attempt, node, error, started_at_ms, ended_at_ms, \
     undo_started_at_ms, undo_ended_at_ms";

/// Adds steps; one that is there already stays as it is.
pub(crate) async fn insert(tx: &mut Tx, sn: &str, steps: Vec<Step>) -> Result<()> {
    let mut insert = tx.builder(format!("INSERT INTO order_step ({COLUMNS}) "));
    push_values(&mut insert, sn, steps);
    insert.push(" ON CONFLICT DO NOTHING");
    insert.build().execute(&mut **tx).await?;
    Ok(())
}

pub(super) fn push_values(statement: &mut QueryBuilder, sn: &str, steps: Vec<Step>) {
    statement.push_values(steps, |mut row, step| {
        row.push_bind(sn.to_owned())
            .push_bind(step.seq)
            .push_bind(step.name)
            .push_bind(step.attempt)
            .push_bind(step.node)
            .push_bind(step.error)
            .push_bind(step.started_at_ms)
            .push_bind(step.ended_at_ms)
            .push_bind(step.undo_started_at_ms)
            .push_bind(step.undo_ended_at_ms);
    });
}

/// Ends a step that has begun.
pub(crate) async fn end(tx: &mut Tx, sn: &str, name: Name, attempt: i64, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_step SET ended_at_ms = $1 WHERE order_sn = $2 AND seq = $3 AND ended_at_ms = 0",
    )
    .bind(now_ms)
    .bind(sn)
    .bind(name.seq(attempt))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Undoes an attempt of which no money is left: everything but the nights, which are undone when they are given back
/// ([`nights_undone`]). The step that had not ended says why.
pub(crate) async fn undo(tx: &mut Tx, sn: &str, attempt: i64, error: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_step SET undo_started_at_ms = CAST($1 AS BIGINT), \
         undo_ended_at_ms = CASE WHEN name = 'Scheduling' THEN undo_ended_at_ms ELSE CAST($1 AS BIGINT) END, \
         error = CASE WHEN ended_at_ms = 0 THEN $2 ELSE error END \
         WHERE order_sn = $3 AND attempt = $4 AND undo_started_at_ms = 0",
    )
    .bind(now_ms)
    .bind(error)
    .bind(sn)
    .bind(attempt)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Undoes an attempt that was paid: everything but the nights and the payment, which are undone when they are back
/// ([`nights_undone`], [`payment_undone`]). Where nothing goes back, the payment stays.
pub(crate) async fn undo_paid(
    tx: &mut Tx,
    sn: &str,
    attempt: i64,
    error: &str,
    refund: bool,
    now_ms: i64,
) -> Result<()> {
    let stays = if refund { "" } else { Name::PreProcessing.text() };
    sqlx::query(
        "UPDATE order_step SET undo_started_at_ms = CAST($1 AS BIGINT), \
         undo_ended_at_ms = CASE WHEN name IN ('Scheduling', 'Pre-Processing') THEN undo_ended_at_ms ELSE CAST($1 AS BIGINT) END, \
         error = CASE WHEN ended_at_ms = 0 THEN $2 ELSE error END \
         WHERE order_sn = $3 AND attempt = $4 AND undo_started_at_ms = 0 AND name <> $5",
    )
    .bind(now_ms)
    .bind(error)
    .bind(sn)
    .bind(attempt)
    .bind(stays)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The nights of an attempt are to be given back, as another one has taken its place; what had not ended of it has.
pub(crate) async fn replaced(tx: &mut Tx, sn: &str, attempt: i64, why: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_step SET undo_started_at_ms = CASE WHEN name = 'Scheduling' THEN CAST($1 AS BIGINT) ELSE undo_started_at_ms END, \
         error = CASE WHEN ended_at_ms = 0 THEN $2 ELSE error END, \
         ended_at_ms = CASE WHEN ended_at_ms = 0 THEN CAST($1 AS BIGINT) ELSE ended_at_ms END \
         WHERE order_sn = $3 AND attempt = $4 AND undo_started_at_ms = 0",
    )
    .bind(now_ms)
    .bind(why)
    .bind(sn)
    .bind(attempt)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The nights are given back.
pub(crate) async fn nights_undone(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_step SET undo_ended_at_ms = $1 WHERE order_sn = $2 AND name = 'Scheduling' \
         AND undo_started_at_ms > 0 AND undo_ended_at_ms = 0",
    )
    .bind(now_ms)
    .bind(sn)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The money is given back.
pub(crate) async fn payment_undone(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_step SET undo_ended_at_ms = $1 WHERE order_sn = $2 AND name <> 'Scheduling' \
         AND undo_started_at_ms > 0 AND undo_ended_at_ms = 0",
    )
    .bind(now_ms)
    .bind(sn)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends the telling once both are told; whether this call did.
pub(crate) async fn both_told(tx: &mut Tx, sn: &str, attempt: i64, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE order_step SET ended_at_ms = $1 WHERE order_sn = $2 AND seq = $3 AND ended_at_ms = 0 AND EXISTS \
         (SELECT 1 FROM orders WHERE sn = $2 AND guest_told_at_ms > 0 AND host_told_at_ms > 0 \
         AND state IN ('confirmed', 'used', 'expired'))",
    )
    .bind(now_ms)
    .bind(sn)
    .bind(Name::PostProcessing.seq(attempt))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
