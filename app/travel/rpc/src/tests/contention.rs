//! Many who want the same nights, and a check that does not ask the key: two holds that live must not overlap in a unit.

use futures::StreamExt;
use futures::stream;
use homestay_error::{Code, Error};
use homestay_proto::travel as pb;
use sqlx::Row;

use super::world::{World, ask, house, seed};

/// What the check of the great proofs (`tests/flows/nights.rs`) finds here.
async fn overlaps(world: &World) -> usize {
    let sql = homestay_testkit::SOLD_TWICE.replace("{travel}.", "");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(world.db().read())
        .await
        .unwrap()
        .len()
}

/// Without the deadline of a call: a busy machine is not what this is about. Tells the unit.
pub(super) async fn hold(world: &World, request: pb::HoldRequest) -> Result<i64, Error> {
    let held = crate::hold::hold(world.db(), &world.clock, crate::grpc::ask(request)?).await?;
    Ok(held.unit)
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % below
    }
}

#[tokio::test]
async fn of_64_who_want_one_identical_range_one_gets_it_in_every_round() {
    let world = World::with(vec![seed(house(1))]).await;
    for round in 0..10i64 {
        let asks = (0..64i64).map(|client| hold(&world, ask(round * 64 + client, round * 3, 3)));
        let outcomes = futures::future::join_all(asks).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "round {round}");
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), Code::DatesTaken, "{}", refused.chain());
        }
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 30);
    assert_eq!(overlaps(&world).await, 0);
}

#[tokio::test]
async fn random_ranges_over_fifty_units_never_overlap() {
    let buffer = |buffer_days| pb::SeedHouse {
        rules: Some(pb::HouseRules {
            buffer_days,
            ..pb::HouseRules::default()
        }),
        ..seed(pb::House {
            units: 50,
            ..house(1)
        })
    };
    for buffer_days in [0, 1] {
        let world = World::with(vec![buffer(buffer_days)]).await;
        let mut dice = Dice(7);
        let asks: Vec<pb::HoldRequest> = (0..1500)
            .map(|n| {
                let nights = 1 + dice.roll(5);
                ask(n, dice.roll(30 - nights + 1), nights)
            })
            .collect();
        let outcomes: Vec<Result<i64, Error>> = stream::iter(asks)
            .map(|request| hold(&world, request))
            .buffer_unordered(64)
            .collect()
            .await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(won > 200, "{won}");
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), Code::DatesTaken, "{}", refused.chain());
        }
        assert_eq!(overlaps(&world).await, 0);
        let held = world
            .count(
                "SELECT CAST(SUM(check_out + buffer_days - check_in) AS BIGINT) FROM hold WHERE state = 'held'",
            )
            .await;
        assert_eq!(world.count("SELECT COUNT(*) FROM night").await, held);
    }
}

/// The same check over a database without key and guard: units chosen by looking, nights written without asking. Postgres
/// only: where there is one writer, looking is enough.
#[tokio::test]
async fn without_key_and_guard_the_check_finds_overlaps() {
    let world = World::with(vec![seed(house(1))]).await;
    if world.test_db.postgres_url().is_none() {
        return;
    }
    let db = world.db();
    db.write(|tx| {
        Box::pin(async move {
            sqlx::query("ALTER TABLE night DROP CONSTRAINT night_pkey")
                .execute(&mut **tx)
                .await?;
            Ok(())
        })
    })
    .await
    .unwrap();
    for round in 0..40i64 {
        let asks = (0..64i64).map(|client| unguarded(&world, round * 64 + client, 20_800 + round * 3));
        futures::future::join_all(asks).await;
        if overlaps(&world).await > 0 {
            break;
        }
    }
    let found = overlaps(&world).await;
    assert!(found > 0, "the check is blind");
    println!("without key and guard the check finds {found} overlaps");
}

/// As a booking would be made without the key: look, then write.
async fn unguarded(world: &World, n: i64, day: i64) {
    world
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let gone = sqlx::query("SELECT COUNT(*) FROM night WHERE house_id = 1 AND day >= $1 AND day < $1 + 3")
                    .bind(day)
                    .fetch_one(&mut **tx)
                    .await?;
                if gone.try_get::<i64, _>(0)? > 0 {
                    return Ok(());
                }
                let sn = super::world::sn(n);
                sqlx::query(
                    "INSERT INTO hold (hold_key, fingerprint, order_sn, attempt, house_id, shop_id, check_in, check_out, \
                     starts_at_ms, unit, meals, state, snapshot, quote, created_at_ms) \
                     VALUES ($1, '', $1, 1, 1, 1, $2, $2 + 3, 0, 1, 0, 'held', '', '', 0)",
                )
                .bind(sn.clone())
                .bind(day)
                .execute(&mut **tx)
                .await?;
                sqlx::query(
                    "INSERT INTO night (house_id, day, unit, order_sn, attempt) \
                     SELECT 1, d.day, 1, $1, 1 FROM generate_series($2, $2 + 2) d(day)",
                )
                .bind(sn)
                .bind(day)
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}
