use homestay_db::Tx;
use homestay_error::{Error, Result};
use sqlx::Row;

use super::Holder;

/// A refresh token as the table knows it, with its family and account.
#[derive(Debug)]
pub(crate) struct Presented {
    pub family_id: i64,
    pub holder: Holder,
    pub revoked: bool,
    pub expires_at_ms: i64,
}

/// Starts a family.
pub(crate) async fn insert_family(
    tx: &mut Tx,
    id: i64,
    user_id: i64,
    now_ms: i64,
    expires_at_ms: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO refresh_family (id, user_id, created_at_ms, revoked_at_ms, expires_at_ms) \
         VALUES ($1, $2, $3, 0, $4)",
    )
    .bind(id)
    .bind(user_id)
    .bind(now_ms)
    .bind(expires_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets a family live as long as its newest token.
pub(crate) async fn extend_family(tx: &mut Tx, id: i64, expires_at_ms: i64) -> Result<()> {
    sqlx::query("UPDATE refresh_family SET expires_at_ms = $1 WHERE id = $2")
        .bind(expires_at_ms)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Adds a token to a family.
pub(crate) async fn insert_token(tx: &mut Tx, hash: &str, family_id: i64, expires_at_ms: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO refresh_token (hash, family_id, used_at_ms, expires_at_ms) VALUES ($1, $2, 0, $3)",
    )
    .bind(hash)
    .bind(family_id)
    .bind(expires_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The token with this hash.
pub(crate) async fn presented(tx: &mut Tx, hash: &str) -> Result<Option<Presented>> {
    let row = sqlx::query(
        "SELECT f.id AS family_id, f.revoked_at_ms, t.expires_at_ms, u.id, u.role, u.demo \
         FROM refresh_token t JOIN refresh_family f ON f.id = t.family_id JOIN app_user u ON u.id = f.user_id \
         WHERE t.hash = $1",
    )
    .bind(hash)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Presented {
            family_id: row.try_get("family_id")?,
            holder: Holder {
                id: row.try_get("id")?,
                role: row
                    .try_get::<String, _>("role")?
                    .parse()
                    .map_err(Error::internal)?,
                demo: row.try_get::<i64, _>("demo")? != 0,
            },
            revoked: row.try_get::<i64, _>("revoked_at_ms")? != 0,
            expires_at_ms: row.try_get("expires_at_ms")?,
        })
    })
    .transpose()
}

/// Uses a token up; false if it was used before.
pub(crate) async fn use_token(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<bool> {
    let done = sqlx::query("UPDATE refresh_token SET used_at_ms = $1 WHERE hash = $2 AND used_at_ms = 0")
        .bind(now_ms)
        .bind(hash)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a family.
pub(crate) async fn revoke_family(tx: &mut Tx, id: i64, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE refresh_family SET revoked_at_ms = $1 WHERE id = $2 AND revoked_at_ms = 0")
        .bind(now_ms)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends the family that a token belongs to, if there is such a token.
pub(crate) async fn revoke_family_of(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "UPDATE refresh_family SET revoked_at_ms = $1 WHERE revoked_at_ms = 0 \
         AND id = (SELECT family_id FROM refresh_token WHERE hash = $2)",
    )
    .bind(now_ms)
    .bind(hash)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends all families of an account.
pub(crate) async fn revoke_all(tx: &mut Tx, user_id: i64, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE refresh_family SET revoked_at_ms = $1 WHERE user_id = $2 AND revoked_at_ms = 0")
        .bind(now_ms)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Deletes tokens and families that ended before `before_ms`; how many tokens.
pub(crate) async fn delete_expired(tx: &mut Tx, before_ms: i64) -> Result<u64> {
    let done = sqlx::query("DELETE FROM refresh_token WHERE expires_at_ms < $1")
        .bind(before_ms)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM refresh_family WHERE expires_at_ms < $1")
        .bind(before_ms)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}
