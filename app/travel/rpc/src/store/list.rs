use homestay_db::{Db, QueryBuilder};
use homestay_error::Result;
use sqlx::Row;

use crate::house::{House, Review};
use crate::search::Wanted;
use crate::store::house::{house_columns, read};

/// On sale in an open shop; from a table called `h`. The first half is the condition of index `house_city`.
macro_rules! on_sale {
    () => {
        "h.row_state = 1 AND EXISTS (SELECT 1 FROM shop o WHERE o.id = h.shop_id AND o.row_state = 1)"
    };
}

/// A few sizes, so that the limit can be a literal and statements few (facts-performance.md §7): the first that is enough.
pub(crate) fn size(wanted: usize) -> &'static str {
    match wanted {
        0..=6 => "6",
        7..=21 => "21",
        _ => "101",
    }
}

async fn houses(db: &Db, mut query: QueryBuilder, limit: usize) -> Result<Vec<House>> {
    let rows = query.build().fetch_all(db.read()).await?;
    let houses = rows.iter().take(limit).map(read).collect::<Result<_, _>>()?;
    Ok(houses)
}

/// On-sale houses, newest first: all of them or one shop's, below `last_id` if it is not 0.
pub(crate) async fn newest(db: &Db, shop_id: Option<i64>, last_id: i64, limit: usize) -> Result<Vec<House>> {
    let mut query = db.builder(concat!(
        "SELECT ",
        house_columns!(),
        " FROM house h WHERE ",
        on_sale!()
    ));
    if let Some(shop) = shop_id {
        query.push(" AND h.shop_id = ").push_bind(shop);
    }
    if last_id > 0 {
        query.push(" AND h.id < ").push_bind(last_id);
    }
    query.push(" ORDER BY h.id DESC LIMIT ").push(size(limit));
    houses(db, query, limit).await
}

/// On-sale houses of the operator's list, in its order.
pub(crate) async fn recommended(db: &Db, offset: i64, limit: usize) -> Result<Vec<House>> {
    let mut query = db.builder(concat!(
        "SELECT ",
        house_columns!(),
        " FROM activity a JOIN house h ON h.id = a.data_id WHERE a.kind = 'recommended' AND ",
        on_sale!(),
        " ORDER BY a.place, a.data_id LIMIT "
    ));
    query.push(size(limit)).push(" OFFSET ").push_bind(offset);
    houses(db, query, limit).await
}

/// What a search finds, newest first, below `wanted.below` if it is not 0; stock is asked, and the calendar; the other rules are not.
pub(crate) async fn search(db: &Db, wanted: &Wanted, limit: usize) -> Result<Vec<House>> {
    let mut query = db.builder(concat!(
        "SELECT ",
        house_columns!(),
        " FROM house h WHERE ",
        on_sale!()
    ));
    if !wanted.city_key.is_empty() {
        query
            .push(" AND h.city_key = ")
            .push_bind(wanted.city_key.clone());
    }
    if wanted.guests > 0 {
        query.push(" AND h.people_num >= ").push_bind(wanted.guests);
    }
    if wanted.min_cents > 0 {
        query.push(" AND h.price_cents >= ").push_bind(wanted.min_cents);
    }
    if wanted.max_cents > 0 {
        query.push(" AND h.price_cents <= ").push_bind(wanted.max_cents);
    }
    if wanted.below > 0 {
        query.push(" AND h.id < ").push_bind(wanted.below);
    }
    if let Some((from, to)) = wanted.nights {
        query.push(" AND h.open_from <= ").push_bind(from);
        query.push(" AND h.open_until >= ").push_bind(to);
        query.push(" AND NOT EXISTS (SELECT 1 FROM house_day b WHERE b.house_id = h.id AND b.blocked = 1 AND b.day >= ");
        query.push_bind(from).push(" AND b.day < ").push_bind(to);
        // A unit is free on all nights, and those that must stay free after them, if it is sold on none of them.
        query.push(") AND h.units > (SELECT COUNT(DISTINCT n.unit) FROM night n WHERE n.house_id = h.id AND n.unit <= h.units AND n.day >= ");
        query
            .push_bind(from)
            .push(" AND n.day < h.buffer_days + ")
            .push_bind(to)
            .push(")");
    }
    query.push(" ORDER BY h.id DESC LIMIT ").push(size(limit));
    houses(db, query, limit).await
}

/// Reviews of one house, or of all, newest first.
pub(crate) async fn reviews(db: &Db, house_id: i64, last_id: i64, limit: usize) -> Result<Vec<Review>> {
    let mut query = db
        .builder("SELECT id, house_id, user_id, content, star_tenths, created_at_ms FROM review WHERE id < ");
    query.push_bind(if last_id > 0 { last_id } else { i64::MAX });
    if house_id != 0 {
        query.push(" AND house_id = ").push_bind(house_id);
    }
    query.push(" ORDER BY id DESC LIMIT ").push(size(limit));
    let rows = query.build().fetch_all(db.read()).await?;
    rows.iter()
        .take(limit)
        .map(|row| {
            Ok(Review {
                id: row.try_get(0)?,
                house_id: row.try_get(1)?,
                user_id: row.try_get(2)?,
                content: row.try_get(3)?,
                star_tenths: row.try_get(4)?,
                created_at_ms: row.try_get(5)?,
            })
        })
        .collect()
}
