//! The rules against a second opinion: an oracle that decides night by night on plain sets, and prices by counting. It shares
//! no code with the rules, not even the arithmetic of dates: weekdays are counted from a known Monday.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use homestay_types::{Stay, date_of_number};
use proptest::prelude::*;

use super::world::plain_house;
use crate::quote::{Kind, quote};
use crate::rules::refusal::Rule;
use crate::rules::stock::{TakenNight, Taker};
use crate::rules::terms::{Discount, Season, Terms};
use crate::rules::{stay, stock};
use crate::{Day, House};

/// 2026-11-23, a Monday.
const MONDAY: i64 = 20_780;

/// Names of rules with the day they are about, as a set.
type Found = BTreeSet<(&'static str, i64)>;

/// Which weekday, from Monday = 0, by walking there.
fn weekday(day: i64) -> i64 {
    let mut at = MONDAY;
    let mut name = 0;
    while at < day {
        at += 1;
        name = if name == 6 { 0 } else { name + 1 };
    }
    while at > day {
        at -= 1;
        name = if name == 0 { 6 } else { name - 1 };
    }
    name
}

fn days_named(mask: i64) -> HashSet<i64> {
    let mut named = HashSet::new();
    let mut left = mask;
    for name in 0..7 {
        if left % 2 == 1 {
            named.insert(name);
        }
        left /= 2;
    }
    named
}

/// What a host has decided and what a guest asks, in the plainest form.
struct Case<'a> {
    house: &'a House,
    stopped: &'a BTreeSet<i64>,
    from: i64,
    nights: i64,
    guests: i64,
    meals: bool,
    today: i64,
}

fn expected(case: &Case<'_>) -> Found {
    let terms = &case.house.terms;
    let mut found = Found::new();
    let nights: Vec<i64> = (0..case.nights).map(|n| case.from + n).collect();
    let first = nights[0];
    let leaves = nights[nights.len() - 1] + 1;
    let sold: HashSet<i64> = {
        let opens: HashSet<i64> = (case.house.open_from..case.house.open_until).collect();
        let farthest = if terms.advance_max_days == 0 {
            400
        } else {
            terms.advance_max_days
        };
        let reach: HashSet<i64> =
            (case.today + terms.advance_min_days..=case.today + farthest.min(400)).collect();
        opens
            .intersection(&reach)
            .copied()
            .filter(|night| !case.stopped.contains(night))
            .collect()
    };
    for night in &nights {
        if sold.contains(night) {
            continue;
        }
        let why = if *night < case.today {
            "PAST"
        } else if *night < case.house.open_from || *night >= case.house.open_until {
            "CLOSED"
        } else if *night < case.today + terms.advance_min_days {
            "TOO_SOON"
        } else if case.stopped.contains(night)
            && *night <= case.today + 400
            && (terms.advance_max_days == 0 || *night <= case.today + terms.advance_max_days)
        {
            "STOP_SELL"
        } else {
            "TOO_FAR"
        };
        found.insert((why, *night));
    }
    if case.guests > case.house.people_num {
        found.insert(("CAPACITY", first));
    }
    if case.meals && case.house.meals_per_day < 1 {
        found.insert(("MEALS_NOT_SOLD", first));
    }
    if !case.house.on_sale {
        found.insert(("OFF_SALE", first));
    }
    // Too short: there are not so many nights to count to.
    if nights
        .get(usize::try_from((terms.min_nights - 1).max(0)).unwrap())
        .is_none()
    {
        found.insert(("MIN_NIGHTS", first));
    }
    // Too long: there is one more after the last that is allowed.
    if terms.max_nights != 0
        && let Some(extra) = nights.get(usize::try_from(terms.max_nights).unwrap())
    {
        found.insert(("MAX_NIGHTS", *extra));
    }
    for season in &terms.seasons {
        let in_it: Vec<&i64> = nights
            .iter()
            .filter(|night| **night >= season.from && **night < season.until)
            .collect();
        if let Some(touched) = in_it.first()
            && i64::try_from(nights.len()).unwrap() < season.min_nights
        {
            found.insert(("SEASON_MIN_NIGHTS", **touched));
        }
    }
    if !days_named(terms.arrival_weekdays).contains(&weekday(first)) {
        found.insert(("ARRIVAL_WEEKDAY", first));
    }
    if !days_named(terms.departure_weekdays).contains(&weekday(leaves)) {
        found.insert(("DEPARTURE_WEEKDAY", leaves));
    }
    found
}

fn seasons() -> impl Strategy<Value = Vec<Season>> {
    // Gaps and lengths, so that they never overlap.
    let one = (0i64..15, 1i64..20, 0i64..3, 0i64..3, 0i64..6);
    proptest::collection::vec(one, 0..4).prop_map(|parts| {
        let mut at = MONDAY - 10;
        parts
            .into_iter()
            .map(|(gap, length, price, weekend, min_nights)| {
                let from = at + gap;
                at = from + length;
                Season {
                    name: String::new(),
                    from,
                    until: at,
                    price_cents: price * 7_001,
                    weekend_cents: weekend * 9_003,
                    min_nights,
                }
            })
            .collect()
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let shape = (0i64..6, prop_oneof![Just(0i64), 6i64..12], 0i64..3);
    let weekdays = (1i64..=127, 1i64..=127);
    let mask = prop_oneof![2 => Just((127i64, 127i64)), 1 => weekdays];
    let ahead = (
        prop_oneof![3 => Just(0i64), 1 => 1i64..20],
        prop_oneof![2 => Just(0i64), 1 => 20i64..60],
    );
    let discounts = proptest::collection::btree_map(1i64..15, 1i64..=100, 0..4);
    (shape, mask, ahead, seasons(), discounts).prop_map(
        |((min_nights, max_nights, buffer_days), (arrival, departure), (least, most), seasons, discounts)| {
            Terms {
                min_nights,
                max_nights,
                buffer_days,
                arrival_weekdays: arrival,
                departure_weekdays: departure,
                advance_min_days: least,
                advance_max_days: most,
                seasons,
                discounts: discounts
                    .into_iter()
                    .map(|(nights, percent)| Discount { nights, percent })
                    .collect(),
                ..Terms::default()
            }
        },
    )
}

fn days_of(stopped: &BTreeSet<i64>, prices: &BTreeMap<i64, i64>) -> Vec<Day> {
    let all: BTreeSet<i64> = stopped.iter().chain(prices.keys()).copied().collect();
    all.into_iter()
        .map(|day| Day {
            day,
            price_cents: prices.get(&day).copied().unwrap_or(0),
            blocked: stopped.contains(&day),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_rules_refuse_what_the_oracle_refuses_and_name_the_same_nights(
        terms in terms(), opens in -5i64..40, open_for in 5i64..60, today in -3i64..10,
        stopped in proptest::collection::btree_set(0i64..60, 0..5),
        from in -4i64..50, nights in 1i64..16, guests in 1i64..6, meals: bool, sells_meals: bool, on_sale in prop::bool::weighted(0.9),
    ) {
        prop_assert_eq!(terms.check(), Ok(()));
        let house = House {
            open_from: MONDAY + opens,
            open_until: MONDAY + opens + open_for,
            meals_per_day: if sells_meals { 10 } else { 0 },
            on_sale,
            terms,
            ..plain_house()
        };
        let stopped: BTreeSet<i64> = stopped.into_iter().map(|day| MONDAY + day).collect();
        let from = MONDAY + from;
        let case = Case { house: &house, stopped: &stopped, from, nights, guests, meals, today: MONDAY + today };
        let asked = Stay::new(date_of_number(from), date_of_number(from + nights)).unwrap();

        let got = stay::refusals(&house, &days_of(&stopped, &BTreeMap::new()), &asked, guests, meals, case.today);

        let names: Vec<(&'static str, i64)> = got.iter().map(|refusal| (refusal.rule.name(), refusal.day)).collect();
        // The first night that has passed is told as the arrival, and once more as a night: a set takes no notice.
        prop_assert_eq!(names.iter().copied().collect::<Found>(), expected(&case));
    }

    #[test]
    fn a_price_is_what_counting_every_night_and_guest_makes_it(
        terms in terms(), price in 1i64..50_000, weekend in 0i64..50_000, food in 0i64..5_000,
        prices in proptest::collection::btree_map(0i64..40, 0i64..90_000, 0..6),
        from in 0i64..40, nights in 1i64..16, guests in 1i64..5, per_person: bool, meals: bool,
    ) {
        let house = House { price_cents: price, weekend_cents: weekend, food_cents: food, per_person, terms, ..plain_house() };
        let prices: BTreeMap<i64, i64> = prices.into_iter().map(|(day, cents)| (MONDAY + day, cents)).collect();
        let from = MONDAY + from;
        let asked = Stay::new(date_of_number(from), date_of_number(from + nights)).unwrap();

        let got = quote(&house, &days_of(&BTreeSet::new(), &prices), &asked, guests, meals).unwrap();

        let (mut room, mut eaten) = (0, 0);
        for night in from..from + nights {
            let late = weekday(night) == 4 || weekday(night) == 5;
            // From the least to the most particular: whoever comes last has its way.
            let mut cents = house.price_cents;
            if late && house.weekend_cents != 0 {
                cents = house.weekend_cents;
            }
            for season in &house.terms.seasons {
                if night < season.from || night >= season.until {
                    continue;
                }
                if season.price_cents != 0 {
                    cents = season.price_cents;
                }
                if late && season.weekend_cents != 0 {
                    cents = season.weekend_cents;
                }
            }
            if let Some(own) = prices.get(&night) && *own != 0 {
                cents = *own;
            }
            for guest in 0..guests {
                if per_person || guest == 0 {
                    room += cents;
                }
                if meals {
                    eaten += food;
                }
            }
        }
        let mut percent = 0;
        let mut longest = 0;
        for discount in &house.terms.discounts {
            if discount.nights <= nights && discount.nights > longest {
                (longest, percent) = (discount.nights, discount.percent);
            }
        }
        // Half up to the cent, by long division.
        let (whole, rest) = (room * percent / 100, room * percent % 100);
        let off = if rest >= 50 { whole + 1 } else { whole };
        prop_assert_eq!((got.room_cents, got.meal_cents, got.total_cents), (room, eaten, room + eaten - off));
        prop_assert!(got.total_cents >= 0);
        prop_assert_eq!(got.lines.iter().map(|line| line.total_cents).sum::<i64>(), got.total_cents);
        let discounts: Vec<i64> = got.lines.iter().filter(|line| line.kind == Kind::Discount).map(|line| line.total_cents).collect();
        prop_assert_eq!(discounts, if off > 0 { vec![-off] } else { vec![] });
    }

    #[test]
    fn stock_refuses_a_stay_if_and_only_if_no_unit_is_free_on_all_its_nights_and_the_buffer(
        units in 1i64..4, buffer in 0i64..3, from in 0i64..12, nights in 1i64..6,
        taken in proptest::collection::btree_map((0i64..20, 1i64..5), 0u8..3, 0..30),
    ) {
        let list: Vec<TakenNight> = taken.iter().map(|((day, unit), taker)| TakenNight {
            day: *day,
            unit: *unit,
            taker: [Taker::Stay, Taker::Buffer, Taker::Block][usize::from(*taker)],
        }).collect();

        let got = stock::refusals(units, &list, (from, from + nights), buffer);

        let mut free_units = 0;
        for unit in 1..=units {
            let mut all = true;
            for day in from..from + nights + buffer {
                all &= !taken.contains_key(&(day, unit));
            }
            free_units += i64::from(all);
        }
        prop_assert_eq!(got.is_empty(), free_units > 0);
        for refusal in &got {
            let on: Vec<u8> = (1..=units).filter_map(|unit| taken.get(&(refusal.day, unit)).copied()).collect();
            prop_assert!(!on.is_empty(), "a night that is named is gone in some unit");
            let full = i64::try_from(on.len()).unwrap() == units;
            let want = match (full, refusal.day >= from + nights) {
                (true, true) => Rule::Buffer,
                (true, false) if on.contains(&0) => Rule::UnitsTaken,
                (true, false) if on.contains(&1) => Rule::Buffer,
                (true, false) => Rule::OwnerBlock,
                (false, _) => Rule::UnitsTaken,
            };
            prop_assert_eq!(refusal.rule, want);
        }
    }
}
