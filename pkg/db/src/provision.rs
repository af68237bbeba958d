use std::str::FromStr;

use homestay_error::{Code, Error, Result};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions, Connection};

use crate::scram;

/// Times a conflict with somebody else's change of the same roles is met: those of other databases do not wait for our lock.
const TRIES: usize = 5;

/// Makes the role and the schema `homestay_<domain>` in the database of `admin_url`, or gives the role this password if it is
/// there. The schema is the role's alone, and first in its `search_path` in this database. The server is not told the
/// password, only its SCRAM-SHA-256 verifier: it writes statements into its log when they fail or last.
///
/// # Errors
/// [`Code::Unavailable`] if the server cannot be reached; [`Code::Database`] if the administrator may not do this,
/// `domain` is no name of letters, or the password has characters that no client could send.
pub async fn provision(admin_url: &str, domain: &str, password: &str) -> Result<()> {
    if domain.is_empty() || !domain.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return Err(Error::new(Code::Database).source(format!("{domain:?} is no domain")));
    }
    let password = scram::verifier(password)
        .ok_or_else(|| Error::new(Code::Database).source("a password of characters that SASLprep forbids"))?;
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(admin_url)?.disable_statement_logging();
    let mut conn = options.connect().await?;
    let name = format!("homestay_{domain}");
    let mut tries = TRIES;
    let done = loop {
        tries -= 1;
        match make(&mut conn, &name, &password).await {
            Err(error) if tries > 0 && is_conflict(&error) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut conn).await?;
            }
            done => break done,
        }
    };
    conn.close().await?;
    Ok(done?)
}

/// One at a time in a database, all or nothing. Statements that take no parameters are put together by the server.
async fn make(conn: &mut AnyConnection, name: &str, password: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = '10s'")
        .execute(&mut *conn)
        .await?;
    sqlx::query("SELECT 1 FROM pg_advisory_xact_lock(hashtext('homestay provision'), 0)")
        .execute(&mut *conn)
        .await?;
    let sql: String = sqlx::query_scalar(
        "SELECT format(CASE WHEN EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1) \
         THEN 'ALTER ROLE %1$I LOGIN PASSWORD %2$L; ' ELSE 'CREATE ROLE %1$I LOGIN PASSWORD %2$L; ' END \
         || CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN '' \
         ELSE 'GRANT %1$I TO CURRENT_USER; ' END \
         || 'CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION %1$I; ALTER SCHEMA %1$I OWNER TO %1$I; \
         REVOKE ALL ON SCHEMA %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %3$I TO %1$I; \
         ALTER ROLE %1$I IN DATABASE %3$I SET search_path = %1$I; COMMIT', $1, $2, current_database())",
    )
    .bind(name)
    .bind(password)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Two changed the same row of the catalogue, or made the same role.
fn is_conflict(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| ["XX000", "23505", "42710", "40P01"].contains(&&*code))
}
