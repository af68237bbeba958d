//! Stay dates are civil dates of the house's zone, on the days on which clocks change too.

use homestay_types::{date_of_number, day_number, zone};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::rules::{Dates, today};

/// Zones that change at midnight, by half an hour, over the date line, not at all, and the usual ones.
const ZONES: [&str; 14] = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Tehran",
    "Antarctica/Troll",
    "UTC",
];

/// Days of a year on which the zone's clocks change, and the days around them.
fn days_of_change(zone: &TimeZone, year: i16) -> Vec<Date> {
    let from = date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let to = date(year + 1, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let changes = zone
        .following(from)
        .map(|change| change.timestamp())
        .take_while(|at| *at < to);
    let mut days: Vec<Date> = changes
        .flat_map(|at| {
            let number = day_number(zone.to_datetime(at).date());
            (number - 2..=number + 2).map(date_of_number)
        })
        .collect();
    days.dedup();
    days
}

/// Days that exist in the zone: the date line has swallowed some.
fn exists(day: Date, zone: &TimeZone) -> bool {
    let noon = zone.to_ambiguous_zoned(day.at(12, 0, 0, 0)).compatible().unwrap();
    noon.date() == day
}

/// Instants of a day: its first, noon, and its last second, as a client would send them.
fn instants(day: Date, zone: &TimeZone) -> [i64; 3] {
    let noon = zone.to_ambiguous_zoned(day.at(12, 0, 0, 0)).compatible().unwrap();
    let (first, last) = (noon.start_of_day().unwrap(), noon.end_of_day().unwrap());
    [first, noon, last].map(|at| at.timestamp().as_second())
}

#[test]
fn seconds_of_any_moment_of_two_days_are_the_nights_between_them_also_when_clocks_change() {
    let mut checked = 0;
    for name in ZONES {
        let zone = zone(name).unwrap();
        // The last years of midnight changes in Sao Paulo, the day Apia lost, and years ahead.
        for year in [
            1995, 2009, 2010, 2011, 2014, 2016, 2017, 2018, 2019, 2024, 2026, 2027, 2028,
        ] {
            for day in days_of_change(&zone, year) {
                for nights in [1, 2, 3] {
                    let leaves = date_of_number(day_number(day) + nights);
                    if !exists(day, &zone) || !exists(leaves, &zone) {
                        continue;
                    }
                    for start in instants(day, &zone) {
                        for end in instants(leaves, &zone) {
                            let dates = Dates::of("", "", start, end);
                            let stay = dates.stay(&zone).unwrap();
                            assert_eq!(
                                (stay.check_in(), stay.check_out(), stay.nights()),
                                (day, leaves, nights),
                                "{name} {day} {start} {end}"
                            );
                            let (from, to) = dates.around();
                            assert!(
                                from <= day_number(day) && day_number(leaves) <= to,
                                "{name} {day}"
                            );
                            checked += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(checked > 20_000, "{checked}");
}

#[test]
fn known_days_of_change_are_among_those_tested() {
    let changes = |name: &str, year, day: Date| days_of_change(&zone(name).unwrap(), year).contains(&day);
    assert!(changes("America/Sao_Paulo", 2017, date(2017, 10, 15)));
    assert!(changes("Australia/Lord_Howe", 2026, date(2026, 4, 5)));
    assert!(changes("Pacific/Apia", 2011, date(2011, 12, 31)));
    assert!(!exists(date(2011, 12, 30), &zone("Pacific/Apia").unwrap()));
    assert!(
        changes("Pacific/Kiritimati", 1995, date(1995, 1, 2))
            || changes("Pacific/Kiritimati", 1994, date(1994, 12, 31))
    );
    // Midnight does not exist there on that day.
    let sao_paulo = zone("America/Sao_Paulo").unwrap();
    let first = instants(date(2017, 10, 15), &sao_paulo)[0];
    let at = sao_paulo.to_datetime(jiff::Timestamp::from_second(first).unwrap());
    assert_eq!((at.date(), at.hour()), (date(2017, 10, 15), 1));
}

#[test]
fn iso_dates_do_not_care_for_clocks_leap_days_and_ends_of_months() {
    let cases = [
        ("2028-02-28", "2028-03-01", 2),
        ("2028-02-29", "2028-03-01", 1),
        ("2027-02-28", "2027-03-01", 1),
        ("2026-12-31", "2027-01-01", 1),
        ("2027-04-30", "2027-05-02", 2),
        ("2100-02-28", "2100-03-01", 1),
        ("2027-03-27", "2027-03-29", 2),
        ("2027-10-30", "2027-11-01", 2),
    ];
    for name in ZONES {
        let zone = zone(name).unwrap();
        for (from, to, nights) in cases {
            let stay = Dates::of(from, to, 0, 0).stay(&zone).unwrap();
            assert_eq!(
                (stay.nights(), stay.dates().count()),
                (nights, usize::try_from(nights).unwrap()),
                "{name} {from}"
            );
            assert_eq!(stay.check_in().to_string(), from);
        }
    }
}

#[test]
fn today_changes_at_the_houses_midnight_and_not_before() {
    for name in ZONES {
        let zone = zone(name).unwrap();
        for year in [2011, 2017, 2026] {
            for day in days_of_change(&zone, year) {
                if !exists(day, &zone) {
                    continue;
                }
                let [first, _, last] = instants(day, &zone);
                let at = |second| today(jiff::Timestamp::from_second(second).unwrap(), &zone);
                assert_eq!(
                    (at(first), at(last)),
                    (day_number(day), day_number(day)),
                    "{name} {day}"
                );
                assert!(at(first - 1) < day_number(day), "{name} {day}");
                assert!(at(last + 1) > day_number(day), "{name} {day}");
            }
        }
    }
}
