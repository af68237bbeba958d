//! Rows of `order_change`. Each change of a stage is one guarded update; what is returned tells whether it was this call's.

use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, FromRow, Row};

use crate::books::{Change, Stage};
use crate::offer::Offer;
use crate::order::Order;
use crate::rules::State;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT order_sn, attempt, from_attempt, change_key, fingerprint, state, check_in_day, check_out_day, \
             check_in_at_ms, guests, meals, expected_cents, old_total_cents, created_at_ms, unit, room_cents, meal_cents, \
             total_cents, lines, due_cents, due_before_ms, refund_cents, ended_at_ms, error_code, error, released_at_ms, \
             refund_percent, fee_cents \
             FROM order_change ",
            $rest
        )
    };
}

impl<'r> FromRow<'r, AnyRow> for Change {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let stage: String = row.try_get(5)?;
        let lines: String = row.try_get(18)?;
        Ok(Self {
            order_sn: row.try_get(0)?,
            attempt: row.try_get(1)?,
            from_attempt: row.try_get(2)?,
            key: row.try_get(3)?,
            fingerprint: row.try_get(4)?,
            stage: Stage::read(&stage)
                .ok_or_else(|| sqlx::Error::Decode(format!("no stage {stage:?}").into()))?,
            check_in_day: row.try_get(6)?,
            check_out_day: row.try_get(7)?,
            check_in_at_ms: row.try_get(8)?,
            guests: row.try_get(9)?,
            meals: row.try_get::<i64, _>(10)? != 0,
            expected_cents: row.try_get(11)?,
            old_total_cents: row.try_get(12)?,
            created_at_ms: row.try_get(13)?,
            unit: row.try_get(14)?,
            room_cents: row.try_get(15)?,
            meal_cents: row.try_get(16)?,
            total_cents: row.try_get(17)?,
            lines: serde_json::from_str(&lines).map_err(|cause| sqlx::Error::Decode(cause.into()))?,
            due_cents: row.try_get(19)?,
            due_before_ms: row.try_get(20)?,
            refund_cents: row.try_get(21)?,
            ended_at_ms: row.try_get(22)?,
            error_code: row.try_get(23)?,
            error: row.try_get(24)?,
            released_at_ms: row.try_get(25)?,
            refund_percent: row.try_get(26)?,
            fee_cents: row.try_get(27)?,
        })
    }
}

/// The change of an order under this attempt.
pub(crate) async fn find<'e>(
    db: impl Executor<'e, Database = Any>,
    sn: &str,
    attempt: i64,
) -> Result<Option<Change>> {
    Ok(sqlx::query_as(select!("WHERE order_sn = $1 AND attempt = $2"))
        .bind(sn)
        .bind(attempt)
        .fetch_optional(db)
        .await?)
}

/// The change that was asked for under this key.
pub(crate) async fn by_key<'e>(db: impl Executor<'e, Database = Any>, key: &str) -> Result<Option<Change>> {
    Ok(sqlx::query_as(select!("WHERE change_key = $1"))
        .bind(key)
        .fetch_optional(db)
        .await?)
}

/// The changes of an order, oldest first.
pub(crate) async fn of_order<'e>(db: impl Executor<'e, Database = Any>, sn: &str) -> Result<Vec<Change>> {
    Ok(
        sqlx::query_as(select!("WHERE order_sn = $1 ORDER BY attempt LIMIT 100"))
            .bind(sn)
            .fetch_all(db)
            .await?,
    )
}

/// Writes down that a change is wanted; false if the order is not as it was when it was read, has another one open, or the key
/// is known: the caller undoes the transaction then.
pub(crate) async fn open(tx: &mut Tx, order: &Order, change: &Change) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE orders SET change_attempt = $1, last_attempt = $1 WHERE sn = $2 AND state = $3 AND attempt = $4 \
         AND last_attempt = $5 AND change_attempt = 0 AND cancel_requested_at_ms = 0",
    )
    .bind(change.attempt)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.attempt)
    .bind(order.last_attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    let done = sqlx::query(
        "INSERT INTO order_change (order_sn, attempt, from_attempt, change_key, fingerprint, state, check_in_day, \
         check_out_day, check_in_at_ms, guests, meals, expected_cents, old_total_cents, created_at_ms, look_at_ms) \
         VALUES ($1, $2, $3, $4, $5, 'asked', $6, $7, $8, $9, $10, $11, $12, $13, $13) ON CONFLICT DO NOTHING",
    )
    .bind(&change.order_sn)
    .bind(change.attempt)
    .bind(change.from_attempt)
    .bind(&change.key)
    .bind(&change.fingerprint)
    .bind(change.check_in_day)
    .bind(change.check_out_day)
    .bind(change.check_in_at_ms)
    .bind(change.guests)
    .bind(i64::from(change.meals))
    .bind(change.expected_cents)
    .bind(change.old_total_cents)
    .bind(change.created_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Asked → held, with what travel answered; or → dropped, if that is not what the guest expects: then its key may be used
/// again, as after a refusal. False if that was decided, or the order has left the state in which it was `seen`.
pub(crate) async fn answered(
    tx: &mut Tx,
    change: &Change,
    seen: State,
    unit: i64,
    offer: &Offer,
    now_ms: i64,
) -> Result<bool> {
    lock(tx, &change.order_sn).await?;
    let price_changed = Error::new(Code::PriceChanged);
    let (stage, ended_at_ms, code, error, key) = if offer.suits(change) {
        (Stage::Held, 0, "", "", change.key.clone())
    } else {
        let (code, error) = (price_changed.code().reason(), price_changed.message());
        (Stage::Dropped, now_ms, code, error, used_up(change))
    };
    let done = sqlx::query(
        "UPDATE order_change SET state = $1, unit = $2, room_cents = $3, meal_cents = $4, total_cents = $5, lines = $6, \
         fee_cents = $7, refund_percent = $8, ended_at_ms = $9, error_code = $10, error = $11, change_key = $12, \
         look_at_ms = $13 WHERE order_sn = $14 AND attempt = $15 AND state = 'asked' \
         AND EXISTS (SELECT 1 FROM orders WHERE sn = $14 AND state = $16)",
    )
    .bind(stage.name())
    .bind(unit)
    .bind(offer.room_cents)
    .bind(offer.meal_cents)
    .bind(offer.total_cents)
    .bind(serde_json::to_string(&offer.lines).map_err(Error::internal)?)
    .bind(offer.fee_cents)
    .bind(offer.refund_percent)
    .bind(ended_at_ms)
    .bind(code)
    .bind(error)
    .bind(key)
    .bind(now_ms)
    .bind(&change.order_sn)
    .bind(change.attempt)
    .bind(seen.name())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What becomes of the key of a change that is to be evaluated anew under it.
fn used_up(change: &Change) -> String {
    format!("{}#{}#{}", change.key, change.order_sn, change.attempt)
}

/// Held: the difference is to be paid until then.
pub(crate) async fn due(tx: &mut Tx, change: &Change, due_cents: i64, before_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE order_change SET due_cents = $1, due_before_ms = $2, look_at_ms = $2 \
         WHERE order_sn = $3 AND attempt = $4 AND state = 'held' AND due_before_ms = 0",
    )
    .bind(due_cents)
    .bind(before_ms)
    .bind(&change.order_sn)
    .bind(change.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes the others that decide about an order's change wait: the order's row is locked before any of its change.
async fn lock(tx: &mut Tx, sn: &str) -> Result<()> {
    sqlx::query("UPDATE orders SET change_attempt = change_attempt WHERE sn = $1")
        .bind(sn)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What an applied change does to the money of a booking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    /// Came for it.
    pub(crate) paid_cents: i64,
    /// Go back.
    pub(crate) back_cents: i64,
    /// The most that a cancellation gives back from now on, in per cent.
    pub(crate) cap: i64,
}

/// Held → applied: the booking becomes what was asked for.
pub(crate) async fn apply(
    tx: &mut Tx,
    order: &Order,
    change: &Change,
    sums: Sums,
    charge: i64,
    now_ms: i64,
) -> Result<bool> {
    lock(tx, order.sn.as_str()).await?;
    let done = sqlx::query(
        "UPDATE orders SET check_in_day = $1, check_out_day = $2, check_in_at_ms = $3, guests = $4, meals = $5, unit = $6, \
         attempt = $7, room_cents = $8, meal_cents = $9, total_cents = $10, lines = $11, charge = $12, \
         charged_cents = charged_cents + $13, refund_cents = refund_cents + $14, guest_told_at_ms = 0, host_told_at_ms = 0, \
         updated_at_ms = $15, refund_percent_cap = $21 \
         WHERE sn = $16 AND state = $17 AND attempt = $18 AND change_attempt = $7 AND total_cents = $19 \
         AND refund_cents = $20 AND cancel_requested_at_ms = 0 \
         AND EXISTS (SELECT 1 FROM order_change WHERE order_sn = $16 AND attempt = $7 AND state = 'held')",
    )
    .bind(change.check_in_day)
    .bind(change.check_out_day)
    .bind(change.check_in_at_ms)
    .bind(change.guests)
    .bind(i64::from(change.meals))
    .bind(change.unit)
    .bind(change.attempt)
    .bind(change.room_cents)
    .bind(change.meal_cents)
    .bind(change.total_cents)
    .bind(serde_json::to_string(&change.lines).map_err(Error::internal)?)
    .bind(charge)
    .bind(sums.paid_cents)
    .bind(sums.back_cents)
    .bind(now_ms)
    .bind(order.sn.as_str())
    .bind(order.state.name())
    .bind(order.attempt)
    .bind(order.total_cents)
    .bind(order.refund_cents)
    .bind(sums.cap)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    let done = sqlx::query(
        "UPDATE order_change SET state = 'applied', refund_cents = $1, ended_at_ms = $2, look_at_ms = $2 \
         WHERE order_sn = $3 AND attempt = $4 AND state = 'held'",
    )
    .bind(sums.back_cents)
    .bind(now_ms)
    .bind(&change.order_sn)
    .bind(change.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(Error::internal("a change that is open has another stage"));
    }
    Ok(true)
}

/// Asked → refused: nothing is held. Its key may be used again: a refusal is evaluated anew.
pub(crate) async fn refuse(tx: &mut Tx, change: &Change, error: &Error, now_ms: i64) -> Result<bool> {
    lock(tx, &change.order_sn).await?;
    let done = sqlx::query(
        "UPDATE order_change SET state = 'refused', error_code = $1, error = $2, ended_at_ms = $3, released_at_ms = $3, \
         change_key = $4 WHERE order_sn = $5 AND attempt = $6 AND state = 'asked'",
    )
    .bind(error.code().reason())
    .bind(error.message())
    .bind(now_ms)
    .bind(used_up(change))
    .bind(&change.order_sn)
    .bind(change.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    done_with(tx, change).await?;
    Ok(true)
}

/// Asked or held → dropped.
pub(crate) async fn drop_open(tx: &mut Tx, sn: &str, why: &str, now_ms: i64) -> Result<bool> {
    lock(tx, sn).await?;
    let done = sqlx::query(
        "UPDATE order_change SET state = 'dropped', error = $1, ended_at_ms = $2, look_at_ms = $2 \
         WHERE order_sn = $3 AND state IN ('asked', 'held')",
    )
    .bind(why)
    .bind(now_ms)
    .bind(sn)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is not needed any more is given back: the change is done with.
pub(crate) async fn released(tx: &mut Tx, change: &Change, now_ms: i64) -> Result<bool> {
    lock(tx, &change.order_sn).await?;
    let done = sqlx::query(
        "UPDATE order_change SET released_at_ms = $1 WHERE order_sn = $2 AND attempt = $3 AND released_at_ms = 0 \
         AND state IN ('applied', 'refused', 'dropped')",
    )
    .bind(now_ms)
    .bind(&change.order_sn)
    .bind(change.attempt)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    done_with(tx, change).await?;
    Ok(true)
}

async fn done_with(tx: &mut Tx, change: &Change) -> Result<()> {
    sqlx::query("UPDATE orders SET change_attempt = 0 WHERE sn = $1 AND change_attempt = $2")
        .bind(&change.order_sn)
        .bind(change.attempt)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Everything an ended order held is given back.
pub(crate) async fn all_released(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE order_change SET released_at_ms = $1 WHERE order_sn = $2 AND released_at_ms = 0")
        .bind(now_ms)
        .bind(sn)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
