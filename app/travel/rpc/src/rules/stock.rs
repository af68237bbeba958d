//! Which unit a stay can have, and what is in the way where it can have none.

use std::collections::HashMap;

use homestay_types::date_of_number;

use super::refusal::{Refusal, Rule};

/// Why a night of a unit is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taker {
    /// Somebody stays.
    Stay,
    /// Kept free after a stay.
    Buffer,
    /// The owner keeps it.
    Block,
}

/// A night of a unit that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenNight {
    /// Day number.
    pub day: i64,
    /// Unit, from 1.
    pub unit: i64,
    /// Why.
    pub taker: Taker,
}

/// What is in the way of a stay `[check_in, check_out)` with `buffer_days` nights after it, in a house of so many units. Nothing
/// if one unit is free on all of them.
#[must_use]
pub fn refusals(
    units: i64,
    taken: &[TakenNight],
    (check_in, check_out): (i64, i64),
    buffer_days: i64,
) -> Vec<Refusal> {
    let until = check_out + buffer_days;
    let gone: HashMap<(i64, i64), Taker> = taken
        .iter()
        .map(|night| ((night.unit, night.day), night.taker))
        .collect();
    // How far each unit can be had.
    let far = (1..=units).map(|unit| {
        (check_in..until)
            .find(|day| gone.contains_key(&(unit, *day)))
            .unwrap_or(until)
    });
    let furthest = far.max().unwrap_or(check_in);
    if furthest >= until {
        return Vec::new();
    }
    let mut found: Vec<Refusal> = (check_in..until)
        .filter_map(|day| {
            let takers: Option<Vec<Taker>> =
                (1..=units).map(|unit| gone.get(&(unit, day)).copied()).collect();
            takers.map(|takers| full(day, &takers, day >= check_out))
        })
        .collect();
    if found.is_empty() {
        // Every night is free somewhere, but no unit on all of them.
        let message = format!("no unit is free from {} to here", date_of_number(check_in));
        found.push(Refusal::new(Rule::UnitsTaken, furthest, message));
    }
    found
}

/// A night on which no unit is free; `after` the stay itself.
fn full(day: i64, takers: &[Taker], after: bool) -> Refusal {
    if after {
        return Refusal::new(Rule::Buffer, day, "has to stay free after the stay, and is taken");
    }
    if takers.contains(&Taker::Stay) {
        Refusal::new(Rule::UnitsTaken, day, "every unit is taken")
    } else if takers.contains(&Taker::Buffer) {
        Refusal::new(Rule::Buffer, day, "is kept free after a stay")
    } else {
        Refusal::new(Rule::OwnerBlock, day, "the owner keeps this night")
    }
}

/// Days on which fewer than `wanted` meals are left; `left` tells (day, meals).
#[must_use]
pub fn meal_refusals(wanted: i64, left: &[(i64, i64)]) -> Vec<Refusal> {
    let short = left.iter().filter(|(_, meals)| *meals < wanted);
    short
        .map(|(day, meals)| {
            Refusal::new(
                Rule::MealsSoldOut,
                *day,
                format!("{} meals are left", meals.max(&0)),
            )
        })
        .collect()
}
