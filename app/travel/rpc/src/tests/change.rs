//! Two holds of one order side by side: a change of dates or guests, until one of the two is given up. At no moment can
//! somebody else take a night that both of them cover.

use futures::future::join_all;
use homestay_error::Code;
use homestay_proto::order::resolve_holds_reply::Verdict;
use homestay_proto::travel as pb;

use super::world::{World, ask, code, day, house, seed, sn};

/// The order's stay under another attempt, as a change of `of`.
fn change(attempt: i64, of: i64, from: i64, nights: i64) -> pb::HoldRequest {
    pb::HoldRequest {
        hold_key: format!("key-1#{attempt}"),
        attempt,
        change_of_attempt: of,
        ..ask(1, from, nights)
    }
}

fn fed(request: pb::HoldRequest, guests: i64) -> pb::HoldRequest {
    pb::HoldRequest {
        meals: true,
        guests,
        ..request
    }
}

/// (night, attempt) of the order's nights.
async fn own(world: &World) -> Vec<(i64, i64)> {
    let nights = world.nights().await;
    let mine = nights.into_iter().filter(|night| night.2 == sn(1));
    mine.map(|(day, _, _, attempt)| (day, attempt)).collect()
}

/// Another guest tries each of these nights, and gets none.
async fn nobody_else_gets(world: &World, nights: impl Iterator<Item = i64>) {
    for night in nights {
        let outcome = world.hold(ask(900 + night, night, 1)).await;
        assert_eq!(code(outcome), Code::DatesTaken, "night {night}");
    }
}

#[tokio::test]
async fn a_change_takes_only_what_the_order_does_not_have_and_passes_the_rest_on() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 3)).await.unwrap();

    let held = world.hold(change(2, 1, 7, 3)).await.unwrap();

    assert_eq!((held.unit, held.repeated, held.order_sn), (1, false, sn(1)));
    assert_eq!(held.quote.unwrap().total_cents, 30_000);
    assert_eq!(own(&world).await, [(5, 1), (6, 1), (7, 1), (8, 2), (9, 2)]);
    nobody_else_gets(&world, 5..10).await;
    // The change comes true: once and repeated.
    for _ in 0..3 {
        world.release(sn(1), 1).await;
        assert_eq!(own(&world).await, [(7, 2), (8, 2), (9, 2)]);
        nobody_else_gets(&world, 7..10).await;
    }
    world.hold(ask(2, 5, 2)).await.unwrap();
    world.release(sn(1), 2).await;
    assert_eq!(own(&world).await, []);
    world.hold(ask(3, 7, 3)).await.unwrap();
}

#[tokio::test]
async fn a_change_that_is_given_up_leaves_the_booking_as_it_was() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(fed(ask(1, 5, 3), 2)).await.unwrap();
    world.hold(fed(change(2, 1, 4, 6), 4)).await.unwrap();
    assert_eq!(
        world.left(1, 11).await[4..11],
        [(0, 6), (0, 6), (0, 6), (0, 6), (0, 6), (0, 6), (1, 10)]
    );
    for _ in 0..3 {
        world.drop_change(sn(1), 2).await;
        assert_eq!(own(&world).await, [(5, 1), (6, 1), (7, 1)]);
        assert_eq!(
            world.left(1, 10).await[4..10],
            [(1, 10), (0, 8), (0, 8), (0, 8), (1, 10), (1, 10)]
        );
        nobody_else_gets(&world, 5..8).await;
    }
    // The next change is another attempt of the same booking.
    world.hold(change(3, 1, 6, 3)).await.unwrap();
    world.release(sn(1), 1).await;
    assert_eq!(own(&world).await, [(6, 3), (7, 3), (8, 3)]);
    assert_eq!(world.left(1, 9).await[5], (1, 10));
}

#[tokio::test]
async fn meals_of_two_holds_are_the_most_that_one_of_them_asks_for_on_each_day() {
    let world = World::with(vec![seed(pb::House {
        meals_per_day: 4,
        ..house(1)
    })])
    .await;
    let meals = || async { world.left(1, 6).await.iter().map(|day| day.1).collect::<Vec<_>>() };
    world.hold(fed(ask(1, 1, 2), 3)).await.unwrap();
    assert_eq!(meals().await, [4, 1, 1, 4, 4, 4]);
    // Fewer guests, another night.
    world.hold(fed(change(2, 1, 2, 2), 2)).await.unwrap();
    assert_eq!(meals().await, [4, 1, 1, 2, 4, 4]);
    world.release(sn(1), 1).await;
    assert_eq!(meals().await, [4, 4, 2, 2, 4, 4]);
    // More than a day has are sold out, and what was taken for the others is undone.
    let refused = world.hold(fed(change(3, 2, 2, 3), 5)).await.unwrap_err();
    assert_eq!(refused.field_name(), Some("guests"));
    world.hold(fed(change(4, 2, 2, 3), 4)).await.unwrap();
    assert_eq!(meals().await, [4, 4, 0, 0, 0, 4]);
    world.release(sn(1), 4).await;
    assert_eq!(meals().await, [4; 6]);
}

#[tokio::test]
async fn meals_that_others_have_refuse_a_change_and_undo_it() {
    let world = World::with(vec![seed(pb::House {
        meals_per_day: 4,
        units: 2,
        ..house(1)
    })])
    .await;
    world.hold(fed(ask(1, 1, 2), 2)).await.unwrap();
    world.hold(fed(ask(2, 2, 2), 2)).await.unwrap();
    for guests in [3, 4] {
        let refused = world.hold(fed(change(2, 1, 1, 3), guests)).await;
        assert_eq!(code(refused), Code::MealsSoldOut);
    }
    assert_eq!(own(&world).await, [(1, 1), (2, 1)]);
    assert_eq!(world.left(1, 4).await, [(2, 4), (1, 2), (0, 0), (1, 2)]);
    world.hold(fed(change(3, 1, 1, 3), 2)).await.unwrap();
}

#[tokio::test]
async fn a_change_is_answered_again_and_never_doubled_also_at_once() {
    let world = World::with(vec![seed(pb::House { units: 3, ..house(1) })]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    let replies = join_all((0..10).map(|_| world.hold(change(2, 1, 6, 2)))).await;
    let fresh = replies
        .iter()
        .filter(|reply| !reply.as_ref().unwrap().repeated)
        .count();
    assert_eq!(fresh, 1);
    assert_eq!(own(&world).await, [(5, 1), (6, 1), (7, 2)]);
    world.release(sn(1), 1).await;
    assert!(world.hold(change(2, 1, 6, 2)).await.unwrap().repeated);
    assert_eq!(own(&world).await, [(6, 2), (7, 2)]);
    // What was given up stays given up, and a late repeat of an older change does nothing.
    world.hold(change(3, 2, 9, 1)).await.unwrap();
    world.drop_change(sn(1), 3).await;
    assert_eq!(
        code(world.hold(change(3, 2, 9, 1)).await),
        Code::IdempotencyKeyExpired
    );
    let other = pb::HoldRequest {
        hold_key: "another key".into(),
        ..change(3, 2, 9, 1)
    };
    assert_eq!(code(world.hold(other).await), Code::OrderState);
    assert_eq!(code(world.hold(change(4, 1, 9, 1)).await), Code::OrderState);
    assert_eq!(own(&world).await, [(6, 2), (7, 2)]);
}

#[tokio::test]
async fn the_units_own_nights_are_preferred_and_another_unit_is_taken_where_they_cannot_be() {
    let world = World::with(vec![seed(pb::House { units: 2, ..house(1) })]).await;
    assert_eq!(world.hold(ask(2, 5, 2)).await.unwrap().unit, 1);
    assert_eq!(world.hold(ask(1, 5, 2)).await.unwrap().unit, 2);
    world.release(sn(2), 1).await;
    assert_eq!(world.hold(change(2, 1, 5, 3)).await.unwrap().unit, 2);
    world.release(sn(1), 1).await;
    // Unit 2 is somebody else's on the eighth.
    world.hold(ask(3, 8, 1)).await.unwrap();
    let second = world.hold(ask(4, 8, 1)).await.unwrap();
    assert_eq!(second.unit, 2);
    world.release(sn(3), 1).await;
    let moved = world.hold(change(3, 2, 6, 3)).await.unwrap();
    assert_eq!(moved.unit, 1);
    assert_eq!(
        own(&world).await,
        [(5, 2), (6, 3), (6, 2), (7, 3), (7, 2), (8, 3)],
        "both units are the order's until one of the holds is given up"
    );
    world.release(sn(1), 2).await;
    assert_eq!(own(&world).await, [(6, 3), (7, 3), (8, 3)]);
}

#[tokio::test]
async fn a_change_onto_nights_of_others_is_refused_by_name_and_changes_nothing() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    world.hold(ask(2, 7, 1)).await.unwrap();
    let refused = world.hold(change(2, 1, 6, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::DatesTaken);
    assert!(
        refused
            .message()
            .starts_with(&format!("UNITS_TAKEN on {}", day(7))),
        "{refused}"
    );
    let elsewhere = pb::HoldRequest {
        house_id: 2,
        ..change(2, 1, 6, 1)
    };
    assert_eq!(code(world.hold(elsewhere).await), Code::HouseNotFound);
    assert_eq!(own(&world).await, [(5, 1), (6, 1)]);
    assert_eq!(world.count("SELECT COUNT(*) FROM hold").await, 2);
    for wrong in [change(2, 2, 5, 1), change(2, 9, 5, 1)] {
        let refused = world.hold(wrong).await.unwrap_err();
        assert_eq!(refused.field_name(), Some("changeOfAttempt"));
    }
}

#[tokio::test]
async fn a_change_obeys_todays_rules_and_prices_and_keeps_its_buffer() {
    let buffered = pb::SeedHouse {
        rules: Some(pb::HouseRules {
            buffer_days: 1,
            max_nights: 4,
            ..pb::HouseRules::default()
        }),
        ..seed(house(1))
    };
    let world = World::with(vec![buffered]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    assert_eq!(own(&world).await, [(5, 1), (6, 1), (7, 1)]);
    assert_eq!(code(world.hold(change(2, 1, 5, 5)).await), Code::DatesClosed);
    // The night that was kept free after the old stay is one of the new one.
    world.hold(change(2, 1, 6, 3)).await.unwrap();
    assert_eq!(own(&world).await, [(5, 1), (6, 1), (7, 1), (8, 2), (9, 2)]);
    nobody_else_gets(&world, 5..10).await;
    world.release(sn(1), 1).await;
    assert_eq!(own(&world).await, [(6, 2), (7, 2), (8, 2), (9, 2)]);
}

#[tokio::test]
async fn a_hold_of_a_change_that_the_order_does_not_know_is_swept_and_the_booking_stays() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    world.orders.say(sn(1), Verdict::Bind);
    let sweep = || async {
        world.clock.advance(std::time::Duration::from_secs(61));
        let swept = world.travel().sweep_holds(homestay_proto::common::Empty {}).await;
        let done = swept.unwrap().into_inner();
        (done.bound, done.released)
    };
    assert_eq!(sweep().await, (1, 0));
    world.hold(change(2, 1, 6, 2)).await.unwrap();
    world.orders.say(sn(1), Verdict::Release);
    assert_eq!(sweep().await, (0, 1));
    assert_eq!(own(&world).await, [(5, 1), (6, 1)]);
    assert_eq!(sweep().await, (0, 0));
}

#[tokio::test]
async fn late_money_takes_the_booking_again_and_not_the_change_that_came_to_nothing() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    world.hold(change(2, 1, 8, 2)).await.unwrap();
    world.drop_change(sn(1), 2).await;
    world.release(sn(1), 1).await;
    let again = pb::HoldRequest {
        new_booking: false,
        ..change(3, 0, 1, 1)
    };
    let held = world.hold(again).await.unwrap();
    assert_eq!(held.quote.unwrap().check_in, day(5));
    assert_eq!(own(&world).await, [(5, 3), (6, 3)]);
    // With a number, that attempt's.
    world.release(sn(1), 3).await;
    let named = pb::HoldRequest {
        new_booking: false,
        ..change(4, 2, 1, 1)
    };
    assert_eq!(world.hold(named).await.unwrap().quote.unwrap().check_in, day(8));
    let unknown = pb::HoldRequest {
        new_booking: false,
        ..change(6, 5, 1, 1)
    };
    assert_eq!(code(world.hold(unknown).await), Code::NotFound);
}

#[tokio::test]
async fn late_money_takes_a_booking_again_that_the_sweep_gave_back() {
    let world = World::with(vec![seed(house(1))]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    world.orders.say(sn(1), Verdict::Release);
    world.clock.advance(std::time::Duration::from_secs(61));
    let swept = world.travel().sweep_holds(homestay_proto::common::Empty {}).await;
    assert_eq!(swept.unwrap().into_inner().released, 1);

    let named = pb::HoldRequest {
        new_booking: false,
        ..change(2, 1, 1, 1)
    };
    let held = world.hold(named).await.unwrap();

    assert_eq!(held.quote.unwrap().check_in, day(5));
    assert_eq!(own(&world).await, [(5, 2), (6, 2)]);
}

/// Releases, changes and other guests at once: whatever their order, nights and meals are those of the holds that live.
#[tokio::test]
async fn releases_changes_and_other_guests_at_once_leave_nights_and_holds_agreeing() {
    for round in 0..12i64 {
        let world = World::with(vec![seed(pb::House { units: 2, ..house(1) })]).await;
        world.hold(fed(ask(1, 5, 3), 2)).await.unwrap();
        world.hold(fed(change(2, 1, 6, 3), 3)).await.unwrap();
        let releases = async {
            match round % 3 {
                0 => futures::join!(world.release(sn(1), 1), world.drop_change(sn(1), 2)),
                1 => futures::join!(world.release(sn(1), 1), world.release(sn(1), 2)),
                _ => futures::join!(world.drop_change(sn(1), 2), world.release(sn(1), 1)),
            }
        };
        let changes = join_all((3..6).map(|attempt| world.hold(fed(change(attempt, 2, 4, 4), 1))));
        let others = join_all((10..30).map(|n| world.hold(ask(n, 4 + n % 5, 2))));
        let (_, changed, booked) = futures::join!(releases, changes, others);
        for refused in changed.into_iter().chain(booked).filter_map(Result::err) {
            assert!(
                [Code::DatesTaken, Code::OrderState].contains(&refused.code()),
                "{} {refused}",
                refused.chain()
            );
        }
        assert_eq!(stray(&world).await, (0, 0, 0), "round {round}");
    }
}

/// Nights without a living hold that covers them, nights of living holds that are missing, days whose meals are not those of
/// the holds.
pub(super) async fn stray(world: &World) -> (i64, i64, i64) {
    let lone = world
        .count(
            "SELECT COUNT(*) FROM night n WHERE NOT EXISTS (SELECT 1 FROM hold h WHERE h.order_sn = n.order_sn \
             AND h.attempt = n.attempt AND h.state IN ('held', 'bound') AND h.unit = n.unit AND n.day >= h.check_in \
             AND n.day < h.check_out + h.buffer_days)",
        )
        .await;
    let missing = world
        .count(
            "SELECT CAST(COALESCE(SUM(h.check_out + h.buffer_days - h.check_in - (SELECT COUNT(*) FROM night n \
             WHERE n.house_id = h.house_id AND n.unit = h.unit AND n.order_sn = h.order_sn AND n.day >= h.check_in \
             AND n.day < h.check_out + h.buffer_days)), 0) AS BIGINT) FROM hold h WHERE h.state IN ('held', 'bound')",
        )
        .await;
    let meals = world
        .count(
            "SELECT COUNT(*) FROM meal_day m WHERE m.taken <> (SELECT CAST(COALESCE(SUM(o.meals), 0) AS BIGINT) FROM \
             (SELECT MAX(h.meals) AS meals FROM hold h WHERE h.house_id = m.house_id AND h.check_in <= m.day \
             AND h.check_out > m.day AND h.state IN ('held', 'bound') GROUP BY h.order_sn) o)",
        )
        .await;
    (lone, missing, meals)
}
