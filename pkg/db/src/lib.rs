//! SQLite and Postgres behind one face.
//!
//! SQL is written once for both: `i64`, text and blob columns, `$1` parameters, `RETURNING`, `ON CONFLICT`, `CAST` around
//! `SUM`, no boolean expression in a select list. Reads go to [`Db::read`]; every change goes through [`Db::write`], one
//! closure a transaction. SQLite has one writer connection that groups what is queued into one commit (see `writer`);
//! Postgres runs each closure in a transaction of its own.

mod builder;
mod migrate;
mod postgres;
mod provision;
mod seat;
mod writer;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use homestay_clock::{Clock, Ids};
use homestay_error::{Code, Error, Result};
use homestay_service::Tasks;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions};
use tokio::sync::{mpsc, watch};

use seat::Seat;

pub use builder::{QueryBuilder, Separated};
pub use migrate::{Migrations, migrate_postgres};
pub use provision::provision;
pub use seat::Share;

/// Which database answers. Only statements that exist in two forms ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file in the data folder.
    Sqlite,
    /// A server.
    Postgres,
}

/// One domain's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    dialect: Dialect,
    reader: AnyPool,
    writer: Writer,
    bell: Arc<watch::Sender<u64>>,
    tasks: Tasks,
    seat: Arc<Seat>,
    /// How the seat's session is connected.
    session: Option<AnyConnectOptions>,
}

#[derive(Debug, Clone)]
enum Writer {
    /// Queue of the task that owns the only writing connection.
    Queue(mpsc::Sender<Box<dyn writer::Member>>),
    /// Every transaction takes a connection of the pool.
    Pool,
}

/// A transaction in hand: a connection to run statements on, as in `query.execute(&mut **tx)`.
#[derive(Debug)]
pub struct Tx {
    conn: PoolConnection<Any>,
    rung: bool,
    dialect: Dialect,
}

impl Tx {
    fn new(conn: PoolConnection<Any>, dialect: Dialect) -> Self {
        Self {
            conn,
            rung: false,
            dialect,
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Builds a statement for this transaction.
    #[must_use]
    pub fn builder(&self, sql: impl Into<String>) -> QueryBuilder {
        QueryBuilder::new(self.dialect, sql)
    }

    /// Wakes who watches [`Db::bell`] once this transaction is committed.
    pub fn ring(&mut self) {
        self.rung = true;
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }
}

/// How many transactions may wait for the SQLite writer before callers are told to come back.
const QUEUE: usize = 4096;
/// Connections that read a SQLite file at the same time; each costs a thread and its cache.
const SQLITE_READERS: u32 = 4;

impl Db {
    /// Opens (and makes, if missing) the SQLite file `path`, and brings its schema up to date.
    ///
    /// WAL with `synchronous = FULL`: a commit that was answered survives a power cut.
    ///
    /// # Errors
    /// [`Code::Database`] or [`Code::Unavailable`] if the file cannot be opened or migrated.
    pub async fn open_sqlite(path: &Path, migrations: Migrations, tasks: Tasks) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let options = AnyConnectOptions::from_str(&url)?.disable_statement_logging();
        let pool = |max: u32, pragmas: &'static str| {
            AnyPoolOptions::new()
                .max_connections(max)
                .min_connections(0)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(2))
                .after_connect(move |conn, _| {
                    Box::pin(async move { sqlx::raw_sql(pragmas).execute(conn).await.map(|_| ()) })
                })
        };
        let writer = pool(
            1,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
             PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 2000; PRAGMA temp_store = MEMORY;",
        )
        .connect_with(options.clone())
        .await?;
        migrate::run(&writer, migrations).await?;
        // Statistics from earlier runs choose better plans (https://sqlite.org/lang_analyze.html, §5).
        sqlx::raw_sql("PRAGMA optimize = 0x10002;")
            .execute(&writer)
            .await?;
        let reader = pool(
            SQLITE_READERS,
            "PRAGMA busy_timeout = 5000; PRAGMA query_only = 1; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;",
        )
        .connect_with(options)
        .await?;
        let bell = Arc::new(watch::Sender::new(0));
        let (queue, members) = mpsc::channel(QUEUE);
        let conn = writer.acquire().await?;
        tasks.detach(writer::run(writer, conn, members, bell.clone()));
        Ok(Self {
            dialect: Dialect::Sqlite,
            reader,
            writer: Writer::Queue(queue),
            bell,
            tasks,
            seat: Arc::default(),
            session: None,
        })
    }

    /// A Postgres database whose `search_path` is the domain's schema, with at most `pool` connections in all (one of them
    /// for [`Db::ids`]). Nothing is connected yet and nothing is changed: [`migrate_postgres`] does, and [`Db::pending`] tells
    /// whether it has to.
    ///
    /// # Errors
    /// [`Code::Database`] if the URL cannot be read.
    #[expect(clippy::unused_async, reason = "as Db::open_sqlite")]
    pub async fn open_postgres(url: &str, pool: u32, tasks: Tasks) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let options = postgres::options(url)?;
        Ok(Self {
            dialect: Dialect::Postgres,
            reader: postgres::pool(options.clone(), pool.saturating_sub(1).max(1)),
            writer: Writer::Pool,
            bell: Arc::new(watch::Sender::new(0)),
            tasks,
            seat: Arc::default(),
            session: Some(options),
        })
    }

    /// Ids for rows of this database, of a node number that no other process of it has.
    ///
    /// On Postgres a session of its own claims the number, now and whenever it was lost ([`Db::seated`] waits for it), and
    /// until then [`Db::write`] refuses. A SQLite file is one process's: number 0.
    #[must_use]
    pub fn ids(&self, clock: Clock) -> Ids {
        match &self.session {
            None => Ids::new(clock, 0),
            Some(options) => self
                .seat
                .take(clock, options.clone(), |keeper| self.tasks.detach(keeper)),
        }
    }

    /// Waits until this process has its node number, where [`Db::ids`] has asked for one.
    pub async fn seated(&self) {
        // The sender lives in `self`.
        let _ = self.seat.share().wait_for(Option::is_some).await;
    }

    /// The nodes whose outbox rows this process delivers: its own, and if it leads those of nobody.
    #[must_use]
    pub fn share(&self) -> watch::Receiver<Share> {
        self.seat.share()
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Builds a statement for [`Db::read`].
    #[must_use]
    pub fn builder(&self, sql: impl Into<String>) -> QueryBuilder {
        QueryBuilder::new(self.dialect, sql)
    }

    /// Where reads go. A read sees everything that was answered before it began.
    #[must_use]
    pub fn read(&self) -> &AnyPool {
        &self.reader
    }

    /// Runs `work` in a transaction: committed (durably) when it returns `Ok`, undone when it returns `Err` or panics.
    ///
    /// A caller that stops waiting changes nothing: the transaction goes on. No network call belongs into `work`.
    ///
    /// # Errors
    /// What `work` returned; [`Code::Unavailable`] if the transaction could not be begun; [`Code::Database`] if it could
    /// not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        if !self.seat.may_write() {
            return Err(Error::unavailable("this process has no node number"));
        }
        let (member, answer) = writer::member(work);
        match &self.writer {
            Writer::Queue(queue) => {
                queue
                    .try_send(member)
                    .map_err(|_| Error::new(Code::Unavailable))?;
            }
            Writer::Pool => {
                let (pool, bell) = (self.reader.clone(), self.bell.clone());
                self.tasks
                    .detach(async move { writer::run_alone(&pool, member, &bell).await });
            }
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the database writer has stopped")))
    }

    /// Changes whenever a transaction that called [`Tx::ring`] is committed.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Whether the database answers, for readiness.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::Database`] if not.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }
}
