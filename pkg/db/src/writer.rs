//! The SQLite writer: one connection, many transactions a commit.
//!
//! What is queued when the connection is free becomes one group: `BEGIN IMMEDIATE`, each member between its own
//! `SAVEPOINT` and `RELEASE`, `COMMIT`. Members are answered only after that: a refused or failing one is undone alone. The
//! cost of a commit is its fsync (89 µs on the machine in ARCHITECTURE.md), shared by the group.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use homestay_error::{Code, Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Connection};
use tokio::sync::{mpsc, oneshot, watch};

use crate::pool::{Pool, is_broken};
use crate::reader::LIMIT;
use crate::{Commits, Conn, Tx};

/// Longest group. A group is what its slowest member waits for, so it must not grow without bound.
const GROUP: usize = 64;

/// One transaction on its way: run inside the group, answered after its commit.
pub(crate) trait Member: Send {
    /// Runs the work and keeps its result; whether it wants to be committed.
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool>;
    /// Tells the caller. `failed` replaces a success that could not be committed.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

struct Typed<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

pub(crate) fn member<T, F>(work: F) -> (Box<dyn Member>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (
        Box::new(Typed {
            work: Some(work),
            result: None,
            reply,
        }),
        answer,
    )
}

impl<T, F> Member for Typed<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return false;
            };
            // A panic in one member must not take the writer, and with it everybody else, down.
            let result = AssertUnwindSafe(async move { work(tx).await })
                .catch_unwind()
                .await;
            let result = result.unwrap_or_else(|_| Err(Error::internal("a transaction panicked")));
            let ok = result.is_ok();
            self.result = Some(result);
            ok
        })
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        let result = match (self.result, failed) {
            (Some(Err(refused)), _) => Err(refused),
            (_, Some(failed)) => Err(failed),
            (Some(ok), None) => ok,
            (None, None) => Err(Error::internal("a transaction was not run")),
        };
        // The caller may have gone away; the transaction counts all the same.
        let _ = self.reply.send(result);
    }
}

/// Runs groups until the last [`crate::Db`] is gone.
pub(crate) async fn run(
    pool: AnyPool,
    conn: PoolConnection<Any>,
    mut members: mpsc::Receiver<Box<dyn Member>>,
    bell: Arc<watch::Sender<u64>>,
    commits: Commits,
) {
    let mut tx = Tx::new(Conn::File(conn), false);
    let mut group = Vec::with_capacity(GROUP);
    while members.recv_many(&mut group, GROUP).await > 0 {
        tx.rung = false;
        let outcome = commit_group(&mut tx, &mut group).await;
        if outcome.is_ok() && tx.rung {
            bell.send_modify(|rings| *rings += 1);
        }
        if matches!(outcome, Ok(true)) {
            commits.count(false);
        }
        let broken = outcome.is_err();
        if let Err(cause) = &outcome {
            tracing::error!(error = %cause, members = group.len(), "a group of transactions could not be committed");
        }
        for member in group.drain(..) {
            member.answer(
                broken.then(|| Error::new(Code::Database).source("the transaction could not be committed")),
            );
        }
        if broken {
            // The connection's state is unknown: take a new one before the next group.
            if let Conn::File(conn) = tx.conn {
                drop(conn.close().await);
            }
            tx = loop {
                match pool.acquire().await {
                    Ok(conn) => break Tx::new(Conn::File(conn), false),
                    Err(cause) => tracing::error!(error = %cause, "the database file cannot be opened again"),
                }
            };
        }
    }
}

/// Runs a group; whether there was something to commit.
async fn commit_group(tx: &mut Tx, group: &mut [Box<dyn Member>]) -> Result<bool, sqlx::Error> {
    if let [member] = group {
        execute(tx, "BEGIN IMMEDIATE").await?;
        // Alone: the transaction itself is the savepoint.
        let keep = member.run(tx).await;
        tx.rung &= keep;
        execute(tx, if keep { "COMMIT" } else { "ROLLBACK" }).await?;
        return Ok(keep);
    }
    execute(tx, "BEGIN IMMEDIATE; SAVEPOINT member").await?;
    let mut changed = false;
    let last = group.len() - 1;
    for (nth, member) in group.iter_mut().enumerate() {
        let rung = tx.rung;
        let keep = member.run(tx).await;
        changed |= keep;
        if !keep {
            tx.rung = rung;
        }
        // The end of one member and the start of the next in one call: each costs a way to sqlx's thread and back.
        let next = match (keep, nth < last, changed) {
            (true, true, _) => "RELEASE member; SAVEPOINT member",
            (false, true, _) => "ROLLBACK TO member; RELEASE member; SAVEPOINT member",
            (true, false, _) => "RELEASE member; COMMIT",
            (false, false, true) => "ROLLBACK TO member; RELEASE member; COMMIT",
            (false, false, false) => "ROLLBACK",
        };
        execute(tx, next).await?;
    }
    Ok(changed)
}

async fn execute(tx: &mut Tx, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(&mut **tx).await.map(|_| ())
}

/// A transaction of its own on a connection of the pool (Postgres); with `one` a statement that commits by itself.
pub(crate) async fn run_alone(
    pool: &Arc<Pool>,
    mut member: Box<dyn Member>,
    one: bool,
    bell: &watch::Sender<u64>,
    commits: &Commits,
) {
    let outcome = async {
        let mut tx = begin(pool, one).await?;
        let Ok(keep) = tokio::time::timeout(LIMIT, member.run(&mut tx)).await else {
            pool.clear();
            return Err(sqlx::Error::PoolTimedOut);
        };
        let ended = match (one, keep) {
            (true, true) => Ok(()),
            // Whether the statement or the connection was at fault.
            (true, false) => tx.ping().await,
            (false, true) => execute(&mut tx, "COMMIT").await,
            (false, false) => execute(&mut tx, "ROLLBACK").await,
        };
        if ended.is_err() {
            pool.clear();
            return ended;
        }
        if keep {
            commits.count(tx.relaxed);
            if tx.rung {
                bell.send_modify(|rings| *rings += 1);
            }
        }
        if let Conn::Server(lease) = &mut tx.conn {
            lease.is_whole();
        }
        Ok(())
    }
    .await;
    member.answer(outcome.err().map(Error::from));
}

/// A connection with a transaction begun, if there is to be one. A stale connection shows itself here, where nothing is lost.
async fn begin(pool: &Arc<Pool>, one: bool) -> Result<Tx, sqlx::Error> {
    let mut repeated = false;
    loop {
        let mut tx = Tx::new(Conn::Server(pool.lease().await?), one);
        if one {
            return Ok(tx);
        }
        match execute(&mut tx, "BEGIN").await {
            Ok(()) => return Ok(tx),
            Err(error) if is_broken(&error) && !repeated => {
                pool.clear();
                repeated = true;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Db;
    use homestay_service::Tasks;

    async fn db() -> (tempfile::TempDir, Db) {
        let dir = tempfile::tempdir().unwrap();
        let schema: crate::Migrations = &[(1, "t", "CREATE TABLE t (id BIGINT PRIMARY KEY)")];
        let db = Db::open_sqlite(&dir.path().join("t.db"), schema, Tasks::new())
            .await
            .unwrap();
        (dir, db)
    }

    fn insert(id: i64) -> impl for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<i64>> + Send + 'static {
        move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO t (id) VALUES ($1)")
                    .bind(id)
                    .execute(&mut **tx)
                    .await?;
                Ok(id)
            })
        }
    }

    async fn ids(db: &Db) -> Vec<i64> {
        sqlx::query_scalar("SELECT id FROM t ORDER BY id")
            .fetch_all(db.read())
            .await
            .unwrap()
    }

    /// Blocks the writer until released, so that what follows is grouped.
    async fn hold(db: &Db) -> (oneshot::Sender<()>, impl Future<Output = ()>) {
        let (release, released) = oneshot::channel::<()>();
        let (began, begins) = oneshot::channel::<()>();
        let db = db.clone();
        let held = async move {
            db.write(move |_| {
                Box::pin(async move {
                    began.send(()).unwrap();
                    released.await.unwrap();
                    Ok(())
                })
            })
            .await
            .unwrap();
        };
        let mut held = Box::pin(held);
        tokio::select! { () = &mut held => panic!("ended early"), b = begins => b.unwrap() }
        (release, held)
    }

    #[tokio::test]
    async fn a_group_keeps_the_good_and_undoes_the_refused_the_failing_and_the_panicking() {
        let (_dir, db) = db().await;
        db.write(insert(7)).await.unwrap();
        let (release, held) = hold(&db).await;

        let refused = db.write(|tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO t (id) VALUES (100)")
                    .execute(&mut **tx)
                    .await?;
                Err::<(), _>(Error::new(Code::DatesTaken))
            })
        });
        let failing = db.write(insert(7)); // duplicate key
        let panicking = db.write(|_| {
            Box::pin(async move {
                if true {
                    panic!("boom")
                }
                Ok(())
            })
        });
        let all = async {
            tokio::join!(
                db.write(insert(1)),
                refused,
                failing,
                panicking,
                db.write(insert(2)),
                async {
                    release.send(()).unwrap();
                    held.await;
                }
            )
        };
        let (one, refused, failing, panicking, two, ()) = all.await;

        assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
        assert_eq!(refused.unwrap_err().code(), Code::DatesTaken);
        assert_eq!(failing.unwrap_err().code(), Code::Database);
        assert_eq!(panicking.unwrap_err().code(), Code::Internal);
        assert_eq!(ids(&db).await, [1, 2, 7]);
    }

    #[tokio::test]
    async fn a_caller_that_went_away_changes_nothing_for_the_others_nor_for_its_own_transaction() {
        let (_dir, db) = db().await;
        let (release, held) = hold(&db).await;
        {
            let mut gone = Box::pin(db.write(insert(1)));
            assert!(futures::poll!(&mut gone).is_pending());
        }
        let mut stays = Box::pin(db.write(insert(2)));
        assert!(futures::poll!(&mut stays).is_pending());
        release.send(()).unwrap();
        held.await;
        assert_eq!(stays.await.unwrap(), 2);
        assert_eq!(ids(&db).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_ring_is_heard_only_after_a_commit() {
        let (_dir, db) = db().await;
        let mut bell = db.bell();
        let refused: Result<()> = db
            .write(|tx| {
                tx.ring();
                Box::pin(async { Err(Error::new(Code::DatesTaken)) })
            })
            .await;
        assert!(refused.is_err());
        assert!(!bell.has_changed().unwrap());
        db.write(|tx| {
            tx.ring();
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
        bell.changed().await.unwrap();
    }
}
