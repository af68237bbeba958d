use super::*;

const PAY_TIME: Duration = Duration::from_secs(30 * 60);

#[tokio::test]
async fn an_unpaid_order_is_closed_at_its_time_and_not_before() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "pending", TOTAL);

    world.clock.advance(PAY_TIME - Duration::from_millis(1));
    assert_eq!(world.advance(&order.sn).await.unwrap(), "awaiting_payment");
    assert_eq!(world.payment.of(&payment), "pending");
    assert_eq!(world.travel.held(&order.sn), [1]);

    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.advance(&order.sn).await.unwrap(), "cancelled");

    let closed = world.order(&order.sn).await;
    assert_eq!(
        (closed.cancelled_by.as_str(), closed.trade_state),
        ("timeout", -1)
    );
    assert_eq!(world.payment.of(&payment), "closed");
    assert!(world.travel.held(&order.sn).is_empty());
    assert_eq!(steps(&closed), ["Scheduling =x", "Pre-Processing -x", "Failed ="]);
    assert_eq!(closed.steps[1].error, "not paid in time");
    assert_eq!(world.outbox().await.last().unwrap(), "event cancelled");
}

#[tokio::test]
async fn money_that_is_found_at_closing_wins() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "pending", TOTAL);
    world.payment.state().captured_at_close = true;
    world.clock.advance(PAY_TIME);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");

    assert_eq!(world.order(&order.sn).await.payment_sn, payment);
    assert_eq!(world.travel.held(&order.sn), [1]);
}

#[tokio::test]
async fn closing_waits_for_the_provider_and_gives_up_in_the_end() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.state().provider_down = true;
    world.clock.advance(PAY_TIME);
    assert_eq!(code(world.advance(&order.sn).await), Code::Provider);
    world
        .clock
        .advance(Duration::from_secs(10 * 60) - Duration::from_millis(1));
    world.payment.state().down = true;
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    assert_eq!(world.order(&order.sn).await.state, "awaiting_payment");

    world.clock.advance(Duration::from_millis(1));
    // The order is closed; that payment-rpc has not heard of it leaves something to be done.
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    assert_eq!(world.order(&order.sn).await.state, "cancelled");
    assert!(world.travel.held(&order.sn).is_empty());

    world.payment.state().down = false;
    world.payment.state().provider_down = false;
    assert_eq!(world.advance(&order.sn).await.unwrap(), "cancelled");
    assert_eq!(world.payment.state().closed, [order.sn]);
}

#[tokio::test]
async fn captured_money_is_seen_although_the_provider_does_not_answer() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.has(&order.sn, "captured", TOTAL);
    world.payment.state().provider_down = true;
    world.clock.advance(PAY_TIME);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
}

#[tokio::test]
async fn a_guest_cancels_and_the_nights_are_free_at_once() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "pending", TOTAL);

    let cancelled = world.cancel(GUEST, &order.sn).await.unwrap();

    assert_eq!(
        (cancelled.state.as_str(), cancelled.cancelled_by.as_str()),
        ("cancelled", "guest")
    );
    assert_eq!(
        steps(&cancelled),
        ["Scheduling =x", "Pre-Processing -x", "Failed ="]
    );
    assert_eq!(world.payment.of(&payment), "closed");
    assert!(world.create(GUEST + 1, booking()).await.is_ok());
    let follow_up = format!("job order.advance order.cancelled:{}", order.sn);
    assert!(world.outbox().await.contains(&follow_up));
    assert_eq!(world.cancel(GUEST, &order.sn).await.unwrap().state, "cancelled");
}

#[tokio::test]
async fn only_the_owner_cancels_and_others_learn_nothing() {
    let world = World::new().await;
    let order = world.booked().await;
    assert_eq!(
        code(world.cancel(GUEST + 1, &order.sn).await),
        Code::OrderNotFound
    );
    assert_eq!(code(world.cancel(GUEST, "HSO0").await), Code::OrderNotFound);
    assert_eq!(world.order(&order.sn).await.state, "awaiting_payment");
}

#[tokio::test]
async fn money_that_came_before_the_cancellation_wins() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.has(&order.sn, "pending", TOTAL);
    world.payment.state().captured_at_close = true;
    assert_eq!(code(world.cancel(GUEST, &order.sn).await), Code::OrderState);
    assert_eq!(world.order(&order.sn).await.state, "confirmed");
}

/// Has the order paid and confirmed by another run while payment-rpc answers that it closed it.
fn confirmed_meanwhile(world: &World) {
    let (orders, payment) = (world.as_service(), world.payment.clone());
    let confirm = move |sn: String| -> futures::future::BoxFuture<'static, ()> {
        let (mut orders, payment) = (orders.clone(), payment.clone());
        Box::pin(async move {
            payment.has(&sn, "captured", TOTAL);
            let request = pb::AdvanceRequest { sn, token: 0 };
            assert_eq!(
                orders.advance(request).await.unwrap().into_inner().state,
                "confirmed"
            );
        })
    };
    world.payment.state().meanwhile = Some(Box::new(confirm));
}

#[tokio::test]
async fn who_was_first_wins_between_a_cancellation_a_closing_and_a_payment() {
    let world = World::new().await;
    let order = world.booked().await;
    confirmed_meanwhile(&world);
    assert_eq!(code(world.cancel(GUEST, &order.sn).await), Code::OrderState);
    assert_eq!(world.order(&order.sn).await.state, "confirmed");

    let elsewhere = pb::CreateRequest {
        house_id: 8,
        ..booking()
    };
    let order = world.create(GUEST, elsewhere).await.unwrap();
    world.clock.advance(PAY_TIME);
    confirmed_meanwhile(&world);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
    assert_eq!(world.travel.held(&order.sn), [1]);
    assert!(world.payment.state().refunds.is_empty());
}

#[tokio::test]
async fn a_guest_can_cancel_while_the_peers_are_down_and_the_rest_is_done_later() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "pending", TOTAL);
    world.payment.state().down = true;
    world.travel.state().down = true;

    assert_eq!(world.cancel(GUEST, &order.sn).await.unwrap().state, "cancelled");

    assert_eq!(world.travel.held(&order.sn), [1]);
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    world.payment.state().down = false;
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    world.travel.state().down = false;
    assert_eq!(world.advance(&order.sn).await.unwrap(), "cancelled");
    assert!(world.travel.held(&order.sn).is_empty());
    assert_eq!(world.payment.of(&payment), "closed");
    assert_eq!(steps(&world.order(&order.sn).await)[0], "Scheduling =x");
}

#[tokio::test]
async fn the_sweep_closes_what_is_overdue_and_releases_what_is_left_and_one_failure_keeps_nobody() {
    let world = World::new().await;
    let mut sns = Vec::new();
    for house_id in 1..=20 {
        let request = pb::CreateRequest {
            house_id,
            ..booking()
        };
        sns.push(world.create(GUEST, request).await.unwrap().sn);
    }
    let late = pb::CreateRequest {
        house_id: 21,
        ..booking()
    };
    world.clock.advance(Duration::from_secs(60));
    let fresh = world.create(GUEST, late).await.unwrap().sn;
    world.travel.state().down = true;
    world.cancel(GUEST, &sns[0]).await.unwrap();
    world.travel.state().down = false;
    world.clock.advance(PAY_TIME - Duration::from_secs(60));
    // Only the nights of the cancelled one: the sweep leaves the others to their own jobs for some seconds.
    assert_eq!(world.sweep().await, 1);

    world.clock.advance(Duration::from_millis(5_001));
    world.faults.lose(0, peers::Fault::Request);
    assert_eq!(world.sweep().await, 18);
    world.faults.none();
    assert_eq!(world.sweep().await, 1);

    for sn in &sns {
        assert_eq!(world.order(sn).await.state, "cancelled", "{sn}");
        assert!(world.travel.held(sn).is_empty());
    }
    assert_eq!(world.order(&fresh).await.state, "awaiting_payment");
    assert_eq!(world.sweep().await, 0);
}

#[tokio::test]
async fn orders_that_cannot_be_closed_keep_neither_others_nor_other_kinds_waiting() {
    let world = World::new().await;
    for house_id in 1..=40 {
        let request = pb::CreateRequest {
            house_id,
            ..booking()
        };
        world.create(GUEST, request).await.unwrap();
    }
    world.clock.advance(PAY_TIME);
    let elsewhere = pb::CreateRequest {
        house_id: 41,
        ..booking()
    };
    let cancelled = world.create(GUEST, elsewhere).await.unwrap().sn;
    world.travel.state().down = true;
    world.cancel(GUEST, &cancelled).await.unwrap();
    world.travel.state().down = false;
    world.clock.advance(Duration::from_secs(6));
    world.payment.state().closed.clear();
    world.payment.state().provider_down = true;

    // Those that fail are asked about at payment-rpc, a batch at a time.
    assert_eq!(world.sweep().await, 1);
    assert!(world.travel.held(&cancelled).is_empty());
    assert_eq!(world.payment.state().closed.len(), 34 + 1);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.payment.state().closed.len(), 40 + 1);
}

#[tokio::test]
async fn an_unknown_order_is_not_found() {
    let world = World::new().await;
    assert_eq!(
        code(world.advance("HSO2026112110155912345678").await),
        Code::OrderNotFound
    );
}
