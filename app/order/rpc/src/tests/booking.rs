use homestay_testkit::NOW_MS;

use super::*;

#[tokio::test]
async fn a_booking_keeps_house_and_price_and_leaves_steps_an_event_and_the_closing_job() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        meals: true,
        remark: "late arrival".into(),
        ..booking()
    };

    let order = world.create(GUEST, request).await.unwrap();

    assert_eq!(order, world.order(&order.sn).await);
    assert_eq!((order.state.as_str(), order.trade_state), ("awaiting_payment", 0));
    assert_eq!((order.user_id, order.house_id, order.host_id), (GUEST, 7, 6));
    assert_eq!(
        (order.title.as_str(), order.cover.as_str()),
        ("Bamboo House", "a.jpg")
    );
    assert_eq!(
        (order.check_in.as_str(), order.check_out.as_str()),
        ("2026-12-01", "2026-12-03")
    );
    // Midnights of Shanghai.
    assert_eq!(
        (order.check_in_s, order.check_out_s),
        (1_796_054_400, 1_796_227_200)
    );
    assert_eq!(
        (order.room_cents, order.meal_cents, order.total_cents),
        (20_000, 12_000, 32_000)
    );
    assert_eq!(order.lines.len(), 4);
    assert_eq!(
        (order.remark.as_str(), order.trade_code.as_str()),
        ("late arrival", "")
    );
    assert_eq!(order.created_at_ms, NOW_MS);
    assert_eq!(order.pay_before_ms, NOW_MS + 30 * 60_000);
    assert_eq!(steps(&order), ["Scheduling =", "Pre-Processing -"]);
    assert_eq!(order.steps[0].node, "node-1");
    let close = format!("job order.advance order.close:{}", order.sn);
    assert_eq!(world.outbox().await, ["event created".to_owned(), close]);
    let due: i64 = sqlx::query_scalar("SELECT due_at_ms FROM outbox WHERE lane = 'job'")
        .fetch_one(world.db.db.read())
        .await
        .unwrap();
    assert_eq!(due, order.pay_before_ms);
}

#[tokio::test]
async fn dates_may_come_as_the_seconds_of_the_looklook_face() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        check_in: String::new(),
        check_out: String::new(),
        start_s: 1_796_054_400 + 15 * 3600,
        end_s: 1_796_227_200 + 11 * 3600,
        ..booking()
    };
    let order = world.create(GUEST, request).await.unwrap();
    assert_eq!(
        (order.check_in.as_str(), order.check_out.as_str()),
        ("2026-12-01", "2026-12-03")
    );
}

#[tokio::test]
async fn a_refusal_of_travel_passes_through_and_leaves_nothing() {
    let world = World::new().await;
    for refusal in [
        Code::DatesTaken,
        Code::OffSale,
        Code::HouseNotFound,
        Code::PriceChanged,
    ] {
        world.travel.state().refusal = Some(refusal);
        assert_eq!(code(world.create(GUEST, booking_with_key("k")).await), refusal);
    }
    assert_eq!(world.count("orders").await, 0);
    assert_eq!(world.count("outbox").await, 0);
    // A refusal is not remembered: the same key is judged again.
    world.travel.state().refusal = None;
    assert!(world.create(GUEST, booking_with_key("k")).await.is_ok());
}

#[tokio::test]
async fn the_same_key_is_the_same_order_and_with_another_body_refused() {
    let world = World::new().await;
    let first = world.create(GUEST, booking_with_key("k")).await.unwrap();

    assert_eq!(world.create(GUEST, booking_with_key("k")).await.unwrap(), first);
    let other = pb::CreateRequest {
        guests: 3,
        ..booking_with_key("k")
    };
    assert_eq!(code(world.create(GUEST, other).await), Code::IdempotencyKeyReused);
    assert_eq!(world.count("orders").await, 1);

    // Another guest's key of the same text is another key.
    let refused = world.create(GUEST + 1, booking_with_key("k")).await;
    assert_eq!(code(refused), Code::DatesTaken);
    let elsewhere = pb::CreateRequest {
        house_id: 8,
        ..booking_with_key("k")
    };
    let second = world.create(GUEST + 1, elsewhere).await.unwrap();
    assert_ne!(second.sn, first.sn);
}

#[tokio::test]
async fn the_same_key_at_once_is_one_order_and_without_a_key_one_of_many_gets_the_nights() {
    let world = World::new().await;
    let same = (0..8).map(|_| world.create(GUEST, booking_with_key("k")));
    let orders = futures::future::join_all(same).await;
    let first = orders[0].as_ref().unwrap();
    assert!(orders.iter().all(|order| order.as_ref().unwrap().sn == first.sn));
    assert_eq!(world.count("orders").await, 1);
    assert_eq!(world.count("outbox").await, 2);

    let elsewhere = || pb::CreateRequest {
        house_id: 8,
        ..booking()
    };
    let many = (0..8).map(|_| world.create(GUEST, elsewhere()));
    let mut outcomes: Vec<_> = futures::future::join_all(many).await;
    outcomes.retain(Result::is_ok);
    assert_eq!(outcomes.len(), 1);
    assert_eq!(world.count("orders").await, 2);
}

#[tokio::test]
async fn a_hold_whose_reply_was_lost_becomes_the_order_of_the_repeated_request() {
    let world = World::new().await;
    world.faults.lose(0, peers::Fault::Reply);
    assert_eq!(
        code(world.create(GUEST, booking_with_key("k")).await),
        Code::Timeout
    );
    assert_eq!(world.count("orders").await, 0);
    let first_sn = world
        .travel
        .state()
        .holds
        .values()
        .next()
        .unwrap()
        .request
        .order_sn
        .clone();

    let order = world.create(GUEST, booking_with_key("k")).await.unwrap();

    assert_eq!(order.sn, first_sn);
    assert_eq!(world.travel.held(&order.sn), [1]);
}

#[tokio::test]
async fn an_order_that_comes_after_its_tombstone_is_not_written() {
    let world = World::new().await;
    let orders = world.as_service();
    world.travel.state().meanwhile = Some(Box::new(move |hold| {
        let mut orders = orders.clone();
        Box::pin(async move {
            let holds = vec![pb::HoldRef {
                hold_key: hold.hold_key,
                order_sn: hold.order_sn,
                attempt: 1,
            }];
            let reply = orders
                .resolve_holds(pb::ResolveHoldsRequest { holds })
                .await
                .unwrap();
            assert_eq!(
                reply.into_inner().verdicts,
                [i32::from(pb::resolve_holds_reply::Verdict::Release)]
            );
        })
    }));

    assert_eq!(
        code(world.create(GUEST, booking_with_key("k")).await),
        Code::HoldExpired
    );

    assert_eq!((world.count("orders").await, world.count("outbox").await), (0, 0));
    world.travel.state().meanwhile = None;
    // The key is spent; travel is not even asked.
    world.faults.none();
    assert_eq!(
        code(world.create(GUEST, booking_with_key("k")).await),
        Code::IdempotencyKeyExpired
    );
    assert_eq!(world.faults.calls(), 0);
}

#[tokio::test]
async fn bad_input_is_refused_before_travel_is_asked() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        guests: -10,
        ..booking()
    };
    let error = world.create(GUEST, request).await.unwrap_err();
    assert_eq!(
        (error.code(), error.field_name()),
        (Code::InvalidArgument, Some("guests"))
    );
    assert_eq!(world.faults.calls(), 0);
}

#[tokio::test]
async fn without_a_node_number_nothing_is_held_and_the_guest_may_come_again() {
    let url = "postgres://homestay_order@127.0.0.1:1/none";
    let db = homestay_db::Db::open_postgres(url, 3, homestay_service::Tasks::new())
        .await
        .unwrap();
    let clock = homestay_testkit::clock().0;
    let faults = Faults::default();
    let service = OrderService::new(
        db.clone(),
        db.ids(clock.clone()),
        clock,
        TravelClient::new(homestay_testkit::fake(TravelServer::new(FakeTravel::new(
            faults.clone(),
        )))),
        PaymentClient::new(homestay_testkit::fake(PaymentServer::new(FakePayment::new(
            faults.clone(),
        )))),
        "node-1".into(),
        Config::default(),
    );
    let slot = homestay_testkit::serve(OrderServer::new(service), METHODS);
    let guest = Actor::User {
        id: GUEST,
        role: Role::Guest,
    };
    let mut orders = OrderClient::new(homestay_testkit::channel_as(&slot, &guest));

    let refused = orders.create(booking()).await.unwrap_err();

    assert_eq!(Error::from(refused).code(), Code::Unavailable);
    assert_eq!(faults.calls(), 0);
}
