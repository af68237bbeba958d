use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::order_server::OrderServer;
use homestay_proto::order::resolve_holds_reply::Verdict;
use homestay_proto::travel as pb;
use homestay_testkit::fake;

use super::change::stray;
use super::contention::hold;
use super::world::{World, ask, house, seed, sn};
use crate::Config;

async fn sweep(world: &World) -> Result<(i64, i64), Error> {
    let done = world.travel().sweep_holds(Empty {}).await?.into_inner();
    Ok((done.bound, done.released))
}

async fn world_with_holds(count: i64) -> World {
    let world = World::with(vec![seed(pb::House {
        units: 300,
        ..house(1)
    })])
    .await;
    for n in 1..=count {
        world.hold(ask(n, 1, 1)).await.unwrap();
    }
    world
}

#[tokio::test]
async fn what_the_order_service_says_is_done_once() {
    let world = world_with_holds(3).await;
    world.orders.say(sn(1), Verdict::Bind);
    world.orders.say(sn(2), Verdict::Release);
    world.orders.say(sn(3), Verdict::Wait);
    world.clock.advance(Duration::from_secs(61));

    assert_eq!(sweep(&world).await.unwrap(), (1, 1));
    assert_eq!(world.left(1, 2).await[1].0, 298);
    // Only the one that had to wait is asked about again.
    assert_eq!(sweep(&world).await.unwrap(), (0, 0));
    assert_eq!(*world.orders.asked.lock().unwrap(), [3, 1]);

    world.orders.say(sn(3), Verdict::Release);
    assert_eq!(sweep(&world).await.unwrap(), (0, 1));
    assert_eq!(world.left(1, 2).await[1].0, 299);
}

#[tokio::test]
async fn young_holds_are_left_alone() {
    let world = world_with_holds(1).await;
    world.orders.say(sn(1), Verdict::Release);
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(sweep(&world).await.unwrap(), (0, 0));
    assert!(world.orders.asked.lock().unwrap().is_empty());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(sweep(&world).await.unwrap(), (0, 1));
}

#[tokio::test]
async fn nothing_is_released_because_the_order_service_does_not_answer() {
    let world = world_with_holds(2).await;
    world.orders.say(sn(1), Verdict::Release);
    world.orders.down.store(true, Ordering::Relaxed);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(sweep(&world).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(world.left(1, 2).await[1].0, 298);
    world.orders.down.store(false, Ordering::Relaxed);
    assert_eq!(sweep(&world).await.unwrap(), (0, 1));
}

#[tokio::test]
async fn many_that_wait_do_not_keep_the_others_waiting() {
    let world = world_with_holds(250).await;
    world.orders.say(sn(250), Verdict::Release);
    world.orders.say(sn(249), Verdict::Bind);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(sweep(&world).await.unwrap(), (1, 1));
    assert_eq!(*world.orders.asked.lock().unwrap(), [100, 100, 50]);
}

#[tokio::test]
async fn a_released_key_stays_used_and_a_bound_hold_can_still_be_released_by_its_order() {
    let world = world_with_holds(2).await;
    world.orders.say(sn(1), Verdict::Release);
    world.orders.say(sn(2), Verdict::Bind);
    world.clock.advance(Duration::from_secs(61));
    sweep(&world).await.unwrap();
    let refusal = world.hold(ask(1, 1, 1)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::IdempotencyKeyExpired);
    assert!(world.hold(ask(2, 1, 1)).await.unwrap().repeated);
    world.release(sn(2), 1).await;
    assert_eq!(world.left(1, 2).await[1].0, 300);
}

/// The oldest holds have the latest days, so that a sweep comes upon the days in the other direction than a booking does. Without
/// the deadline of a call: a busy machine is not what this is about.
#[tokio::test]
async fn a_sweep_and_bookings_with_meals_at_the_same_time_do_not_wait_for_each_other() {
    let fed = |n, from, nights| pb::HoldRequest {
        meals: true,
        ..ask(n, from, nights)
    };
    for _ in 0..3 {
        let world = World::with(vec![seed(pb::House {
            units: 100,
            meals_per_day: 1000,
            ..house(1)
        })])
        .await;
        for n in 1..=20 {
            world.hold(fed(n, 21 - n, 2)).await.unwrap();
            world.orders.say(sn(n), Verdict::Release);
            world.clock.advance(Duration::from_millis(1));
        }
        world.clock.advance(Duration::from_secs(61));

        let orders = OrderClient::new(fake(OrderServer::new(world.orders.clone())));
        let config = Config::default();
        // A few at a time, so that there are some before the sweep begins and as long as it takes.
        let done = AtomicUsize::new(0);
        let bookings = stream::iter((100..180).map(|n| hold(&world, fed(n, n % 10, 12))))
            .buffer_unordered(4)
            .inspect(|_| {
                done.fetch_add(1, Ordering::Relaxed);
            })
            .collect::<Vec<_>>();
        let sweep = async {
            while done.load(Ordering::Relaxed) < 8 {
                tokio::task::yield_now().await;
            }
            crate::sweep::sweep(world.db(), &world.clock, &orders, &config).await
        };
        let (swept, booked) = futures::join!(sweep, bookings);

        assert_eq!(swept.unwrap().released, 20);
        for held in booked {
            held.unwrap();
        }
        assert_eq!(stray(&world).await, (0, 0, 0));
    }
}
