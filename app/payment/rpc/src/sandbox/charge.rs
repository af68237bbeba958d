//! The sandbox's charges: their states, and the SQL of its own table.

use std::str::FromStr;

use homestay_db::Tx;
use homestay_error::{Error, Result};
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

/// Where a charge stands in the sandbox's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeState {
    /// Waiting for the payer.
    Open,
    /// Paid so late that the money comes only after the order has closed.
    Late,
    /// The money is there.
    Captured,
    /// Declined.
    Failed,
    /// Nobody can pay any more.
    Closed,
    /// The money went back.
    Refunded,
}

impl ChargeState {
    const ALL: [ChargeState; 6] = [
        ChargeState::Open,
        ChargeState::Late,
        ChargeState::Captured,
        ChargeState::Failed,
        ChargeState::Closed,
        ChargeState::Refunded,
    ];

    /// The state's name in SQL and RPC.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChargeState::Open => "open",
            ChargeState::Late => "late",
            ChargeState::Captured => "captured",
            ChargeState::Failed => "failed",
            ChargeState::Closed => "closed",
            ChargeState::Refunded => "refunded",
        }
    }
}

impl FromStr for ChargeState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::internal(format!("no charge state {text:?}")))
    }
}

/// A row of `sandbox_charge`.
#[derive(Clone, PartialEq, Eq)]
pub struct Charge {
    /// The unguessable part of the pay page's address.
    pub token: String,
    /// The merchant's number.
    pub payment_sn: String,
    /// The merchant's order.
    pub order_sn: String,
    /// What the payer reads.
    pub description: String,
    /// In the currency's minor unit.
    pub amount_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands.
    pub state: ChargeState,
    /// Unix milliseconds; an open charge counts as closed from then on.
    pub expires_at_ms: i64,
    /// 0 until then.
    pub captured_at_ms: i64,
    /// 0 until then.
    pub failed_at_ms: i64,
    /// 0 until then.
    pub refunded_at_ms: i64,
    /// Key of the latest refund; empty without one.
    pub refund_key: String,
    /// What went back so far.
    pub refunded_cents: i64,
}

/// A row of `sandbox_refund`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refunded {
    pub refund_sn: String,
    pub amount_cents: i64,
    pub at_ms: i64,
}

/// Without the token: who has it can pay.
impl std::fmt::Debug for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charge")
            .field("payment_sn", &self.payment_sn)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Charge {
    /// The charge as it stands at `now_ms`: nobody has to close what has expired.
    #[must_use]
    pub fn at(mut self, now_ms: i64) -> Self {
        if self.state == ChargeState::Open && self.expires_at_ms <= now_ms {
            self.state = ChargeState::Closed;
        }
        self
    }
}

macro_rules! columns {
    () => {
        "token, payment_sn, order_sn, description, amount_cents, currency, state, expires_at_ms, captured_at_ms, \
         failed_at_ms, refunded_at_ms, refund_key, refunded_cents"
    };
}

fn charge(row: &AnyRow) -> Result<Charge> {
    Ok(Charge {
        token: row.try_get("token")?,
        payment_sn: row.try_get("payment_sn")?,
        order_sn: row.try_get("order_sn")?,
        description: row.try_get("description")?,
        amount_cents: row.try_get("amount_cents")?,
        currency: row.try_get("currency")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        expires_at_ms: row.try_get("expires_at_ms")?,
        captured_at_ms: row.try_get("captured_at_ms")?,
        failed_at_ms: row.try_get("failed_at_ms")?,
        refunded_at_ms: row.try_get("refunded_at_ms")?,
        refund_key: row.try_get("refund_key")?,
        refunded_cents: row.try_get("refunded_cents")?,
    })
}

/// Changes nothing if the payment has a charge.
pub(super) async fn insert(tx: &mut Tx, new: &Charge) -> Result<()> {
    sqlx::query(
        "INSERT INTO sandbox_charge (token, payment_sn, order_sn, description, amount_cents, currency, state, \
         expires_at_ms, captured_at_ms, failed_at_ms, refunded_at_ms, refund_key) \
         VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, 0, 0, 0, '') ON CONFLICT DO NOTHING",
    )
    .bind(new.token.clone())
    .bind(new.payment_sn.clone())
    .bind(new.order_sn.clone())
    .bind(new.description.clone())
    .bind(new.amount_cents)
    .bind(new.currency.clone())
    .bind(new.expires_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn by_token<'e>(
    on: impl Executor<'e, Database = Any>,
    token: &str,
) -> Result<Option<Charge>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM sandbox_charge WHERE token = $1"
    ))
    .bind(token.to_owned())
    .fetch_optional(on)
    .await?;
    row.as_ref().map(charge).transpose()
}

pub(super) async fn by_payment<'e>(
    on: impl Executor<'e, Database = Any>,
    payment_sn: &str,
) -> Result<Option<Charge>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM sandbox_charge WHERE payment_sn = $1"
    ))
    .bind(payment_sn.to_owned())
    .fetch_optional(on)
    .await?;
    row.as_ref().map(charge).transpose()
}

/// A button of the page, pressed on an open charge that has not expired; false otherwise.
pub(super) async fn act(tx: &mut Tx, token: &str, to: ChargeState, now_ms: i64) -> Result<bool> {
    let (captured_ms, failed_ms) = match to {
        ChargeState::Captured => (now_ms, 0),
        ChargeState::Failed => (0, now_ms),
        _ => (0, 0),
    };
    let done = sqlx::query(
        "UPDATE sandbox_charge SET state = $1, captured_at_ms = $2, failed_at_ms = $3 \
         WHERE token = $4 AND state = 'open' AND expires_at_ms > $5",
    )
    .bind(to.as_str())
    .bind(captured_ms)
    .bind(failed_ms)
    .bind(token.to_owned())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The late money comes, whatever was closed meanwhile; false if it has come before.
pub(super) async fn capture_late(tx: &mut Tx, token: &str, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE sandbox_charge SET state = 'captured', captured_at_ms = $1 WHERE token = $2 AND state = 'late'",
    )
    .bind(now_ms)
    .bind(token.to_owned())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn close(tx: &mut Tx, payment_sn: &str) -> Result<()> {
    sqlx::query("UPDATE sandbox_charge SET state = 'closed' WHERE payment_sn = $1 AND state = 'open'")
        .bind(payment_sn.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives money of a captured charge back, once a key; false if that was done, or so much is not left.
pub(super) async fn refund(
    tx: &mut Tx,
    payment_sn: &str,
    amount_cents: i64,
    key: &str,
    now_ms: i64,
) -> Result<bool> {
    if refunded(&mut **tx, key).await?.is_some() {
        return Ok(false);
    }
    let done = sqlx::query(
        "UPDATE sandbox_charge SET state = CASE WHEN refunded_cents + $1 = amount_cents THEN 'refunded' ELSE state END, \
         refunded_cents = refunded_cents + $1, refund_key = $2, refunded_at_ms = $3 \
         WHERE payment_sn = $4 AND state = 'captured' AND refunded_cents + $1 <= amount_cents",
    )
    .bind(amount_cents)
    .bind(key.to_owned())
    .bind(now_ms)
    .bind(payment_sn.to_owned())
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    let noted = sqlx::query(
        "INSERT INTO sandbox_refund (refund_sn, payment_sn, amount_cents, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(key.to_owned())
    .bind(payment_sn.to_owned())
    .bind(amount_cents)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if noted.rows_affected() != 1 {
        return Err(Error::unavailable("another call makes this refund"));
    }
    Ok(true)
}

/// A refund by its key.
pub(super) async fn refunded<'e>(
    on: impl Executor<'e, Database = Any>,
    key: &str,
) -> Result<Option<Refunded>> {
    let row = sqlx::query("SELECT refund_sn, amount_cents, at_ms FROM sandbox_refund WHERE refund_sn = $1")
        .bind(key.to_owned())
        .fetch_optional(on)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Refunded {
        refund_sn: row.try_get("refund_sn")?,
        amount_cents: row.try_get("amount_cents")?,
        at_ms: row.try_get("at_ms")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for state in ChargeState::ALL {
            assert_eq!(state.as_str().parse::<ChargeState>().unwrap(), state);
        }
        assert!("paid".parse::<ChargeState>().is_err());
    }
}
