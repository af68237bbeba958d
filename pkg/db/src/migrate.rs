use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use homestay_error::{Code, Error, Result};
use sqlx::any::AnyConnectOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions, Connection, SqlSafeStr};

use crate::{Db, Dialect};

/// A domain's schema: (version, name, SQL), forward only, in order. Part of the crate that owns the tables.
pub type Migrations = &'static [(i64, &'static str, &'static str)];

fn migrator(migrations: Migrations) -> Migrator {
    let migrations = migrations
        .iter()
        .map(|&(version, name, sql)| {
            Migration::new(
                version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// Applies what is missing. Each migration is a transaction; a changed or unknown one ends the start.
pub(crate) async fn run(pool: &AnyPool, migrations: Migrations) -> Result<()> {
    migrator(migrations)
        .run(pool)
        .await
        .map_err(|cause| Error::new(Code::Database).source(cause))
}

/// Brings the schema that is first in the `search_path` of a Postgres URL up to date.
///
/// Forward only, each migration a transaction. One at a time for each schema: others wait for the advisory lock, and as with
/// the locks of the tables not longer than ten seconds, so that a migration behind a long transaction does not stop the
/// queries behind itself for good.
///
/// # Errors
/// [`Code::Unavailable`] if the server cannot be reached; [`Code::Database`] if there is no schema, a lock was not had in
/// time, a migration fails, or one that was applied has changed. One that is not known here is a newer program's, and left.
pub async fn migrate_postgres(url: &str, migrations: Migrations) -> Result<()> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let mut conn = options.connect().await?;
    let schema: Option<String> = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)")
        .fetch_one(&mut conn)
        .await?;
    let Some(schema) = schema else {
        return Err(Error::new(Code::Database).source("no schema of the search_path exists"));
    };
    sqlx::raw_sql("SET lock_timeout = '10s'")
        .execute(&mut conn)
        .await?;
    // It ends with the connection. (sqlx's own is the same for all schemas of a database.)
    sqlx::query("SELECT 1 FROM pg_advisory_lock(hashtext('homestay migrate'), hashtext($1))")
        .bind(schema)
        .execute(&mut conn)
        .await?;
    let mut migrator = migrator(migrations);
    migrator
        .set_locking(false)
        // This may be an older program beside a newer one: in a rolling update that starts a Pod again, or after it was undone.
        .set_ignore_missing(true);
    let done = migrator.run(&mut conn).await;
    conn.close().await?;
    done.map_err(|cause| Error::new(Code::Database).source(cause))
}

impl Db {
    /// Which of these migrations are missing, as "2 order"; none if the schema is as new as this program, or newer.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::Database`] if the database does not answer; [`Code::Database`] if a migration that was
    /// applied is another one here.
    pub async fn pending(&self, migrations: Migrations) -> Result<Vec<String>> {
        let begun = match self.dialect {
            Dialect::Sqlite => true,
            Dialect::Postgres => {
                let tables: i64 = sqlx::query_scalar(
                    "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'",
                )
                .fetch_one(self.read())
                .await?;
                tables > 0
            }
        };
        let mut applied: HashMap<i64, Vec<u8>> = HashMap::new();
        if begun {
            let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations")
                .fetch_all(self.read())
                .await?;
            applied.extend(rows);
        }
        let mut missing = Vec::new();
        for migration in migrator(migrations).iter() {
            let name = format!("{} {}", migration.version, migration.description);
            match applied.get(&migration.version) {
                None => missing.push(name),
                Some(checksum) if checksum[..] != migration.checksum[..] => {
                    let cause = format!("migration {name} was applied with another text");
                    return Err(Error::new(Code::Database).source(cause));
                }
                Some(_) => {}
            }
        }
        Ok(missing)
    }
}
