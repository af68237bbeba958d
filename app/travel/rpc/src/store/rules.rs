use homestay_db::{Reader, Tx};
use homestay_error::Result;
use sqlx::Row;

use super::house::to_json;
use crate::house::House;

/// Days of one statement.
const ROWS: usize = 1000;

/// Day numbers that the host does not sell, in order.
pub(crate) async fn stop_sell(pool: Reader<'_>, house_id: i64) -> Result<Vec<i64>> {
    let rows = sqlx::query("SELECT day FROM house_day WHERE house_id = $1 AND blocked = 1 ORDER BY day")
        .bind(house_id)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Writes a house's rules, its weekend price, and the days it does not sell.
pub(crate) async fn write(tx: &mut Tx, house: &House, stop_sell: &[i64]) -> Result<()> {
    let [seasons, discounts, policy] = to_json(&house.terms)?;
    sqlx::query(
        "UPDATE house SET min_nights = $2, max_nights = $3, buffer_days = $4, arrival_weekdays = $5, \
         departure_weekdays = $6, advance_min_days = $7, advance_max_days = $8, check_in_minute = $9, seasons = $10, \
         discounts = $11, policy = $12, weekend_cents = $13 WHERE id = $1",
    )
    .bind(house.id)
    .bind(house.terms.min_nights)
    .bind(house.terms.max_nights)
    .bind(house.terms.buffer_days)
    .bind(house.terms.arrival_weekdays)
    .bind(house.terms.departure_weekdays)
    .bind(house.terms.advance_min_days)
    .bind(house.terms.advance_max_days)
    .bind(house.terms.check_in_minute)
    .bind(seasons)
    .bind(discounts)
    .bind(policy)
    .bind(house.weekend_cents)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE house_day SET blocked = 0 WHERE house_id = $1 AND blocked = 1")
        .bind(house.id)
        .execute(&mut **tx)
        .await?;
    for days in stop_sell.chunks(ROWS) {
        let mut insert = tx.builder("INSERT INTO house_day (house_id, day, price_cents, blocked) ");
        insert.push_values(days, |mut row, day| {
            row.push_bind(house.id)
                .push_bind(*day)
                .push_bind(0i64)
                .push_bind(1i64);
        });
        insert.push(" ON CONFLICT (house_id, day) DO UPDATE SET blocked = 1");
        insert.build().execute(&mut **tx).await?;
    }
    Ok(())
}
