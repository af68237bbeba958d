use homestay_error::{Error, Result};
use homestay_types::{date_of_number, zone};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::rules::terms::Terms;

/// A house as it is sold. Dates are day numbers in its time zone. Also the snapshot that a hold keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct House {
    /// Id.
    pub id: i64,
    /// Shop it belongs to.
    pub shop_id: i64,
    /// Account of the host.
    pub host_id: i64,
    /// Title.
    pub title: String,
    /// Second line of the title.
    pub sub_title: String,
    /// Comma list of picture addresses, the first is the cover.
    pub banner: String,
    /// Description.
    pub info: String,
    /// Guests one unit takes.
    pub people_num: i64,
    /// Whether the house is on sale and its shop open.
    pub on_sale: bool,
    /// Whether it is sold per person; else per room.
    pub per_person: bool,
    /// What the meals are.
    pub food_info: String,
    /// Cents per guest and night.
    pub food_cents: i64,
    /// Cents per room or person and night.
    pub price_cents: i64,
    /// What others ask.
    pub market_cents: i64,
    /// Cents on Friday and Saturday nights; 0 means `price_cents`.
    pub weekend_cents: i64,
    /// City.
    pub city: String,
    /// IANA name.
    pub time_zone: String,
    /// ISO 4217.
    pub currency: String,
    /// Units that are sold one by one.
    pub units: i64,
    /// Meals that can be sold for one day; 0: none.
    pub meals_per_day: i64,
    /// First bookable night.
    pub open_from: i64,
    /// The night after the last bookable one.
    pub open_until: i64,
    /// Sum of the reviews' stars, in tenths.
    pub star_tenths: i64,
    /// Number of reviews.
    pub star_count: i64,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// What the host decided about when it is sold and for how much.
    #[serde(default)]
    pub terms: Terms,
}

impl House {
    /// The house's time zone.
    ///
    /// # Errors
    /// `INTERNAL`: what is stored was checked.
    pub fn zone(&self) -> Result<TimeZone> {
        zone(&self.time_zone).map_err(Error::internal)
    }

    /// What the night costs that no row of the calendar prices: the season's price, else the weekend's, else the usual one.
    #[must_use]
    pub fn usual_cents(&self, night: i64) -> i64 {
        let weekday = date_of_number(night).weekday();
        let weekend = matches!(weekday, Weekday::Friday | Weekday::Saturday);
        let season = self.terms.season(night);
        let (own, own_weekend) = season.map_or((0, 0), |season| (season.price_cents, season.weekend_cents));
        let prices = [
            if weekend { own_weekend } else { 0 },
            own,
            if weekend { self.weekend_cents } else { 0 },
        ];
        prices
            .into_iter()
            .find(|cents| *cents > 0)
            .unwrap_or(self.price_cents)
    }
}

/// Mean of stars kept as a sum of tenths, 0 when there are none.
#[expect(clippy::cast_precision_loss, reason = "stars are far below 2^53 tenths")]
pub(crate) fn mean_star(tenths: i64, count: i64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    // To one digit, as stars are shown.
    (tenths as f64 / count as f64).round() / 10.0
}

/// One day's own row in the calendar of a house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The day's number.
    pub day: i64,
    /// Price of its night; 0: the usual one.
    pub price_cents: i64,
    /// Not for sale.
    pub blocked: bool,
}

/// A shop and what its houses say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shop {
    pub(crate) id: i64,
    pub(crate) host_id: i64,
    pub(crate) title: String,
    pub(crate) info: String,
    pub(crate) boss_info: String,
    pub(crate) tags: String,
    pub(crate) cover: String,
    pub(crate) header_img: String,
    pub(crate) open: bool,
    pub(crate) star_tenths: i64,
    pub(crate) star_count: i64,
    pub(crate) sell_month: i64,
    pub(crate) person_consume_cents: i64,
}

/// A guest's review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Review {
    pub(crate) id: i64,
    pub(crate) house_id: i64,
    pub(crate) user_id: i64,
    pub(crate) content: String,
    pub(crate) star_tenths: i64,
    pub(crate) created_at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::mean_star;

    #[test]
    fn stars_are_a_mean_with_one_digit() {
        let mean = |tenths, count| format!("{:.2}", mean_star(tenths, count));
        assert_eq!(mean(0, 0), "0.00");
        assert_eq!(mean(50, 1), "5.00");
        assert_eq!(mean(95, 2), "4.80"); // 4.75
        assert_eq!(mean(140, 3), "4.70"); // 4.666…
    }
}
