//! Changes of an order's state: each one guarded update. What they return tells whether the order was still in the state
//! the change starts from; if not, somebody else was first and nothing was changed.

use homestay_db::Tx;
use homestay_error::{Code, Error, Result};

use super::{books, change};
use crate::due::Payment;
use crate::order::Order;
use crate::policy::Back;
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

/// Awaiting payment, or cancelled by the clock → confirmed by `payment`, or as there is nothing to pay; on the nights of `unit`
/// and `attempt`.
pub(crate) async fn confirm(
    tx: &mut Tx,
    order: &Order,
    payment: Option<&Payment>,
    (unit, attempt): (i64, i64),
    trade_code: &str,
    now_ms: i64,
) -> Result<bool> {
    allowed(order.state, State::Confirmed)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'confirmed', cancelled_by = '', payment_sn = $1, pay_type = $2, paid_at_ms = $3, \
         trade_code = $4, unit = $5, attempt = $6, released_at_ms = 0, cancel_requested_at_ms = 0, cancel_reason = '', \
         cancel_requested_by = '', charged_cents = $7, updated_at_ms = $8 \
         WHERE sn = $9 AND state = $10 AND cancelled_by = $11 AND attempt = $12",
    )
    .bind(payment.map_or("", |payment| &payment.sn))
    .bind(payment.map_or("", |payment| &payment.pay_type))
    .bind(payment.map_or(now_ms, |payment| payment.captured_at_ms))
    .bind(trade_code)
    .bind(unit)
    .bind(attempt)
    .bind(payment.map_or(0, |payment| payment.amount_cents))
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.state.cancelled_by())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    if let Some(payment) = payment {
        books::pays(tx, order.sn.as_str(), order.charge, payment).await?;
    }
    Ok(true)
}

/// Notes that somebody wants an order that waits for payment cancelled; false if it does not wait, or that was noted.
pub(crate) async fn request_cancel(
    tx: &mut Tx,
    order: &Order,
    by: By,
    reason: &str,
    now_ms: i64,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE orders SET cancel_requested_at_ms = $1, cancel_reason = $2, cancel_requested_by = $3 \
         WHERE sn = $4 AND state = 'awaiting_payment' AND cancel_requested_at_ms = 0",
    )
    .bind(now_ms)
    .bind(reason)
    .bind(if by == By::Guest { "" } else { by.name() })
    .bind(order.sn.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Awaiting payment → cancelled, unless somebody has asked for it, or the booking was changed, since the order was read.
pub(crate) async fn cancel(tx: &mut Tx, order: &Order, by: By, now_ms: i64) -> Result<bool> {
    let to = State::Cancelled(by);
    allowed(order.state, to)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'cancelled', cancelled_by = $1, updated_at_ms = $2 WHERE sn = $3 AND state = $4 \
         AND cancel_requested_at_ms = $5 AND attempt = $6",
    )
    .bind(to.cancelled_by())
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.cancel_requested_at_ms)
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    change::drop_open(tx, order.sn.as_str(), CANCELLED, now_ms).await?;
    Ok(true)
}

/// Why the change of a booking was given up that was cancelled.
const CANCELLED: &str = "the booking was cancelled";

/// Confirmed → refund pending, or → cancelled if nothing goes back. The books' own guards see to it that no payment gives more
/// than it has.
pub(crate) async fn cancel_paid(
    tx: &mut Tx,
    order: &Order,
    by: By,
    reason: &str,
    back: Back,
    now_ms: i64,
) -> Result<bool> {
    let to = if back.refund_cents > 0 {
        State::RefundPending
    } else {
        State::Cancelled(by)
    };
    allowed(order.state, to)?;
    let done = sqlx::query(
        "UPDATE orders SET state = $1, cancelled_by = $2, ended_by = $3, cancel_reason = $4, \
         refund_cents = refund_cents + $5, kept_cents = $6, updated_at_ms = $7 \
         WHERE sn = $8 AND state = $9 AND attempt = $10 AND charged_cents = $11 AND refund_cents = $12",
    )
    .bind(to.name())
    .bind(to.cancelled_by())
    .bind(by.name())
    .bind(reason)
    .bind(back.refund_cents)
    .bind(back.kept_cents)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.attempt)
    .bind(order.charged_cents)
    .bind(order.refund_cents)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    change::drop_open(tx, order.sn.as_str(), CANCELLED, now_ms).await?;
    Ok(true)
}

/// Cancelled → refund pending, for late money.
pub(crate) async fn give_back(tx: &mut Tx, order: &Order, payment: &Payment, now_ms: i64) -> Result<bool> {
    allowed(order.state, State::RefundPending)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'refund_pending', cancelled_by = '', payment_sn = $1, pay_type = $2, paid_at_ms = $3, \
         charged_cents = $4, refund_cents = $4, updated_at_ms = $5 \
         WHERE sn = $6 AND state = $7 AND cancelled_by = $8 AND attempt = $9",
    )
    .bind(&payment.sn)
    .bind(&payment.pay_type)
    .bind(payment.captured_at_ms)
    .bind(payment.amount_cents)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.state.cancelled_by())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Confirmed → refund pending, as the provider has given money back of its own accord.
pub(crate) async fn reverse(tx: &mut Tx, order: &Order, now_ms: i64) -> Result<bool> {
    allowed(order.state, State::RefundPending)?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'refund_pending', refund_cents = charged_cents, updated_at_ms = $1 \
         WHERE sn = $2 AND state = $3 AND attempt = $4 AND charged_cents = $5 AND refund_cents = $6",
    )
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.attempt)
    .bind(order.charged_cents)
    .bind(order.refund_cents)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    change::drop_open(
        tx,
        order.sn.as_str(),
        "the payment was refunded by the provider",
        now_ms,
    )
    .await?;
    Ok(true)
}

/// Money of an order is gone without our wish: of a confirmed one it is not there to be given back or kept, of an ended one it
/// was to be kept. False if the order is not as it was when it was read.
pub(crate) async fn taken(tx: &mut Tx, order: &Order, cents: i64, now_ms: i64) -> Result<bool> {
    let of_kept = if order.kept_cents > 0 { cents } else { 0 };
    let done = sqlx::query(
        "UPDATE orders SET refund_cents = refund_cents + $1, kept_cents = kept_cents - $2, updated_at_ms = $3 \
         WHERE sn = $4 AND state = $5 AND attempt = $6 AND charged_cents = $7 AND refund_cents = $8 AND kept_cents = $9 \
         AND settled_at_ms = 0",
    )
    .bind(cents)
    .bind(of_kept)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.attempt)
    .bind(order.charged_cents)
    .bind(order.refund_cents)
    .bind(order.kept_cents)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// payment-rpc knows of what is kept.
pub(crate) async fn settled(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE orders SET settled_at_ms = $1 WHERE sn = $2 AND settled_at_ms = 0")
        .bind(now_ms)
        .bind(sn)
        .execute(&mut **tx)
        .await?;
    Ok(())
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
        "UPDATE orders SET released_at_ms = $1, change_attempt = 0, updated_at_ms = $1 WHERE sn = $2 AND attempt = $3 \
         AND released_at_ms = 0 AND state IN ('cancelled', 'refund_pending', 'refunded')",
    )
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    change::all_released(tx, order.sn.as_str(), now_ms).await?;
    Ok(true)
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
    for (update, which) in [
        (
            "UPDATE orders SET updated_at_ms = ",
            " WHERE (state IN ('awaiting_payment', 'refund_pending') OR (state IN ('cancelled', 'refunded') \
             AND (released_at_ms = 0 OR (kept_cents > 0 AND settled_at_ms = 0)))) AND sn IN (",
        ),
        (
            "UPDATE order_change SET look_at_ms = ",
            " WHERE released_at_ms = 0 AND order_sn IN (",
        ),
        (
            "UPDATE order_refund SET look_at_ms = ",
            " WHERE asked_at_ms = 0 AND order_sn IN (",
        ),
    ] {
        let mut update = tx.builder(update);
        update.push_bind(now_ms).push(which);
        let mut list = update.separated(", ");
        for sn in sns {
            list.push_bind(sn.clone());
        }
        update.push(")");
        update.build().execute(&mut **tx).await?;
    }
    Ok(())
}
