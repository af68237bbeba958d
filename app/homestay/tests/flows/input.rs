//! Bad input of every kind: the right status, a body that names the field, and nothing changed.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Mode, Program, USUAL, day, stay, unique};

pub async fn bad_bookings_are_refused_by_field_and_change_nothing(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let good = stay(&program.single_unit(1).await);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let off_sale = off_sale_house(&program).await;
    let mut past = with("checkIn", json!("2020-01-01"));
    past["checkOut"] = json!("2020-01-03");
    let cases: Vec<(Value, u16, &str, &str)> = vec![
        (without("homestayId"), 400, "INVALID_ARGUMENT", "homestayId"),
        (without("checkIn"), 400, "INVALID_ARGUMENT", "checkIn"),
        (without("guests"), 400, "INVALID_ARGUMENT", "guests"),
        (
            with("homestayId", json!("7")),
            400,
            "INVALID_ARGUMENT",
            "homestayId",
        ),
        (with("guests", json!(1.5)), 400, "INVALID_ARGUMENT", "guests"),
        (with("guests", json!(0)), 400, "INVALID_ARGUMENT", "guests"),
        (with("guests", json!(-10)), 400, "INVALID_ARGUMENT", "guests"),
        (
            with("guests", json!(1_000_000)),
            400,
            "INVALID_ARGUMENT",
            "guests",
        ),
        (past, 400, "INVALID_ARGUMENT", "checkIn"),
        (
            with("checkIn", json!("2026-02-30")),
            400,
            "INVALID_ARGUMENT",
            "checkIn",
        ),
        (
            with("checkIn", json!("99999-01-01")),
            400,
            "INVALID_ARGUMENT",
            "checkIn",
        ),
        (
            with("checkOut", good["checkIn"].clone()),
            400,
            "INVALID_ARGUMENT",
            "checkOut",
        ),
        (
            with("checkOut", json!(day(-5))),
            400,
            "INVALID_ARGUMENT",
            "checkOut",
        ),
        (
            // Longer than any stay, wherever in the spring the nights were free.
            with("checkOut", json!(day(390))),
            400,
            "INVALID_ARGUMENT",
            "checkOut",
        ),
        (
            with("remark", json!("x".repeat(65))),
            400,
            "INVALID_ARGUMENT",
            "remark",
        ),
        (with("expectedTotalCents", json!(1)), 409, "PRICE_CHANGED", ""),
        (with("colour", json!("red")), 400, "INVALID_ARGUMENT", "colour"),
        (with("homestayId", json!(999_999_999)), 404, "HOUSE_NOT_FOUND", ""),
        (
            with("homestayId", json!(-1)),
            400,
            "INVALID_ARGUMENT",
            "homestayId",
        ),
        (with("homestayId", json!(off_sale)), 409, "OFF_SALE", ""),
        (json!([]), 400, "INVALID_ARGUMENT", ""),
        (json!("text"), 400, "INVALID_ARGUMENT", "body"),
    ];
    for (body, status, code, field) in cases {
        let (got, problem) = program.book(&guest, &unique(), &body).await;
        assert_eq!(
            (got.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{body} {problem}"
        );
        if !field.is_empty() {
            assert_eq!(problem["field"].as_str(), Some(field), "{body} {problem}");
        }
    }
    let (_, list) = program.get("/v1/orders", Some(&guest)).await;
    assert_eq!(list["orders"], json!([]));
    let (house, from, to) = (
        good["homestayId"].as_i64().unwrap(),
        good["checkIn"].as_str().unwrap(),
        good["checkOut"].as_str().unwrap(),
    );
    assert_eq!(program.free(house, from, to).await, [1]);
}

/// The sample's house that is off sale: in no list, but known by its id.
async fn off_sale_house(program: &Program) -> i64 {
    for id in 1..200 {
        let (status, house) = program.get(&format!("/v1/homestays/{id}"), None).await;
        if status == 200 && house["onSale"] == false {
            return id;
        }
    }
    panic!("the sample has no house off sale");
}

pub async fn the_looklook_face_names_its_own_fields(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let create = "/order/v1/homestayOrder/createHomestayOrder";
    let (_, _, _) = program.single_unit(1).await;
    let body = |people: i64, start: i64, end: i64| json!({ "homestayId": 1, "isFood": false, "liveStartTime": start, "liveEndTime": end, "livePeopleNum": people, "remark": "" });
    let ahead = 4_070_908_800; // 2099
    let cases = [
        (json!({}), "homestayId"),
        (body(0, ahead, ahead + 86_400), "livePeopleNum"),
        (body(-10, ahead, ahead + 86_400), "livePeopleNum"),
        (body(1, ahead, ahead + 1), "liveEndTime"),
        (body(1, 1_000_000, 2_000_000), "liveStartTime"),
        (body(1, i64::MAX, i64::MAX), "liveStartTime"),
    ];
    for (body, field) in cases {
        let (status, answer) = program.post(create, Some(&guest), body.clone()).await;
        assert_eq!(
            (status.as_u16(), &answer["code"]),
            (400, &json!(100_002)),
            "{body} {answer}"
        );
        assert!(
            answer["msg"].as_str().unwrap().contains(field),
            "{field}: {answer}"
        );
    }
    let lists = [
        (
            "/travel/v1/homestay/homestayList",
            json!({ "page": 1, "pageSize": -1 }),
        ),
        (
            "/travel/v1/homestay/businessList",
            json!({ "lastId": 0, "pageSize": -1, "homestayBusinessId": 1 }),
        ),
        (
            "/order/v1/homestayOrder/userHomestayOrderList",
            json!({ "lastId": 0, "pageSize": -1, "tradeState": -99 }),
        ),
    ];
    for (path, body) in lists {
        let (status, answer) = program.post(path, Some(&guest), body).await;
        assert_eq!(status, 400, "{path} {answer}");
        assert!(
            answer["msg"].as_str().unwrap().contains("pageSize"),
            "{path} {answer}"
        );
    }
    let (status, answer) = program
        .post(
            "/order/v1/homestayOrder/userHomestayOrderDetail",
            Some(&guest),
            json!({ "sn": "HSO1" }),
        )
        .await;
    assert_eq!(status, 404, "{answer}");
}

pub async fn tokens_routes_verbs_and_bodies_that_are_wrong_get_their_status(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    // {"alg":"none","kid":"1"} . {"exp":9999999999,"iat":0,"jwtUserId":7,"role":"admin"} .
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.eyJleHAiOjk5OTk5OTk5OTksImlhdCI6MCwiand0VXNlcklkIjo3LCJyb2xlIjoiYWRtaW4ifQ.";
    let mangled = format!("{guest}x");
    for token in [none, mangled.as_str(), "x", "a.b.c"] {
        for path in ["/v1/users/me", "/v1/orders"] {
            let (status, problem) = program.get(path, Some(token)).await;
            assert_eq!(
                (status.as_u16(), &problem["code"]),
                (401, &json!("UNAUTHENTICATED")),
                "{path}"
            );
        }
        let (status, answer) = program
            .post("/usercenter/v1/user/detail", Some(token), json!({}))
            .await;
        assert_eq!((status.as_u16(), &answer["code"]), (401, &json!(100_003)));
    }
    let table = [
        (Method::GET, "/v1/nowhere", 404, "ROUTE_NOT_FOUND"),
        (Method::DELETE, "/v1/orders", 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "/v1/homestays?limit=-1", 400, "INVALID_ARGUMENT"),
        (Method::GET, "/v1/homestays?limit=x", 400, "INVALID_ARGUMENT"),
        (Method::GET, "/v1/homestays?cursor=!!", 400, "INVALID_ARGUMENT"),
        (
            Method::GET,
            "/v1/homestays?checkIn=2027-01-01",
            400,
            "INVALID_ARGUMENT",
        ),
        (Method::GET, "/v1/homestays/abc", 400, "INVALID_ARGUMENT"),
        (Method::GET, "/v1/homestays/999999999", 404, "HOUSE_NOT_FOUND"),
        (
            Method::GET,
            "/v1/orders/HSO2026112110155912345678",
            404,
            "ORDER_NOT_FOUND",
        ),
        (
            Method::GET,
            "/v1/payments/PMT2026112110155912345678",
            404,
            "PAYMENT_NOT_FOUND",
        ),
    ];
    for (method, path, status, code) in table {
        let (got, problem) = program.call(method, path, Some(&guest), None).await;
        assert_eq!(
            (got.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{path} {problem}"
        );
    }
    let (status, answer) = program.post("/order/v1/nowhere", Some(&guest), json!({})).await;
    assert_eq!((status.as_u16(), &answer["code"]), (404, &json!(100_017)));

    let huge = json!({ "mobile": "13900000000", "password": "x".repeat(2 << 20) });
    assert_eq!(program.post("/v1/sessions", None, huge).await.0, 413);
    let plain = program
        .http
        .post(format!("{}/v1/sessions", program.base))
        .body("mobile=1")
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), 415);
    let broken = program
        .http
        .post(format!("{}/v1/sessions", program.base))
        .header("content-type", "application/json")
        .body("{\"mobile\":")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), 400);
    for _ in 0..20 {
        let (status, answer) = program
            .post(
                "/payment/v1/thirdPayment/thirdPaymentWxPayCallback",
                None,
                json!({}),
            )
            .await;
        assert!(
            status.is_client_error() && !answer.to_string().is_empty(),
            "{status} {answer}"
        );
        let (status, _) = program
            .post("/payment/v1/thirdPayment/sandboxCallback", None, json!({}))
            .await;
        assert!(status.is_client_error(), "{status}");
    }
}

/// SQLite would keep it and Postgres fail over it.
pub async fn a_nul_is_refused_by_its_field_whoever_sends_it(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let host = json!({ "mobile": "13800000002", "password": "homestay-demo" });
    let (status, host) = program.post("/v1/sessions", None, host).await;
    assert_eq!(status, 201, "{host}");
    let host = host["accessToken"].as_str();
    let mut stay = stay(&program.single_unit(1).await);
    stay["remark"] = json!("a\0b");
    let mut cases = vec![
        (Method::GET, "/v1/homestays?city=%00", None, None, "city"),
        (
            Method::POST,
            "/v1/sessions",
            None,
            Some(json!({ "mobile": "\0", "password": "x" })),
            "mobile",
        ),
        (
            Method::POST,
            "/v1/orders",
            Some(guest.as_str()),
            Some(stay),
            "remark",
        ),
        (
            Method::POST,
            "/v1/orders/HSO1/cancel",
            Some(guest.as_str()),
            Some(json!({ "reason": "\0" })),
            "reason",
        ),
        (
            Method::POST,
            "/v1/homestays/2/blocks",
            host,
            Some(json!({ "from": day(300), "until": day(301), "note": "x\0" })),
            "note",
        ),
    ];
    if mode == Mode::Embedded {
        // nginx lets no such path through.
        cases.push((Method::GET, "/v1/orders/%00", Some(&guest), None, "sn"));
        cases.push((Method::GET, "/v1/payments/%00", Some(&guest), None, "sn"));
    }
    for (method, path, token, body, field) in cases {
        let (status, problem) = program.call(method, path, token, body).await;
        assert_eq!(
            (status.as_u16(), &problem["code"], &problem["field"]),
            (400, &json!("INVALID_ARGUMENT"), &json!(field)),
            "{path} {problem}"
        );
    }
    let (status, answer) = program
        .post(
            "/order/v1/homestayOrder/userHomestayOrderDetail",
            Some(&guest),
            json!({ "sn": "HSO\0" }),
        )
        .await;
    assert_eq!(
        (status.as_u16(), &answer["code"]),
        (400, &json!(100_002)),
        "{answer}"
    );
}

pub async fn foreign_orders_look_like_unknown_ones(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let (owner, stranger) = (program.guest().await, program.guest().await);
    let sn = program.booked(&owner, &stay(&program.single_unit(1).await)).await;
    assert_eq!(
        program.get(&format!("/v1/orders/{sn}"), Some(&stranger)).await.0,
        404
    );
    assert_eq!(
        program
            .post("/v1/payments", Some(&stranger), json!({ "orderSn": sn }))
            .await
            .0,
        404
    );
    let detail = json!({ "sn": sn });
    let (status, _) = program
        .post(
            "/order/v1/homestayOrder/userHomestayOrderDetail",
            Some(&stranger),
            detail,
        )
        .await;
    assert_eq!(status, 404);
    let pay = json!({ "orderSn": sn, "serviceType": "homestayOrder" });
    let (status, _) = program
        .post("/payment/v1/thirdPayment/thirdPaymentWxPay", Some(&stranger), pay)
        .await;
    assert_eq!(status, 404);
}

pub async fn chunked_bodies_are_read_and_those_cut_short_change_nothing(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let address = program.base.strip_prefix("http://").unwrap();
    let good = stay(&program.single_unit(1).await).to_string();
    let head = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {guest}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );

    let mut cut = tokio::net::TcpStream::connect(address).await.unwrap();
    cut.write_all(format!("{head}{:x}\r\n{}", good.len(), &good[..10]).as_bytes())
        .await
        .unwrap();
    cut.shutdown().await.unwrap();
    let mut answer = String::new();
    cut.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    let (_, list) = program.get("/v1/orders", Some(&guest)).await;
    assert_eq!(list["orders"], json!([]));

    let mut whole = tokio::net::TcpStream::connect(address).await.unwrap();
    let (first, second) = good.split_at(10);
    let body = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    whole.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    whole.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}
