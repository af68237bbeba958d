use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_types::day_number;

use crate::house::House;
use crate::quote::{Quote, quote};
use crate::rules::refusal::Refusal;
use crate::rules::{self, Dates, stay, stock};
use crate::store;

/// Whether a stay can be booked.
#[derive(Debug, Clone)]
pub(crate) struct Availability {
    pub(crate) quote: Quote,
    /// Everything that is in the way: rules first, then stock.
    pub(crate) refusals: Vec<Refusal>,
}

/// Asks every rule and the stock about a stay, and prices it. Nothing is reserved.
///
/// # Errors
/// `INVALID_ARGUMENT` where there is no stay to ask about: guests below 1, dates that are none.
pub(crate) async fn availability(
    db: &Db,
    clock: &Clock,
    house_id: i64,
    dates: &Dates,
    guests: i64,
    meals: bool,
) -> Result<Availability> {
    rules::some_guests(guests)?;
    let (house, days) = store::house::find_with_days(db.read(), house_id, dates.around())
        .await?
        .ok_or_else(|| Error::new(Code::HouseNotFound))?;
    let zone = house.zone()?;
    let stay = dates.stay(&zone)?;
    let today = rules::today(clock.now(), &zone);
    let mut refusals = stay::refusals(&house, &days, &stay, guests, meals, today);
    let nights = (day_number(stay.check_in()), day_number(stay.check_out()));
    let meals_wanted = if meals { guests } else { 0 };
    refusals.extend(in_stock(db, &house, nights, meals_wanted, "").await?);
    let quote = quote(&house, &days, &stay, guests, meals)?;
    Ok(Availability { quote, refusals })
}

/// What of a stay's nights and meals is gone, those of the order `but` aside.
pub(crate) async fn in_stock(
    db: &Db,
    house: &House,
    (from, to): (i64, i64),
    meals: i64,
    but: &str,
) -> Result<Vec<Refusal>> {
    let buffer = house.terms.buffer_days;
    let taken = store::stock::taken(db.read(), house.id, (from, to + buffer), but).await?;
    let mut refusals = stock::refusals(house.units, &taken, (from, to), buffer);
    if meals > 0 && house.meals_per_day > 0 {
        let sold = store::stock::meals(db.read(), house.id, (from, to)).await?;
        let left: Vec<(i64, i64)> = sold
            .iter()
            .map(|(day, sold)| (*day, house.meals_per_day - sold))
            .collect();
        refusals.extend(stock::meal_refusals(meals, &left));
    }
    Ok(refusals)
}
