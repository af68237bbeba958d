use futures::FutureExt;
use futures::future::join_all;
use homestay_error::Code;
use homestay_proto::payment as pb;
use homestay_testkit::NOW_MS;

use super::shaky::{Fault, Hook};
use super::support::{GUEST, PAY_BEFORE, STAFF, STRANGER, World, code, says};

fn request(order_sn: &str) -> pb::CreateRequest {
    pb::CreateRequest {
        order_sn: order_sn.to_owned(),
        service_type: "homestayOrder".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_payment_has_the_orders_amount_and_end_and_an_absolute_unguessable_address() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    assert!(payment.sn.starts_with("PMT"));
    assert_eq!(
        (payment.order_sn.as_str(), payment.user_id, payment.amount_cents),
        (order.as_str(), GUEST, 25_600)
    );
    assert_eq!(
        (
            payment.state.as_str(),
            payment.currency.as_str(),
            payment.pay_type.as_str()
        ),
        ("pending", "CNY", "SANDBOX")
    );
    assert_eq!(payment.expires_at_ms, NOW_MS + 1_800_000);
    assert_eq!((payment.created_at_ms, payment.captured_at_ms), (NOW_MS, 0));
    let token = super::support::token(&payment);
    assert_eq!(token.len(), 64);
    assert!(!payment.provider_ref.contains(&token));
    let page = pb::SandboxPageRequest { token };
    let page = world.as_nobody().sandbox_page(page).await.unwrap().into_inner();
    assert_eq!(page.description, "Lake house, 2026-12-01 to 2026-12-03");
    assert_eq!((page.state.as_str(), page.amount_cents), ("open", 25_600));
}

#[tokio::test]
async fn paying_again_answers_with_the_same_payment_and_prepay() {
    let world = World::start().await;
    let order = world.order(25_600);
    let first = world.create(&order).await.unwrap();
    let second = world.create(&order).await.unwrap();
    assert_eq!(second, first);
    assert_eq!(world.count("SELECT COUNT(*) FROM sandbox_charge").await, 1);
}

/// Pays with a key as the guest.
async fn keyed(world: &World, order_sn: &str, key: &str) -> Result<pb::PaymentView, tonic::Status> {
    let request = pb::CreateRequest {
        idempotency_key: key.to_owned(),
        route: "POST /v1/payments".to_owned(),
        ..request(order_sn)
    };
    Ok(world.as_user(GUEST).create(request).await?.into_inner())
}

#[tokio::test]
async fn a_key_stands_for_one_order_and_its_payment() {
    let world = World::start().await;
    let (order, other) = (world.order(25_600), world.order(100));
    let first = keyed(&world, &order, "k").await.unwrap();
    assert_eq!(keyed(&world, &order, "k").await.unwrap(), first);
    let reused = keyed(&world, &other, "k").await.unwrap_err();
    assert_eq!(code(reused), Code::IdempotencyKeyReused);
    assert!(world.list(&other).await.is_empty());
    // Another key of the same order finds the live payment; another route is another key.
    assert_eq!(keyed(&world, &order, "l").await.unwrap(), first);
    let elsewhere = pb::CreateRequest {
        idempotency_key: "k".to_owned(),
        route: "POST /v2/payments".to_owned(),
        ..request(&other)
    };
    assert!(world.as_user(GUEST).create(elsewhere).await.is_ok());
}

#[tokio::test]
async fn a_key_answers_with_its_payment_after_the_payment_has_ended() {
    let world = World::start().await;
    let order = world.order(25_600);
    let failed = keyed(&world, &order, "k").await.unwrap();
    world.act(&failed, "fail").await.unwrap();
    let again = keyed(&world, &order, "k").await.unwrap();
    assert_eq!((&again.sn, again.state.as_str()), (&failed.sn, "failed"));
    let second = keyed(&world, &order, "l").await.unwrap();
    assert_ne!(second.sn, failed.sn);
    world.set_order_state(&order, "cancelled");
    assert_eq!(keyed(&world, &order, "l").await.unwrap().sn, second.sn);
    assert_eq!(
        code(keyed(&world, &order, "m").await.unwrap_err()),
        Code::NotPayable
    );
}

#[tokio::test]
async fn a_key_whose_prepay_was_cut_off_goes_on_with_the_same_payment() {
    let world = World::start().await;
    let order = world.order(25_600);
    world.fail("prepay", Fault::Down);
    assert_eq!(
        code(keyed(&world, &order, "k").await.unwrap_err()),
        Code::Provider
    );
    world.heal();
    let payment = keyed(&world, &order, "k").await.unwrap();
    assert_eq!(payment.state, "pending");
    assert_eq!(world.count("SELECT COUNT(*) FROM payment").await, 1);
}

#[tokio::test]
async fn of_two_orders_at_once_under_one_key_one_is_paid() {
    let world = World::start().await;
    let (one, two) = (world.order(100), world.order(200));
    let answers = join_all([keyed(&world, &one, "k"), keyed(&world, &two, "k")]).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM payment").await, 1);
}

#[tokio::test]
async fn many_at_once_make_one_payment() {
    let world = World::start().await;
    let order = world.order(25_600);
    let all = join_all((0..16).map(|_| world.create(&order))).await;
    let first = all[0].as_ref().unwrap();
    assert!(all.iter().all(|one| one.as_ref().unwrap() == first));
    assert_eq!(world.count("SELECT COUNT(*) FROM payment").await, 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM sandbox_charge").await, 1);
}

#[tokio::test]
async fn foreign_unknown_and_unpayable_orders_are_refused_and_leave_nothing() {
    let world = World::start().await;
    let order = world.order(25_600);
    let mut stranger = world.as_user(STRANGER);
    let foreign = stranger.create(request(&order)).await.unwrap_err();
    assert_eq!(code(foreign), Code::OrderNotFound);
    // An operator sees the order, but cannot pay for the guest.
    let staff = world.as_staff(STAFF).create(request(&order)).await.unwrap_err();
    assert_eq!(code(staff), Code::OrderNotFound);

    let cancelled = world.order(100);
    world.set_order_state(&cancelled, "cancelled");
    let confirmed = world.order(100);
    world.set_order_state(&confirmed, "confirmed");
    let free = world.order(0);
    for (order, want) in [
        ("HSO2026112110155912345678", Code::OrderNotFound),
        ("PMT2026112110155912345678", Code::OrderNotFound),
        ("nonsense", Code::OrderNotFound),
        ("", Code::InvalidArgument),
        (&cancelled, Code::NotPayable),
        (&confirmed, Code::NotPayable),
        (&free, Code::NotPayable),
    ] {
        let refused = world.create(order).await.unwrap_err();
        assert_eq!(code(refused), want, "{order}");
    }
    for kind in ["", "meal", "homestayorder"] {
        let wrong = pb::CreateRequest {
            service_type: kind.to_owned(),
            ..request(&order)
        };
        let refused = world.as_user(GUEST).create(wrong).await.unwrap_err();
        assert_eq!(code(refused), Code::ServiceType, "{kind}");
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM payment").await, 0);
}

#[tokio::test]
async fn an_order_past_its_pay_before_cannot_be_paid() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.clock.advance(PAY_BEFORE);
    assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    assert_eq!(world.charge(&payment).await, "closed");
    world.act(&payment, "pay").await.unwrap();
    assert_eq!(world.charge(&payment).await, "closed");
}

#[tokio::test]
async fn a_prepay_that_was_cut_off_is_repeated_for_the_same_payment() {
    for fault in [Fault::Down, Fault::AnswerLost] {
        let world = World::start().await;
        let order = world.order(25_600);
        world.fail("prepay", fault);
        assert_eq!(code(world.create(&order).await.unwrap_err()), Code::Provider);
        let left = &world.list(&order).await[0];
        assert_eq!((left.state.as_str(), left.pay_url.as_str()), ("created", ""));
        world.heal();
        let payment = world.create(&order).await.unwrap();
        assert_eq!((&payment.sn, payment.state.as_str()), (&left.sn, "pending"));
        assert_eq!(
            world.count("SELECT COUNT(*) FROM sandbox_charge").await,
            1,
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_callback_may_come_before_the_prepay_has_returned() {
    let world = World::start().await;
    let order = world.order(25_600);
    world.fail("prepay", Fault::AnswerLost);
    world.create(&order).await.unwrap_err();
    let created = world.list(&order).await.remove(0);
    assert_eq!(created.state, "created");
    world.heal();
    let provider_says = says("captured", &created);
    // The money comes while the repeated prepay is under way.
    let (mut nobody, clock) = (world.as_nobody(), world.clock.clone());
    let hook = move || {
        async move {
            let body = serde_json::to_vec(&provider_says).unwrap();
            let signature = crate::sandbox::sign(b"sandbox-secret", clock.now_ms() / 1000, &body);
            let request = pb::CallbackRequest {
                provider: "sandbox".to_owned(),
                headers: [(crate::sandbox::HEADER.to_owned(), signature)].into(),
                body,
            };
            let reply = nobody.callback(request).await.unwrap().into_inner();
            assert_eq!(reply.status, 200);
        }
        .boxed()
    };
    *world.provider.before_prepay_returns.lock().unwrap() = Some(Box::new(hook));
    let payment = world.create(&order).await.unwrap();
    assert_eq!(
        (payment.state.as_str(), payment.captured_at_ms),
        ("captured", NOW_MS + 1)
    );
    assert!(!payment.pay_url.is_empty());
    assert_eq!(world.statuses().await, [1]);
}

#[tokio::test]
async fn an_order_that_closes_during_the_prepay_leaves_nothing_payable() {
    // While the request is on its way the provider knows nothing; while the answer is, it has an open charge.
    for arrives in [true, false] {
        let world = World::start().await;
        let order = world.order(25_600);
        let (mut service, order_sn) = (world.as_service(), order.clone());
        let close: Hook = Box::new(move || {
            async move {
                let request = pb::CloseForOrderRequest {
                    order_sn,
                    ..Default::default()
                };
                service.close_for_order(request).await.unwrap();
            }
            .boxed()
        });
        let provider = &world.provider;
        let moment = if arrives {
            &provider.before_prepay_arrives
        } else {
            &provider.before_prepay_returns
        };
        *moment.lock().unwrap() = Some(close);
        assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
        let payment = world.list(&order).await.remove(0);
        assert_eq!(payment.state, "closed");
        assert_eq!(world.charge(&payment).await, "closed");
        assert_eq!(world.statuses().await, [-1]);
    }
}

#[tokio::test]
async fn after_a_declined_payment_the_order_can_be_paid_again() {
    let world = World::start().await;
    let order = world.order(25_600);
    let first = world.create(&order).await.unwrap();
    assert_eq!(world.act(&first, "fail").await.unwrap().state, "failed");
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&first.sn).await.state, "failed");

    let second = world.create(&order).await.unwrap();
    assert_ne!(second.sn, first.sn);
    assert_ne!(second.pay_url, first.pay_url);
    world.act(&second, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    let states: Vec<_> = world.list(&order).await.into_iter().map(|p| p.state).collect();
    assert_eq!(states, ["failed", "captured"]);
    let events = world.events().await;
    assert_eq!(
        (
            events[0].pay_status,
            events[1].pay_status,
            events[1].payment_sn.as_str()
        ),
        (-1, 1, second.sn.as_str())
    );
}

#[tokio::test]
async fn a_decline_whose_callback_is_still_under_way_does_not_keep_the_guest_from_paying() {
    let world = World::start().await;
    let order = world.order(25_600);
    let first = world.create(&order).await.unwrap();
    world.act(&first, "fail").await.unwrap();
    let second = world.create(&order).await.unwrap();
    assert_ne!(second.sn, first.sn);
    assert_eq!(world.get(&first.sn).await.state, "failed");
    // The callback comes later and changes nothing.
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.statuses().await, [-1]);
}

#[tokio::test]
async fn a_paid_order_gets_no_second_payment_while_it_waits_to_be_confirmed() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay").await.unwrap();
    // Neither before the callback nor after it.
    for _ in 0..2 {
        let again = world.create(&order).await.unwrap();
        assert_eq!(
            (again.sn.as_str(), again.state.as_str()),
            (payment.sn.as_str(), "captured")
        );
        assert_eq!(world.run_jobs().await, []);
    }
    assert_eq!(world.statuses().await, [1]);
}

#[tokio::test]
async fn late_money_for_a_declined_payment_also_means_paid() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    assert_eq!(world.call_back(&says("failed", &payment)).await.0, 200);
    assert_eq!(world.call_back(&says("captured", &payment)).await.0, 200);
    let again = world.create(&order).await.unwrap();
    assert_eq!(
        (again.sn.as_str(), again.state.as_str()),
        (payment.sn.as_str(), "captured")
    );
}

#[tokio::test]
async fn a_payment_whose_time_is_over_makes_room_if_the_order_has_got_more() {
    let world = World::start().await;
    let order = world.order(25_600);
    let first = world.create(&order).await.unwrap();
    world.clock.advance(PAY_BEFORE);
    world.extend_order(&order, PAY_BEFORE);
    let second = world.create(&order).await.unwrap();
    assert_ne!(second.sn, first.sn);
    assert_eq!(second.expires_at_ms, NOW_MS + 2 * 1_800_000);
    assert_eq!(world.charge(&second).await, "open");
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_does_not_hide_the_pay_page() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.fail("query", Fault::Down);
    assert_eq!(world.create(&order).await.unwrap(), payment);
}
