use std::collections::HashMap;

use homestay_db::{Db, Dialect, QueryBuilder, Reader, Tx};
use homestay_error::{Error, Result};
use homestay_types::Role;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

/// `auth_type` of a login by mobile and password.
pub(crate) const SYSTEM: &str = "system";
/// `auth_type` of a login through a WeChat mini program.
pub(crate) const WX_MINI: &str = "wxMini";

/// Rows of one multi-row statement: ten values each stay below SQLite's 32,766 parameters.
const ROWS: usize = 1000;

/// A row of `app_user` to be.
#[derive(Debug, Clone)]
pub(crate) struct NewAccount {
    pub id: i64,
    pub mobile: Option<String>,
    /// Empty: no login by password.
    pub password_hash: String,
    pub nickname: String,
    pub sex: i64,
    pub avatar: String,
    pub info: String,
    pub role: Role,
    /// Of the demo: signs in only there.
    pub demo: bool,
    pub created_at_ms: i64,
}

/// Who a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub id: i64,
    pub role: Role,
    pub demo: bool,
}

/// An account as its owner sees it.
#[derive(Debug)]
pub(crate) struct Account {
    pub id: i64,
    pub mobile: Option<String>,
    pub nickname: String,
    pub sex: i64,
    pub avatar: String,
    pub info: String,
    pub role: Role,
    /// Empty if none is bound.
    pub wechat_openid: String,
    pub created_at_ms: i64,
}

/// An account as everyone sees it.
#[derive(Debug)]
pub(crate) struct Profile {
    pub id: i64,
    pub nickname: String,
    pub avatar: String,
    pub info: String,
}

fn role(row: &AnyRow) -> Result<Role> {
    row.try_get::<String, _>("role")?.parse().map_err(Error::internal)
}

fn holder_of(row: &AnyRow) -> Result<Holder> {
    Ok(Holder {
        id: row.try_get("id")?,
        role: role(row)?,
        demo: row.try_get::<i64, _>("demo")? != 0,
    })
}

/// Inserts accounts whose id and mobile are free; how many those were.
pub(crate) async fn insert_accounts(tx: &mut Tx, accounts: &[NewAccount]) -> Result<u64> {
    let mut inserted = 0;
    for rows in accounts.chunks(ROWS) {
        let mut insert = tx.builder(
            "INSERT INTO app_user (id, mobile, password_hash, nickname, sex, avatar, info, role, demo, created_at_ms) ",
        );
        insert.push_values(rows, |mut row, account| {
            row.push_bind(account.id)
                .push_bind(account.mobile.clone())
                .push_bind(account.password_hash.clone())
                .push_bind(account.nickname.clone())
                .push_bind(account.sex)
                .push_bind(account.avatar.clone())
                .push_bind(account.info.clone())
                .push_bind(account.role.as_str())
                .push_bind(i64::from(account.demo))
                .push_bind(account.created_at_ms);
        });
        insert.push(" ON CONFLICT DO NOTHING");
        inserted += insert.build().execute(&mut **tx).await?.rows_affected();
    }
    Ok(inserted)
}

/// Binds a way to sign in to an account; false if the way, or the account's place for it, is taken.
pub(crate) async fn insert_auth(tx: &mut Tx, auth_type: &str, auth_key: &str, user_id: i64) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO user_auth (auth_type, auth_key, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(auth_type)
    .bind(auth_key)
    .bind(user_id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the ways to sign in of one type, at most one, from an account.
pub(crate) async fn delete_auths(tx: &mut Tx, auth_type: &str, user_id: i64) -> Result<()> {
    sqlx::query("DELETE FROM user_auth WHERE auth_type = $1 AND user_id = $2")
        .bind(auth_type)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives accounts their `system` way to sign in: (mobile, account).
pub(crate) async fn insert_system_auths(tx: &mut Tx, mobiles: &[(String, i64)]) -> Result<()> {
    for rows in mobiles.chunks(ROWS) {
        let mut insert = tx.builder("INSERT INTO user_auth (auth_type, auth_key, user_id) ");
        insert.push_values(rows, |mut row, (mobile, id)| {
            row.push_bind(SYSTEM).push_bind(mobile.clone()).push_bind(*id);
        });
        insert.push(" ON CONFLICT DO NOTHING");
        insert.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// The account of a mobile with its password hash, for a login.
pub(crate) async fn credentials(db: Reader<'_>, mobile: &str) -> Result<Option<(Holder, String)>> {
    let row = sqlx::query("SELECT id, role, demo, password_hash FROM app_user WHERE mobile = $1")
        .bind(mobile)
        .fetch_optional(db)
        .await?;
    row.map(|row| Ok((holder_of(&row)?, row.try_get("password_hash")?)))
        .transpose()
}

/// The account with this id and its password hash.
pub(crate) async fn credentials_of(db: Reader<'_>, id: i64) -> Result<Option<(Holder, String)>> {
    let row = sqlx::query("SELECT id, role, demo, password_hash FROM app_user WHERE id = $1")
        .bind(id)
        .fetch_optional(db)
        .await?;
    row.map(|row| Ok((holder_of(&row)?, row.try_get("password_hash")?)))
        .transpose()
}

/// Gives an account another password hash instead of `from`; whether it had that.
pub(crate) async fn change_password(tx: &mut Tx, id: i64, from: &str, to: &str) -> Result<bool> {
    let done = sqlx::query("UPDATE app_user SET password_hash = $1 WHERE id = $2 AND password_hash = $3")
        .bind(to)
        .bind(id)
        .bind(from)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The account as it is now, if this still is its password hash. Its row is ours until the transaction ends: who changes the
/// password comes before this or sees what it did.
pub(crate) async fn lock_with_password(tx: &mut Tx, id: i64, hash: &str) -> Result<Option<Holder>> {
    let row = sqlx::query(
        "UPDATE app_user SET password_hash = password_hash WHERE id = $1 AND password_hash = $2 RETURNING id, role, demo",
    )
    .bind(id)
    .bind(hash)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(holder_of).transpose()
}

/// The account as it is now. Its row is ours until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: i64) -> Result<Option<Holder>> {
    let row = sqlx::query("UPDATE app_user SET role = role WHERE id = $1 RETURNING id, role, demo")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(holder_of).transpose()
}

/// The account with this mobile.
pub(crate) async fn holder_by_mobile(
    db: impl Executor<'_, Database = Any>,
    mobile: &str,
) -> Result<Option<Holder>> {
    let row = sqlx::query("SELECT id, role, demo FROM app_user WHERE mobile = $1")
        .bind(mobile)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(holder_of).transpose()
}

/// The account that this way to sign in is bound to.
pub(crate) async fn holder_by_auth(
    db: impl Executor<'_, Database = Any>,
    auth_type: &str,
    auth_key: &str,
) -> Result<Option<Holder>> {
    let row = sqlx::query(
        "SELECT u.id, u.role, u.demo FROM user_auth a JOIN app_user u ON u.id = a.user_id \
         WHERE a.auth_type = $1 AND a.auth_key = $2",
    )
    .bind(auth_type)
    .bind(auth_key)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(holder_of).transpose()
}

/// Accounts by mobile, as far as there are any.
pub(crate) async fn ids_by_mobile<'c, E>(
    db: E,
    dialect: Dialect,
    mobiles: &[String],
) -> Result<HashMap<String, i64>>
where
    E: Executor<'c, Database = Any>,
{
    let mut found = HashMap::with_capacity(mobiles.len());
    if mobiles.is_empty() {
        return Ok(found);
    }
    let mut select = QueryBuilder::new(dialect, "SELECT id, mobile FROM app_user WHERE mobile IN (");
    let mut list = select.separated(", ");
    for mobile in mobiles {
        list.push_bind(mobile.clone());
    }
    select.push(")");
    for row in select.build().fetch_all(db).await? {
        found.insert(row.try_get("mobile")?, row.try_get("id")?);
    }
    Ok(found)
}

/// Gives an account another role and password, if it has another role or is of the demo, and makes it a real one; whether
/// it did.
pub(crate) async fn raise(tx: &mut Tx, id: i64, role: Role, password_hash: &str) -> Result<bool> {
    let done = sqlx::query("UPDATE app_user SET role = $1, password_hash = $2, demo = 0 WHERE id = $3 AND (role <> $1 OR demo = 1)")
        .bind(role.as_str())
        .bind(password_hash)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives an account another role instead of `from`; whether it had that.
pub(crate) async fn change_role(tx: &mut Tx, id: i64, from: Role, to: Role) -> Result<bool> {
    let done = sqlx::query("UPDATE app_user SET role = $1 WHERE id = $2 AND role = $3")
        .bind(to.as_str())
        .bind(id)
        .bind(from.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many admins can sign in. Their rows are ours until the transaction ends, so that two who go at the same time are
/// counted one after the other.
pub(crate) async fn lock_admins(tx: &mut Tx, demo: bool) -> Result<u64> {
    let done = sqlx::query("UPDATE app_user SET role = 'admin' WHERE role = 'admin' AND demo <= $1")
        .bind(i64::from(demo))
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

const ACCOUNT: &str = "SELECT u.id, u.mobile, u.nickname, u.sex, u.avatar, u.info, u.role, u.created_at_ms, a.auth_key \
     FROM app_user u LEFT JOIN user_auth a ON a.user_id = u.id AND a.auth_type = 'wxMini' ";

fn account_of(row: &AnyRow) -> Result<Account> {
    Ok(Account {
        id: row.try_get("id")?,
        mobile: row.try_get("mobile")?,
        nickname: row.try_get("nickname")?,
        sex: row.try_get("sex")?,
        avatar: row.try_get("avatar")?,
        info: row.try_get("info")?,
        role: role(row)?,
        wechat_openid: row.try_get::<Option<String>, _>("auth_key")?.unwrap_or_default(),
        created_at_ms: row.try_get("created_at_ms")?,
    })
}

/// The account with this id, as its owner sees it.
pub(crate) async fn account(db: &Db, id: i64) -> Result<Option<Account>> {
    let mut select = db.builder(ACCOUNT);
    select.push("WHERE u.id = ").push_bind(id);
    let row = select.build().fetch_optional(db.read()).await?;
    row.as_ref().map(account_of).transpose()
}

/// The first thousand accounts that have this role.
pub(crate) async fn by_role(db: &Db, role: Role) -> Result<Vec<Account>> {
    let mut select = db.builder(ACCOUNT);
    select
        .push("WHERE u.role = ")
        .push_bind(role.as_str())
        .push(" ORDER BY u.id LIMIT 1000");
    let rows = select.build().fetch_all(db.read()).await?;
    rows.iter().map(account_of).collect()
}

/// Public faces of the accounts that exist among `ids`, by id.
pub(crate) async fn profiles(db: &Db, ids: &[i64]) -> Result<Vec<Profile>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = db.builder("SELECT id, nickname, avatar, info FROM app_user WHERE id IN (");
    let mut list = select.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    select.push(") ORDER BY id");
    let rows = select.build().fetch_all(db.read()).await?;
    rows.iter()
        .map(|row| {
            Ok(Profile {
                id: row.try_get("id")?,
                nickname: row.try_get("nickname")?,
                avatar: row.try_get("avatar")?,
                info: row.try_get("info")?,
            })
        })
        .collect()
}
