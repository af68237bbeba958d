//! Why a stay cannot be booked: the rule, and the night.

use homestay_error::{Code, Error};
use homestay_types::date_of_number;
use serde_json::json;

/// Every rule that can be in the way of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// More guests than the house takes.
    Capacity,
    /// The stay begins before today.
    Past,
    /// Meals are asked for where none are sold.
    MealsNotSold,
    /// The house is off sale, or its shop is closed.
    OffSale,
    /// Outside the nights that the house is open for.
    Closed,
    /// The host wants to know earlier.
    TooSoon,
    /// Further ahead than nights are sold.
    TooFar,
    /// The host does not sell this night.
    StopSell,
    /// The stay is too short.
    MinNights,
    /// The stay is too long.
    MaxNights,
    /// The stay is too short for a season that it touches.
    SeasonMinNights,
    /// Nobody arrives on this weekday.
    ArrivalWeekday,
    /// Nobody leaves on this weekday.
    DepartureWeekday,
    /// No unit is free.
    UnitsTaken,
    /// The owner keeps the night.
    OwnerBlock,
    /// The night is kept free after a stay, or has to be after this one and is not.
    Buffer,
    /// Too few meals are left.
    MealsSoldOut,
}

impl Rule {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rule::Capacity => "CAPACITY",
            Rule::Past => "PAST",
            Rule::MealsNotSold => "MEALS_NOT_SOLD",
            Rule::OffSale => "OFF_SALE",
            Rule::Closed => "CLOSED",
            Rule::TooSoon => "TOO_SOON",
            Rule::TooFar => "TOO_FAR",
            Rule::StopSell => "STOP_SELL",
            Rule::MinNights => "MIN_NIGHTS",
            Rule::MaxNights => "MAX_NIGHTS",
            Rule::SeasonMinNights => "SEASON_MIN_NIGHTS",
            Rule::ArrivalWeekday => "ARRIVAL_WEEKDAY",
            Rule::DepartureWeekday => "DEPARTURE_WEEKDAY",
            Rule::UnitsTaken => "UNITS_TAKEN",
            Rule::OwnerBlock => "OWNER_BLOCK",
            Rule::Buffer => "BUFFER",
            Rule::MealsSoldOut => "MEALS_SOLD_OUT",
        }
    }

    /// How a booking is refused by it.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Rule::Capacity | Rule::Past | Rule::MealsNotSold => Code::InvalidArgument,
            Rule::OffSale => Code::OffSale,
            Rule::UnitsTaken | Rule::OwnerBlock | Rule::Buffer => Code::DatesTaken,
            Rule::MealsSoldOut => Code::MealsSoldOut,
            _ => Code::DatesClosed,
        }
    }
}

/// One rule in the way, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// Day number of the night, or of the day of departure.
    pub day: i64,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(rule: Rule, day: i64, message: impl Into<String>) -> Self {
        Self {
            rule,
            day,
            message: message.into(),
        }
    }

    /// The date it is about, ISO 8601.
    #[must_use]
    pub fn date(&self) -> String {
        date_of_number(self.day).to_string()
    }
}

/// Refusals that an error lists: it travels in headers.
const LISTED: usize = 8;

/// The error for a booking that is refused by these, the first of them first; `None` if there are none. `start_field` is the
/// name of the arrival.
#[must_use]
pub fn error(refusals: &[Refusal], start_field: &'static str) -> Option<Error> {
    let first = refusals.first()?;
    let error = match first.rule {
        Rule::Capacity => Error::invalid("guests", &first.message),
        Rule::Past => Error::invalid(start_field, &first.message),
        Rule::MealsNotSold => Error::invalid("meals", &first.message),
        Rule::OffSale => Error::new(Code::OffSale),
        rule => Error::with(
            rule.code(),
            format!("{} on {}: {}", rule.name(), first.date(), first.message),
        ),
    };
    let listed: Vec<_> = refusals
        .iter()
        .take(LISTED)
        .map(|refusal| json!({ "rule": refusal.rule.name(), "date": refusal.date(), "message": refusal.message }))
        .collect();
    Some(error.details(json!({ "refusals": listed })))
}
