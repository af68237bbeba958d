//! Cancelling an order, and what that gives back.

use axum::extract::State;
use homestay_error::Error;
use homestay_http::{ApiResult, AuthUser, Json, Path, Problem, rfc3339};
use homestay_proto::order as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::view::{OrderView, PolicyView};

/// Why an order is cancelled, and what is expected of it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CancelOrder)]
pub(crate) struct CancelBody {
    /// At most 255 characters.
    reason: String,
    /// Cancel only if this much goes back; else 409 `REFUND_CHANGED` with the new preview.
    expected_refund_cents: Option<i64>,
}

/// What cancelling now gives back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cancellation)]
pub(crate) struct PreviewView {
    refund_cents: i64,
    kept_cents: i64,
    /// What is paid for the booking as it is now: the sum of the two.
    charged_cents: i64,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    /// Part that goes back, in per cent, of what is paid less the fees of changes, which are kept; no more than before any change.
    percent: i64,
    /// The last instant at which so much goes back; null if it stays so.
    #[schema(format = DateTime)]
    valid_until: Option<String>,
    /// As it was when the house was booked. It binds the guest; a host's cancellation gives everything back.
    policy: PolicyView,
}

/// Cancels an order and sets its nights free: its guest by the cancellation policy; the host of the house, an operator or an
/// admin with all money going back. Repeating it changes nothing.
#[utoipa::path(
    post, path = "/v1/orders/{sn}/cancel", tag = "orders", request_body = CancelBody,
    params(("sn" = String, Path, description = "The order's number")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The order: `cancelled`, or `refund_pending` while money goes back", body = OrderView),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller, or of the caller's houses", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`ORDER_STATE`: it cannot be cancelled (any more), or was paid just now; `REFUND_CHANGED`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
    Json(body): Json<CancelBody>,
) -> ApiResult<Json<OrderView>> {
    if body.expected_refund_cents.is_some_and(|cents| cents < 0) {
        return Err(Error::invalid("expectedRefundCents", "must not be negative").into());
    }
    let request = pb::CancelRequest {
        sn,
        reason: body.reason,
        expected_refund_cents: body.expected_refund_cents,
    };
    let order = api.orders.cancel(request_for(&user.actor(), request)).await?;
    Ok(Json(order.into_inner().into()))
}

/// Tells what cancelling the order now would give back: what a cancellation then does, to the cent.
#[utoipa::path(
    get, path = "/v1/orders/{sn}/cancellation", tag = "orders",
    params(("sn" = String, Path, description = "The order's number")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The preview", body = PreviewView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller, or of the caller's houses", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`ORDER_STATE`: it cannot be cancelled (any more)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn preview(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
) -> ApiResult<Json<PreviewView>> {
    let request = pb::PreviewCancelRequest { sn };
    let preview = api
        .orders
        .preview_cancel(request_for(&user.actor(), request))
        .await?;
    let preview = preview.into_inner();
    Ok(Json(PreviewView {
        refund_cents: preview.refund_cents,
        kept_cents: preview.kept_cents,
        charged_cents: preview.charged_cents,
        currency: preview.currency,
        percent: preview.percent,
        valid_until: rfc3339(preview.valid_until_ms),
        policy: preview.policy.unwrap_or_default().into(),
    }))
}
