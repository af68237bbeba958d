use super::*;

async fn page(world: &World, user: i64, last_id: i64, limit: i64, trade_state: i64) -> Vec<pb::OrderView> {
    let request = pb::ListRequest {
        last_id,
        limit,
        trade_state,
    };
    world.user(user).list(request).await.unwrap().into_inner().orders
}

async fn book_many(world: &World, user: i64, houses: std::ops::Range<i64>) -> Vec<String> {
    let mut sns = Vec::new();
    for house_id in houses {
        let request = pb::CreateRequest {
            house_id,
            ..booking()
        };
        sns.push(world.create(user, request).await.unwrap().sn);
    }
    sns
}

#[tokio::test]
async fn a_walk_over_45_orders_sees_each_once_while_more_come_in() {
    let world = World::new().await;
    let mut booked = book_many(&world, GUEST, 1..46).await;
    book_many(&world, GUEST + 1, 200..203).await;
    let mut seen = Vec::new();
    let mut pages = 0;
    let mut last_id = 0;
    loop {
        let orders = page(&world, GUEST, last_id, 20, -99).await;
        let Some(last) = orders.last() else { break };
        assert!(orders.is_sorted_by(|a, b| a.id > b.id));
        last_id = last.id;
        pages += 1;
        book_many(&world, GUEST, 100 + pages..101 + pages).await;
        seen.extend(orders.into_iter().map(|order| order.sn));
    }
    booked.reverse();
    assert_eq!(pages, 3);
    assert_eq!(seen, booked);
}

#[tokio::test]
async fn a_list_is_cut_to_any_length_up_to_its_bound() {
    let world = World::new().await;
    book_many(&world, GUEST, 1..106).await;
    for (limit, length) in [
        (-1, 1),
        (0, 1),
        (1, 1),
        (20, 20),
        (21, 21),
        (22, 22),
        (101, 101),
        (5000, 101),
    ] {
        assert_eq!(page(&world, GUEST, 0, limit, -99).await.len(), length, "{limit}");
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_the_code_the_outside_sees() {
    let world = World::new().await;
    let sns = book_many(&world, GUEST, 1..5).await;
    world.cancel(GUEST, &sns[1]).await.unwrap();
    for sn in &sns[1..3] {
        world.payment.has(sn, "captured", TOTAL);
        world.advance(sn).await.unwrap();
    }
    // 0 waits, 1 is being refunded, 2 is paid, 3 is cancelled.
    world.cancel(GUEST, &sns[3]).await.unwrap();
    let cases = [
        (-1, vec![3]),
        (0, vec![0]),
        (1, vec![2]),
        (2, vec![]),
        (3, vec![1]),
        (4, vec![]),
        (-99, vec![3, 2, 1, 0]),
        (5, vec![3, 2, 1, 0]),
    ];
    for (code, want) in cases {
        let want: Vec<&String> = want.into_iter().map(|n: usize| &sns[n]).collect();
        let got = page(&world, GUEST, 0, 20, code).await;
        assert_eq!(
            got.iter().map(|order| &order.sn).collect::<Vec<_>>(),
            want,
            "{code}"
        );
    }
}

#[tokio::test]
async fn an_order_is_shown_to_its_owner_its_host_and_to_who_sees_all() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    let get = || pb::GetRequest {
        sn: sn.clone(),
        ..Default::default()
    };
    for (id, role, seen) in [
        (GUEST, Role::Guest, true),
        (GUEST + 1, Role::Guest, false),
        (6, Role::Host, true),
        // Whose role was taken away.
        (6, Role::Guest, false),
        (8, Role::Host, false),
        (9, Role::Operator, true),
        (9, Role::Admin, true),
    ] {
        let answer = world.as_role(id, role).get(get()).await;
        match answer {
            Ok(order) => assert!(seen && order.into_inner().sn == sn, "{id} {role}"),
            Err(status) => {
                assert!(!seen, "{id} {role}");
                assert_eq!(Error::from(status).code(), Code::OrderNotFound);
            }
        }
    }
    assert_eq!(world.order(&sn).await.sn, sn);
    let unknown = world
        .user(GUEST)
        .get(pb::GetRequest {
            sn: "HSO'".into(),
            ..Default::default()
        })
        .await;
    assert_eq!(Error::from(unknown.unwrap_err()).code(), Code::OrderNotFound);
}

#[tokio::test]
async fn users_cannot_call_what_is_for_services() {
    let world = World::new().await;
    let request = pb::AdvanceRequest::default();
    let refused = world.as_role(9, Role::Admin).advance(request).await.unwrap_err();
    assert_eq!(Error::from(refused).code(), Code::Forbidden);
}
