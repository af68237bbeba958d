use std::time::Duration;

use homestay_error::Code;
use homestay_testkit::providers::Fault;

use super::World;
use crate::provider::{CloseOutcome, PaymentProvider, ProviderState, RefundIntent, RefundOutcome};
use crate::stripe::Stripe;

#[tokio::test]
async fn a_session_is_made_once_however_often_it_is_asked_for() {
    let world = World::start().await;
    let intent = world.intent(25_600);
    world.simulator.fail("create", Fault::AnswerLost);
    let lost = world.client.prepay(&intent).await.unwrap_err();
    assert_eq!(lost.code(), Code::Provider);
    world.simulator.heal();
    // Later, too: nothing of the request depends on when it is sent.
    world.clock.advance(Duration::from_secs(590));
    let prepay = world.client.prepay(&intent).await.unwrap();
    assert_eq!(world.client.prepay(&intent).await.unwrap(), prepay);
    assert!(prepay.pay_url.starts_with("https://"));
    assert!(prepay.provider_ref.starts_with("cs_"));
    assert_eq!(world.simulator.sessions(intent.payment_sn.as_str()), 1);
    assert_eq!(world.client.in_browser(&prepay.provider_ref).unwrap(), None);
}

#[tokio::test]
async fn a_no_is_final_and_typed() {
    let world = World::start().await;
    let mut long_ago = world.intent(100);
    long_ago.expires_at_ms -= 86_400_000;
    let mut uneven = world.intent(1_234);
    uneven.currency = "KWD".to_owned();
    for intent in [long_ago, uneven] {
        let error = world.client.prepay(&intent).await.unwrap_err();
        assert_eq!(error.code(), Code::ProviderRefused);
        assert!(!error.code().is_transient());
    }
}

#[tokio::test]
async fn the_books_are_read_as_they_stand() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.prepared(25_600).await;
    let sn = intent.payment_sn.as_str();
    assert_eq!(client.query(&intent).await.unwrap(), ProviderState::Open);
    world.clock.advance(Duration::from_secs(60));
    assert!(simulator.pay(sn));
    let paid_ms = world.clock.now_ms();
    world.clock.advance(Duration::from_secs(60));
    let captured = client.query(&intent).await.unwrap();
    let ProviderState::Captured {
        amount_cents,
        ref currency,
        at_ms,
        ref provider_ref,
    } = captured
    else {
        panic!("{captured:?}")
    };
    assert_eq!((amount_cents, at_ms, currency.as_str()), (25_600, paid_ms, "EUR"));
    // And by the number it is known by from then on.
    let mut known = intent.clone();
    known.provider_ref.clone_from(provider_ref);
    assert!(provider_ref.starts_with("pi_"));
    assert_eq!(client.query(&known).await.unwrap(), captured);

    let slow = world.prepared(100).await;
    assert!(simulator.pay_slowly(slow.payment_sn.as_str()));
    assert_eq!(client.query(&slow).await.unwrap(), ProviderState::Open);
    assert!(simulator.settle(slow.payment_sn.as_str(), false));
    assert_eq!(client.query(&slow).await.unwrap(), ProviderState::Failed);

    let yen = crate::provider::PrepayIntent {
        currency: "ISK".to_owned(),
        ..world.intent(500)
    };
    client.prepay(&yen).await.unwrap();
    assert!(simulator.pay(yen.payment_sn.as_str()));
    let state = client.query(&yen).await.unwrap();
    assert!(matches!(
        state,
        ProviderState::Captured {
            amount_cents: 500,
            ..
        }
    ));
}

#[tokio::test]
async fn a_payment_whose_session_nobody_has_heard_of_is_found_or_was_never_there() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    // The answer was lost: asking under the same key finds the session.
    let lost = world.intent(100);
    simulator.fail("create", Fault::AnswerLost);
    client.prepay(&lost).await.unwrap_err();
    simulator.heal();
    assert!(simulator.pay(lost.payment_sn.as_str()));
    let state = client.query(&lost).await.unwrap();
    assert!(matches!(state, ProviderState::Captured { .. }), "{state:?}");
    assert_eq!(client.close(&lost).await.unwrap(), CloseOutcome::AlreadyCaptured);
    // The request never arrived: closing leaves nothing that a late one could open.
    let unheard = world.intent(100);
    assert_eq!(client.query(&unheard).await.unwrap(), ProviderState::Open);
    assert_eq!(client.close(&unheard).await.unwrap(), CloseOutcome::Closed);
    let late = client.prepay(&unheard).await.unwrap();
    assert_eq!(simulator.status(unheard.payment_sn.as_str()), "expired");
    assert_eq!(simulator.sessions(unheard.payment_sn.as_str()), 1);
    assert!(late.provider_ref.starts_with("cs_"));
    // Too late for Stripe to make one.
    let old = world.intent(100);
    world.clock.advance(Duration::from_secs(700));
    assert_eq!(client.query(&old).await.unwrap(), ProviderState::Unknown);
    assert_eq!(client.close(&old).await.unwrap(), CloseOutcome::Closed);
}

#[tokio::test]
async fn closing_expires_the_session_long_before_stripe_would() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let open = world.prepared(100).await;
    let paid = world.prepared(100).await;
    let slow = world.prepared(100).await;
    assert!(simulator.pay(paid.payment_sn.as_str()));
    assert!(simulator.pay_slowly(slow.payment_sn.as_str()));
    for _ in 0..2 {
        assert_eq!(client.close(&open).await.unwrap(), CloseOutcome::Closed);
        assert_eq!(client.close(&paid).await.unwrap(), CloseOutcome::AlreadyCaptured);
        // The money is on its way: neither.
        assert_eq!(client.close(&slow).await.unwrap_err().code(), Code::Provider);
    }
    assert!(!simulator.pay(open.payment_sn.as_str()));
    assert_eq!(client.query(&open).await.unwrap(), ProviderState::Closed);
    // Left alone it ends half an hour after the order's own end.
    let left = world.prepared(100).await;
    world.clock.advance(Duration::from_secs(600 + 31 * 60));
    assert!(!simulator.pay(left.payment_sn.as_str()));
    assert_eq!(client.query(&left).await.unwrap(), ProviderState::Closed);
}

#[tokio::test]
async fn a_refund_is_made_once_even_when_the_key_is_forgotten() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.paid(1_000).await;
    let sn = intent.payment_sn.as_str();
    let part = world.refund_of(&intent, 400);
    simulator.fail("refund", Fault::AnswerLost);
    assert_eq!(client.refund(&part).await.unwrap_err().code(), Code::Provider);
    simulator.heal();
    for _ in 0..3 {
        assert_eq!(client.refund(&part).await.unwrap(), RefundOutcome::Succeeded);
        simulator.forget_keys();
    }
    assert_eq!((simulator.refunds(), simulator.refunded(sn)), (1, 400));
    let too_much = client.refund(&world.refund_of(&intent, 601)).await.unwrap();
    assert!(matches!(too_much, RefundOutcome::Refused(_)));
    assert_eq!(
        client.refund(&world.refund_of(&intent, 600)).await.unwrap(),
        RefundOutcome::Succeeded
    );
    assert_eq!(simulator.refunded(sn), 1_000);
    let unknown = RefundIntent {
        provider_ref: String::new(),
        ..world.refund_of(&intent, 1)
    };
    assert!(matches!(
        client.refund(&unknown).await.unwrap(),
        RefundOutcome::Refused(_)
    ));
}

#[tokio::test]
async fn a_refund_that_takes_its_time_tells_how_it_stands() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    simulator.refund_slowly();
    let intent = world.paid(1_000).await;
    for (status, succeeds) in [("succeeded", true), ("failed", false), ("canceled", false)] {
        let refund = world.refund_of(&intent, 100);
        assert_eq!(client.refund(&refund).await.unwrap(), RefundOutcome::Pending);
        assert!(simulator.end_refund(refund.refund_sn.as_str(), status));
        let outcome = client.refund(&refund).await.unwrap();
        assert_eq!(outcome == RefundOutcome::Succeeded, succeeds, "{status}");
        assert_eq!(matches!(outcome, RefundOutcome::Refused(_)), !succeeds);
    }
}

#[tokio::test]
async fn every_failure_of_the_provider_is_transient_and_repeating_finds_what_it_did() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    for fault in [Fault::Down, Fault::AnswerLost] {
        simulator.fail("create", fault);
        let error = client.prepay(&world.intent(100)).await.unwrap_err();
        assert_eq!(error.code(), Code::Provider, "{fault:?}");
        simulator.heal();
        let intent = world.prepared(100).await;
        simulator.fail("get", fault);
        assert_eq!(client.query(&intent).await.unwrap_err().code(), Code::Provider);
        simulator.heal();
        simulator.fail("expire", fault);
        assert_eq!(client.close(&intent).await.unwrap_err().code(), Code::Provider);
        simulator.heal();
        assert_eq!(client.close(&intent).await.unwrap(), CloseOutcome::Closed);
    }
    simulator.cut_off();
    let intent = world.intent(100);
    assert_eq!(client.prepay(&intent).await.unwrap_err().code(), Code::Provider);
    assert_eq!(client.query(&intent).await.unwrap_err().code(), Code::Provider);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_setting_says_and_a_wrong_key_gives_nothing_up() {
    let world = World::start().await;
    let mut config = super::config(world.simulator.base_url());
    config.timeout = Duration::from_millis(50);
    let hasty = Stripe::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    world
        .simulator
        .fail("create", Fault::Slow(Duration::from_secs(60)));
    let error = hasty.prepay(&world.intent(100)).await.unwrap_err();
    assert_eq!(error.code(), Code::Provider);
    world.simulator.heal();

    config.secret_key = homestay_config::Secret::new("sk_test_other");
    config.timeout = Duration::from_secs(5);
    let stranger = Stripe::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    let error = stranger.prepay(&world.intent(100)).await.unwrap_err();
    assert_eq!(error.code(), Code::Provider);
    assert!(!error.chain().contains("sk_test"), "{}", error.chain());
}
