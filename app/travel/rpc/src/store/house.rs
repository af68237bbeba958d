use homestay_db::Reader;
use homestay_error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::house::{Day, House};
use crate::rules::terms::Terms;

/// Columns of a house, from a table called `h`, in the order of [`read`]. A house whose shop is closed is off sale.
macro_rules! house_columns {
    () => {
        "h.id, h.shop_id, h.host_id, h.title, h.sub_title, h.banner, h.info, h.people_num, \
         h.row_state * COALESCE((SELECT s.row_state FROM shop s WHERE s.id = h.shop_id), 0), \
         h.row_type, h.food_info, h.food_cents, h.price_cents, h.market_cents, h.weekend_cents, h.city, h.time_zone, \
         h.currency, h.units, h.meals_per_day, h.open_from, h.open_until, h.star_tenths, h.star_count, h.created_at_ms, \
         h.min_nights, h.max_nights, h.buffer_days, h.arrival_weekdays, h.departure_weekdays, h.advance_min_days, \
         h.advance_max_days, h.check_in_minute, h.seasons, h.discounts, h.policy"
    };
}
pub(crate) use house_columns;

/// Number of columns in [`house_columns`].
const COLUMNS: usize = 36;

pub(crate) fn read(row: &AnyRow) -> Result<House, sqlx::Error> {
    Ok(House {
        id: row.try_get(0)?,
        shop_id: row.try_get(1)?,
        host_id: row.try_get(2)?,
        title: row.try_get(3)?,
        sub_title: row.try_get(4)?,
        banner: row.try_get(5)?,
        info: row.try_get(6)?,
        people_num: row.try_get(7)?,
        on_sale: row.try_get::<i64, _>(8)? == 1,
        per_person: row.try_get::<i64, _>(9)? == 1,
        food_info: row.try_get(10)?,
        food_cents: row.try_get(11)?,
        price_cents: row.try_get(12)?,
        market_cents: row.try_get(13)?,
        weekend_cents: row.try_get(14)?,
        city: row.try_get(15)?,
        time_zone: row.try_get(16)?,
        currency: row.try_get(17)?,
        units: row.try_get(18)?,
        meals_per_day: row.try_get(19)?,
        open_from: row.try_get(20)?,
        open_until: row.try_get(21)?,
        star_tenths: row.try_get(22)?,
        star_count: row.try_get(23)?,
        created_at_ms: row.try_get(24)?,
        terms: Terms {
            min_nights: row.try_get(25)?,
            max_nights: row.try_get(26)?,
            buffer_days: row.try_get(27)?,
            arrival_weekdays: row.try_get(28)?,
            departure_weekdays: row.try_get(29)?,
            advance_min_days: row.try_get(30)?,
            advance_max_days: row.try_get(31)?,
            check_in_minute: row.try_get(32)?,
            seasons: json(row, 33)?,
            discounts: json(row, 34)?,
            policy: json(row, 35)?,
        },
    })
}

/// A column of JSON; empty is what the type has by default.
fn json<T: DeserializeOwned + Default>(row: &AnyRow, index: usize) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(index)?;
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(&text).map_err(|cause| sqlx::Error::Decode(Box::new(cause)))
}

/// The columns that are JSON: seasons, discounts, policy.
pub(crate) fn to_json(terms: &Terms) -> Result<[String; 3]> {
    fn text<T: Serialize + Default + PartialEq>(value: &T) -> Result<String> {
        if *value == T::default() {
            return Ok(String::new());
        }
        serde_json::to_string(value).map_err(Error::internal)
    }
    Ok([
        text(&terms.seasons)?,
        text(&terms.discounts)?,
        text(&terms.policy)?,
    ])
}

/// A house by its id.
pub(crate) async fn find(pool: Reader<'_>, id: i64) -> Result<Option<House>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        house_columns!(),
        " FROM house h WHERE h.id = $1"
    ))
    .bind(id)
    .fetch_optional(pool)
    .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// A house and its own calendar rows in `[from, to)`, in one statement.
pub(crate) async fn find_with_days(
    pool: Reader<'_>,
    id: i64,
    (from, to): (i64, i64),
) -> Result<Option<(House, Vec<Day>)>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        house_columns!(),
        ", d.day, d.price_cents, d.blocked FROM house h \
         LEFT JOIN house_day d ON d.house_id = h.id AND d.day >= $2 AND d.day < $3 WHERE h.id = $1"
    ))
    .bind(id)
    .bind(from)
    .bind(to)
    .fetch_all(pool)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let house = read(first)?;
    let mut days = Vec::new();
    for row in &rows {
        if let Some(day) = row.try_get::<Option<i64>, _>(COLUMNS)? {
            days.push(Day {
                day,
                price_cents: row.try_get(COLUMNS + 1)?,
                blocked: row.try_get::<i64, _>(COLUMNS + 2)? == 1,
            });
        }
    }
    Ok(Some((house, days)))
}

/// What the calendar needs of one day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stock {
    pub(crate) day: Day,
    /// Units that cannot take this night: it is gone, or one of those that must stay free after it.
    pub(crate) units_taken: i64,
    pub(crate) meals_taken: i64,
}

/// Every day in `[from, to)` with its own row, if there is one, and what is sold.
pub(crate) async fn stock(pool: Reader<'_>, house: &House, (from, to): (i64, i64)) -> Result<Vec<Stock>> {
    let rows = sqlx::query(
        "WITH RECURSIVE d(day) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT day + 1 FROM d WHERE day + 1 < $3) \
         SELECT d.day, COALESCE(own.price_cents, 0), COALESCE(own.blocked, 0), \
         (SELECT COUNT(DISTINCT n.unit) FROM night n WHERE n.house_id = $1 AND n.day >= d.day AND n.day <= d.day + $4 \
         AND n.unit <= $5), COALESCE(m.taken, 0) \
         FROM d LEFT JOIN house_day own ON own.house_id = $1 AND own.day = d.day \
         LEFT JOIN meal_day m ON m.house_id = $1 AND m.day = d.day ORDER BY d.day",
    )
    .bind(house.id)
    .bind(from)
    .bind(to)
    .bind(house.terms.buffer_days)
    .bind(house.units)
    .fetch_all(pool)
    .await?;
    let read = |row: &AnyRow| {
        Ok::<_, sqlx::Error>(Stock {
            day: Day {
                day: row.try_get(0)?,
                price_cents: row.try_get(1)?,
                blocked: row.try_get::<i64, _>(2)? == 1,
            },
            units_taken: row.try_get(3)?,
            meals_taken: row.try_get(4)?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
