//! What an owner keeps, and the nights that stay free after a stay: both are nights that are gone.

use futures::future::join_all;
use homestay_error::{Code, Error};
use homestay_proto::travel as pb;
use homestay_types::Role;

use super::world::{World, ask, code, day, house, seed, sn};

async fn block(world: &World, from: i64, nights: i64, unit: i64) -> Result<pb::Block, Error> {
    let request = pb::CreateBlockRequest {
        house_id: 1,
        from: day(from),
        until: day(from + nights),
        unit,
        note: "paint".into(),
    };
    let mut host = world.as_user(101, Role::Host);
    Ok(host.create_block(request).await?.into_inner())
}

async fn list(world: &World) -> Vec<i64> {
    let mut host = world.as_user(101, Role::Host);
    let blocks = host
        .list_blocks(pb::ListBlocksRequest { house_id: 1 })
        .await
        .unwrap();
    blocks.into_inner().blocks.iter().map(|block| block.id).collect()
}

async fn remove(world: &World, id: i64, block_id: i64) -> Option<Code> {
    let request = pb::DeleteBlockRequest {
        house_id: 1,
        block_id,
    };
    let gone = world.as_user(id, Role::Host).delete_block(request).await;
    gone.err().map(|status| Error::from(status).code())
}

fn buffered(buffer_days: i64, units: i64) -> pb::SeedHouse {
    pb::SeedHouse {
        rules: Some(pb::HouseRules {
            buffer_days,
            ..pb::HouseRules::default()
        }),
        ..seed(pb::House { units, ..house(1) })
    }
}

#[tokio::test]
async fn a_block_and_a_booking_exclude_each_other_whoever_comes_first() {
    let world = World::with(vec![seed(house(1))]).await;
    let first = block(&world, 5, 3, 0).await.unwrap();
    assert_eq!((first.unit, first.from, first.until), (1, day(5), day(8)));
    assert_eq!(list(&world).await, [first.id]);
    let refused = world.hold(ask(1, 7, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::DatesTaken);
    assert!(refused.message().starts_with("OWNER_BLOCK"), "{refused}");
    // Out is in.
    world.hold(ask(2, 8, 2)).await.unwrap();
    world.hold(ask(3, 3, 2)).await.unwrap();
    for (from, nights) in [(9, 1), (4, 1), (6, 1), (3, 20)] {
        assert_eq!(
            code(block(&world, from, nights, 0).await),
            Code::DatesTaken,
            "{from} {nights}"
        );
    }
    assert_eq!(remove(&world, 102, first.id).await, Some(Code::HouseNotFound));
    assert_eq!(remove(&world, 101, first.id).await, None);
    assert_eq!(remove(&world, 101, first.id).await, Some(Code::NotFound));
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 4);
    world.hold(ask(4, 5, 3)).await.unwrap();
    assert_eq!(list(&world).await, [0i64; 0]);
}

#[tokio::test]
async fn of_blocks_and_bookings_at_once_one_has_the_nights() {
    let world = World::with(vec![seed(house(1))]).await;
    let bookings = join_all((0..20).map(|n| world.hold(ask(n, 1, 2))));
    let blocks = join_all((0..20).map(|_| block(&world, 2, 2, 0)));
    let (booked, blocked) = futures::join!(bookings, blocks);
    let won = booked.iter().filter(|outcome| outcome.is_ok()).count()
        + blocked.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1);
    for refused in booked
        .into_iter()
        .filter_map(Result::err)
        .chain(blocked.into_iter().filter_map(Result::err))
    {
        assert_eq!(refused.code(), Code::DatesTaken);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 2);
}

#[tokio::test]
async fn a_block_takes_the_unit_that_is_named_or_the_lowest_that_is_free() {
    let world = World::with(vec![seed(pb::House { units: 3, ..house(1) })]).await;
    assert_eq!(block(&world, 1, 2, 2).await.unwrap().unit, 2);
    assert_eq!(code(block(&world, 2, 2, 2).await), Code::DatesTaken);
    assert_eq!(block(&world, 2, 2, 0).await.unwrap().unit, 1);
    assert_eq!(world.hold(ask(1, 1, 2)).await.unwrap().unit, 3);
    assert_eq!(
        block(&world, 1, 1, 4).await.unwrap_err().field_name(),
        Some("unit")
    );
    assert_eq!(
        block(&world, 1, 0, 0).await.unwrap_err().field_name(),
        Some("until")
    );
    assert_eq!(
        block(&world, -5, 2, 0).await.unwrap_err().field_name(),
        Some("until")
    );
}

#[tokio::test]
async fn the_nights_after_a_stay_are_gone_until_it_is_released() {
    let world = World::with(vec![buffered(2, 1)]).await;
    world.hold(ask(1, 5, 2)).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 4);
    // Its own nights, those after it, and those that would have to be free before it.
    for (from, nights) in [(6, 1), (7, 1), (8, 1), (4, 1), (3, 1), (2, 2)] {
        assert_eq!(
            code(world.hold(ask(2, from, nights)).await),
            Code::DatesTaken,
            "{from} {nights}"
        );
    }
    let refused = world.hold(ask(2, 8, 3)).await.unwrap_err();
    assert!(refused.message().starts_with("BUFFER"), "{refused}");
    assert_eq!(code(block(&world, 8, 1, 0).await), Code::DatesTaken);
    world.hold(ask(3, 9, 2)).await.unwrap();
    world.hold(ask(4, 1, 2)).await.unwrap();
    world.release(sn(1), 1).await;
    world.release(sn(1), 1).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM night").await, 8);
    world.hold(ask(5, 5, 2)).await.unwrap();
}

#[tokio::test]
async fn stays_with_meals_and_a_buffer_eat_only_while_they_stay() {
    let world = World::with(vec![buffered(1, 2)]).await;
    let fed = pb::HoldRequest {
        meals: true,
        ..ask(1, 1, 2)
    };
    world.hold(fed).await.unwrap();
    assert_eq!(world.left(1, 4).await, [(1, 10), (1, 8), (1, 8), (1, 10)]);
    world.release(sn(1), 1).await;
    assert_eq!(world.left(1, 4).await, [(2, 10), (2, 10), (2, 10), (2, 10)]);
}
