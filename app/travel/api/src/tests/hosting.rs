//! What hosts do, and what everybody may ask before booking.

use axum::body::Body;
use axum::http::{Request, header};
use homestay_clock::Clock;
use homestay_http::{Keys, auth::Claims};
use homestay_testkit::NOW_MS;
use homestay_types::Role;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app;
use super::fakes::FakeUsers;

fn token(id: i64) -> String {
    let keys = Keys::new(vec![("1".to_owned(), "secret".to_owned())], Clock::manual(NOW_MS));
    let now = NOW_MS / 1000;
    keys.sign(&Claims {
        exp: now + 60,
        iat: now,
        user_id: id,
        role: Role::Host,
    })
    .unwrap()
}

async fn call(method: &str, path: &str, host: Option<i64>, body: Option<Value>) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(id) = host {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token(id)));
    }
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let answer = app(FakeUsers { up: true })
        .oneshot(request.body(body).unwrap())
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn availability_tells_every_rule_only_if_it_is_asked_to() {
    let path = "/v1/homestays/7/availability?checkIn=2026-12-01&checkOut=2026-12-02&guests=2&meals=true";
    let (status, plain) = call("GET", path, None, None).await;
    assert_eq!(
        (status, &plain["available"], plain.get("refusals")),
        (200, &json!(false), None)
    );
    assert_eq!(plain["quote"]["homestayId"], 7);
    let (_, told) = call("GET", &format!("{path}&explain=true"), None, None).await;
    let refusal = json!({ "rule": "MIN_NIGHTS", "date": "2026-12-01", "message": "2 true" });
    assert_eq!(told["refusals"], json!([refusal]));
    for (query, field) in [
        ("checkIn=2026-12-01&checkOut=2026-12-02", "guests"),
        ("guests=1", "checkIn"),
    ] {
        let (status, problem) = call(
            "GET",
            &format!("/v1/homestays/7/availability?{query}"),
            None,
            None,
        )
        .await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)));
    }
}

#[tokio::test]
async fn rules_are_one_document_that_is_read_as_it_was_written() {
    let path = "/v1/homestays/7/rules";
    let document = json!({
        "minNights": 2, "maxNights": 14, "bufferDays": 1, "arrivalWeekdays": ["monday", "sunday"],
        "departureWeekdays": ["friday"], "advanceMinDays": 1, "advanceMaxDays": 90, "weekendPriceCents": 9_900,
        "seasons": [{ "name": "Spring", "from": "2027-03-01", "until": "2027-06-01", "priceCents": 1, "weekendPriceCents": 2,
            "minNights": 3 }],
        "discounts": [{ "nights": 7, "percent": 10 }], "stopSell": [{ "from": "2026-12-24", "until": "2026-12-26" }],
        "cancellationPolicy": { "name": "custom", "windows": [{ "hoursBefore": 48, "refundPercent": 80 }] },
        "checkInTime": "16:30",
    });
    assert_eq!(
        call("PUT", path, Some(9), Some(document.clone())).await,
        (200, document)
    );
    let (status, rules) = call("GET", path, Some(9), None).await;
    assert_eq!(
        (status, &rules["arrivalWeekdays"], &rules["checkInTime"]),
        (200, &json!(["monday", "sunday"]), &json!("15:00"))
    );
    let (_, empty) = call("PUT", path, Some(9), Some(json!({}))).await;
    assert_eq!(
        (
            &empty["checkInTime"],
            empty["arrivalWeekdays"].as_array().map(Vec::len)
        ),
        (&json!("15:00"), Some(7))
    );
}

#[tokio::test]
async fn rules_that_cannot_be_read_name_their_field() {
    let cases = [
        (json!({ "checkInTime": "7:00" }), "checkInTime"),
        (json!({ "checkInTime": "24:00" }), "checkInTime"),
        (json!({ "checkInTime": "00:00" }), "checkInTime"),
        (json!({ "checkInTime": "07:60" }), "checkInTime"),
        (json!({ "checkInTime": "+7:00" }), "checkInTime"),
        (json!({ "arrivalWeekdays": [] }), "arrivalWeekdays"),
        (json!({ "minNight": 1 }), "minNight"),
        (json!({ "minNights": "two" }), "minNights"),
    ];
    for (body, field) in cases {
        let (status, problem) = call("PUT", "/v1/homestays/7/rules", Some(9), Some(body)).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)));
    }
}

#[tokio::test]
async fn blocks_are_made_listed_and_removed() {
    let path = "/v1/homestays/7/blocks";
    let body = json!({ "from": "2026-12-01", "until": "2026-12-03", "unit": 2, "note": "paint" });
    let block = json!({
        "id": 77, "homestayId": 7, "unit": 2, "from": "2026-12-01", "until": "2026-12-03", "note": "paint",
        "createdAt": "2026-11-21T00:00:00.000Z",
    });
    assert_eq!(call("POST", path, Some(9), Some(body)).await, (201, block));
    assert_eq!(
        call("GET", path, Some(9), None).await,
        (200, json!({ "blocks": [] }))
    );
    assert_eq!(
        call("DELETE", "/v1/homestays/7/blocks/77", Some(9), None).await,
        (204, Value::Null)
    );
    assert_eq!(
        call("DELETE", "/v1/homestays/7/blocks/78", Some(9), None).await.0,
        404
    );
    let (status, problem) = call(
        "POST",
        path,
        Some(9),
        Some(json!({ "from": "2026-12-01", "until": "2026-12-03", "unit": 0 })),
    )
    .await;
    assert_eq!((status, &problem["field"]), (400, &json!("unit")));
}

#[tokio::test]
async fn without_a_token_nobody_gets_there_and_a_strangers_house_looks_unknown() {
    let body = json!({ "from": "2026-12-01", "until": "2026-12-03" });
    for (method, path, body) in [
        ("GET", "/v1/homestays/7/rules", None),
        ("PUT", "/v1/homestays/7/rules", Some(json!({}))),
        ("GET", "/v1/homestays/7/blocks", None),
        ("POST", "/v1/homestays/7/blocks", Some(body)),
        ("DELETE", "/v1/homestays/7/blocks/77", None),
    ] {
        assert_eq!(
            call(method, path, None, body.clone()).await.0,
            401,
            "{method} {path}"
        );
        let (status, problem) = call(method, path, Some(8), body).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("HOUSE_NOT_FOUND")),
            "{method} {path}"
        );
    }
}
