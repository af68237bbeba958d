use super::*;

#[tokio::test]
async fn late_money_takes_the_nights_again_if_they_are_free() {
    let world = World::new().await;
    let order = world.timed_out().await;
    let payment = world.payment.has(&order.sn, "captured", TOTAL);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");

    let paid = world.order(&order.sn).await;
    assert_eq!(
        (paid.attempt, paid.payment_sn.as_str(), paid.cancelled_by.as_str()),
        (2, payment.as_str(), "")
    );
    assert_eq!(paid.trade_code.len(), 8);
    assert_eq!(world.travel.held(&order.sn), [2]);
    assert_eq!(
        steps(&paid),
        [
            "Scheduling =x",
            "Pre-Processing -x",
            "Failed =",
            "Scheduling =",
            "Pre-Processing =",
            "Processing =",
            "Post-Processing -"
        ]
    );
    let hold = world
        .travel
        .state()
        .holds
        .values()
        .find(|h| !h.released)
        .unwrap()
        .request
        .clone();
    assert!(hold.hold_key.ends_with("#2") && !hold.new_booking);
    assert_eq!(
        (hold.check_in.as_str(), hold.check_out.as_str()),
        ("2026-12-01", "2026-12-03")
    );
    assert!(world.outbox().await.contains(&format!(
        "job mqueue.notify_order_paid notify.paid:{}:host",
        order.sn
    )));
    assert!(world.payment.state().refunds.is_empty());
    // Its nights are its own now.
    let key = hold.hold_key.as_str();
    let bind = pb::resolve_holds_reply::Verdict::Bind;
    assert_eq!(world.resolve(&[(key, &order.sn, 2)]).await, [bind]);
}

#[tokio::test]
async fn late_money_goes_back_when_the_nights_are_taken() {
    let world = World::new().await;
    let order = world.timed_out().await;
    world.travel.taken_by_another();
    let payment = world.payment.has(&order.sn, "captured", TOTAL);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "refund_pending");

    let pending = world.order(&order.sn).await;
    assert_eq!(
        (
            pending.trade_state,
            pending.payment_sn.as_str(),
            pending.trade_code.as_str()
        ),
        (3, payment.as_str(), "")
    );
    assert_eq!(steps(&pending)[3..], ["Pre-Processing -!", "Failed ="]);
    assert!(
        pending.steps[3].error.contains("already taken"),
        "{}",
        pending.steps[3].error
    );
    assert_eq!(world.payment.of(&payment), "refund_pending");

    world.payment.refunds_done();
    assert_eq!(world.advance(&order.sn).await.unwrap(), "refunded");
    let done = world.order(&order.sn).await;
    assert_eq!((done.state.as_str(), done.trade_state), ("refunded", 3));
    assert_eq!(steps(&done)[3..], ["Pre-Processing -x", "Failed ="]);
    assert_eq!(
        world.outbox().await[3..],
        ["event refund_pending", "event refunded"]
    );
    assert_eq!(world.payment.state().refunds.len(), 1);
}

#[tokio::test]
async fn late_money_after_the_guests_cancellation_always_goes_back() {
    let world = World::new().await;
    let order = world.booked().await;
    world.cancel(GUEST, &order.sn).await.unwrap();
    let payment = world.payment.has(&order.sn, "captured", TOTAL);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "refund_pending");
    assert_eq!(world.payment.of(&payment), "refund_pending");
    assert!(world.travel.held(&order.sn).is_empty());
}

#[tokio::test]
async fn late_money_goes_back_once_the_stay_has_begun_by_the_houses_calendar() {
    let world = World::new().await;
    // 2026-12-01 is over in Shanghai on 2026-12-01T16:00Z, 10 days and 16 hours after the clock's start.
    let order = world.timed_out().await;
    let begun = Duration::from_secs((10 * 24 + 16) * 3600) - Duration::from_secs(30 * 60);
    world.clock.advance(begun - Duration::from_millis(1));
    let other = pb::CreateRequest {
        house_id: 8,
        ..booking()
    };
    let second = world.create(GUEST, other).await.unwrap();
    world.payment.has(&order.sn, "captured", TOTAL);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");

    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(world.advance(&second.sn).await.unwrap(), "cancelled");
    world.payment.has(&second.sn, "captured", TOTAL);
    assert_eq!(world.advance(&second.sn).await.unwrap(), "refund_pending");
}

#[tokio::test]
async fn late_money_waits_for_travel_and_then_buys_the_nights() {
    let world = World::new().await;
    let order = world.timed_out().await;
    let payment = world.payment.has(&order.sn, "captured", TOTAL);
    world.travel.state().down = true;
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    assert_eq!(world.order(&order.sn).await.state, "cancelled");
    assert_eq!(world.payment.of(&payment), "captured");
    world.travel.state().down = false;
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
}

#[tokio::test]
async fn late_money_goes_back_if_the_nights_taken_again_were_given_up_meanwhile() {
    let world = World::new().await;
    let order = world.timed_out().await;
    world.payment.has(&order.sn, "captured", TOTAL);
    world.faults.lose(1, peers::Fault::Reply);
    assert_eq!(code(world.advance(&order.sn).await), Code::Timeout);
    assert_eq!(world.travel.held(&order.sn), [2]);
    let key = world
        .travel
        .state()
        .holds
        .keys()
        .find(|k| k.ends_with("#2"))
        .unwrap()
        .clone();
    let release = pb::resolve_holds_reply::Verdict::Release;
    assert_eq!(world.resolve(&[(&key, &order.sn, 2)]).await, [release]);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "refund_pending");
    assert!(world.order(&order.sn).await.steps[3].error.contains("given back"));
}

#[tokio::test]
async fn of_two_late_payments_one_buys_the_nights_and_the_other_goes_back() {
    let world = World::new().await;
    let order = world.timed_out().await;
    let first = world.payment.has(&order.sn, "captured", TOTAL);
    let second = world.payment.has(&order.sn, "captured", TOTAL);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
    assert_eq!(
        (
            world.payment.of(&first).as_str(),
            world.payment.of(&second).as_str()
        ),
        ("captured", "refund_pending")
    );
}

#[tokio::test]
async fn a_refund_that_hangs_is_asked_for_again_and_its_end_looked_for_once_a_minute() {
    let world = World::new().await;
    let order = world.booked().await;
    world.cancel(GUEST, &order.sn).await.unwrap();
    let payment = world.payment.has(&order.sn, "captured", TOTAL);
    world.faults.lose(1, peers::Fault::Request); // the refund
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    world.faults.none();
    assert_eq!(world.payment.of(&payment), "captured");
    assert_eq!(world.order(&order.sn).await.state, "refund_pending");

    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.sweep().await, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.payment.of(&payment), "refund_pending");
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.sweep().await, 0);
    world.payment.refunds_done();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.order(&order.sn).await.state, "refunded");
}
