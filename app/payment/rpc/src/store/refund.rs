//! SQL of refunds, and of what they take from their payment.

use homestay_db::Tx;
use homestay_error::Result;
use homestay_types::{OrderSn, PaymentSn, RefundSn};
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

use super::number;
use crate::state::RefundState;

/// A row of `refund`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refund {
    pub sn: RefundSn,
    pub payment_sn: PaymentSn,
    /// Of whoever asked; one refund a payment and key.
    pub key: String,
    pub amount_cents: i64,
    pub state: RefundState,
    pub reason: String,
    /// The provider's words when it refused.
    pub failure: String,
    /// How often a person has sent it to the provider again.
    pub attempt: i64,
    /// The key of what the provider gave back of its own accord and that ended this refund; empty for others.
    pub came_by: String,
}

macro_rules! columns {
    () => {
        "sn, payment_sn, key, amount_cents, state, reason, failure, attempt, came_by"
    };
}

fn refund(row: &AnyRow) -> Result<Refund> {
    Ok(Refund {
        sn: number(row, "sn")?,
        payment_sn: number(row, "payment_sn")?,
        key: row.try_get("key")?,
        amount_cents: row.try_get("amount_cents")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        reason: row.try_get("reason")?,
        failure: row.try_get("failure")?,
        attempt: row.try_get("attempt")?,
        came_by: row.try_get("came_by")?,
    })
}

/// Makes whoever refunds a payment of this order, or passes its money on, wait until this transaction ends. Taken before the
/// payment's own lock, and that before refunds and cases, so that nobody waits for one who waits for them.
pub(crate) async fn lock_order(tx: &mut Tx, order_sn: &OrderSn) -> Result<()> {
    sqlx::query("UPDATE pay_order SET settled_cents = settled_cents WHERE order_sn = $1")
        .bind(order_sn.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Makes whoever changes the same payment wait until this transaction ends; false if there is no such payment.
pub(crate) async fn lock(tx: &mut Tx, payment_sn: &str) -> Result<bool> {
    let done = sqlx::query("UPDATE payment SET refunded_cents = refunded_cents WHERE sn = $1")
        .bind(payment_sn.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets money of a captured payment apart for a refund; false if so much is not left. Of the last cent the payment has no
/// more to pay with: it is on its way back as a whole. A disputed payment pays nothing and stays what it is.
pub(crate) async fn reserve(tx: &mut Tx, payment_sn: &PaymentSn, cents: i64, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE payment SET state = CASE WHEN state = 'captured' AND refund_reserved_cents + $1 = amount_cents THEN 'refund_pending' \
         ELSE state END, \
         live = CASE WHEN refund_reserved_cents + $1 = amount_cents THEN 0 ELSE live END, \
         refund_reserved_cents = refund_reserved_cents + $1, updated_at_ms = $2 \
         WHERE sn = $3 AND state IN ('captured', 'disputed') AND refund_reserved_cents + $1 <= amount_cents",
    )
    .bind(cents)
    .bind(now_ms)
    .bind(payment_sn.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Money that was set apart went back; false if so much was not.
pub(crate) async fn paid_back(tx: &mut Tx, payment_sn: &PaymentSn, cents: i64, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE payment SET state = CASE WHEN state <> 'disputed' AND refunded_cents + $1 = amount_cents THEN 'refunded' \
         ELSE state END, \
         refunded_cents = refunded_cents + $1, updated_at_ms = $2 \
         WHERE sn = $3 AND state IN ('captured', 'refund_pending', 'disputed') AND refunded_cents + $1 <= refund_reserved_cents",
    )
    .bind(cents)
    .bind(now_ms)
    .bind(payment_sn.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False when the payment has a refund of this key already.
pub(crate) async fn insert(tx: &mut Tx, id: i64, new: &Refund, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO refund (id, sn, payment_sn, key, amount_cents, state, reason, failure, attempt, created_at_ms, \
         updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, $8, $8) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(new.sn.to_string())
    .bind(new.payment_sn.to_string())
    .bind(new.key.clone())
    .bind(new.amount_cents)
    .bind(new.state.as_str())
    .bind(new.reason.clone())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn by_sn<'e>(on: impl Executor<'e, Database = Any>, sn: &str) -> Result<Option<Refund>> {
    let row = sqlx::query(concat!("SELECT ", columns!(), " FROM refund WHERE sn = $1"))
        .bind(sn.to_owned())
        .fetch_optional(on)
        .await?;
    row.as_ref().map(refund).transpose()
}

/// All refunds of a payment, oldest first.
pub(crate) async fn of_payment<'e>(
    on: impl Executor<'e, Database = Any>,
    payment_sn: &str,
) -> Result<Vec<Refund>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM refund WHERE payment_sn = $1 ORDER BY id"
    ))
    .bind(payment_sn.to_owned())
    .fetch_all(on)
    .await?;
    rows.iter().map(refund).collect()
}

/// Changes the state as [`RefundState::can_become`] allows; false when the refund is not in such a state.
pub(crate) async fn change(
    tx: &mut Tx,
    sn: &str,
    to: RefundState,
    failure: &str,
    now_ms: i64,
) -> Result<bool> {
    let mut update = tx.builder("UPDATE refund SET state = ");
    update
        .push_bind(to.as_str())
        .push(", failure = ")
        .push_bind(failure.to_owned())
        .push(", updated_at_ms = ")
        .push_bind(now_ms);
    if to == RefundState::Pending {
        update.push(", attempt = attempt + 1");
    }
    update
        .push(" WHERE sn = ")
        .push_bind(sn.to_owned())
        .push(" AND state IN (");
    let mut from = update.separated(", ");
    for state in RefundState::before(to) {
        from.push_bind(state.as_str());
    }
    update.push(")");
    let done = update.build().execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// What the provider gave back of its own accord under this key ended the refund.
pub(crate) async fn came_by(tx: &mut Tx, sn: &RefundSn, key: &str) -> Result<()> {
    sqlx::query("UPDATE refund SET came_by = $1 WHERE sn = $2")
        .bind(key.to_owned())
        .bind(sn.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
