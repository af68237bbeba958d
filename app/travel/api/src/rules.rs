use axum::extract::State;
use homestay_error::{Error, Result};
use homestay_http::{ApiResult, AuthUser, Json, Path, Problem};
use homestay_proto::common;
use homestay_proto::travel as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;

/// The routes `/v1/homestays/{id}/rules`.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_rules, put_rules))
}

/// When a homestay is sold and for how much. What is absent is as in a homestay without rules.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(as = HomestayRules)]
struct RulesDocument {
    /// Fewest nights of a stay; 0: none asked.
    min_nights: i64,
    /// Most nights of a stay; 0: none asked.
    max_nights: i64,
    /// Nights after a stay that nobody can take; at most 30.
    buffer_days: i64,
    /// Days on which stays may begin.
    arrival_weekdays: Vec<Weekday>,
    /// Days on which stays may end.
    departure_weekdays: Vec<Weekday>,
    /// Nights nearer than this are not sold.
    advance_min_days: i64,
    /// Nights further ahead than this are not sold; 0: 400.
    advance_max_days: i64,
    /// Friday and Saturday nights; 0: the usual price.
    weekend_price_cents: i64,
    /// They do not overlap. A price of a single day in the calendar counts more.
    seasons: Vec<SeasonView>,
    /// For longer stays, off the room; the longest that applies counts.
    discounts: Vec<DiscountView>,
    /// Nights that are not for sale.
    stop_sell: Vec<RangeView>,
    cancellation_policy: PolicyView,
    /// From when guests may come in, local time.
    #[schema(example = "15:00")]
    check_in_time: String,
}

impl Default for RulesDocument {
    fn default() -> Self {
        Self {
            min_nights: 0,
            max_nights: 0,
            buffer_days: 0,
            arrival_weekdays: WEEK.to_vec(),
            departure_weekdays: WEEK.to_vec(),
            advance_min_days: 0,
            advance_max_days: 0,
            weekend_price_cents: 0,
            seasons: Vec::new(),
            discounts: Vec::new(),
            stop_sell: Vec::new(),
            cancellation_policy: PolicyView {
                name: "flexible".to_owned(),
                windows: Vec::new(),
            },
            check_in_time: "15:00".to_owned(),
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// Monday is bit 0.
fn bits(days: &[Weekday]) -> i64 {
    let bits = WEEK.iter().zip((0..).map(|n| 1i64 << n));
    bits.filter(|(day, _)| days.contains(day))
        .map(|(_, bit)| bit)
        .sum()
}

fn weekdays(bits: i64) -> Vec<Weekday> {
    let mut days = WEEK.to_vec();
    days.retain(|day| bits & self::bits(&[*day]) != 0);
    days
}

/// Nights with prices of their own.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Season)]
struct SeasonView {
    #[serde(default)]
    name: String,
    /// First night.
    #[schema(format = Date)]
    from: String,
    /// The night after the last.
    #[schema(format = Date)]
    until: String,
    /// 0: as outside of it.
    #[serde(default)]
    price_cents: i64,
    /// Friday and Saturday nights; 0: as its other nights.
    #[serde(default)]
    weekend_price_cents: i64,
    /// Fewest nights of a stay with a night in it; 0: none asked.
    #[serde(default)]
    min_nights: i64,
}

/// Off the room, for stays of so many nights or more.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Discount)]
struct DiscountView {
    nights: i64,
    /// 1 to 100.
    percent: i64,
}

/// Nights from one date until before another.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NightRange)]
struct RangeView {
    /// First night.
    #[schema(format = Date)]
    from: String,
    /// The night after the last.
    #[schema(format = Date)]
    until: String,
}

/// What a guest's cancel gives back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = HomestayCancellationPolicy)]
pub(crate) struct PolicyView {
    /// `flexible`, `moderate`, `strict`, or `custom` with windows of its own.
    #[schema(example = "moderate")]
    name: String,
    /// Longest notice first; the first whose notice is kept counts, and without one nothing goes back.
    #[serde(default)]
    windows: Vec<WindowView>,
}

/// One step of a policy.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = HomestayPolicyWindow)]
struct WindowView {
    /// Hours before check-in.
    hours_before: i64,
    /// Of what was charged.
    refund_percent: i64,
}

impl From<common::CancellationPolicy> for PolicyView {
    fn from(policy: common::CancellationPolicy) -> Self {
        let windows = policy.windows.into_iter().map(|window| WindowView {
            hours_before: window.hours_before,
            refund_percent: window.refund_percent,
        });
        Self {
            name: policy.name,
            windows: windows.collect(),
        }
    }
}

/// "15:00" of minutes after midnight.
pub(crate) fn time(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute(text: &str) -> Result<i64> {
    let wrong = || Error::invalid("checkInTime", "must be of the form HH:MM, 00:01 to 23:59");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let two = |part: &str, most: i64| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let number = part
            .parse::<i64>()
            .ok()
            .filter(|number| digits && *number <= most);
        number.ok_or_else(wrong)
    };
    let minute = two(hours, 23)? * 60 + two(minutes, 59)?;
    // 0 is "not set" from here on.
    if minute == 0 { Err(wrong()) } else { Ok(minute) }
}

impl From<pb::HouseRules> for RulesDocument {
    fn from(rules: pb::HouseRules) -> Self {
        let seasons = rules.seasons.into_iter().map(|season| SeasonView {
            name: season.name,
            from: season.from,
            until: season.until,
            price_cents: season.price_cents,
            weekend_price_cents: season.weekend_cents,
            min_nights: season.min_nights,
        });
        let discounts = rules.discounts.into_iter().map(|discount| DiscountView {
            nights: discount.nights,
            percent: discount.percent,
        });
        let stop_sell = rules.stop_sell.into_iter().map(|range| RangeView {
            from: range.from,
            until: range.until,
        });
        Self {
            min_nights: rules.min_nights,
            max_nights: rules.max_nights,
            buffer_days: rules.buffer_days,
            arrival_weekdays: weekdays(rules.arrival_weekdays),
            departure_weekdays: weekdays(rules.departure_weekdays),
            advance_min_days: rules.advance_min_days,
            advance_max_days: rules.advance_max_days,
            weekend_price_cents: rules.weekend_cents,
            seasons: seasons.collect(),
            discounts: discounts.collect(),
            stop_sell: stop_sell.collect(),
            cancellation_policy: rules.policy.unwrap_or_default().into(),
            check_in_time: time(rules.check_in_minute),
        }
    }
}

impl TryFrom<RulesDocument> for pb::HouseRules {
    type Error = Error;

    fn try_from(rules: RulesDocument) -> Result<Self> {
        // Nobody would ever come: 0 means every day from here on.
        for (field, days) in [
            ("arrivalWeekdays", &rules.arrival_weekdays),
            ("departureWeekdays", &rules.departure_weekdays),
        ] {
            if days.is_empty() {
                return Err(Error::invalid(field, "must name at least one day"));
            }
        }
        let seasons = rules.seasons.into_iter().map(|season| pb::Season {
            name: season.name,
            from: season.from,
            until: season.until,
            price_cents: season.price_cents,
            weekend_cents: season.weekend_price_cents,
            min_nights: season.min_nights,
        });
        let discounts = rules.discounts.iter().map(|discount| pb::Discount {
            nights: discount.nights,
            percent: discount.percent,
        });
        let stop_sell = rules.stop_sell.into_iter().map(|range| pb::DayRange {
            from: range.from,
            until: range.until,
        });
        let policy = rules.cancellation_policy;
        let windows = policy.windows.iter().map(|window| common::PolicyWindow {
            hours_before: window.hours_before,
            refund_percent: window.refund_percent,
        });
        Ok(Self {
            min_nights: rules.min_nights,
            max_nights: rules.max_nights,
            buffer_days: rules.buffer_days,
            arrival_weekdays: bits(&rules.arrival_weekdays),
            departure_weekdays: bits(&rules.departure_weekdays),
            advance_min_days: rules.advance_min_days,
            advance_max_days: rules.advance_max_days,
            weekend_cents: rules.weekend_price_cents,
            seasons: seasons.collect(),
            discounts: discounts.collect(),
            stop_sell: stop_sell.collect(),
            policy: Some(common::CancellationPolicy {
                windows: windows.collect(),
                name: policy.name,
            }),
            check_in_minute: minute(&rules.check_in_time)?,
        })
    }
}

/// Rules of a homestay, for its host and operators.
#[utoipa::path(
    get, path = "/v1/homestays/{id}/rules", tag = "hosting", params(("id" = i64, Path)), security(("bearer" = [])),
    responses(
        (status = 200, description = "The whole document", body = RulesDocument),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such homestay of the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_rules(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(house_id): Path<i64>,
) -> ApiResult<Json<RulesDocument>> {
    let request = request_for(&user.actor(), pb::GetRulesRequest { house_id });
    let rules = api.travel.get_rules(request).await?;
    Ok(Json(rules.into_inner().into()))
}

/// Replaces the rules of a homestay, all of them. What is booked stays as it is.
#[utoipa::path(
    put, path = "/v1/homestays/{id}/rules", tag = "hosting", request_body = RulesDocument, params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The rules as they are now", body = RulesDocument),
        (status = 400, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such homestay of the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_rules(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(house_id): Path<i64>,
    Json(body): Json<RulesDocument>,
) -> ApiResult<Json<RulesDocument>> {
    let request = pb::SetRulesRequest {
        house_id,
        rules: Some(body.try_into()?),
    };
    let rules = api.travel.set_rules(request_for(&user.actor(), request)).await?;
    Ok(Json(rules.into_inner().into()))
}
