use homestay_types::{day_number, parse_date};
use jiff::Timestamp;

use super::*;

const CHECK_IN: i64 = 1_796_112_000_000;

fn policy(name: &str, windows: &[(i64, i64)]) -> Policy {
    Policy::of_house(Some(pb::CancellationPolicy {
        name: name.into(),
        windows: windows
            .iter()
            .map(|(hours_before, refund_percent)| pb::PolicyWindow {
                hours_before: *hours_before,
                refund_percent: *refund_percent,
            })
            .collect(),
    }))
}

fn moderate() -> Policy {
    policy("moderate", &[(120, 100), (24, 50)])
}

fn strict() -> Policy {
    policy("strict", &[(336, 100), (168, 50)])
}

/// Paid, and never changed.
fn paid(cents: i64) -> Paid {
    Paid {
        cents,
        fee_cents: 0,
        cap: ALL,
    }
}

#[test]
fn the_window_counts_to_its_exact_hour() {
    let own = policy("custom", &[(0, 10), (48, 75), (2, 33)]);
    let cases = [
        // Milliseconds before check-in, percent.
        (Policy::flexible(), 24 * HOUR_MS, 100),
        (Policy::flexible(), 24 * HOUR_MS - 1, 0),
        (Policy::flexible(), 0, 0),
        (Policy::flexible(), -HOUR_MS, 0),
        (moderate(), 500 * HOUR_MS, 100),
        (moderate(), 120 * HOUR_MS, 100),
        (moderate(), 120 * HOUR_MS - 1, 50),
        (moderate(), 24 * HOUR_MS, 50),
        (moderate(), 24 * HOUR_MS - 1, 0),
        (strict(), 336 * HOUR_MS, 100),
        (strict(), 336 * HOUR_MS - 1, 50),
        (strict(), 168 * HOUR_MS, 50),
        (strict(), 168 * HOUR_MS - 1, 0),
        // Windows need not be told in order.
        (own.clone(), 48 * HOUR_MS, 75),
        (own.clone(), 48 * HOUR_MS - 1, 33),
        (own.clone(), 2 * HOUR_MS - 1, 10),
        (own.clone(), 0, 10),
        (own, -1, 0),
        (policy("custom", &[]), 5_000 * HOUR_MS, 0),
    ];
    for (policy, before, percent) in cases {
        let back = policy.back(paid(10_000), CHECK_IN, CHECK_IN - before);
        assert_eq!(back.percent, percent, "{policy:?} {before}");
        assert_eq!(back.refund_cents, percent * 100);
        assert_eq!(back.kept_cents, 10_000 - percent * 100);
    }
}

#[test]
fn what_is_said_of_now_holds_until_the_instant_that_is_named_with_it() {
    for policy in [Policy::flexible(), moderate(), strict()] {
        for before in [1, 23, 24, 25, 100, 120, 121, 168, 200, 336, 400] {
            let now = CHECK_IN - before * HOUR_MS;
            let back = policy.back(paid(999), CHECK_IN, now);
            if back.until_ms == 0 {
                assert_eq!(back.percent, 0);
                continue;
            }
            assert!(back.until_ms >= now);
            let at_last = policy.back(paid(999), CHECK_IN, back.until_ms);
            let after = policy.back(paid(999), CHECK_IN, back.until_ms + 1);
            assert_eq!(at_last.refund_cents, back.refund_cents);
            assert!(after.refund_cents < back.refund_cents);
        }
    }
}

#[test]
fn a_house_without_a_policy_is_flexible() {
    assert_eq!(Policy::of_house(None), Policy::flexible());
    assert_eq!(
        Policy::of_house(Some(pb::CancellationPolicy::default())),
        Policy::flexible()
    );
}

#[test]
fn shares_are_rounded_half_up_and_nothing_is_lost_between_the_parts() {
    for cents in 0..500 {
        for percent in 0..=100 {
            let own = policy("custom", &[(0, percent)]);
            let back = own.back(paid(cents), CHECK_IN, CHECK_IN);
            assert_eq!(back.refund_cents + back.kept_cents, cents);
            assert!((0..=cents).contains(&back.refund_cents));
            assert!((back.refund_cents * 100 - cents * percent).abs() <= 50);
        }
    }
}

#[test]
fn money_is_taken_from_the_first_payments_that_have_it() {
    let cases: [(&[i64], i64, &[i64]); 6] = [
        (&[100], 40, &[40]),
        (&[50, 200], 40, &[40, 0]),
        (&[50, 200], 60, &[50, 10]),
        (&[0, 200], 60, &[0, 60]),
        (&[50, 200], 0, &[0, 0]),
        (&[50, 20], 100, &[50, 20]),
    ];
    for (left, cents, want) in cases {
        assert_eq!(take_from(left.iter().copied(), cents), want, "{left:?} {cents}");
    }
}

fn instant(date: &str, minute: i64, zone: &str) -> String {
    let day = day_number(parse_date(date).unwrap());
    let ms = check_in_at_ms(day, minute, zone).unwrap();
    Timestamp::from_millisecond(ms).unwrap().to_string()
}

#[test]
fn check_in_is_a_time_on_the_clocks_of_the_house() {
    for (date, minute, zone, want) in [
        ("2026-12-01", 900, "Asia/Shanghai", "2026-12-01T07:00:00Z"),
        ("2026-01-15", 900, "Europe/Berlin", "2026-01-15T14:00:00Z"),
        ("2026-07-15", 900, "Europe/Berlin", "2026-07-15T13:00:00Z"),
        // The clocks go forward at 02:00 and back at 03:00.
        ("2026-03-29", 900, "Europe/Berlin", "2026-03-29T13:00:00Z"),
        ("2026-03-29", 150, "Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("2026-10-25", 900, "Europe/Berlin", "2026-10-25T14:00:00Z"),
        ("2026-10-25", 150, "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("2028-02-29", 1439, "Pacific/Auckland", "2028-02-29T10:59:00Z"),
    ] {
        assert_eq!(instant(date, minute, zone), want, "{date} {minute} {zone}");
    }
    assert!(check_in_at_ms(0, 900, "Nowhere/Else").is_err());
}

#[test]
fn a_day_of_notice_is_twenty_four_hours_also_where_the_clocks_change() {
    // Check-in at 15:00 on the day the clocks go forward: a day before is 14:00 on the day before.
    let day = day_number(parse_date("2026-03-29").unwrap());
    let check_in = check_in_at_ms(day, 900, "Europe/Berlin").unwrap();
    let last: Timestamp = "2026-03-28T13:00:00Z".parse().unwrap();
    let back = |ms| Policy::flexible().back(paid(100), check_in, ms).refund_cents;
    assert_eq!(back(last.as_millisecond()), 100);
    assert_eq!(back(last.as_millisecond() + 1), 0);
}

#[test]
fn a_house_that_says_no_time_takes_guests_at_three() {
    for (said, want) in [(0, 900), (-1, 900), (1440, 900), (1, 1), (1439, 1439), (600, 600)] {
        assert_eq!(check_in_minute(said), want);
    }
}

#[test]
fn a_cap_lowers_what_goes_back_and_says_until_when_to_the_millisecond() {
    let own = policy("custom", &[(100, 67), (50, 67), (30, 33), (0, 0)]);
    let cases = [
        // Cap, hours before check-in, percent, hours before check-in at which it ends (0: never).
        (moderate(), 100, 200, 100, 120),
        (moderate(), 50, 200, 50, 24),
        (moderate(), 49, 200, 49, 24),
        (moderate(), 51, 200, 51, 120),
        (moderate(), 51, 100, 50, 24),
        (moderate(), 0, 200, 0, 0),
        (moderate(), 100, 23, 0, 0),
        (strict(), 50, 336, 50, 168),
        (own.clone(), 100, 200, 67, 50),
        (own.clone(), 33, 200, 33, 30),
        (own.clone(), 33, 30, 33, 30),
        // What is nothing stays nothing.
        (own, 100, 29, 0, 0),
        // A window that gives less than a later one.
        (policy("custom", &[(100, 20), (50, 80)]), 100, 200, 20, 100),
        (policy("custom", &[(100, 20), (50, 80)]), 20, 200, 20, 50),
        (policy("custom", &[(100, 0), (50, 80)]), 100, 200, 0, 100),
    ];
    for (policy, cap, before, percent, ends) in cases {
        let now = CHECK_IN - before * HOUR_MS;
        let until = if ends == 0 { 0 } else { CHECK_IN - ends * HOUR_MS };
        assert_eq!(
            policy.percent(cap, CHECK_IN, now),
            (percent, until),
            "{policy:?} {cap} {before}"
        );
        if until > 0 {
            assert_eq!(policy.percent(cap, CHECK_IN, until).0, percent);
            assert_ne!(policy.percent(cap, CHECK_IN, until + 1).0, percent);
        }
    }
}

#[test]
fn what_changes_have_kept_stays_kept_when_the_guest_cancels() {
    // Paid, fees of that, cap; what goes back at 50 %.
    for (cents, fee_cents, cap, refund) in [
        (15_000, 5_000, 50, 5_000),
        (15_000, 5_000, 100, 5_000),
        (15_000, 5_000, 33, 3_300),
        (5_000, 5_000, 50, 0),
        (101, 0, 50, 51),
        (101, 2, 50, 50),
    ] {
        let paid = Paid {
            cents,
            fee_cents,
            cap,
        };
        let back = moderate().back(paid, CHECK_IN, CHECK_IN - 100 * HOUR_MS);
        assert_eq!(back.refund_cents, refund, "{paid:?}");
        assert_eq!(back.kept_cents, cents - refund);
    }
}

#[test]
fn a_cheaper_stay_costs_what_a_cancellation_of_the_difference_would() {
    for (old, new, percent, fee) in [
        (20_000, 10_000, 100, 0),
        (20_000, 10_000, 50, 5_000),
        (20_000, 10_000, 0, 10_000),
        (20_000, 20_000, 0, 0),
        (20_000, 30_000, 0, 0),
        (20_000, 19_999, 50, 0),
        (20_000, 19_997, 50, 1),
        (20_000, 19_998, 33, 1),
        (20_000, 0, 67, 6_600),
    ] {
        assert_eq!(change_fee(old, new, percent), fee, "{old} {new} {percent}");
    }
}

#[test]
fn no_way_of_changing_and_cancelling_gives_more_than_cancelling_at_once() {
    for percent in [0, 1, 33, 50, 67, 99, 100] {
        for prices in [
            vec![10_001],
            vec![15_000, 3_333],
            vec![19_999, 19_998, 1],
            vec![0, 20_000, 0],
        ] {
            let (mut stay, mut charged, mut back, mut fees) = (20_000, 20_000, 0, 0);
            for price in &prices {
                let fee = change_fee(stay, *price, percent);
                charged += (price - stay).max(0);
                back += (stay - price).max(0) - fee;
                fees += fee;
                stay = *price;
            }
            let paid = Paid {
                cents: charged - back,
                fee_cents: fees,
                cap: percent,
            };
            assert_eq!(paid.cents, stay + fees);
            back += Policy::flexible()
                .back(paid, CHECK_IN, CHECK_IN - 48 * HOUR_MS)
                .refund_cents;
            // Each of the parts is rounded by itself.
            let most = share(charged, percent * 100) + i64::try_from(prices.len()).unwrap();
            assert!(back <= most, "{percent} {prices:?}: {back} of {charged}");
        }
    }
}
