//! The REST face: `/v1/payments`, and `/v1/cases` with it.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use homestay_http::{ApiResult, AuthUser, IdempotencyKey, Json, Path, Problem, rfc3339};
use homestay_proto::payment as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::looklook::homestay_order;

/// The routes of the face.
pub fn rest(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_payment))
        .routes(routes!(get_payment))
        .merge(crate::cases::routes())
        .with_state(api)
}

/// Route that an Idempotency-Key belongs to.
const ROUTE: &str = "POST /v1/payments";

/// What is to be paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPayment {
    /// Number of an own order that waits for payment.
    #[schema(example = "HSO2026112110155900000001")]
    order_sn: String,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentJson {
    /// The payment's number.
    #[schema(example = "PMT2026112110160000000002")]
    pub sn: String,
    /// The order's number.
    pub order_sn: String,
    /// Who takes the money, such as `sandbox`.
    pub provider: String,
    /// `created`, `pending`, `captured`, `failed`, `closed`, `refund_pending`, `refunded` or `disputed`.
    #[schema(example = "pending")]
    pub state: String,
    /// Amount in the currency's minor unit.
    #[schema(example = 25600)]
    pub amount_cents: i64,
    /// What went back of it.
    pub refunded_cents: i64,
    /// That, and what is on its way back.
    pub refund_reserved_cents: i64,
    /// What of the order it pays: 0 the booking itself, else the number of a change.
    pub charge: i64,
    /// ISO 4217.
    #[schema(example = "CNY")]
    pub currency: String,
    /// Absolute address of the pay page; empty where the provider has none.
    pub pay_url: String,
    /// When the payment can no longer be made, RFC 3339.
    pub expires_at: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: Option<String>,
    /// When the money came, RFC 3339; null until then.
    pub captured_at: Option<String>,
    /// What a page inside WeChat passes to `wx.requestPayment`; only where WeChat takes the money, and only as the answer to
    /// starting a payment that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wechat: Option<WechatJson>,
}

/// The six fields of a WeChat prepay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WechatJson {
    /// The app the payment belongs to.
    pub appid: String,
    /// Random text.
    pub nonce_str: String,
    /// The merchant's signature over the others.
    pub pay_sign: String,
    /// `prepay_id=…`.
    pub package: String,
    /// Unix seconds.
    pub timestamp: String,
    /// `RSA`.
    pub sign_type: String,
}

impl From<pb::WechatPrepay> for WechatJson {
    fn from(fields: pb::WechatPrepay) -> Self {
        Self {
            appid: fields.appid,
            nonce_str: fields.nonce_str,
            pay_sign: fields.pay_sign,
            package: fields.package,
            timestamp: fields.timestamp,
            sign_type: fields.sign_type,
        }
    }
}

impl From<pb::PaymentView> for PaymentJson {
    fn from(view: pb::PaymentView) -> Self {
        Self {
            sn: view.sn,
            order_sn: view.order_sn,
            provider: view.provider,
            state: view.state,
            amount_cents: view.amount_cents,
            refunded_cents: view.refunded_cents,
            refund_reserved_cents: view.refund_reserved_cents,
            charge: view.charge,
            currency: view.currency,
            pay_url: view.pay_url,
            expires_at: rfc3339(view.expires_at_ms),
            created_at: rfc3339(view.created_at_ms),
            captured_at: rfc3339(view.captured_at_ms),
            wechat: view.wechat.map(WechatJson::from),
        }
    }
}

/// Starts paying an order.
///
/// An order has one live payment: repeating this answers with the same one, with or without an `Idempotency-Key`. After a
/// failed payment it makes a new one; a key that was used answers with the payment of then, whatever became of it.
#[utoipa::path(
    post,
    path = "/v1/payments",
    tag = "payments",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    request_body = NewPayment,
    responses(
        (status = 201, description = "The order's live payment", body = PaymentJson,
            headers(("Location" = String, description = "Address of the payment"))),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No good token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`NOT_PAYABLE`: the order does not wait for payment. `WECHAT_NOT_BOUND`: WeChat takes the \
            money, and the account has no WeChat identity. `PROVIDER_REFUSED`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for another order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The provider does not answer", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_payment(
    State(api): State<Api>,
    user: AuthUser,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<NewPayment>,
) -> ApiResult<Response> {
    let request = pb::CreateRequest {
        order_sn: body.order_sn,
        service_type: homestay_order(),
        idempotency_key: key.unwrap_or_default(),
        route: ROUTE.to_owned(),
    };
    let payment = api
        .payment
        .clone()
        .create(request_for(&user.actor(), request))
        .await?
        .into_inner();
    let location = [(header::LOCATION, format!("/v1/payments/{}", payment.sn))];
    Ok((StatusCode::CREATED, location, Json(PaymentJson::from(payment))).into_response())
}

/// Shows one payment.
#[utoipa::path(
    get,
    path = "/v1/payments/{sn}",
    tag = "payments",
    params(("sn" = String, Path, description = "The payment's number")),
    responses(
        (status = 200, description = "The payment", body = PaymentJson),
        (status = 401, description = "No good token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such payment of the caller", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_payment(
    State(api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
) -> ApiResult<Json<PaymentJson>> {
    let request = request_for(&user.actor(), pb::GetRequest { sn });
    let payment = api.payment.clone().get(request).await?.into_inner();
    Ok(Json(payment.into()))
}
