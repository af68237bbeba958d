//! Cancelling paid bookings: by the policy, by the host, and what is kept.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Mode, PATIENCE, Program, USUAL, day, next_day, stay, text, unique};

/// The demo's house 2, which has several rooms, and nights that are far ahead.
fn nights() -> (i64, String, String) {
    (2, day(120), day(122))
}

/// The access token of its host.
async fn host(program: &Program) -> String {
    let account = json!({ "mobile": "13800000002", "password": "homestay-demo" });
    let (status, session) = program.post("/v1/sessions", None, account).await;
    assert_eq!(status, 201, "{session}");
    text(&session, "accessToken")
}

/// Has the house keep to a policy.
async fn keep_to(program: &Program, host: &str, house: i64, policy: Value) {
    let path = format!("/v1/homestays/{house}/rules");
    let (status, mut rules) = program.get(&path, Some(host)).await;
    assert_eq!(status, 200, "{rules}");
    rules["cancellationPolicy"] = policy;
    let (status, kept) = program.call(Method::PUT, &path, Some(host), Some(rules)).await;
    assert_eq!(status, 200, "{kept}");
}

/// A booking that is paid.
async fn paid(program: &Program, guest: &str, body: &Value) -> Value {
    let (status, order) = program.book(guest, &unique(), body).await;
    assert_eq!(status, 201, "{order}");
    let sn = text(&order, "sn");
    let url = program.pay_url(guest, &sn).await;
    assert_eq!(program.press(&url, "pay").await, 200);
    program.until(guest, &sn, "confirmed").await
}

fn half() -> Value {
    json!({ "name": "custom", "windows": [{ "hoursBefore": 8_000, "refundPercent": 100 }, { "hoursBefore": 1, "refundPercent": 50 }] })
}

pub async fn the_preview_is_what_a_cancellation_gives_back(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let (free, host) = (nights(), host(&program).await);
    let units = program.free(free.0, &free.1, &free.2).await;
    keep_to(&program, &host, free.0, half()).await;
    let order = paid(&program, &guest, &stay(&free)).await;
    let (sn, total) = (text(&order, "sn"), order["totalCents"].as_i64().expect("a total"));
    // What the house does later is not the guest's.
    keep_to(&program, &host, free.0, json!({ "name": "strict" })).await;

    let (status, preview) = program
        .get(&format!("/v1/orders/{sn}/cancellation"), Some(&guest))
        .await;
    assert_eq!(status, 200, "{preview}");
    let refund = (total + 1) / 2;
    assert_eq!(
        (
            &preview["chargedCents"],
            &preview["refundCents"],
            &preview["keptCents"],
            &preview["percent"]
        ),
        (&json!(total), &json!(refund), &json!(total - refund), &json!(50)),
        "{preview}"
    );
    let path = format!("/v1/orders/{sn}/cancel");
    let (status, refused) = program
        .post(&path, Some(&guest), json!({ "expectedRefundCents": total }))
        .await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (409, &json!("REFUND_CHANGED"))
    );
    let (status, cancelled) = program
        .post(&path, Some(&guest), json!({ "expectedRefundCents": refund }))
        .await;
    assert_eq!(status, 200, "{cancelled}");
    assert_eq!(
        (
            &cancelled["refundCents"],
            &cancelled["keptCents"],
            &cancelled["cancelledBy"]
        ),
        (&preview["refundCents"], &preview["keptCents"], &json!("guest"))
    );
    assert_eq!(program.free(free.0, &free.1, &free.2).await, units);
    let refunded = program.until(&guest, &sn, "refunded").await;
    assert_eq!(refunded["tradeState"], 3);
    let (status, again) = program.post(&path, Some(&guest), json!({})).await;
    assert_eq!((status.as_u16(), &again["refundCents"]), (200, &json!(refund)));
}

pub async fn a_host_gives_everything_back_and_sees_no_code(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let (free, host) = (nights(), host(&program).await);
    let units = program.free(free.0, &free.1, &free.2).await;
    keep_to(&program, &host, free.0, half()).await;
    let order = paid(&program, &guest, &stay(&free)).await;
    let sn = text(&order, "sn");
    let (status, seen) = program.get(&format!("/v1/orders/{sn}"), Some(&host)).await;
    assert_eq!((status.as_u16(), &seen["checkInCode"]), (200, &json!(null)));
    let (status, cancelled) = program
        .post(
            &format!("/v1/orders/{sn}/cancel"),
            Some(&host),
            json!({ "reason": "the roof leaks" }),
        )
        .await;
    assert_eq!(
        (
            status.as_u16(),
            &cancelled["refundCents"],
            &cancelled["cancelledBy"]
        ),
        (200, &order["totalCents"], &json!("host")),
        "{cancelled}"
    );
    assert_eq!(program.free(free.0, &free.1, &free.2).await, units);
    program.until(&guest, &sn, "refunded").await;
}

pub async fn money_that_the_policy_keeps_is_kept(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let (free, host) = (nights(), host(&program).await);
    let units = program.free(free.0, &free.1, &free.2).await;
    keep_to(
        &program,
        &host,
        free.0,
        json!({ "name": "custom", "windows": [{ "hoursBefore": 8_700, "refundPercent": 100 }] }),
    )
    .await;
    let order = paid(&program, &guest, &stay(&free)).await;
    let sn = text(&order, "sn");
    let (status, cancelled) = program
        .post(&format!("/v1/orders/{sn}/cancel"), Some(&guest), json!({}))
        .await;
    assert_eq!(
        (status.as_u16(), &cancelled["state"], &cancelled["keptCents"]),
        (200, &json!("cancelled"), &order["totalCents"]),
        "{cancelled}"
    );
    assert_eq!(program.free(free.0, &free.1, &free.2).await, units);
    let pay = json!({ "orderSn": sn });
    let (status, refused) = program.post("/v1/payments", Some(&guest), pay).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (409, &json!("NOT_PAYABLE")),
        "{refused}"
    );
    let (_, later) = program.get(&format!("/v1/orders/{sn}"), Some(&guest)).await;
    assert_eq!(
        (&later["state"], &later["refundCents"]),
        (&json!("cancelled"), &json!(0))
    );
}

pub async fn a_changed_booking_gives_no_more_back_than_its_policy_gave(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let (free, host) = (nights(), host(&program).await);
    let windows =
        json!([{ "hoursBefore": 3_400, "refundPercent": 100 }, { "hoursBefore": 1, "refundPercent": 50 }]);
    keep_to(
        &program,
        &host,
        free.0,
        json!({ "name": "custom", "windows": windows }),
    )
    .await;
    let order = paid(&program, &guest, &stay(&free)).await;
    let (sn, total) = (text(&order, "sn"), order["totalCents"].as_i64().expect("a total"));
    let changes = format!("/v1/orders/{sn}/changes");
    let quote = async |from: &str, to: &str| {
        let path = format!("{changes}/quote?checkIn={from}&checkOut={to}&guests=1");
        let (status, quote) = program.get(&path, Some(&guest)).await;
        assert_eq!(status, 200, "{quote}");
        quote
    };
    let change = async |from: &str, to: &str, expected: &Value| {
        let body = json!({ "checkIn": from, "checkOut": to, "guests": 1, "expectedTotalCents": expected });
        let (status, answer) = program.post(&changes, Some(&guest), body).await;
        (status.as_u16(), answer)
    };

    // One night less: of its price half goes back, and half stays.
    let (from, second) = (free.1.clone(), next_day(&free.1));
    let shorter = quote(&from, &second).await;
    let (kept, price) = (
        shorter["feeCents"].as_i64().expect("a fee"),
        shorter["totalCents"].as_i64().expect("a total"),
    );
    let less = total - (price - kept);
    assert_eq!(
        (kept, &shorter["refundCents"]),
        (less / 2, &json!(less - less / 2))
    );
    assert!(kept > 0, "{shorter}");
    let (status, refused) = change(&from, &second, &json!(price - kept)).await;
    assert_eq!(
        (status, &refused["code"], &refused["details"]["totalCents"]),
        (409, &json!("PRICE_CHANGED"), &json!(price)),
        "{refused}"
    );
    let (status, changed) = change(&from, &second, &json!(price)).await;
    assert_eq!(
        (status, &changed["change"]["state"]),
        (201, &json!("applied")),
        "{changed}"
    );
    let lines = changed["order"]["lines"].as_array().expect("lines");
    let fee = lines.iter().find(|line| line["kind"] == "change_fee");
    let want =
        json!({ "kind": "change_fee", "date": from, "unitCents": kept, "quantity": 1, "totalCents": kept });
    assert_eq!(fee, Some(&want));
    assert_eq!(changed["order"]["refundCents"], less - less / 2);

    // Far enough ahead for the whole, were it a new booking.
    let (far, after) = (day(150), day(151));
    let moved = quote(&far, &after).await;
    let (status, changed) = change(&far, &after, &moved["totalCents"]).await;
    assert_eq!(status, 201, "{changed}");
    if moved["dueCents"] != 0 {
        let url = program.pay_url(&guest, &sn).await;
        assert_eq!(program.press(&url, "pay").await, 200);
    }
    let order = until_at(&program, &guest, &sn, &far).await;
    let fees: i64 = order["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| line["kind"] == "change_fee")
        .map(|line| line["totalCents"].as_i64().expect("cents"))
        .sum();
    let charged = order["totalCents"].as_i64().expect("a total");
    let (_, preview) = program
        .get(&format!("/v1/orders/{sn}/cancellation"), Some(&guest))
        .await;
    let refund = (charged - fees + 1) / 2;
    assert_eq!(
        (
            &preview["percent"],
            &preview["chargedCents"],
            &preview["refundCents"]
        ),
        (&json!(50), &json!(charged), &json!(refund)),
        "{preview}"
    );
    let before = order["refundCents"].as_i64().expect("cents");
    let body = json!({ "expectedRefundCents": refund });
    let (status, cancelled) = program
        .post(&format!("/v1/orders/{sn}/cancel"), Some(&guest), body)
        .await;
    assert_eq!(
        (
            status.as_u16(),
            &cancelled["refundCents"],
            &cancelled["keptCents"]
        ),
        (200, &json!(before + refund), &json!(charged - refund)),
        "{cancelled}"
    );
    program.until(&guest, &sn, "refunded").await;
}

/// Waits until a booking begins on a day.
async fn until_at(program: &Program, guest: &str, sn: &str, check_in: &str) -> Value {
    let wait = async {
        loop {
            let (_, order) = program.get(&format!("/v1/orders/{sn}"), Some(guest)).await;
            if order["checkIn"] == check_in {
                return order;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}
