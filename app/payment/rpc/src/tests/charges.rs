//! An order that is paid in parts: the booking, and the differences of its changes.

use homestay_error::Code;
use homestay_proto::payment as pb;

use super::books::assert_books;
use super::support::{World, code};

async fn close(world: &World, order_sn: &str, charge: i64, all_charges: bool) -> Vec<String> {
    let request = pb::CloseForOrderRequest {
        order_sn: order_sn.to_owned(),
        charge,
        all_charges,
    };
    let reply = world.as_service().close_for_order(request).await.unwrap();
    let payments = reply.into_inner().payments.into_iter();
    payments.map(|payment| payment.state).collect()
}

/// A confirmed order with a payment, that waits for 500 for the change 2.
async fn changed(world: &World) -> String {
    let booking = world.captured(25_600).await;
    world.settle_order(&booking.order_sn, &booking.sn);
    world.set_due(&booking.order_sn, 2, 500);
    booking.order_sn
}

#[tokio::test]
async fn the_difference_of_a_change_is_a_payment_of_its_own() {
    let world = World::start().await;
    let order = changed(&world).await;
    let payment = world.create(&order).await.unwrap();
    assert_eq!(
        (payment.charge, payment.amount_cents, payment.state.as_str()),
        (2, 500, "pending")
    );
    // One live payment a charge.
    assert_eq!(world.create(&order).await.unwrap(), payment);
    world.act(&payment, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    let states: Vec<_> = world
        .list(&order)
        .await
        .into_iter()
        .map(|one| (one.charge, one.state))
        .collect();
    assert_eq!(states, [(0, "captured".to_owned()), (2, "captured".to_owned())]);
    assert_books(&world).await;
}

#[tokio::test]
async fn closing_a_charge_leaves_the_others_open() {
    let world = World::start().await;
    let order = changed(&world).await;
    world.create(&order).await.unwrap();
    // The booking's own charge is another.
    assert_eq!(close(&world, &order, 0, false).await, ["captured", "pending"]);
    assert_eq!(close(&world, &order, 3, false).await, ["captured", "pending"]);
    assert_eq!(close(&world, &order, 2, false).await, ["captured", "closed"]);
    assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    world.set_due(&order, 3, 700);
    assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    world.set_due(&order, 4, 700);
    assert_eq!(world.create(&order).await.unwrap().charge, 4);
    assert_books(&world).await;
}

#[tokio::test]
async fn closing_all_charges_closes_those_to_come_too() {
    let world = World::start().await;
    let order = changed(&world).await;
    world.create(&order).await.unwrap();
    assert_eq!(close(&world, &order, 0, true).await, ["captured", "closed"]);
    for charge in [2, 3] {
        world.set_due(&order, charge, 500);
        assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    }
    let unpaid = world.order(100);
    assert_eq!(close(&world, &unpaid, 0, true).await, [] as [&str; 0]);
    assert_eq!(code(world.create(&unpaid).await.unwrap_err()), Code::NotPayable);
}

#[tokio::test]
async fn closing_and_creating_a_charge_at_once_leave_nothing_payable() {
    let world = World::start().await;
    for all in [false, true, false, true] {
        let order = changed(&world).await;
        let (created, _) = tokio::join!(world.create(&order), close(&world, &order, 2, all));
        if let Err(status) = created {
            assert_eq!(code(status), Code::NotPayable);
        }
        assert!(world.list(&order).await.iter().all(|one| one.state != "pending"));
    }
    let open = "SELECT COUNT(*) FROM sandbox_charge WHERE state = 'open'";
    assert_eq!(world.count(open).await, 0);
    assert_books(&world).await;
}

#[tokio::test]
async fn an_open_payment_over_what_is_no_longer_due_makes_room() {
    let world = World::start().await;
    let order = world.order(25_600);
    let old = world.create(&order).await.unwrap();
    world.set_due(&order, 0, 20_000);
    let new = world.create(&order).await.unwrap();
    assert_eq!((new.amount_cents, new.state.as_str()), (20_000, "pending"));
    assert_eq!(world.get(&old.sn).await.state, "closed");
    assert_eq!(world.charge(&old).await, "closed");
    assert_books(&world).await;
}

#[tokio::test]
async fn nothing_is_payable_for_orders_that_want_nothing() {
    let world = World::start().await;
    for (state, charge, cents) in [
        ("confirmed", 0, 25_600),
        ("confirmed", 2, 0),
        ("cancelled", 2, 500),
        ("used", 2, 500),
        ("expired", 2, 500),
        ("refund_pending", 0, 25_600),
        ("refunded", 0, 25_600),
        ("awaiting_payment", 0, 0),
    ] {
        let order = world.order(25_600);
        world.set_order_state(&order, state);
        world.set_due(&order, charge, cents);
        let refused = world.create(&order).await.unwrap_err();
        assert_eq!(code(refused), Code::NotPayable, "{state} {charge} {cents}");
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM payment").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM ledger_txn").await, 0);
}
