//! Money over another amount, or currency, than was asked for.

use std::time::Duration;

use homestay_error::Code;
use homestay_proto::payment as pb;

use super::books::{assert_books, balances};
use super::support::{World, code, says};
use crate::sandbox::Notification;

/// A payment that was paid at the provider, whose books hold another amount.
async fn paid(world: &World, asked: i64, taken: i64) -> pb::PaymentView {
    let order = world.order(asked);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay").await.unwrap();
    world
        .db
        .db
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE sandbox_charge SET amount_cents = $1")
                    .bind(taken)
                    .execute(&mut **tx)
                    .await?;
                // The callback that told of it is lost.
                sqlx::query("DELETE FROM outbox WHERE lane = 'job'")
                    .execute(&mut **tx)
                    .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    payment
}

async fn assert_disputed(world: &World, sn: &str, cents: i64) {
    let got = world.get(sn).await;
    assert_eq!((got.state.as_str(), got.amount_cents), ("disputed", cents));
    assert_eq!(world.open_cases().await, ["wrong_amount"]);
    assert_books(world).await;
}

#[tokio::test]
async fn money_over_another_amount_ends_the_payment_and_a_person_gives_it_back() {
    for taken in [25_000, 30_000] {
        let world = World::with_rates(60, 0).await;
        let payment = paid(&world, 25_600, taken).await;
        for _ in 0..2 {
            let closed = world.close(&payment.order_sn).await.unwrap();
            assert_eq!(closed[0].state, "disputed");
        }
        assert_disputed(&world, &payment.sn, taken).await;
        assert_eq!(
            balances(&world.db.db).await,
            [
                ("guest_funds".to_owned(), taken),
                ("provider:sandbox".to_owned(), -taken)
            ]
        );
        // It waits for a person alone.
        world.clock.advance(Duration::from_secs(7_200));
        assert_eq!(world.sweep().await, 0);
        assert_eq!(world.statuses().await, [-1]);

        world.resolve_first("refund").await.unwrap();
        assert_eq!(world.run_jobs().await, []);
        let got = world.get(&payment.sn).await;
        assert_eq!((got.state.as_str(), got.refunded_cents), ("disputed", taken));
        assert_eq!(balances(&world.db.db).await, []);
        assert_eq!(world.open_cases().await, [] as [&str; 0]);
        assert_books(&world).await;
    }
}

#[tokio::test]
async fn a_callback_over_another_amount_is_taken_once_the_providers_books_say_so_too() {
    let world = World::start().await;
    let payment = paid(&world, 25_600, 25_000).await;
    let told = Notification {
        total_cents: 25_000,
        ..says("captured", &payment)
    };
    for _ in 0..3 {
        assert_eq!(world.call_back(&told).await.0, 200);
    }
    assert_disputed(&world, &payment.sn, 25_000).await;
    assert_eq!(world.statuses().await, [-1]);
}

#[tokio::test]
async fn a_refund_by_hand_of_money_over_another_amount_is_recorded_once() {
    let world = World::start().await;
    let payment = paid(&world, 25_600, 25_000).await;
    let told = Notification {
        total_cents: 25_000,
        refund_sn: "dashboard-1".to_owned(),
        ..says("refunded", &payment)
    };
    for _ in 0..3 {
        assert_eq!(world.call_back(&told).await.0, 200);
    }
    assert_disputed(&world, &payment.sn, 25_000).await;
    assert_eq!(world.get(&payment.sn).await.refunded_cents, 25_000);
    assert_eq!(balances(&world.db.db).await, []);
    // All is back: there is nothing to send again.
    let refused = world.resolve_first("refund").await.unwrap_err();
    assert_eq!(code(refused), Code::RefundExceeds);
}

#[tokio::test]
async fn an_order_whose_payment_is_disputed_may_be_paid_anew_and_none_of_that_money_is_passed_on() {
    let world = World::start().await;
    let old = paid(&world, 25_600, 25_000).await;
    let new = world.create(&old.order_sn).await.unwrap();
    assert_ne!(new.sn, old.sn);
    assert_disputed(&world, &old.sn, 25_000).await;
    assert_eq!(
        code(world.settle(&old.order_sn, 1, "x").await.unwrap_err()),
        Code::PaymentState
    );
    world.act(&new, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    world.settle(&old.order_sn, 25_600, "y").await.unwrap();
    // The disputed money goes back all the same.
    world.resolve_first("refund").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&old.sn).await.refunded_cents, 25_000);
    assert_books(&world).await;
}

#[tokio::test]
async fn a_sweep_finds_money_over_another_amount_and_looks_at_it_once() {
    let world = World::start().await;
    let payment = paid(&world, 25_600, 25_000).await;
    world
        .clock
        .advance(super::support::PAY_BEFORE + Duration::from_secs(61));
    assert_eq!(world.sweep().await, 1);
    assert_disputed(&world, &payment.sn, 25_000).await;
    assert_eq!(world.sweep().await, 0);
}
