//! Tables of the rules that a host may set.

use homestay_error::Code;
use homestay_types::{Stay, date_of_number, day_number};

use super::world::{TODAY, plain_house};
use crate::House;
use crate::quote::quote;
use crate::rules::refusal::{self, Rule};
use crate::rules::stay;
use crate::rules::terms::{Discount, Policy, Season, Terms, Window};

/// A Saturday.
fn today() -> i64 {
    day_number(TODAY.parse().unwrap())
}

fn season(from: i64, until: i64, min_nights: i64) -> Season {
    Season {
        name: "Spring".into(),
        from: today() + from,
        until: today() + until,
        price_cents: 0,
        weekend_cents: 0,
        min_nights,
    }
}

#[test]
fn every_rule_refuses_what_it_is_for_and_nothing_beside() {
    let plain = Terms::default();
    let edited = |edit: fn(&mut Terms)| {
        let mut terms = Terms::default();
        edit(&mut terms);
        terms
    };
    let long = edited(|t| t.min_nights = 3);
    let short = edited(|t| t.max_nights = 3);
    // Sundays.
    let arrive = edited(|t| t.arrival_weekdays = 64);
    let leave = edited(|t| t.departure_weekdays = 64);
    let soon = edited(|t| t.advance_min_days = 2);
    let far = edited(|t| t.advance_max_days = 10);
    let spring = Terms {
        seasons: vec![season(10, 20, 4), season(30, 40, 0)],
        ..Terms::default()
    };
    // terms, first night after today (a Saturday), nights, refusals: rule and days after today
    type Case<'a> = (&'a Terms, i64, i64, &'a [(Rule, i64)]);
    let cases: [Case<'_>; 27] = [
        (&plain, 0, 1, &[]),
        (&plain, 400, 1, &[]),
        (&plain, 400, 2, &[(Rule::TooFar, 401)]),
        (&plain, -1, 1, &[(Rule::Past, -1)]),
        (&long, 1, 3, &[]),
        (&long, 1, 2, &[(Rule::MinNights, 1)]),
        (&short, 1, 3, &[]),
        (&short, 1, 4, &[(Rule::MaxNights, 4)]),
        (&short, 1, 6, &[(Rule::MaxNights, 4)]),
        (&arrive, 1, 2, &[]),
        (&arrive, 2, 2, &[(Rule::ArrivalWeekday, 2)]),
        (&arrive, 8, 2, &[]),
        (&leave, 6, 2, &[]),
        (&leave, 1, 2, &[(Rule::DepartureWeekday, 3)]),
        (&soon, 2, 1, &[]),
        (&soon, 1, 1, &[(Rule::TooSoon, 1)]),
        (&soon, 0, 3, &[(Rule::TooSoon, 0), (Rule::TooSoon, 1)]),
        (&far, 10, 1, &[]),
        (&far, 10, 2, &[(Rule::TooFar, 11)]),
        (&far, 11, 1, &[(Rule::TooFar, 11)]),
        (&spring, 7, 3, &[]),
        (&spring, 8, 3, &[(Rule::SeasonMinNights, 10)]),
        (&spring, 7, 4, &[]),
        (&spring, 19, 1, &[(Rule::SeasonMinNights, 19)]),
        (&spring, 20, 1, &[]),
        (&spring, 16, 4, &[]),
        (&spring, 35, 1, &[]),
    ];
    for (terms, from, nights, want) in cases {
        assert_eq!(terms.check(), Ok(()));
        let house = House {
            open_from: today() - 10,
            terms: terms.clone(),
            ..plain_house()
        };
        let asked = Stay::new(
            date_of_number(today() + from),
            date_of_number(today() + from + nights),
        )
        .unwrap();
        let got: Vec<(Rule, i64)> = stay::refusals(&house, &[], &asked, 1, false, today())
            .into_iter()
            .map(|refusal| (refusal.rule, refusal.day - today()))
            .collect();
        assert_eq!(got, want, "{from} {nights} {terms:?}");
    }
}

#[test]
fn a_refusal_names_the_rule_and_the_night_also_in_its_details() {
    let house = House {
        terms: Terms {
            min_nights: 3,
            arrival_weekdays: 1,
            ..Terms::default()
        },
        ..plain_house()
    };
    let asked = Stay::new(date_of_number(today() + 1), date_of_number(today() + 2)).unwrap();
    let refusals = stay::refusals(&house, &[], &asked, 1, false, today());
    let error = refusal::error(&refusals, "checkIn").unwrap();
    assert_eq!(error.code(), Code::DatesClosed);
    assert_eq!(
        error.message(),
        "MIN_NIGHTS on 2026-11-22: stays have at least 3 nights"
    );
    let listed = &error.detail().unwrap()["refusals"];
    assert_eq!(
        (&listed[0]["rule"], &listed[1]["rule"]),
        (&"MIN_NIGHTS".into(), &"ARRIVAL_WEEKDAY".into())
    );
    assert_eq!(listed[1]["date"], "2026-11-22");
}

#[test]
fn terms_that_cannot_be_kept_together_are_refused_by_name() {
    type Case = (fn(&mut Terms), &'static str);
    let cases: [Case; 24] = [
        (|t| t.min_nights = -1, "minNights"),
        (|t| t.min_nights = 181, "minNights"),
        (|t| t.max_nights = 181, "maxNights"),
        (|t| (t.min_nights, t.max_nights) = (5, 4), "maxNights"),
        (|t| t.buffer_days = 31, "bufferDays"),
        (|t| t.arrival_weekdays = 0, "arrivalWeekdays"),
        (|t| t.arrival_weekdays = 128, "arrivalWeekdays"),
        (|t| t.departure_weekdays = -1, "departureWeekdays"),
        (|t| t.advance_min_days = 401, "advanceMinDays"),
        (
            |t| (t.advance_min_days, t.advance_max_days) = (9, 8),
            "advanceMaxDays",
        ),
        (|t| t.check_in_minute = 1440, "checkInTime"),
        (|t| t.seasons = vec![season(5, 5, 0)], "seasons"),
        (|t| t.seasons = vec![season(5, 9, 0), season(1, 6, 0)], "seasons"),
        (|t| t.seasons = vec![season(5, 9, 181)], "seasons"),
        (
            |t| (t.max_nights, t.seasons) = (3, vec![season(5, 9, 4)]),
            "seasons",
        ),
        (
            |t| {
                t.seasons = vec![Season {
                    price_cents: -1,
                    ..season(5, 9, 0)
                }];
            },
            "seasons",
        ),
        (|t| t.discounts = vec![discount(7, 0)], "discounts"),
        (|t| t.discounts = vec![discount(7, 101)], "discounts"),
        (|t| t.discounts = vec![discount(0, 10)], "discounts"),
        (
            |t| t.discounts = vec![discount(7, 10), discount(7, 20)],
            "discounts",
        ),
        (|t| t.policy.name = "lenient".into(), "cancellationPolicy"),
        (|t| t.policy.windows.clear(), "cancellationPolicy"),
        (
            |t| t.policy = custom(&[(24, 50), (48, 100)]),
            "cancellationPolicy",
        ),
        (
            |t| t.policy = custom(&[(48, 50), (24, 100)]),
            "cancellationPolicy",
        ),
    ];
    for (index, (edit, field)) in cases.into_iter().enumerate() {
        let mut terms = Terms::default();
        edit(&mut terms);
        assert_eq!(terms.check().unwrap_err().0, field, "case {index}");
    }
    let fine = Terms {
        seasons: vec![season(5, 9, 0), season(1, 5, 3)],
        discounts: vec![discount(28, 30), discount(7, 10)],
        policy: custom(&[(48, 100), (24, 100), (0, 0)]),
        ..Terms::default()
    };
    assert_eq!(fine.check(), Ok(()));
}

fn discount(nights: i64, percent: i64) -> Discount {
    Discount { nights, percent }
}

fn custom(windows: &[(i64, i64)]) -> Policy {
    Policy {
        name: "custom".into(),
        windows: windows
            .iter()
            .map(|(hours_before, refund_percent)| Window {
                hours_before: *hours_before,
                refund_percent: *refund_percent,
            })
            .collect(),
    }
}

#[test]
fn the_longest_discount_that_applies_is_taken_off_the_room_rounded_half_up() {
    // cents a night, nights, meals, room, meals, total
    let cases = [
        (10_000, 6, false, 60_000, 0, 60_000),
        (10_000, 7, false, 70_000, 0, 63_000),
        (10_000, 27, false, 270_000, 0, 243_000),
        (10_000, 28, false, 280_000, 0, 0),
        (10_000, 7, true, 70_000, 14_000, 77_000),
        (10_000, 28, true, 280_000, 56_000, 56_000),
        // 10 percent of 35 is 3.5, which is 4.
        (5, 7, false, 35, 0, 31),
        // Of 7 it is 0.7, which is 1; 28 nights cost nothing.
        (1, 7, false, 7, 0, 6),
    ];
    for (price_cents, nights, meals, room, food, total) in cases {
        let house = House {
            price_cents,
            terms: Terms {
                discounts: vec![discount(28, 100), discount(7, 10)],
                ..Terms::default()
            },
            ..plain_house()
        };
        let asked = Stay::new(date_of_number(today()), date_of_number(today() + nights)).unwrap();
        let got = quote(&house, &[], &asked, 1, meals).unwrap();
        assert_eq!(
            (got.room_cents, got.meal_cents, got.total_cents),
            (room, food, total)
        );
    }
}

#[test]
fn an_old_snapshot_without_rules_is_still_read() {
    let mut old = serde_json::to_value(plain_house()).unwrap();
    old.as_object_mut().unwrap().remove("terms");
    let read: House = serde_json::from_value(old).unwrap();
    assert_eq!(read, plain_house());
}
