use axum::extract::State;
use homestay_http::{ApiResult, Json, Path, Problem, Query};
use homestay_proto::travel as pb;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rest::QuoteView;
use crate::{Api, open};

/// The route `/v1/homestays/{id}/availability`.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(availability))
}

/// The stay that is asked about.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct AvailabilityQuery {
    /// First night.
    #[param(format = Date)]
    check_in: String,
    /// Day of departure.
    #[param(format = Date)]
    check_out: String,
    #[param(minimum = 1)]
    guests: i64,
    /// Meals for every guest and night.
    meals: Option<bool>,
    /// Also tell every rule that is in the way.
    explain: Option<bool>,
}

/// Whether a stay can be booked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Availability)]
struct AvailabilityView {
    available: bool,
    /// What it costs, or would.
    quote: Option<QuoteView>,
    /// With `explain`: everything that is in the way, rules first, then stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusals: Option<Vec<RefusalView>>,
}

/// A rule that is in the way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refusal)]
struct RefusalView {
    /// `CAPACITY`, `PAST`, `MEALS_NOT_SOLD`, `OFF_SALE`, `CLOSED`, `TOO_SOON`, `TOO_FAR`, `STOP_SELL`, `MIN_NIGHTS`,
    /// `MAX_NIGHTS`, `SEASON_MIN_NIGHTS`, `ARRIVAL_WEEKDAY`, `DEPARTURE_WEEKDAY`, `UNITS_TAKEN`, `OWNER_BLOCK`, `BUFFER` or
    /// `MEALS_SOLD_OUT`.
    #[schema(example = "MIN_NIGHTS")]
    rule: String,
    /// The night it is about, or the day of departure.
    #[schema(format = Date)]
    date: String,
    message: String,
}

/// Whether a stay can be booked, what it costs, and why not. Nothing is reserved.
#[utoipa::path(
    get, path = "/v1/homestays/{id}/availability", tag = "homestays", params(("id" = i64, Path), AvailabilityQuery),
    responses(
        (status = 200, description = "The answer, also where it is no", body = AvailabilityView),
        (status = 400, description = "A parameter is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`HOUSE_NOT_FOUND`", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn availability(
    State(mut api): State<Api>,
    Path(house_id): Path<i64>,
    Query(query): Query<AvailabilityQuery>,
) -> ApiResult<Json<AvailabilityView>> {
    let explain = query.explain.unwrap_or_default();
    let request = pb::GetAvailabilityRequest {
        house_id,
        check_in: query.check_in,
        check_out: query.check_out,
        guests: query.guests,
        meals: query.meals.unwrap_or_default(),
        explain,
    };
    let found = api.travel.get_availability(open(request)).await?.into_inner();
    let refusals = found.refusals.into_iter().map(|refusal| RefusalView {
        rule: refusal.rule,
        date: refusal.date,
        message: refusal.message,
    });
    Ok(Json(AvailabilityView {
        available: found.available,
        quote: found.quote.map(QuoteView::from),
        refusals: explain.then(|| refusals.collect()),
    }))
}
