use homestay_db::Reader;
use homestay_error::Result;
use sqlx::Row;

use crate::rules::stock::{TakenNight, Taker};

/// Nights of a house that are gone in `[from, until)`, those of the order `but` aside.
pub(crate) async fn taken(
    pool: Reader<'_>,
    house_id: i64,
    (from, until): (i64, i64),
    but: &str,
) -> Result<Vec<TakenNight>> {
    let rows = sqlx::query(
        "SELECT n.day, n.unit, CAST(CASE WHEN n.order_sn LIKE 'block:%' THEN 2 \
         WHEN n.day >= COALESCE(h.check_out, n.day + 1) THEN 1 ELSE 0 END AS BIGINT) \
         FROM night n LEFT JOIN hold h ON h.order_sn = n.order_sn AND h.attempt = n.attempt \
         WHERE n.house_id = $1 AND n.day >= $2 AND n.day < $3 AND n.order_sn <> $4",
    )
    .bind(house_id)
    .bind(from)
    .bind(until)
    .bind(but.to_owned())
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TakenNight {
                day: row.try_get(0)?,
                unit: row.try_get(1)?,
                taker: match row.try_get::<i64, _>(2)? {
                    2 => Taker::Block,
                    1 => Taker::Buffer,
                    _ => Taker::Stay,
                },
            })
        })
        .collect()
}

/// Meals sold of each day in `[from, to)`.
pub(crate) async fn meals(
    pool: Reader<'_>,
    house_id: i64,
    (from, to): (i64, i64),
) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query(
        "WITH RECURSIVE d(day) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT day + 1 FROM d WHERE day + 1 < $3) \
         SELECT d.day, COALESCE(m.taken, 0) FROM d LEFT JOIN meal_day m ON m.house_id = $1 AND m.day = d.day \
         ORDER BY d.day",
    )
    .bind(house_id)
    .bind(from)
    .bind(to)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}
