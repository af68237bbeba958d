//! Bookings paid through WeChat Pay and Stripe, as far as they can be had here: simulators that the program finds under its
//! settings.

use homestay_clock::Clock;
use homestay_testkit::providers::{Delivery, StripeSimulator, WechatSimulator};
use serde_json::{Value, json};

use crate::harness::{Mode, Place, Program, USUAL, stay, text, unique};

/// Brings what a provider tells; status and text of the answer.
async fn deliver(program: &Program, path: &str, delivery: &Delivery) -> (u16, String) {
    let mut request = program
        .http
        .post(format!("{}{path}", program.base))
        .body(delivery.body.clone());
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.text().await.expect("a body"))
}

async fn start(settings: &[(&'static str, &str)]) -> (Place, Program) {
    let place = Place::new(Mode::Embedded, USUAL).await;
    let program = place.start_with(USUAL, settings, None).await;
    (place, program)
}

async fn booked(program: &Program, guest: &str) -> String {
    let free = program.single_unit(1).await;
    program.booked(guest, &stay(&free)).await
}

async fn payment(program: &Program, guest: &str, order: &str) -> (u16, Value) {
    let body = json!({ "orderSn": order });
    let (status, payment) = program.post("/v1/payments", Some(guest), body).await;
    (status.as_u16(), payment)
}

#[tokio::test]
async fn a_booking_is_paid_inside_wechat() {
    let simulator = WechatSimulator::start(&Clock::system()).await;
    let keys = format!(
        "{}\n{}",
        WechatSimulator::CERTIFICATE,
        WechatSimulator::public_key()
    );
    let (_place, program) = start(&[
        ("HOMESTAY__PAYMENT__PROVIDER", "wechat"),
        ("HOMESTAY__PAYMENT__PUBLIC_BASE_URL", "https://homestay.example"),
        ("HOMESTAY__PAYMENT__WECHAT__APP_ID", WechatSimulator::APP_ID),
        ("HOMESTAY__PAYMENT__WECHAT__MCH_ID", WechatSimulator::MCH_ID),
        (
            "HOMESTAY__PAYMENT__WECHAT__MERCHANT_SERIAL",
            WechatSimulator::MERCHANT_SERIAL,
        ),
        (
            "HOMESTAY__PAYMENT__WECHAT__PRIVATE_KEY",
            WechatSimulator::MERCHANT_KEY,
        ),
        (
            "HOMESTAY__PAYMENT__WECHAT__API_V3_KEY",
            WechatSimulator::API_V3_KEY,
        ),
        ("HOMESTAY__PAYMENT__WECHAT__PLATFORM_KEYS", &keys),
        ("HOMESTAY__PAYMENT__WECHAT__BASE_URL", simulator.base_url()),
    ])
    .await;
    let guest = program.guest().await;
    let order = booked(&program, &guest).await;

    // Nobody pays inside WeChat whom WeChat does not know.
    let (status, refused) = payment(&program, &guest, &order).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("WECHAT_NOT_BOUND")),
        "{refused}"
    );
    let bind = json!({ "code": format!("sandbox-{}", &unique()[..12]), "iv": "", "encryptedData": "" });
    let (status, bound) = program
        .post("/usercenter/v1/user/wxMiniAuth", Some(&guest), bind)
        .await;
    assert_eq!(status, 200, "{bound}");

    simulator.cut_off();
    assert_eq!(payment(&program, &guest, &order).await.0, 503);
    simulator.heal();
    let (status, made) = payment(&program, &guest, &order).await;
    assert_eq!((status, &made["payUrl"]), (201, &json!("")), "{made}");
    let pay = json!({ "orderSn": order, "serviceType": "homestayOrder" });
    let (_, again) = program
        .post("/payment/v1/thirdPayment/thirdPaymentWxPay", Some(&guest), pay)
        .await;
    for fields in [&made["wechat"], &again["data"]] {
        let signed = format!(
            "{}\n{}\n{}\n{}\n",
            text(fields, "appid"),
            text(fields, "timestamp"),
            text(fields, "nonceStr"),
            text(fields, "package")
        );
        assert!(simulator.merchant_has_signed(&signed, &text(fields, "paySign")));
    }

    assert!(simulator.pay_with_coupon(&text(&made, "sn"), 1));
    let told = simulator.take().remove(0);
    let mut forged = told.clone();
    forged.body.push(b' ');
    let ours = "/v1/payments/callbacks/wechat";
    let (status, answer) = deliver(&program, ours, &forged).await;
    assert_eq!(status, 401);
    let answer: Value = serde_json::from_str(&answer).expect("JSON, as WeChat wants it");
    assert_eq!(answer["code"], "SIGN_ERROR");
    for path in [ours, "/payment/v1/thirdPayment/thirdPaymentWxPayCallback", ours] {
        assert_eq!(
            deliver(&program, path, &told).await,
            (200, "SUCCESS".to_owned()),
            "{path}"
        );
    }
    let paid = program.until(&guest, &order, "confirmed").await;
    assert_eq!(text(&paid, "checkInCode").len(), 8);

    // Told by nobody, found by asking: whoever wants to pay again has paid.
    let other = booked(&program, &guest).await;
    let (_, made) = payment(&program, &guest, &other).await;
    assert!(simulator.pay(&text(&made, "sn")));
    drop(simulator.take());
    let (status, again) = payment(&program, &guest, &other).await;
    assert_eq!((status, &again["state"]), (201, &json!("captured")), "{again}");
    program.until(&guest, &other, "confirmed").await;
}

#[tokio::test]
async fn a_booking_is_paid_on_stripes_page() {
    let simulator = StripeSimulator::start(&Clock::system()).await;
    let (_place, program) = start(&[
        ("HOMESTAY__PAYMENT__PROVIDER", "stripe"),
        ("HOMESTAY__PAYMENT__PUBLIC_BASE_URL", "https://homestay.example"),
        (
            "HOMESTAY__PAYMENT__STRIPE__SECRET_KEY",
            StripeSimulator::SECRET_KEY,
        ),
        (
            "HOMESTAY__PAYMENT__STRIPE__WEBHOOK_SECRETS",
            StripeSimulator::WEBHOOK_SECRET,
        ),
        ("HOMESTAY__PAYMENT__STRIPE__BASE_URL", simulator.base_url()),
    ])
    .await;
    let guest = program.guest().await;
    let order = booked(&program, &guest).await;
    let (status, made) = payment(&program, &guest, &order).await;
    assert_eq!(status, 201, "{made}");
    assert!(text(&made, "payUrl").starts_with("https://checkout.stripe.example/"));
    assert_eq!(made.get("wechat"), None);
    let sn = text(&made, "sn");

    assert!(simulator.pay(&sn));
    let told = simulator.take();
    for delivery in told.iter().chain(&told) {
        let path = "/v1/payments/callbacks/stripe";
        assert_eq!(deliver(&program, path, delivery).await.0, 200);
        let elsewhere = "/v1/payments/callbacks/wechat";
        assert_eq!(deliver(&program, elsewhere, delivery).await.0, 400);
    }
    program.until(&guest, &order, "confirmed").await;

    // Closing an unpaid booking ends its session, long before Stripe would.
    let other = booked(&program, &guest).await;
    let (_, made) = payment(&program, &guest, &other).await;
    let path = format!("/v1/orders/{other}/cancel");
    let (status, cancelled) = program.post(&path, Some(&guest), json!({})).await;
    assert_eq!(status, 200, "{cancelled}");
    program.until(&guest, &other, "cancelled").await;
    assert_eq!(simulator.status(&text(&made, "sn")), "expired");
}
