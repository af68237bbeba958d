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

/// A captured payment of a new order; the order's and its own number.
async fn captured(world: &World) -> (String, String) {
    let order = world.order(100);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&payment.sn).await.state, "captured");
    (order, payment.sn)
}

#[tokio::test]
async fn money_that_its_order_has_taken_is_settled_and_asked_about_once() {
    let world = World::start().await;
    let (order, payment) = captured(&world).await;
    world.settle_order(&order, &payment);
    world.clock.advance(5 * MINUTE);
    assert_eq!(world.sweep().await, 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.events().await.len(), 1);
    world.clock.advance(100 * MINUTE);
    assert_eq!(world.sweep().await, 0);
}

#[tokio::test]
async fn money_that_its_order_has_not_taken_is_told_again_as_a_new_event_in_growing_gaps() {
    let world = World::start().await;
    let (order, payment) = captured(&world).await;
    world.clock.advance(5 * MINUTE + Duration::from_millis(1));
    let mut gap = 5 * MINUTE + Duration::from_millis(1);
    for told in 2..=5 {
        assert_eq!(world.sweep().await, 1);
        let events = world.events().await;
        assert_eq!(events.len(), told);
        let last = events.last().unwrap();
        assert_eq!((last.payment_sn.as_str(), last.pay_status), (payment.as_str(), 1));
        assert!(
            events[..told - 1]
                .iter()
                .all(|event| event.event_id != last.event_id)
        );
        world.clock.advance(gap - Duration::from_millis(1));
        assert_eq!(world.sweep().await, 0);
        world.clock.advance(Duration::from_millis(1));
        gap *= 2;
    }
    // Paid by another payment: this one is to go back, and is told of until it does.
    world.settle_order(&order, "PMT20261121101559123456789");
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.events().await.len(), 6);
    world.refund(&payment).await.unwrap();
    world.clock.advance(1000 * MINUTE);
    // The refund, whose job has not run.
    assert_eq!(world.sweep().await, 1);
}

#[tokio::test]
async fn a_sweep_without_time_begins_nothing_and_looks_at_nothing() {
    let world = World::start().await;
    world.create(&world.order(100)).await.unwrap();
    world
        .clock
        .advance(PAY_BEFORE + MINUTE + Duration::from_millis(1));
    let hurried = homestay_rpc::deadline::scope(Duration::from_millis(490), world.sweep()).await;
    assert_eq!(hurried, 0);
    assert_eq!(
        world
            .count("SELECT COUNT(*) FROM payment WHERE swept_at_ms > 0")
            .await,
        0
    );
    assert_eq!(world.sweep().await, 1);
}
