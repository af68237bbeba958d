use homestay_clock::secret_code;
use homestay_error::{Code, Result};
use homestay_testkit::providers::{Delivery, WechatSimulator};
use serde_json::{Value, json};

use super::{World, headers};
use crate::provider::{EventKind, PaymentProvider, ProviderEvent};
use crate::wechat::WechatPay;

fn payment(sn: &str, state: &str) -> Value {
    json!({
        "appid": WechatSimulator::APP_ID, "mchid": WechatSimulator::MCH_ID, "out_trade_no": sn,
        "transaction_id": "4200001", "trade_state": state, "success_time": "2026-11-21T08:00:00+08:00",
        "amount": { "total": 25_600, "payer_total": 25_000, "currency": "CNY", "payer_currency": "CNY" },
    })
}

fn parse(world: &World, delivery: &Delivery) -> Result<ProviderEvent> {
    let now_ms = world.clock.now_ms();
    world
        .client
        .parse_callback(&headers(delivery), &delivery.body, now_ms)
}

#[tokio::test]
async fn what_is_paid_and_refunded_is_told_with_our_numbers() {
    let world = World::start().await;
    let (client, simulator) = (&world.client, &world.simulator);
    let intent = world.intent(25_600);
    let sn = intent.payment_sn.as_str();
    client.prepay(&intent).await.unwrap();
    assert!(simulator.pay_with_coupon(sn, 600));
    let refund = world.refund_of(&intent, 5_600);
    client.refund(&refund).await.unwrap();
    simulator.refund_slowly();
    let refused = world.refund_of(&intent, 1);
    client.refund(&refused).await.unwrap();
    assert!(simulator.end_refund(refused.refund_sn.as_str(), "ABNORMAL"));

    let told: Vec<_> = simulator
        .take()
        .iter()
        .map(|told| parse(&world, told).unwrap())
        .collect();
    let [paid, refunded, failed] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(paid.kind, EventKind::Captured);
    // What was due is compared; what a coupon leaves of it is only for the books.
    assert_eq!((paid.total_cents, paid.payer_total_cents), (25_600, 25_000));
    assert_eq!((paid.payment_sn.as_str(), paid.refund_sn.as_str()), (sn, ""));
    assert_eq!(paid.occurred_at_ms, world.clock.now_ms());
    assert_eq!(paid.currency, "CNY");
    assert_eq!(
        (refunded.kind, refunded.total_cents),
        (EventKind::Refunded, 5_600)
    );
    assert_eq!(refunded.refund_sn, refund.refund_sn.as_str());
    assert_eq!(failed.kind, EventKind::RefundFailed);
    assert_eq!(failed.refund_sn, refused.refund_sn.as_str());
    assert!(told.iter().all(|event| event.payment_sn == sn));
    let ids: std::collections::HashSet<_> = told.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn each_notification_is_read_or_refused_as_the_table_says() {
    let world = World::start().await;
    let simulator = &world.simulator;
    let sn = world.ids.payment_sn().to_string();
    let good = payment(&sn, "SUCCESS");
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        simulator.notification("TRANSACTION.SUCCESS", &changed)
    };
    let refund = |status: &str, number: &str| {
        let news = json!({
            "mchid": WechatSimulator::MCH_ID, "out_trade_no": sn, "transaction_id": "4200001",
            "out_refund_no": number, "refund_id": "50", "refund_status": status,
            "amount": { "total": 25_600, "refund": 600, "payer_total": 25_000, "payer_refund": 600 },
        });
        simulator.notification(&format!("REFUND.{status}"), &news)
    };
    use EventKind::{Captured, Closed, Failed, Other, RefundFailed, Refunded};
    let read: [(&str, Delivery, EventKind); 12] = [
        (
            "paid",
            simulator.notification("TRANSACTION.SUCCESS", &good),
            Captured,
        ),
        (
            "signed with the public key",
            simulator.sign_with_public_key(simulator.unsigned("TRANSACTION.SUCCESS", &good)),
            Captured,
        ),
        ("another amount", with("/amount/total", json!(1)), Captured),
        ("closed", with("/trade_state", json!("CLOSED")), Closed),
        ("declined", with("/trade_state", json!("PAYERROR")), Failed),
        (
            "typing a password",
            with("/trade_state", json!("USERPAYING")),
            Other,
        ),
        ("told by its refund", with("/trade_state", json!("REFUND")), Other),
        (
            "refunded",
            refund("SUCCESS", world.ids.refund_sn().as_str()),
            Refunded,
        ),
        ("refunded by hand", refund("SUCCESS", "50300000002026"), Refunded),
        ("abnormal", refund("ABNORMAL", "1"), RefundFailed),
        ("refund closed", refund("CLOSED", "1"), RefundFailed),
        (
            "nothing to us",
            simulator.notification("PAYSCORE.USER_OPEN_SERVICE", &json!({})),
            Other,
        ),
    ];
    for (what, delivery, kind) in read {
        let event = parse(&world, &delivery).unwrap_or_else(|error| panic!("{what}: {}", error.chain()));
        assert_eq!(event.kind, kind, "{what}");
        let ours = event.refund_sn.starts_with("RFD") || event.refund_sn.is_empty();
        assert!(ours || what != "refunded by hand", "{what}");
    }
    let by_hand = parse(&world, &refund("SUCCESS", "50300000002026")).unwrap();
    assert_eq!(by_hand.refund_sn, "");

    let unsigned = simulator.unsigned("TRANSACTION.SUCCESS", &good);
    let signed = || simulator.sign(unsigned.clone());
    let without = |name: &str| {
        let mut delivery = signed();
        delivery.headers.retain(|(known, _)| known != name);
        delivery
    };
    let replaced = |name: &str, value: &str| {
        let mut delivery = without(name);
        delivery.headers.push((name.to_owned(), value.to_owned()));
        delivery
    };
    let mut tampered = signed();
    tampered.body = String::from_utf8(tampered.body)
        .unwrap()
        .replace("TRANSACTION.SUCCESS", "TRANSACTION.sUCCESS")
        .into_bytes();
    let (now_ms, bad) = (world.clock.now_ms(), Code::BadSignature);
    let probe = "WECHATPAY/SIGNTEST/ABCDEFGHIJKLMNOP";
    let refused: [(&str, Delivery, Code); 19] = [
        ("no serial", without("wechatpay-serial"), bad),
        ("no signature", without("wechatpay-signature"), bad),
        ("no time", without("wechatpay-timestamp"), bad),
        ("no nonce", without("wechatpay-nonce"), bad),
        ("an unknown key", replaced("wechatpay-serial", "7777777777"), bad),
        (
            "an unknown public key",
            replaced("wechatpay-serial", "PUB_KEY_ID_2"),
            bad,
        ),
        ("another's nonce", replaced("wechatpay-nonce", "x"), bad),
        ("another time", replaced("wechatpay-timestamp", "1795219201"), bad),
        ("no number", replaced("wechatpay-timestamp", "now"), bad),
        ("a probe of WeChat's", replaced("wechatpay-signature", probe), bad),
        ("tampered", tampered, bad),
        (
            "too old",
            simulator.sign_at(now_ms - 301_000, unsigned.clone()),
            bad,
        ),
        (
            "of the future",
            simulator.sign_at(now_ms + 301_000, unsigned.clone()),
            bad,
        ),
        ("empty", simulator.sign(Vec::new()), Code::BadCallback),
        ("no JSON", simulator.sign(b"SUCCESS".to_vec()), Code::BadCallback),
        (
            "another seal",
            simulator.sign(
                String::from_utf8(unsigned.clone())
                    .unwrap()
                    .replace("AEAD_AES_256_GCM", "ROT13")
                    .into_bytes(),
            ),
            Code::BadCallback,
        ),
        ("another merchant", with("/mchid", json!("1")), Code::BadCallback),
        ("another app", with("/appid", json!("wx2")), Code::BadCallback),
        (
            "no order",
            simulator.notification("TRANSACTION.SUCCESS", &json!([])),
            Code::BadCallback,
        ),
    ];
    for (what, delivery, code) in refused {
        let error = parse(&world, &delivery).expect_err(what);
        assert_eq!(error.code(), code, "{what}: {}", error.chain());
        let (_, body) = world.client.refusal(&error);
        assert!(serde_json::from_str::<Value>(body).unwrap()["code"].is_string());
    }
    // Five minutes are not too old.
    parse(&world, &simulator.sign_at(now_ms - 300_000, unsigned)).unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_configured_opens_nothing() {
    let world = World::start().await;
    let mut config = super::config(world.simulator.base_url());
    config.platform_keys = WechatSimulator::public_key();
    let client = WechatPay::new(&config, "https://homestay.example", world.clock.clone()).unwrap();
    let told = world
        .simulator
        .notification("TRANSACTION.SUCCESS", &payment("PMT", "SUCCESS"));
    let error = client.parse_callback(&headers(&told), &told.body, world.clock.now_ms());
    assert_eq!(error.unwrap_err().code(), Code::BadSignature);
}

/// A small generator: the same garbage at every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

#[tokio::test]
async fn garbage_is_refused_and_never_a_panic() {
    let world = World::start().await;
    let (simulator, mut noise) = (&world.simulator, Noise(0x9e37_79b9_7f4a_7c15));
    let good = simulator.unsigned("TRANSACTION.SUCCESS", &payment("PMT1", "SUCCESS"));
    for round in 0..600 {
        let body: Vec<u8> = match round % 3 {
            0 => (0..noise.below(300)).map(|_| noise.byte()).collect(),
            1 => good[..noise.below(good.len())].to_vec(),
            _ => {
                let mut body = good.clone();
                for _ in 0..=noise.below(4) {
                    let at = noise.below(body.len());
                    body[at] = noise.byte();
                }
                body
            }
        };
        // Of WeChat, but nonsense: whatever is read of it, reading it ends.
        let _ = parse(&world, &simulator.sign(body.clone()));
        // Of somebody else: refused.
        let mut forged = simulator.sign(good.clone());
        forged.body = body;
        if forged.body != good {
            assert_eq!(parse(&world, &forged).unwrap_err().code(), Code::BadSignature);
        }
        for (_, value) in &mut forged.headers {
            *value = secret_code(noise.below(40));
        }
        assert_eq!(parse(&world, &forged).unwrap_err().code(), Code::BadSignature);
    }
}
