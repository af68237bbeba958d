//! What one process of several holds in a Postgres database: a number for its ids, and perhaps the lead.
//!
//! Both are advisory locks of one session that does nothing else, for each schema: 64 node numbers, of which a process holds
//! one, and one for the lead. Every half second the session is used: that proves the locks, and tells the leader which numbers
//! are held, and all the database's time. A process that dies loses its session, and with it the locks, at once.
//!
//! Outbox rows bear their writer's number in their ids. A process delivers the rows of its own number, which it hears of at
//! once, and the leader also those whose number nobody holds. So each row is at any time the business of one process, none
//! waits for another process to look, and nobody has to poll for speed.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use homestay_clock::{Clock, Ids};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Row};
use tokio::sync::watch;

/// How often the session proves its locks, and the lead is asked for.
const BEAT: Duration = Duration::from_millis(500);
/// Longest wait for the server, before the session counts as lost.
const ANSWER: Duration = Duration::from_secs(1);
/// Longest wait for a session.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause before the next try to get a session.
const AGAIN: Duration = Duration::from_millis(200);
/// After the last proof the database counts as gone: a beat, its answer, and what a busy machine adds.
const PROVED: Duration = Duration::from_secs(2);

/// Bit n: the rows of node n are this process's business. `None` while it has no seat.
pub type Share = Option<i64>;

/// All rows: who does not ask for a seat is alone.
pub(crate) const ALL: Share = Some(-1);

/// A number, of the schema and by its purpose, that advisory locks are known by.
macro_rules! lock {
    ($purpose:literal) => {
        concat!(
            "(hashtext('homestay ",
            $purpose,
            " ' || current_schema()) & 2147483647)"
        )
    };
}

#[derive(Debug)]
pub(crate) struct Seat {
    ids: OnceLock<Ids>,
    clock: OnceLock<Clock>,
    state: Mutex<State>,
    share: watch::Sender<Share>,
}

#[derive(Debug, Default)]
struct State {
    /// When the session was last known to be there.
    proved: Option<Instant>,
    /// Why there is none.
    lost: String,
}

impl Default for Seat {
    fn default() -> Self {
        Self {
            ids: OnceLock::new(),
            clock: OnceLock::new(),
            state: Mutex::default(),
            share: watch::Sender::new(ALL),
        }
    }
}

impl Seat {
    /// Ids whose number a new task claims and keeps as long as this seat is used.
    pub(crate) fn take(
        self: &Arc<Self>,
        clock: &Clock,
        options: AnyConnectOptions,
        start: impl FnOnce(futures::future::BoxFuture<'static, ()>),
    ) -> Ids {
        let mut first = false;
        let ids = self.ids.get_or_init(|| {
            first = true;
            Ids::unclaimed(clock.clone())
        });
        if first {
            self.share.send_replace(None);
            let keeper = Keeper {
                seat: Arc::downgrade(self),
                ids: ids.clone(),
                clock: clock.clone(),
                options,
            };
            start(Box::pin(keeper.run()));
        }
        ids.clone()
    }

    /// The clock that follows the database's as long as the session is there.
    pub(crate) fn clock(&self, base: &Clock) -> Clock {
        self.clock.get_or_init(|| base.steered()).clone()
    }

    /// Where there is to be a session: whether it proved lately that the database answers, or why not.
    pub(crate) fn proved(&self) -> Option<Result<(), String>> {
        self.ids.get()?;
        let state = self.state();
        Some(match state.proved {
            Some(at) if at.elapsed() < PROVED => Ok(()),
            _ => Err(state.lost.clone()),
        })
    }

    /// Why there is no session; empty if there is, or if nobody knows yet.
    pub(crate) fn lost(&self) -> String {
        self.state().lost.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn share(&self) -> watch::Receiver<Share> {
        self.share.subscribe()
    }

    /// Whether what is written now bears ids that are nobody else's.
    pub(crate) fn may_write(&self) -> bool {
        self.ids.get().is_none_or(Ids::is_claimed)
    }
}

struct Keeper {
    seat: Weak<Seat>,
    ids: Ids,
    clock: Clock,
    options: AnyConnectOptions,
}

impl Keeper {
    async fn run(self) {
        let mut before = None;
        let mut told = false;
        while self.seat.strong_count() > 0 {
            let lost = match self.hold(&mut before, &mut told).await {
                Ok(()) => return,
                Err(lost) => lost,
            };
            if let Some(seat) = self.seat.upgrade() {
                seat.state().lost = lost.to_string();
            }
            self.publish(None);
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(error = %lost, "no session of the database holds this process's number: its relays wait");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Claims a number and keeps it until the session is lost; well when nobody needs it any more.
    async fn hold(&self, before: &mut Option<i32>, told: &mut bool) -> Result<(), sqlx::Error> {
        let mut conn = tokio::time::timeout(CONNECT, self.options.connect())
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let (node, database_ms) = self.timed(claim(&mut conn, *before)).await?;
        *before = Some(node);
        let number = u8::try_from(node).unwrap_or_default();
        self.ids.claim(number, database_ms);
        // What may be made up to the first proof grows with the time since the claim.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut leads = false;
        loop {
            let asked = Instant::now();
            let mut share = 1_i64 << node;
            if !leads {
                (leads, _) = self.timed(lead(&mut conn)).await?;
            }
            if leads {
                share |= !self.timed(held(&mut conn)).await?.0;
            }
            // By the clock as it was set just now.
            let passed_ms = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
            self.ids.confirm(self.clock.now_ms() - passed_ms);
            self.proved(asked);
            self.publish(Some(share));
            if std::mem::take(told) {
                tracing::info!(
                    node,
                    leads,
                    "a session of the database holds this process's number again"
                );
            }
            tokio::time::sleep(BEAT).await;
            if self.seat.strong_count() == 0 {
                return conn.close().await;
            }
        }
    }

    /// Asks for something and for the database's time, by which the clock is set.
    async fn timed<T>(
        &self,
        asked: impl Future<Output = Result<(T, i64), sqlx::Error>>,
    ) -> Result<(T, i64), sqlx::Error> {
        let began = Instant::now();
        let (answer, database_ms) = answer(asked).await?;
        self.clock.steer(database_ms, began.elapsed());
        Ok((answer, database_ms))
    }

    fn proved(&self, at: Instant) {
        if let Some(seat) = self.seat.upgrade() {
            let mut state = seat.state();
            state.proved = Some(at);
            state.lost.clear();
        }
    }

    fn publish(&self, share: Share) {
        if let Some(seat) = self.seat.upgrade() {
            seat.share.send_if_modified(|old| {
                let new = *old != share;
                *old = share;
                new
            });
        }
    }
}

async fn answer<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER, asked)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Takes a free number, the one held before if possible, and tells the time by the database's clock.
async fn claim(conn: &mut AnyConnection, before: Option<i32>) -> Result<(i32, i64), sqlx::Error> {
    let (first, last) = before.map_or((0, 63), |node| (node, node));
    for (first, last) in [(first, last), (0, 63)] {
        // Asked row by row, and no further than the first that is had.
        let row = sqlx::query(concat!(
            "SELECT n, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) \
             FROM generate_series(CAST($1 AS INTEGER), CAST($2 AS INTEGER)) n WHERE pg_try_advisory_lock(",
            lock!("node"),
            ", n) LIMIT 1"
        ))
        .bind(first)
        .bind(last)
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(row) = row {
            return Ok((row.try_get(0)?, row.try_get(1)?));
        }
    }
    Err(sqlx::Error::Configuration(
        "all 64 numbers of the schema are taken".into(),
    ))
}

/// Takes the lead if nobody has it; with the database's time, as [`claim`] and [`held`].
async fn lead(conn: &mut AnyConnection) -> Result<(bool, i64), sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT pg_try_advisory_lock(",
        lock!("lead"),
        ", 0), CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    ))
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Bit n: somebody holds number n.
async fn held(conn: &mut AnyConnection) -> Result<(i64, i64), sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT COALESCE(bit_or(CAST(1 AS BIGINT) << CAST(objid AS INTEGER)), 0), \
         CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) FROM pg_locks \
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS BIGINT) = ",
        lock!("node"),
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ))
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
