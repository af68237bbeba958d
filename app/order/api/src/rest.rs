use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use homestay_error::{Error, Result};
use homestay_http::{
    ApiResult, AuthUser, IdempotencyKey, Json, Path, Problem, Query, cursor, last_id, limit,
};
use homestay_proto::order as pb;
use homestay_proto::payment::ListForOrderRequest;
use homestay_rpc::{Actor, request_for};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::view::OrderView;
use crate::{Api, cancelling, changes};

/// The routes `/v1/orders`.
pub fn rest(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get))
        .routes(routes!(cancelling::cancel))
        .routes(routes!(cancelling::preview))
        .routes(routes!(changes::change, changes::list))
        .routes(routes!(changes::quote))
        .with_state(api)
}

/// Route that an Idempotency-Key of this face belongs to.
const ROUTE: &str = "POST /v1/orders";

/// What is to be booked.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewOrder)]
struct NewOrderBody {
    homestay_id: i64,
    /// First night, a date where the house is.
    #[schema(format = Date, example = "2026-12-01")]
    check_in: String,
    /// Day of departure.
    #[schema(format = Date, example = "2026-12-03")]
    check_out: String,
    /// At least 1.
    guests: i64,
    /// Meals for every guest and night.
    #[serde(default)]
    meals: bool,
    /// At most 64 characters.
    #[serde(default)]
    remark: String,
    /// Book only at this price; else 409 `PRICE_CHANGED` with the new quote.
    expected_total_cents: Option<i64>,
}

/// Which orders, and how many at a time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `cancelled`, `awaiting_payment`, `confirmed`, `used`, `refunded` (also while it is pending) or `expired`.
    state: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Orders a page: 20 if absent, at most 100.
    limit: Option<i64>,
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Orders)]
struct OrdersView {
    /// Newest first.
    orders: Vec<OrderView>,
    /// Null on the last page.
    next_cursor: Option<String>,
}

/// Books a homestay: takes its nights and waits for payment until `payBefore`.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders", request_body = NewOrderBody, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe: 1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "Booked; or what was booked under the same key before", body = OrderView,
            headers(("Location" = String, description = "Address of the order"))),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`HOUSE_NOT_FOUND`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`DATES_TAKEN`, `DATES_CLOSED`, `OFF_SALE`, `MEALS_SOLD_OUT`, `PRICE_CHANGED`, `HOLD_EXPIRED` or `IDEMPOTENCY_KEY_EXPIRED`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for another booking", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(mut api): State<Api>,
    user: AuthUser,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<NewOrderBody>,
) -> ApiResult<(StatusCode, [(HeaderName, String); 1], Json<OrderView>)> {
    if body.expected_total_cents.is_some_and(|cents| cents < 1) {
        return Err(Error::invalid("expectedTotalCents", "must be at least 1").into());
    }
    let request = pb::CreateRequest {
        house_id: body.homestay_id,
        check_in: body.check_in,
        check_out: body.check_out,
        guests: body.guests,
        meals: body.meals,
        remark: body.remark,
        idempotency_key: key.unwrap_or_default(),
        route: ROUTE.to_owned(),
        expected_total_cents: body.expected_total_cents.unwrap_or_default(),
        ..Default::default()
    };
    let reply = api.orders.create(request_for(&user.actor(), request)).await?;
    let order = reply.into_inner().order.unwrap_or_default();
    let location = [(header::LOCATION, format!("/v1/orders/{}", order.sn))];
    Ok((StatusCode::CREATED, location, Json(order.into())))
}

/// Lists the caller's orders, newest first.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", params(ListQuery), security(("bearer" = [])),
    responses(
        (status = 200, description = "A page", body = OrdersView),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(mut api): State<Api>,
    user: AuthUser,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<OrdersView>> {
    let limit = limit(query.limit)?;
    let request = pb::ListRequest {
        last_id: query.cursor.as_deref().map_or(Ok(0), last_id)?,
        // One more tells whether there is a next page.
        limit: limit + 1,
        trade_state: query.state.as_deref().map_or(Ok(-99), trade_state)?,
    };
    let reply = api.orders.list(request_for(&user.actor(), request)).await?;
    let mut orders = reply.into_inner().orders;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = orders.len() > page;
    orders.truncate(page);
    Ok(Json(OrdersView {
        next_cursor: orders.last().filter(|_| more).map(|order| cursor(order.id)),
        orders: orders.into_iter().map(Into::into).collect(),
    }))
}

/// Shows an order with its steps and, while something is to be paid for it, where. Its guest sees it, and the host of the house,
/// without the check-in code.
#[utoipa::path(
    get, path = "/v1/orders/{sn}", tag = "orders", params(("sn" = String, Path, description = "The order's number")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of the caller, or of the caller's houses", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(sn): Path<String>,
) -> ApiResult<Json<OrderView>> {
    let actor = user.actor();
    let order = api
        .orders
        .get(request_for(
            &actor,
            pb::GetRequest {
                sn,
                ..Default::default()
            },
        ))
        .await?;
    let order = order.into_inner();
    let (owner, charge) = (order.user_id, order.due_charge);
    let mut order = OrderView::from(order);
    if order.due_cents > 0 && owner == user.id {
        order.pay_url = pay_url(&mut api, &actor, &order.sn, charge).await;
    }
    Ok(Json(order))
}

/// Where the order's live payment can be made. An order is shown without it if payment-rpc does not answer.
async fn pay_url(api: &mut Api, actor: &Actor, sn: &str, charge: i64) -> Option<String> {
    let request = ListForOrderRequest {
        order_sn: sn.to_owned(),
    };
    let list = match api.payments.list_for_order(request_for(actor, request)).await {
        Ok(list) => list.into_inner(),
        Err(status) => {
            let error = Error::from(status).chain();
            tracing::warn!(order.sn = sn, error, "an order is shown without its pay link");
            return None;
        }
    };
    list.payments
        .into_iter()
        .rfind(|payment| {
            payment.state == "pending" && payment.charge == charge && !payment.pay_url.is_empty()
        })
        .map(|payment| payment.pay_url)
}

/// The outward code (contract.md §1.5) of a state's name.
fn trade_state(name: &str) -> Result<i64> {
    match name {
        "cancelled" => Ok(-1),
        "awaiting_payment" => Ok(0),
        "confirmed" => Ok(1),
        "used" => Ok(2),
        "refunded" => Ok(3),
        "expired" => Ok(4),
        _ => Err(Error::invalid(
            "state",
            "must be cancelled, awaiting_payment, confirmed, used, refunded or expired",
        )),
    }
}
