use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::order::resolve_holds_reply::Verdict;
use homestay_proto::travel as pb;
use homestay_proto::travel::list_houses_request::Kind;
use homestay_rpc::{Actor, request_for};

use super::world::{World, ask, day, house, seed, shop, sn};

fn ids(houses: &[pb::House]) -> Vec<i64> {
    houses.iter().map(|house| house.id).collect()
}

async fn list(world: &World, request: pb::ListHousesRequest) -> Vec<i64> {
    ids(&world
        .travel()
        .list_houses(request)
        .await
        .unwrap()
        .into_inner()
        .houses)
}

async fn find(world: &World, request: pb::SearchHousesRequest) -> Vec<i64> {
    ids(&world
        .travel()
        .search_houses(request)
        .await
        .unwrap()
        .into_inner()
        .houses)
}

/// Houses 1 to 5 of shop 1, 4 of them off sale, and 6 of a closed shop.
async fn town() -> World {
    let world = World::new().await;
    let comment = |id, star| pb::Comment {
        id,
        user_id: 500 + id,
        content: format!("review {id}"),
        star,
        created_at_ms: id,
        ..pb::Comment::default()
    };
    let request = pb::SeedRequest {
        shops: vec![
            pb::SeedShop {
                good_rank: 2,
                ..shop(1, 1)
            },
            shop(2, 0),
            pb::SeedShop {
                good_rank: 1,
                ..shop(3, 1)
            },
        ],
        houses: vec![
            pb::SeedHouse {
                recommended_rank: 2,
                comments: vec![comment(1, 5.0), comment(2, 4.0)],
                ..seed(house(1))
            },
            pb::SeedHouse {
                recommended_rank: 1,
                days: vec![pb::SeedDay {
                    date: day(5),
                    price_cents: 0,
                    blocked: true,
                }],
                comments: vec![comment(3, 3.0)],
                ..seed(pb::House {
                    row_type: 1,
                    price_cents: 5000,
                    people_num: 8,
                    ..house(2)
                })
            },
            seed(pb::House {
                city: "Xiamen".into(),
                units: 2,
                price_cents: 30_000,
                ..house(3)
            }),
            pb::SeedHouse {
                recommended_rank: 3,
                ..seed(pb::House {
                    row_state: 0,
                    ..house(4)
                })
            },
            seed(pb::House {
                open_until: day(10),
                ..house(5)
            }),
            pb::SeedHouse {
                recommended_rank: 4,
                ..seed(pb::House {
                    shop_id: 2,
                    ..house(6)
                })
            },
        ],
    };
    world.travel().seed(request).await.unwrap();
    world
}

#[tokio::test]
async fn lists_show_only_what_is_on_sale_in_open_shops() {
    let world = town().await;
    let of = |kind: Kind, shop_id, last_id, offset, limit| pb::ListHousesRequest {
        kind: kind.into(),
        shop_id,
        last_id,
        offset,
        limit,
    };
    let cases: [(pb::ListHousesRequest, &[i64]); 8] = [
        (of(Kind::Newest, 0, 0, 0, 0), &[5, 3, 2, 1]),
        (of(Kind::Newest, 0, 0, 0, 2), &[5, 3]),
        (of(Kind::Newest, 0, 3, 0, 2), &[2, 1]),
        (of(Kind::Recommended, 0, 0, 0, 10), &[2, 1]),
        (of(Kind::Recommended, 0, 0, 1, 10), &[1]),
        (of(Kind::Shop, 1, 0, 0, 10), &[5, 3, 2, 1]),
        (of(Kind::Shop, 2, 0, 0, 10), &[]),
        (of(Kind::Shop, 99, 0, 0, 10), &[]),
    ];
    for (request, want) in cases {
        let case = format!("{request:?}");
        assert_eq!(list(&world, request).await, want, "{case}");
    }
}

#[tokio::test]
async fn a_house_is_shown_with_its_state_and_stars_and_an_unknown_one_is_not_found() {
    let world = town().await;
    let get = |id| {
        let mut travel = world.travel();
        async move { travel.get_house(pb::GetHouseRequest { id }).await }
    };
    assert_eq!(
        get(1).await.unwrap().into_inner(),
        pb::House {
            star: 4.5,
            ..house(1)
        }
    );
    assert_eq!(get(4).await.unwrap().into_inner().row_state, 0);
    assert_eq!(
        get(6).await.unwrap().into_inner().row_state,
        0,
        "its shop is closed"
    );
    assert_eq!(
        Error::from(get(99).await.unwrap_err()).code(),
        Code::HouseNotFound
    );
}

#[tokio::test]
async fn searches_are_filtered_by_city_guests_price_and_free_nights() {
    let world = town().await;
    // Both units of house 3 are sold on night 2, house 1 on night 3.
    for (n, house_id, from) in [(1, 3, 2), (2, 3, 2), (3, 1, 3)] {
        let request = pb::HoldRequest {
            house_id,
            ..ask(n, from, 1)
        };
        world.hold(request).await.unwrap();
    }
    let any = pb::SearchHousesRequest::default();
    let on = |from: i64, to: i64| pb::SearchHousesRequest {
        check_in: day(from),
        check_out: day(to),
        ..any.clone()
    };
    let cases: [(pb::SearchHousesRequest, &[i64]); 17] = [
        (any.clone(), &[5, 3, 2, 1]),
        (
            pb::SearchHousesRequest {
                city: "Dali".into(),
                ..any.clone()
            },
            &[5, 2, 1],
        ),
        (
            pb::SearchHousesRequest {
                city: " xiamen ".into(),
                ..any.clone()
            },
            &[3],
        ),
        (
            pb::SearchHousesRequest {
                city: "Atlantis".into(),
                ..any.clone()
            },
            &[],
        ),
        (
            pb::SearchHousesRequest {
                guests: 5,
                ..any.clone()
            },
            &[2],
        ),
        (
            pb::SearchHousesRequest {
                min_cents: 10_000,
                ..any.clone()
            },
            &[5, 3, 1],
        ),
        (
            pb::SearchHousesRequest {
                max_cents: 10_000,
                ..any.clone()
            },
            &[5, 2, 1],
        ),
        (
            pb::SearchHousesRequest {
                min_cents: 6000,
                max_cents: 20_000,
                ..any.clone()
            },
            &[5, 1],
        ),
        (on(1, 2), &[5, 3, 2, 1]),
        (on(2, 3), &[5, 2, 1]),
        (on(3, 4), &[5, 3, 2]),
        (on(1, 4), &[5, 2]),
        (on(4, 6), &[5, 3, 1]), // 2 is blocked on 5
        (on(9, 10), &[5, 3, 2, 1]),
        (on(9, 11), &[3, 2, 1]), // 5 closes on 10
        (on(-1, 1), &[]),
        (on(399, 401), &[]),
    ];
    for (request, want) in cases {
        let case = format!("{request:?}");
        assert_eq!(find(&world, request).await, want, "{case}");
    }
}

#[tokio::test]
async fn a_unit_must_be_free_on_all_nights_and_not_just_one_on_each() {
    let world = World::with(vec![seed(pb::House { units: 2, ..house(1) })]).await;
    world.hold(ask(1, 1, 2)).await.unwrap(); // unit 1, nights 1 and 2
    world.hold(ask(2, 2, 2)).await.unwrap(); // unit 2, nights 2 and 3
    for (from, to, want) in [(1, 2, 1), (3, 4, 1), (1, 4, 0), (4, 6, 1)] {
        let request = pb::SearchHousesRequest {
            check_in: day(from),
            check_out: day(to),
            ..pb::SearchHousesRequest::default()
        };
        assert_eq!(find(&world, request).await.len(), want, "{from} {to}");
    }
}

#[tokio::test]
async fn pages_show_each_house_once_also_while_more_are_added() {
    let world = World::with((1..=45).map(|id| seed(house(id))).collect()).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let request = pb::SearchHousesRequest {
            cursor,
            limit: 20,
            ..pb::SearchHousesRequest::default()
        };
        let page = world.travel().search_houses(request).await.unwrap().into_inner();
        seen.extend(ids(&page.houses));
        pages += 1;
        world.seed(vec![seed(house(100 + pages))]).await;
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (1..=45).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_calendar_tells_price_openness_and_what_is_left_of_each_day() {
    let mut own = seed(pb::House {
        weekend_cents: 13_000,
        units: 2,
        open_until: day(6),
        ..house(1)
    });
    own.days = vec![
        pb::SeedDay {
            date: day(2),
            price_cents: 9000,
            blocked: false,
        },
        pb::SeedDay {
            date: day(3),
            price_cents: 0,
            blocked: true,
        },
    ];
    let world = World::with(vec![own]).await;
    let meals = pb::HoldRequest {
        meals: true,
        ..ask(1, 1, 2)
    };
    world.hold(meals).await.unwrap();

    let request = pb::GetCalendarRequest {
        house_id: 1,
        from: day(-1),
        to: day(8),
    };
    let calendar = world.travel().get_calendar(request).await.unwrap().into_inner();

    let rows: Vec<_> = calendar
        .days
        .iter()
        .map(|d| (d.price_cents, d.free_units, d.free_meals, d.open))
        .collect();
    assert_eq!(
        (calendar.currency.as_str(), calendar.days[0].date.as_str()),
        ("CNY", "2026-11-20")
    );
    assert_eq!(
        rows,
        [
            (13_000, 2, 10, false), // Friday, yesterday
            (13_000, 2, 10, true),  // Saturday
            (10_000, 1, 8, true),
            (9000, 1, 8, true),
            (10_000, 2, 10, false), // blocked
            (10_000, 2, 10, true),
            (10_000, 2, 10, true),
            (13_000, 2, 10, false), // closed from here on
            (13_000, 2, 10, false),
        ]
    );
}

#[tokio::test]
async fn shops_show_stars_prices_and_sales_of_their_houses() {
    let world = town().await;
    // Two stays that begin tomorrow: one bound, one not (yet).
    world.hold(ask(1, 1, 1)).await.unwrap();
    let other = pb::HoldRequest {
        house_id: 2,
        ..ask(2, 1, 1)
    };
    world.hold(other).await.unwrap();
    world.orders.say(sn(1), Verdict::Bind);
    let shop = |id| {
        let mut travel = world.travel();
        async move {
            travel
                .get_shop(pb::GetShopRequest { id })
                .await
                .map(tonic::Response::into_inner)
        }
    };
    world.clock.advance(std::time::Duration::from_secs(61));
    world.travel().sweep_holds(Empty {}).await.unwrap();
    assert_eq!(shop(1).await.unwrap().sell_month, 0, "it has not begun");

    world.clock.advance(std::time::Duration::from_secs(86_400));
    let first = shop(1).await.unwrap();
    assert_eq!(first.sell_month, 1);
    assert!((first.star - 4.0).abs() < 0.001);
    // On sale: 100.00 for 4, 50.00 each, 300.00 for 4, 100.00 for 4.
    assert_eq!(first.person_consume_cents, (2500 + 5000 + 7500 + 2500) / 4);
    world.clock.advance(std::time::Duration::from_secs(30 * 86_400));
    assert_eq!(shop(1).await.unwrap().sell_month, 0, "that was last month");

    assert_eq!(shop(2).await.unwrap().row_state, 0);
    assert_eq!(shop(3).await.unwrap().person_consume_cents, 0);
    assert_eq!(
        Error::from(shop(99).await.unwrap_err()).code(),
        Code::ShopNotFound
    );
}

#[tokio::test]
async fn open_shops_good_hosts_and_reviews_are_listed_in_their_order() {
    let world = town().await;
    let shops = |last_id| {
        let mut travel = world.travel();
        async move {
            let request = pb::ListShopsRequest { last_id, limit: 10 };
            let shops = travel.list_shops(request).await.unwrap().into_inner().shops;
            shops.iter().map(|shop| shop.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(shops(0).await, [3, 1]);
    assert_eq!(shops(3).await, [1]);
    let hosts = world.travel().list_good_hosts(Empty {}).await.unwrap();
    assert_eq!(hosts.into_inner().user_ids, [103, 101]);
    let comments = |house_id, last_id| {
        let mut travel = world.travel();
        async move {
            let request = pb::ListCommentsRequest {
                house_id,
                last_id,
                limit: 10,
            };
            let found = travel.list_comments(request).await.unwrap().into_inner().comments;
            found.iter().map(|comment| comment.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(comments(0, 0).await, [3, 2, 1]);
    assert_eq!(comments(0, 3).await, [2, 1]);
    assert_eq!(comments(1, 0).await, [2, 1]);
}

#[test]
fn every_method_has_its_row() {
    homestay_testkit::assert_methods_cover("homestay.travel.v1.Travel", crate::METHODS);
}

#[tokio::test]
async fn guests_read_but_take_nothing() {
    let world = town().await;
    let houses = world
        .travel()
        .list_houses(request_for(&Actor::Anonymous, pb::ListHousesRequest::default()))
        .await
        .unwrap();
    assert_eq!(houses.into_inner().houses.len(), 4);
    let guest = Actor::User {
        id: 7,
        role: homestay_types::Role::Admin,
    };
    let refused = world.travel().hold(request_for(&guest, ask(1, 1, 1))).await;
    assert_eq!(Error::from(refused.unwrap_err()).code(), Code::Forbidden);
}
