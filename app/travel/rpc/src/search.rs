use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_types::{Stay, date_of_number, day_number, parse_date};
use jiff::Timestamp;

use crate::house::House;
use crate::{rules, store};

/// What somebody looks for. Nothing given means anything will do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    pub(crate) city: String,
    pub(crate) check_in: String,
    pub(crate) check_out: String,
    pub(crate) guests: i64,
    pub(crate) min_cents: i64,
    pub(crate) max_cents: i64,
    pub(crate) cursor: String,
    pub(crate) limit: usize,
}

/// The same, checked, as the store asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) city_key: String,
    /// Day numbers.
    pub(crate) nights: Option<(i64, i64)>,
    pub(crate) guests: i64,
    pub(crate) min_cents: i64,
    pub(crate) max_cents: i64,
    /// Only ids below this; 0: all.
    pub(crate) below: i64,
}

/// Rounds in which a page is filled up where rules cut it; after that it is shorter than asked for.
const ROUNDS: usize = 8;

/// On-sale houses that can be booked for all nights, newest first, and the cursor of the next page (empty on the last).
///
/// Stock and calendar are asked of the database, the other rules of the houses found. Pages follow each other by id, so a house
/// that is added meanwhile moves none of the others.
pub(crate) async fn search(db: &Db, clock: &Clock, search: Search) -> Result<(Vec<House>, String)> {
    let mut wanted = check(&search)?;
    let now = clock.now();
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let page = store::list::search(db, &wanted, search.limit + 1).await?;
        let last = page.len() <= search.limit;
        for house in page {
            if found.len() == search.limit {
                return Ok((found, cursor(wanted.below)));
            }
            wanted.below = house.id;
            if fits(&house, &wanted, now) {
                found.push(house);
            }
        }
        if last {
            return Ok((found, String::new()));
        }
    }
    Ok((found, cursor(wanted.below)))
}

/// Whether the house's rules allow the stay. Each house has its own today.
fn fits(house: &House, wanted: &Wanted, now: Timestamp) -> bool {
    let Some((from, to)) = wanted.nights else {
        return true;
    };
    let stay = Stay::new(date_of_number(from), date_of_number(to));
    let (Ok(stay), Ok(zone)) = (stay, house.zone()) else {
        return false;
    };
    let today = rules::today(now, &zone);
    // Days of its own that are not for sale were asked of the database.
    rules::stay::refusals(house, &[], &stay, wanted.guests, false, today).is_empty()
}

fn check(search: &Search) -> Result<Wanted> {
    for (field, value) in [
        ("guests", search.guests),
        ("minPriceCents", search.min_cents),
        ("maxPriceCents", search.max_cents),
    ] {
        if value < 0 {
            return Err(Error::invalid(field, "must not be negative"));
        }
    }
    if search.max_cents > 0 && search.max_cents < search.min_cents {
        return Err(Error::invalid("maxPriceCents", "must be at least minPriceCents"));
    }
    let nights = match (search.check_in.as_str(), search.check_out.as_str()) {
        ("", "") => None,
        ("", _) => return Err(Error::invalid("checkIn", "is not set")),
        (_, "") => return Err(Error::invalid("checkOut", "is not set")),
        (from, to) => {
            let from = parse_date(from).map_err(|what| Error::invalid("checkIn", what))?;
            let to = parse_date(to).map_err(|what| Error::invalid("checkOut", what))?;
            let stay = Stay::new(from, to).map_err(|what| Error::invalid("checkOut", what))?;
            Some((day_number(stay.check_in()), day_number(stay.check_out())))
        }
    };
    Ok(Wanted {
        city_key: search.city.trim().to_lowercase(),
        nights,
        guests: search.guests,
        min_cents: search.min_cents,
        max_cents: search.max_cents,
        below: below(&search.cursor)?,
    })
}

fn cursor(last_id: i64) -> String {
    URL_SAFE_NO_PAD.encode(last_id.to_be_bytes())
}

fn below(cursor: &str) -> Result<i64> {
    if cursor.is_empty() {
        return Ok(0);
    }
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes)
        .filter(|id| *id > 0)
        .ok_or_else(|| Error::invalid("cursor", "is not one that a page came with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_others_are_refused() {
        for id in [1, 77, i64::MAX] {
            assert_eq!(below(&cursor(id)).unwrap(), id);
        }
        for bad in ["x", "AAAA", "AAAAAAAAAAA", "//////////8", "%%%", &"A".repeat(64)] {
            assert_eq!(below(bad).unwrap_err().field_name(), Some("cursor"), "{bad}");
        }
    }

    #[test]
    fn a_search_that_makes_no_sense_names_the_field() {
        let plain = Search::default();
        let dates = |check_in: &str, check_out: &str| Search {
            check_in: check_in.into(),
            check_out: check_out.into(),
            ..Search::default()
        };
        let cases = [
            (
                Search {
                    guests: -1,
                    ..plain.clone()
                },
                "guests",
            ),
            (
                Search {
                    min_cents: -1,
                    ..plain.clone()
                },
                "minPriceCents",
            ),
            (
                Search {
                    max_cents: -1,
                    ..plain.clone()
                },
                "maxPriceCents",
            ),
            (
                Search {
                    min_cents: 2,
                    max_cents: 1,
                    ..plain.clone()
                },
                "maxPriceCents",
            ),
            (dates("2026-12-01", ""), "checkOut"),
            (dates("", "2026-12-01"), "checkIn"),
            (dates("soon", "2026-12-01"), "checkIn"),
            (dates("2026-12-01", "later"), "checkOut"),
            (dates("2026-12-01", "2026-12-01"), "checkOut"),
            (dates("2026-12-01", "2028-12-01"), "checkOut"),
        ];
        for (search, field) in cases {
            assert_eq!(
                check(&search).unwrap_err().field_name(),
                Some(field),
                "{search:?}"
            );
        }
        assert!(check(&plain).is_ok());
    }
}
