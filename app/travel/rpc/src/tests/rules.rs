use homestay_error::Code;
use homestay_types::{Stay, date_of_number, day_number, zone};
use jiff::Timestamp;
use jiff::civil::{Weekday, date};
use proptest::prelude::*;

use super::world::plain_house;
use crate::quote::{Kind, quote};
use crate::rules::{Dates, bookable, calendar_range, today};
use crate::{Day, House};

fn stay(from: i64, nights: i64) -> Stay {
    Stay::new(date_of_number(from), date_of_number(from + nights)).unwrap()
}

/// 2026-11-20, a Friday.
fn friday() -> i64 {
    day_number(date(2026, 11, 20))
}

#[test]
fn nights_cost_their_own_price_else_the_weekends_else_the_usual_one() {
    let room = House {
        weekend_cents: 15_000,
        ..plain_house()
    };
    let person = House {
        per_person: true,
        ..room.clone()
    };
    let flat = plain_house();
    let own = [Day {
        day: friday() + 1,
        price_cents: 50_000,
        blocked: false,
    }];
    let zero = [Day {
        day: friday(),
        price_cents: 0,
        blocked: false,
    }];
    // house, days, first night after Friday, nights, guests, meals, room, meals
    type Case<'a> = (&'a House, &'a [Day], i64, i64, i64, bool, i64, i64);
    let cases: [Case<'_>; 9] = [
        (&flat, &[], -2, 2, 1, false, 20_000, 0),
        (&flat, &[], 0, 2, 4, false, 20_000, 0),
        (&room, &[], -1, 4, 2, false, 50_000, 0), // Thu 100, Fri 150, Sat 150, Sun 100
        (&room, &own, -1, 4, 2, false, 85_000, 0),
        (&room, &zero, 0, 1, 2, false, 15_000, 0),
        (&person, &[], -2, 2, 3, false, 60_000, 0), // B24: 3 guests, 2 nights
        (&person, &own, 1, 1, 3, false, 150_000, 0),
        (&flat, &[], 0, 3, 3, true, 30_000, 18_000),
        (&person, &[], 0, 1, 2, true, 30_000, 4000),
    ];
    for (house, days, from, nights, guests, meals, room_cents, meal_cents) in cases {
        let quote = quote(house, days, &stay(friday() + from, nights), guests, meals).unwrap();
        let case = format!("{from} {nights} {guests} {meals}");
        assert_eq!(
            (quote.room_cents, quote.meal_cents),
            (room_cents, meal_cents),
            "{case}"
        );
        assert_eq!(quote.total_cents, room_cents + meal_cents, "{case}");
        assert_eq!(
            quote.lines.len(),
            usize::try_from(nights).unwrap() * if meals { 2 } else { 1 },
            "{case}"
        );
    }
}

#[test]
fn a_price_that_cannot_be_counted_is_refused_and_not_wrapped() {
    let dear = House {
        price_cents: i64::MAX / 2,
        per_person: true,
        ..plain_house()
    };
    for (nights, guests) in [(1, 3), (3, 1)] {
        let refused = quote(&dear, &[], &stay(friday(), nights), guests, false).unwrap_err();
        assert_eq!(refused.code(), Code::Internal);
    }
}

proptest! {
    #[test]
    fn a_quote_is_the_sum_of_its_nights(
        price in 1i64..1_000_000, weekend in 0i64..1_000_000, food in 0i64..100_000, per_person: bool, meals: bool,
        guests in 1i64..20, from in 20_000i64..25_000, nights in 1i64..=180,
        own in proptest::collection::btree_map(-5i64..200, (0i64..1_000_000, any::<bool>()), 0..20),
    ) {
        let house = House { price_cents: price, weekend_cents: weekend, food_cents: food, per_person, ..plain_house() };
        let days: Vec<Day> = own.iter()
            .map(|(day, (price_cents, blocked))| Day { day: from + day, price_cents: *price_cents, blocked: *blocked })
            .collect();

        let got = quote(&house, &days, &stay(from, nights), guests, meals).unwrap();

        // The same once more, night by night and guest by guest.
        let (mut rooms, mut eaten) = (0i64, 0i64);
        for n in 0..nights {
            let mut cents = price;
            // 1970-01-01 was a Thursday.
            let weekday = (from + n + 3).rem_euclid(7);
            if (weekday == 4 || weekday == 5) && weekend != 0 {
                cents = weekend;
            }
            if let Some((own, _)) = own.get(&n) && *own != 0 {
                cents = *own;
            }
            rooms += cents;
            for _ in 1..guests {
                if per_person {
                    rooms += cents;
                }
            }
            for _ in 0..guests {
                if meals {
                    eaten += food;
                }
            }
        }
        prop_assert_eq!((got.room_cents, got.meal_cents, got.total_cents), (rooms, eaten, rooms + eaten));
        let sum = |kind| got.lines.iter().filter(|l| l.kind == kind).map(|l| l.total_cents).sum::<i64>();
        prop_assert_eq!((sum(Kind::Room), sum(Kind::Meals)), (rooms, eaten));
        prop_assert!(got.lines.iter().all(|l| l.unit_cents * l.quantity == l.total_cents));
        prop_assert_eq!(got.nights, nights);
    }
}

/// What a refusal names: its field, else its code.
fn why(error: &homestay_error::Error) -> String {
    error
        .field_name()
        .map_or_else(|| error.code().reason().to_owned(), str::to_owned)
}

#[test]
fn only_open_nights_of_houses_on_sale_are_bookable_and_by_guests_who_fit() {
    let house = plain_house();
    let today = house.open_from;
    let edited = |edit: fn(&mut House)| {
        let mut house = plain_house();
        edit(&mut house);
        house
    };
    let off_sale = edited(|h| h.on_sale = false);
    let no_meals = edited(|h| h.meals_per_day = 0);
    let short = edited(|h| h.open_until = h.open_from + 10);
    let later = edited(|h| h.open_from += 10);
    let blocked = [Day {
        day: today + 5,
        price_cents: 0,
        blocked: true,
    }];
    // house, days, first night after today, nights, guests, meals
    type Case<'a> = (&'a House, &'a [Day], i64, i64, i64, bool, &'a str);
    let cases: [Case<'_>; 23] = [
        (&house, &[], 0, 1, 1, false, ""),
        (&house, &[], 0, 180, 4, true, ""),
        (&house, &[], 1, 2, 0, false, "guests"),
        (&house, &[], 1, 2, -10, true, "guests"),
        (&house, &[], 1, 2, 5, false, "guests"),
        (&house, &[], 1, 2, i64::MAX, false, "guests"),
        (&house, &[], -1, 2, 2, false, "checkIn"),
        (&house, &[], -400, 1, 2, false, "checkIn"),
        (&no_meals, &[], 1, 2, 2, true, "meals"),
        (&no_meals, &[], 1, 2, 2, false, ""),
        (&off_sale, &[], 1, 2, 2, false, "OFF_SALE"),
        (&off_sale, &[], 1, 2, 9, false, "guests"),
        (&short, &[], 8, 2, 2, false, ""),
        (&short, &[], 9, 2, 2, false, "DATES_CLOSED"),
        (&short, &[], 10, 1, 2, false, "DATES_CLOSED"),
        (&later, &[], 9, 1, 2, false, "DATES_CLOSED"),
        (&later, &[], 10, 1, 2, false, ""),
        (&house, &blocked, 3, 2, 2, false, ""),
        (&house, &blocked, 4, 2, 2, false, "DATES_CLOSED"),
        (&house, &blocked, 5, 1, 2, false, "DATES_CLOSED"),
        (&house, &blocked, 6, 2, 2, false, ""),
        (&house, &[], 400, 1, 2, false, ""),
        (&house, &[], 400, 2, 2, false, "DATES_CLOSED"),
    ];
    for (house, days, from, nights, guests, meals, want) in cases {
        let outcome = bookable(
            house,
            days,
            &stay(today + from, nights),
            "checkIn",
            guests,
            meals,
            today,
        );
        let got = outcome.err().map_or(String::new(), |error| why(&error));
        assert_eq!(got, want, "{from} {nights} {guests} {meals}");
    }
}

#[test]
fn iso_dates_are_read_and_wrong_ones_are_named() {
    let shanghai = zone("Asia/Shanghai").unwrap();
    let cases = [
        ("2026-12-01", "2026-12-02", ""),
        ("2028-02-28", "2028-03-01", ""),
        ("2026-12-01", "2026-12-01", "checkOut"),
        ("2026-12-02", "2026-12-01", "checkOut"),
        ("2026-12-01", "2027-06-01", "checkOut"), // 182 nights
        ("2026-02-30", "2026-03-02", "checkIn"),
        ("", "2026-03-02", "checkIn"),
        ("2026-03-02", "", "checkOut"),
        ("20260302", "2026-03-04", "checkIn"),
        ("2026-03-02", "tomorrow", "checkOut"),
        ("2026-03-02T00:00:00Z", "2026-03-04", "checkIn"),
    ];
    for (from, to, want) in cases {
        let got = Dates::of(from, to, 1, 2).stay(&shanghai);
        let got = got.err().map_or(String::new(), |error| why(&error));
        assert_eq!(got, want, "{from} {to}");
    }
}

#[test]
fn seconds_become_civil_dates_once_in_the_houses_zone() {
    let utc = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    // zone, start, end, check-in, nights or the field that is wrong
    let cases = [
        // A day's length apart and less: what counts is the date.
        (
            "Asia/Shanghai",
            "2026-11-30T16:00:00Z",
            "2026-12-01T16:00:00Z",
            "2026-12-01",
            Ok(1),
        ),
        (
            "Asia/Shanghai",
            "2026-11-30T15:59:59Z",
            "2026-11-30T16:00:00Z",
            "2026-11-30",
            Ok(1),
        ),
        (
            "Asia/Shanghai",
            "2026-11-30T16:00:00Z",
            "2026-12-01T15:59:59Z",
            "",
            Err("liveEndTime"),
        ),
        (
            "UTC",
            "2026-11-30T16:00:00Z",
            "2026-12-01T15:59:59Z",
            "2026-11-30",
            Ok(1),
        ),
        (
            "Asia/Shanghai",
            "2026-12-01T16:00:00Z",
            "2026-12-01T16:00:01Z",
            "",
            Err("liveEndTime"),
        ),
        (
            "Asia/Shanghai",
            "2026-12-02T16:00:00Z",
            "2026-12-01T16:00:00Z",
            "",
            Err("liveEndTime"),
        ),
        // Clocks go forward: 47 hours, two nights. Back: 49 hours, two nights.
        (
            "Europe/Berlin",
            "2027-03-26T23:00:00Z",
            "2027-03-28T22:00:00Z",
            "2027-03-27",
            Ok(2),
        ),
        (
            "Europe/Berlin",
            "2027-10-29T22:00:00Z",
            "2027-10-31T23:00:00Z",
            "2027-10-30",
            Ok(2),
        ),
        // 23 hours over the change are a night all the same.
        (
            "America/New_York",
            "2027-03-14T05:00:00Z",
            "2027-03-15T04:00:00Z",
            "2027-03-14",
            Ok(1),
        ),
        // A midnight that does not exist (Beirut springs forward at 00:00).
        (
            "Asia/Beirut",
            "2027-03-27T22:30:00Z",
            "2027-03-28T21:30:00Z",
            "2027-03-28",
            Ok(1),
        ),
        // 29 February.
        (
            "Asia/Shanghai",
            "2028-02-27T16:00:00Z",
            "2028-02-29T16:00:00Z",
            "2028-02-28",
            Ok(2),
        ),
        (
            "Asia/Shanghai",
            "2027-02-27T16:00:00Z",
            "2027-02-28T16:00:00Z",
            "2027-02-28",
            Ok(1),
        ),
        // Across the date line.
        (
            "Pacific/Kiritimati",
            "2026-12-30T10:00:00Z",
            "2026-12-31T10:00:00Z",
            "2026-12-31",
            Ok(1),
        ),
    ];
    for (zone_name, start, end, check_in, want) in cases {
        let zone = zone(zone_name).unwrap();
        let got = Dates::of("", "", utc(start), utc(end)).stay(&zone);
        match (got, want) {
            (Ok(stay), Ok(nights)) => {
                assert_eq!(
                    (stay.check_in().to_string().as_str(), stay.nights()),
                    (check_in, nights),
                    "{zone_name} {start}"
                );
            }
            (Err(error), Err(field)) => assert_eq!(why(&error), field, "{zone_name} {start}"),
            (got, _) => panic!("{zone_name} {start}: {got:?}"),
        }
    }
}

#[test]
fn absurd_seconds_name_their_field() {
    let shanghai = zone("Asia/Shanghai").unwrap();
    let cases = [
        (i64::MAX, i64::MAX, "liveStartTime"),
        (i64::MIN, 0, "liveStartTime"),
        (0, i64::MAX, "liveEndTime"),
        (0, 0, "checkIn"),
        (0, 1, "liveEndTime"),
        (0, 400 * 86_400, "liveEndTime"),
    ];
    for (start, end, field) in cases {
        let dates = Dates::of("", "", start, end);
        let (from, to) = dates.around();
        assert!(from <= to || start > end);
        assert_eq!(why(&dates.stay(&shanghai).unwrap_err()), field, "{start} {end}");
    }
}

#[test]
fn the_days_read_with_a_house_enclose_its_stay_in_every_zone() {
    for zone_name in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Shanghai", "UTC"] {
        let zone = zone(zone_name).unwrap();
        for start in [0, 1_795_190_399, 1_795_190_400, 1_795_219_200] {
            let dates = Dates::of("", "", start, start + 86_400);
            let stay = dates.stay(&zone).unwrap();
            let (from, to) = dates.around();
            assert!(from <= day_number(stay.check_in()) && day_number(stay.check_out()) <= to);
        }
    }
}

#[test]
fn today_is_the_date_at_the_house() {
    let now: Timestamp = "2026-11-21T16:30:00Z".parse().unwrap();
    for (name, want) in [
        ("Asia/Shanghai", date(2026, 11, 22)),
        ("UTC", date(2026, 11, 21)),
        ("Pacific/Pago_Pago", date(2026, 11, 21)),
    ] {
        assert_eq!(today(now, &zone(name).unwrap()), day_number(want), "{name}");
    }
}

#[test]
fn weekend_nights_are_friday_and_saturday() {
    let house = House {
        weekend_cents: 1,
        ..plain_house()
    };
    let weekend: Vec<Weekday> = (0..7)
        .map(|n| friday() - 4 + n)
        .filter(|day| house.usual_cents(*day) == 1)
        .map(|day| date_of_number(day).weekday())
        .collect();
    assert_eq!(weekend, [Weekday::Friday, Weekday::Saturday]);
}

#[test]
fn a_calendar_has_one_to_four_hundred_days() {
    let cases = [
        ("2026-12-01", "2026-12-02", ""),
        ("2026-01-01", "2027-02-05", ""),
        ("2026-01-01", "2027-02-06", "to"),
        ("2026-01-01", "2026-01-01", "to"),
        ("2026-01-02", "2026-01-01", "to"),
        ("x", "2026-01-01", "from"),
        ("2026-01-02", "", "to"),
    ];
    for (from, to, want) in cases {
        let got = calendar_range(from, to)
            .err()
            .map_or(String::new(), |error| why(&error));
        assert_eq!(got, want, "{from} {to}");
    }
}
