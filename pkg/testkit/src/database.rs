use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use homestay_db::{Db, Migrations, migrate_postgres};
use homestay_service::Tasks;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Connections of a test's database.
const POOL: u32 = 6;

/// A database of one test, gone with it.
#[derive(Debug)]
pub struct TestDb {
    /// The database, migrated.
    pub db: Db,
    migrations: Migrations,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(tempfile::TempDir),
    Schema(Schema),
}

/// A schema of a Postgres database, dropped with this value.
#[derive(Debug)]
struct Schema {
    name: String,
    /// Of somebody who may make and drop schemas.
    admin_url: String,
    /// The same, with the schema as search_path.
    url: String,
}

impl TestDb {
    /// The same data opened once more, as by a second process.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn reopen(&self) -> Db {
        open(&self.place, self.migrations).await
    }

    /// The URL of the test's schema, if this is Postgres.
    #[must_use]
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Schema(schema) => Some(&schema.url),
        }
    }
}

async fn open(place: &Place, migrations: Migrations) -> Db {
    let db = match place {
        Place::Folder(dir) => Db::open_sqlite(&dir.path().join("test.db"), migrations, Tasks::new()).await,
        Place::Schema(schema) => Db::open_postgres(&schema.url, POOL, Tasks::new()).await,
    };
    let db = db.expect("a database").patient(Duration::from_secs(20));
    if homestay_config::test_server("HOMESTAY_TEST_POSTGRES_PLAIN").is_some() {
        return db.plain();
    }
    db
}

/// A fresh database with the schema of a domain: on Postgres if there is one to test on, else SQLite. What most tests use.
///
/// With `HOMESTAY_TEST_POSTGRES_PLAIN` set, statements that have a form for Postgres alone are run in the form for both.
///
/// # Panics
/// If it cannot be made.
pub async fn database(migrations: Migrations) -> TestDb {
    match postgres(migrations).await {
        Some(test_db) => test_db,
        None => sqlite(migrations).await,
    }
}

/// A fresh SQLite database with the schema of a domain.
///
/// # Panics
/// If it cannot be made.
pub async fn sqlite(migrations: Migrations) -> TestDb {
    let place = Place::Folder(tempfile::tempdir().expect("a temporary folder"));
    TestDb {
        db: open(&place, migrations).await,
        migrations,
        place,
    }
}

/// A fresh schema of the Postgres server at `HOMESTAY_TEST_POSTGRES_URL`, the URL of an administrator; none if it is unset.
///
/// # Panics
/// If it cannot be made: a server that was named has to answer.
pub async fn postgres(migrations: Migrations) -> Option<TestDb> {
    let admin_url = homestay_config::test_server("HOMESTAY_TEST_POSTGRES_URL")?;
    let schema = Schema::make(admin_url).await;
    migrate_postgres(&schema.url, migrations)
        .await
        .expect("migrations that Postgres takes");
    let place = Place::Schema(schema);
    Some(TestDb {
        db: open(&place, migrations).await,
        migrations,
        place,
    })
}

/// Runs the body of a test on Postgres, if there is one to test on, in both forms of the statements that have two, and then on
/// SQLite.
///
/// # Panics
/// As `body` does.
pub async fn on_both<F: Future<Output = ()>>(migrations: Migrations, body: impl Fn(Db) -> F) {
    if let Some(test_db) = postgres(migrations).await {
        body(test_db.db.clone()).await;
    }
    if let Some(test_db) = postgres(migrations).await {
        body(test_db.db.clone().plain()).await;
    }
    let test_db = sqlite(migrations).await;
    body(test_db.db.clone()).await;
}

impl Schema {
    async fn make(admin_url: String) -> Self {
        let name = format!("test_{:016x}", RandomState::new().build_hasher().finish());
        run(&admin_url, format!("CREATE SCHEMA {name}"))
            .await
            .expect("a schema");
        let sign = if admin_url.contains('?') { '&' } else { '?' };
        let url = format!("{admin_url}{sign}application_name={name}&options[search_path]={name}");
        Self { name, admin_url, url }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        // On a thread of its own: the test's runtime is on its way out. Best effort: what is left hurts nobody.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                // What the test left in the middle of a transaction would be in the way.
                let sql = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'; \
                     SET lock_timeout = '1s'; DROP SCHEMA {name} CASCADE"
                );
                runtime.block_on(run(&url, sql)).ok();
            }
        });
        dropping.join().ok();
    }
}

async fn run(url: &str, sql: String) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut conn = AnyConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    conn.close().await
}
