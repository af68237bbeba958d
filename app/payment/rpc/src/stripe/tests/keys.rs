//! What Stripe keeps under an Idempotency-Key, and how we get past it.

use homestay_error::Code;
use homestay_testkit::providers::Fault;

use super::World;
use crate::provider::{CloseOutcome, PaymentProvider, ProviderState, RefundIntent, RefundOutcome};

#[tokio::test]
async fn a_failure_that_stripe_repeats_for_a_session_pins_nothing() {
    for (fault, sessions) in [(Fault::Broken, 1), (Fault::BrokenAfter, 2)] {
        let world = World::start().await;
        let (client, simulator) = (&world.client, &world.simulator);
        let (paid, closed) = (world.intent(100), world.intent(100));
        simulator.fail("create", fault);
        for intent in [&paid, &closed] {
            let error = client.prepay(intent).await.unwrap_err();
            assert_eq!(error.code(), Code::Provider, "{fault:?}");
        }
        simulator.heal();
        let prepay = client.prepay(&paid).await.unwrap();
        assert!(prepay.pay_url.starts_with("https://"), "{fault:?}");
        assert_eq!(client.prepay(&paid).await.unwrap(), prepay);
        assert_eq!(simulator.sessions(paid.payment_sn.as_str()), sessions);
        assert!(simulator.pay(paid.payment_sn.as_str()));
        let state = client.query(&paid).await.unwrap();
        assert!(matches!(state, ProviderState::Captured { .. }), "{state:?}");
        // Nor does closing wait for a day.
        assert_eq!(client.close(&closed).await.unwrap(), CloseOutcome::Closed);
        assert_eq!(client.query(&closed).await.unwrap(), ProviderState::Closed);
    }
}

#[tokio::test]
async fn a_failure_that_stripe_repeats_for_a_refund_neither_stops_nor_doubles_it() {
    for fault in [Fault::Broken, Fault::BrokenAfter] {
        let world = World::start().await;
        let (client, simulator) = (&world.client, &world.simulator);
        let intent = world.paid(1_000).await;
        let refund = world.refund_of(&intent, 400);
        simulator.fail("refund", fault);
        let error = client.refund(&refund).await.unwrap_err();
        assert_eq!(error.code(), Code::Provider, "{fault:?}");
        simulator.heal();
        for _ in 0..2 {
            let outcome = client.refund(&refund).await.unwrap();
            assert_eq!(outcome, RefundOutcome::Succeeded, "{fault:?}");
        }
        assert_eq!(simulator.refunds(), 1, "{fault:?}");
        assert_eq!(simulator.refunded(intent.payment_sn.as_str()), 400);
    }
}

fn again(intent: &RefundIntent) -> RefundIntent {
    RefundIntent {
        attempt: intent.attempt + 1,
        ..intent.clone()
    }
}

#[tokio::test]
async fn what_was_refused_under_a_key_stays_refused_and_another_attempt_succeeds() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.paid(1_000).await;
    let refund = world.refund_of(&intent, 400);
    simulator.fail("refund", Fault::Refuse("balance_insufficient"));
    let refused = client.refund(&refund).await.unwrap();
    assert!(matches!(refused, RefundOutcome::Refused(_)));
    simulator.heal();
    assert_eq!(client.refund(&refund).await.unwrap(), refused);
    let second = again(&refund);
    for _ in 0..3 {
        assert_eq!(client.refund(&second).await.unwrap(), RefundOutcome::Succeeded);
        simulator.forget_keys();
    }
    assert_eq!(simulator.refunds(), 1);
}

#[tokio::test]
async fn a_refund_that_failed_or_bounced_makes_room_for_another_and_one_on_its_way_does_not() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    simulator.refund_slowly();
    let intent = world.paid(1_000).await;
    let first = world.refund_of(&intent, 400);
    let sn = first.refund_sn.as_str();
    assert_eq!(client.refund(&first).await.unwrap(), RefundOutcome::Pending);
    // As long as the first may come to something, a second is not made.
    let second = again(&first);
    assert_eq!(client.refund(&second).await.unwrap(), RefundOutcome::Pending);
    assert_eq!(simulator.refunds(), 1);
    assert!(simulator.end_refund(sn, "failed"));
    simulator.forget_keys();
    assert!(matches!(
        client.refund(&first).await.unwrap(),
        RefundOutcome::Refused(_)
    ));
    assert_eq!(client.refund(&second).await.unwrap(), RefundOutcome::Pending);
    assert_eq!(simulator.refunds(), 2);
    // The second succeeds, then bounces; the third stays.
    assert!(simulator.end_refund(sn, "succeeded"));
    assert_eq!(client.refund(&second).await.unwrap(), RefundOutcome::Succeeded);
    assert!(simulator.end_refund(sn, "failed"));
    let third = again(&second);
    assert_eq!(client.refund(&third).await.unwrap(), RefundOutcome::Pending);
    assert!(simulator.end_refund(sn, "succeeded"));
    assert_eq!(client.refund(&third).await.unwrap(), RefundOutcome::Succeeded);
    assert_eq!(
        (
            simulator.refunds(),
            simulator.refunded(intent.payment_sn.as_str())
        ),
        (3, 400)
    );
}
