//! What stands around every route, seen from outside: a router of the test's own behind [`Edge`].

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{get, post};
use homestay_clock::Clock;
use homestay_error::{Code, Error};
use homestay_http::{ApiError, ApiResult, Edge, Json, Keys};
use serde_json::{Value, json};
use tower::ServiceExt;

fn router() -> Router {
    let routes = Router::new()
        .route("/v1/ok", get(|| async { "fine" }))
        .route(
            "/v1/panic",
            get(|| async {
                if true {
                    panic!("boom")
                }
            }),
        )
        .route("/v1/slow", get(std::future::pending::<()>))
        .route(
            "/v1/cause",
            get(|| async { ApiError(Error::internal("password=hunter2")) }),
        )
        .route(
            "/v1/echo",
            post(async |Json(body): Json<Value>| -> ApiResult<Json<Value>> { Ok(Json(body)) }),
        )
        .route(
            "/order/v1/taken",
            get(|| async { ApiError(Error::new(Code::DatesTaken)) }),
        )
        .route(
            "/order/v1/full",
            get(|| async { ApiError(Error::new(Code::TooManyRequests)) }),
        )
        .route(
            "/v1/overloaded",
            get(|| async { ApiError::from(tonic::Status::from(Error::new(Code::Overloaded))) }),
        );
    let edge = Edge {
        keys: Keys::new(vec![("1".to_owned(), "secret".to_owned())], Clock::manual(0)),
        deadline: Duration::from_millis(200),
        compat_status: false,
        trust_forwarded: false,
        cors_origins: vec!["https://shop.example".to_owned()],
    };
    edge.around(routes)
}

async fn call(request: Request<Body>) -> (Response<()>, Value) {
    let (parts, body) = router().oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (
        Response::from_parts(parts, ()),
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

fn request(verb: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(verb)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_failure_has_its_status_and_the_shape_of_its_face() {
    let cases = [
        ("GET", "/v1/nowhere", 404, json!("ROUTE_NOT_FOUND")),
        ("POST", "/v1/ok", 405, json!("METHOD_NOT_ALLOWED")),
        ("GET", "/v1/panic", 500, json!("INTERNAL")),
        ("GET", "/v1/slow", 503, json!("TIMEOUT")),
        ("GET", "/v1/overloaded", 503, json!("OVERLOADED")),
        ("GET", "/order/v1/taken", 409, json!(102_003)),
        ("GET", "/order/v1/full", 429, json!(100_009)),
        ("GET", "/order/v1/nowhere", 404, json!(100_017)),
    ];
    for (verb, path, status, code) in cases {
        let (response, body) = call(request(verb, path)).await;
        assert_eq!(
            (response.status().as_u16(), &body["code"]),
            (status, &code),
            "{path} {body}"
        );
        let kind = response.headers()["content-type"].to_str().unwrap();
        let wanted = if path.starts_with("/v1") {
            "application/problem+json"
        } else {
            "application/json"
        };
        assert_eq!(kind, wanted, "{path}");
        let retry = response.headers().contains_key("retry-after");
        assert_eq!(retry, matches!(status, 429 | 503), "{path}");
    }
}

#[tokio::test]
async fn causes_stay_inside() {
    let (response, body) = call(request("GET", "/v1/cause")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body.to_string().contains("hunter2"), "{body}");
}

#[tokio::test]
async fn request_ids_are_echoed_if_they_are_fit_to_be_logged() {
    let with = |id: &str| {
        Request::builder()
            .uri("/v1/ok")
            .header("x-request-id", id)
            .body(Body::empty())
            .unwrap()
    };
    let (response, _) = call(with("abc-1")).await;
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    for unfit in ["a b", &"x".repeat(200)] {
        let (response, _) = call(with(unfit)).await;
        assert_ne!(response.headers()["x-request-id"], unfit);
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_read_answers_also_refusals_and_others_may_not() {
    for (origin, allowed) in [("https://shop.example", true), ("https://evil.example", false)] {
        for path in ["/v1/ok", "/v1/nowhere", "/v1/panic"] {
            let request = Request::builder()
                .uri(path)
                .header("origin", origin)
                .body(Body::empty())
                .unwrap();
            let (response, _) = call(request).await;
            assert_eq!(
                response.headers().contains_key("access-control-allow-origin"),
                allowed,
                "{origin} {path}"
            );
        }
    }
}

#[tokio::test]
async fn answers_tell_browsers_to_be_careful() {
    let (response, _) = call(request("GET", "/v1/ok")).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
}

#[tokio::test]
async fn bodies_that_are_too_long_or_no_json_are_refused() {
    let post = |kind: &str, body: Vec<u8>| {
        let request = Request::builder()
            .method("POST")
            .uri("/v1/echo")
            .header("content-type", kind);
        request
            .header("content-length", body.len())
            .body(Body::from(body))
            .unwrap()
    };
    let cases = [
        (post("application/json", vec![b' '; (1 << 20) + 1]), 413),
        (post("text/plain", b"{}".to_vec()), 415),
        (post("application/json", b"{".to_vec()), 400),
        (
            post("application/json; charset=utf-8", b"{\"a\":1}".to_vec()),
            200,
        ),
        (post("application/merge-patch+json", b"{}".to_vec()), 200),
    ];
    for (request, status) in cases {
        let (response, body) = call(request).await;
        assert_eq!(response.status().as_u16(), status, "{body}");
    }
}
