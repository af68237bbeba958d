use std::borrow::Cow;

use homestay_error::{Code, Error, Result};
use sqlx::AnyPool;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A domain's schema: (version, name, SQL), forward only, in order. Part of the crate that owns the tables.
pub type Migrations = &'static [(i64, &'static str, &'static str)];

/// Applies what is missing. Each migration is a transaction; a changed or unknown one ends the start.
pub(crate) async fn run(pool: &AnyPool, migrations: Migrations) -> Result<()> {
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
    let migrator = Migrator::with_migrations(migrations);
    migrator
        .run(pool)
        .await
        .map_err(|cause| Error::new(Code::Database).source(cause))
}
