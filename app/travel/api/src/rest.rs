use axum::extract::State;
use homestay_error::Error;
use homestay_http::{ApiResult, Json, Path, Problem, Query, limit, rfc3339};
use homestay_proto::common;
use homestay_proto::travel as pb;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{Api, availability, blocks, open, rules};

/// The routes `/v1/homestays` and `/v1/quotes`.
pub fn rest(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(search))
        .routes(routes!(detail))
        .routes(routes!(calendar))
        .routes(routes!(quote))
        .merge(availability::routes())
        .merge(rules::routes())
        .merge(blocks::routes())
        .with_state(api)
}

/// What to look for, and how many at a time.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct SearchQuery {
    /// City, in upper or lower case.
    #[param(example = "Dali")]
    city: Option<String>,
    /// First night; with `checkOut`, only homestays with a room free on all nights.
    #[param(format = Date)]
    check_in: Option<String>,
    /// Day of departure.
    #[param(format = Date)]
    check_out: Option<String>,
    /// Only homestays that take this many.
    #[param(minimum = 1)]
    guests: Option<i64>,
    /// Lowest usual price of a night.
    #[param(minimum = 0)]
    min_price_cents: Option<i64>,
    /// Highest usual price of a night.
    #[param(minimum = 1)]
    max_price_cents: Option<i64>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Homestays a page: 20 if absent, at most 100.
    limit: Option<i64>,
}

/// The days to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CalendarQuery {
    /// First day.
    #[param(format = Date)]
    from: String,
    /// Day after the last; at most 400 days after the first.
    #[param(format = Date)]
    to: String,
}

/// What is to be priced.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewQuote)]
struct QuoteBody {
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
}

/// A page of homestays.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Homestays)]
struct HomestaysView {
    /// Newest first.
    homestays: Vec<HomestayView>,
    /// Null on the last page.
    next_cursor: Option<String>,
}

/// A homestay.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Homestay)]
struct HomestayView {
    id: i64,
    title: String,
    sub_title: String,
    info: String,
    /// Addresses; the first is the cover.
    pictures: Vec<String>,
    city: String,
    /// IANA name of the zone of all its dates.
    #[schema(example = "Asia/Shanghai")]
    time_zone: String,
    /// Whether it can be booked at all.
    on_sale: bool,
    /// `room` or `person`: what the price of a night is for.
    sold_per: &'static str,
    /// Guests that one unit takes.
    people_num: i64,
    /// Rooms or houses of this kind.
    units: i64,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    /// Usual price of a night.
    price_cents: i64,
    /// Price of Friday and Saturday nights.
    weekend_price_cents: i64,
    /// What others ask.
    market_price_cents: i64,
    food_info: String,
    /// Meals for one guest and night.
    food_price_cents: i64,
    /// 0: no meals are sold.
    meals_per_day: i64,
    /// First bookable night.
    #[schema(format = Date)]
    open_from: String,
    /// The night after the last bookable one.
    #[schema(format = Date)]
    open_until: String,
    /// Mean of the reviews, 0 without any.
    star: f64,
    shop_id: i64,
    host_id: i64,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// From when guests may come in, local time.
    #[schema(example = "15:00")]
    check_in_time: String,
    /// What a guest's cancel gives back.
    cancellation_policy: rules::PolicyView,
}

impl From<pb::House> for HomestayView {
    fn from(house: pb::House) -> Self {
        let pictures = house
            .banner
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        Self {
            id: house.id,
            pictures: pictures.map(str::to_owned).collect(),
            title: house.title,
            sub_title: house.sub_title,
            info: house.info,
            city: house.city,
            time_zone: house.time_zone,
            on_sale: house.row_state == 1,
            sold_per: if house.row_type == 1 { "person" } else { "room" },
            people_num: house.people_num,
            units: house.units,
            currency: house.currency,
            price_cents: house.price_cents,
            weekend_price_cents: if house.weekend_cents > 0 {
                house.weekend_cents
            } else {
                house.price_cents
            },
            market_price_cents: house.market_cents,
            food_info: house.food_info,
            food_price_cents: house.food_cents,
            meals_per_day: house.meals_per_day,
            open_from: house.open_from,
            open_until: house.open_until,
            star: house.star,
            shop_id: house.shop_id,
            host_id: house.host_id,
            created_at: rfc3339(house.created_at_ms),
            check_in_time: rules::time(house.check_in_minute),
            cancellation_policy: house.policy.unwrap_or_default().into(),
        }
    }
}

/// A homestay's days.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Calendar)]
struct CalendarView {
    homestay_id: i64,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    days: Vec<DayView>,
}

/// A day and its night.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CalendarDay)]
struct DayView {
    #[schema(format = Date)]
    date: String,
    /// For a room or a person.
    price_cents: i64,
    free_units: i64,
    free_meals: i64,
    /// False: past, outside the open calendar, too near or too far, or closed by the host.
    open: bool,
    /// Fewest nights of a stay that begins on this day, by the house's rule and the season of this day. A stay that reaches into
    /// another season keeps to that one's minimum too: `availability` judges a whole stay.
    min_nights: i64,
    /// Whether a stay may begin on this weekday.
    arrival: bool,
    /// Whether a stay may end on this weekday.
    departure: bool,
}

/// What a stay costs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quote)]
pub(crate) struct QuoteView {
    homestay_id: i64,
    #[schema(format = Date)]
    check_in: String,
    #[schema(format = Date)]
    check_out: String,
    nights: i64,
    guests: i64,
    meals: bool,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    room_cents: i64,
    meal_cents: i64,
    total_cents: i64,
    /// How the total comes about.
    lines: Vec<LineView>,
}

/// A priced line.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuoteLine)]
struct LineView {
    /// `room`, `meals` or `discount`, whose total is negative.
    kind: String,
    /// The night.
    #[schema(format = Date)]
    date: String,
    unit_cents: i64,
    quantity: i64,
    total_cents: i64,
}

impl From<common::Quote> for QuoteView {
    fn from(quote: common::Quote) -> Self {
        let lines = quote.lines.into_iter().map(|line| LineView {
            kind: line.kind,
            date: line.date,
            unit_cents: line.unit_cents,
            quantity: line.quantity,
            total_cents: line.total_cents,
        });
        Self {
            homestay_id: quote.house_id,
            check_in: quote.check_in,
            check_out: quote.check_out,
            nights: quote.nights,
            guests: quote.guests,
            meals: quote.meals,
            currency: quote.currency,
            room_cents: quote.room_cents,
            meal_cents: quote.meal_cents,
            total_cents: quote.total_cents,
            lines: lines.collect(),
        }
    }
}

/// Homestays on sale, newest first.
#[utoipa::path(
    get, path = "/v1/homestays", tag = "homestays", params(SearchQuery),
    responses(
        (status = 200, description = "A page of them", body = HomestaysView),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn search(
    State(mut api): State<Api>,
    Query(query): Query<SearchQuery>,
) -> ApiResult<Json<HomestaysView>> {
    // 0 means "any" from here on: whoever says it means something else.
    for (field, value, least) in [
        ("guests", query.guests, 1),
        ("minPriceCents", query.min_price_cents, 0),
        ("maxPriceCents", query.max_price_cents, 1),
    ] {
        if value.is_some_and(|value| value < least) {
            return Err(Error::invalid(field, format!("must be at least {least}")).into());
        }
    }
    let request = pb::SearchHousesRequest {
        city: query.city.unwrap_or_default(),
        check_in: query.check_in.unwrap_or_default(),
        check_out: query.check_out.unwrap_or_default(),
        guests: query.guests.unwrap_or_default(),
        min_cents: query.min_price_cents.unwrap_or_default(),
        max_cents: query.max_price_cents.unwrap_or_default(),
        cursor: query.cursor.unwrap_or_default(),
        limit: limit(query.limit)?,
    };
    let found = api.travel.search_houses(open(request)).await?.into_inner();
    Ok(Json(HomestaysView {
        homestays: found.houses.into_iter().map(HomestayView::from).collect(),
        next_cursor: Some(found.next_cursor).filter(|cursor| !cursor.is_empty()),
    }))
}

/// One homestay, on sale or not.
#[utoipa::path(
    get, path = "/v1/homestays/{id}", tag = "homestays", params(("id" = i64, Path)),
    responses(
        (status = 200, description = "It", body = HomestayView),
        (status = 400, description = "The id is not a number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`HOUSE_NOT_FOUND`", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn detail(State(mut api): State<Api>, Path(id): Path<i64>) -> ApiResult<Json<HomestayView>> {
    let house = api.travel.get_house(open(pb::GetHouseRequest { id })).await?;
    Ok(Json(house.into_inner().into()))
}

/// Prices and what is left, day by day.
#[utoipa::path(
    get, path = "/v1/homestays/{id}/calendar", tag = "homestays", params(("id" = i64, Path), CalendarQuery),
    responses(
        (status = 200, description = "The days, in order", body = CalendarView),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`HOUSE_NOT_FOUND`", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn calendar(
    State(mut api): State<Api>,
    Path(house_id): Path<i64>,
    Query(CalendarQuery { from, to }): Query<CalendarQuery>,
) -> ApiResult<Json<CalendarView>> {
    let request = pb::GetCalendarRequest { house_id, from, to };
    let calendar = api.travel.get_calendar(open(request)).await?.into_inner();
    let days = calendar.days.into_iter().map(|day| DayView {
        date: day.date,
        price_cents: day.price_cents,
        free_units: day.free_units,
        free_meals: day.free_meals,
        open: day.open,
        min_nights: day.min_nights,
        arrival: day.arrival,
        departure: day.departure,
    });
    Ok(Json(CalendarView {
        homestay_id: calendar.house_id,
        currency: calendar.currency,
        days: days.collect(),
    }))
}

/// Prices a stay, line by line. Nothing is reserved, and whether a room is free is not asked.
#[utoipa::path(
    post, path = "/v1/quotes", tag = "homestays", request_body = QuoteBody,
    responses(
        (status = 200, description = "The price", body = QuoteView),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`HOUSE_NOT_FOUND`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`DATES_CLOSED` or `OFF_SALE`", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn quote(State(mut api): State<Api>, Json(body): Json<QuoteBody>) -> ApiResult<Json<QuoteView>> {
    let request = pb::GetQuoteRequest {
        house_id: body.homestay_id,
        check_in: body.check_in,
        check_out: body.check_out,
        guests: body.guests,
        meals: body.meals,
    };
    let quote = api.travel.get_quote(open(request)).await?;
    Ok(Json(quote.into_inner().into()))
}
