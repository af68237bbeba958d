use futures::future::join_all;
use homestay_error::Code;
use homestay_proto::payment as pb;

use super::books::assert_books;
use super::shaky::Fault;
use super::support::{World, code, says};

async fn captured(world: &World) -> pb::PaymentView {
    world.captured(25_600).await
}

#[tokio::test]
async fn a_refund_happens_once_however_often_it_is_asked_for() {
    let world = World::start().await;
    let payment = captured(&world).await;
    let all = join_all((0..8).map(|_| world.refund(&payment.sn))).await;
    let refund = all[0].as_ref().unwrap();
    assert!(all.iter().all(|one| one.as_ref().unwrap() == refund));
    assert_eq!((refund.amount_cents, refund.state.as_str()), (25_600, "pending"));
    assert_eq!(refund.order_sn, payment.order_sn);
    assert_eq!(world.get(&payment.sn).await.state, "refund_pending");
    // Outwardly it is paid until the money went back.
    assert_eq!(world.statuses().await, [1]);

    assert_eq!(world.run_jobs().await, []);
    for _ in 0..2 {
        assert_eq!(world.execute_refund(&refund.sn).await.unwrap().state, "succeeded");
    }
    assert_eq!(world.refund(&payment.sn).await.unwrap().state, "succeeded");
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.refunded_cents), ("refunded", 25_600));
    assert_eq!(world.charge(&payment).await, "refunded");
    assert_eq!(world.count("SELECT COUNT(*) FROM refund").await, 1);
    let calls = world.provider.calls.lock().unwrap().clone();
    assert_eq!(calls.iter().filter(|call| **call == "refund").count(), 1);
    let events = world.events().await;
    assert_eq!(
        (events.len(), events[1].pay_status, events[1].refunded_cents),
        (2, 2, 25_600)
    );
}

#[tokio::test]
async fn a_refund_the_provider_did_not_answer_is_tried_again_and_paid_once() {
    for fault in [Fault::Down, Fault::AnswerLost] {
        let world = World::start().await;
        let payment = captured(&world).await;
        let refund = world.refund(&payment.sn).await.unwrap();
        world.fail("refund", fault);
        assert_eq!(
            code(world.execute_refund(&refund.sn).await.unwrap_err()),
            Code::Provider
        );
        assert_eq!(world.get(&payment.sn).await.state, "refund_pending");
        world.heal();
        assert_eq!(world.run_jobs().await, []);
        assert_eq!(
            world.execute_refund(&refund.sn).await.unwrap().state,
            "succeeded",
            "{fault:?}"
        );
        let got = world.get(&payment.sn).await;
        assert_eq!((got.state.as_str(), got.refunded_cents), ("refunded", 25_600));
        assert_eq!(world.statuses().await, [1, 2], "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_refund_ends_with_its_callback() {
    let world = World::start().await;
    let payment = captured(&world).await;
    let refund = world.refund(&payment.sn).await.unwrap();
    world.fail("refund", Fault::Slow);
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&payment.sn).await.state, "refund_pending");
    assert_eq!(world.call_back(&says("refunded", &payment)).await.0, 200);
    assert_eq!(world.execute_refund(&refund.sn).await.unwrap().state, "succeeded");
    assert_eq!(world.statuses().await, [1, 2]);
}

#[tokio::test]
async fn a_refused_refund_stays_visible_and_is_not_asked_for_again() {
    let world = World::start().await;
    let payment = captured(&world).await;
    let refund = world.refund(&payment.sn).await.unwrap();
    world.fail("refund", Fault::Refused);
    assert_eq!(world.execute_refund(&refund.sn).await.unwrap().state, "failed");
    world.heal();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.execute_refund(&refund.sn).await.unwrap().state, "failed");
    assert_eq!(world.get(&payment.sn).await.state, "refund_pending");
    assert_eq!(world.statuses().await, [1]);
    assert_eq!(world.open_cases().await, ["refund_refused"]);
    assert_books(&world).await;
}

#[tokio::test]
async fn only_captured_money_can_be_refunded() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    assert_eq!(
        code(world.refund(&payment.sn).await.unwrap_err()),
        Code::PaymentState
    );
    world.close(&order).await.unwrap();
    assert_eq!(
        code(world.refund(&payment.sn).await.unwrap_err()),
        Code::PaymentState
    );
    let unknown = world.refund("PMT2026112110155912345678").await.unwrap_err();
    assert_eq!(code(unknown), Code::PaymentNotFound);
    let unknown = world.execute_refund("RFD2026112110155912345678").await;
    assert_eq!(code(unknown.unwrap_err()), Code::NotFound);
    assert_eq!(world.count("SELECT COUNT(*) FROM refund").await, 0);
}

#[tokio::test]
async fn a_refund_the_provider_made_by_itself_gets_a_row_too() {
    let world = World::start().await;
    let payment = captured(&world).await;
    assert_eq!(world.call_back(&says("refunded", &payment)).await.0, 200);
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.refunded_cents), ("refunded", 25_600));
    assert_eq!(world.refund(&payment.sn).await.unwrap().state, "succeeded");
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.statuses().await, [1, 2]);
}
