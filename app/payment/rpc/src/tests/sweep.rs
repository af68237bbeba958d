use std::time::Duration;

use super::shaky::Fault;
use super::support::{PAY_BEFORE, World};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_intent_without_a_prepay_ends_soon_after_its_order_has_closed() {
    let world = World::start().await;
    let order = world.order(25_600);
    world.fail("prepay", Fault::Down);
    world.create(&order).await.unwrap_err();
    world.clock.advance(MINUTE);
    // The order is open: the guest may try again.
    assert_eq!(world.sweep().await, 0);
    world.fail("query", Fault::Down);
    world.close(&order).await.unwrap_err();
    world.heal();
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.list(&order).await[0].state, "closed");
    assert_eq!(world.sweep().await, 0);
}

#[tokio::test]
async fn a_payment_past_its_end_is_settled_by_what_the_provider_has() {
    let world = World::start().await;
    let (paid, unpaid) = (world.order(100), world.order(200));
    let payment = world.create(&paid).await.unwrap();
    world.create(&unpaid).await.unwrap();
    // The callback's job is lost.
    world.act(&payment, "pay").await.unwrap();
    world.clock.advance(PAY_BEFORE);
    assert_eq!(world.sweep().await, 0);
    world.clock.advance(MINUTE + Duration::from_millis(1));
    assert_eq!(world.sweep().await, 2);
    assert_eq!(world.list(&paid).await[0].state, "captured");
    assert_eq!(world.list(&unpaid).await[0].state, "closed");
    assert_eq!(world.sweep().await, 0);
}

#[tokio::test]
async fn a_refund_that_hangs_is_carried_out_again() {
    let world = World::start().await;
    let order = world.order(100);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    world.fail("refund", Fault::Slow);
    world.refund(&payment.sn).await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.sweep().await, 0);
    world.clock.advance(MINUTE + Duration::from_millis(1));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.get(&payment.sn).await.state, "refund_pending");
    // It was looked at: the next look is a minute later.
    world.heal();
    assert_eq!(world.sweep().await, 0);
    world.clock.advance(MINUTE + Duration::from_millis(1));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.get(&payment.sn).await.state, "refunded");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_leaves_the_payment_for_the_next_sweep() {
    let world = World::start().await;
    let order = world.order(100);
    world.create(&order).await.unwrap();
    world
        .clock
        .advance(PAY_BEFORE + MINUTE + Duration::from_millis(1));
    world.fail("query", Fault::Down);
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.list(&order).await[0].state, "pending");
    world.heal();
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.list(&order).await[0].state, "closed");
}
