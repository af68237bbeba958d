//! SQL of cases and their history.

use homestay_db::Tx;
use homestay_error::Result;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

use crate::cases::{Case, Entry, NewCase};

macro_rules! columns {
    () => {
        "id, kind, ref, order_sn, payment_sn, refund_sn, provider, amount_cents, currency, detail, state, opened_at_ms, \
         resolved_at_ms, resolved_by, resolution, action"
    };
}

fn case(row: &AnyRow) -> Result<Case> {
    Ok(Case {
        id: row.try_get("id")?,
        new: NewCase {
            kind: row.try_get("kind")?,
            reference: row.try_get("ref")?,
            order_sn: row.try_get("order_sn")?,
            payment_sn: row.try_get("payment_sn")?,
            refund_sn: row.try_get("refund_sn")?,
            provider: row.try_get("provider")?,
            amount_cents: row.try_get("amount_cents")?,
            currency: row.try_get("currency")?,
            detail: row.try_get("detail")?,
        },
        open: row.try_get::<String, _>("state")? == "open",
        opened_at_ms: row.try_get("opened_at_ms")?,
        resolved_at_ms: row.try_get("resolved_at_ms")?,
        resolved_by: row.try_get("resolved_by")?,
        resolution: row.try_get("resolution")?,
        action: row.try_get("action")?,
    })
}

/// False when there is a case of this kind and reference.
pub(crate) async fn insert(tx: &mut Tx, id: i64, new: &NewCase, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO pay_case (id, kind, ref, order_sn, payment_sn, refund_sn, provider, amount_cents, currency, detail, \
         state, opened_at_ms, resolved_at_ms, resolved_by, resolution, action) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, 0, '', '', '') ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(new.kind.clone())
    .bind(new.reference.clone())
    .bind(new.order_sn.clone())
    .bind(new.payment_sn.clone())
    .bind(new.refund_sn.clone())
    .bind(new.provider.clone())
    .bind(new.amount_cents)
    .bind(new.currency.clone())
    .bind(new.detail.clone())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Opens a resolved case again; false if it is not resolved.
pub(crate) async fn reopen(tx: &mut Tx, new: &NewCase) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE pay_case SET state = 'open', detail = $1, resolved_at_ms = 0, resolved_by = '', resolution = '', action = '' \
         WHERE kind = $2 AND ref = $3 AND state = 'resolved'",
    )
    .bind(new.detail.clone())
    .bind(new.kind.clone())
    .bind(new.reference.clone())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a resolution says.
#[derive(Debug, Clone)]
pub(crate) struct Resolution {
    pub author: String,
    pub text: String,
    pub action: String,
}

/// Ends an open case; false if it is not open.
pub(crate) async fn resolve(tx: &mut Tx, id: i64, how: &Resolution, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE pay_case SET state = 'resolved', resolved_at_ms = $1, resolved_by = $2, resolution = $3, action = $4 \
         WHERE id = $5 AND state = 'open'",
    )
    .bind(now_ms)
    .bind(how.author.clone())
    .bind(how.text.clone())
    .bind(how.action.clone())
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn by_id<'e>(on: impl Executor<'e, Database = Any>, id: i64) -> Result<Option<Case>> {
    let row = sqlx::query(concat!("SELECT ", columns!(), " FROM pay_case WHERE id = $1"))
        .bind(id)
        .fetch_optional(on)
        .await?;
    row.as_ref().map(case).transpose()
}

pub(crate) async fn by_ref<'e>(
    on: impl Executor<'e, Database = Any>,
    kind: &str,
    reference: &str,
) -> Result<Option<Case>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM pay_case WHERE kind = $1 AND ref = $2"
    ))
    .bind(kind.to_owned())
    .bind(reference.to_owned())
    .fetch_optional(on)
    .await?;
    row.as_ref().map(case).transpose()
}

/// Which cases a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Only those with a smaller id; 0: all.
    pub before_id: i64,
    pub limit: i64,
    /// Empty: both.
    pub state: String,
    /// Empty: all.
    pub kind: String,
}

/// Newest first.
pub(crate) async fn list(db: &homestay_db::Db, filter: &Filter) -> Result<Vec<Case>> {
    let mut select = db.builder(concat!("SELECT ", columns!(), " FROM pay_case WHERE id < "));
    select.push_bind(if filter.before_id > 0 {
        filter.before_id
    } else {
        i64::MAX
    });
    for (column, wanted) in [("state", &filter.state), ("kind", &filter.kind)] {
        if !wanted.is_empty() {
            select.push(format!(" AND {column} = ")).push_bind(wanted.clone());
        }
    }
    select.push(format!(" ORDER BY id DESC LIMIT {}", filter.limit));
    let rows = select.build().fetch_all(db.read()).await?;
    rows.iter().map(case).collect()
}

/// Adds to a case's history; false when the author's key was used.
pub(crate) async fn note(tx: &mut Tx, case_id: i64, entry: &Entry) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO pay_case_note (id, case_id, kind, author, body, action, request_key, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(entry.id)
    .bind(case_id)
    .bind(entry.kind.clone())
    .bind(entry.author.clone())
    .bind(entry.text.clone())
    .bind(entry.action.clone())
    .bind(entry.request_key.clone())
    .bind(entry.at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn entry(row: &AnyRow) -> Result<Entry> {
    Ok(Entry {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        author: row.try_get("author")?,
        text: row.try_get("body")?,
        action: row.try_get("action")?,
        request_key: row.try_get("request_key")?,
        at_ms: row.try_get("at_ms")?,
    })
}

/// Oldest first.
pub(crate) async fn history<'e>(on: impl Executor<'e, Database = Any>, case_id: i64) -> Result<Vec<Entry>> {
    let rows = sqlx::query(
        "SELECT id, kind, author, body, action, request_key, at_ms FROM pay_case_note WHERE case_id = $1 ORDER BY id",
    )
    .bind(case_id)
    .fetch_all(on)
    .await?;
    rows.iter().map(entry).collect()
}

/// What an author's key stands for: the case, and what was written to it.
pub(crate) async fn by_key(tx: &mut Tx, author: &str, key: &str) -> Result<Option<(i64, Entry)>> {
    if key.is_empty() {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT case_id, id, kind, author, body, action, request_key, at_ms FROM pay_case_note \
         WHERE author = $1 AND request_key = $2",
    )
    .bind(author.to_owned())
    .bind(key.to_owned())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((row.try_get("case_id")?, entry(&row)?)))
}

/// How many cases are open, by kind.
pub(crate) async fn open_by_kind<'e>(on: impl Executor<'e, Database = Any>) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query(
        "SELECT kind, CAST(COUNT(*) AS BIGINT) AS cases FROM pay_case WHERE state = 'open' GROUP BY kind",
    )
    .fetch_all(on)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("kind")?, row.try_get("cases")?)))
        .collect()
}
