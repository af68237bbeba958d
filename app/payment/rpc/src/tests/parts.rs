//! Refunds in parts, several a payment.

use futures::future::join_all;
use homestay_error::Code;

use super::books::{assert_books, balances};
use super::shaky::Fault;
use super::support::{World, code, says};
use crate::sandbox::Notification;

#[tokio::test]
async fn a_payment_gives_back_in_parts_until_nothing_is_left() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    for (cents, key, refunded, state) in [
        (100, "change:2", 100, "captured"),
        (500, "change:3", 600, "captured"),
        (0, "", 25_600, "refunded"),
    ] {
        let refund = world.refund_part(&payment.sn, cents, key).await.unwrap();
        assert_eq!(refund.state, "pending");
        let on_its_way = world.get(&payment.sn).await;
        assert_eq!(on_its_way.refund_reserved_cents, refunded);
        assert!(on_its_way.refunded_cents < refunded);
        assert_eq!(world.run_jobs().await, []);
        let got = world.get(&payment.sn).await;
        assert_eq!(
            (got.state.as_str(), got.refunded_cents, got.refund_reserved_cents),
            (state, refunded, refunded)
        );
        // Asked again, however late: the same.
        let again = world.refund_part(&payment.sn, cents, key).await.unwrap();
        assert_eq!(
            (again.sn.as_str(), again.state.as_str()),
            (refund.sn.as_str(), "succeeded")
        );
    }
    assert_eq!(world.charge(&payment).await, "refunded");
    let told: Vec<_> = world
        .events()
        .await
        .iter()
        .map(|event| (event.pay_status, event.refunded_cents))
        .collect();
    assert_eq!(told, [(1, 0), (1, 100), (1, 600), (2, 25_600)]);
    let ids: std::collections::HashSet<_> = world
        .events()
        .await
        .into_iter()
        .map(|event| event.event_id)
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(balances(&world.db.db).await, []);
    assert_books(&world).await;
}

#[tokio::test]
async fn more_than_is_left_or_another_amount_under_a_key_is_refused() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    world.refund_part(&payment.sn, 25_000, "a").await.unwrap();
    for (cents, key, want) in [
        (601, "b", Code::RefundExceeds),
        (24_999, "a", Code::IdempotencyKeyReused),
        (-1, "b", Code::InvalidArgument),
        (i64::MAX, "b", Code::RefundExceeds),
    ] {
        let refused = world.refund_part(&payment.sn, cents, key).await.unwrap_err();
        assert_eq!(code(refused), want, "{cents} {key}");
    }
    let got = world.get(&payment.sn).await;
    assert_eq!(
        (got.state.as_str(), got.refund_reserved_cents),
        ("captured", 25_000)
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM refund").await, 1);
}

#[tokio::test]
async fn parts_asked_for_at_once_never_take_more_than_there_is() {
    let world = World::start().await;
    let payment = world.captured(1_000).await;
    let keys: Vec<_> = (0..10).map(|nth| format!("part:{nth}")).collect();
    let all = join_all(keys.iter().map(|key| world.refund_part(&payment.sn, 300, key))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 3);
    for refused in all.into_iter().filter_map(Result::err) {
        assert_eq!(code(refused), Code::RefundExceeds);
    }
    // And one key at once is one refund.
    let payment = world.captured(1_000).await;
    let same = join_all((0..8).map(|_| world.refund_part(&payment.sn, 300, "same"))).await;
    let first = same[0].as_ref().unwrap();
    assert!(same.iter().all(|one| one.as_ref().unwrap() == first));
    assert_eq!(world.get(&payment.sn).await.refund_reserved_cents, 300);
    assert_eq!(world.run_jobs().await, []);
    assert_books(&world).await;
}

#[tokio::test]
async fn a_part_the_provider_gave_back_by_itself_is_recorded_once_and_shown_to_a_person() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    let own = Notification {
        total_cents: 600,
        refund_sn: "dashboard-1".to_owned(),
        ..says("refunded", &payment)
    };
    // Also under another id of the event: the refund's own number counts.
    let renamed = Notification {
        event_id: "again".to_owned(),
        ..own.clone()
    };
    for said in [&own, &own, &renamed] {
        assert_eq!(world.call_back(said).await.0, 200);
    }
    let got = world.get(&payment.sn).await;
    assert_eq!(
        (got.state.as_str(), got.refunded_cents, got.refund_reserved_cents),
        ("captured", 600, 600)
    );
    assert_eq!(world.open_cases().await, ["provider_refund"]);
    // What is left is what can still be given back.
    let refused = world.refund_part(&payment.sn, 25_001, "a").await.unwrap_err();
    assert_eq!(code(refused), Code::RefundExceeds);
    assert_books(&world).await;
}

#[tokio::test]
async fn money_the_provider_gave_back_by_itself_ends_the_refund_that_waited_for_it() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    let refund = world.refund(&payment.sn).await.unwrap();
    world.fail("refund", Fault::Refused);
    assert_eq!(world.execute_refund(&refund.sn).await.unwrap().state, "failed");
    assert_eq!(world.call_back(&says("refunded", &payment)).await.0, 200);
    let refund = world.execute_refund(&refund.sn).await.unwrap();
    assert_eq!(
        (refund.state.as_str(), refund.failure.as_str()),
        ("succeeded", "")
    );
    assert_eq!(world.get(&payment.sn).await.state, "refunded");
    // The case that was open for it is void.
    assert_eq!(world.open_cases().await, [] as [&str; 0]);
    assert_books(&world).await;
}

#[tokio::test]
async fn more_than_was_left_given_back_by_the_provider_is_a_case() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    world.refund_part(&payment.sn, 25_000, "a").await.unwrap();
    let own = Notification {
        total_cents: 700,
        ..says("refunded", &payment)
    };
    for _ in 0..2 {
        assert_eq!(world.call_back(&own).await.0, 200);
    }
    assert_eq!(world.open_cases().await, ["provider_refund"]);
    assert_eq!(world.get(&payment.sn).await.refunded_cents, 0);
    assert_books(&world).await;
}

#[tokio::test]
async fn a_refused_part_that_is_paid_back_by_hand_is_done_and_comes_out_of_nothing_else() {
    let world = World::start().await;
    let payment = world.captured(100).await;
    let refund = world.refund_part(&payment.sn, 50, "cancel").await.unwrap();
    world.fail("refund", Fault::Refused);
    assert_eq!(world.run_jobs().await, []);
    world.heal();
    let by_hand = Notification {
        total_cents: 50,
        refund_sn: "dashboard-1".to_owned(),
        ..says("refunded", &payment)
    };
    // Also under another id of the event: the number by which it came counts.
    let renamed = Notification {
        event_id: "again".to_owned(),
        ..by_hand.clone()
    };
    for said in [&by_hand, &by_hand, &renamed] {
        assert_eq!(world.call_back(said).await.0, 200);
    }
    assert_eq!(world.execute_refund_state(&refund.sn).await, "succeeded");
    let got = world.get(&payment.sn).await;
    assert_eq!((got.refunded_cents, got.refund_reserved_cents), (50, 50));
    assert_eq!(world.open_cases().await, [] as [&str; 0]);
    world.settle(&payment.order_sn, 50, "cancel").await.unwrap();
    assert_books(&world).await;
    // If ours goes back as well after all, somebody hears of it.
    let ours = Notification {
        event_id: "ours".to_owned(),
        refund_sn: refund.sn.clone(),
        ..by_hand
    };
    assert_eq!(world.call_back(&ours).await.0, 200);
    assert_eq!(world.open_cases().await, ["provider_refund"]);
    assert_books(&world).await;
}
