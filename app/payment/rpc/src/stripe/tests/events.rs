use homestay_error::{Code, Result};
use homestay_testkit::providers::{Delivery, StripeSimulator};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{World, headers};
use crate::provider::{EventKind, PaymentProvider, ProviderEvent};

fn parse(world: &World, delivery: &Delivery) -> Result<ProviderEvent> {
    let now_ms = world.clock.now_ms();
    world
        .client
        .parse_callback(&headers(delivery), &delivery.body, now_ms)
}

fn kinds(world: &World) -> Vec<EventKind> {
    let told = world.simulator.take();
    told.iter()
        .map(|event| parse(world, event).unwrap().kind)
        .collect()
}

#[tokio::test]
async fn what_is_paid_and_refunded_is_told_with_our_numbers() {
    let world = World::start().await;
    let intent = world.paid(25_600).await;
    let refund = world.refund_of(&intent, 5_600);
    world.client.refund(&refund).await.unwrap();
    assert!(
        world
            .simulator
            .refund_in_dashboard(intent.payment_sn.as_str(), 100)
    );
    let told: Vec<_> = world
        .simulator
        .take()
        .iter()
        .map(|told| parse(&world, told).unwrap())
        .collect();
    let [paid, refunded, again, by_hand] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((paid.kind, paid.total_cents), (EventKind::Captured, 25_600));
    assert_eq!(paid.payment_sn, intent.payment_sn.as_str());
    assert_eq!(paid.provider_ref, intent.provider_ref);
    assert_eq!(paid.currency, "EUR");
    assert_eq!(
        (refunded.kind, refunded.total_cents),
        (EventKind::Refunded, 5_600)
    );
    assert_eq!(refunded.refund_sn, refund.refund_sn.as_str());
    assert_eq!(refunded.payment_sn, intent.payment_sn.as_str());
    // Two events of Stripe's, one piece of news.
    assert_eq!(refunded, again);
    assert_eq!((by_hand.kind, by_hand.total_cents), (EventKind::Refunded, 100));
    assert_eq!(
        (by_hand.payment_sn.as_str(), by_hand.refund_sn.as_str()),
        ("", "")
    );
    assert_eq!(by_hand.provider_ref, intent.provider_ref);
}

#[tokio::test]
async fn money_on_its_way_is_no_money_yet() {
    let world = World::start().await;
    for (arrives, kind) in [(true, EventKind::Captured), (false, EventKind::Failed)] {
        let intent = world.prepared(100).await;
        assert!(world.simulator.pay_slowly(intent.payment_sn.as_str()));
        assert!(world.simulator.settle(intent.payment_sn.as_str(), arrives));
        assert_eq!(kinds(&world), [EventKind::Other, kind]);
    }
    let intent = world.prepared(100).await;
    world.client.close(&intent).await.unwrap();
    assert_eq!(kinds(&world), [EventKind::Closed]);
    world.simulator.refund_slowly();
    let paid = world.paid(100).await;
    let refund = world.refund_of(&paid, 100);
    world.client.refund(&refund).await.unwrap();
    assert!(world.simulator.end_refund(refund.refund_sn.as_str(), "failed"));
    use EventKind::{Captured, Other, RefundFailed};
    assert_eq!(kinds(&world), [Captured, Other, RefundFailed, RefundFailed]);
}

#[tokio::test]
async fn each_event_is_read_or_refused_as_the_table_says() {
    let world = World::start().await;
    let simulator = &world.simulator;
    let session = |changes: Value| {
        let mut session = json!({
            "id": "cs_test_1", "status": "complete", "payment_status": "paid",
            "client_reference_id": world.ids.payment_sn(), "amount_total": 100, "currency": "eur",
            "payment_intent": "pi_1",
        });
        for (key, value) in changes.as_object().unwrap() {
            session[key] = value.clone();
        }
        session
    };
    let event = |kind: &str, object: Value| simulator.sign(simulator.event(kind, &object));
    let completed = |changes: Value| event("checkout.session.completed", session(changes));
    use EventKind::{Captured, Closed, Failed, Other, RefundFailed};
    let read: [(&str, Delivery, EventKind); 12] = [
        ("paid", completed(json!({})), Captured),
        (
            "by metadata",
            completed(json!({
                "client_reference_id": null, "metadata": { "payment_sn": world.ids.payment_sn() }
            })),
            Captured,
        ),
        (
            "without a payment intent",
            completed(json!({ "payment_intent": null })),
            Captured,
        ),
        (
            "with a whole payment intent",
            completed(json!({ "payment_intent": { "id": "pi_1" } })),
            Captured,
        ),
        ("unpaid", completed(json!({ "payment_status": "unpaid" })), Other),
        (
            "somebody else's",
            completed(json!({ "client_reference_id": "cart-7" })),
            Other,
        ),
        (
            "nobody's",
            completed(json!({ "client_reference_id": null })),
            Other,
        ),
        (
            "expired",
            event(
                "checkout.session.expired",
                session(json!({ "payment_status": "unpaid" })),
            ),
            Closed,
        ),
        (
            "failed",
            event("checkout.session.async_payment_failed", session(json!({}))),
            Failed,
        ),
        (
            "refund cancelled",
            event(
                "refund.updated",
                json!({
                    "id": "re_1", "status": "canceled", "amount": 1, "currency": "eur", "payment_intent": "pi_1"
                }),
            ),
            RefundFailed,
        ),
        (
            "a sum of refunds",
            event("charge.refunded", json!({ "id": "ch_1" })),
            Other,
        ),
        ("nothing to us", event("customer.created", json!({})), Other),
    ];
    for (what, delivery, kind) in read {
        assert_eq!(parse(&world, &delivery).expect(what).kind, kind, "{what}");
    }

    let of_mode = |livemode: Value| {
        let body = simulator.event("checkout.session.completed", &session(json!({})));
        let mut event: Value = serde_json::from_slice(&body).unwrap();
        event["livemode"] = livemode;
        simulator.sign(serde_json::to_vec(&event).unwrap())
    };
    let good = simulator.event("checkout.session.completed", &session(json!({})));
    let now_s = world.clock.now_ms() / 1000;
    let mut tampered = simulator.sign(good.clone());
    tampered.body.push(b' ');
    let mut unsigned = simulator.sign(good.clone());
    unsigned.headers.clear();
    let as_secret = |secret: &str, at_s: i64| StripeSimulator::sign_as(secret, at_s, good.clone());
    let refused: [(&str, Delivery, Code); 11] = [
        ("of the live mode", of_mode(json!(true)), Code::BadCallback),
        ("of no mode", of_mode(Value::Null), Code::BadCallback),
        ("unsigned", unsigned, Code::BadSignature),
        ("tampered", tampered, Code::BadSignature),
        ("another secret", as_secret("whsec_x", now_s), Code::BadSignature),
        (
            "too old",
            as_secret("whsec_simulator", now_s - 301),
            Code::BadSignature,
        ),
        (
            "of the future",
            as_secret("whsec_simulator", now_s + 301),
            Code::BadSignature,
        ),
        ("empty", simulator.sign(Vec::new()), Code::BadCallback),
        ("no event", simulator.sign(b"[]".to_vec()), Code::BadCallback),
        (
            "no session",
            event("checkout.session.completed", json!(7)),
            Code::BadCallback,
        ),
        (
            "no such amount",
            completed(json!({ "currency": "isk", "amount_total": 150 })),
            Code::BadCallback,
        ),
    ];
    for (what, delivery, code) in refused {
        assert_eq!(parse(&world, &delivery).expect_err(what).code(), code, "{what}");
    }
    // The old secret goes on while it is replaced.
    parse(&world, &as_secret("whsec_old", now_s - 300)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_is_refused_and_never_a_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        header in "(t=[0-9a-z-]{0,24})?(,?v[01]=[0-9a-fA-F§]{0,70}){0,3}.{0,9}",
        at in 0_usize..400,
        byte in any::<u8>(),
    ) {
        let (clock, _) = homestay_testkit::clock();
        let client = crate::stripe::Stripe::new(&super::config("http://127.0.0.1:1"), "http://x", clock.clone()).unwrap();
        let now_ms = clock.now_ms();
        let sign = |body: Vec<u8>| StripeSimulator::sign_as(StripeSimulator::WEBHOOK_SECRET, now_ms / 1000, body);
        let noise = [("stripe-signature".to_owned(), header)].into();
        prop_assert!(client.parse_callback(&noise, &body, now_ms).is_err());
        let told = sign(body);
        let _ = client.parse_callback(&headers(&told), &told.body, now_ms);
        let mut body = br#"{"id":"evt_1","type":"refund.updated","created":1,"data":{"object":{"id":"re_1","status":"succeeded","amount":1,"currency":"eur","payment_intent":"pi_1","metadata":{"payment_sn":"PMT2026112110160000000002"}}}}"#.to_vec();
        let at = at % body.len();
        body[at] = byte;
        let told = sign(body);
        let _ = client.parse_callback(&headers(&told), &told.body, now_ms);
    }
}
