//! Tables of the rules that a host may set, and what the service makes of them.

use homestay_error::{Code, Error};
use homestay_proto::common::{CancellationPolicy, PolicyWindow};
use homestay_proto::travel as pb;
use homestay_types::{Role, Stay, date_of_number, day_number};

use super::world::{TODAY, World, ask, code, day, flexible, house, plain_house, seed};
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

fn rules() -> pb::HouseRules {
    pb::HouseRules {
        min_nights: 2,
        max_nights: 20,
        buffer_days: 1,
        arrival_weekdays: 127,
        departure_weekdays: 127,
        advance_max_days: 90,
        weekend_cents: 12_000,
        seasons: vec![pb::Season {
            name: "Feast".into(),
            from: day(30),
            until: day(40),
            price_cents: 20_000,
            weekend_cents: 0,
            min_nights: 3,
        }],
        discounts: vec![pb::Discount {
            nights: 7,
            percent: 10,
        }],
        stop_sell: vec![pb::DayRange {
            from: day(50),
            until: day(52),
        }],
        policy: Some(CancellationPolicy {
            name: "moderate".into(),
            windows: vec![window(120, 100), window(24, 50)],
        }),
        check_in_minute: 16 * 60 + 30,
        ..pb::HouseRules::default()
    }
}

fn window(hours_before: i64, refund_percent: i64) -> PolicyWindow {
    PolicyWindow {
        hours_before,
        refund_percent,
    }
}

async fn set(world: &World, rules: pb::HouseRules) -> Result<pb::HouseRules, Error> {
    let request = pb::SetRulesRequest {
        house_id: 1,
        rules: Some(rules),
    };
    let mut host = world.as_user(101, Role::Host);
    Ok(host.set_rules(request).await?.into_inner())
}

#[tokio::test]
async fn rules_are_kept_shown_and_obeyed_and_what_is_booked_stays() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 50, 1)).await.unwrap();
    let get = || async {
        let request = pb::GetRulesRequest { house_id: 1 };
        let mut host = world.as_user(101, Role::Host);
        host.get_rules(request).await.unwrap().into_inner()
    };
    let none = pb::HouseRules {
        arrival_weekdays: 127,
        departure_weekdays: 127,
        check_in_minute: 900,
        policy: Some(flexible()),
        ..pb::HouseRules::default()
    };
    assert_eq!(get().await, none);

    // The preset is named, its windows are filled in.
    let named = pb::HouseRules {
        policy: Some(CancellationPolicy {
            name: "moderate".into(),
            windows: vec![],
        }),
        ..rules()
    };
    assert_eq!(set(&world, named).await.unwrap(), rules());
    assert_eq!(get().await, rules());

    // from, nights
    for (from, nights) in [(1, 1), (1, 21), (90, 2), (29, 2), (49, 2), (51, 2)] {
        assert_eq!(
            code(world.hold(ask(2, from, nights)).await),
            Code::DatesClosed,
            "{from} {nights}"
        );
    }
    let held = world.hold(ask(3, 28, 7)).await.unwrap();
    let shown = held.house.unwrap();
    assert_eq!((shown.check_in_minute, shown.policy), (990, rules().policy));
    // Two nights before the season (Saturday at its price, Sunday), five in it at 200.00, a tenth off.
    assert_eq!(held.quote.unwrap().total_cents, (22_000 + 100_000) * 9 / 10);
    assert_eq!(set(&world, none.clone()).await.unwrap(), none);
    world.hold(ask(4, 51, 1)).await.unwrap();
}

#[tokio::test]
async fn rules_that_make_no_sense_change_nothing() {
    let world = World::with(vec![seed(house(1))]).await;
    type Case = (fn(&mut pb::HouseRules), &'static str);
    let cases: [Case; 6] = [
        (|r| r.min_nights = 21, "maxNights"),
        (|r| r.weekend_cents = -1, "weekendPriceCents"),
        (|r| r.seasons[0].until = "soon".into(), "seasons"),
        (|r| r.stop_sell[0].until = day(50), "stopSell"),
        (|r| r.stop_sell[0].until = day(9000), "stopSell"),
        (
            |r| {
                r.policy = Some(CancellationPolicy {
                    name: "mild".into(),
                    windows: vec![],
                });
            },
            "cancellationPolicy",
        ),
    ];
    for (edit, field) in cases {
        let mut wrong = rules();
        edit(&mut wrong);
        assert_eq!(set(&world, wrong).await.unwrap_err().field_name(), Some(field));
    }
    assert_eq!(
        world
            .count("SELECT COUNT(*) FROM house WHERE min_nights = 0 AND policy = ''")
            .await,
        1
    );
}

#[tokio::test]
async fn search_and_calendar_show_what_the_rules_allow() {
    let other = pb::House { id: 2, ..house(1) };
    let world = World::with(vec![seed(house(1)), seed(other)]).await;
    set(
        &world,
        pb::HouseRules {
            advance_min_days: 2,
            arrival_weekdays: 64,
            ..rules()
        },
    )
    .await
    .unwrap();
    let find = |from, nights| {
        let request = pb::SearchHousesRequest {
            check_in: day(from),
            check_out: day(from + nights),
            ..pb::SearchHousesRequest::default()
        };
        async {
            let found = world.travel().search_houses(request).await.unwrap().into_inner();
            found.houses.iter().map(|house| house.id).collect::<Vec<_>>()
        }
    };
    // Today is a Saturday, so that 8, 15, 29 and 36 are Sundays.
    assert_eq!(find(8, 2).await, [2, 1]);
    assert_eq!(find(8, 1).await, [2]);
    assert_eq!(find(9, 2).await, [2]);
    assert_eq!(find(1, 2).await, [2]);
    assert_eq!(find(36, 2).await, [2]);
    assert_eq!(find(36, 3).await, [2, 1]);
    assert_eq!(find(92, 2).await, [2]);
    // The night after a stay has to be free too.
    world.hold(ask(1, 15, 2)).await.unwrap();
    assert_eq!(find(8, 7).await, [2]);
    assert_eq!(find(8, 6).await, [2, 1]);

    let request = pb::GetCalendarRequest {
        house_id: 1,
        from: day(0),
        to: day(95),
    };
    let days = world
        .travel()
        .get_calendar(request)
        .await
        .unwrap()
        .into_inner()
        .days;
    let shown = |n: usize| {
        (
            days[n].open,
            days[n].free_units,
            days[n].min_nights,
            days[n].arrival,
        )
    };
    assert_eq!(shown(1), (false, 1, 2, true));
    assert_eq!(shown(2), (true, 1, 2, false));
    assert_eq!(shown(14), (true, 0, 2, false));
    assert_eq!(shown(15), (true, 0, 2, true));
    assert_eq!(shown(17), (true, 0, 2, false));
    assert_eq!(shown(18), (true, 1, 2, false));
    assert_eq!(shown(36), (true, 1, 3, true));
    assert_eq!(days[36].price_cents, 20_000);
    assert_eq!(shown(50), (false, 1, 2, true));
    assert_eq!(shown(91), (false, 1, 2, false));
}

#[tokio::test]
async fn availability_tells_every_rule_in_the_way_and_the_price() {
    let world = World::with(vec![seed(pb::House {
        meals_per_day: 3,
        ..house(1)
    })])
    .await;
    world
        .hold(pb::HoldRequest {
            meals: true,
            ..ask(1, 5, 2)
        })
        .await
        .unwrap();
    set(&world, rules()).await.unwrap();
    let ask_for = |from, nights, guests, meals, explain| {
        let request = pb::GetAvailabilityRequest {
            house_id: 1,
            check_in: day(from),
            check_out: day(from + nights),
            guests,
            meals,
            explain,
        };
        let mut anyone = world.as_user(7, Role::Guest);
        async move { anyone.get_availability(request).await.unwrap().into_inner() }
    };
    let free = ask_for(10, 2, 2, true, true).await;
    assert_eq!((free.available, free.refusals.len()), (true, 0));
    assert_eq!(free.quote.unwrap().total_cents, 20_000 + 8_000);

    let why: Vec<(String, String)> = ask_for(6, 1, 9, true, true)
        .await
        .refusals
        .into_iter()
        .map(|refusal| (refusal.rule, refusal.date))
        .collect();
    let want = [
        ("CAPACITY", 6),
        ("MIN_NIGHTS", 6),
        ("UNITS_TAKEN", 6),
        ("MEALS_SOLD_OUT", 6),
    ];
    assert_eq!(why, want.map(|(rule, n)| (rule.to_owned(), day(n))));
    let quiet = ask_for(6, 1, 9, true, false).await;
    assert_eq!((quiet.available, quiet.refusals.len()), (false, 0));
    // The night after it is taken.
    let before = ask_for(3, 2, 1, false, true).await.refusals;
    assert_eq!((before[0].rule.as_str(), &before[0].date), ("BUFFER", &day(5)));

    // A booking is refused for the same reason.
    let refused = world.hold(ask(2, 5, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::DatesTaken);
    assert_eq!(
        refused.message(),
        format!("UNITS_TAKEN on {}: every unit is taken", day(5))
    );
    let hungry = pb::HoldRequest {
        guests: 4,
        meals: true,
        ..ask(3, 10, 2)
    };
    let refused = world.hold(hungry).await.unwrap_err();
    assert_eq!(refused.code(), Code::MealsSoldOut);
    assert!(refused.message().contains(&day(10)), "{}", refused.message());
}

#[tokio::test]
async fn rules_and_blocks_of_a_house_are_its_hosts_and_the_operators() {
    let world = World::with(vec![seed(house(1))]).await;
    for (id, role, want) in [
        (101, Role::Host, None),
        (101, Role::Guest, None),
        (102, Role::Host, Some(Code::HouseNotFound)),
        (7, Role::Guest, Some(Code::HouseNotFound)),
        (8, Role::Operator, None),
        (9, Role::Admin, None),
    ] {
        let mut client = world.as_user(id, role);
        let rules = client.get_rules(pb::GetRulesRequest { house_id: 1 }).await;
        let got = rules.err().map(|status| Error::from(status).code());
        assert_eq!(got, want, "{id} {role:?}");
        let blocks = client.list_blocks(pb::ListBlocksRequest { house_id: 1 }).await;
        assert_eq!(
            blocks.err().map(|status| Error::from(status).code()),
            want,
            "{id} {role:?}"
        );
        let unknown = client.get_rules(pb::GetRulesRequest { house_id: 99 }).await;
        assert_eq!(code(unknown.map_err(Error::from)), Code::HouseNotFound);
    }
}
