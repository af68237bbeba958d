//! The wire: status and body of every route, over a fake payment-rpc.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, header};
use homestay_clock::Clock;
use homestay_error::{Code, Error};
use homestay_http::auth::Claims;
use homestay_http::{Edge, Keys};
use homestay_proto::common::Empty;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_server::{Payment, PaymentServer};
use homestay_testkit::NOW_MS;
use homestay_types::Role;
use http_body_util::BodyExt;
use tonic::Status;
use tower::ServiceExt;

use crate::{Api, looklook, rest, sandbox};

const ORDER: &str = "HSO2026112110155900000001";
const PAYMENT: &str = "PMT2026112110160000000002";

struct FakePayment;

type Reply<T> = Result<tonic::Response<T>, Status>;

fn actor<T>(request: &tonic::Request<T>) -> String {
    let actor = request.metadata().get("x-homestay-actor").unwrap();
    actor.to_str().unwrap().to_owned()
}

fn view() -> pb::PaymentView {
    pb::PaymentView {
        sn: PAYMENT.to_owned(),
        order_sn: ORDER.to_owned(),
        user_id: 7,
        provider: "sandbox".to_owned(),
        state: "pending".to_owned(),
        amount_cents: 25_600,
        currency: "CNY".to_owned(),
        pay_url: "http://127.0.0.1:8888/sandbox/pay/t".to_owned(),
        expires_at_ms: NOW_MS + 1_800_000,
        created_at_ms: NOW_MS,
        ..Default::default()
    }
}

fn charge(state: &str) -> pb::SandboxCharge {
    pb::SandboxCharge {
        token: "t".to_owned(),
        payment_sn: PAYMENT.to_owned(),
        description: "Lake house <b>&</b>, 2026-12-01 to 2026-12-03".to_owned(),
        amount_cents: 25_600,
        currency: "CNY".to_owned(),
        state: state.to_owned(),
        expires_at_ms: NOW_MS + 1_800_000,
    }
}

#[tonic::async_trait]
impl Payment for FakePayment {
    async fn create(&self, request: tonic::Request<pb::CreateRequest>) -> Reply<pb::PaymentView> {
        assert_eq!(actor(&request), "user/7/guest");
        let request = request.into_inner();
        if request.idempotency_key == "used" {
            assert_eq!(request.route, "POST /v1/payments");
            return Err(Error::new(Code::IdempotencyKeyReused).into());
        }
        if request.service_type != "homestayOrder" {
            return Err(Error::new(Code::ServiceType).into());
        }
        match request.order_sn.as_str() {
            ORDER => Ok(tonic::Response::new(view())),
            "wechat" => Ok(tonic::Response::new(pb::PaymentView {
                pay_url: String::new(),
                wechat: Some(pb::WechatPrepay {
                    appid: "wx1".to_owned(),
                    nonce_str: "n".to_owned(),
                    pay_sign: "s".to_owned(),
                    package: "prepay_id=1".to_owned(),
                    timestamp: "1795219200".to_owned(),
                    sign_type: "RSA".to_owned(),
                }),
                ..view()
            })),
            "cancelled" => Err(Error::new(Code::NotPayable).into()),
            "down" => Err(Error::new(Code::Provider).into()),
            _ => Err(Error::new(Code::OrderNotFound).into()),
        }
    }

    async fn get(&self, request: tonic::Request<pb::GetRequest>) -> Reply<pb::PaymentView> {
        assert_eq!(actor(&request), "user/7/guest");
        if request.get_ref().sn != PAYMENT {
            return Err(Error::new(Code::PaymentNotFound).into());
        }
        Ok(tonic::Response::new(pb::PaymentView {
            state: "captured".to_owned(),
            captured_at_ms: NOW_MS + 1,
            ..view()
        }))
    }

    /// Takes what says "good", refuses all else, and says what it was given.
    async fn callback(&self, request: tonic::Request<pb::CallbackRequest>) -> Reply<pb::CallbackReply> {
        assert_eq!(actor(&request), "anonymous");
        let request = request.into_inner();
        let good = request.body == b"good" && request.headers.contains_key("sandbox-signature");
        if request.body == b"fail" {
            return Err(Error::internal("broken").into());
        }
        let (status, body) = if good {
            (200, format!("SUCCESS {}", request.provider))
        } else {
            (400, "FAIL".to_owned())
        };
        Ok(tonic::Response::new(pb::CallbackReply {
            status,
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: body.into_bytes(),
        }))
    }

    async fn sandbox_page(
        &self,
        request: tonic::Request<pb::SandboxPageRequest>,
    ) -> Reply<pb::SandboxCharge> {
        assert_eq!(actor(&request), "anonymous");
        match request.get_ref().token.as_str() {
            "t" => Ok(tonic::Response::new(charge("open"))),
            _ => Err(Error::new(Code::NotFound).into()),
        }
    }

    async fn sandbox_act(&self, request: tonic::Request<pb::SandboxActRequest>) -> Reply<pb::SandboxCharge> {
        let request = request.into_inner();
        match (request.token.as_str(), request.action.as_str()) {
            ("t", "pay") => Ok(tonic::Response::new(charge("captured"))),
            ("t", "fail") => Ok(tonic::Response::new(charge("failed"))),
            ("t", "pay-late") => Ok(tonic::Response::new(charge("late"))),
            ("t", _) => Err(Error::invalid("action", "must be pay, fail or pay-late").into()),
            _ => Err(Error::new(Code::NotFound).into()),
        }
    }

    async fn list_for_order(&self, _: tonic::Request<pb::ListForOrderRequest>) -> Reply<pb::PaymentList> {
        unreachable!("no route")
    }
    async fn close_for_order(
        &self,
        _: tonic::Request<pb::CloseForOrderRequest>,
    ) -> Reply<pb::CloseForOrderReply> {
        unreachable!("no route")
    }
    async fn refund(&self, _: tonic::Request<pb::RefundRequest>) -> Reply<pb::RefundView> {
        unreachable!("no route")
    }
    async fn execute_refund(&self, _: tonic::Request<pb::ExecuteRefundRequest>) -> Reply<pb::RefundView> {
        unreachable!("no route")
    }
    async fn sweep(&self, _: tonic::Request<Empty>) -> Reply<pb::SweepReply> {
        unreachable!("no route")
    }
    async fn sandbox_deliver(&self, _: tonic::Request<pb::SandboxDeliverRequest>) -> Reply<Empty> {
        unreachable!("no route")
    }
    async fn settle(&self, _: tonic::Request<pb::SettleRequest>) -> Reply<pb::SettleReply> {
        unreachable!("not called")
    }
    async fn open_case(&self, _: tonic::Request<pb::OpenCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn list_cases(&self, _: tonic::Request<pb::ListCasesRequest>) -> Reply<pb::CaseList> {
        unreachable!("not called")
    }
    async fn get_case(&self, _: tonic::Request<pb::GetCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn note_case(&self, _: tonic::Request<pb::NoteCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn resolve_case(&self, _: tonic::Request<pb::ResolveCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
}

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
    let now = NOW_MS / 1000;
    let claims = Claims {
        exp: now + 60,
        iat: now,
        user_id: 7,
        role: Role::Guest,
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
    let money = r#""amountCents":25600,"refundedCents":0,"currency":"CNY","payUrl":"http://127.0.0.1:8888/sandbox/pay/t""#;
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
    for route in [WX_CALLBACK, SANDBOX_CALLBACK] {
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
    assert_eq!(paths, ["/v1/payments", "/v1/payments/{sn}"]);
    for schema in ["NewPayment", "PaymentJson", "Problem"] {
        assert!(described["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
