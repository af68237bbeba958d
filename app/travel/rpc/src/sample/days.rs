use homestay_proto::travel::{House, SeedDay};
use homestay_types::{date_of_number, day_number};
use jiff::civil::Date;

use super::OPEN_DAYS;

/// Own rows in a demo house's calendar: the National Day week and New Year's Eve at half as much again, and in every fifth
/// house a few days closed for repairs, some weeks ahead.
pub(super) fn own_days(house: &House, today: Date) -> Vec<SeedDay> {
    let first = day_number(today);
    // Another week for each house.
    let repairs = first + 30 + house.id % 50 * 7;
    let closed = if house.id % 5 == 0 {
        repairs..repairs + 3
    } else {
        0..0
    };
    (first..first + OPEN_DAYS)
        .filter_map(|number| {
            let date = date_of_number(number);
            let blocked = closed.contains(&number);
            let feast = is_feast(date);
            (feast || blocked).then(|| SeedDay {
                date: date.to_string(),
                price_cents: if feast { house.price_cents * 3 / 2 } else { 0 },
                blocked,
            })
        })
        .collect()
}

fn is_feast(date: Date) -> bool {
    matches!((date.month(), date.day()), (10, 1..=7) | (12, 31))
}
