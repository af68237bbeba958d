//! The looklook face (contract.md §1.3).

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use homestay_http::{ApiResult, AuthUser, Envelope, Json, envelope};
use homestay_proto::payment as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::callback::{LIMIT_BYTES, hand_on};

/// The routes of the face, and where providers call back.
pub fn looklook(api: Api) -> Router {
    let callback =
        post(wx_pay_callback).layer::<_, std::convert::Infallible>(DefaultBodyLimit::max(LIMIT_BYTES));
    Router::new()
        .route("/payment/v1/thirdPayment/thirdPaymentWxPay", post(wx_pay))
        .route("/payment/v1/thirdPayment/thirdPaymentWxPayCallback", callback)
        .with_state(api.clone())
        .merge(crate::callback::routes(api))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WxPay {
    order_sn: String,
    #[serde(default = "homestay_order")]
    service_type: String,
}

/// The kind of order that can be paid; optional here (contract.md §4).
pub(crate) fn homestay_order() -> String {
    "homestayOrder".to_owned()
}

/// The six fields of a WeChat prepay, empty for other providers, and where to pay instead.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WxPayView {
    appid: String,
    nonce_str: String,
    pay_sign: String,
    package: String,
    timestamp: String,
    sign_type: String,
    pay_url: String,
}

async fn wx_pay(
    State(api): State<Api>,
    user: AuthUser,
    Json(body): Json<WxPay>,
) -> ApiResult<Envelope<WxPayView>> {
    let request = pb::CreateRequest {
        order_sn: body.order_sn,
        service_type: body.service_type,
        ..Default::default()
    };
    let payment = api
        .payment
        .clone()
        .create(request_for(&user.actor(), request))
        .await?
        .into_inner();
    let wechat = payment.wechat.unwrap_or_default();
    Ok(envelope(WxPayView {
        appid: wechat.appid,
        nonce_str: wechat.nonce_str,
        pay_sign: wechat.pay_sign,
        package: wechat.package,
        timestamp: wechat.timestamp,
        sign_type: wechat.sign_type,
        pay_url: payment.pay_url,
    }))
}

async fn wx_pay_callback(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    hand_on(api, "wechat", &headers, body).await
}
