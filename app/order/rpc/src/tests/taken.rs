//! Money that goes back without the order's wish: what is left is what a cancellation is reckoned on.

use super::cancelling::{HOST, HOUR, paid_before};
use super::changing::nights;
use super::*;

/// What the provider gives of its own accord.
const GIVEN: i64 = TOTAL * 3 / 5;
const LEFT: i64 = TOTAL - GIVEN;

fn cases(world: &World) -> Vec<String> {
    let all = world.payment.state();
    let ours = all.cases.iter().filter(|case| !case.contains(":provider:"));
    ours.cloned().collect()
}

fn settled(world: &World, sn: &str) -> i64 {
    world.payment.state().settled.get(sn).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_cancellation_is_reckoned_on_what_the_provider_has_left_and_the_preview_says_so() {
    for told in [false, true] {
        let (world, sn, payment) = paid_before(100 * HOUR).await;
        world.payment.gives_back(&payment, GIVEN);
        if told {
            assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
        }

        let preview = world.preview(GUEST, &sn).await.unwrap();
        let cancelled = world.cancel(GUEST, &sn).await.unwrap();

        assert_eq!(
            (preview.charged_cents, preview.refund_cents, preview.kept_cents),
            (LEFT, LEFT / 2, LEFT / 2)
        );
        assert_eq!(
            (
                cancelled.charged_cents,
                cancelled.refund_cents,
                cancelled.kept_cents
            ),
            (TOTAL, GIVEN + LEFT / 2, LEFT / 2)
        );
        assert_eq!(world.payment.back(&payment), GIVEN + LEFT / 2);
        assert_eq!(settled(&world, &sn), LEFT / 2);
        assert!(cases(&world).is_empty());
        world.payment.refunds_done();
        assert_eq!(world.advance(&sn).await.unwrap(), "refunded");
    }
}

#[tokio::test]
async fn a_host_who_cancels_gives_all_that_is_left() {
    let (world, sn, payment) = paid_before(HOUR).await;
    world.payment.gives_back(&payment, GIVEN);
    let request = pb::CancelRequest {
        sn: sn.clone(),
        expected_refund_cents: Some(LEFT),
        ..Default::default()
    };
    world.as_role(HOST, Role::Host).cancel(request).await.unwrap();
    assert_eq!(world.payment.back(&payment), TOTAL);
    assert!(cases(&world).is_empty());
}

#[tokio::test]
async fn a_cheaper_stay_gives_no_more_than_is_left() {
    let (world, sn, payment) = paid_before(200 * HOUR).await;
    world.payment.gives_back(&payment, GIVEN);
    let quoted = world.user(GUEST).quote_change(nights(&sn, 1)).await.unwrap();
    let change = world.change(nights(&sn, 1)).await.unwrap().change.unwrap();
    assert_eq!((change.state.as_str(), change.refund_cents), ("applied", LEFT));
    assert_eq!(quoted.into_inner().refund_cents, LEFT);
    assert_eq!(world.payment.back(&payment), TOTAL);
    assert_eq!(world.order(&sn).await.refund_cents, TOTAL);
    assert!(cases(&world).is_empty());
}

#[tokio::test]
async fn the_rest_of_a_payment_given_back_too_ends_the_booking() {
    let (world, sn, payment) = paid_before(HOUR).await;
    world.payment.gives_back(&payment, GIVEN);
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    world.payment.gives_back(&payment, LEFT);
    assert_eq!(world.advance(&sn).await.unwrap(), "refunded");
    assert!(world.travel.held(&sn).is_empty());
}

/// Cancelled while payment-rpc was silent, and then the provider gave of what was promised and kept.
async fn cancelled_before(given: i64) -> (World, String, String) {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.payment.state().down = true;
    world.cancel(GUEST, &sn).await.unwrap();
    world.payment.state().down = false;
    world.payment.gives_back(&payment, given);
    world.faults.none();
    (world, sn, payment)
}

/// What came of it: back of the payment, kept, settled, cases.
async fn outcome(world: &World, sn: &str, payment: &str) -> (i64, i64, i64, Vec<String>) {
    let kept = world.order(sn).await.kept_cents;
    (
        world.payment.back(payment),
        kept,
        settled(world, sn),
        cases(world),
    )
}

#[tokio::test]
async fn more_than_is_left_is_not_lost_but_a_case_and_the_order_comes_to_its_end() {
    let half = TOTAL / 2;
    for (given, kept) in [(GIVEN, 0), (half / 2, half / 2)] {
        let (world, sn, payment) = cancelled_before(given).await;
        world.advance(&sn).await.unwrap();
        let calls = world.faults.calls();
        let want = outcome(&world, &sn, &payment).await;
        let kept_case = format!("{sn}:{half}");
        let cases = if kept == 0 {
            vec![format!("{payment}:cancel"), kept_case]
        } else {
            vec![kept_case]
        };
        assert_eq!(want, (given + (TOTAL - given).min(half), kept, kept, cases));
        world.payment.refunds_done();
        assert_eq!(world.advance(&sn).await.unwrap(), "refunded");
        let before = world.dump().await;
        world.advance(&sn).await.unwrap();
        assert_eq!(world.dump().await, before);
        assert_eq!(outcome(&world, &sn, &payment).await, want);

        // Whichever call is lost, the next run makes it good.
        for nth in 0..calls {
            for fault in [peers::Fault::Request, peers::Fault::Reply] {
                let (world, sn, payment) = cancelled_before(given).await;
                world.faults.lose(nth, fault);
                let _ = world.advance(&sn).await;
                world.faults.none();
                world.advance(&sn).await.unwrap();
                let got = outcome(&world, &sn, &payment).await;
                assert_eq!((got.0, got.1, got.2), (want.0, want.1, want.2), "{nth} {fault:?}");
                assert_eq!(got.3.len(), want.3.len(), "{nth} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_that_travel_refuses_is_no_trouble_of_who_advances() {
    let (world, sn, _) = paid_before(200 * HOUR).await;
    world.travel.state().down = true;
    assert_eq!(code(world.change(nights(&sn, 1)).await), Code::Unavailable);
    world.travel.state().down = false;
    world.travel.state().refusal = Some(Code::DatesTaken);

    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");

    assert_eq!(
        super::changing::changes(&world, &sn).await,
        [(2, "refused".into())]
    );
}

fn keyed(sn: &str) -> pb::ChangeRequest {
    pb::ChangeRequest {
        idempotency_key: "twice".into(),
        ..nights(sn, 1)
    }
}

#[tokio::test]
async fn a_key_that_comes_twice_at_once_is_one_change() {
    for _ in 0..8 {
        let world = World::new().await;
        let (sn, payment) = world.paid().await;
        let all = futures::future::join_all((0..4).map(|_| world.change(keyed(&sn)))).await;
        for reply in all {
            let change = reply.unwrap().change.unwrap();
            assert_eq!((change.attempt, change.state.as_str()), (2, "applied"));
        }
        assert_eq!(super::changing::changes(&world, &sn).await.len(), 1);
        assert_eq!(world.payment.back(&payment), TOTAL / 2);
    }
}

#[tokio::test]
async fn a_key_that_comes_for_two_orders_at_once_is_refused_for_one() {
    for _ in 0..8 {
        let world = World::new().await;
        let (first, _) = world.paid().await;
        let other = pb::CreateRequest {
            house_id: 8,
            ..booking()
        };
        let second = world.create(GUEST, other).await.unwrap().sn;
        world.payment.has(&second, "captured", TOTAL);
        world.advance(&second).await.unwrap();

        let (one, two) = tokio::join!(world.change(keyed(&first)), world.change(keyed(&second)));

        let (kept, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(kept.is_ok(), "{kept:?}");
        assert_eq!(code(refused), Code::IdempotencyKeyReused);
        // Nothing of the refused one stays in the way.
        let left = if world.change(keyed(&first)).await.is_ok() {
            &second
        } else {
            &first
        };
        assert!(world.change(nights(left, 1)).await.is_ok());
    }
}
