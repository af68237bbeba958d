use homestay_error::Code;

use super::shaky::Fault;
use super::support::{World, code, says};

#[tokio::test]
async fn closing_ends_the_open_payment_at_the_provider_and_refuses_new_ones() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    let closed = world.close(&order).await.unwrap();
    assert_eq!((closed.len(), closed[0].state.as_str()), (1, "closed"));
    assert_eq!(world.charge(&payment).await, "closed");
    assert_eq!(world.act(&payment, "pay").await.unwrap().state, "closed");
    assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    // Again: nothing more happens.
    assert_eq!(world.close(&order).await.unwrap(), closed);
    assert_eq!(world.statuses().await, [-1]);
}

#[tokio::test]
async fn an_order_that_nobody_tried_to_pay_can_be_closed() {
    let world = World::start().await;
    let order = world.order(25_600);
    assert_eq!(world.close(&order).await.unwrap(), []);
    assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
    assert_eq!(
        code(world.close("nonsense").await.unwrap_err()),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn money_the_provider_already_has_is_recorded_instead_of_closed() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.act(&payment, "pay").await.unwrap();
    let closed = world.close(&order).await.unwrap();
    assert_eq!(closed[0].state, "captured");
    assert_eq!(world.statuses().await, [1]);
    // The callback comes later and finds everything done.
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.statuses().await, [1]);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_loses_nothing() {
    for (method, fault) in [
        ("query", Fault::Down),
        ("close", Fault::Down),
        ("close", Fault::AnswerLost),
    ] {
        let world = World::start().await;
        let order = world.order(25_600);
        let payment = world.create(&order).await.unwrap();
        world.fail(method, fault);
        assert_eq!(code(world.close(&order).await.unwrap_err()), Code::Provider);
        assert_eq!(world.get(&payment.sn).await.state, "pending");
        // The order is closed for payments all the same.
        assert_eq!(code(world.create(&order).await.unwrap_err()), Code::NotPayable);
        world.heal();
        assert_eq!(world.close(&order).await.unwrap()[0].state, "closed");
        assert_eq!(world.statuses().await, [-1], "{method} {fault:?}");
    }
}

#[tokio::test]
async fn money_that_came_while_the_provider_was_not_heard_is_found_by_the_next_try() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.fail("query", Fault::Down);
    world.close(&order).await.unwrap_err();
    world.act(&payment, "pay").await.unwrap();
    world.heal();
    assert_eq!(world.close(&order).await.unwrap()[0].state, "captured");
    assert_eq!(world.statuses().await, [1]);
}

#[tokio::test]
async fn an_intent_the_provider_never_heard_of_is_closed() {
    let world = World::start().await;
    let order = world.order(25_600);
    world.fail("prepay", Fault::Down);
    world.create(&order).await.unwrap_err();
    assert_eq!(world.close(&order).await.unwrap()[0].state, "closed");
}

#[tokio::test]
async fn a_callback_about_a_closed_payment_is_recorded_as_late_money() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    world.close(&order).await.unwrap();
    assert_eq!(world.call_back(&says("captured", &payment)).await.0, 200);
    assert_eq!(world.get(&payment.sn).await.state, "captured");
    assert_eq!(world.statuses().await, [-1, 1]);
}

#[tokio::test]
async fn closing_and_creating_at_once_leave_nothing_payable() {
    let world = World::start().await;
    for _ in 0..10 {
        let order = world.order(25_600);
        let (created, closed) = tokio::join!(world.create(&order), world.close(&order));
        closed.unwrap();
        if let Err(status) = created {
            assert_eq!(code(status), Code::NotPayable);
        }
        for payment in world.list(&order).await {
            assert_eq!(payment.state, "closed");
        }
    }
    assert_eq!(
        world
            .count("SELECT COUNT(*) FROM sandbox_charge WHERE state = 'open'")
            .await,
        0
    );
}
