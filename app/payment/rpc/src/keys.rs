//! Idempotency-Keys: a key of a caller stands for one order and its payment. Their SQL.

use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use sqlx::{Any, Executor, Row};

use crate::store::Payment;

/// A caller's Idempotency-Key and the route it was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub route: String,
    pub key: String,
}

impl Key {
    /// The key of a request; none if it is empty.
    pub(crate) fn new(route: String, key: String) -> Option<Self> {
        (!key.is_empty()).then_some(Self { route, key })
    }
}

/// Number of the payment that the user's key stands for, if the key was used.
///
/// # Errors
/// [`Code::IdempotencyKeyReused`] if it was used for another order.
pub(crate) async fn find<'e>(
    on: impl Executor<'e, Database = Any>,
    user_id: i64,
    key: &Key,
    order_sn: &str,
) -> Result<Option<String>> {
    let row = sqlx::query(
        "SELECT order_sn, payment_sn FROM payment_key WHERE user_id = $1 AND route = $2 AND idempotency_key = $3",
    )
    .bind(user_id)
    .bind(key.route.clone())
    .bind(key.key.clone())
    .fetch_optional(on)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get::<String, _>("order_sn")? != order_sn {
        return Err(Error::new(Code::IdempotencyKeyReused));
    }
    Ok(Some(row.try_get("payment_sn")?))
}

/// Lets the key of the payment's payer stand for the payment.
///
/// # Errors
/// [`Code::IdempotencyKeyReused`] if it stands for another order.
pub(crate) async fn keep(tx: &mut Tx, key: &Key, payment: &Payment, now_ms: i64) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO payment_key (user_id, route, idempotency_key, order_sn, payment_sn, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (user_id, route, idempotency_key) DO UPDATE SET payment_sn = excluded.payment_sn \
         WHERE payment_key.order_sn = excluded.order_sn",
    )
    .bind(payment.user_id)
    .bind(key.route.clone())
    .bind(key.key.clone())
    .bind(payment.order_sn.to_string())
    .bind(payment.sn.to_string())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::new(Code::IdempotencyKeyReused))
    }
}
