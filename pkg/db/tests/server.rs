//! What a database does when its server fails it, and what several processes of it share. On Postgres, if there is one.

use std::time::{Duration, Instant};

use homestay_clock::Clock;
use homestay_db::{Db, Migrations, Tx, migrate_postgres, provision};
use homestay_error::{Code, Result};
use homestay_service::Tasks;
use homestay_testkit::{TestDb, postgres};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

const SCHEMA: Migrations = &[(
    1,
    "t",
    "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v TEXT NOT NULL)",
)];

async fn admin(url: &str, sql: String) -> std::result::Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut conn = AnyConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    conn.close().await
}

/// Ends all sessions of the test's schema, as a restart of the server does.
async fn kill_sessions(test_db: &TestDb) {
    let url = test_db.postgres_url().unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    admin(url, kill.to_owned()).await.unwrap();
}

async fn slow_read(db: &Db) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM t, pg_sleep(0.05)")
            .fetch_one(db.read())
            .await?,
    )
}

async fn reads(db: &Db, n: usize) -> Vec<Result<i64>> {
    futures::future::join_all((0..n).map(|_| slow_read(db))).await
}

async fn insert(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("INSERT INTO t (id, v) VALUES ($1, '')")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn write(db: &Db, id: i64) -> Result<()> {
    db.write(move |tx| Box::pin(async move { insert(tx, id).await }))
        .await
}

async fn write_one(db: &Db, id: i64) -> Result<()> {
    db.write_one(move |tx| Box::pin(async move { insert(tx, id).await }))
        .await
}

#[tokio::test]
async fn dead_connections_cost_a_read_and_a_transaction_nothing_and_one_statement_one_failure() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    let db = &test_db.db;
    assert!(reads(db, 6).await.iter().all(Result::is_ok));

    kill_sessions(&test_db).await;
    assert!(reads(db, 6).await.iter().all(Result::is_ok));

    kill_sessions(&test_db).await;
    write(db, 1).await.unwrap();

    assert!(reads(db, 6).await.iter().all(Result::is_ok));
    kill_sessions(&test_db).await;
    // Nobody knows what became of it, so that it is not repeated; it tells of all the others, though.
    assert_eq!(write_one(db, 2).await.unwrap_err().code(), Code::Unavailable);
    for id in 3..10 {
        write_one(db, id).await.unwrap();
    }
    assert_eq!(slow_read(db).await.unwrap(), 8);
}

#[tokio::test]
async fn a_transaction_whose_connection_dies_fails_as_one_that_may_be_tried_again() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    let (kill, name) = (test_db.postgres_url().unwrap().to_owned(), "x");
    let cut = test_db.db.write(move |tx| {
        Box::pin(async move {
            insert(tx, 1).await?;
            let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(&mut **tx)
                .await?;
            admin(&kill, format!("SELECT pg_terminate_backend({pid}) AS {name}"))
                .await
                .unwrap();
            insert(tx, 2).await
        })
    });

    assert_eq!(cut.await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(slow_read(&test_db.db).await.unwrap(), 0);
    write(&test_db.db, 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_in_time_and_no_reason_not_to_start() {
    let url = "postgres://homestay_order@127.0.0.1:1/none";
    let db = Db::open_postgres(url, 3, Tasks::new()).await.unwrap();
    let begun = Instant::now();

    let (read, write) = tokio::join!(db.ping(), write(&db, 1));

    assert_eq!(read.unwrap_err().code(), Code::Unavailable);
    assert_eq!(write.unwrap_err().code(), Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn sessions_are_set_up_through_a_url_that_has_parameters_of_its_own() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    let set: String = sqlx::query_scalar(
        "SELECT string_agg(current_setting(n), ' ' ORDER BY i) FROM \
         unnest(ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'plan_cache_mode']) \
         WITH ORDINALITY s(n, i)",
    )
    .fetch_one(test_db.db.read())
    .await
    .unwrap();
    assert_eq!(set, "5s 2s 10s force_generic_plan");
}

#[tokio::test]
async fn a_relaxed_statement_does_not_wait_for_the_disk_and_the_next_one_does() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    // One connection besides the one for a session.
    let db = Db::open_postgres(test_db.postgres_url().unwrap(), 2, Tasks::new())
        .await
        .unwrap();
    write(&db, 1).await.unwrap();
    for (relaxed, want) in [(true, "off"), (false, "on"), (true, "off")] {
        db.write_one(move |tx| {
            Box::pin(async move {
                let mut update =
                    tx.builder("UPDATE t SET v = current_setting('synchronous_commit') WHERE id = 1");
                if relaxed {
                    update.push(tx.relaxed());
                }
                update.build().execute(&mut **tx).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
        let was: String = sqlx::query_scalar("SELECT v FROM t")
            .fetch_one(db.read())
            .await
            .unwrap();
        assert_eq!(was, want);
    }
}

fn node(id: i64) -> i64 {
    id / 128 % 64
}

/// Waits until the rows that two processes deliver are `want` together, and none is delivered by both.
async fn all_is_shared(dbs: &[&Db]) {
    let shared = async {
        loop {
            let shares: Vec<_> = dbs.iter().map(|db| *db.share().borrow()).collect();
            let one_each: u32 = shares.iter().flatten().map(|share| share.count_ones()).sum();
            let all = shares.iter().flatten().fold(0, |all, share| all | share);
            if shares.iter().all(Option::is_some) && all == -1 && one_each == 64 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_millis(2_500), shared)
        .await
        .expect("each node's rows are one process's");
}

#[tokio::test]
async fn processes_hold_different_numbers_and_share_all_rows_whoever_dies() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    let (first, second) = (test_db.reopen().await, test_db.reopen().await);
    let first_ids = first.ids(Clock::system());
    first.seated().await;
    let second_ids = second.ids(Clock::system());
    second.seated().await;
    assert_eq!((node(first_ids.id()), node(second_ids.id())), (0, 1));
    all_is_shared(&[&first, &second]).await;
    assert_eq!(*second.share().borrow(), Some(0b10));
    write(&second, second_ids.id()).await.unwrap();

    // The leader goes.
    drop(first);
    all_is_shared(&[&second]).await;

    // Both lose their sessions, as when the server restarts, and whoever is first takes what the other had.
    let third = test_db.reopen().await;
    let third_ids = third.ids(Clock::system());
    all_is_shared(&[&second, &third]).await;
    kill_sessions(&test_db).await;
    let mut lost = third.share();
    tokio::time::timeout(Duration::from_secs(2), lost.changed())
        .await
        .unwrap()
        .unwrap();
    second.seated().await;
    third.seated().await;
    all_is_shared(&[&second, &third]).await;
    assert_ne!(node(second_ids.id()), node(third_ids.id()));
    write(&third, third_ids.id()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_before_there_is_a_number() {
    let url = "postgres://homestay_order@127.0.0.1:1/none";
    let db = Db::open_postgres(url, 3, Tasks::new()).await.unwrap();
    let ids = db.ids(Clock::system());
    let begun = Instant::now();
    assert!(!ids.is_claimed());
    assert_eq!(write(&db, 1).await.unwrap_err().code(), Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn the_clock_of_a_database_shows_the_server_s_time_whatever_the_machine_s_shows() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    let machine = Clock::system().steered();
    machine.steer(Clock::system().now_ms() - 3_600_000, Duration::ZERO);
    let db = test_db.reopen().await;
    let clock = db.clock(&machine);
    let ids = db.ids(clock.clone());

    db.seated().await;

    let before_ms = clock.now_ms();
    let server_ms: i64 =
        sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .fetch_one(db.read())
            .await
            .unwrap();
    let after_ms = clock.now_ms();
    assert!(
        (before_ms - 200..=after_ms + 200).contains(&server_ms),
        "{before_ms} {server_ms} {after_ms}"
    );
    assert!(ids.is_claimed());
    write(&db, ids.id()).await.unwrap();
}

#[tokio::test]
async fn who_gets_no_number_says_why_and_refuses_before_a_number_is_made() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    sqlx::any::install_default_drivers();
    let mut others = AnyConnection::connect(test_db.postgres_url().unwrap())
        .await
        .unwrap();
    sqlx::raw_sql(
        "SELECT count(pg_advisory_lock(hashtext('homestay node ' || current_schema()) & 2147483647, n)) \
         FROM generate_series(0, 63) n",
    )
    .execute(&mut others)
    .await
    .unwrap();
    let db = test_db.reopen().await;
    let ids = db.ids(Clock::system());

    assert!(
        tokio::time::timeout(Duration::from_secs(1), db.seated())
            .await
            .is_err()
    );

    assert!(db.unseated().contains("all 64 numbers"), "{}", db.unseated());
    assert_eq!(db.check_writable().unwrap_err().code(), Code::Unavailable);
    assert_eq!(db.ping().await.unwrap_err().code(), Code::Unavailable);

    others.close().await.unwrap();
    db.seated().await;
    assert_eq!(db.unseated(), "");
    db.check_writable().unwrap();
    db.ping().await.unwrap();
    write(&db, ids.id()).await.unwrap();
}

#[tokio::test]
async fn a_database_whose_connections_are_all_in_use_is_ready() {
    let Some(test_db) = postgres(SCHEMA).await else {
        return;
    };
    // One connection besides the session's.
    let db = Db::open_postgres(test_db.postgres_url().unwrap(), 2, Tasks::new())
        .await
        .unwrap();
    let ids = db.ids(Clock::system());
    db.seated().await;
    let long = db.write(|tx| {
        Box::pin(async move {
            sqlx::raw_sql("SELECT pg_sleep(4)").execute(&mut **tx).await?;
            Ok(())
        })
    });
    let looks = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            db.ping().await.unwrap();
        }
        assert!(slow_read(&db).await.is_err(), "nothing else gets a connection");
    };
    let (ended, ()) = tokio::join!(long, looks);
    ended.unwrap();
    drop(ids);
}

#[tokio::test]
async fn the_password_is_not_shown() {
    let url = "postgres://homestay_order:opensesame@127.0.0.1:1/none";
    let db = Db::open_postgres(url, 3, Tasks::new()).await.unwrap();
    assert!(!format!("{db:?}").contains("opensesame"), "{db:?}");
}

#[tokio::test]
async fn a_domain_s_role_has_its_own_schema_and_no_other() {
    let Some(test_db) = postgres(&[]).await else {
        return;
    };
    let url = test_db.postgres_url().unwrap();
    let admin_url = url.split('?').next().unwrap();
    // Names that no other run of this test has.
    let letters: String = url[url.len() - 8..]
        .bytes()
        .map(|b| char::from(b'a' + b % 26))
        .collect();
    let (one, two) = (format!("one{letters}"), format!("two{letters}"));

    let all = futures::future::join_all((0..6).map(|n| {
        let domain = if n % 2 == 0 { &one } else { &two };
        provision(admin_url, domain, "pä'a\"ss%41$1")
    }))
    .await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let host = admin_url.split_once('@').unwrap().1;
    let of = |domain: &str| format!("postgres://homestay_{domain}:p%C3%A4%27a%22ss%2541%241@{host}");
    for domain in [&one, &two] {
        migrate_postgres(&of(domain), SCHEMA).await.unwrap();
    }

    let db = Db::open_postgres(&of(&one), 2, Tasks::new()).await.unwrap();
    write(&db, 1).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_schema() || ' ' || current_setting('application_name')")
            .fetch_one(db.read())
            .await
            .unwrap();
    let other = sqlx::query(AssertSqlSafe(format!("SELECT id FROM homestay_{two}.t")))
        .execute(db.read())
        .await
        .unwrap_err();
    let gone = format!(
        "DROP SCHEMA homestay_{one}, homestay_{two} CASCADE; DROP OWNED BY homestay_{one}, homestay_{two}; \
         DROP ROLE homestay_{one}, homestay_{two}"
    );
    drop(db);
    admin(admin_url, gone).await.unwrap();

    assert_eq!(name, format!("homestay_{one} homestay-{one}"));
    assert_eq!(
        other.as_database_error().unwrap().code().as_deref(),
        Some("42501")
    );
    for bad in ["", "Order", "a;b", "a1"] {
        assert!(provision(admin_url, bad, "x").await.is_err());
    }
}
