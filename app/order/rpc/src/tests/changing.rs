//! Changes of dates and guests: two holds side by side, the difference charged or given back.

use super::*;

pub(super) const PAY_TIME: Duration = Duration::from_secs(30 * 60);

/// The usual booking for so many nights from its first.
pub(super) fn nights(sn: &str, nights: i8) -> pb::ChangeRequest {
    pb::ChangeRequest {
        sn: sn.into(),
        check_in: "2026-12-01".into(),
        check_out: format!("2026-12-{:02}", 1 + nights),
        guests: 2,
        route: "POST /v1/orders/{sn}/changes".into(),
        ..Default::default()
    }
}

pub(super) fn with_key(request: pb::ChangeRequest, key: &str) -> pb::ChangeRequest {
    pb::ChangeRequest {
        idempotency_key: key.into(),
        ..request
    }
}

pub(super) async fn quote(world: &World, request: pb::ChangeRequest) -> pb::ChangeView {
    world
        .user(GUEST)
        .quote_change(request)
        .await
        .expect("a quote")
        .into_inner()
}

pub(super) async fn changes(world: &World, sn: &str) -> Vec<(i64, String)> {
    let request = pb::ListChangesRequest { sn: sn.into() };
    let list = world
        .user(GUEST)
        .list_changes(request)
        .await
        .expect("changes")
        .into_inner();
    list.changes
        .into_iter()
        .map(|change| (change.attempt, change.state))
        .collect()
}

#[tokio::test]
async fn a_cheaper_stay_is_applied_at_once_and_the_difference_goes_back() {
    let world = World::new().await;
    let (sn, payment) = world.paid().await;
    let quoted = quote(&world, nights(&sn, 1)).await;

    let reply = world.change(nights(&sn, 1)).await.unwrap();

    let (change, order) = (reply.change.unwrap(), reply.order.unwrap());
    assert_eq!((change.state.as_str(), change.attempt), ("applied", 2));
    assert_eq!(
        (change.refund_cents, quoted.refund_cents, quoted.due_cents),
        (10_000, 10_000, 0)
    );
    assert_eq!(quoted.state, "quote");
    assert_eq!(
        (
            order.state.as_str(),
            order.check_out.as_str(),
            order.total_cents,
            order.attempt
        ),
        ("confirmed", "2026-12-02", 10_000, 2)
    );
    assert_eq!(
        (order.charged_cents, order.refund_cents, order.due_cents),
        (TOTAL, 10_000, 0)
    );
    assert_eq!(world.payment.back(&payment), 10_000);
    assert_eq!(world.payment.of(&payment), "captured");
    assert_eq!(world.travel.held(&sn), [2]);
    assert_eq!(
        steps(&order),
        [
            "Scheduling =x",
            "Pre-Processing =",
            "Processing =",
            "Post-Processing =",
            "Scheduling =",
            "Pre-Processing =",
            "Processing =",
            "Post-Processing -"
        ]
    );
    let outbox = world.outbox().await;
    assert!(outbox.contains(&"event changed".to_owned()));
    assert!(outbox.contains(&format!(
        "job mqueue.notify_order_paid notify.changed:{sn}:2:guest"
    )));
    // What is left can be cancelled to the cent.
    let preview = world.preview(GUEST, &sn).await.unwrap();
    assert_eq!((preview.charged_cents, preview.refund_cents), (10_000, 10_000));
    world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(world.payment.back(&payment), TOTAL);
}

#[tokio::test]
async fn a_dearer_stay_waits_for_its_difference_with_both_holds() {
    let world = World::new().await;
    let (sn, first) = world.paid().await;
    let reply = world.change(nights(&sn, 5)).await.unwrap();
    let (change, order) = (reply.change.unwrap(), reply.order.unwrap());
    assert_eq!((change.state.as_str(), change.due_cents), ("held", 30_000));
    assert_eq!(
        (order.due_cents, order.due_charge, order.total_cents),
        (30_000, 2, TOTAL)
    );
    assert_eq!(order.due_before_ms, world.clock.now_ms() + 1_800_000);
    assert_eq!(
        (order.state.as_str(), order.check_out.as_str()),
        ("confirmed", "2026-12-03")
    );
    assert_eq!(world.travel.held(&sn), [1, 2]);
    assert_eq!(code(world.change(nights(&sn, 3)).await), Code::ChangeOpen);

    let second = world.payment.has_for(&sn, 2, "captured", 30_000);
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");

    let order = world.order(&sn).await;
    assert_eq!(
        (order.check_out.as_str(), order.total_cents, order.due_cents),
        ("2026-12-06", 50_000, 0)
    );
    // Services are told what pays it, the newest first; guests are not.
    let paying: Vec<&str> = order.payment_sns.iter().map(String::as_str).collect();
    assert_eq!(paying, [second.as_ref() as &str, first.as_ref()]);
    assert_eq!(
        (order.charged_cents, order.payment_sn.as_str()),
        (50_000, first.as_str())
    );
    assert_eq!(world.travel.held(&sn), [2]);
    assert!(world.payment.state().refunds.is_empty());
    // A third change gives back from the newest payment first.
    world.change(nights(&sn, 1)).await.unwrap();
    assert_eq!(
        (world.payment.back(&second), world.payment.back(&first)),
        (30_000, 10_000)
    );
    assert_eq!(
        changes(&world, &sn).await,
        [(2, "applied".into()), (3, "applied".into())]
    );
    world.cancel(GUEST, &sn).await.unwrap();
    world.payment.refunds_done();
    assert_eq!(world.advance(&sn).await.unwrap(), "refunded");
    assert_eq!(world.payment.back(&first), TOTAL);
}

#[tokio::test]
async fn a_difference_that_nobody_pays_leaves_the_booking_as_it_was_and_late_money_goes_back() {
    let world = World::new().await;
    let (sn, first) = world.paid().await;
    world.change(nights(&sn, 5)).await.unwrap();
    let open = world.payment.has_for(&sn, 2, "pending", 30_000);
    world.clock.advance(PAY_TIME - Duration::from_millis(1));
    world.advance(&sn).await.unwrap();
    assert_eq!(world.payment.of(&open), "pending");
    world.clock.advance(Duration::from_millis(1));
    let before = world.order(&sn).await;
    world.advance(&sn).await.unwrap();

    let after = world.order(&sn).await;
    assert_eq!(world.payment.of(&open), "closed");
    assert_eq!(
        (after.total_cents, after.attempt, after.due_cents),
        (before.total_cents, 1, 0)
    );
    assert_eq!(after.check_out, "2026-12-03");
    assert_eq!(world.travel.held(&sn), [1]);
    assert_eq!(changes(&world, &sn).await, [(2, "dropped".into())]);

    let late = world.payment.has_for(&sn, 2, "captured", 30_000);
    let wrong = world.payment.has_for(&sn, 2, "captured", 7);
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    assert_eq!(world.payment.of(&late), "refund_pending");
    assert_eq!(world.payment.of(&wrong), "refund_pending");
    assert_eq!(world.payment.of(&first), "captured");
    // Another try has another number.
    let again = world.change(nights(&sn, 3)).await.unwrap().change.unwrap();
    assert_eq!((again.attempt, again.due_cents), (3, 10_000));
}

#[tokio::test]
async fn money_that_is_found_when_a_difference_times_out_wins_and_a_wrong_amount_never() {
    let world = World::new().await;
    let (sn, _) = world.paid().await;
    world.change(nights(&sn, 5)).await.unwrap();
    let wrong = world.payment.has_for(&sn, 2, "captured", 29_999);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.payment.of(&wrong), "refund_pending");
    world.payment.has_for(&sn, 2, "pending", 30_000);
    world.payment.state().captured_at_close = true;
    world.clock.advance(PAY_TIME);
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    assert_eq!(world.order(&sn).await.total_cents, 50_000);
    assert_eq!(world.travel.held(&sn), [2]);
}

#[tokio::test]
async fn an_unpaid_order_changes_its_price_after_its_payment_is_closed() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    let old = world.payment.has(&sn, "pending", TOTAL);
    let reply = world.change(nights(&sn, 3)).await.unwrap();
    let order = reply.order.unwrap();
    assert_eq!(reply.change.unwrap().state, "applied");
    assert_eq!(
        (
            order.state.as_str(),
            order.total_cents,
            order.due_cents,
            order.due_charge
        ),
        ("awaiting_payment", 30_000, 30_000, 2)
    );
    assert_eq!(world.payment.of(&old), "closed");
    assert_eq!(world.travel.held(&sn), [2]);
    // Money for the old price goes back, also if it is the new price's amount; for the new one it confirms.
    let late = world.payment.has(&sn, "captured", 30_000);
    assert_eq!(world.advance(&sn).await.unwrap(), "awaiting_payment");
    assert_eq!(world.payment.of(&late), "refund_pending");
    let right = world.payment.has_for(&sn, 2, "captured", 30_000);
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    assert_eq!(world.payment.of(&right), "captured");
    assert_eq!(
        steps(&world.order(&sn).await),
        [
            "Scheduling =x",
            "Pre-Processing -x",
            "Scheduling =",
            "Pre-Processing =",
            "Processing =",
            "Post-Processing -"
        ]
    );
}

#[tokio::test]
async fn money_that_came_before_a_change_of_an_unpaid_order_makes_it_a_change_of_a_paid_one() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    let payment = world.payment.has(&sn, "pending", TOTAL);
    world.payment.state().captured_at_close = true;
    let order = world.change(nights(&sn, 3)).await.unwrap().order.unwrap();
    assert_eq!(
        (order.state.as_str(), order.due_cents, order.due_charge),
        ("confirmed", 10_000, 2)
    );
    assert_eq!(order.payment_sn, payment);
    world.payment.has_for(&sn, 2, "captured", 10_000);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.order(&sn).await.total_cents, 30_000);
}

#[tokio::test]
async fn the_same_key_is_the_same_change_and_with_another_body_refused() {
    let world = World::new().await;
    let (sn, payment) = world.paid().await;
    let first = world.change(with_key(nights(&sn, 1), "k")).await.unwrap();
    let again = world.change(with_key(nights(&sn, 1), "k")).await.unwrap();
    assert_eq!(first.change, again.change);
    assert_eq!(world.payment.back(&payment), 10_000);
    assert_eq!(
        code(world.change(with_key(nights(&sn, 3), "k")).await),
        Code::IdempotencyKeyReused
    );
    // A refusal is evaluated anew under its key.
    world.travel.state().refusal = Some(Code::DatesTaken);
    assert_eq!(
        code(world.change(with_key(nights(&sn, 4), "l")).await),
        Code::DatesTaken
    );
    world.travel.state().refusal = None;
    let reply = world.change(with_key(nights(&sn, 4), "l")).await.unwrap();
    assert_eq!(reply.change.unwrap().state, "held");
    assert_eq!(
        changes(&world, &sn).await,
        [(2, "applied".into()), (3, "refused".into()), (4, "held".into())]
    );
}

#[tokio::test]
async fn a_refused_change_leaves_everything_as_it_was() {
    let world = World::new().await;
    let (sn, _) = world.paid().await;
    let before = world.order(&sn).await;
    world.travel.state().refusal = Some(Code::DatesClosed);
    assert_eq!(code(world.change(nights(&sn, 5)).await), Code::DatesClosed);
    world.travel.state().refusal = None;
    assert_eq!(world.order(&sn).await, before);
    assert_eq!(world.travel.held(&sn), [1]);
    let request = pb::ChangeRequest {
        expected_total_cents: 1,
        ..nights(&sn, 5)
    };
    assert_eq!(code(world.change(request).await), Code::PriceChanged);
    assert_eq!(world.travel.held(&sn), [1]);
    let request = pb::ChangeRequest {
        expected_total_cents: 50_000,
        ..nights(&sn, 5)
    };
    assert_eq!(world.change(request).await.unwrap().change.unwrap().state, "held");
}

#[tokio::test]
async fn what_cannot_be_changed_is_not_and_strangers_learn_nothing() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    assert_eq!(code(world.change(nights(&sn, 2)).await), Code::InvalidArgument);
    let foreign = world.user(GUEST + 1).change(nights(&sn, 3)).await.unwrap_err();
    assert_eq!(Error::from(foreign).code(), Code::OrderNotFound);
    let host = world
        .as_role(6, Role::Host)
        .change(nights(&sn, 3))
        .await
        .unwrap_err();
    assert_eq!(Error::from(host).code(), Code::OrderNotFound);
    for (edit, field) in [
        (
            pb::ChangeRequest {
                guests: 0,
                ..nights(&sn, 3)
            },
            "guests",
        ),
        (
            pb::ChangeRequest {
                check_in: "x".into(),
                ..nights(&sn, 3)
            },
            "checkIn",
        ),
        (
            pb::ChangeRequest {
                check_out: "2026-11-30".into(),
                ..nights(&sn, 3)
            },
            "checkOut",
        ),
        (
            pb::ChangeRequest {
                expected_total_cents: -1,
                ..nights(&sn, 3)
            },
            "expectedTotalCents",
        ),
        (with_key(nights(&sn, 3), "a b"), "Idempotency-Key"),
    ] {
        let error = world.change(edit).await.unwrap_err();
        assert_eq!(error.field_name(), Some(field));
    }
    world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(code(world.change(nights(&sn, 3)).await), Code::OrderState);
    let (sn, _) = world.paid().await;
    world.clock.advance(Duration::from_secs(15 * 24 * 3600));
    assert_eq!(code(world.change(nights(&sn, 3)).await), Code::OrderState);
}

#[tokio::test]
async fn guests_of_a_house_sold_per_person_change_the_price() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        house_id: 50,
        ..booking()
    };
    let sn = world.create(GUEST, request).await.unwrap().sn;
    let payment = world.payment.has(&sn, "captured", 40_000);
    world.advance(&sn).await.unwrap();
    let alone = pb::ChangeRequest {
        guests: 1,
        ..nights(&sn, 2)
    };
    let order = world.change(alone).await.unwrap().order.unwrap();
    assert_eq!((order.guests, order.total_cents), (1, 20_000));
    assert_eq!(world.payment.back(&payment), 20_000);
    let meals = pb::ChangeRequest {
        guests: 1,
        meals: Some(true),
        ..nights(&sn, 2)
    };
    let order = world.change(meals).await.unwrap().order.unwrap();
    assert_eq!(order.due_cents, 6_000);
}

#[tokio::test]
async fn a_cancellation_or_the_closing_during_a_change_ends_both() {
    let world = World::new().await;
    let (sn, first) = world.paid().await;
    world.change(nights(&sn, 5)).await.unwrap();
    let open = world.payment.has_for(&sn, 2, "pending", 30_000);
    let order = world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(
        (order.state.as_str(), order.refund_cents),
        ("refund_pending", TOTAL)
    );
    assert!(world.travel.held(&sn).is_empty());
    assert_eq!(world.payment.of(&open), "closed");
    assert_eq!(changes(&world, &sn).await, [(2, "dropped".into())]);
    let late = world.payment.has_for(&sn, 2, "captured", 30_000);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.payment.of(&late), "refund_pending");
    assert_eq!(world.payment.of(&first), "refund_pending");

    let world = World::new().await;
    let sn = world.booked().await.sn;
    world.payment.state().provider_down = true;
    assert_eq!(
        world.change(nights(&sn, 5)).await.unwrap().change.unwrap().state,
        "held"
    );
    assert_eq!(world.order(&sn).await.due_cents, 0);
    world.clock.advance(PAY_TIME);
    world.payment.state().provider_down = false;
    assert_eq!(world.advance(&sn).await.unwrap(), "cancelled");
    assert!(world.travel.held(&sn).is_empty());
    assert_eq!(changes(&world, &sn).await, [(2, "dropped".into())]);
}

#[tokio::test]
async fn travel_is_told_to_wait_with_holds_that_a_change_decides() {
    use pb::resolve_holds_reply::Verdict::{Bind, Release, Wait};
    let world = World::new().await;
    let (sn, _) = world.paid().await;
    world.change(nights(&sn, 5)).await.unwrap();
    let keys: Vec<String> = world
        .travel
        .state()
        .holds
        .values()
        .map(|hold| hold.request.hold_key.clone())
        .collect();
    let (old, new) = (keys[0].clone(), keys[1].clone());
    assert!(new.ends_with("#2"));
    let refs = [(old.as_str(), sn.as_str(), 1), (new.as_str(), sn.as_str(), 2)];
    assert_eq!(world.resolve(&refs).await, [Bind, Wait]);
    world.payment.has_for(&sn, 2, "captured", 30_000);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.resolve(&refs).await, [Release, Bind]);
    world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(world.resolve(&refs).await, [Release, Release]);
}

#[tokio::test]
async fn the_sweep_finishes_a_change_that_everybody_has_forgotten() {
    let world = World::new().await;
    let (sn, _) = world.paid().await;
    world.travel.state().down = true;
    assert_eq!(code(world.change(nights(&sn, 1)).await), Code::Unavailable);
    assert!(
        world
            .outbox()
            .await
            .contains(&format!("job order.advance order.change.2:{sn}"))
    );
    world.travel.state().down = false;
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(world.sweep().await, 1);
    let order = world.order(&sn).await;
    assert_eq!((order.total_cents, order.attempt), (10_000, 2));
    assert_eq!(world.travel.held(&sn), [2]);
    assert_eq!(world.sweep().await, 0);
}

#[tokio::test]
async fn a_change_to_nothing_is_confirmed_without_a_payment() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        house_id: 99,
        ..booking()
    };
    let sn = world.create(GUEST, request).await.unwrap().sn;
    let order = world.change(nights(&sn, 4)).await.unwrap().order.unwrap();
    assert_eq!(
        (order.state.as_str(), order.check_out.as_str()),
        ("confirmed", "2026-12-05")
    );
    assert_eq!(world.travel.held(&sn), [2]);
}
