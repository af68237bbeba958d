use std::time::Duration;

use homestay_error::Code;
use homestay_testkit::providers::Fault;

use super::World;
use crate::provider::{CloseOutcome, PaymentProvider, ProviderState, RefundOutcome};
use crate::wechat::WechatPay;

#[tokio::test]
async fn a_prepay_asks_for_what_was_ordered_and_repeating_it_finds_the_same() {
    let world = World::start().await;
    let intent = world.intent(25_600);
    let prepay = world.client.prepay(&intent).await.unwrap();
    assert_eq!(world.client.prepay(&intent).await.unwrap(), prepay);
    assert!(prepay.pay_url.is_empty());
    let request = world.simulator.request(intent.payment_sn.as_str()).unwrap();
    assert_eq!(request["amount"]["total"], 25_600);
    assert_eq!(request["payer"]["openid"], "o-guest");
    assert_eq!(request["time_expire"], "2026-11-21T08:30:00+08:00");
    assert_eq!(
        request["notify_url"],
        "https://homestay.example/v1/payments/callbacks/wechat"
    );

    let fields = world.client.in_browser(&prepay.provider_ref).unwrap().unwrap();
    assert_eq!(fields.package, format!("prepay_id={}", prepay.provider_ref));
    assert_eq!(fields.sign_type, "RSA");
    let signed = format!(
        "{}\n{}\n{}\n{}\n",
        fields.appid, fields.timestamp, fields.nonce_str, fields.package
    );
    assert!(world.simulator.merchant_has_signed(&signed, &fields.pay_sign));
}

#[tokio::test]
async fn a_no_is_final_and_typed() {
    let world = World::start().await;
    let mut dollars = world.intent(100);
    dollars.currency = "USD".to_owned();
    let mut nobody = world.intent(100);
    nobody.payer.clear();
    let mut over = world.intent(100);
    over.expires_at_ms = world.clock.now_ms();
    for intent in [dollars, nobody, over] {
        let error = world.client.prepay(&intent).await.unwrap_err();
        assert_eq!(error.code(), Code::ProviderRefused, "{intent:?}");
    }
    let mut long = world.intent(100);
    long.description = "屋".repeat(500);
    world.client.prepay(&long).await.unwrap();
}

#[tokio::test]
async fn the_books_are_read_as_they_stand() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.intent(25_600);
    let sn = intent.payment_sn.as_str();
    assert_eq!(client.query(&intent).await.unwrap(), ProviderState::Unknown);
    client.prepay(&intent).await.unwrap();
    assert_eq!(client.query(&intent).await.unwrap(), ProviderState::Open);
    assert!(simulator.pay_with_coupon(sn, 600));
    let captured = ProviderState::Captured {
        amount_cents: 25_600,
        currency: "CNY".to_owned(),
        at_ms: world.clock.now_ms(),
        provider_ref: format!("42{sn}"),
    };
    assert_eq!(client.query(&intent).await.unwrap(), captured);
    client.refund(&world.refund_of(&intent, 100)).await.unwrap();
    assert_eq!(client.query(&intent).await.unwrap(), captured);

    let expiring = world.intent(100);
    client.prepay(&expiring).await.unwrap();
    world.clock.advance(Duration::from_secs(1_800));
    assert!(!simulator.pay(expiring.payment_sn.as_str()));
    assert_eq!(client.query(&expiring).await.unwrap(), ProviderState::Closed);
}

#[tokio::test]
async fn closing_ends_what_is_open_and_says_what_is_paid() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let (open, paid, unheard) = (world.intent(100), world.intent(100), world.intent(100));
    client.prepay(&open).await.unwrap();
    client.prepay(&paid).await.unwrap();
    assert!(simulator.pay(paid.payment_sn.as_str()));
    for _ in 0..2 {
        assert_eq!(client.close(&open).await.unwrap(), CloseOutcome::Closed);
        assert_eq!(client.close(&paid).await.unwrap(), CloseOutcome::AlreadyCaptured);
        assert_eq!(client.close(&unheard).await.unwrap(), CloseOutcome::Closed);
    }
    assert!(!simulator.pay(open.payment_sn.as_str()));
    assert_eq!(
        client.prepay(&open).await.unwrap_err().code(),
        Code::ProviderRefused
    );
}

#[tokio::test]
async fn a_refund_is_made_once_however_often_it_is_asked_for() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.intent(1_000);
    let sn = intent.payment_sn.as_str();
    client.prepay(&intent).await.unwrap();
    assert!(simulator.pay(sn));
    let part = world.refund_of(&intent, 400);
    simulator.fail("refund", Fault::AnswerLost);
    assert_eq!(client.refund(&part).await.unwrap_err().code(), Code::Provider);
    simulator.heal();
    for _ in 0..3 {
        assert_eq!(client.refund(&part).await.unwrap(), RefundOutcome::Succeeded);
    }
    assert_eq!((simulator.refunds(), simulator.refunded(sn)), (1, 400));
    // More than is left; and the same number for another amount.
    for refused in [
        world.refund_of(&intent, 601),
        crate::provider::RefundIntent {
            amount_cents: 401,
            ..part.clone()
        },
    ] {
        let outcome = client.refund(&refused).await.unwrap();
        assert!(matches!(outcome, RefundOutcome::Refused(_)), "{outcome:?}");
    }
    assert_eq!(
        client.refund(&world.refund_of(&intent, 600)).await.unwrap(),
        RefundOutcome::Succeeded
    );
    assert_eq!(simulator.refunded(sn), 1_000);
}

#[tokio::test]
async fn a_refund_that_takes_its_time_tells_how_it_stands() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    simulator.refund_slowly();
    let intent = world.intent(1_000);
    client.prepay(&intent).await.unwrap();
    assert!(simulator.pay(intent.payment_sn.as_str()));
    for (status, succeeds) in [("SUCCESS", true), ("ABNORMAL", false), ("CLOSED", false)] {
        let refund = world.refund_of(&intent, 100);
        assert_eq!(client.refund(&refund).await.unwrap(), RefundOutcome::Pending);
        assert_eq!(client.refund(&refund).await.unwrap(), RefundOutcome::Pending);
        assert!(simulator.end_refund(refund.refund_sn.as_str(), status));
        let outcome = client.refund(&refund).await.unwrap();
        assert_eq!(outcome == RefundOutcome::Succeeded, succeeds, "{status}");
        assert_eq!(matches!(outcome, RefundOutcome::Refused(_)), !succeeds);
    }
    simulator.fail("refund", Fault::Refuse("NOT_ENOUGH"));
    let refused = client.refund(&world.refund_of(&intent, 100)).await.unwrap();
    let RefundOutcome::Refused(why) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("NOT_ENOUGH"));
}

#[tokio::test]
async fn every_failure_of_the_provider_is_transient_and_repeating_finds_what_it_did() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    for fault in [Fault::Down, Fault::AnswerLost, Fault::Forged] {
        let intent = world.intent(100);
        simulator.fail("prepay", fault);
        assert_eq!(
            client.prepay(&intent).await.unwrap_err().code(),
            Code::Provider,
            "{fault:?}"
        );
        simulator.fail("query", fault);
        assert_eq!(
            client.query(&intent).await.unwrap_err().code(),
            Code::Provider,
            "{fault:?}"
        );
        simulator.heal();
        client.prepay(&intent).await.unwrap();
        simulator.fail("close", fault);
        assert_eq!(
            client.close(&intent).await.unwrap_err().code(),
            Code::Provider,
            "{fault:?}"
        );
        simulator.heal();
        assert_eq!(client.close(&intent).await.unwrap(), CloseOutcome::Closed);
        assert_eq!(client.query(&intent).await.unwrap(), ProviderState::Closed);
    }
    simulator.cut_off();
    let intent = world.intent(100);
    assert_eq!(client.prepay(&intent).await.unwrap_err().code(), Code::Provider);
    assert_eq!(client.close(&intent).await.unwrap_err().code(), Code::Provider);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_setting_says_nor_for_nobody_at_all() {
    let world = World::start().await;
    let mut config = super::config(world.simulator.base_url());
    config.timeout = Duration::from_millis(50);
    let hasty = WechatPay::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    world
        .simulator
        .fail("query", Fault::Slow(Duration::from_secs(60)));
    let intent = world.intent(100);
    assert_eq!(hasty.query(&intent).await.unwrap_err().code(), Code::Provider);

    // A port at which nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let alone = WechatPay::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    for error in [
        alone.prepay(&intent).await.unwrap_err(),
        alone.query(&intent).await.unwrap_err(),
        alone.close(&intent).await.unwrap_err(),
        alone.refund(&world.refund_of(&intent, 1)).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::Provider);
        assert!(error.code().is_transient());
    }
}

#[tokio::test]
async fn a_merchant_whose_calls_are_not_taken_gives_nothing_up() {
    let world = World::start().await;
    let mut config = super::config(world.simulator.base_url());
    config.merchant_serial = "0123".to_owned();
    let stranger = WechatPay::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    let intent = world.intent(100);
    assert_eq!(stranger.prepay(&intent).await.unwrap_err().code(), Code::Provider);
    let refund = world.refund_of(&intent, 100);
    assert_eq!(stranger.refund(&refund).await.unwrap_err().code(), Code::Provider);
}

#[tokio::test]
async fn answers_may_be_signed_with_the_public_key_that_is_asked_for() {
    use homestay_testkit::providers::WechatSimulator;
    let world = World::start().await;
    let mut config = super::config(world.simulator.base_url());
    config.platform_keys = WechatSimulator::public_key();
    let client = WechatPay::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    client.prepay(&world.intent(100)).await.unwrap();
}
