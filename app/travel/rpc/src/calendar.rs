use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::travel as pb;
use homestay_types::date_of_number;

use crate::rules::stay;
use crate::{rules, store};

/// Price, openness and what is left of each day in `[from, to)`.
pub(crate) async fn calendar(
    db: &Db,
    clock: &Clock,
    house_id: i64,
    from: &str,
    to: &str,
) -> Result<pb::Calendar> {
    let range = rules::calendar_range(from, to)?;
    let house = store::house::find(db.read(), house_id)
        .await?
        .ok_or_else(|| Error::new(Code::HouseNotFound))?;
    let today = rules::today(clock.now(), &house.zone()?);
    let stock = store::house::stock(db.read(), &house, range).await?;
    let days = stock.into_iter().map(|stock| {
        let date = date_of_number(stock.day.day);
        let own = stock.day.price_cents;
        pb::CalendarDay {
            date: date.to_string(),
            price_cents: if own > 0 {
                own
            } else {
                house.usual_cents(stock.day.day)
            },
            free_units: (house.units - stock.units_taken).max(0),
            free_meals: (house.meals_per_day - stock.meals_taken).max(0),
            open: house.on_sale && rules::is_open(&house, &[stock.day], stock.day.day, today),
            min_nights: stay::least_nights(&house, stock.day.day),
            arrival: stay::may(house.terms.arrival_weekdays, stock.day.day),
            departure: stay::may(house.terms.departure_weekdays, stock.day.day),
        }
    });
    Ok(pb::Calendar {
        house_id,
        days: days.collect(),
        currency: house.currency,
    })
}
