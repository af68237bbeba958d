//! The sandbox provider's own face: its pay page, and where its callbacks arrive.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use homestay_error::{Code, Error};
use homestay_http::{ApiResult, Path};
use homestay_proto::payment as pb;
use homestay_rpc::{Actor, request_for};
use serde::Deserialize;

use crate::callback::{LIMIT_BYTES, hand_on};
use crate::{Api, page};

/// Longest form of the pay page, bytes.
const FORM_BYTES: usize = 1 << 10;

/// The sandbox's routes; only for a program that has a sandbox.
pub fn sandbox(api: Api) -> Router {
    let callback = post(callback).layer::<_, std::convert::Infallible>(DefaultBodyLimit::max(LIMIT_BYTES));
    let pay = get(show)
        .post(act)
        .layer::<_, std::convert::Infallible>(DefaultBodyLimit::max(FORM_BYTES));
    Router::new()
        .route("/sandbox/pay/{token}", pay)
        .route(page::STYLE_PATH, get(style))
        .route("/payment/v1/thirdPayment/sandboxCallback", callback)
        .with_state(api)
}

async fn show(State(api): State<Api>, Path(token): Path<String>) -> ApiResult<Response> {
    let request = request_for(&Actor::Anonymous, pb::SandboxPageRequest { token });
    let charge = api.payment.clone().sandbox_page(request).await?.into_inner();
    Ok(respond(&charge))
}

#[derive(Debug, Deserialize)]
struct Button {
    action: String,
}

async fn act(
    State(api): State<Api>,
    Path(token): Path<String>,
    form: Result<Form<Button>, FormRejection>,
) -> ApiResult<Response> {
    let Form(Button { action }) = form.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(Code::BodyTooLarge)
        } else {
            Error::invalid("action", "must be sent as a form field: pay, fail or pay-late")
        }
    })?;
    let request = request_for(&Actor::Anonymous, pb::SandboxActRequest { token, action });
    let charge = api.payment.clone().sandbox_act(request).await?.into_inner();
    Ok(respond(&charge))
}

/// The page with headers for something that nobody should index, keep, frame or script.
fn respond(charge: &pb::SandboxCharge) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (
            HeaderName::from_static("x-robots-tag"),
            HeaderValue::from_static("noindex, nofollow"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
    ];
    (HEADERS, Html(page::page(charge).into_string())).into_response()
}

async fn style() -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/css; charset=utf-8"),
        ),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        ),
    ];
    (HEADERS, page::STYLE).into_response()
}

async fn callback(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    hand_on(api, "sandbox", &headers, body).await
}
