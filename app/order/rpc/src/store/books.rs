//! Rows of `order_payment` and `order_refund`, and what belongs to an order as a whole.

use homestay_db::{Db, Tx};
use homestay_error::{Error, Result};

use super::change;
use crate::books::{Books, Intent, Paying};
use crate::due::Payment;
use crate::order::Order;

/// What belongs to an order besides its row. An order that was neither paid nor changed has nothing.
pub(crate) async fn of_order(db: &Db, order: &Order) -> Result<Books> {
    let sn = order.sn.as_str();
    let mut books = Books::default();
    if order.change_attempt > 0 {
        books.change = change::find(db.read(), sn, order.change_attempt).await?;
    }
    if order.charged_cents == 0 {
        return Ok(books);
    }
    let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
        "SELECT charge, payment_sn, amount_cents, back_cents FROM order_payment WHERE order_sn = $1 ORDER BY charge DESC",
    )
    .bind(sn)
    .fetch_all(db.read())
    .await?;
    books.paying = rows
        .into_iter()
        .map(|(charge, payment_sn, amount_cents, back_cents)| Paying {
            charge,
            payment_sn,
            amount_cents,
            back_cents,
        })
        .collect();
    if order.refund_cents == 0 {
        return Ok(books);
    }
    let rows: Vec<(String, String, i64, String, i64)> = sqlx::query_as(
        "SELECT payment_sn, refund_key, amount_cents, reason, asked_at_ms FROM order_refund WHERE order_sn = $1 \
         ORDER BY decided_at_ms, payment_sn, refund_key",
    )
    .bind(sn)
    .fetch_all(db.read())
    .await?;
    books.refunds = rows
        .into_iter()
        .map(|(payment_sn, key, amount_cents, reason, asked_at_ms)| Intent {
            payment_sn,
            key,
            amount_cents,
            reason,
            asked: asked_at_ms > 0,
        })
        .collect();
    Ok(books)
}

/// A payment pays a charge of an order.
pub(crate) async fn pays(tx: &mut Tx, sn: &str, charge: i64, payment: &Payment) -> Result<()> {
    sqlx::query(
        "INSERT INTO order_payment (order_sn, charge, payment_sn, amount_cents) VALUES ($1, $2, $3, $4)",
    )
    .bind(sn)
    .bind(charge)
    .bind(&payment.sn)
    .bind(payment.amount_cents)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Part of a payment is decided to go back; payment-rpc is asked for it if `ask` says so.
///
/// # Errors
/// If the payment has not so much left: the caller's guarded update of the order has seen to it that it has.
pub(crate) async fn give_back(tx: &mut Tx, sn: &str, intent: &Intent, ask: bool, now_ms: i64) -> Result<()> {
    let done = sqlx::query(
        "UPDATE order_payment SET back_cents = back_cents + $1 \
         WHERE order_sn = $2 AND payment_sn = $3 AND back_cents + $1 <= amount_cents",
    )
    .bind(intent.amount_cents)
    .bind(sn)
    .bind(&intent.payment_sn)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(Error::internal(format!(
            "payment {} has not {} cents left",
            intent.payment_sn, intent.amount_cents
        )));
    }
    if !ask {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO order_refund (payment_sn, refund_key, order_sn, amount_cents, reason, decided_at_ms, look_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(&intent.payment_sn)
    .bind(&intent.key)
    .bind(sn)
    .bind(intent.amount_cents)
    .bind(&intent.reason)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// payment-rpc knows of a refund.
pub(crate) async fn asked(tx: &mut Tx, payment_sn: &str, key: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE order_refund SET asked_at_ms = $1 WHERE payment_sn = $2 AND refund_key = $3 AND asked_at_ms = 0",
    )
    .bind(now_ms)
    .bind(payment_sn)
    .bind(key)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
