use pb::resolve_holds_reply::Verdict::{Bind, Release};

use super::*;

fn key_of(world: &World, sn: &str) -> String {
    let state = world.travel.state();
    let mut keys = state.holds.iter().filter(|(_, hold)| hold.request.order_sn == sn);
    keys.next().unwrap().0.clone()
}

#[tokio::test]
async fn holds_of_living_orders_are_bound_and_all_others_released_in_the_order_asked() {
    let world = World::new().await;
    let house = |house_id| pb::CreateRequest {
        house_id,
        ..booking()
    };
    let living = world.create(GUEST, house(1)).await.unwrap().sn;
    let paid = world.create(GUEST, house(2)).await.unwrap().sn;
    world.payment.has(&paid, "captured", TOTAL);
    world.advance(&paid).await.unwrap();
    let ended = world.create(GUEST, house(3)).await.unwrap().sn;
    world.cancel(GUEST, &ended).await.unwrap();
    let (living_key, paid_key, ended_key) = (
        key_of(&world, &living),
        key_of(&world, &paid),
        key_of(&world, &ended),
    );
    let later = format!("{ended_key}#2");

    let asked = [
        ("unknown", "HSO1", 1),
        (living_key.as_str(), living.as_str(), 1),
        (ended_key.as_str(), ended.as_str(), 1),
        (paid_key.as_str(), paid.as_str(), 1),
        (later.as_str(), ended.as_str(), 2),
    ];
    for _ in 0..2 {
        assert_eq!(
            world.resolve(&asked).await,
            [Release, Bind, Release, Bind, Release]
        );
    }
    assert!(world.resolve(&[]).await.is_empty());

    // The tombstones hold: late money cannot use the buried attempt any more.
    world.payment.has(&ended, "captured", TOTAL);
    assert_eq!(world.advance(&ended).await.unwrap(), "refund_pending");
}

#[tokio::test]
async fn the_hold_of_an_attempt_that_was_given_up_is_released_although_the_order_lives() {
    let world = World::new().await;
    let order = world.timed_out().await;
    let first = key_of(&world, &order.sn);
    world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    let second = format!("{first}#2");
    let asked = [
        (first.as_str(), order.sn.as_str(), 1),
        (second.as_str(), order.sn.as_str(), 2),
    ];
    assert_eq!(world.resolve(&asked).await, [Release, Bind]);
}
