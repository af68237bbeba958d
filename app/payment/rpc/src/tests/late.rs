use std::time::Duration;

use homestay_testkit::NOW_MS;

use super::support::{PAY_BEFORE, World};

/// What stands in the outbox to be done later.
const WAITING: &str = "SELECT COUNT(*) FROM outbox WHERE lane = 'job'";

#[tokio::test]
async fn late_money_comes_after_the_order_has_closed_although_the_provider_said_closed() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    assert_eq!(world.act(&payment, "pay-late").await.unwrap().state, "late");

    // While the order waits for payment the money does not come, however often it is looked at.
    for _ in 0..3 {
        assert_eq!(world.run_jobs().await, []);
        assert_eq!(world.charge(&payment).await, "late");
        assert_eq!(world.count(WAITING).await, 1);
        world.clock.advance(Duration::from_secs(5));
    }
    world.clock.advance(PAY_BEFORE);
    assert_eq!(world.close(&order).await.unwrap()[0].state, "closed");
    assert_eq!(world.charge(&payment).await, "late");
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&payment.sn).await.state, "closed");

    world.set_order_state(&order, "cancelled");
    world.clock.advance(Duration::from_millis(300));
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.charge(&payment).await, "captured");
    let got = world.get(&payment.sn).await;
    assert_eq!(got.state, "captured");
    assert!(got.captured_at_ms > NOW_MS + 1_800_000);
    assert_eq!(world.statuses().await, [-1, 1]);
    assert_eq!(world.count(WAITING).await, 0);

    // And can be given back.
    world.refund(&payment.sn).await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&payment.sn).await.state, "refunded");
    assert_eq!(world.statuses().await, [-1, 1, 2]);
}

#[tokio::test]
async fn a_look_taken_twice_leaves_one_to_come() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay-late").await.unwrap();
    let look = homestay_proto::payment::SandboxDeliverRequest {
        token: super::support::token(&payment),
        what: "capture_late".to_owned(),
        event_id: "0".to_owned(),
    };
    for _ in 0..2 {
        world.as_service().sandbox_deliver(look.clone()).await.unwrap();
    }
    // The broker keeps one job a key.
    let keys = world
        .count("SELECT COUNT(DISTINCT key) FROM outbox WHERE lane = 'job' AND due_at_ms > 0")
        .await;
    assert_eq!(keys, 1);
}
