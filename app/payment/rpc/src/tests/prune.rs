use std::time::Duration;

use homestay_proto::payment as pb;

use super::support::{GUEST, World, says};

const DAY: Duration = Duration::from_secs(24 * 3600);

const KEYS: &str = "SELECT COUNT(*) FROM payment_key";
const INBOX: &str = "SELECT COUNT(*) FROM inbox";

#[tokio::test]
async fn keys_and_events_are_forgotten_when_nobody_can_need_them() {
    let world = World::start().await;
    let request = pb::CreateRequest {
        order_sn: world.order(25_600),
        service_type: "homestayOrder".to_owned(),
        idempotency_key: "k".to_owned(),
        route: "POST /v1/payments".to_owned(),
    };
    let payment = world
        .as_user(GUEST)
        .create(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(world.call_back(&says("captured", &payment)).await.0, 200);
    world.settle_order(&payment.order_sn, &payment.sn);

    world.clock.advance(2 * DAY);
    world.sweep().await;
    assert_eq!(world.count(KEYS).await, 1);
    let again = world.as_user(GUEST).create(request).await.unwrap().into_inner();
    assert_eq!(again.sn, payment.sn);
    world.clock.advance(Duration::from_millis(1));
    world.sweep().await;
    assert_eq!(world.count(KEYS).await, 0);

    world.clock.advance(88 * DAY);
    assert_eq!(world.count(INBOX).await, 1);
    world.sweep().await;
    assert_eq!(world.count(INBOX).await, 0);
    // A repetition after all changes nothing: the state refuses it.
    assert_eq!(world.call_back(&says("captured", &payment)).await.0, 200);
    assert_eq!(world.statuses().await, [1]);
}
