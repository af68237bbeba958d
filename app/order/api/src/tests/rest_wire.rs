use serde_json::json;

use super::*;

const BODY: &str = r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":2,"meals":true,"remark":"late","expectedTotalCents":15900}"#;

pub(super) fn waiting() -> Value {
    json!({
        "sn": SN, "id": 1, "state": "awaiting_payment", "cancelledBy": null, "tradeState": 0,
        "homestay": {
            "id": 7, "title": "Bamboo House", "subTitle": "by the river", "cover": "a.jpg", "shopId": 5, "hostId": 6,
            "timeZone": "Asia/Shanghai",
        },
        "checkIn": "2026-12-01", "checkOut": "2026-12-02", "nights": 1, "guests": 2, "meals": true, "remark": "late",
        "currency": "CNY", "totalCents": 15_900, "roomCents": 12_800, "mealCents": 3_100,
        "lines": [
            {"kind": "room", "date": "2026-12-01", "unitCents": 12_800, "quantity": 1, "totalCents": 12_800},
            {"kind": "meals", "date": "2026-12-01", "unitCents": 1_550, "quantity": 2, "totalCents": 3_100},
        ],
        "createdAt": "2026-11-21T00:00:00.000Z", "payBefore": "2026-11-21T00:30:00.000Z", "paidAt": null,
        "payUrl": null, "dueCents": 15_900, "dueBefore": "2026-11-21T00:30:00.000Z",
        "chargedCents": 0, "refundCents": 0, "keptCents": 0,
        "cancellationPolicy": {"name": "moderate", "windows": [
            {"hoursBefore": 120, "refundPercent": 100}, {"hoursBefore": 24, "refundPercent": 50},
        ]},
        "checkInAt": "2026-12-01T10:00:00.000Z", "checkInCode": null,
        "steps": [{
            "name": "Scheduling", "startedAt": "2026-11-21T00:00:00.000Z", "endedAt": "2026-11-21T00:00:00.000Z",
            "attempt": 1, "error": null, "undoStartedAt": null, "undoEndedAt": null,
        }],
    })
}

#[tokio::test]
async fn create_answers_201_with_the_order_and_its_address() {
    let fake = Fake::default();
    let answer = call(&fake, "POST /v1/orders", "key-1", BODY).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.location.unwrap(), format!("/v1/orders/{SN}"));
    assert_eq!(answer.body, waiting());
    let want = pb::CreateRequest {
        house_id: 7,
        check_in: "2026-12-01".into(),
        check_out: "2026-12-02".into(),
        guests: 2,
        meals: true,
        remark: "late".into(),
        idempotency_key: "key-1".into(),
        route: "POST /v1/orders".into(),
        expected_total_cents: 15_900,
        ..Default::default()
    };
    assert_eq!(*fake.asked.lock().unwrap(), [format!("user/41/guest {want:?}")]);
}

#[tokio::test]
async fn bad_bodies_name_the_field_and_ask_nobody() {
    let fake = Fake::default();
    let cases = [
        ("", "homestayId"),
        (r#"{"homestayId":7}"#, "checkIn"),
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02"}"#,
            "guests",
        ),
        (
            r#"{"homestayId":7,"checkIn":1,"checkOut":"2026-12-02","guests":2}"#,
            "checkIn",
        ),
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":2,"wifi":true}"#,
            "wifi",
        ),
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":2,"expectedTotalCents":0}"#,
            "expectedTotalCents",
        ),
        ("[", "body"),
    ];
    for (body, field) in cases {
        let answer = call(&fake, "POST /v1/orders", "", body).await;
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (400, &json!(field)),
            "{body}"
        );
        assert_eq!(answer.body["code"], "INVALID_ARGUMENT");
    }
    let key = call(&fake, "POST /v1/orders", "a b", BODY).await;
    assert_eq!((key.status, &key.body["field"]), (400, &json!("Idempotency-Key")));
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refusals_are_problems_with_their_details() {
    let fake = Fake::default();
    let quote = json!({"totalCents": 20_000});
    *fake.refusal.lock().unwrap() = Some(Error::new(Code::PriceChanged).details(quote.clone()));
    let answer = call(&fake, "POST /v1/orders", "", BODY).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (409, &json!("PRICE_CHANGED"))
    );
    assert_eq!(
        (&answer.body["details"], &answer.body["requestId"]),
        (&quote, &json!("r1"))
    );
}

#[tokio::test]
async fn a_walk_over_the_pages_sees_every_order_once() {
    let fake = Fake {
        orders: 45,
        ..Fake::default()
    };
    let mut seen = Vec::new();
    let mut route = "GET /v1/orders".to_owned();
    let mut pages = 0;
    loop {
        let page = call(&fake, &route, "", "").await;
        assert_eq!(page.status, 200);
        let orders = page.body["orders"].as_array().unwrap().clone();
        seen.extend(orders.iter().map(|order| order["id"].as_i64().unwrap()));
        pages += 1;
        match page.body["nextCursor"].as_str() {
            Some(cursor) => route = format!("GET /v1/orders?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (1..=45).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_knows_its_states_limits_and_cursors() {
    let fake = Fake::default();
    let empty = call(&fake, "GET /v1/orders?state=refunded&limit=5000", "", "").await;
    assert_eq!(empty.body, json!({"orders": [], "nextCursor": null}));
    let want = pb::ListRequest {
        last_id: 0,
        limit: 101,
        trade_state: 3,
    };
    assert_eq!(*fake.asked.lock().unwrap(), [format!("user/41/guest {want:?}")]);
    for (query, field) in [
        ("state=lost", "state"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("cursor=x!", "cursor"),
        ("cursor=LTU", "cursor"), // -5
        ("page=2", "page"),
    ] {
        let answer = call(&fake, &format!("GET /v1/orders?{query}"), "", "").await;
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (400, &json!(field)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn an_order_that_waits_for_payment_shows_where_to_pay() {
    let route = format!("GET /v1/orders/{SN}");
    let fake = Fake::default();
    let answer = call(&fake, &route, "", "").await;
    let mut want = waiting();
    want["payUrl"] = json!("http://pay/2");
    assert_eq!((answer.status, answer.body), (200, want));
    assert!(
        fake.asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| asked.starts_with("user/41/guest"))
    );

    let fake = Fake {
        payments_down: true,
        ..Fake::default()
    };
    let answer = call(&fake, &route, "", "").await;
    assert_eq!((answer.status, answer.body), (200, waiting()));
}

#[tokio::test]
async fn a_paid_order_shows_its_code_and_asks_for_no_payment() {
    let fake = Fake {
        paid: true,
        ..Fake::default()
    };
    let answer = call(&fake, &format!("GET /v1/orders/{SN}"), "", "").await;
    let mut want = waiting();
    want["state"] = json!("confirmed");
    want["tradeState"] = json!(1);
    want["checkInCode"] = json!("7KQ2M9XA");
    want["paidAt"] = json!("2026-11-21T00:01:00.000Z");
    want["dueCents"] = json!(0);
    want["dueBefore"] = json!(null);
    want["chargedCents"] = json!(15_900);
    assert_eq!(answer.body, want);
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn cancel_answers_with_the_order_and_takes_a_reason() {
    let fake = Fake::default();
    let route = format!("POST /v1/orders/{SN}/cancel");
    for (body, reason) in [("", ""), ("{}", ""), (r#"{"reason":"rain"}"#, "rain")] {
        let answer = call(&fake, &route, "", body).await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!("cancelled")));
        assert_eq!(answer.body["cancelledBy"], "guest");
        let asked = fake.asked.lock().unwrap().pop().unwrap();
        assert!(asked.contains(&format!("reason: {reason:?}")), "{asked}");
    }
    *fake.refusal.lock().unwrap() = Some(Error::new(Code::OrderState));
    let refused = call(&fake, &route, "", "").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("ORDER_STATE"))
    );
}

#[tokio::test]
async fn unknown_orders_are_404_and_strangers_401() {
    let unknown = call(&Fake::default(), "GET /v1/orders/HSO1", "", "").await;
    assert_eq!(
        (unknown.status, &unknown.body["code"]),
        (404, &json!("ORDER_NOT_FOUND"))
    );
    for route in [
        "POST /v1/orders",
        "GET /v1/orders",
        "GET /v1/orders/1",
        "POST /v1/orders/1/cancel",
        "GET /v1/orders/1/cancellation",
        "POST /v1/orders/1/changes",
        "GET /v1/orders/1/changes",
        "GET /v1/orders/1/changes/quote",
    ] {
        let answer = send(&Fake::default(), route, "", "", None).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (401, &json!("UNAUTHENTICATED")),
            "{route}"
        );
    }
}
