//! Connections to a server, kept and lent.
//!
//! sqlx's own pool asks the server at every return whether the connection is still good, a round trip of each statement, and
//! cannot throw away what is idle. Here a connection goes back unasked when what was run on it has ended, is thrown away when
//! that is not known, and one that is found broken takes all idle ones with it: after a restart of the server they are all
//! stale, and must not cost a failure each.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use homestay_telemetry::metrics;
use prometheus::{IntGauge, IntGaugeVec};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long somebody waits for his turn at most, and then for a connection, if a new one is needed.
const WAIT_MS: u64 = 1_000;
/// How long a connection is used at most, and how long it is kept without use.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
const IDLE: Duration = Duration::from_secs(5 * 60);
/// Pauses between two tries to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

static CONNECTIONS: std::sync::LazyLock<IntGaugeVec> = std::sync::LazyLock::new(|| {
    metrics::gauge(
        "db_connections",
        "Connections to the database server: open, lent, and how many there may be. One more holds the node number.",
        &["domain", "state"],
    )
});

pub(crate) struct Pool {
    options: AnyConnectOptions,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    wait_ms: AtomicU64,
    open: IntGauge,
    lent: IntGauge,
}

/// Without how it is connected: that has the password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("open", &self.open.get())
            .field("lent", &self.lent.get())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Idle {
    conn: Open,
    since: Instant,
}

/// A connection, counted as long as it lives.
#[derive(Debug)]
struct Open {
    conn: AnyConnection,
    made: Instant,
    open: IntGauge,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Pool {
    pub(crate) fn new(options: AnyConnectOptions, most: u32, domain: &str) -> Self {
        let gauge = |state| CONNECTIONS.with_label_values(&[domain, state]);
        gauge("allowed").set(i64::from(most));
        Self {
            options,
            permits: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1))),
            idle: Mutex::default(),
            wait_ms: AtomicU64::new(WAIT_MS),
            open: gauge("open"),
            lent: gauge("lent"),
        }
    }

    /// From now on others wait this long.
    pub(crate) fn set_wait(&self, wait: Duration) {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(WAIT_MS);
        self.wait_ms.store(ms, Ordering::Relaxed);
    }

    /// A connection: the one that was used last, or a new one.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        let wait = Duration::from_millis(self.wait_ms.load(Ordering::Relaxed));
        let permit = timeout(wait, self.permits.clone().acquire_owned())
            .await
            .map_err(|_| Error::PoolTimedOut)?
            .map_err(|_| Error::PoolClosed)?;
        let conn = match self.take_idle() {
            Some(conn) => conn,
            None => timeout(wait, self.connect())
                .await
                .map_err(|_| Error::PoolTimedOut)??,
        };
        self.lent.inc();
        Ok(Lease {
            conn: Some(conn),
            whole: false,
            pool: self.clone(),
            _permit: permit,
        })
    }

    fn take_idle(&self) -> Option<Open> {
        let mut idle = self.idle();
        while let Some(Idle { conn, .. }) = idle.pop() {
            if conn.made.elapsed() < LIFETIME {
                return Some(conn);
            }
        }
        None
    }

    /// Connects, and tries again while the server starts or has no room. The caller ends that.
    async fn connect(&self) -> Result<Open, Error> {
        let mut pause = BACKOFF.0;
        loop {
            match self.options.connect().await {
                Ok(conn) => {
                    self.open.inc();
                    return Ok(Open {
                        conn,
                        made: Instant::now(),
                        open: self.open.clone(),
                    });
                }
                Err(Error::Io(_)) => {}
                Err(Error::Database(error)) if error.is_transient_in_connect_phase() => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    /// A connection was found broken: so are the idle ones, most likely.
    pub(crate) fn clear(&self) {
        let stale = std::mem::take(&mut *self.idle());
        drop(stale);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan. It goes back if it was said to be whole, else it is thrown away.
#[derive(Debug)]
pub(crate) struct Lease {
    conn: Option<Open>,
    whole: bool,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// What was run has ended, well or not: the connection can be used again.
    pub(crate) fn is_whole(&mut self) {
        self.whole = true;
    }
}

impl Deref for Lease {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.conn.as_ref().expect("taken only when dropped").conn
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn.as_mut().expect("taken only when dropped").conn
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.lent.dec();
        let Some(conn) = self.conn.take().filter(|_| self.whole) else {
            return;
        };
        let since = Instant::now();
        let mut idle = self.pool.idle();
        idle.push(Idle { conn, since });
        // The first is the one that was not needed for longest.
        if idle.first().is_some_and(|first| first.since.elapsed() > IDLE) {
            idle.remove(0);
        }
    }
}

/// Whether the connection is of no more use, or there is none.
pub(crate) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => false,
    }
}
