//! Refunds that are sent again, come back, or come from the provider's own hand.

use std::time::Duration;

use homestay_proto::payment as pb;
use homestay_testkit::providers::{Fault, StripeSimulator, WechatSimulator};

use super::books::assert_books;
use super::road::{Outside, Road};
use super::support::{STAFF, World};

fn stripe(road: &Road) -> &StripeSimulator {
    match &road.outside {
        Outside::Stripe(simulator) => simulator,
        Outside::Wechat(_) => panic!("another road"),
    }
}

fn wechat(road: &Road) -> &WechatSimulator {
    match &road.outside {
        Outside::Wechat(simulator) => simulator,
        Outside::Stripe(_) => panic!("another road"),
    }
}

/// An operator sends the refund of the newest open case again.
async fn retry(road: &Road) {
    let request = pb::ListCasesRequest {
        limit: 1,
        state: "open".to_owned(),
        ..Default::default()
    };
    let mut staff = road.world.as_staff(STAFF);
    let case = staff
        .list_cases(request)
        .await
        .unwrap()
        .into_inner()
        .cases
        .remove(0);
    let request = pb::ResolveCaseRequest {
        id: case.id,
        resolution: "send it again".to_owned(),
        action: "retry_refund".to_owned(),
        idempotency_key: String::new(),
    };
    staff.resolve_case(request).await.unwrap();
    assert_eq!(road.world.run_jobs().await, []);
}

async fn refund_state(road: &Road, sn: &str) -> String {
    road.world.execute_refund_state(sn).await
}

#[tokio::test]
async fn a_refund_that_failed_at_the_provider_is_sent_again_and_goes_back_once() {
    for road in Road::both().await {
        road.refund_slowly();
        let payment = road.paid(100).await;
        let refund = road.world.refund(&payment.sn).await.unwrap();
        assert_eq!(road.world.run_jobs().await, []);
        let given_up = match &road.outside {
            Outside::Wechat(simulator) => simulator.end_refund(&refund.sn, "CLOSED"),
            Outside::Stripe(simulator) => simulator.end_refund(&refund.sn, "failed"),
        };
        assert!(given_up);
        let failure = road.take();
        for delivery in &failure {
            assert_eq!(road.deliver(delivery).await.0, 200);
        }
        assert_eq!(road.world.open_cases().await, ["refund_refused"]);

        retry(&road).await;
        assert_eq!(
            refund_state(&road, &refund.sn).await,
            "pending",
            "{}",
            road.name()
        );
        // What was told of the first attempt says nothing of the second.
        for delivery in &failure {
            assert_eq!(road.deliver(delivery).await.0, 200);
        }
        assert_eq!(
            refund_state(&road, &refund.sn).await,
            "pending",
            "{}",
            road.name()
        );
        let arrived = match &road.outside {
            Outside::Wechat(simulator) => simulator.end_refund(&format!("{}-1", refund.sn), "SUCCESS"),
            Outside::Stripe(simulator) => simulator.end_refund(&refund.sn, "succeeded"),
        };
        assert!(arrived, "{}", road.name());
        road.deliver_all().await;
        assert_eq!(road.state(&payment.sn).await, "refunded");
        assert_eq!(road.refunded(&payment.sn), (100, 2));
        assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
        assert_eq!(road.world.statuses().await, [1, 2]);
        assert_books(&road.world).await;
    }
}

#[tokio::test]
async fn a_refund_that_was_refused_when_it_was_asked_for_is_sent_again() {
    for road in Road::both().await {
        let payment = road.paid(100).await;
        let refund = road.world.refund(&payment.sn).await.unwrap();
        road.fail("refund", "refund", Fault::Refuse("NOT_ENOUGH"));
        assert_eq!(road.world.run_jobs().await, []);
        assert_eq!(refund_state(&road, &refund.sn).await, "failed");
        road.heal();
        retry(&road).await;
        assert_eq!(
            refund_state(&road, &refund.sn).await,
            "succeeded",
            "{}",
            road.name()
        );
        road.deliver_all().await;
        assert_eq!(road.refunded(&payment.sn), (100, 1));
        assert_eq!(road.state(&payment.sn).await, "refunded");
        assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_refund_that_bounces_after_it_had_succeeded_is_sent_again_and_booked_once() {
    let road = Road::stripe().await;
    let payment = road.paid(100).await;
    let refund = road.world.refund(&payment.sn).await.unwrap();
    assert_eq!(road.world.run_jobs().await, []);
    road.deliver_all().await;
    assert_eq!(road.state(&payment.sn).await, "refunded");
    for arrives_by_callback in [true, false] {
        assert!(stripe(&road).end_refund(&refund.sn, "failed"));
        road.deliver_all().await;
        assert_eq!(road.world.open_cases().await, ["refund_refused"]);
        assert_eq!(road.refunded(&payment.sn).0, 0);
        stripe(&road).refund_slowly();
        retry(&road).await;
        assert!(stripe(&road).end_refund(&refund.sn, "succeeded"));
        if arrives_by_callback {
            road.deliver_all().await;
        } else {
            drop(road.take());
            road.world.clock.advance(Duration::from_secs(61));
            road.world.sweep().await;
        }
        // Known to be there: nothing is on its way any more.
        let on_its_way = "SELECT COUNT(*) FROM refund WHERE returned <> 0";
        assert_eq!(road.world.count(on_its_way).await, 0);
        assert_eq!(road.refunded(&payment.sn).0, 100);
        assert_eq!(road.state(&payment.sn).await, "refunded");
        assert_eq!(road.world.statuses().await, [1, 2]);
        assert_books(&road.world).await;
    }
    assert_eq!(road.refunded(&payment.sn), (100, 3));
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
}

#[tokio::test]
async fn an_abnormal_refund_waits_for_wechats_console_and_is_not_paid_twice() {
    let road = Road::wechat().await;
    road.refund_slowly();
    let payment = road.paid(1_000).await;
    // A part, so that there would be money for another.
    let refund = road.world.refund_part(&payment.sn, 400, "a").await.unwrap();
    assert_eq!(road.world.run_jobs().await, []);
    assert!(wechat(&road).end_refund(&refund.sn, "ABNORMAL"));
    road.deliver_all().await;
    for _ in 0..2 {
        retry(&road).await;
        assert_eq!(refund_state(&road, &refund.sn).await, "failed");
        assert_eq!(road.world.open_cases().await, ["refund_refused"]);
    }
    assert!(wechat(&road).end_refund(&refund.sn, "SUCCESS"));
    // By the next attempt, and by callback.
    retry(&road).await;
    assert_eq!(refund_state(&road, &refund.sn).await, "succeeded");
    assert_eq!(road.refunded(&payment.sn), (400, 1));
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_dashboard_refund_told_before_our_capture_is_booked_with_it() {
    let road = Road::stripe().await;
    let payment = road.world.create(&road.world.order(1_000)).await.unwrap();
    assert!(road.pay(&payment.sn));
    let captured = road.take();
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 1_000));
    road.deliver_all().await;
    assert_eq!(road.state(&payment.sn).await, "refunded");
    for delivery in &captured {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.state(&payment.sn).await, "refunded");
    assert_eq!(road.world.statuses().await, [1, 2]);
    assert_books(&road.world).await;
}

#[tokio::test]
async fn a_dashboard_refund_of_which_stripe_does_not_tell_whose_it_is_is_told_again() {
    let road = Road::stripe().await;
    let payment = road.world.create(&road.world.order(1_000)).await.unwrap();
    assert!(road.pay(&payment.sn));
    drop(road.take());
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 1_000));
    let told = road.take();
    stripe(&road).fail("intent", Fault::Down);
    assert_eq!(road.deliver(&told[0]).await.0, 503);
    road.heal();
    assert_eq!(road.deliver(&told[0]).await.0, 200);
    assert_eq!(road.state(&payment.sn).await, "refunded");
}

#[tokio::test]
async fn a_dashboard_refund_that_bounces_is_a_case_and_can_be_sent_again() {
    let road = Road::stripe().await;
    let payment = road.paid(1_000).await;
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 1_000));
    let told = road.take();
    for delivery in told.iter().chain(&told) {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
    assert!(stripe(&road).bounce_in_dashboard(&payment.sn));
    road.deliver_all().await;
    for delivery in &told {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.world.open_cases().await, ["refund_refused"]);
    assert_eq!(road.world.count("SELECT COUNT(*) FROM refund").await, 1);
    // Now we send it ourselves.
    retry(&road).await;
    road.deliver_all().await;
    assert_eq!(road.refunded(&payment.sn), (1_000, 2));
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
    assert_books(&road.world).await;
}

#[tokio::test]
async fn a_dashboard_refund_whose_failure_is_told_first_is_not_booked() {
    let road = Road::stripe().await;
    let payment = road.paid(1_000).await;
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 400));
    let told = road.take();
    assert!(stripe(&road).bounce_in_dashboard(&payment.sn));
    road.deliver_all().await;
    for delivery in &told {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.world.get(&payment.sn).await.refunded_cents, 0);
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_failure_that_is_told_again_says_nothing_of_what_was_paid_since() {
    let road = Road::stripe().await;
    road.refund_slowly();
    let payment = road.paid(100).await;
    let refund = road.world.refund(&payment.sn).await.unwrap();
    assert_eq!(road.world.run_jobs().await, []);
    assert!(stripe(&road).end_refund(&refund.sn, "failed"));
    let failure = road.take();
    for delivery in &failure {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.world.open_cases().await, ["refund_refused"]);
    // Somebody pays it back by hand.
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 100));
    assert!(stripe(&road).settle_in_dashboard(&payment.sn));
    road.deliver_all().await;
    assert_eq!(road.state(&payment.sn).await, "refunded");
    for delivery in &failure {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_failure_that_a_payment_by_hand_has_overtaken_is_no_return() {
    let road = Road::stripe().await;
    road.refund_slowly();
    let payment = road.paid(100).await;
    let refund = road.world.refund(&payment.sn).await.unwrap();
    assert_eq!(road.world.run_jobs().await, []);
    assert!(stripe(&road).end_refund(&refund.sn, "failed"));
    let failure = road.take();
    assert!(!failure.is_empty());
    // Somebody has seen it at the provider and pays by hand, before we hear of the failure.
    assert!(stripe(&road).refund_in_dashboard(&payment.sn, 100));
    assert!(stripe(&road).settle_in_dashboard(&payment.sn));
    road.deliver_all().await;
    assert_eq!(road.state(&payment.sn).await, "refunded");
    for delivery in &failure {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    // Whoever sent it again would pay twice.
    assert_eq!(road.world.open_cases().await, [] as [&str; 0]);
    assert_eq!(refund_state(&road, &refund.sn).await, "succeeded");
}

#[tokio::test]
async fn money_that_the_books_hold_in_another_currency_pays_nothing() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    let change = "UPDATE sandbox_charge SET state = 'captured', captured_at_ms = 1, currency = 'USD'";
    world
        .db
        .db
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(change).execute(&mut **tx).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let _ = world.close(&order).await;
    assert_ne!(world.get(&payment.sn).await.state, "captured");
    assert_eq!(world.open_cases().await, ["wrong_amount"]);
}
