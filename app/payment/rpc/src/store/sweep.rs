//! What hangs longer than it should.

use homestay_db::Tx;
use homestay_error::Result;
use sqlx::{Any, Executor, Row};

use super::{Payment, payment};

/// Payments that should not be open any more: of a closed order and older than `made_before_ms`, or past
/// `expired_before_ms`. At most 50, those first that were not looked at for longest.
pub(crate) async fn overdue<'e>(
    on: impl Executor<'e, Database = Any>,
    made_before_ms: i64,
    expired_before_ms: i64,
) -> Result<Vec<Payment>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE sn IN (SELECT p.sn FROM payment p ",
        "LEFT JOIN pay_order o ON o.order_sn = p.order_sn ",
        "WHERE p.state IN ('created', 'pending') ",
        "AND (p.expires_at_ms < $1 OR (p.created_at_ms < $2 AND (o.all_closed = 1 OR (p.charge = 0 AND o.closed = 1) ",
        "OR EXISTS (SELECT 1 FROM pay_charge c WHERE c.order_sn = p.order_sn AND c.charge = p.charge AND c.closed = 1)))) ",
        "ORDER BY p.swept_at_ms LIMIT 50) ORDER BY swept_at_ms"
    ))
    .bind(expired_before_ms)
    .bind(made_before_ms)
    .fetch_all(on)
    .await?;
    rows.iter().map(payment).collect()
}

/// Most payments [`unsettled`] answers.
pub(crate) const UNSETTLED: usize = 100;

/// Captured payments that are not known to pay their order, recorded before `before_ms`. The gap between two looks at one is
/// its age at the first of them, at most an hour. At most [`UNSETTLED`], those first that were not looked at for longest.
pub(crate) async fn unsettled<'e>(
    on: impl Executor<'e, Database = Any>,
    before_ms: i64,
    now_ms: i64,
) -> Result<Vec<Payment>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE state = 'captured' AND settled_at_ms = 0 AND updated_at_ms < $1 ",
        "AND (swept_at_ms <= updated_at_ms OR swept_at_ms <= $2 ",
        "- CASE WHEN swept_at_ms - updated_at_ms < 3600000 THEN swept_at_ms - updated_at_ms ELSE 3600000 END) ",
        "ORDER BY swept_at_ms, updated_at_ms LIMIT 100"
    ))
    .bind(before_ms)
    .bind(now_ms)
    .fetch_all(on)
    .await?;
    rows.iter().map(payment).collect()
}

/// The payments were looked at.
pub(crate) async fn looked_at(tx: &mut Tx, sns: Vec<String>, now_ms: i64) -> Result<()> {
    mark(tx, "UPDATE payment SET swept_at_ms = ", sns, now_ms).await
}

/// The payments pay their orders.
pub(crate) async fn settled(tx: &mut Tx, sns: Vec<String>, now_ms: i64) -> Result<()> {
    mark(tx, "UPDATE payment SET settled_at_ms = ", sns, now_ms).await
}

async fn mark(tx: &mut Tx, set: &'static str, sns: Vec<String>, now_ms: i64) -> Result<()> {
    if sns.is_empty() {
        return Ok(());
    }
    let mut update = tx.builder(set);
    update.push_bind(now_ms).push(" WHERE sn IN (");
    let mut list = update.separated(", ");
    for sn in sns {
        list.push_bind(sn);
    }
    update.push(")");
    update.build().execute(&mut **tx).await?;
    Ok(())
}

/// Numbers of refunds that are pending, or on their way again, since before `before_ms`, at most 50, those first that were touched longest ago.
pub(crate) async fn stuck_refunds<'e>(
    on: impl Executor<'e, Database = Any>,
    before_ms: i64,
) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT sn FROM (SELECT sn, updated_at_ms FROM refund WHERE state = 'pending' AND updated_at_ms < $1 \
         UNION ALL SELECT sn, updated_at_ms FROM refund WHERE returned = 2 AND updated_at_ms < $1) r \
         ORDER BY updated_at_ms LIMIT 50",
    )
    .bind(before_ms)
    .fetch_all(on)
    .await?;
    rows.iter().map(|row| Ok(row.try_get("sn")?)).collect()
}

/// Counts a refund that is still stuck as touched now; false if somebody else was first.
pub(crate) async fn touch_refund(tx: &mut Tx, sn: String, before_ms: i64, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE refund SET updated_at_ms = $1 WHERE sn = $2 AND (state = 'pending' OR returned = 2) AND updated_at_ms < $3",
    )
    .bind(now_ms)
    .bind(sn)
    .bind(before_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes what providers told us before `inbox_ms`, and callers' keys from before `keys_ms`: at most 1,000 of each, which is
/// more than comes between two sweeps.
pub(crate) async fn prune(tx: &mut Tx, inbox_ms: i64, keys_ms: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM inbox WHERE (provider, event_id) IN \
         (SELECT provider, event_id FROM inbox WHERE received_at_ms < $1 ORDER BY received_at_ms LIMIT 1000)",
    )
    .bind(inbox_ms)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "DELETE FROM payment_key WHERE (user_id, route, idempotency_key) IN \
         (SELECT user_id, route, idempotency_key FROM payment_key WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT 1000)",
    )
    .bind(keys_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether [`prune`] would find anything.
pub(crate) async fn to_prune<'e>(
    on: impl Executor<'e, Database = Any>,
    inbox_ms: i64,
    keys_ms: i64,
) -> Result<bool> {
    let row = sqlx::query(
        "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM inbox WHERE received_at_ms < $1) \
         OR EXISTS (SELECT 1 FROM payment_key WHERE created_at_ms < $2) THEN 1 ELSE 0 END AS BIGINT) AS found",
    )
    .bind(inbox_ms)
    .bind(keys_ms)
    .fetch_one(on)
    .await?;
    let found: i64 = row.try_get("found")?;
    Ok(found == 1)
}
