use homestay_db::{QueryBuilder, Tx};
use homestay_error::Result;

use crate::house::{Day, House, Review, Shop};
use crate::store::house::to_json;

/// Rows of one statement: its parameters must stay below SQLite's 32,766.
const ROWS: usize = 500;

async fn run(tx: &mut Tx, mut insert: QueryBuilder) -> Result<i64> {
    insert.push(" ON CONFLICT DO NOTHING");
    let rows = insert.build().execute(&mut **tx).await?.rows_affected();
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// Writes shops that are not there yet; how many.
pub(crate) async fn shops(tx: &mut Tx, shops: Vec<Shop>) -> Result<i64> {
    let mut written = 0;
    for part in shops.chunks(ROWS) {
        let mut insert = tx.builder(
            "INSERT INTO shop (id, host_id, title, info, boss_info, tags, cover, header_img, row_state) ",
        );
        insert.push_values(part, |mut row, shop| {
            row.push_bind(shop.id)
                .push_bind(shop.host_id)
                .push_bind(shop.title.clone())
                .push_bind(shop.info.clone())
                .push_bind(shop.boss_info.clone())
                .push_bind(shop.tags.clone())
                .push_bind(shop.cover.clone())
                .push_bind(shop.header_img.clone())
                .push_bind(i64::from(shop.open));
        });
        written += run(tx, insert).await?;
    }
    Ok(written)
}

/// Writes houses that are not there yet, without reviews; how many.
pub(crate) async fn houses(tx: &mut Tx, houses: Vec<House>) -> Result<i64> {
    let mut written = 0;
    for part in houses.chunks(ROWS) {
        let mut insert = tx.builder(
            "INSERT INTO house (id, shop_id, host_id, title, sub_title, banner, info, people_num, row_state, row_type, \
             food_info, food_cents, price_cents, market_cents, weekend_cents, city, city_key, time_zone, currency, \
             units, meals_per_day, open_from, open_until, star_tenths, star_count, created_at_ms, \
             min_nights, max_nights, buffer_days, arrival_weekdays, departure_weekdays, advance_min_days, \
             advance_max_days, check_in_minute, seasons, discounts, policy) ",
        );
        let texts: Vec<[String; 3]> = part
            .iter()
            .map(|house| to_json(&house.terms))
            .collect::<Result<_>>()?;
        insert.push_values(
            part.iter().zip(texts),
            |mut row, (house, [seasons, discounts, policy])| {
                row.push_bind(house.id)
                    .push_bind(house.shop_id)
                    .push_bind(house.host_id)
                    .push_bind(house.title.clone())
                    .push_bind(house.sub_title.clone())
                    .push_bind(house.banner.clone())
                    .push_bind(house.info.clone())
                    .push_bind(house.people_num)
                    .push_bind(i64::from(house.on_sale))
                    .push_bind(i64::from(house.per_person))
                    .push_bind(house.food_info.clone())
                    .push_bind(house.food_cents)
                    .push_bind(house.price_cents)
                    .push_bind(house.market_cents)
                    .push_bind(house.weekend_cents)
                    .push_bind(house.city.clone())
                    .push_bind(house.city.trim().to_lowercase())
                    .push_bind(house.time_zone.clone())
                    .push_bind(house.currency.clone())
                    .push_bind(house.units)
                    .push_bind(house.meals_per_day)
                    .push_bind(house.open_from)
                    .push_bind(house.open_until)
                    .push_bind(0i64)
                    .push_bind(0i64)
                    .push_bind(house.created_at_ms)
                    .push_bind(house.terms.min_nights)
                    .push_bind(house.terms.max_nights)
                    .push_bind(house.terms.buffer_days)
                    .push_bind(house.terms.arrival_weekdays)
                    .push_bind(house.terms.departure_weekdays)
                    .push_bind(house.terms.advance_min_days)
                    .push_bind(house.terms.advance_max_days)
                    .push_bind(house.terms.check_in_minute)
                    .push_bind(seasons)
                    .push_bind(discounts)
                    .push_bind(policy);
            },
        );
        written += run(tx, insert).await?;
    }
    Ok(written)
}

/// Writes calendar rows that are not there yet.
pub(crate) async fn days(tx: &mut Tx, days: Vec<(i64, Day)>) -> Result<()> {
    for part in days.chunks(ROWS) {
        let mut insert = tx.builder("INSERT INTO house_day (house_id, day, price_cents, blocked) ");
        insert.push_values(part, |mut row, (house_id, day)| {
            row.push_bind(*house_id)
                .push_bind(day.day)
                .push_bind(day.price_cents)
                .push_bind(i64::from(day.blocked));
        });
        run(tx, insert).await?;
    }
    Ok(())
}

/// Writes places in the operator's lists (kind, id, place) that are not there yet.
pub(crate) async fn activities(tx: &mut Tx, rows: Vec<(&'static str, i64, i64)>) -> Result<()> {
    for part in rows.chunks(ROWS) {
        let mut insert = tx.builder("INSERT INTO activity (kind, data_id, place) ");
        insert.push_values(part, |mut row, (kind, id, place)| {
            row.push_bind(*kind).push_bind(*id).push_bind(*place);
        });
        run(tx, insert).await?;
    }
    Ok(())
}

/// Writes reviews that are not there yet, and brings the stars of their houses up to date.
pub(crate) async fn reviews(tx: &mut Tx, reviews: Vec<Review>) -> Result<()> {
    for part in reviews.chunks(ROWS) {
        let mut insert =
            tx.builder("INSERT INTO review (id, house_id, user_id, content, star_tenths, created_at_ms) ");
        insert.push_values(part, |mut row, review| {
            row.push_bind(review.id)
                .push_bind(review.house_id)
                .push_bind(review.user_id)
                .push_bind(review.content.clone())
                .push_bind(review.star_tenths)
                .push_bind(review.created_at_ms);
        });
        if run(tx, insert).await? == 0 {
            continue;
        }
        let mut houses: Vec<i64> = part.iter().map(|review| review.house_id).collect();
        houses.sort_unstable();
        houses.dedup();
        let mut update = tx.builder(
            "UPDATE house SET \
             star_tenths = (SELECT CAST(COALESCE(SUM(r.star_tenths), 0) AS BIGINT) FROM review r WHERE r.house_id = house.id), \
             star_count = (SELECT COUNT(*) FROM review r WHERE r.house_id = house.id) WHERE id IN (",
        );
        let mut ids = update.separated(", ");
        for id in houses {
            ids.push_bind(id);
        }
        update.push(")");
        update.build().execute(&mut **tx).await?;
    }
    Ok(())
}
