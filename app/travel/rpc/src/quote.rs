//! What a stay costs. The only place that knows prices: pure, without clock, database or JSON.

use homestay_error::{Error, Result};
use homestay_types::{Stay, day_number};
use serde::{Deserialize, Serialize};

use crate::house::{Day, House};

/// One priced line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What is priced.
    pub kind: Kind,
    /// Night, ISO 8601.
    pub date: String,
    /// Cents for one.
    pub unit_cents: i64,
    /// Rooms, guests or meals.
    pub quantity: i64,
    /// Their product.
    pub total_cents: i64,
}

/// What a line prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A night in the room, or of the guests in a house sold per person.
    Room,
    /// Meals on the day of the night.
    Meals,
    /// What is taken off for the length of the stay: one line, dated with the first night, its total negative.
    Discount,
}

impl Kind {
    /// The name in JSON and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Room => "room",
            Kind::Meals => "meals",
            Kind::Discount => "discount",
        }
    }
}

/// A priced stay. As JSON it is also the detail of `PRICE_CHANGED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// House.
    pub homestay_id: i64,
    /// First night, ISO 8601.
    pub check_in: String,
    /// Day of departure, ISO 8601.
    pub check_out: String,
    /// Number of nights.
    pub nights: i64,
    /// Guests.
    pub guests: i64,
    /// Whether meals are taken.
    pub meals: bool,
    /// ISO 4217.
    pub currency: String,
    /// Sum of the room lines, before the discount.
    pub room_cents: i64,
    /// Sum of the meal lines.
    pub meal_cents: i64,
    /// All of it.
    pub total_cents: i64,
    /// A line for each night, and one for its meals; then the discount.
    pub lines: Vec<Line>,
}

/// Prices a stay: each night at its own price in the calendar, else the season's, else the weekend's, else the usual one; once
/// for a house sold per room, for each guest in one sold per person; meals for each guest and night. The longest discount that
/// applies is taken off the sum of the room lines, rounded half up to the cent; the total may be 0.
///
/// # Errors
/// `INTERNAL` if a sum does not fit into 64 bits: the prices are no prices then.
pub fn quote(house: &House, days: &[Day], stay: &Stay, guests: i64, meals: bool) -> Result<Quote> {
    let too_much = || Error::internal("a price does not fit into 64 bits");
    let line = |kind, date: jiff::civil::Date, unit_cents: i64, quantity: i64| {
        Ok::<_, Error>(Line {
            kind,
            date: date.to_string(),
            unit_cents,
            quantity,
            total_cents: unit_cents.checked_mul(quantity).ok_or_else(too_much)?,
        })
    };
    let rooms = if house.per_person { guests } else { 1 };
    let (mut room_cents, mut meal_cents) = (0i64, 0i64);
    let mut lines = Vec::new();
    for date in stay.dates() {
        let number = day_number(date);
        let own = days
            .iter()
            .find(|day| day.day == number)
            .map_or(0, |day| day.price_cents);
        let price = if own > 0 { own } else { house.usual_cents(number) };
        let room = line(Kind::Room, date, price, rooms)?;
        room_cents = room_cents.checked_add(room.total_cents).ok_or_else(too_much)?;
        lines.push(room);
        if meals {
            let meal = line(Kind::Meals, date, house.food_cents, guests)?;
            meal_cents = meal_cents.checked_add(meal.total_cents).ok_or_else(too_much)?;
            lines.push(meal);
        }
    }
    let off_cents = percent_of(room_cents, house.terms.discount_percent(stay.nights()));
    if off_cents > 0 {
        lines.push(line(Kind::Discount, stay.check_in(), -off_cents, 1)?);
    }
    let all_cents = room_cents.checked_add(meal_cents).ok_or_else(too_much)?;
    Ok(Quote {
        homestay_id: house.id,
        check_in: stay.check_in().to_string(),
        check_out: stay.check_out().to_string(),
        nights: stay.nights(),
        guests,
        meals,
        currency: house.currency.clone(),
        room_cents,
        meal_cents,
        total_cents: all_cents - off_cents,
        lines,
    })
}

/// So many percent of an amount that is not negative, rounded half up to the cent; `percent` is 0 to 100.
fn percent_of(cents: i64, percent: i64) -> i64 {
    let exact = i128::from(cents) * i128::from(percent);
    // No more than `cents`, so that it fits.
    i64::try_from((exact + 50) / 100).unwrap_or(cents)
}
