//! A hold beside an earlier one of the same order: a change of dates or guests that may still come to nothing.
//!
//! Nights and meals that the order has count as free, and stay with the hold that has them until one of the two is released;
//! so there is no moment at which somebody else can take one of them.

use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use sqlx::Row;

use super::hold::{NewHold, Taken, insert, known, take_meals, take_nights};
use super::release::{Holding, live, lock, meals_on, runs};

/// As [`super::hold::take`].
pub(super) async fn take(tx: &mut Tx, hold: &NewHold) -> Result<Taken> {
    let order_sn = hold.order_sn.as_str();
    lock(tx, order_sn).await?;
    if let Some(latest) = latest(tx, hold).await? {
        if latest.0 == hold.hold_key {
            return known(tx, hold).await;
        }
        if latest.1 >= hold.attempt {
            return Err(Error::with(Code::OrderState, "a later attempt is known"));
        }
    }
    let holds = live(tx, order_sn).await?;
    let Some(base) = holds.iter().find(|base| base.attempt == hold.beside) else {
        return Err(Error::with(
            Code::OrderState,
            "the attempt to be changed holds nothing any more",
        ));
    };
    if base.house_id != hold.house_id {
        return Err(Error::invalid("homestayId", "must be the house of the booking"));
    }
    let unit = choose(tx, hold, base.unit).await?;
    if unit == 0 {
        return Ok(Taken::NoUnit);
    }
    if insert(tx, hold, unit).await?.is_none() {
        return known(tx, hold).await;
    }
    let range = (hold.check_in, hold.until());
    take_nights(tx, (hold.house_id, unit), range, order_sn, hold.attempt).await?;
    if own_nights(tx, hold, unit).await? != range.1 - range.0 {
        return Ok(Taken::Outrun);
    }
    let asked = Holding {
        attempt: hold.attempt,
        house_id: hold.house_id,
        check_in: hold.check_in,
        check_out: hold.check_out,
        buffer_days: hold.buffer_days,
        unit,
        meals: hold.meals,
    };
    for (from, to, meals) in runs(&[asked], |day| hold.meals - meals_on(&holds, day)) {
        if !take_meals(tx, hold, (from, to), meals).await? {
            return Ok(Taken::NoMeals);
        }
    }
    Ok(Taken::Unit(unit))
}

/// Key and attempt of the order's hold with this key, else of its latest.
async fn latest(tx: &mut Tx, hold: &NewHold) -> Result<Option<(String, i64)>> {
    let row = sqlx::query(
        "SELECT hold_key, attempt FROM hold WHERE order_sn = $1 \
         ORDER BY CASE WHEN hold_key = $2 THEN 0 ELSE 1 END, attempt DESC LIMIT 1",
    )
    .bind(hold.order_sn.as_str().to_owned())
    .bind(hold.hold_key.clone())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row
        .map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?)))
        .transpose()?)
}

/// A unit that nobody else has on any of the nights: the one that the order has if it can be, else the lowest; 0: none.
async fn choose(tx: &mut Tx, hold: &NewHold, own: i64) -> Result<i64> {
    let row = sqlx::query(
        "WITH RECURSIVE u(unit) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT unit + 1 FROM u WHERE unit < $1), \
         c(unit) AS (SELECT unit FROM u UNION SELECT CAST($2 AS BIGINT)) \
         SELECT c.unit FROM c WHERE NOT EXISTS (SELECT 1 FROM night n WHERE n.house_id = $3 AND n.day >= $4 \
         AND n.day < $5 AND n.unit = c.unit AND n.order_sn <> $6) \
         ORDER BY CASE WHEN c.unit = $2 THEN 0 ELSE 1 END, c.unit LIMIT 1",
    )
    .bind(hold.units)
    .bind(own)
    .bind(hold.house_id)
    .bind(hold.check_in)
    .bind(hold.until())
    .bind(hold.order_sn.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// How many of the nights are the order's now.
async fn own_nights(tx: &mut Tx, hold: &NewHold, unit: i64) -> Result<i64> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM night WHERE house_id = $1 AND unit = $2 AND day >= $3 AND day < $4 AND order_sn = $5",
    )
    .bind(hold.house_id)
    .bind(unit)
    .bind(hold.check_in)
    .bind(hold.until())
    .bind(hold.order_sn.as_str().to_owned())
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}
