use std::collections::HashSet;

use homestay_proto::travel as pb;
use homestay_proto::usercenter::SeedUser;
use homestay_types::parse_date;

use super::world::{TODAY, World, day};
use crate::sample::{ACCOUNTS, BATCH, SampleData, bulk, demo};

/// Ids as the user centre would make them.
fn user_ids(users: &[SeedUser]) -> Vec<i64> {
    (0..users.len())
        .map(|n| 5000 + i64::try_from(n).unwrap())
        .collect()
}

fn request(data: SampleData) -> pb::SeedRequest {
    let ids = user_ids(&data.users);
    data.seed_request(&ids)
}

fn today() -> jiff::civil::Date {
    parse_date(TODAY).unwrap()
}

#[test]
fn the_demo_has_houses_of_every_kind_in_four_cities() {
    let data = demo(today());
    let houses: Vec<&pb::House> = data
        .houses
        .iter()
        .filter_map(|seed| seed.house.as_ref())
        .collect();
    let on_sale = houses.iter().filter(|house| house.row_state == 1).count();
    assert!(on_sale >= 24 && on_sale < houses.len());
    let cities: HashSet<&str> = houses.iter().map(|house| house.city.as_str()).collect();
    assert_eq!(cities.len(), 4);
    let some = |what: fn(&pb::House) -> bool| {
        let yes = houses.iter().filter(|house| what(house)).count();
        yes > 0 && yes < houses.len()
    };
    assert!(some(|house| house.row_type == 1));
    assert!(some(|house| house.units > 1));
    assert!(some(|house| house.meals_per_day > 0));
    assert!(some(|house| house.weekend_cents > 0));
    assert!(
        data.houses
            .iter()
            .any(|seed| seed.days.iter().any(|day| day.blocked))
    );
    assert!(
        data.houses
            .iter()
            .any(|seed| seed.days.iter().any(|day| day.price_cents > 0))
    );
    let ruled: Vec<i64> = data
        .houses
        .iter()
        .filter(|seed| seed.rules.is_some())
        .filter_map(|seed| seed.house.as_ref())
        .map(|house| house.id)
        .collect();
    assert_eq!(ruled, [5, 9, 12, 15, 18, 22, 26]);
    assert!(
        houses
            .iter()
            .all(|house| !ruled.contains(&house.id) || house.units > 1),
        "houses of one unit are plain: most flows book those"
    );
    assert!(data.houses.iter().any(|seed| seed.recommended_rank > 0));
    assert!(data.shops.iter().any(|seed| seed.good_rank > 0));
    for house in &houses {
        assert!(
            house.meals_per_day == 0 || house.food_cents > 0,
            "{}",
            house.title
        );
        assert!(house.market_cents > house.price_cents, "{}", house.title);
    }
}

#[test]
fn accounts_come_first_and_every_mobile_is_one() {
    let data = demo(today());
    for (account, user) in ACCOUNTS.iter().zip(&data.users) {
        assert_eq!(
            (account.mobile, account.role),
            (user.mobile.as_str(), user.role.as_str())
        );
        assert!(!user.password.is_empty());
    }
    let bulk: Vec<SampleData> = bulk(600, today()).collect();
    let mobiles: Vec<&str> = bulk
        .iter()
        .flat_map(|batch| &batch.users)
        .chain(&data.users)
        .map(|user| user.mobile.as_str())
        .collect();
    assert_eq!(mobiles.iter().collect::<HashSet<_>>().len(), mobiles.len());
    for mobile in mobiles {
        assert!(
            mobile.len() == 11 && mobile.starts_with('1') && mobile.bytes().all(|b| b.is_ascii_digit()),
            "{mobile}"
        );
    }
}

#[tokio::test]
async fn seeding_the_demo_twice_changes_nothing() {
    let world = World::new().await;
    let seed = || async {
        let reply = world
            .travel()
            .seed(request(demo(today())))
            .await
            .unwrap()
            .into_inner();
        (reply.shops_created, reply.houses_created)
    };
    assert_eq!(seed().await, (8, 28));
    let reviews = world.count("SELECT COUNT(*) FROM review").await;
    let stars = world
        .count("SELECT CAST(SUM(star_tenths) AS BIGINT) FROM house")
        .await;
    let days = world.count("SELECT COUNT(*) FROM house_day").await;
    assert_eq!(seed().await, (0, 0));
    assert_eq!(world.count("SELECT COUNT(*) FROM review").await, reviews);
    assert_eq!(
        world
            .count("SELECT CAST(SUM(star_tenths) AS BIGINT) FROM house")
            .await,
        stars
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM house_day").await, days);
    let last = pb::GetCalendarRequest {
        house_id: 1,
        from: day(398),
        to: day(402),
    };
    let calendar = world.travel().get_calendar(last).await.unwrap().into_inner();
    let open: Vec<bool> = calendar.days.iter().map(|day| day.open).collect();
    assert_eq!(open, [true, true, false, false]);
}

#[tokio::test]
async fn a_larger_bulk_adds_to_a_smaller_one() {
    let world = World::new().await;
    let mut created = Vec::new();
    for n in [30, 30, 520] {
        let (mut shops, mut houses) = (0, 0);
        for batch in bulk(n, today()) {
            assert!(batch.houses.len() <= BATCH);
            let reply = world.travel().seed(request(batch)).await.unwrap().into_inner();
            shops += reply.shops_created;
            houses += reply.houses_created;
        }
        created.push((shops, houses));
    }
    assert_eq!(created, [(3, 30), (0, 0), (49, 490)]);
}

#[tokio::test]
async fn a_seed_row_that_makes_no_sense_is_named_and_nothing_is_written() {
    let world = World::new().await;
    type Case = (fn(&mut pb::House), &'static str);
    let cases: [Case; 8] = [
        (|h| h.id = 0, "houses[1].id"),
        (|h| h.people_num = 0, "houses[1].peopleNum"),
        (|h| h.units = 0, "houses[1].units"),
        (|h| h.price_cents = 0, "houses[1].priceCents"),
        (|h| h.food_cents = -1, "houses[1].foodCents"),
        (|h| h.time_zone = "Mars/Olympus".into(), "houses[1].timeZone"),
        (|h| h.open_until = "later".into(), "houses[1].openUntil"),
        (|h| h.title = "x".repeat(65), "houses[1].title"),
    ];
    for (edit, field) in cases {
        let mut data = request(demo(today()));
        edit(data.houses[1].house.as_mut().unwrap());
        let refusal = homestay_error::Error::from(world.travel().seed(data).await.unwrap_err());
        assert_eq!(refusal.field_name(), Some(field));
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM house").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM shop").await, 0);
}
