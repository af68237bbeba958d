//! Random walks of an order's money: refunds that are refused and sent again, parts given back by hand, settlements, and an
//! operator who tries everything. The books agree after each step.

use homestay_error::Code;
use homestay_proto::payment as pb;
use sqlx::Row;

use super::books::assert_books;
use super::shaky::Fault;
use super::support::{World, code, says};
use crate::sandbox::Notification;

const SEEDS: u64 = 24;
const STEPS: usize = 24;
const CAPTURED: i64 = 100;
/// Few, so that they meet.
const AMOUNTS: [i64; 5] = [10, 20, 30, 50, 60];

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// What the provider has given back of the payment.
async fn back_at_provider(world: &World, sn: &str) -> i64 {
    sqlx::query("SELECT refunded_cents FROM sandbox_charge WHERE payment_sn = $1")
        .bind(sn.to_owned())
        .fetch_one(world.db.db.read())
        .await
        .unwrap()
        .get(0)
}

/// Somebody gives money back at the provider, if it has so much.
async fn by_hand(world: &World, payment: &pb::PaymentView, number: usize, cents: i64) {
    let sn = payment.sn.clone();
    let done = world
        .db
        .db
        .write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE sandbox_charge SET refunded_cents = refunded_cents + $1, \
                     state = CASE WHEN refunded_cents + $1 = amount_cents THEN 'refunded' ELSE state END \
                     WHERE payment_sn = $2 AND refunded_cents + $1 <= amount_cents",
                )
                .bind(cents)
                .bind(sn)
                .execute(&mut **tx)
                .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
        .unwrap();
    if !done {
        return;
    }
    let told = Notification {
        event_id: format!("event-{number}"),
        refund_sn: format!("dashboard-{number}"),
        total_cents: cents,
        ..says("refunded", payment)
    };
    for _ in 0..2 {
        assert_eq!(world.call_back(&told).await.0, 200);
    }
}

fn only<T>(answer: Result<T, tonic::Status>, refusals: &[Code]) {
    if let Err(refused) = answer {
        let code = code(refused);
        assert!(refusals.contains(&code), "{code:?}");
    }
}

async fn step(world: &World, payment: &pb::PaymentView, dice: &mut Dice, nth: usize) {
    let (cents, key) = (dice.one_of(&AMOUNTS), format!("step:{nth}"));
    let exceeds = [Code::RefundExceeds];
    let kept = [Code::PaymentState];
    match dice.roll(7) {
        0 => only(world.refund_part(&payment.sn, cents, &key).await, &exceeds),
        1 => only(world.settle(&payment.order_sn, cents, &key).await, &kept),
        2 => {
            let (back, settled) = tokio::join!(
                world.refund_part(&payment.sn, cents, &key),
                world.settle(&payment.order_sn, cents, &key)
            );
            only(back, &exceeds);
            only(settled, &kept);
        }
        3 => by_hand(world, payment, nth, cents).await,
        4 | 5 => {
            let faults = [
                None,
                Some(Fault::Refused),
                Some(Fault::Refused),
                Some(Fault::Slow),
                Some(Fault::Down),
                Some(Fault::AnswerLost),
            ];
            if let Some(fault) = dice.one_of(&faults) {
                world.fail("refund", fault);
            }
            world.run_jobs().await;
            world.heal();
        }
        _ => {
            let cases = world.cases().await;
            if cases.is_empty() {
                return;
            }
            let case = &cases[dice.roll(cases.len())];
            let action = dice.one_of(&["retry_refund", "refund", "none"]);
            let refusals = [Code::RefundExceeds, Code::PaymentState, Code::InvalidArgument];
            only(world.resolve(case.id, action).await, &refusals);
        }
    }
}

#[tokio::test]
async fn an_orders_money_agrees_after_every_step_of_a_random_walk() {
    for seed in 0..SEEDS {
        let world = World::start().await;
        let payment = world.captured(CAPTURED).await;
        let mut dice = Dice(seed);
        for nth in 0..STEPS {
            step(&world, &payment, &mut dice, nth).await;
            assert_books(&world).await;
        }
        // All that is under way comes to its end.
        for _ in 0..3 {
            world.run_jobs().await;
            world.clock.advance(std::time::Duration::from_secs(61));
            world.sweep().await;
        }
        assert_books(&world).await;
        assert_all_is_known(&world, &payment, seed).await;
    }
}

/// What is back at the provider is back with us, or a person has been told of the rest.
async fn assert_all_is_known(world: &World, payment: &pb::PaymentView, seed: u64) {
    let ours = world.get(&payment.sn).await.refunded_cents;
    let theirs = back_at_provider(world, &payment.sn).await;
    assert!(ours <= theirs, "seed {seed}: {ours} of {theirs}");
    let told: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(amount_cents), 0) AS BIGINT) FROM pay_case WHERE kind = 'provider_refund' \
         AND (refund_sn = '' OR ref LIKE '%:twice')",
    )
    .fetch_one(world.db.db.read())
    .await
    .unwrap();
    assert_eq!(theirs - ours, told, "seed {seed}");
}
