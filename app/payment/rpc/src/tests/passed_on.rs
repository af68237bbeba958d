//! Money that was passed on to the host does not go back as well; and if a provider gives it back, somebody is told.

use homestay_error::Code;
use homestay_proto::payment as pb;

use super::books::{assert_books, balances};
use super::shaky::Fault;
use super::support::{World, code, says};
use crate::sandbox::Notification;

fn by_hand(payment: &pb::PaymentView, number: &str, cents: i64) -> Notification {
    Notification {
        event_id: format!("event-{number}"),
        refund_sn: number.to_owned(),
        total_cents: cents,
        ..says("refunded", payment)
    }
}

/// 100 captured; half of it went back by policy, half is kept and passed on.
async fn cancelled(world: &World) -> pb::PaymentView {
    let payment = world.captured(100).await;
    world.refund_part(&payment.sn, 50, "cancel").await.unwrap();
    world.settle(&payment.order_sn, 50, "cancel").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_books(world).await;
    payment
}

fn host_has_50() -> Vec<(String, i64)> {
    vec![
        ("host_payable".to_owned(), 50),
        ("provider:sandbox".to_owned(), -50),
    ]
}

#[tokio::test]
async fn an_older_case_does_not_give_back_what_was_passed_on() {
    let world = World::start().await;
    let payment = world.captured(100).await;
    let claim = Notification {
        total_cents: 99,
        ..says("captured", &payment)
    };
    assert_eq!(world.call_back(&claim).await.0, 400);
    world.refund_part(&payment.sn, 50, "cancel").await.unwrap();
    world.settle(&payment.order_sn, 50, "cancel").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    let refused = world.resolve_first("refund").await.unwrap_err();
    assert_eq!(code(refused), Code::RefundExceeds);
    for (cents, key) in [(1, "a"), (0, "b"), (0, "")] {
        let refused = world.refund_part(&payment.sn, cents, key).await.unwrap_err();
        assert_eq!(code(refused), Code::RefundExceeds, "{cents} {key}");
    }
    assert_eq!(world.open_cases().await, ["wrong_amount"]);
    assert_eq!(balances(&world.db.db).await, host_has_50());
    assert_books(&world).await;
}

#[tokio::test]
async fn what_was_passed_on_and_given_back_by_hand_is_a_case_also_when_nothing_is_left() {
    for (parts, state) in [
        (&[50_i64][..], "refunded"),
        (&[20], "captured"),
        (&[20, 30], "refunded"),
    ] {
        let world = World::start().await;
        let payment = cancelled(&world).await;
        for cents in parts {
            let told = by_hand(&payment, &format!("dashboard-{cents}"), *cents);
            for _ in 0..2 {
                assert_eq!(world.call_back(&told).await.0, 200);
            }
            assert_books(&world).await;
        }
        let back: i64 = parts.iter().sum();
        let got = world.get(&payment.sn).await;
        assert_eq!((got.state.as_str(), got.refunded_cents), (state, 50 + back));
        assert_eq!(world.open_cases().await, vec!["provider_refund"; parts.len()]);
        let lost = balances(&world.db.db).await;
        assert!(lost.contains(&("overpaid".to_owned(), -back)), "{lost:?}");
        assert!(lost.contains(&("host_payable".to_owned(), 50)), "{lost:?}");
    }
}

#[tokio::test]
async fn another_payment_of_the_order_goes_back_whole_although_the_first_was_passed_on() {
    let world = World::start().await;
    let first = world.captured(100).await;
    world.settle_order(&first.order_sn, &first.sn);
    world.set_due(&first.order_sn, 2, 40);
    let second = world.create(&first.order_sn).await.unwrap();
    world.act(&second, "pay").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    world.settle(&first.order_sn, 100, "x").await.unwrap();
    world.refund(&second.sn).await.unwrap();
    let refused = world.refund_part(&first.sn, 1, "a").await.unwrap_err();
    assert_eq!(code(refused), Code::RefundExceeds);
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&second.sn).await.state, "refunded");
    assert_books(&world).await;
}

#[tokio::test]
async fn a_refund_and_a_settlement_at_once_never_share_money() {
    let world = World::start().await;
    for nth in 0..12 {
        let payment = world.captured(100).await;
        let (back, kept) = tokio::join!(
            world.refund_part(&payment.sn, 60, "a"),
            world.settle(&payment.order_sn, 60, "a")
        );
        assert_ne!(back.is_ok(), kept.is_ok(), "round {nth}");
        if let Err(refused) = back {
            assert_eq!(code(refused), Code::RefundExceeds);
        }
        if let Err(refused) = kept {
            assert_eq!(code(refused), Code::PaymentState);
        }
        assert_eq!(world.run_jobs().await, []);
    }
    assert_books(&world).await;
}

#[tokio::test]
async fn whatever_meets_at_a_refused_refund_nobody_waits_for_ever() {
    let world = World::start().await;
    for nth in 0..8 {
        let payment = world.captured(100).await;
        let refund = world.refund_part(&payment.sn, 50, "cancel").await.unwrap();
        world.fail("refund", Fault::Refused);
        assert_eq!(world.run_jobs().await, []);
        world.heal();
        let ours = Notification {
            event_id: format!("ours-{nth}"),
            refund_sn: refund.sn.clone(),
            total_cents: 50,
            ..says("refunded", &payment)
        };
        let hand = by_hand(&payment, &format!("dashboard-{nth}"), 50);
        let case = world.cases().await[0].id;
        let (told, by_hand, resolved, kept) = tokio::join!(
            world.call_back(&ours),
            world.call_back(&hand),
            world.resolve(case, "retry_refund"),
            world.settle(&payment.order_sn, 50, "cancel")
        );
        assert_eq!((told.0, by_hand.0), (200, 200));
        if let Err(refused) = resolved {
            assert!(matches!(code(refused), Code::PaymentState | Code::CaseState));
        }
        if let Err(refused) = kept {
            assert_eq!(code(refused), Code::PaymentState);
        }
        assert_eq!(world.run_jobs().await, []);
        assert_books(&world).await;
        world.resolve_all().await;
    }
}
