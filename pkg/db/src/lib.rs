//! SQLite and Postgres behind one face.
//!
//! SQL is written once for both: `i64`, text and blob columns, `$1` parameters, `RETURNING`, `ON CONFLICT`, `CAST` around
//! `SUM`, no boolean expression in a select list. Reads go to [`Db::read`]; every change goes through [`Db::write`], one
//! closure a transaction. SQLite has one writer connection that groups what is queued into one commit (see `writer`);
//! Postgres runs each closure in a transaction of its own.

mod builder;
mod migrate;
mod pool;
mod postgres;
mod provision;
mod reader;
mod scram;
mod seat;
mod snapshot;
mod wait;
mod writer;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;
use homestay_clock::{Clock, Ids};
use homestay_error::{Code, Error, Result};
use homestay_service::Tasks;
use homestay_telemetry::metrics;
use prometheus::{IntCounter, IntCounterVec};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions};
use tokio::sync::{mpsc, watch};

use pool::{Lease, Pool};
use seat::Seat;

pub use builder::{QueryBuilder, Separated};
pub use migrate::{Migrations, migrate_postgres};
pub use provision::provision;
pub use reader::Reader;
pub use seat::Share;
pub use snapshot::Snapshot;
pub use wait::await_postgres;

/// Which database answers. Only statements that exist in two forms ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file in the data folder.
    Sqlite,
    /// A server.
    Postgres,
}

/// One domain's database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    dialect: Dialect,
    source: Source,
    /// Statements that exist in a form for this database alone are run in the form that all understand.
    plain: bool,
    bell: Arc<watch::Sender<u64>>,
    tasks: Tasks,
    commits: Commits,
    seat: Arc<Seat>,
    /// How the seat's session is connected.
    session: Option<AnyConnectOptions>,
    writer: Option<mpsc::Sender<Box<dyn writer::Member>>>,
}

/// Without how it is connected: that has the password.
impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("dialect", &self.dialect)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Source {
    /// Readers of a file. Its only writing connection belongs to a task with a queue.
    File(AnyPool),
    /// A server: reads and transactions take a connection each.
    Server(Arc<Pool>),
}

static COMMITS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "db_commits_total",
        "Transactions committed; durable ones have waited for the disk.",
        &["domain", "durable"],
    )
});

/// Counts of what was committed.
#[derive(Debug, Clone)]
struct Commits {
    durable: IntCounter,
    relaxed: IntCounter,
    own: Arc<[AtomicU64; 2]>,
}

impl Commits {
    fn of(domain: &str) -> Self {
        Self {
            durable: COMMITS.with_label_values(&[domain, "yes"]),
            relaxed: COMMITS.with_label_values(&[domain, "no"]),
            own: Arc::default(),
        }
    }

    fn count(&self, relaxed: bool) {
        if relaxed { &self.relaxed } else { &self.durable }.inc();
        self.own[usize::from(relaxed)].fetch_add(1, Ordering::Relaxed);
    }
}

/// A transaction in hand: a connection to run statements on, as in `query.execute(&mut **tx)`.
#[derive(Debug)]
pub struct Tx {
    conn: Conn,
    rung: bool,
    relaxed: bool,
    one: bool,
    dialect: Dialect,
}

#[derive(Debug)]
enum Conn {
    File(PoolConnection<Any>),
    Server(Lease),
}

impl Tx {
    fn new(conn: Conn, one: bool) -> Self {
        let dialect = match conn {
            Conn::File(_) => Dialect::Sqlite,
            Conn::Server(_) => Dialect::Postgres,
        };
        Self {
            conn,
            rung: false,
            relaxed: false,
            one,
            dialect,
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether every statement here commits by itself, so that all changes have to be one: in [`Db::write_one`] on Postgres.
    #[must_use]
    pub fn is_one_statement(&self) -> bool {
        self.one
    }

    /// A term for the WHERE of an UPDATE or DELETE, that begins with AND: the commit need not wait for the disk. For what is
    /// found and done again if it was lost.
    ///
    /// It is here and not a SET, which would be another round trip. The server looks at it once, before the first row.
    pub fn relaxed(&mut self) -> &'static str {
        self.relaxed = true;
        match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'",
        }
    }

    /// Takes back what [`Tx::relaxed`] said: this transaction's commit waits for the disk after all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn durable(&mut self) -> Result<()> {
        self.relaxed = false;
        if self.dialect == Dialect::Postgres {
            sqlx::raw_sql("SET LOCAL synchronous_commit TO DEFAULT")
                .execute(&mut **self)
                .await?;
        }
        Ok(())
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
        match &self.conn {
            Conn::File(conn) => conn,
            Conn::Server(conn) => conn,
        }
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.conn {
            Conn::File(conn) => conn,
            Conn::Server(conn) => conn,
        }
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
        let domain = path.file_stem().and_then(|stem| stem.to_str());
        let commits = Commits::of(domain.unwrap_or("other"));
        tasks.detach(writer::run(writer, conn, members, bell.clone(), commits.clone()));
        Ok(Self {
            dialect: Dialect::Sqlite,
            source: Source::File(reader),
            plain: false,
            bell,
            tasks,
            commits,
            seat: Arc::default(),
            session: None,
            writer: Some(queue),
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
        let domain = postgres::domain(url);
        let pool = Pool::new(options.clone(), pool.saturating_sub(1).max(1), domain);
        Ok(Self {
            dialect: Dialect::Postgres,
            source: Source::Server(Arc::new(pool)),
            plain: false,
            bell: Arc::new(watch::Sender::new(0)),
            tasks,
            commits: Commits::of(domain),
            seat: Arc::default(),
            session: Some(options),
            writer: None,
        })
    }

    /// The same database, on which [`Db::write_one`] does nothing that [`Db::write`] does not: for tests of both forms.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The same database, for a connection to which one waits longer than the second that production allows: for tests on a
    /// machine that is busy with other things.
    #[must_use]
    pub fn patient(self, wait: Duration) -> Self {
        if let Source::Server(pool) = &self.source {
            pool.set_wait(wait);
        }
        self
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
                .take(&clock, options.clone(), |keeper| self.tasks.detach(keeper)),
        }
    }

    /// `base`, corrected to the clock of the server: by this clock all processes of the database judge what is due. It is
    /// right once there are [`Db::ids`] made with it and [`Db::seated`] has waited for them. A SQLite file has the machine's.
    #[must_use]
    pub fn clock(&self, base: &Clock) -> Clock {
        match &self.session {
            None => base.clone(),
            Some(_) => self.seat.clock(base),
        }
    }

    /// Refuses where [`Db::write`] would for want of a node number: to be asked before a number is made that leaves the
    /// process ahead of the write.
    ///
    /// # Errors
    /// [`Code::Unavailable`].
    pub fn check_writable(&self) -> Result<()> {
        if self.seat.may_write() {
            Ok(())
        } else {
            Err(Error::unavailable("this process has no node number"))
        }
    }

    /// Why [`Db::seated`] still waits, for an operator; empty if it does not, or has only begun.
    #[must_use]
    pub fn unseated(&self) -> String {
        self.seat.lost()
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
    pub fn read(&self) -> Reader<'_> {
        Reader(self)
    }

    /// Runs `work` in a transaction: committed (durably) when it returns `Ok`, undone when it returns `Err` or panics.
    ///
    /// A caller that stops waiting changes nothing: the transaction goes on. No network call belongs into `work`.
    ///
    /// # Errors
    /// What `work` returned; [`Code::Unavailable`] if the transaction could not be begun, or nobody knows whether it was
    /// committed; [`Code::Database`] if it could not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run(work, false).await
    }

    /// As [`Db::write`], for work that changes something in one statement only: on Postgres that commits by itself, which
    /// saves two round trips.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_one<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run(work, !self.plain).await
    }

    async fn run<T, F>(&self, work: F, one: bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.check_writable()?;
        let (member, answer) = writer::member(work);
        match (&self.writer, &self.source) {
            (Some(queue), _) => {
                queue
                    .try_send(member)
                    .map_err(|_| Error::new(Code::Unavailable))?;
            }
            (None, Source::Server(pool)) => {
                let (pool, bell, commits) = (pool.clone(), self.bell.clone(), self.commits.clone());
                self.tasks
                    .detach(async move { writer::run_alone(&pool, member, one, &bell, &commits).await });
            }
            (None, Source::File(_)) => return Err(Error::internal("a file without its writer")),
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the database writer has stopped")))
    }

    /// Commits so far: those that waited for the disk, and those that did not.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        let [durable, relaxed] = &*self.commits.own;
        (durable.load(Ordering::Relaxed), relaxed.load(Ordering::Relaxed))
    }

    /// Changes whenever a transaction that called [`Tx::ring`] is committed.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Whether the database answers, for readiness: where [`Db::ids`] keeps a session, by what that has proved lately, so that
    /// connections that are all in use do not look like a server that is gone.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::Database`] if not.
    pub async fn ping(&self) -> Result<()> {
        if let Some(proved) = self.seat.proved() {
            return proved.map_err(Error::unavailable);
        }
        sqlx::query("SELECT 1").execute(self.read()).await?;
        Ok(())
    }
}
