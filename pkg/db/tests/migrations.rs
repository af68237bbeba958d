//! Migrations on real servers: what SQLite does at open, Postgres does when it is told to.

use std::time::{Duration, Instant};

use homestay_db::{Db, Migrations, await_postgres, migrate_postgres};
use homestay_error::Code;
use homestay_service::Tasks;

const FIRST: Migrations = &[(1, "town", "CREATE TABLE town (id BIGINT NOT NULL PRIMARY KEY)")];
const BOTH: Migrations = &[
    FIRST[0],
    (
        2,
        "road",
        "CREATE TABLE road (id BIGINT NOT NULL PRIMARY KEY); CREATE INDEX road_id ON road (id)",
    ),
];
const CHANGED: Migrations = &[(1, "town", "CREATE TABLE town (id BIGINT PRIMARY KEY)")];

const OTHERS: Migrations = &[CHANGED[0], BOTH[1]];

#[tokio::test]
async fn what_is_missing_is_named_until_it_is_applied() {
    homestay_testkit::on_both(FIRST, |db| async move {
        assert_eq!(db.pending(FIRST).await.unwrap(), [""; 0]);
        assert_eq!(db.pending(BOTH).await.unwrap(), ["2 road"]);
        assert_eq!(db.pending(CHANGED).await.unwrap_err().code(), Code::Database);
    })
    .await;
}

#[tokio::test]
async fn postgres_is_migrated_only_when_told_and_only_forward() {
    let Some(test_db) = homestay_testkit::postgres(&[]).await else {
        return;
    };
    let url = test_db.postgres_url().unwrap();
    let db = Db::open_postgres(url, 2, Tasks::new()).await.unwrap();
    assert_eq!(db.pending(BOTH).await.unwrap(), ["1 town", "2 road"]);

    migrate_postgres(url, FIRST).await.unwrap();
    // Several at once, as when three replicas start: each waits for its turn.
    let all = futures::future::join_all((0..3).map(|_| migrate_postgres(url, BOTH))).await;

    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(db.pending(BOTH).await.unwrap(), [""; 0]);
    let changed = migrate_postgres(url, OTHERS).await.unwrap_err();
    assert_eq!(changed.code(), Code::Database);
}

#[tokio::test]
async fn an_older_program_migrates_a_newer_schema_without_a_word() {
    let Some(test_db) = homestay_testkit::postgres(BOTH).await else {
        return;
    };

    migrate_postgres(test_db.postgres_url().unwrap(), FIRST)
        .await
        .unwrap();

    assert_eq!(test_db.db.pending(BOTH).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_starts_is_waited_for_and_a_refused_password_is_not() {
    let Some(test_db) = homestay_testkit::postgres(&[]).await else {
        return;
    };
    let url = test_db.postgres_url().unwrap();
    let proxy = homestay_testkit::Proxy::to(url).await;
    proxy.cut();
    let patience = Duration::from_secs(60);

    let mut told = 0;
    let waits = |error: &homestay_error::Error| {
        told += 1;
        assert_eq!(error.code(), Code::Unavailable);
        proxy.restore();
    };
    await_postgres(&proxy.url(url), patience, waits).await.unwrap();
    assert_eq!(told, 1);

    let begun = Instant::now();
    let wrong = url.replacen("@", "x@", 1);
    let refused = await_postgres(&wrong, patience, |_| panic!("nothing to wait for")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Database);
    assert!(begun.elapsed() < Duration::from_secs(10));

    let gone = await_postgres("postgres://x@127.0.0.1:1/x", Duration::ZERO, |_| {}).await;
    assert_eq!(gone.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let Some(test_db) = homestay_testkit::postgres(FIRST).await else {
        return;
    };
    const BROKEN: Migrations = &[
        FIRST[0],
        (
            2,
            "lane",
            "CREATE TABLE lane (id BIGINT); CREATE TABLE town (id BIGINT)",
        ),
    ];

    migrate_postgres(test_db.postgres_url().unwrap(), BROKEN)
        .await
        .unwrap_err();

    assert_eq!(test_db.db.pending(BROKEN).await.unwrap(), ["2 lane"]);
    let lanes: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'lane'",
    )
    .fetch_one(test_db.db.read())
    .await
    .unwrap();
    assert_eq!(lanes, 0);
}
