//! What an Idempotency-Key stands for (`homestay_types::idempotency`), as a client sees it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Mode, Program, USUAL, text, unique};

/// Posts a body as it is written here.
async fn post(program: &Program, path: &str, token: &str, key: &str, body: &str) -> (StatusCode, Value) {
    loop {
        let request = program
            .http
            .post(format!("{}{path}", program.base))
            .bearer_auth(token)
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        if !program.is_overloaded(status).await {
            return (status, answer.json().await.expect("JSON"));
        }
    }
}

pub async fn a_key_stands_for_one_request_however_it_is_written_and_as_long_as_its_order(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let (house, from, to) = program.single_unit(1).await;
    let (key, path) = (unique(), "/v1/orders");
    let body = format!(r#"{{"homestayId":{house},"checkIn":"{from}","checkOut":"{to}","guests":1}}"#);

    let (status, order) = post(&program, path, &guest, &key, &body).await;

    assert_eq!(status, 201, "{order}");
    let sn = text(&order, "sn");
    let same = [
        body.clone(),
        format!(
            "{{ \"guests\" : 1,\n\t\"checkOut\":\"{to}\", \"homestayId\" : {house}, \"checkIn\": \"{from}\" }}"
        ),
        format!(
            r#"{{"homestayId":{house},"checkIn":"{from}","checkOut":"{to}","guests":1,"meals":false,"remark":""}}"#
        ),
        format!(
            r#"{{"homestayId":{house},"checkIn":"{from}","checkOut":"{to}","guests":1,"expectedTotalCents":null}}"#
        ),
    ];
    for body in &same {
        let (status, again) = post(&program, path, &guest, &key, body).await;
        assert_eq!((status.as_u16(), text(&again, "sn")), (201, sn.clone()), "{body}");
    }
    for other in [
        body.replace("\"guests\":1", "\"guests\":1,\"meals\":true"),
        body.replace("\"guests\":1", "\"guests\":1,\"remark\":\"late\""),
        body.replace("\"guests\":1", "\"guests\":2"),
    ] {
        let (status, problem) = post(&program, path, &guest, &key, &other).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (422, Some("IDEMPOTENCY_KEY_REUSED")),
            "{other} {problem}"
        );
    }
    // Somebody else's key, and another route's, are other keys: what they ask for is another booking.
    let stranger = program.guest().await;
    assert_eq!(post(&program, path, &stranger, &key, &body).await.0, 409);
    let seconds = |date: &str| {
        let date: jiff::civil::Date = date.parse().expect("a date");
        let zoned = date.to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai").expect("a zone"));
        zoned.expect("a time").timestamp().as_second()
    };
    let looklook = json!({
        "homestayId": house, "isFood": false, "livePeopleNum": 1, "remark": "",
        "liveStartTime": seconds(&from), "liveEndTime": seconds(&to),
    });
    let route = "/order/v1/homestayOrder/createHomestayOrder";
    let (status, answer) = post(&program, route, &guest, &key, &looklook.to_string()).await;
    assert_eq!(status, 409, "{answer}");

    let cancel = format!("/v1/orders/{sn}/cancel");
    assert_eq!(program.post(&cancel, Some(&guest), json!({})).await.0, 200);
    let (status, again) = post(&program, path, &guest, &key, &body).await;
    assert_eq!((status.as_u16(), text(&again, "sn")), (201, sn.clone()));
    assert_eq!(text(&again, "state"), "cancelled");
    assert_eq!(
        program.free(house, &from, &to).await,
        [1],
        "nothing was booked again"
    );
}

pub async fn a_key_that_is_none_is_refused_wherever_money_or_nights_are_asked_for(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let long = "k".repeat(256);
    for path in ["/v1/orders", "/v1/payments"] {
        for key in ["", "a b", &long] {
            let (status, problem) = post(&program, path, &guest, key, "{}").await;
            assert_eq!(
                (status.as_u16(), problem["field"].as_str()),
                (400, Some("Idempotency-Key")),
                "{path} {key:?} {problem}"
            );
        }
    }
}

pub async fn a_key_of_a_payment_stands_for_its_order_and_payment(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let mut orders = Vec::new();
    for _ in 0..2 {
        let stay = crate::harness::stay(&program.single_unit(1).await);
        orders.push(program.booked(&guest, &stay).await);
    }
    let (key, path) = (unique(), "/v1/payments");
    let body = |sn: &str| json!({ "orderSn": sn }).to_string();

    let (status, payment) = post(&program, path, &guest, &key, &body(&orders[0])).await;

    assert_eq!(status, 201, "{payment}");
    let spaced = format!("{{\n  \"orderSn\" : \"{}\"\n}}", orders[0]);
    let (status, again) = post(&program, path, &guest, &key, &spaced).await;
    assert_eq!(status, 201, "{again}");
    assert_eq!(text(&again, "sn"), text(&payment, "sn"));
    let (status, problem) = post(&program, path, &guest, &key, &body(&orders[1])).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some("IDEMPOTENCY_KEY_REUSED")),
        "{problem}"
    );
    assert_eq!(
        post(&program, path, &guest, &unique(), &body(&orders[1])).await.0,
        201
    );
}
