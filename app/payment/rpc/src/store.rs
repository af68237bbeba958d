//! SQL of payments, and nothing but SQL.

use homestay_db::Tx;
use homestay_error::{Error, Result};
use homestay_types::{OrderSn, PaymentSn};
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

use crate::provider::PrepayIntent;
use crate::settle::Taken;
use crate::state::State;

/// A row of `payment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub id: i64,
    pub sn: PaymentSn,
    pub order_sn: OrderSn,
    /// What of the order it pays: 0 the booking itself, else the attempt number of a change.
    pub charge: i64,
    pub user_id: i64,
    pub provider: String,
    pub pay_type: String,
    pub description: String,
    pub state: State,
    pub live: bool,
    pub amount_cents: i64,
    pub refunded_cents: i64,
    /// Refunded, or on the way.
    pub refund_reserved_cents: i64,
    pub currency: String,
    pub pay_url: String,
    pub provider_ref: String,
    pub expires_at_ms: i64,
    pub created_at_ms: i64,
    pub captured_at_ms: i64,
}

impl Payment {
    /// The payment as its provider is told of it; without the payer, whom only a prepay needs.
    pub(crate) fn intent(&self) -> PrepayIntent {
        PrepayIntent {
            payment_sn: self.sn.clone(),
            order_sn: self.order_sn.clone(),
            description: self.description.clone(),
            amount_cents: self.amount_cents,
            currency: self.currency.clone(),
            expires_at_ms: self.expires_at_ms,
            payer: String::new(),
            provider_ref: self.provider_ref.clone(),
        }
    }
}

macro_rules! payment_columns {
    () => {
        "id, sn, order_sn, charge, user_id, provider, pay_type, description, state, live, amount_cents, \
         refunded_cents, refund_reserved_cents, currency, pay_url, provider_ref, expires_at_ms, created_at_ms, captured_at_ms"
    };
}

pub(crate) mod case;
pub(crate) mod ledger;
pub(crate) mod refund;
pub(crate) mod returned;
pub(crate) mod sweep;

fn payment(row: &AnyRow) -> Result<Payment> {
    Ok(Payment {
        id: row.try_get("id")?,
        sn: number(row, "sn")?,
        order_sn: number(row, "order_sn")?,
        charge: row.try_get("charge")?,
        user_id: row.try_get("user_id")?,
        provider: row.try_get("provider")?,
        pay_type: row.try_get("pay_type")?,
        description: row.try_get("description")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        live: row.try_get::<i64, _>("live")? == 1,
        amount_cents: row.try_get("amount_cents")?,
        refunded_cents: row.try_get("refunded_cents")?,
        refund_reserved_cents: row.try_get("refund_reserved_cents")?,
        currency: row.try_get("currency")?,
        pay_url: row.try_get("pay_url")?,
        provider_ref: row.try_get("provider_ref")?,
        expires_at_ms: row.try_get("expires_at_ms")?,
        created_at_ms: row.try_get("created_at_ms")?,
        captured_at_ms: row.try_get("captured_at_ms")?,
    })
}

/// A number in a column; anything else there is our mistake.
fn number<T>(row: &AnyRow, column: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.try_get::<String, _>(column)?.parse().map_err(Error::internal)
}

pub(crate) async fn by_sn<'e>(on: impl Executor<'e, Database = Any>, sn: &str) -> Result<Option<Payment>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE sn = $1"
    ))
    .bind(sn.to_owned())
    .fetch_optional(on)
    .await?;
    row.as_ref().map(payment).transpose()
}

/// By the provider's own number. No index has it: it is asked for only when somebody refunds by hand at a provider.
pub(crate) async fn by_provider_ref<'e>(
    on: impl Executor<'e, Database = Any>,
    provider_ref: &str,
) -> Result<Option<Payment>> {
    if provider_ref.is_empty() {
        return Ok(None);
    }
    let row = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE provider_ref = $1 LIMIT 1"
    ))
    .bind(provider_ref.to_owned())
    .fetch_optional(on)
    .await?;
    row.as_ref().map(payment).transpose()
}

/// All payments of an order, oldest first.
pub(crate) async fn of_order<'e>(
    on: impl Executor<'e, Database = Any>,
    order_sn: &str,
) -> Result<Vec<Payment>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE order_sn = $1 ORDER BY id"
    ))
    .bind(order_sn.to_owned())
    .fetch_all(on)
    .await?;
    rows.iter().map(payment).collect()
}

/// The payment that stands in the way of a new one for the same charge: the live one, or one whose money has come.
pub(crate) async fn current(tx: &mut Tx, order_sn: &OrderSn, charge: i64) -> Result<Option<Payment>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        payment_columns!(),
        " FROM payment WHERE order_sn = $1 AND charge = $2 AND (live = 1 OR state = 'captured')",
        " ORDER BY CASE WHEN state = 'captured' THEN 0 ELSE 1 END, id LIMIT 1"
    ))
    .bind(order_sn.to_string())
    .bind(charge)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(payment).transpose()
}

/// Locks the order's row, and the charge's, for a new payment; false when it is closed for payments.
pub(crate) async fn open_order(tx: &mut Tx, order_sn: &OrderSn, charge: i64) -> Result<bool> {
    if charge == 0 {
        let done = sqlx::query(
            "INSERT INTO pay_order (order_sn, closed) VALUES ($1, 0) \
             ON CONFLICT (order_sn) DO UPDATE SET closed = 0 WHERE pay_order.closed = 0 AND pay_order.all_closed = 0",
        )
        .bind(order_sn.to_string())
        .execute(&mut **tx)
        .await?;
        return Ok(done.rows_affected() == 1);
    }
    let order = sqlx::query(
        "INSERT INTO pay_order (order_sn, closed) VALUES ($1, 0) \
         ON CONFLICT (order_sn) DO UPDATE SET all_closed = 0 WHERE pay_order.all_closed = 0",
    )
    .bind(order_sn.to_string())
    .execute(&mut **tx)
    .await?;
    let charge = sqlx::query(
        "INSERT INTO pay_charge (order_sn, charge, closed) VALUES ($1, $2, 0) \
         ON CONFLICT (order_sn, charge) DO UPDATE SET closed = 0 WHERE pay_charge.closed = 0",
    )
    .bind(order_sn.to_string())
    .bind(charge)
    .execute(&mut **tx)
    .await?;
    Ok(order.rows_affected() == 1 && charge.rows_affected() == 1)
}

/// Which charges of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charges {
    /// One: 0 the booking itself.
    One(i64),
    /// Every one, also those to come.
    All,
}

impl Charges {
    /// Whether `charge` is one of them.
    pub(crate) fn hold(self, charge: i64) -> bool {
        matches!(self, Charges::All) || self == Charges::One(charge)
    }
}

/// No new payments for these charges from now on.
pub(crate) async fn close_order(tx: &mut Tx, order_sn: &OrderSn, charges: Charges) -> Result<()> {
    let query = match charges {
        Charges::All => sqlx::query(
            "INSERT INTO pay_order (order_sn, closed, all_closed) VALUES ($1, 1, 1) \
             ON CONFLICT (order_sn) DO UPDATE SET closed = 1, all_closed = 1",
        )
        .bind(order_sn.to_string()),
        Charges::One(0) => sqlx::query(
            "INSERT INTO pay_order (order_sn, closed) VALUES ($1, 1) \
             ON CONFLICT (order_sn) DO UPDATE SET closed = 1",
        )
        .bind(order_sn.to_string()),
        Charges::One(charge) => sqlx::query(
            "INSERT INTO pay_charge (order_sn, charge, closed) VALUES ($1, $2, 1) \
             ON CONFLICT (order_sn, charge) DO UPDATE SET closed = 1",
        )
        .bind(order_sn.to_string())
        .bind(charge),
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Frees the charge of a live payment whose time is over; its money, if it comes, is recorded all the same.
pub(crate) async fn lapse(tx: &mut Tx, order_sn: &OrderSn, charge: i64, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE payment SET live = 0, updated_at_ms = $1 \
         WHERE order_sn = $2 AND charge = $3 AND live = 1 AND expires_at_ms <= $1 AND state IN ('created', 'pending')",
    )
    .bind(now_ms)
    .bind(order_sn.to_string())
    .bind(charge)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// False when the charge has a live payment already.
pub(crate) async fn insert(tx: &mut Tx, new: &Payment) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO payment (id, sn, order_sn, user_id, provider, pay_type, description, state, live, amount_cents, \
         refunded_cents, currency, pay_url, provider_ref, expires_at_ms, created_at_ms, captured_at_ms, updated_at_ms, \
         swept_at_ms, settled_at_ms, charge) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, 0, $10, '', '', $11, $12, 0, $12, 0, 0, $13) ON CONFLICT DO NOTHING",
    )
    .bind(new.id)
    .bind(new.sn.to_string())
    .bind(new.order_sn.to_string())
    .bind(new.user_id)
    .bind(new.provider.clone())
    .bind(new.pay_type.clone())
    .bind(new.description.clone())
    .bind(new.state.as_str())
    .bind(new.amount_cents)
    .bind(new.currency.clone())
    .bind(new.expires_at_ms)
    .bind(new.created_at_ms)
    .bind(new.charge)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a change of state sets beside the state.
#[derive(Debug, Clone)]
pub(crate) enum Set {
    /// Frees the charge for another payment.
    NotLive,
    /// Keeps `live` as it is.
    Captured { at_ms: i64, provider_ref: String },
    /// The payment is over what the provider has taken; what was asked for is kept beside it. Not live any more.
    Disputed(Taken),
}

/// Changes the state if it is one of `from`; false when it is not.
pub(crate) async fn change(
    tx: &mut Tx,
    sn: &PaymentSn,
    from: impl Iterator<Item = State>,
    to: State,
    set: Set,
    now_ms: i64,
) -> Result<bool> {
    let mut update = tx.builder("UPDATE payment SET state = ");
    update.push_bind(to.as_str());
    update.push(", updated_at_ms = ").push_bind(now_ms);
    match set {
        Set::NotLive => {
            update.push(", live = 0");
        }
        Set::Captured { at_ms, provider_ref } => {
            update.push(", captured_at_ms = ").push_bind(at_ms);
            if !provider_ref.is_empty() {
                update.push(", provider_ref = ").push_bind(provider_ref);
            }
        }
        Set::Disputed(taken) => {
            let at_ms = if taken.at_ms > 0 { taken.at_ms } else { now_ms };
            update.push(", live = 0, asked_cents = amount_cents, asked_currency = currency");
            update.push(", amount_cents = ").push_bind(taken.cents);
            update.push(", currency = ").push_bind(taken.currency);
            update.push(", captured_at_ms = ").push_bind(at_ms);
            if !taken.provider_ref.is_empty() {
                update.push(", provider_ref = ").push_bind(taken.provider_ref);
            }
        }
    }
    update.push(" WHERE sn = ").push_bind(sn.to_string());
    update.push(" AND state IN (");
    let mut states = update.separated(", ");
    for state in from {
        states.push_bind(state.as_str());
    }
    update.push(")");
    let done = update.build().execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what the provider answered to the prepay, and opens the payment unless something has happened to it meanwhile. One
/// statement, which need not wait for the disk: the provider tells the same again to who asks with the same number.
pub(crate) async fn set_prepay(
    tx: &mut Tx,
    sn: &PaymentSn,
    pay_url: &str,
    provider_ref: &str,
    now_ms: i64,
) -> Result<()> {
    let mut update = tx.builder("UPDATE payment SET pay_url = CASE WHEN pay_url = '' THEN ");
    update
        .push_bind(pay_url.to_owned())
        .push(" ELSE pay_url END, provider_ref = CASE WHEN provider_ref = '' THEN ")
        .push_bind(provider_ref.to_owned())
        .push(" ELSE provider_ref END, updated_at_ms = CASE WHEN state = 'created' THEN ")
        .push_bind(now_ms)
        .push(" ELSE updated_at_ms END, state = CASE WHEN state = 'created' THEN 'pending' ELSE state END WHERE sn = ")
        .push_bind(sn.to_string())
        .push(" AND (pay_url = '' OR provider_ref = '' OR state = 'created')")
        .push(tx.relaxed());
    update.build().execute(&mut **tx).await?;
    Ok(())
}

/// Notes a provider's event; false when it was noted before.
pub(crate) async fn note_event(
    tx: &mut Tx,
    provider: &str,
    event_id: &str,
    payment_sn: &PaymentSn,
    now_ms: i64,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO inbox (provider, event_id, payment_sn, received_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(provider.to_owned())
    .bind(event_id.to_owned())
    .bind(payment_sn.to_string())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
