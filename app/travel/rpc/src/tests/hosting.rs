//! Rules that a host sets: kept, shown, obeyed, and told to whoever asks.

use homestay_error::{Code, Error};
use homestay_proto::common::{CancellationPolicy, PolicyWindow};
use homestay_proto::travel as pb;
use homestay_types::Role;

use super::world::{World, ask, code, day, flexible, house, seed};

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
        (101, Role::Guest, Some(Code::HouseNotFound)),
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
