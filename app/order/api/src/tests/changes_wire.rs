use serde_json::json;

use super::rest_wire::waiting;
use super::*;

const BODY: &str = r#"{"checkIn":"2026-12-01","checkOut":"2026-12-03","guests":2}"#;

fn shown() -> Value {
    json!({
        "attempt": 2, "state": "held", "checkIn": "2026-12-01", "checkOut": "2026-12-03", "guests": 2, "meals": true,
        "currency": "CNY", "roomCents": 25_600, "mealCents": 6_200, "totalCents": 31_800, "oldTotalCents": 15_900,
        "dueCents": 15_900, "dueBefore": "2026-11-21T00:30:00.000Z", "refundCents": 0, "feeCents": 300, "lines": [],
        "createdAt": "2026-11-21T00:00:00.000Z", "endedAt": null, "error": null,
    })
}

#[tokio::test]
async fn a_change_answers_201_with_itself_and_the_order() {
    let fake = Fake::default();
    let route = format!("POST /v1/orders/{SN}/changes");
    let answer = call(&fake, &route, "key-1", BODY).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body, json!({"change": shown(), "order": waiting()}));
    let want = pb::ChangeRequest {
        sn: SN.into(),
        check_in: "2026-12-01".into(),
        check_out: "2026-12-03".into(),
        guests: 2,
        idempotency_key: "key-1".into(),
        route: "POST /v1/orders/{sn}/changes".into(),
        ..Default::default()
    };
    assert_eq!(*fake.asked.lock().unwrap(), [format!("user/41/guest {want:?}")]);
    *fake.refusal.lock().unwrap() = Some(Error::new(Code::ChangeOpen));
    let refused = call(&fake, &route, "", BODY).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("CHANGE_OPEN"))
    );
    for (body, field) in [
        ("{}", "checkIn"),
        (r#"{"checkIn":"2026-12-01","checkOut":"2026-12-03"}"#, "guests"),
        (
            r#"{"checkIn":"2026-12-01","checkOut":"2026-12-03","guests":2,"expectedTotalCents":0}"#,
            "expectedTotalCents",
        ),
        (
            r#"{"checkIn":"2026-12-01","checkOut":"2026-12-03","guests":2,"remark":"x"}"#,
            "remark",
        ),
    ] {
        let answer = call(&fake, &route, "", body).await;
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (400, &json!(field)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn changes_are_listed_and_quoted() {
    let fake = Fake::default();
    let list = call(&fake, &format!("GET /v1/orders/{SN}/changes"), "", "").await;
    assert_eq!((list.status, list.body), (200, json!({"changes": [shown()]})));
    let query = "checkIn=2026-12-01&checkOut=2026-12-03&guests=2&meals=false";
    let quote = call(
        &fake,
        &format!("GET /v1/orders/{SN}/changes/quote?{query}"),
        "",
        "",
    )
    .await;
    let mut want = shown();
    want["state"] = json!("quote");
    assert_eq!((quote.status, quote.body), (200, want));
    assert!(fake.asked.lock().unwrap()[1].contains("meals: Some(false)"));
    let bare = call(&fake, &format!("GET /v1/orders/{SN}/changes/quote"), "", "").await;
    assert_eq!((bare.status, &bare.body["field"]), (400, &json!("checkIn")));
}

#[tokio::test]
async fn the_preview_of_a_cancellation_tells_what_goes_back_and_until_when() {
    let fake = Fake::default();
    let answer = call(&fake, &format!("GET /v1/orders/{SN}/cancellation"), "", "").await;
    let want = json!({
        "refundCents": 7_950, "keptCents": 7_950, "chargedCents": 15_900, "currency": "CNY", "percent": 50,
        "validUntil": "2026-11-21T00:00:01.000Z",
        "policy": {"name": "moderate", "windows": [
            {"hoursBefore": 120, "refundPercent": 100}, {"hoursBefore": 24, "refundPercent": 50},
        ]},
    });
    assert_eq!((answer.status, answer.body), (200, want));
}

#[tokio::test]
async fn a_cancellation_can_expect_its_refund() {
    let fake = Fake::default();
    let route = format!("POST /v1/orders/{SN}/cancel");
    let body = r#"{"reason":"rain","expectedRefundCents":0}"#;
    assert_eq!(call(&fake, &route, "", body).await.status, 200);
    assert!(fake.asked.lock().unwrap()[0].contains("expected_refund_cents: Some(0)"));
    let preview = json!({"refundCents": 5});
    *fake.refusal.lock().unwrap() = Some(Error::new(Code::RefundChanged).details(preview.clone()));
    let refused = call(&fake, &route, "", body).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("REFUND_CHANGED"))
    );
    assert_eq!(refused.body["details"], preview);
    let negative = call(&fake, &route, "", r#"{"expectedRefundCents":-1}"#).await;
    assert_eq!(
        (negative.status, &negative.body["field"]),
        (400, &json!("expectedRefundCents"))
    );
}
