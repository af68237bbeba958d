//! The Postgres server that fleets share.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Best effort, and on a thread of its own: the test's runtime may be on its way out. What is left hurts nobody.
pub fn drop_database(url: &str, name: &str) {
    let (url, sql) = (
        url.to_owned(),
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    );
    let dropping = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(admin(&url, sql)).ok();
        }
    });
    dropping.join().ok();
}

/// Runs one statement as the server's administrator.
pub async fn admin(url: &str, sql: String) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut conn = AnyConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    conn.close().await
}
