//! The wire: status and body of every route, over a fake payment-rpc.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, header};
use homestay_clock::Clock;
use homestay_http::auth::Claims;
use homestay_http::{Edge, Keys};
use homestay_proto::payment::payment_server::PaymentServer;
use homestay_testkit::NOW_MS;
use homestay_types::Role;
use http_body_util::BodyExt;
use tower::ServiceExt;

mod cases;
mod fake;

use self::fake::FakePayment;
use crate::{Api, looklook, rest, sandbox};

const ORDER: &str = "HSO2026112110155900000001";
const PAYMENT: &str = "PMT2026112110160000000002";

fn keys() -> Keys {
    Keys::new(
        vec![("k1".to_owned(), "secret".to_owned())],
        Clock::manual(NOW_MS),
    )
}

/// Sends a request through the edge as the program has it.
async fn send(request: Request<Body>) -> Response<Body> {
    let api = Api::new(homestay_testkit::fake(PaymentServer::new(FakePayment)));
    let router = looklook(api.clone())
        .merge(sandbox(api.clone()))
        .merge(rest(api).split_for_parts().0);
    let edge = Edge {
        keys: keys(),
        deadline: Duration::from_secs(3),
        compat_status: false,
        trust_forwarded: false,
        cors_origins: Vec::new(),
    };
    edge.around(router).oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{status} {}", String::from_utf8_lossy(&body))
}

/// The guest 7's.
fn token() -> String {
    token_of(7, Role::Guest)
}

fn token_of(user_id: i64, role: Role) -> String {
    let now = NOW_MS / 1000;
    let claims = Claims {
        exp: now + 60,
        iat: now,
        user_id,
        role,
    };
    format!("Bearer {}", keys().sign(&claims).unwrap())
}

/// A request with a JSON body by the guest 7; status and body of the answer.
async fn call(route: &str, body: &str) -> String {
    let (verb, path) = route.split_once(' ').unwrap();
    let request = Request::builder()
        .method(verb)
        .uri(path)
        .header("x-request-id", "r1")
        .header(header::AUTHORIZATION, token())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    text(send(request).await).await
}

/// A request without a token.
fn raw(route: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let (verb, path) = route.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(verb)
        .uri(path)
        .header("x-request-id", "r1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

const WX_PAY: &str = "POST /payment/v1/thirdPayment/thirdPaymentWxPay";
const WX_CALLBACK: &str = "POST /payment/v1/thirdPayment/thirdPaymentWxPayCallback";
const SANDBOX_CALLBACK: &str = "POST /payment/v1/thirdPayment/sandboxCallback";

fn callback_of(provider: &str) -> String {
    format!("POST /v1/payments/callbacks/{provider}")
}

#[tokio::test]
async fn paying_on_the_looklook_face_answers_six_texts_and_where_to_pay() {
    let empty = r#""appid":"","nonceStr":"","paySign":"","package":"","timestamp":"","signType":"""#;
    let want = format!(
        r#"200 {{"code":200,"msg":"OK","data":{{{empty},"payUrl":"http://127.0.0.1:8888/sandbox/pay/t"}}}}"#
    );
    for body in [
        format!(r#"{{"orderSn":"{ORDER}","serviceType":"homestayOrder"}}"#),
        format!(r#"{{"orderSn":"{ORDER}"}}"#),
    ] {
        assert_eq!(call(WX_PAY, &body).await, want);
    }
    assert_eq!(
        call(WX_PAY, r#"{"orderSn":"wechat"}"#).await,
        format!(
            r#"200 {{"code":200,"msg":"OK","data":{{"appid":"wx1","nonceStr":"n","paySign":"s","package":"prepay_id=1","timestamp":"1795219200","signType":"RSA","payUrl":""}}}}"#
        )
    );
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_by_the_looklook_face() {
    for (body, want) in [
        (
            r#"{}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,field \"orderSn\" is not set"}"#,
        ),
        (
            r#"{"orderSn":7}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,field \"orderSn\" has the wrong type: invalid type: integer `7`, expected a string"}"#,
        ),
        (
            r#"{"orderSn":"x","serviceType":"meal"}"#,
            r#"400 {"code":104003,"msg":"Payment for this business type is not supported"}"#,
        ),
        (
            r#"{"orderSn":"foreign"}"#,
            r#"404 {"code":103001,"msg":"order no exists"}"#,
        ),
        (
            r#"{"orderSn":"cancelled"}"#,
            r#"409 {"code":104002,"msg":"this order cannot be paid"}"#,
        ),
        (
            r#"{"orderSn":"down"}"#,
            r#"503 {"code":104006,"msg":"payment provider unavailable, try again later"}"#,
        ),
    ] {
        assert_eq!(call(WX_PAY, body).await, want, "{body}");
    }
    let nobody = raw(
        WX_PAY,
        &[("content-type", "application/json")],
        r#"{"orderSn":"x"}"#,
    );
    assert_eq!(
        text(send(nobody).await).await,
        r#"401 {"code":100003,"msg":"token失效，请重新登陆"}"#
    );
}

#[tokio::test]
async fn the_rest_face_makes_and_shows_payments() {
    let body = format!(r#"{{"orderSn":"{ORDER}"}}"#);
    let head = format!(r#"{{"sn":"{PAYMENT}","orderSn":"{ORDER}","provider":"sandbox""#);
    let times = r#""expiresAt":"2026-11-21T00:30:00.000Z","createdAt":"2026-11-21T00:00:00.000Z""#;
    let money = r#""amountCents":25600,"refundedCents":0,"refundReservedCents":0,"charge":0,"currency":"CNY","payUrl":"http://127.0.0.1:8888/sandbox/pay/t""#;
    assert_eq!(
        call("POST /v1/payments", &body).await,
        format!(r#"201 {head},"state":"pending",{money},{times},"capturedAt":null}}"#)
    );
    assert_eq!(
        call(&format!("GET /v1/payments/{PAYMENT}"), "").await,
        format!(r#"200 {head},"state":"captured",{money},{times},"capturedAt":"2026-11-21T00:00:00.001Z"}}"#)
    );
}

#[tokio::test]
async fn the_rest_face_hands_the_idempotency_key_on() {
    let body = format!(r#"{{"orderSn":"{ORDER}"}}"#);
    let token = token();
    for (key, want) in [("used", 422), ("new", 201), ("with space", 400)] {
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let response = send(raw("POST /v1/payments", &headers, body.clone())).await;
        assert_eq!(response.status(), want, "{key}");
    }
}

#[tokio::test]
async fn the_rest_face_refuses_with_problems() {
    for (route, body, status, code, field) in [
        ("POST /v1/payments", "{}", 400, "INVALID_ARGUMENT", "orderSn"),
        (
            "POST /v1/payments",
            r#"{"orderSn":"x","amount":1}"#,
            400,
            "INVALID_ARGUMENT",
            "amount",
        ),
        (
            "POST /v1/payments",
            r#"{"orderSn":"cancelled"}"#,
            409,
            "NOT_PAYABLE",
            "",
        ),
        (
            "POST /v1/payments",
            r#"{"orderSn":"foreign"}"#,
            404,
            "ORDER_NOT_FOUND",
            "",
        ),
        ("POST /v1/payments", r#"{"orderSn":"down"}"#, 503, "PROVIDER", ""),
        ("GET /v1/payments/PMT1", "", 404, "PAYMENT_NOT_FOUND", ""),
    ] {
        let answer = call(route, body).await;
        let (got, problem) = answer.split_once(' ').unwrap();
        let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
        assert_eq!(
            (got, problem["code"].as_str(), problem["field"].as_str()),
            (
                status.to_string().as_str(),
                Some(code),
                (!field.is_empty()).then_some(field)
            ),
            "{route} {body}"
        );
    }
    let wechat = call("POST /v1/payments", r#"{"orderSn":"wechat"}"#).await;
    let fields = r#""wechat":{"appid":"wx1","nonceStr":"n","paySign":"s","package":"prepay_id=1","timestamp":"1795219200","signType":"RSA"}"#;
    assert!(wechat.starts_with("201 ") && wechat.contains(fields), "{wechat}");
    let nobody = raw(&format!("GET /v1/payments/{PAYMENT}"), &[], "");
    assert!(text(send(nobody).await).await.starts_with("401 "));
}

#[tokio::test]
async fn callbacks_are_handed_on_as_they_came_and_answered_without_an_envelope() {
    let signed = &[("Sandbox-Signature", "t=1,v1=00")];
    let response = send(raw(SANDBOX_CALLBACK, signed, "good")).await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text(response).await, "200 SUCCESS sandbox");
    let response = send(raw(WX_CALLBACK, signed, "good")).await;
    assert_eq!(text(response).await, "200 SUCCESS wechat");
    for provider in ["wechat", "stripe"] {
        let response = send(raw(&callback_of(provider), signed, "good")).await;
        assert_eq!(text(response).await, format!("200 SUCCESS {provider}"));
    }
    // Broken inside: the provider is to come again, and reads no cause.
    let response = send(raw(SANDBOX_CALLBACK, signed, "fail")).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(text(response).await, "503 FAIL");
}

#[tokio::test]
async fn a_forged_callback_gets_a_4xx_with_a_body_every_time() {
    for _ in 0..1000 {
        let response = send(raw(WX_CALLBACK, &[("content-type", "application/json")], "{}")).await;
        assert_eq!(text(response).await, "400 FAIL");
    }
    for route in [WX_CALLBACK, SANDBOX_CALLBACK, &callback_of("stripe")] {
        for body in [Vec::new(), vec![0xff; 10]] {
            assert_eq!(text(send(raw(route, &[], body)).await).await, "400 FAIL");
        }
        let long = vec![b' '; (64 << 10) + 1];
        assert_eq!(text(send(raw(route, &[], long)).await).await, "413 FAIL");
    }
}

#[tokio::test]
async fn the_pay_page_shows_the_charge_and_is_kept_by_nobody() {
    let response = send(raw("GET /sandbox/pay/t", &[], "")).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(
        headers["content-security-policy"],
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    // One tag a line.
    insta::assert_snapshot!("pay_page", text(response).await.replace("><", ">\n<"));
    let style = send(raw("GET /sandbox/pay.css", &[], "")).await;
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    assert!(text(style).await.starts_with("200 body{"));
}

#[tokio::test]
async fn the_buttons_work_by_form_and_answer_with_the_page() {
    let form = &[("content-type", "application/x-www-form-urlencoded")];
    for (action, state) in [("pay", "captured"), ("fail", "failed"), ("pay-late", "late")] {
        let response = send(raw("POST /sandbox/pay/t", form, format!("action={action}"))).await;
        let page = text(response).await;
        assert!(page.starts_with("200 <!DOCTYPE html>"), "{page}");
        assert!(page.contains(&format!(r#"data-state="{state}""#)), "{page}");
        assert!(!page.contains("<form"), "{page}");
    }
}

#[tokio::test]
async fn unknown_pages_and_buttons_are_refused() {
    let form = &[("content-type", "application/x-www-form-urlencoded")];
    for (request, want) in [
        (raw("GET /sandbox/pay/x", &[], ""), (404, "NOT_FOUND", "")),
        (
            raw("POST /sandbox/pay/x", form, "action=pay"),
            (404, "NOT_FOUND", ""),
        ),
        (
            raw("POST /sandbox/pay/t", form, "action=refund"),
            (400, "INVALID_ARGUMENT", "action"),
        ),
        (
            raw("POST /sandbox/pay/t", form, "acting=pay"),
            (400, "INVALID_ARGUMENT", "action"),
        ),
        (
            raw("POST /sandbox/pay/t", &[], "action=pay"),
            (400, "INVALID_ARGUMENT", "action"),
        ),
        (
            raw("POST /sandbox/pay/t", form, "x".repeat(2000)),
            (413, "BODY_TOO_LARGE", ""),
        ),
        (
            raw("DELETE /sandbox/pay/t", &[], ""),
            (405, "METHOD_NOT_ALLOWED", ""),
        ),
    ] {
        let answer = text(send(request).await).await;
        let (status, problem) = answer.split_once(' ').unwrap();
        let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
        let got = (
            status.parse().unwrap(),
            problem["code"].as_str().unwrap(),
            problem["field"].as_str().unwrap_or_default(),
        );
        assert_eq!(got, want, "{answer}");
    }
}

#[test]
fn the_rest_face_describes_its_routes() {
    let api = Api::new(homestay_testkit::fake(PaymentServer::new(FakePayment)));
    let (_, described) = rest(api).split_for_parts();
    let described = serde_json::to_value(described).unwrap();
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/cases",
            "/v1/cases/{id}",
            "/v1/cases/{id}/notes",
            "/v1/cases/{id}/resolve",
            "/v1/payments",
            "/v1/payments/{sn}"
        ]
    );
    for schema in [
        "NewPayment",
        "PaymentJson",
        "CasePage",
        "WholeCase",
        "Resolution",
        "Problem",
    ] {
        assert!(described["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
