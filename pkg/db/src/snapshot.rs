//! One consistent look at a database, for audits: a transaction that cannot write.

use std::path::Path;
use std::str::FromStr;

use homestay_error::Result;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, ConnectOptions, Connection};

use crate::{Dialect, QueryBuilder, postgres};

/// A database as it was when this was opened, whatever is written meanwhile. It cannot be changed through this.
#[derive(Debug)]
pub struct Snapshot {
    conn: AnyConnection,
    dialect: Dialect,
}

impl Snapshot {
    /// Of a SQLite file, also while the system works with it.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub async fn of_sqlite(path: &Path) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=ro", path.display());
        let options = AnyConnectOptions::from_str(&url)?;
        let begin = "PRAGMA busy_timeout = 5000; PRAGMA query_only = 1; BEGIN";
        Self::begin(options, Dialect::Sqlite, begin).await
    }

    /// Of a Postgres database, as the role of the URL sees it. An audit may take longer than a request: the session has no
    /// time limits.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn of_postgres(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let begin = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Self::begin(postgres::options(url)?, Dialect::Postgres, begin).await
    }

    async fn begin(options: AnyConnectOptions, dialect: Dialect, begin: &'static str) -> Result<Self> {
        let mut conn = AnyConnection::connect_with(&options.disable_statement_logging()).await?;
        sqlx::raw_sql(begin).execute(&mut conn).await?;
        // Both databases take their snapshot at the first read, not at BEGIN.
        sqlx::query("SELECT COUNT(*) FROM outbox")
            .fetch_one(&mut conn)
            .await?;
        Ok(Self { conn, dialect })
    }

    /// A statement whose length is known only at run time.
    #[must_use]
    pub fn builder(&self, sql: impl Into<String>) -> QueryBuilder {
        QueryBuilder::new(self.dialect, sql)
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rows(&mut self, query: Query<'static, Any, AnyArguments>) -> Result<Vec<AnyRow>> {
        Ok(query.fetch_all(&mut self.conn).await?)
    }
}
