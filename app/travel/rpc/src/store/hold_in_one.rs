//! The hold of a new booking as one statement, on Postgres: one round trip, one commit.
//!
//! It decides as the statements of `hold` do one after the other. What can be seen beforehand (the key is known, no unit is
//! free, too few meals are left) writes nothing. What another transaction took in between shows in the counts, and undoes the
//! statement by an error: a division by zero for nights, a logarithm of zero for meals.

use homestay_db::Tx;
use homestay_error::Result;
use sqlx::Row;

use super::hold::{NewHold, Taken, find_in};

/// SQLSTATE of a division by zero.
const NIGHTS_GONE: &str = "22012";
/// SQLSTATE of a logarithm of zero.
const MEALS_GONE: &str = "2201E";

/// Order matters: the key first, then nights, then meals, each in the order of days, as every other statement that takes or
/// gives back does. `m` asks for the count of `n` so that it begins when that has ended.
const TAKE: &str = "\
WITH f AS MATERIALIZED (SELECT COALESCE((SELECT u.unit FROM generate_series(CAST(1 AS BIGINT), $10) u(unit) \
  WHERE u.unit NOT IN (SELECT x.unit FROM night x WHERE x.house_id = $5 AND x.day >= $7 AND x.day < $16) \
  ORDER BY CASE WHEN u.unit < $17 THEN 1 ELSE 0 END, u.unit LIMIT 1), 0) AS unit), \
h AS (INSERT INTO hold (hold_key, fingerprint, order_sn, attempt, house_id, shop_id, check_in, check_out, \
  starts_at_ms, unit, meals, state, snapshot, quote, created_at_ms, \
  buffer_days) \
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, f.unit, $11, 'held', $12, $13, $14, $16 - $8 FROM f WHERE f.unit > 0 \
  AND ($11 = 0 OR ($11 <= $15 AND NOT EXISTS (SELECT 1 FROM meal_day x \
  WHERE x.house_id = $5 AND x.day >= $7 AND x.day < $8 AND x.taken > $15 - $11))) \
  ON CONFLICT (hold_key) DO NOTHING RETURNING unit), \
n AS (INSERT INTO night (house_id, day, unit, order_sn, attempt) \
  SELECT $5, d.day, h.unit, $3, $4 FROM h CROSS JOIN generate_series($7, $16 - 1) d(day) ORDER BY d.day \
  ON CONFLICT (house_id, day, unit) DO NOTHING RETURNING day), \
m AS (INSERT INTO meal_day (house_id, day, taken) \
  SELECT $5, d.day, $11 FROM h CROSS JOIN generate_series($7, $8 - 1) d(day) \
  WHERE $11 > 0 AND (SELECT COUNT(*) FROM n) = $16 - $7 ORDER BY d.day \
  ON CONFLICT (house_id, day) DO UPDATE SET taken = meal_day.taken + excluded.taken \
  WHERE meal_day.taken + excluded.taken <= $15 RETURNING day) \
SELECT f.unit, CASE WHEN EXISTS (SELECT 1 FROM h) THEN 1 / (CASE WHEN (SELECT COUNT(*) FROM n) = $16 - $7 THEN 1 ELSE 0 END) \
  + CAST(LN(CASE WHEN $11 = 0 OR (SELECT COUNT(*) FROM m) = $8 - $7 THEN 1.0 ELSE 0.0 END) AS INTEGER) ELSE 0 END FROM f";

/// As [`super::hold::take`], for a first attempt.
pub(super) async fn take(tx: &mut Tx, hold: &NewHold) -> Result<Taken> {
    let asked = sqlx::query(TAKE)
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
        .bind(hold.meals_per_day)
        .bind(hold.until())
        .bind(hold.pivot)
        .fetch_one(&mut **tx)
        .await;
    let row = match asked {
        Ok(row) => row,
        Err(sqlx::Error::Database(undone)) if undone.code().as_deref() == Some(NIGHTS_GONE) => {
            return Ok(Taken::Outrun);
        }
        Err(sqlx::Error::Database(undone)) if undone.code().as_deref() == Some(MEALS_GONE) => {
            return Ok(Taken::NoMeals);
        }
        Err(error) => return Err(error.into()),
    };
    let (unit, taken): (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
    if taken == 1 {
        return Ok(Taken::Unit(unit));
    }
    // Whose the key is, the statement itself could not see if that was written meanwhile.
    Ok(match find_in(tx, &hold.hold_key).await? {
        Some(known) => Taken::Known(known),
        None if unit == 0 => Taken::NoUnit,
        None => Taken::NoMeals,
    })
}
