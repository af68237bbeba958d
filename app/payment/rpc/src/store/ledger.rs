//! SQL of the ledger.

use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Error, Result};
use homestay_types::OrderSn;
use sqlx::Row;

use crate::ledger::{Kept, Posting};

/// Writes postings, in the transaction of the change they are about.
///
/// # Errors
/// Our own failure if one of them was posted before: the change it is about happens once, so all is undone.
pub(crate) async fn post(tx: &mut Tx, ids: &Ids, postings: Vec<Posting>, now_ms: i64) -> Result<()> {
    let wanted = postings.len();
    if write(tx, ids, postings, now_ms).await? != wanted {
        return Err(Error::internal("the ledger has this posting"));
    }
    Ok(())
}

/// Writes a posting unless it was written before; whether it is new.
pub(crate) async fn post_once(tx: &mut Tx, ids: &Ids, posting: Posting, now_ms: i64) -> Result<bool> {
    Ok(write(tx, ids, vec![posting], now_ms).await? == 1)
}

/// Two statements, however many postings. If not all transactions are new, no entries are written.
async fn write(tx: &mut Tx, ids: &Ids, postings: Vec<Posting>, now_ms: i64) -> Result<usize> {
    let postings: Vec<(i64, Posting)> = postings.into_iter().map(|posting| (ids.id(), posting)).collect();
    let mut insert =
        tx.builder("INSERT INTO ledger_txn (id, kind, ref, order_sn, payment_sn, host_id, currency, at_ms) ");
    insert.push_values(&postings, |mut row, (id, posting)| {
        row.push_bind(*id)
            .push_bind(posting.kind.as_str())
            .push_bind(posting.reference.clone())
            .push_bind(posting.order_sn.clone())
            .push_bind(posting.payment_sn.clone())
            .push_bind(posting.host_id)
            .push_bind(posting.currency.clone())
            .push_bind(now_ms);
    });
    insert.push(" ON CONFLICT DO NOTHING");
    let done = insert.build().execute(&mut **tx).await?;
    let written = usize::try_from(done.rows_affected()).map_err(Error::internal)?;
    if written != postings.len() {
        return Ok(written);
    }
    let lines = postings.into_iter().flat_map(|(id, posting)| {
        let currency = posting.currency;
        let numbered = (1_i64..).zip(posting.lines);
        numbered.map(move |(line, (account, cents))| (id, line, account, currency.clone(), cents))
    });
    let mut insert = tx.builder("INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents) ");
    insert.push_values(lines, |mut row, (id, line, account, currency, cents)| {
        row.push_bind(id)
            .push_bind(line)
            .push_bind(account)
            .push_bind(currency)
            .push_bind(cents);
    });
    insert.build().execute(&mut **tx).await?;
    Ok(written)
}

/// What a settlement that was posted gave to the host and to us.
pub(crate) async fn settled(tx: &mut Tx, reference: &str) -> Result<(i64, i64)> {
    let rows = sqlx::query(
        "SELECT e.account, e.amount_cents FROM ledger_txn t JOIN ledger_entry e ON e.txn_id = t.id \
         WHERE t.kind = 'settle' AND t.ref = $1",
    )
    .bind(reference.to_owned())
    .fetch_all(&mut **tx)
    .await?;
    let mut shares = (0, 0);
    for row in rows {
        let cents: i64 = row.try_get("amount_cents")?;
        match row.try_get::<String, _>("account")?.as_str() {
            "host_payable" => shares.0 += cents,
            "commission" => shares.1 += cents,
            _ => {}
        }
    }
    Ok(shares)
}

/// What neither goes back nor was passed on, of all that was captured for an order; less than nothing if a provider gave back
/// what had been passed on. To be asked under the order's lock.
pub(crate) async fn free(tx: &mut Tx, order_sn: &OrderSn, currency: &str) -> Result<i64> {
    let row = sqlx::query(
        "SELECT CAST((SELECT COALESCE(SUM(amount_cents - refund_reserved_cents), 0) FROM payment \
         WHERE order_sn = $1 AND currency = $2 AND state IN ('captured', 'refund_pending', 'refunded')) \
         - settled_cents AS BIGINT) AS free FROM pay_order WHERE order_sn = $1",
    )
    .bind(order_sn.to_string())
    .bind(currency.to_owned())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| Error::internal("a payment without its order's row"))?;
    Ok(row.try_get("free")?)
}

/// Counts kept money of an order as passed on, under the order's lock; false if so much is not left of what was captured for it.
pub(crate) async fn pass_on(tx: &mut Tx, kept: &Kept) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE pay_order SET settled_cents = settled_cents + $1 WHERE order_sn = $2 AND settled_cents + $1 <= \
         (SELECT CAST(COALESCE(SUM(amount_cents - refund_reserved_cents), 0) AS BIGINT) FROM payment \
          WHERE order_sn = $2 AND currency = $3 AND state IN ('captured', 'refund_pending', 'refunded'))",
    )
    .bind(kept.cents)
    .bind(kept.order_sn.to_string())
    .bind(kept.currency.clone())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
