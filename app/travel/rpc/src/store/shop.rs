use homestay_db::{Db, Reader};
use homestay_error::Result;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::house::Shop;
use crate::store::list::size;

/// Thirty days in milliseconds: the "month" of a shop's sales.
const MONTH_MS: i64 = 30 * 86_400_000;

/// A shop from a table called `s`, with stars of its houses, what a guest spends a night in those on sale, and stays that
/// began in `($1, $2]`.
macro_rules! shop_columns {
    () => {
        "s.id, s.host_id, s.title, s.info, s.boss_info, s.tags, s.cover, s.header_img, s.row_state, \
         (SELECT CAST(COALESCE(SUM(h.star_tenths), 0) AS BIGINT) FROM house h WHERE h.shop_id = s.id), \
         (SELECT CAST(COALESCE(SUM(h.star_count), 0) AS BIGINT) FROM house h WHERE h.shop_id = s.id), \
         (SELECT COUNT(*) FROM hold b WHERE b.shop_id = s.id AND b.state = 'bound' \
         AND b.starts_at_ms > $1 AND b.starts_at_ms <= $2), \
         (SELECT CAST(COALESCE(SUM(CASE WHEN h.row_type = 1 THEN h.price_cents ELSE h.price_cents / h.people_num END), 0) \
         AS BIGINT) FROM house h WHERE h.shop_id = s.id AND h.row_state = 1), \
         (SELECT COUNT(*) FROM house h WHERE h.shop_id = s.id AND h.row_state = 1)"
    };
}

fn read(row: &AnyRow) -> Result<Shop, sqlx::Error> {
    let spent: i64 = row.try_get(12)?;
    let houses: i64 = row.try_get(13)?;
    Ok(Shop {
        id: row.try_get(0)?,
        host_id: row.try_get(1)?,
        title: row.try_get(2)?,
        info: row.try_get(3)?,
        boss_info: row.try_get(4)?,
        tags: row.try_get(5)?,
        cover: row.try_get(6)?,
        header_img: row.try_get(7)?,
        open: row.try_get::<i64, _>(8)? == 1,
        star_tenths: row.try_get(9)?,
        star_count: row.try_get(10)?,
        sell_month: row.try_get(11)?,
        person_consume_cents: if houses == 0 { 0 } else { spent / houses },
    })
}

/// A shop by its id.
pub(crate) async fn find(pool: Reader<'_>, id: i64, now_ms: i64) -> Result<Option<Shop>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        shop_columns!(),
        " FROM shop s WHERE s.id = $3"
    ))
    .bind(now_ms - MONTH_MS)
    .bind(now_ms)
    .bind(id)
    .fetch_optional(pool)
    .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Open shops, newest first, below `last_id` if it is not 0.
pub(crate) async fn newest(db: &Db, last_id: i64, limit: usize, now_ms: i64) -> Result<Vec<Shop>> {
    let last_id = if last_id > 0 { last_id } else { i64::MAX };
    let mut query = db.builder(concat!(
        "SELECT ",
        shop_columns!(),
        " FROM shop s WHERE s.row_state = 1 AND s.id < $3 ORDER BY s.id DESC LIMIT "
    ));
    query.push(size(limit));
    let rows = query
        .build()
        .bind(now_ms - MONTH_MS)
        .bind(now_ms)
        .bind(last_id)
        .fetch_all(db.read())
        .await?;
    Ok(rows.iter().take(limit).map(read).collect::<Result<_, _>>()?)
}

/// Accounts of the operator's list of good hosts, the best first, at most ten.
pub(crate) async fn good_hosts(pool: Reader<'_>) -> Result<Vec<i64>> {
    let rows =
        sqlx::query("SELECT data_id FROM activity WHERE kind = 'good_host' ORDER BY place, data_id LIMIT 10")
            .fetch_all(pool)
            .await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
