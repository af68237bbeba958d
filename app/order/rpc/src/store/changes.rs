//! Changes of an order's state: each one guarded update. What they return tells whether the order was still in the state
//! the change starts from; if not, somebody else was first and nothing was changed.

use homestay_db::Tx;
use homestay_error::{Code, Error, Result};

use crate::due::Payment;
use crate::order::Order;
use crate::rules::{By, State};

fn allowed(from: State, to: State) -> Result<()> {
    if from.may_become(to) {
        Ok(())
    } else {
        Err(Error::with(
            Code::OrderState,
            format!("the order cannot go from {} to {}", from.name(), to.name()),
        ))
    }
}

/// Awaiting payment, or cancelled by the clock → confirmed by `payment`, on the nights of `unit` and `attempt`.
pub(crate) async fn confirm(
    tx: &mut Tx,
    order: &Order,
    payment: &Payment,
    (unit, attempt): (i64, i64),
    trade_code: &str,
    now_ms: i64,
) -> Result<bool> {
    allowed(order.state, State::Confirmed)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'confirmed', cancelled_by = '', payment_sn = $1, pay_type = $2, paid_at_ms = $3, \
         trade_code = $4, unit = $5, attempt = $6, released_at_ms = 0, cancel_requested_at_ms = 0, cancel_reason = '', \
         updated_at_ms = $7 \
         WHERE sn = $8 AND state = $9 AND cancelled_by = $10 AND attempt = $11",
    )
    .bind(&payment.sn)
    .bind(&payment.pay_type)
    .bind(payment.captured_at_ms)
    .bind(trade_code)
    .bind(unit)
    .bind(attempt)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.state.cancelled_by())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that the guest of an order that waits for payment wants it cancelled; false if it does not wait, or that was noted.
pub(crate) async fn request_cancel(tx: &mut Tx, order: &Order, reason: &str, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE orders SET cancel_requested_at_ms = $1, cancel_reason = $2 \
         WHERE sn = $3 AND state = 'awaiting_payment' AND cancel_requested_at_ms = 0",
    )
    .bind(now_ms)
    .bind(reason)
    .bind(order.sn.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Awaiting payment → cancelled, unless the guest has asked for it since the order was read.
pub(crate) async fn cancel(tx: &mut Tx, order: &Order, by: By, now_ms: i64) -> Result<bool> {
    let to = State::Cancelled(by);
    allowed(order.state, to)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'cancelled', cancelled_by = $1, updated_at_ms = $2 WHERE sn = $3 AND state = $4 \
         AND cancel_requested_at_ms = $5",
    )
    .bind(to.cancelled_by())
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.cancel_requested_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Cancelled or confirmed → refund pending, for `payment`.
pub(crate) async fn give_back(tx: &mut Tx, order: &Order, payment: &Payment, now_ms: i64) -> Result<bool> {
    allowed(order.state, State::RefundPending)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'refund_pending', cancelled_by = '', payment_sn = $1, pay_type = $2, paid_at_ms = $3, \
         updated_at_ms = $4 WHERE sn = $5 AND state = $6 AND cancelled_by = $7 AND attempt = $8",
    )
    .bind(&payment.sn)
    .bind(&payment.pay_type)
    .bind(payment.captured_at_ms)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.state.cancelled_by())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Refund pending → refunded.
pub(crate) async fn refunded(tx: &mut Tx, order: &Order, now_ms: i64) -> Result<bool> {
    allowed(order.state, State::Refunded)?;
    let done =
        sqlx::query("UPDATE orders SET state = 'refunded', updated_at_ms = $1 WHERE sn = $2 AND state = $3")
            .bind(now_ms)
            .bind(order.sn.as_str())
            .bind(order.state.name())
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The nights of an ended order are given back. Its state stays.
pub(crate) async fn released(tx: &mut Tx, order: &Order, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE orders SET released_at_ms = $1, updated_at_ms = $1 WHERE sn = $2 AND attempt = $3 \
         AND released_at_ms = 0 AND state IN ('cancelled', 'refund_pending', 'refunded')",
    )
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Guest or host has been told of a paid order; false if that was known, or the order is not paid, or not any more. It need not
/// wait for the disk: what is lost with the server is lost with the end of its job, which comes later, and so done again.
pub(crate) async fn told(tx: &mut Tx, sn: &str, recipient: Recipient, now_ms: i64) -> Result<bool> {
    let column = match recipient {
        Recipient::Guest => "guest_told_at_ms",
        Recipient::Host => "host_told_at_ms",
    };
    let mut update = tx.builder("UPDATE orders SET ");
    update
        .push(column)
        .push(" = ")
        .push_bind(now_ms)
        .push(" WHERE sn = ")
        .push_bind(sn.to_owned())
        .push(" AND ")
        .push(column)
        .push(" = 0 AND state IN ('confirmed', 'used', 'expired')")
        .push(tx.relaxed());
    let done = update.build().execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipient {
    Guest,
    Host,
}

/// Puts off the next look of the sweep at orders that have not come to their end.
pub(crate) async fn looked_at(tx: &mut Tx, sns: &[String], now_ms: i64) -> Result<()> {
    let mut update = tx.builder("UPDATE orders SET updated_at_ms = ");
    update.push_bind(now_ms).push(" WHERE sn IN (");
    let mut list = update.separated(", ");
    for sn in sns {
        list.push_bind(sn.clone());
    }
    update.push(") AND (state IN ('awaiting_payment', 'refund_pending') OR (state IN ('cancelled', 'refunded') AND released_at_ms = 0))");
    update.build().execute(&mut **tx).await?;
    Ok(())
}
