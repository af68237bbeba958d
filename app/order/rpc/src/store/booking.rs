//! A new order with all that is written with it: its claim on the hold key, its first steps, its outbox rows.

use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Error, Result};
use homestay_outbox::Entry;
use sqlx::Row;

use super::holds::{self, Claim};
use super::{orders, steps};
use crate::order::Order;
use crate::step::Step;

/// Writes the order. `None` if that was done now, else whose its hold key is, and nothing was written.
pub(crate) async fn insert(
    tx: &mut Tx,
    ids: &Ids,
    order: &Order,
    first_steps: Vec<Step>,
    entries: Vec<Entry>,
) -> Result<Option<Claim>> {
    let sn = order.sn.as_str();
    if tx.is_one_statement() {
        return in_one(tx, ids, order, first_steps, entries).await;
    }
    if let Some(claim) = holds::insert(tx, &order.hold_key, sn).await? {
        return Ok(Some(claim));
    }
    orders::insert(tx, order).await?;
    steps::insert(tx, sn, first_steps).await?;
    homestay_outbox::push(tx, ids, entries).await?;
    Ok(None)
}

/// As one statement, on Postgres: one round trip, one commit. Everything else is written only if the claim is.
async fn in_one(
    tx: &mut Tx,
    ids: &Ids,
    order: &Order,
    first_steps: Vec<Step>,
    entries: Vec<Entry>,
) -> Result<Option<Claim>> {
    let sn = order.sn.as_str();
    let mut write = tx.builder("WITH c AS (INSERT INTO hold_claim (hold_key, order_sn) VALUES (");
    write
        .push_bind(order.hold_key.clone())
        .push(", ")
        .push_bind(sn.to_owned())
        .push(") ON CONFLICT DO NOTHING RETURNING 1), o AS (INSERT INTO orders (")
        .push(orders::COLUMNS)
        .push(") SELECT ");
    orders::bind_columns(&mut write, order)?;
    write
        .push(" FROM c), s AS (INSERT INTO order_step (")
        .push(steps::COLUMNS)
        .push(") SELECT v.* FROM c CROSS JOIN (");
    steps::push_values(&mut write, sn, first_steps);
    write
        .push(") v), x AS (INSERT INTO outbox (")
        .push(homestay_outbox::COLUMNS)
        .push(") SELECT v.* FROM c CROSS JOIN (");
    homestay_outbox::push_values(&mut write, ids, entries);
    write.push(") v) SELECT COUNT(*) FROM c");
    let written: i64 = write.build().fetch_one(&mut **tx).await?.try_get(0)?;
    if written == 1 {
        tx.ring();
        return Ok(None);
    }
    // The statement itself cannot see a claim that was written meanwhile.
    let claim = holds::find(&mut **tx, &order.hold_key).await?;
    claim
        .map(Some)
        .ok_or_else(|| Error::internal("a claimed key has no claim"))
}
