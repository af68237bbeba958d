use homestay_db::{Reader, Tx};
use homestay_error::Result;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::hold::take_nights;
use crate::block::Block;

/// Under which name the nights of a block stand.
fn owner(id: i64) -> String {
    format!("block:{id}")
}

fn read(row: &AnyRow) -> Result<Block, sqlx::Error> {
    Ok(Block {
        id: row.try_get(0)?,
        house_id: row.try_get(1)?,
        unit: row.try_get(2)?,
        from: row.try_get(3)?,
        until: row.try_get(4)?,
        note: row.try_get(5)?,
        created_at_ms: row.try_get(6)?,
    })
}

/// Blocks of a house that end after `day`, first night first; at most 1000.
pub(crate) async fn list(pool: Reader<'_>, house_id: i64, day: i64) -> Result<Vec<Block>> {
    let rows = sqlx::query(
        "SELECT id, house_id, unit, first_day, until_day, note, created_at_ms FROM owner_block \
         WHERE house_id = $1 AND until_day > $2 ORDER BY first_day, id LIMIT 1000",
    )
    .bind(house_id)
    .bind(day)
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The block's own unit, or for 0 the lowest that is free on all its nights, if it is free; 0: none.
pub(crate) async fn choose(tx: &mut Tx, block: &Block, units: i64) -> Result<i64> {
    let row = sqlx::query(
        "WITH RECURSIVE u(unit) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT unit + 1 FROM u WHERE unit < $1) \
         SELECT CAST(COALESCE(MIN(u.unit), 0) AS BIGINT) FROM u WHERE ($2 = 0 OR u.unit = $2) AND NOT EXISTS \
         (SELECT 1 FROM night n WHERE n.house_id = $3 AND n.day >= $4 AND n.day < $5 AND n.unit = u.unit)",
    )
    .bind(units)
    .bind(block.unit)
    .bind(block.house_id)
    .bind(block.from)
    .bind(block.until)
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}

/// Writes the block and takes its nights; whether all were free. If not, what was written has to be undone.
pub(crate) async fn take(tx: &mut Tx, block: &Block, by: i64) -> Result<bool> {
    sqlx::query(
        "INSERT INTO owner_block (id, house_id, unit, first_day, until_day, note, created_by, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(block.id)
    .bind(block.house_id)
    .bind(block.unit)
    .bind(block.from)
    .bind(block.until)
    .bind(block.note.clone())
    .bind(by)
    .bind(block.created_at_ms)
    .execute(&mut **tx)
    .await?;
    let place = (block.house_id, block.unit);
    let taken = take_nights(tx, place, (block.from, block.until), &owner(block.id), 0).await?;
    Ok(taken == block.until - block.from)
}

/// Removes a block of a house and gives its nights back; whether there was one.
pub(crate) async fn remove(tx: &mut Tx, house_id: i64, id: i64) -> Result<bool> {
    let gone = sqlx::query(
        "DELETE FROM owner_block WHERE id = $1 AND house_id = $2 RETURNING unit, first_day, until_day",
    )
    .bind(id)
    .bind(house_id)
    .fetch_all(&mut **tx)
    .await?;
    let Some(row) = gone.first() else {
        return Ok(false);
    };
    sqlx::query(
        "DELETE FROM night WHERE house_id = $1 AND unit = $2 AND day >= $3 AND day < $4 AND order_sn = $5",
    )
    .bind(house_id)
    .bind(row.try_get::<i64, _>(0)?)
    .bind(row.try_get::<i64, _>(1)?)
    .bind(row.try_get::<i64, _>(2)?)
    .bind(owner(id))
    .execute(&mut **tx)
    .await?;
    Ok(true)
}
