//! The rules that a stay has to keep, stock aside.

use homestay_types::{Stay, date_of_number, day_number};

use super::HORIZON_DAYS;
use super::refusal::{Refusal, Rule};
use super::terms::bit;
use crate::house::{Day, House};

/// Everything that is in the way of a new booking but stock: what is asked first comes first. `today` is a day number in the
/// house's zone.
#[must_use]
pub fn refusals(
    house: &House,
    days: &[Day],
    stay: &Stay,
    guests: i64,
    meals: bool,
    today: i64,
) -> Vec<Refusal> {
    let (from, to) = (day_number(stay.check_in()), day_number(stay.check_out()));
    let mut found = Vec::new();
    if guests > house.people_num {
        let message = format!(
            "must be at most {}, which is what the house takes",
            house.people_num
        );
        found.push(Refusal::new(Rule::Capacity, from, message));
    }
    if from < today {
        found.push(Refusal::new(Rule::Past, from, "must not be in the past"));
    }
    if meals && house.meals_per_day == 0 {
        found.push(Refusal::new(
            Rule::MealsNotSold,
            from,
            "are not sold in this house",
        ));
    }
    if !house.on_sale {
        found.push(Refusal::new(Rule::OffSale, from, "the house is not on sale"));
    }
    let nights = (from..to).filter_map(|night| night_refusal(house, days, night, today));
    // The arrival has been told.
    found.extend(nights.filter(|refusal| (refusal.rule, refusal.day) != (Rule::Past, from)));
    found.extend(shape(house, from, to));
    found
}

/// What is in the way of a night, whatever stay it belongs to.
#[must_use]
pub fn night_refusal(house: &House, days: &[Day], night: i64, today: i64) -> Option<Refusal> {
    let terms = &house.terms;
    let refusal = |rule, message: String| Some(Refusal::new(rule, night, message));
    if night < today {
        return refusal(Rule::Past, "the night has passed".to_owned());
    }
    if !(house.open_from..house.open_until).contains(&night) {
        return refusal(Rule::Closed, "the house is not open".to_owned());
    }
    if night - today < terms.advance_min_days {
        return refusal(
            Rule::TooSoon,
            format!("nights are sold {} days ahead or earlier", terms.advance_min_days),
        );
    }
    let ahead = if terms.advance_max_days > 0 {
        terms.advance_max_days.min(HORIZON_DAYS)
    } else {
        HORIZON_DAYS
    };
    if night - today > ahead {
        return refusal(
            Rule::TooFar,
            format!("nights are sold at most {ahead} days ahead"),
        );
    }
    if days.iter().any(|day| day.day == night && day.blocked) {
        return refusal(Rule::StopSell, "the host takes no bookings".to_owned());
    }
    None
}

/// Rules about the stay as a whole.
fn shape(house: &House, from: i64, to: i64) -> Vec<Refusal> {
    let (terms, nights) = (&house.terms, to - from);
    let mut found = Vec::new();
    if nights < terms.min_nights {
        let message = format!("stays have at least {} nights", terms.min_nights);
        found.push(Refusal::new(Rule::MinNights, from, message));
    }
    if terms.max_nights > 0 && nights > terms.max_nights {
        let message = format!("stays have at most {} nights", terms.max_nights);
        found.push(Refusal::new(Rule::MaxNights, from + terms.max_nights, message));
    }
    for season in &terms.seasons {
        let touched = from.max(season.from);
        if touched < to.min(season.until) && nights < season.min_nights {
            let message = format!(
                "stays that touch {} have at least {} nights",
                if season.name.is_empty() {
                    "this season"
                } else {
                    &season.name
                },
                season.min_nights
            );
            found.push(Refusal::new(Rule::SeasonMinNights, touched, message));
        }
    }
    if !may(terms.arrival_weekdays, from) {
        found.push(Refusal::new(
            Rule::ArrivalWeekday,
            from,
            "stays do not begin on this weekday",
        ));
    }
    if !may(terms.departure_weekdays, to) {
        found.push(Refusal::new(
            Rule::DepartureWeekday,
            to,
            "stays do not end on this weekday",
        ));
    }
    found
}

/// Whether the weekday of this day is among `weekdays`.
#[must_use]
pub fn may(weekdays: i64, day: i64) -> bool {
    weekdays & bit(date_of_number(day).weekday()) != 0
}

/// Nights that a stay beginning on `day` has at least.
#[must_use]
pub fn least_nights(house: &House, day: i64) -> i64 {
    let season = house.terms.season(day).map_or(0, |season| season.min_nights);
    house.terms.min_nights.max(season).max(1)
}
