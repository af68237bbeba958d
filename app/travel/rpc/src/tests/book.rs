use futures::future::join_all;
use homestay_error::Code;
use homestay_proto::travel as pb;

use super::world::{World, ask, code, day, house, seed, shop, sn};

fn two_units() -> pb::SeedHouse {
    seed(pb::House { units: 2, ..house(1) })
}

#[tokio::test]
async fn a_hold_answers_with_the_house_the_price_and_the_unit() {
    let world = World::with(vec![seed(house(1))]).await;

    let held = world
        .hold(pb::HoldRequest {
            meals: true,
            ..ask(1, 3, 2)
        })
        .await
        .unwrap();

    assert_eq!((held.order_sn, held.unit, held.repeated), (sn(1), 1, false));
    assert_eq!(held.house, Some(house(1)));
    let quote = held.quote.unwrap();
    assert_eq!(
        (quote.room_cents, quote.meal_cents, quote.total_cents),
        (20_000, 8000, 28_000)
    );
    assert_eq!(
        (quote.check_in, quote.check_out, quote.nights),
        (day(3), day(5), 2)
    );
    assert_eq!(
        world.left(1, 6).await,
        [(1, 10), (1, 10), (1, 10), (0, 8), (0, 8), (1, 10)]
    );
}

#[tokio::test]
async fn of_fifty_who_want_the_same_nights_at_once_exactly_one_gets_them() {
    let world = World::with(vec![seed(house(1))]).await;

    let outcomes = join_all((0..50).map(|n| world.hold(ask(n, 1, 2)))).await;

    let (held, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (1, 49));
    assert!(
        refused
            .into_iter()
            .all(|refusal| code(refusal) == Code::DatesTaken)
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 2);
    assert_eq!(world.count("SELECT COUNT(*) FROM hold").await, 1);
}

#[tokio::test]
async fn stays_that_only_touch_are_both_held_and_one_that_overlaps_is_not() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    world.hold(ask(2, 7, 2)).await.unwrap();
    world.hold(ask(3, 3, 2)).await.unwrap();
    for (n, from, nights) in [(4, 4, 2), (5, 6, 1), (6, 8, 5), (7, 1, 20)] {
        assert_eq!(code(world.hold(ask(n, from, nights)).await), Code::DatesTaken);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 6);
}

#[tokio::test]
async fn a_stay_keeps_one_unit_and_the_lowest_that_is_free_on_all_nights() {
    let world = World::with(vec![two_units()]).await;
    let unit = |n, from, nights| {
        let held = world.hold(ask(n, from, nights));
        async move { held.await.map(|held| held.unit) }
    };
    assert_eq!(unit(1, 1, 2).await.unwrap(), 1);
    assert_eq!(unit(2, 3, 2).await.unwrap(), 1);
    assert_eq!(unit(3, 2, 1).await.unwrap(), 2);
    // Nights 1 and 3 are free in unit 2, but night 2 between them is free in none.
    assert_eq!(code(unit(4, 1, 3).await), Code::DatesTaken);
    assert_eq!(unit(5, 3, 1).await.unwrap(), 2);
    assert_eq!(code(unit(6, 3, 1).await), Code::DatesTaken);
}

#[tokio::test]
async fn fifty_at_once_fill_a_house_of_many_units_exactly() {
    let world = World::with(vec![seed(pb::House { units: 7, ..house(1) })]).await;
    let outcomes = join_all((0..50).map(|n| world.hold(ask(n, 1, 3)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 21);
    assert_eq!(
        world
            .count("SELECT COUNT(DISTINCT unit) FROM hold WHERE unit > 0")
            .await,
        7
    );
}

#[tokio::test]
async fn meals_are_sold_up_to_their_number_and_a_refusal_takes_no_night() {
    let world = World::with(vec![seed(pb::House {
        units: 9,
        meals_per_day: 5,
        ..house(1)
    })])
    .await;
    let fed = |n, from, guests| {
        world.hold(pb::HoldRequest {
            guests,
            meals: true,
            ..ask(n, from, 2)
        })
    };
    fed(1, 1, 3).await.unwrap();
    assert_eq!(code(fed(2, 2, 3).await), Code::MealsSoldOut);
    fed(3, 2, 2).await.unwrap();
    assert_eq!(code(fed(4, 0, 3).await), Code::MealsSoldOut);
    world.hold(ask(5, 1, 2)).await.unwrap();
    assert_eq!(
        world.left(1, 4).await,
        [(9, 5), (7, 2), (6, 0), (8, 3)],
        "refused bookings must leave nothing behind"
    );
}

#[tokio::test]
async fn more_meals_than_a_day_has_are_sold_out_even_on_an_untouched_day() {
    let world = World::with(vec![seed(pb::House {
        meals_per_day: 1,
        ..house(1)
    })])
    .await;
    let outcome = world
        .hold(pb::HoldRequest {
            meals: true,
            ..ask(1, 1, 1)
        })
        .await;
    assert_eq!(code(outcome), Code::MealsSoldOut);
    assert_eq!(world.left(1, 2).await, [(1, 1), (1, 1)]);
}

#[tokio::test]
async fn a_release_gives_nights_and_meals_back_once() {
    let world = World::with(vec![seed(house(1))]).await;
    let fed = |n| pb::HoldRequest {
        meals: true,
        ..ask(n, 1, 1)
    };
    world.hold(fed(1)).await.unwrap();
    assert_eq!(world.left(1, 2).await[1], (0, 8));
    world.release(sn(1), 1).await;
    assert_eq!(world.left(1, 2).await[1], (1, 10));
    world.hold(fed(2)).await.unwrap();
    for _ in 0..3 {
        world.release(sn(1), 1).await;
        world.release(sn(1), 9).await;
        world.release(sn(77), 1).await;
    }
    assert_eq!(
        world.left(1, 2).await[1],
        (0, 8),
        "a repeated release must not free what another order holds"
    );
}

#[tokio::test]
async fn a_repeated_key_is_answered_as_the_first_time_whatever_has_changed() {
    let world = World::with(vec![seed(house(1))]).await;
    let first = world.hold(ask(1, 0, 1)).await.unwrap();
    // Another number, the stay in the past, the price another.
    world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
    let again = world
        .hold(pb::HoldRequest {
            order_sn: sn(2),
            expected_total_cents: 1,
            ..ask(1, 0, 1)
        })
        .await
        .unwrap();
    assert_eq!(
        again,
        pb::HoldReply {
            repeated: true,
            ..first
        }
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 1);
}

#[tokio::test]
async fn the_same_key_at_once_is_one_hold_with_one_number() {
    let world = World::with(vec![seed(pb::House {
        units: 50,
        ..house(1)
    })])
    .await;
    let same = |n| {
        world.hold(pb::HoldRequest {
            order_sn: sn(n),
            ..ask(1, 1, 1)
        })
    };
    let replies: Vec<_> = join_all((1..=20).map(same))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(replies.iter().filter(|reply| !reply.repeated).count(), 1);
    assert!(replies.iter().all(|reply| reply.order_sn == replies[0].order_sn));
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 1);
}

#[tokio::test]
async fn a_key_with_another_request_or_of_a_released_hold_is_refused() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 1, 1)).await.unwrap();
    let other = pb::HoldRequest {
        fingerprint: "other".into(),
        ..ask(1, 5, 1)
    };
    assert_eq!(code(world.hold(other.clone()).await), Code::IdempotencyKeyReused);
    let wrong = pb::HoldRequest {
        guests: 0,
        ..other.clone()
    };
    assert_eq!(code(world.hold(wrong).await), Code::IdempotencyKeyReused);
    world.release(sn(1), 1).await;
    assert_eq!(code(world.hold(ask(1, 1, 1)).await), Code::IdempotencyKeyExpired);
    assert_eq!(code(world.hold(other).await), Code::IdempotencyKeyReused);
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 0);
}

#[tokio::test]
async fn a_refusal_is_judged_anew_when_it_is_repeated() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 1, 1)).await.unwrap();
    assert_eq!(code(world.hold(ask(2, 1, 1)).await), Code::DatesTaken);
    world.release(sn(1), 1).await;
    assert!(!world.hold(ask(2, 1, 1)).await.unwrap().repeated);
}

#[tokio::test]
async fn an_expected_total_that_is_not_the_price_is_refused_with_the_new_quote() {
    let world = World::with(vec![seed(house(1))]).await;
    let expecting = |total| pb::HoldRequest {
        expected_total_cents: total,
        ..ask(1, 1, 2)
    };
    let refusal = world.hold(expecting(19_999)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PriceChanged);
    let details = refusal.detail().unwrap();
    assert_eq!(details["totalCents"], 20_000);
    assert_eq!(details["currency"], "CNY");
    assert_eq!(details["lines"][1]["unitCents"], 10_000);
    assert_eq!(details["lines"][1]["kind"], "room");
    world.hold(expecting(20_000)).await.unwrap();
}

fn later(attempt: i64) -> pb::HoldRequest {
    pb::HoldRequest {
        hold_key: format!("key-1#{attempt}"),
        order_sn: sn(1),
        attempt,
        new_booking: false,
        ..pb::HoldRequest::default()
    }
}

#[tokio::test]
async fn a_later_attempt_takes_the_nights_again_at_the_old_price_even_when_they_have_passed() {
    let world = World::with(vec![seed(house(1))]).await;
    let booking = pb::HoldRequest {
        meals: true,
        ..ask(1, 0, 2)
    };
    let first = world.hold(booking).await.unwrap();
    world.release(sn(1), 1).await;
    world.clock.advance(std::time::Duration::from_secs(5 * 86_400));

    let second = world.hold(later(2)).await.unwrap();

    assert_eq!(
        second,
        pb::HoldReply {
            repeated: false,
            ..first
        }
    );
    assert_eq!(world.left(1, 3).await, [(0, 8), (0, 8), (1, 10)]);
    assert!(world.hold(later(2)).await.unwrap().repeated);
    world.release(sn(1), 1).await;
    assert_eq!(
        world.left(1, 1).await,
        [(0, 8)],
        "attempt 1 was given back before"
    );
    world.release(sn(1), 2).await;
    assert_eq!(world.left(1, 1).await, [(1, 10)]);
}

#[tokio::test]
async fn a_later_attempt_before_the_release_moves_the_nights_to_itself() {
    let world = World::with(vec![seed(pb::House {
        meals_per_day: 2,
        ..house(1)
    })])
    .await;
    let booking = pb::HoldRequest {
        meals: true,
        ..ask(1, 1, 2)
    };
    world.hold(booking).await.unwrap();

    world.hold(later(2)).await.unwrap();

    world.release(sn(1), 1).await;
    assert_eq!(world.left(1, 3).await, [(1, 2), (0, 0), (0, 0)]);
    assert_eq!(
        world.count("SELECT COUNT(*) FROM night WHERE attempt = 2").await,
        2
    );
}

#[tokio::test]
async fn a_later_attempt_is_refused_when_somebody_else_has_the_nights() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 1, 2)).await.unwrap();
    world.release(sn(1), 1).await;
    world.hold(ask(2, 2, 2)).await.unwrap();
    assert_eq!(code(world.hold(later(2)).await), Code::DatesTaken);
    assert_eq!(
        world.count("SELECT COUNT(*) FROM night WHERE attempt = 2").await,
        0
    );
    let unknown = pb::HoldRequest {
        order_sn: sn(9),
        ..later(2)
    };
    assert_eq!(code(world.hold(unknown).await), Code::NotFound);
}

#[tokio::test]
async fn seconds_of_the_looklook_face_are_dates_of_the_house() {
    let world = World::with(vec![seed(house(1))]).await;
    // 2026-11-24 14:00 to 2026-11-26 12:00 in Shanghai.
    let held = world
        .hold(pb::HoldRequest {
            check_in: String::new(),
            check_out: String::new(),
            start_s: 1_795_500_000,
            end_s: 1_795_665_600,
            ..ask(1, 0, 1)
        })
        .await
        .unwrap();
    let quote = held.quote.unwrap();
    assert_eq!(
        (
            quote.check_in.as_str(),
            quote.check_out.as_str(),
            quote.total_cents
        ),
        ("2026-11-24", "2026-11-26", 20_000)
    );
}

#[tokio::test]
async fn bad_bookings_are_refused_by_name_and_change_nothing() {
    let world = World::new().await;
    let request = pb::SeedRequest {
        shops: vec![shop(1, 1), shop(2, 0)],
        houses: vec![
            seed(house(1)),
            seed(pb::House {
                row_state: 0,
                ..house(2)
            }),
            seed(pb::House {
                shop_id: 2,
                ..house(3)
            }),
        ],
    };
    world.travel().seed(request).await.unwrap();
    type Case = (fn(&mut pb::HoldRequest), &'static str);
    let cases: [Case; 11] = [
        (|r| r.guests = 0, "guests"),
        (|r| r.guests = 5, "guests"),
        (|r| r.check_in = "soon".into(), "checkIn"),
        (|r| r.check_out = day(1), "checkOut"),
        (|r| r.check_in = day(-1), "checkIn"),
        (|r| r.check_out = day(500), "checkOut"),
        (
            |r| (r.check_in, r.check_out) = (day(399), day(401)),
            "DATES_CLOSED",
        ),
        (|r| r.house_id = 99, "HOUSE_NOT_FOUND"),
        (|r| r.house_id = 2, "OFF_SALE"),
        (|r| r.house_id = 3, "OFF_SALE"),
        (
            |r| (r.check_in, r.check_out) = (String::new(), String::new()),
            "checkIn",
        ),
    ];
    for (edit, want) in cases {
        let mut request = ask(1, 1, 1);
        edit(&mut request);
        let refusal = world.hold(request).await.unwrap_err();
        assert_eq!(refusal.field_name().unwrap_or(refusal.code().reason()), want);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM hold").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 0);
}

#[tokio::test]
async fn a_quote_is_what_a_hold_will_cost_and_keeps_to_the_same_rules() {
    let world = World::with(vec![seed(house(1))]).await;
    let request = pb::GetQuoteRequest {
        house_id: 1,
        check_in: day(3),
        check_out: day(5),
        guests: 2,
        meals: true,
    };
    let quote = world
        .travel()
        .get_quote(request.clone())
        .await
        .unwrap()
        .into_inner();
    let held = world
        .hold(pb::HoldRequest {
            meals: true,
            ..ask(1, 3, 2)
        })
        .await
        .unwrap();
    assert_eq!(held.quote, Some(quote));
    let crowd = pb::GetQuoteRequest { guests: 9, ..request };
    let refusal = homestay_error::Error::from(world.travel().get_quote(crowd).await.unwrap_err());
    assert_eq!(refusal.field_name(), Some("guests"));
}

#[tokio::test]
async fn a_hold_is_one_commit_in_either_form_and_a_refusal_writes_nothing() {
    let world = World::with(vec![seed(pb::House { units: 1, ..house(1) })]).await;
    let db = world.test_db.db.clone();
    if db.dialect() == homestay_db::Dialect::Sqlite {
        return; // It groups what comes together, so that a count says nothing.
    }
    let (before, _) = db.commits();
    world.hold(ask(1, 1, 3)).await.unwrap();
    assert_eq!(db.commits().0, before + 1);
    assert_eq!(code(world.hold(ask(2, 1, 3)).await), Code::DatesTaken);
    assert_eq!(db.commits().0, before + 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM hold").await, 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 3);
}
