//! Changes of dates or guests.

use axum::extract::State;
use axum::http::StatusCode;
use homestay_error::Error;
use homestay_http::{ApiResult, AuthUser, IdempotencyKey, Json, Path, Problem, Query, rfc3339};
use homestay_proto::order as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::view::{LineView, OrderView, some};

/// Route that an Idempotency-Key of a change belongs to.
const ROUTE: &str = "POST /v1/orders/{sn}/changes";

/// What a booking is to become.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewChange)]
pub(crate) struct NewChangeBody {
    /// First night, a date where the house is.
    #[schema(format = Date, example = "2026-12-01")]
    check_in: String,
    /// Day of departure.
    #[schema(format = Date, example = "2026-12-05")]
    check_out: String,
    /// At least 1.
    guests: i64,
    /// As booked if absent.
    meals: Option<bool>,
    /// Change only to this total, with the fees of this and earlier changes; else 409 `PRICE_CHANGED` with the new price.
    expected_total_cents: Option<i64>,
}

/// What a booking might become.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QuoteQuery {
    /// First night.
    check_in: String,
    /// Day of departure.
    check_out: String,
    /// At least 1.
    guests: i64,
    /// As booked if absent.
    meals: Option<bool>,
}

/// A change of a booking.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Change)]
pub(crate) struct ChangeView {
    /// Number of the change among the order's attempts; 0 in a quote.
    attempt: i64,
    /// `asked` and `held` (it waits for its difference to be paid) while it is under way; `applied`, `refused` or `dropped`;
    /// `quote`.
    #[schema(example = "applied")]
    state: String,
    #[schema(format = Date)]
    check_in: String,
    /// Day of departure.
    #[schema(format = Date)]
    check_out: String,
    guests: i64,
    meals: bool,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    room_cents: i64,
    meal_cents: i64,
    /// The stay, and the fees of this and earlier changes.
    total_cents: i64,
    /// Total before the change.
    old_total_cents: i64,
    /// Still to be paid for it.
    due_cents: i64,
    /// Until when: then the change is dropped and the booking stays as it was. Null if nothing is due.
    #[schema(format = DateTime)]
    due_before: Option<String>,
    /// Given back by it.
    refund_cents: i64,
    /// Kept by it of a paid stay that became cheaper: what a cancellation would not have given back of the difference. A line of
    /// kind `change_fee`, and part of the total.
    fee_cents: i64,
    /// How the new price comes about.
    lines: Vec<LineView>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Null while it is under way.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Why it was refused or dropped.
    error: Option<String>,
}

/// A change, and the order with it.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedOrder)]
pub(crate) struct ChangedView {
    change: ChangeView,
    order: OrderView,
}

/// The changes of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
pub(crate) struct ChangesView {
    /// Oldest first.
    changes: Vec<ChangeView>,
}

impl From<pb::ChangeView> for ChangeView {
    fn from(change: pb::ChangeView) -> Self {
        Self {
            attempt: change.attempt,
            state: change.state,
            check_in: change.check_in,
            check_out: change.check_out,
            guests: change.guests,
            meals: change.meals,
            currency: change.currency,
            room_cents: change.room_cents,
            meal_cents: change.meal_cents,
            total_cents: change.total_cents,
            old_total_cents: change.old_total_cents,
            due_cents: change.due_cents,
            due_before: rfc3339(change.due_before_ms),
            refund_cents: change.refund_cents,
            fee_cents: change.fee_cents,
            lines: change.lines.into_iter().map(Into::into).collect(),
            created_at: rfc3339(change.created_at_ms),
            ended_at: rfc3339(change.ended_at_ms),
            error: some(change.error),
        }
    }
}

/// Changes dates or guests of a booking. A cheaper stay is applied at once, and of the difference as much goes back as a
/// cancellation would give; the rest stays in the price as a line of kind `change_fee`. For a dearer one the booking stays as it is
/// until the difference is paid by `POST /v1/payments`; an unpaid booking just gets its new price. After the change of a paid
/// booking a cancellation gives back no greater part than before it.
#[utoipa::path(
    post, path = "/v1/orders/{sn}/changes", tag = "orders", request_body = NewChangeBody, security(("bearer" = [])),
    params(
        ("sn" = String, Path, description = "The order's number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe: 1 to 255 visible ASCII characters"),
    ),
    responses(
        (status = 201, description = "Changed, or waiting for its difference; or what became of the same key before", body = ChangedView),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`CHANGE_OPEN`: another change is under way; `ORDER_STATE`: it cannot be changed (any more); `DATES_TAKEN`, `DATES_CLOSED`, `OFF_SALE`, `MEALS_SOLD_OUT` or `PRICE_CHANGED`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for another change", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<NewChangeBody>,
) -> ApiResult<(StatusCode, Json<ChangedView>)> {
    if body.expected_total_cents.is_some_and(|cents| cents < 1) {
        return Err(Error::invalid("expectedTotalCents", "must be at least 1").into());
    }
    let request = pb::ChangeRequest {
        sn,
        check_in: body.check_in,
        check_out: body.check_out,
        guests: body.guests,
        meals: body.meals,
        expected_total_cents: body.expected_total_cents.unwrap_or_default(),
        idempotency_key: key.unwrap_or_default(),
        route: ROUTE.to_owned(),
    };
    let reply = api.orders.change(request_for(&user.actor(), request)).await?;
    let reply = reply.into_inner();
    let changed = ChangedView {
        change: reply.change.unwrap_or_default().into(),
        order: reply.order.unwrap_or_default().into(),
    };
    Ok((StatusCode::CREATED, Json(changed)))
}

/// Lists the changes of an order, oldest first.
#[utoipa::path(
    get, path = "/v1/orders/{sn}/changes", tag = "orders",
    params(("sn" = String, Path, description = "The order's number")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The changes", body = ChangesView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller, or of the caller's houses", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
) -> ApiResult<Json<ChangesView>> {
    let request = pb::ListChangesRequest { sn };
    let list = api
        .orders
        .list_changes(request_for(&user.actor(), request))
        .await?;
    Ok(Json(ChangesView {
        changes: list.into_inner().changes.into_iter().map(Into::into).collect(),
    }))
}

/// Tells what a change would cost, keep or give back now, to the cent. Whether its nights are free is known when it is made.
#[utoipa::path(
    get, path = "/v1/orders/{sn}/changes/quote", tag = "orders", security(("bearer" = [])),
    params(("sn" = String, Path, description = "The order's number"), QuoteQuery),
    responses(
        (status = 200, description = "The quote", body = ChangeView),
        (status = 400, description = "A parameter is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`ORDER_STATE`: it cannot be changed (any more); what the house refuses", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn quote(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
    Query(query): Query<QuoteQuery>,
) -> ApiResult<Json<ChangeView>> {
    let request = pb::ChangeRequest {
        sn,
        check_in: query.check_in,
        check_out: query.check_out,
        guests: query.guests,
        meals: query.meals,
        ..Default::default()
    };
    let quote = api
        .orders
        .quote_change(request_for(&user.actor(), request))
        .await?;
    Ok(Json(quote.into_inner().into()))
}
