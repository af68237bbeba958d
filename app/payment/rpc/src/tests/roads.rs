//! Whole roads over the providers' simulators: their servers, their signatures, their ways to go wrong.

use std::time::Duration;

use homestay_error::Code;
use homestay_proto::payment as pb;
use homestay_testkit::providers::{Fault, WechatSimulator};

use super::road::{Outside, Road};
use super::support::{GUEST, STRANGER, code};

#[tokio::test]
async fn a_payment_is_made_paid_told_and_given_back_in_parts() {
    for road in Road::both().await {
        let order = road.world.order(25_600);
        let payment = road.world.create(&order).await.unwrap();
        assert_eq!(
            (payment.provider.as_str(), payment.state.as_str()),
            (road.name(), "pending")
        );
        match &road.outside {
            Outside::Wechat(simulator) => {
                assert!(payment.pay_url.is_empty());
                let fields = payment.wechat.clone().unwrap();
                let signed = format!(
                    "{}\n{}\n{}\n{}\n",
                    fields.appid, fields.timestamp, fields.nonce_str, fields.package
                );
                assert!(simulator.merchant_has_signed(&signed, &fields.pay_sign));
                let request = simulator.request(&payment.sn).unwrap();
                assert_eq!(request["payer"]["openid"], format!("openid-{GUEST}"));
            }
            Outside::Stripe(_) => {
                assert!(payment.pay_url.starts_with("https://checkout.stripe.example/"));
                assert_eq!(payment.wechat, None);
            }
        }
        // Again: the same payment, payable as before.
        let again = road.world.create(&order).await.unwrap();
        assert_eq!(
            (again.sn.as_str(), again.wechat.is_some()),
            (payment.sn.as_str(), payment.wechat.is_some())
        );

        assert!(road.pay(&payment.sn));
        let told = road.take();
        for _ in 0..3 {
            for delivery in &told {
                assert_eq!(road.deliver(delivery).await.0, 200);
            }
        }
        assert_eq!(road.state(&payment.sn).await, "captured");
        assert_eq!(road.world.statuses().await, [1]);

        for (key, cents, state) in [("a", 600, "captured"), ("b", 25_000, "refunded")] {
            let request = pb::RefundRequest {
                payment_sn: payment.sn.clone(),
                reason: "cancelled".to_owned(),
                amount_cents: cents,
                key: key.to_owned(),
            };
            road.world.as_service().refund(request).await.unwrap();
            assert_eq!(road.world.run_jobs().await, []);
            road.deliver_all().await;
            assert_eq!(road.state(&payment.sn).await, state, "{}", road.name());
        }
        assert_eq!(road.refunded(&payment.sn), (25_600, 2));
        assert_eq!(road.world.get(&payment.sn).await.refunded_cents, 25_600);
        assert_eq!(road.cases().await, 0);
    }
}

#[tokio::test]
async fn the_callback_may_come_before_the_prepay_is_answered() {
    for road in Road::both().await {
        let order = road.world.order(100);
        road.fail("prepay", "create", Fault::AnswerLost);
        assert_eq!(code(road.world.create(&order).await.unwrap_err()), Code::Provider);
        let payment = road.world.list(&order).await.remove(0);
        assert_eq!(payment.state, "created");
        assert!(road.pay(&payment.sn));
        road.deliver_all().await;
        assert_eq!(road.state(&payment.sn).await, "captured");
        road.heal();
        let again = road.world.create(&order).await.unwrap();
        assert_eq!((again.sn, again.state.as_str()), (payment.sn, "captured"));
        assert_eq!(road.world.statuses().await, [1]);
    }
}

#[tokio::test]
async fn an_outage_ends_and_nothing_was_lost_by_it() {
    for road in Road::both().await {
        let order = road.world.order(100);
        road.cut_off();
        assert_eq!(code(road.world.create(&order).await.unwrap_err()), Code::Provider);
        assert_eq!(code(road.world.close(&order).await.unwrap_err()), Code::Provider);
        road.heal();
        // Closed for payments it stays: the order was about to end.
        assert_eq!(
            code(road.world.create(&order).await.unwrap_err()),
            Code::NotPayable
        );
        assert_eq!(road.world.close(&order).await.unwrap()[0].state, "closed");
        assert_eq!(road.world.statuses().await, [-1]);
        let sn = road.world.list(&order).await.remove(0).sn;
        assert!(!road.pay(&sn));
    }
}

#[tokio::test]
async fn closing_finds_money_of_which_nobody_has_told() {
    for road in Road::both().await {
        let order = road.world.order(100);
        let payment = road.world.create(&order).await.unwrap();
        assert!(road.pay(&payment.sn));
        let lost = road.take();
        let closed = road.world.close(&order).await.unwrap();
        assert_eq!(closed[0].state, "captured", "{}", road.name());
        // The lost one comes after all, and changes nothing.
        for delivery in &lost {
            assert_eq!(road.deliver(delivery).await.0, 200);
        }
        assert_eq!(road.world.statuses().await, [1]);
    }
}

#[tokio::test]
async fn closing_makes_a_payment_unpayable_at_once() {
    for road in Road::both().await {
        let order = road.world.order(100);
        let payment = road.world.create(&order).await.unwrap();
        road.fail("close", "expire", Fault::AnswerLost);
        assert_eq!(code(road.world.close(&order).await.unwrap_err()), Code::Provider);
        assert!(!road.pay(&payment.sn));
        road.heal();
        assert_eq!(road.world.close(&order).await.unwrap()[0].state, "closed");
        road.deliver_all().await;
        assert_eq!(road.world.statuses().await, [-1]);
    }
}

#[tokio::test]
async fn a_sweep_finds_what_a_lost_callback_would_have_told() {
    for road in Road::both().await {
        let paid = road.world.create(&road.world.order(100)).await.unwrap();
        let left = road.world.create(&road.world.order(100)).await.unwrap();
        assert!(road.pay(&paid.sn));
        drop(road.take());
        road.world.clock.advance(Duration::from_secs(1_800 + 61));
        road.world.sweep().await;
        assert_eq!(road.state(&paid.sn).await, "captured");
        assert_eq!(road.state(&left.sn).await, "closed");
        assert!(!road.pay(&left.sn));
    }
}

#[tokio::test]
async fn a_refund_is_made_once_through_outage_lost_answers_and_repetition() {
    for road in Road::both().await {
        let payment = road.paid(100).await;
        let refund = road.world.refund(&payment.sn).await.unwrap();
        for fault in [Fault::Down, Fault::AnswerLost] {
            road.fail("refund", "refund", fault);
            assert_eq!(road.world.run_jobs().await, [Code::Provider]);
            assert_eq!(road.state(&payment.sn).await, "refund_pending");
        }
        road.heal();
        assert_eq!(road.world.run_jobs().await, []);
        assert_eq!(
            road.world.execute_refund(&refund.sn).await.unwrap().state,
            "succeeded"
        );
        let told = road.take();
        for delivery in told.iter().rev().chain(&told) {
            assert_eq!(road.deliver(delivery).await.0, 200);
        }
        assert_eq!(road.state(&payment.sn).await, "refunded");
        assert_eq!(road.refunded(&payment.sn), (100, 1));
        assert_eq!(road.world.statuses().await, [1, 2]);
    }
}

#[tokio::test]
async fn a_refund_that_takes_its_time_ends_by_callback_or_by_asking_again() {
    for road in Road::both().await {
        road.refund_slowly();
        for by_callback in [true, false] {
            let payment = road.paid(100).await;
            let refund = road.world.refund(&payment.sn).await.unwrap();
            assert_eq!(road.world.run_jobs().await, []);
            assert_eq!(road.state(&payment.sn).await, "refund_pending");
            assert!(road.end_refund(&refund.sn, true));
            if by_callback {
                road.deliver_all().await;
            } else {
                drop(road.take());
                road.world.clock.advance(Duration::from_secs(61));
                road.world.sweep().await;
            }
            assert_eq!(
                road.state(&payment.sn).await,
                "refunded",
                "{} {by_callback}",
                road.name()
            );
        }
    }
}

#[tokio::test]
async fn a_refund_that_fails_becomes_a_case() {
    for road in Road::both().await {
        road.refund_slowly();
        let payment = road.paid(100).await;
        let refund = road.world.refund(&payment.sn).await.unwrap();
        assert_eq!(road.world.run_jobs().await, []);
        assert!(road.end_refund(&refund.sn, false));
        road.deliver_all().await;
        assert_eq!(
            road.world.execute_refund(&refund.sn).await.unwrap().state,
            "failed"
        );
        assert_eq!(road.cases().await, 1);

        let other = road.paid(100).await;
        let refund = road.world.refund(&other.sn).await.unwrap();
        road.fail("refund", "refund", Fault::Refuse("NOT_ENOUGH"));
        assert_eq!(road.world.run_jobs().await, []);
        assert_eq!(
            road.world.execute_refund(&refund.sn).await.unwrap().state,
            "failed"
        );
        assert_eq!(road.cases().await, 2);
    }
}

#[tokio::test]
async fn news_in_the_wrong_order_end_as_on_the_clean_road() {
    for road in Road::both().await {
        let order = road.world.order(100);
        let payment = road.world.create(&order).await.unwrap();
        assert!(road.pay(&payment.sn));
        let paid = road.take();
        // Known by asking, so that it can be refunded before the callback comes.
        road.world.close(&order).await.unwrap();
        road.world.refund(&payment.sn).await.unwrap();
        assert_eq!(road.world.run_jobs().await, []);
        let refunded = road.take();
        for delivery in refunded.iter().chain(&paid).chain(&refunded) {
            assert_eq!(road.deliver(delivery).await.0, 200);
        }
        assert_eq!(road.state(&payment.sn).await, "refunded");
        assert_eq!(road.world.statuses().await, [1, 2]);
    }
}

#[tokio::test]
async fn wrong_amounts_forgeries_and_old_callbacks_are_refused_and_change_nothing() {
    let road = Road::wechat().await;
    let payment = road.world.create(&road.world.order(25_600)).await.unwrap();
    let Outside::Wechat(simulator) = &road.outside else {
        unreachable!()
    };
    assert!(simulator.pay_with_coupon(&payment.sn, 600));
    let told = road.take().remove(0);
    let mut forged = told.clone();
    forged.body.push(b' ');
    road.world.clock.advance(Duration::from_secs(301));
    for delivery in [&forged, &told] {
        let (status, text) = road.deliver(delivery).await;
        assert_eq!(status, 401);
        assert!(text.contains("\"code\":\"SIGN_ERROR\""), "{text}");
    }
    let news = |total: i64| {
        serde_json::json!({
            "appid": WechatSimulator::APP_ID, "mchid": WechatSimulator::MCH_ID, "out_trade_no": payment.sn,
            "transaction_id": "42", "trade_state": "SUCCESS", "success_time": "2026-11-21T08:00:00+08:00",
            "amount": { "total": total, "payer_total": total - 600, "currency": "CNY" },
        })
    };
    let wrong = simulator.notification("TRANSACTION.SUCCESS", &news(25_000));
    assert_eq!(road.deliver(&wrong).await.0, 400);
    assert_eq!(road.cases().await, 1);
    assert_eq!(road.state(&payment.sn).await, "pending");
    // What a coupon took is WeChat's to pay.
    let right = simulator.notification("TRANSACTION.SUCCESS", &news(25_600));
    assert_eq!(road.deliver(&right).await.0, 200);
    assert_eq!(road.state(&payment.sn).await, "captured");
}

#[tokio::test]
async fn who_is_not_bound_to_wechat_is_told_what_to_do() {
    let road = Road::wechat().await;
    let request = pb::CreateRequest {
        order_sn: road.world.order_of(STRANGER, 100),
        service_type: "homestayOrder".to_owned(),
        ..Default::default()
    };
    let refused = road.world.as_user(STRANGER).create(request).await.unwrap_err();
    assert!(refused.message().contains("wxMiniAuth"), "{refused:?}");
    assert_eq!(code(refused), Code::WechatNotBound);
}

#[tokio::test]
async fn what_the_provider_will_not_take_makes_room_for_another_attempt() {
    for road in Road::both().await {
        let order = road.world.order(100);
        road.fail("prepay", "create", Fault::Refuse("PARAM_ERROR"));
        assert_eq!(
            code(road.world.create(&order).await.unwrap_err()),
            Code::ProviderRefused
        );
        road.heal();
        let payment = road.world.create(&order).await.unwrap();
        assert_eq!(payment.state, "pending");
        let states: Vec<_> = road
            .world
            .list(&order)
            .await
            .into_iter()
            .map(|one| one.state)
            .collect();
        assert_eq!(states, ["closed", "pending"]);
    }
}

#[tokio::test]
async fn a_refund_made_in_stripes_dashboard_is_known_by_the_payment_intent() {
    let road = Road::stripe().await;
    let payment = road.paid(1_000).await;
    let Outside::Stripe(simulator) = &road.outside else {
        unreachable!()
    };
    assert!(simulator.refund_in_dashboard(&payment.sn, 1_000));
    let told = road.take();
    for delivery in told.iter().chain(&told) {
        assert_eq!(road.deliver(delivery).await.0, 200);
    }
    assert_eq!(road.state(&payment.sn).await, "refunded");
    // Of another shop with the same account.
    let refund = serde_json::json!({
        "id": "re_9", "status": "succeeded", "amount": 5, "currency": "eur", "payment_intent": "pi_other",
    });
    let before = road.cases().await;
    let other = simulator.sign(simulator.event("refund.created", &refund));
    assert_eq!(road.deliver(&other).await.0, 200);
    assert_eq!(road.cases().await, before);
}
