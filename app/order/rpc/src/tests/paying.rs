use super::*;

async fn told(world: &World, sn: &str, recipient: &str) -> Result<(), Error> {
    let request = pb::MarkToldRequest {
        sn: sn.to_owned(),
        recipient: recipient.to_owned(),
    };
    world.as_service().mark_told(request).await?;
    Ok(())
}

#[tokio::test]
async fn a_captured_payment_confirms_the_order_and_issues_the_code() {
    let world = World::new().await;
    let order = world.booked().await;
    assert_eq!(world.advance(&order.sn).await.unwrap(), "awaiting_payment");
    let payment = world.payment.has(&order.sn, "captured", TOTAL);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");

    let paid = world.order(&order.sn).await;
    assert_eq!(
        (paid.trade_state, paid.payment_sn.as_str()),
        (1, payment.as_str())
    );
    assert_eq!(
        (paid.pay_type.as_str(), paid.paid_at_ms),
        ("SANDBOX", homestay_testkit::NOW_MS + 1_000)
    );
    assert_eq!(paid.trade_code.len(), 8);
    assert_eq!(
        steps(&paid),
        [
            "Scheduling =",
            "Pre-Processing =",
            "Processing =",
            "Post-Processing -"
        ]
    );
    let sn = &order.sn;
    assert_eq!(
        world.outbox().await[2..],
        [
            "event paid".to_owned(),
            format!("job mqueue.notify_order_paid notify.paid:{sn}:guest"),
            format!("job mqueue.notify_order_paid notify.paid:{sn}:host"),
        ]
    );
    assert!(world.payment.state().refunds.is_empty());
}

#[tokio::test]
async fn a_second_captured_payment_is_refunded_and_the_first_stays() {
    let world = World::new().await;
    let order = world.booked().await;
    let first = world.payment.has(&order.sn, "captured", TOTAL);
    let second = world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    let third = world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();

    assert_eq!(world.order(&order.sn).await.payment_sn, first);
    let duplicate = |sn: String| (sn, "duplicate".to_owned());
    assert_eq!(
        world.payment.state().refunds,
        [duplicate(second), duplicate(third)]
    );
    assert_eq!(world.payment.of(&first), "captured");
}

#[tokio::test]
async fn money_that_is_not_the_price_confirms_nothing_and_goes_back() {
    let world = World::new().await;
    let order = world.booked().await;
    let wrong = world.payment.has(&order.sn, "captured", TOTAL - 1);
    let foreign = world.payment.has(&order.sn, "captured", TOTAL);
    world.payment.state().payments[1].currency = "USD".into();

    assert_eq!(world.advance(&order.sn).await.unwrap(), "awaiting_payment");

    let refunded: Vec<String> = world
        .payment
        .state()
        .refunds
        .iter()
        .map(|r| r.0.clone())
        .collect();
    assert_eq!(refunded, [wrong, foreign]);
    // It can still be paid.
    world.payment.has(&order.sn, "captured", TOTAL);
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
}

#[tokio::test]
async fn an_event_that_comes_while_payment_rpc_is_down_is_to_be_repeated() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.has(&order.sn, "captured", TOTAL);
    world.payment.state().down = true;
    assert_eq!(code(world.advance(&order.sn).await), Code::Unavailable);
    world.payment.state().down = false;
    assert_eq!(world.advance(&order.sn).await.unwrap(), "confirmed");
}

#[tokio::test]
async fn two_runs_at_once_confirm_once() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.has(&order.sn, "captured", TOTAL);
    let runs = (0..8).map(|_| world.advance(&order.sn));
    for state in futures::future::join_all(runs).await {
        assert_eq!(state.unwrap(), "confirmed");
    }
    assert_eq!(world.outbox().await.len(), 5);
    assert_eq!(world.order(&order.sn).await.steps.len(), 4);
}

#[tokio::test]
async fn an_order_is_complete_once_guest_and_host_are_told() {
    let world = World::new().await;
    let order = world.booked().await;
    assert_eq!(code(told(&world, &order.sn, "guest").await), Code::OrderState);
    world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();

    told(&world, &order.sn, "guest").await.unwrap();
    told(&world, &order.sn, "guest").await.unwrap();
    assert_eq!(steps(&world.order(&order.sn).await)[3..], ["Post-Processing -"]);
    world.clock.advance(Duration::from_secs(5));
    told(&world, &order.sn, "host").await.unwrap();
    let done = world.order(&order.sn).await;
    assert_eq!(steps(&done)[3..], ["Post-Processing =", "Completed ="]);
    assert_eq!(done.steps[4].started_at_ms, done.steps[3].ended_at_ms);
    world.clock.advance(Duration::from_secs(5));
    told(&world, &order.sn, "host").await.unwrap();
    assert_eq!(world.order(&order.sn).await, done);

    assert_eq!(code(told(&world, &order.sn, "cook").await), Code::InvalidArgument);
    assert_eq!(code(told(&world, "HSO1", "host").await), Code::OrderNotFound);
}

#[tokio::test]
async fn who_is_not_known_to_be_told_after_ten_minutes_is_told_again() {
    let world = World::new().await;
    let order = world.booked().await;
    world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    told(&world, &order.sn, "guest").await.unwrap();
    let before = world.outbox().await;
    world.clock.advance(Duration::from_secs(590));
    world.sweep().await;
    assert_eq!(world.outbox().await, before, "its own job may still be under way");

    world.clock.advance(Duration::from_secs(20));
    world.sweep().await;
    let again = world.outbox().await;
    assert_eq!(again.len(), before.len() + 1);
    assert!(
        again
            .last()
            .unwrap()
            .ends_with(&format!(" notify.paid.again:{}:host", order.sn)),
        "{again:?}"
    );

    told(&world, &order.sn, "host").await.unwrap();
    world.sweep().await;
    assert_eq!(world.outbox().await, again);
}

#[tokio::test]
async fn an_order_whose_money_went_back_is_not_completed_by_a_late_telling() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    told(&world, &order.sn, "guest").await.unwrap();
    world.payment.refunded_by_provider(&payment);
    world.advance(&order.sn).await.unwrap();
    let before = world.dump().await;

    told(&world, &order.sn, "host").await.unwrap();

    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn a_payment_that_the_provider_gives_back_ends_the_order_and_frees_its_nights() {
    let world = World::new().await;
    let order = world.booked().await;
    let payment = world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    world.payment.refunded_by_provider(&payment);

    assert_eq!(world.advance(&order.sn).await.unwrap(), "refunded");

    let ended = world.order(&order.sn).await;
    assert_eq!((ended.trade_state, ended.trade_code.as_str()), (3, ""));
    assert!(world.travel.held(&order.sn).is_empty());
    assert_eq!(
        steps(&ended),
        [
            "Scheduling =x",
            "Pre-Processing =x",
            "Processing =x",
            "Post-Processing -x",
            "Failed ="
        ]
    );
    assert_eq!(
        world.outbox().await[5..],
        ["event refund_pending", "event refunded"]
    );
    assert!(world.payment.state().refunds.is_empty());
}

#[tokio::test]
async fn booking_paying_and_telling_are_three_commits_that_wait_for_the_disk() {
    let world = World::new().await;
    let db = world.db.db.clone();
    if db.dialect() == homestay_db::Dialect::Sqlite {
        return; // It groups what comes together, so that a count says nothing.
    }
    let order = world.booked().await;
    assert_eq!(db.commits(), (1, 0));
    world.payment.has(&order.sn, "captured", TOTAL);
    world.advance(&order.sn).await.unwrap();
    assert_eq!(db.commits(), (2, 0));
    told(&world, &order.sn, "host").await.unwrap();
    assert_eq!(db.commits(), (2, 1));
    told(&world, &order.sn, "guest").await.unwrap();
    assert_eq!(db.commits(), (3, 1));
}
