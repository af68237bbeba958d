use homestay_db::{Reader, Tx};
use homestay_error::{Error, Result};
use homestay_types::OrderSn;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::release::{locking, release};

/// A hold to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewHold {
    pub(crate) hold_key: String,
    pub(crate) fingerprint: String,
    pub(crate) order_sn: OrderSn,
    pub(crate) attempt: i64,
    pub(crate) house_id: i64,
    pub(crate) shop_id: i64,
    /// Day numbers `[check_in, check_out)`.
    pub(crate) check_in: i64,
    pub(crate) check_out: i64,
    /// Nights after them that are taken too.
    pub(crate) buffer_days: i64,
    pub(crate) starts_at_ms: i64,
    /// Units of the house, to choose from.
    pub(crate) units: i64,
    /// Meals for each day; 0: none.
    pub(crate) meals: i64,
    /// Meals that can be sold for one day.
    pub(crate) meals_per_day: i64,
    pub(crate) snapshot: String,
    pub(crate) quote: String,
    pub(crate) now_ms: i64,
    /// The unit to begin with when one is chosen: 1 is the lowest that is free. Where many want one at the same moment, others
    /// keep them out of each other's way.
    pub(crate) pivot: i64,
    /// An earlier attempt that stays whole beside this one; 0: none, earlier ones are released.
    pub(crate) beside: i64,
}

impl NewHold {
    /// The day after the last night that is taken.
    pub(crate) fn until(&self) -> i64 {
        self.check_out + self.buffer_days
    }
}

/// A hold as it was written.
#[derive(Debug, Clone)]
pub(crate) struct StoredHold {
    pub(crate) fingerprint: String,
    pub(crate) order_sn: OrderSn,
    pub(crate) check_in: i64,
    pub(crate) check_out: i64,
    pub(crate) buffer_days: i64,
    pub(crate) starts_at_ms: i64,
    pub(crate) unit: i64,
    pub(crate) meals: i64,
    /// Neither `held` (nobody has confirmed the order yet) nor `bound`, but `released` with the order's booking or an earlier one,
    /// or `dropped` alone: a change that was given up, or a hold that the sweep found to be nobody's.
    pub(crate) released: bool,
    pub(crate) snapshot: String,
    pub(crate) quote: String,
}

/// A hold that no order has claimed yet.
#[derive(Debug, Clone)]
pub(crate) struct OpenHold {
    pub(crate) hold_key: String,
    pub(crate) order_sn: String,
    pub(crate) attempt: i64,
    pub(crate) created_at_ms: i64,
}

macro_rules! stored {
    ($which:literal) => {
        concat!(
            "SELECT fingerprint, order_sn, check_in, check_out, starts_at_ms, unit, meals, state, snapshot, quote, \
             buffer_days FROM hold WHERE ",
            $which
        )
    };
}

fn read(row: &AnyRow) -> Result<StoredHold> {
    let order_sn: String = row.try_get(1)?;
    Ok(StoredHold {
        fingerprint: row.try_get(0)?,
        order_sn: order_sn.parse().map_err(Error::internal)?,
        check_in: row.try_get(2)?,
        check_out: row.try_get(3)?,
        starts_at_ms: row.try_get(4)?,
        unit: row.try_get(5)?,
        meals: row.try_get(6)?,
        released: !matches!(row.try_get::<String, _>(7)?.as_str(), "held" | "bound"),
        snapshot: row.try_get(8)?,
        quote: row.try_get(9)?,
        buffer_days: row.try_get(10)?,
    })
}

/// The hold of a key.
pub(crate) async fn find(pool: Reader<'_>, hold_key: &str) -> Result<Option<StoredHold>> {
    let row = sqlx::query(stored!("hold_key = $1"))
        .bind(hold_key.to_owned())
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// As [`find`], with what this transaction has written.
pub(crate) async fn find_in(tx: &mut Tx, hold_key: &str) -> Result<Option<StoredHold>> {
    let row = sqlx::query(stored!("hold_key = $1"))
        .bind(hold_key.to_owned())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The latest hold of an order before `attempt`, of those that were its booking: changes that came to nothing were not.
/// With `which`, that attempt's, whatever became of it: the sweep may have dropped the booking itself.
pub(crate) async fn find_earlier(
    pool: Reader<'_>,
    order_sn: &OrderSn,
    attempt: i64,
    which: i64,
) -> Result<Option<StoredHold>> {
    let row = sqlx::query(stored!(
        "order_sn = $1 AND attempt < $2 AND (($3 = 0 AND state <> 'dropped') OR attempt = $3) \
         ORDER BY attempt DESC LIMIT 1"
    ))
    .bind(order_sn.as_str().to_owned())
    .bind(attempt)
    .bind(which)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Writes the hold with this unit, or for 0 with the first that is free on all its nights, 0 if there is none; `None` if the
/// key is known.
pub(super) async fn insert(tx: &mut Tx, hold: &NewHold, unit: i64) -> Result<Option<i64>> {
    let rows = sqlx::query(
        "WITH RECURSIVE u(unit) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT unit + 1 FROM u WHERE unit < $10) \
         INSERT INTO hold (hold_key, fingerprint, order_sn, attempt, house_id, shop_id, check_in, check_out, \
         starts_at_ms, unit, meals, state, snapshot, quote, created_at_ms, buffer_days) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
         COALESCE(NULLIF(CAST($16 AS BIGINT), 0), (SELECT u.unit FROM u WHERE u.unit NOT IN (SELECT n.unit FROM night n \
         WHERE n.house_id = $5 AND n.day >= $7 AND n.day < $8 + $15) \
         ORDER BY CASE WHEN u.unit < $17 THEN 1 ELSE 0 END, u.unit LIMIT 1), 0), \
         $11, 'held', $12, $13, $14, $15) ON CONFLICT (hold_key) DO NOTHING RETURNING unit",
    )
    .bind(hold.hold_key.clone())
    .bind(hold.fingerprint.clone())
    .bind(hold.order_sn.as_str().to_owned())
    .bind(hold.attempt)
    .bind(hold.house_id)
    .bind(hold.shop_id)
    .bind(hold.check_in)
    .bind(hold.check_out)
    .bind(hold.starts_at_ms)
    .bind(hold.units)
    .bind(hold.meals)
    .bind(hold.snapshot.clone())
    .bind(hold.quote.clone())
    .bind(hold.now_ms)
    .bind(hold.buffer_days)
    .bind(unit)
    .bind(hold.pivot)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// What [`take`] found.
#[derive(Debug, Clone)]
pub(crate) enum Taken {
    /// The hold is written, with this unit.
    Unit(i64),
    /// The key is known; nothing was changed.
    Known(StoredHold),
    /// No unit is free on all nights.
    NoUnit,
    /// Another hold took the chosen unit at the same moment: others may be free.
    Outrun,
    /// A unit is free, but not enough meals are left.
    NoMeals,
}

/// Writes the hold and takes its nights and meals; whatever is not had, what was changed has to be undone.
pub(crate) async fn take(tx: &mut Tx, hold: &NewHold) -> Result<Taken> {
    if tx.is_one_statement() {
        return super::hold_in_one::take(tx, hold).await;
    }
    if hold.beside > 0 {
        return super::change::take(tx, hold).await;
    }
    if hold.attempt > 1 {
        release(tx, hold.order_sn.as_str(), hold.attempt - 1, false).await?;
    }
    let Some(unit) = insert(tx, hold, 0).await? else {
        return known(tx, hold).await;
    };
    if unit == 0 {
        return Ok(Taken::NoUnit);
    }
    let place = (hold.house_id, unit);
    let range = (hold.check_in, hold.until());
    let nights = take_nights(tx, place, range, hold.order_sn.as_str(), hold.attempt).await?;
    if nights != range.1 - range.0 {
        return Ok(Taken::Outrun);
    }
    let stay = (hold.check_in, hold.check_out);
    if hold.meals > 0 && !take_meals(tx, hold, stay, hold.meals).await? {
        return Ok(Taken::NoMeals);
    }
    Ok(Taken::Unit(unit))
}

/// The hold of a key that was there already.
pub(super) async fn known(tx: &mut Tx, hold: &NewHold) -> Result<Taken> {
    let known = find_in(tx, &hold.hold_key).await?;
    known
        .map(Taken::Known)
        .ok_or_else(|| Error::internal("a known key has no hold"))
}

/// Takes the nights `[from, until)` of a house's unit that are free, in day order so that two who want the same wait and do not
/// deadlock; how many were.
pub(super) async fn take_nights(
    tx: &mut Tx,
    (house_id, unit): (i64, i64),
    (from, until): (i64, i64),
    owner: &str,
    attempt: i64,
) -> Result<i64> {
    let taken = sqlx::query(
        "WITH RECURSIVE d(day) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT day + 1 FROM d WHERE day + 1 < $3) \
         INSERT INTO night (house_id, day, unit, order_sn, attempt) \
         SELECT CAST($1 AS BIGINT), d.day, CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS BIGINT) \
         FROM d WHERE 1 = 1 ORDER BY d.day ON CONFLICT (house_id, day, unit) DO NOTHING",
    )
    .bind(house_id)
    .bind(from)
    .bind(until)
    .bind(unit)
    .bind(owner.to_owned())
    .bind(attempt)
    .execute(&mut **tx)
    .await?
    .rows_affected();
    Ok(i64::try_from(taken).unwrap_or(i64::MAX))
}

/// Takes so many meals of each day in `[from, to)`; whether there were enough on all.
pub(super) async fn take_meals(
    tx: &mut Tx,
    hold: &NewHold,
    (from, to): (i64, i64),
    meals: i64,
) -> Result<bool> {
    let taken = sqlx::query(
        "WITH RECURSIVE d(day) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT day + 1 FROM d WHERE day + 1 < $3) \
         INSERT INTO meal_day (house_id, day, taken) \
         SELECT CAST($1 AS BIGINT), d.day, CAST($4 AS BIGINT) FROM d WHERE CAST($4 AS BIGINT) <= $5 ORDER BY d.day \
         ON CONFLICT (house_id, day) DO UPDATE SET taken = meal_day.taken + excluded.taken \
         WHERE meal_day.taken + excluded.taken <= $5",
    )
    .bind(hold.house_id)
    .bind(from)
    .bind(to)
    .bind(meals)
    .bind(hold.meals_per_day)
    .execute(&mut **tx)
    .await?
    .rows_affected();
    Ok(i64::try_from(taken) == Ok(to - from))
}

/// Holds without an order that were made at `until_ms` or before, oldest first, after the place where the last page ended.
/// At most a hundred.
pub(crate) async fn open(
    pool: Reader<'_>,
    until_ms: i64,
    (after_ms, after_key): &(i64, String),
) -> Result<Vec<OpenHold>> {
    let rows = sqlx::query(
        "SELECT hold_key, order_sn, attempt, created_at_ms FROM hold WHERE state = 'held' AND created_at_ms <= $1 \
         AND (created_at_ms > $2 OR (created_at_ms = $2 AND hold_key > $3)) \
         ORDER BY created_at_ms, hold_key LIMIT 100",
    )
    .bind(until_ms)
    .bind(*after_ms)
    .bind(after_key.clone())
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(OpenHold {
                hold_key: row.try_get(0)?,
                order_sn: row.try_get(1)?,
                attempt: row.try_get(2)?,
                created_at_ms: row.try_get(3)?,
            })
        })
        .collect()
}

/// Marks holds as belonging to an order; how many were not before.
pub(crate) async fn bind(tx: &mut Tx, hold_keys: Vec<String>) -> Result<i64> {
    if hold_keys.is_empty() {
        return Ok(0);
    }
    // In one order, which is also that of a release: two who bind or release the same do not wait for each other.
    let mut update = tx.builder(
        "WITH locked AS MATERIALIZED (SELECT hold_key AS k FROM hold WHERE state = 'held' AND hold_key IN (",
    );
    let mut keys = update.separated(", ");
    for key in hold_keys {
        keys.push_bind(key);
    }
    update
        .push(") ORDER BY order_sn, attempt")
        .push(locking(tx))
        .push(
            ") UPDATE hold SET state = 'bound' WHERE state = 'held' AND hold_key IN (SELECT k FROM locked)",
        );
    let bound = update.build().execute(&mut **tx).await?.rows_affected();
    Ok(i64::try_from(bound).unwrap_or(i64::MAX))
}
