//! Cancelling paid orders: the policy, the host, what is kept.

use homestay_proto::common::{CancellationPolicy, PolicyWindow};

use super::*;

/// Who owns the fake travel's houses.
pub(super) const HOST: i64 = 6;
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// 15:00 in Shanghai on the first of December.
pub(super) const CHECK_IN_MS: i64 = 1_796_108_400_000;

pub(super) fn moderate() -> Option<CancellationPolicy> {
    let window = |hours_before, refund_percent| PolicyWindow {
        hours_before,
        refund_percent,
    };
    Some(CancellationPolicy {
        name: "moderate".into(),
        windows: vec![window(120, 100), window(24, 50)],
    })
}

/// A world in which a moderate order is paid, and the clock stands `before` its check-in.
pub(super) async fn paid_before(before: Duration) -> (World, String, String) {
    let world = World::new().await;
    let (sn, payment) = paid_in(&world, before).await;
    (world, sn, payment)
}

/// The same in a world.
pub(super) async fn paid_in(world: &World, before: Duration) -> (String, String) {
    world.travel.state().policy = moderate();
    let (sn, payment) = world.paid().await;
    let now = u64::try_from(world.clock.now_ms()).unwrap();
    let at = u64::try_from(CHECK_IN_MS).unwrap() - u64::try_from(before.as_millis()).unwrap();
    world.clock.advance(Duration::from_millis(at - now));
    (sn, payment)
}

#[tokio::test]
async fn the_preview_is_what_the_cancellation_does_to_the_cent() {
    for (before, refund) in [
        (120 * HOUR, TOTAL),
        (120 * HOUR - Duration::from_millis(1), TOTAL / 2),
        (24 * HOUR, TOTAL / 2),
    ] {
        let (world, sn, payment) = paid_before(before).await;

        let preview = world.preview(GUEST, &sn).await.unwrap();
        let cancelled = world.cancel(GUEST, &sn).await.unwrap();

        assert_eq!(
            (preview.refund_cents, preview.kept_cents, preview.charged_cents),
            (refund, TOTAL - refund, TOTAL),
            "{before:?}"
        );
        assert_eq!(preview.policy.unwrap().name, "moderate");
        assert_eq!(
            (
                cancelled.state.as_str(),
                cancelled.trade_state,
                cancelled.cancelled_by.as_str()
            ),
            ("refund_pending", 3, "guest")
        );
        assert_eq!(
            (cancelled.refund_cents, cancelled.kept_cents),
            (refund, TOTAL - refund)
        );
        assert_eq!(cancelled.trade_code, "");
        assert!(world.travel.held(&sn).is_empty());
        assert_eq!(world.payment.back(&payment), refund);
        assert_eq!(
            world
                .payment
                .state()
                .settled
                .get(&sn)
                .copied()
                .unwrap_or_default(),
            TOTAL - refund
        );
        world.payment.refunds_done();
        assert_eq!(world.advance(&sn).await.unwrap(), "refunded");
        assert_eq!(
            steps(&world.order(&sn).await),
            [
                "Scheduling =x",
                "Pre-Processing =x",
                "Processing =x",
                "Post-Processing -x",
                "Failed ="
            ]
        );
        assert_eq!(world.payment.back(&payment), refund);
    }
}

#[tokio::test]
async fn a_booking_of_which_nothing_goes_back_is_cancelled_and_its_money_is_never_late_money() {
    let (world, sn, payment) = paid_before(24 * HOUR - Duration::from_millis(1)).await;

    let cancelled = world.cancel(GUEST, &sn).await.unwrap();

    assert_eq!(
        (
            cancelled.state.as_str(),
            cancelled.trade_state,
            cancelled.cancelled_by.as_str()
        ),
        ("cancelled", -1, "guest")
    );
    assert_eq!((cancelled.refund_cents, cancelled.kept_cents), (0, TOTAL));
    for _ in 0..2 {
        assert_eq!(world.advance(&sn).await.unwrap(), "cancelled");
        world.clock.advance(Duration::from_secs(120));
        world.sweep().await;
    }
    assert!(world.payment.state().refunds.is_empty());
    assert_eq!(world.payment.of(&payment), "captured");
    assert_eq!(world.payment.state().settled.get(&sn), Some(&TOTAL));
    assert!(world.travel.held(&sn).is_empty());
    assert_eq!(
        steps(&world.order(&sn).await),
        [
            "Scheduling =x",
            "Pre-Processing =",
            "Processing =x",
            "Post-Processing -x",
            "Failed ="
        ]
    );
    // A second payment still is one too many.
    let second = world.payment.has(&sn, "captured", TOTAL);
    assert_eq!(world.advance(&sn).await.unwrap(), "cancelled");
    assert_eq!(world.payment.of(&second), "refund_pending");
}

#[tokio::test]
async fn host_and_operator_give_everything_back_whatever_the_policy_says() {
    for (id, role, by) in [
        (HOST, Role::Host, "host"),
        (900, Role::Operator, "operator"),
        (901, Role::Admin, "operator"),
    ] {
        let (world, sn, payment) = paid_before(HOUR).await;
        let request = pb::CancelRequest {
            sn: sn.clone(),
            reason: "the roof leaks".into(),
            expected_refund_cents: Some(TOTAL),
        };
        let order = world
            .as_role(id, role)
            .cancel(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (
                order.state.as_str(),
                order.cancelled_by.as_str(),
                order.refund_cents
            ),
            ("refund_pending", by, TOTAL)
        );
        assert_eq!(world.payment.of(&payment), "refund_pending");
        assert!(world.payment.state().settled.is_empty());
        assert_eq!(
            order.steps.last().unwrap().error,
            match by {
                "host" => "cancelled by the host: the roof leaks",
                _ => "cancelled by an operator: the roof leaks",
            }
        );
    }
}

#[tokio::test]
async fn a_host_cancels_an_unpaid_order_too() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    let request = pb::CancelRequest {
        sn: sn.clone(),
        ..Default::default()
    };
    let order = world
        .as_role(HOST, Role::Host)
        .cancel(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (order.state.as_str(), order.cancelled_by.as_str()),
        ("cancelled", "host")
    );
    // What comes all the same goes back.
    world.payment.has(&sn, "captured", TOTAL);
    assert_eq!(world.advance(&sn).await.unwrap(), "refund_pending");
}

#[tokio::test]
async fn an_unexpected_refund_is_told_and_nothing_is_done() {
    let (world, sn, _) = paid_before(100 * HOUR).await;
    let request = pb::CancelRequest {
        sn: sn.clone(),
        reason: String::new(),
        expected_refund_cents: Some(TOTAL),
    };
    let refused = world.user(GUEST).cancel(request).await.expect_err("a refusal");
    let error = Error::from(refused);
    assert_eq!(error.code(), Code::RefundChanged);
    let detail = error.detail().expect("a preview");
    assert_eq!(
        (&detail["refundCents"], &detail["keptCents"], &detail["percent"]),
        (&(TOTAL / 2).into(), &(TOTAL / 2).into(), &50.into())
    );
    assert_eq!(world.order(&sn).await.state, "confirmed");
}

#[tokio::test]
async fn cancelling_twice_is_cancelling_once() {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.cancel(GUEST, &sn).await.unwrap();
    let once = world.dump().await;
    let again = world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(again.state, "refund_pending");
    assert_eq!(world.dump().await, once);
    assert_eq!(world.payment.back(&payment), TOTAL / 2);
}

#[tokio::test]
async fn strangers_and_other_hosts_learn_nothing() {
    let (world, sn, _) = paid_before(100 * HOUR).await;
    for (id, role) in [
        (GUEST + 1, Role::Guest),
        (HOST + 1, Role::Host),
        (HOST, Role::Guest),
    ] {
        let mut client = world.as_role(id, role);
        let sn = sn.clone();
        let get = pb::GetRequest {
            sn: sn.clone(),
            without_steps: true,
        };
        let codes = [
            Error::from(client.get(get).await.unwrap_err()).code(),
            Error::from(
                client
                    .preview_cancel(pb::PreviewCancelRequest { sn: sn.clone() })
                    .await
                    .unwrap_err(),
            )
            .code(),
            Error::from(
                client
                    .cancel(pb::CancelRequest {
                        sn: sn.clone(),
                        ..Default::default()
                    })
                    .await
                    .unwrap_err(),
            )
            .code(),
            Error::from(
                client
                    .list_changes(pb::ListChangesRequest { sn })
                    .await
                    .unwrap_err(),
            )
            .code(),
        ];
        assert_eq!(codes, [Code::OrderNotFound; 4], "{role:?}");
    }
    assert_eq!(
        code(world.preview(GUEST, "HSO2026112110155912345678").await),
        Code::OrderNotFound
    );
}

#[tokio::test]
async fn the_host_sees_the_booking_without_its_code() {
    let (world, sn, _) = paid_before(100 * HOUR).await;
    let get = |sn: &str| pb::GetRequest {
        sn: sn.into(),
        without_steps: false,
    };
    let seen = world
        .as_role(HOST, Role::Host)
        .get(get(&sn))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((seen.sn.as_str(), seen.trade_code.as_str()), (sn.as_str(), ""));
    let own = world.user(GUEST).get(get(&sn)).await.unwrap().into_inner();
    assert_eq!(own.trade_code.len(), 8);
    assert_eq!(own.check_in_at_ms, CHECK_IN_MS);
    assert_eq!((own.charged_cents, own.due_cents), (TOTAL, 0));
}

#[tokio::test]
async fn a_stay_that_is_over_is_not_cancelled_by_its_guest() {
    let (world, sn, _) = paid_before(HOUR).await;
    world.clock.advance(100 * HOUR);
    assert_eq!(code(world.cancel(GUEST, &sn).await), Code::OrderState);
    assert_eq!(world.order(&sn).await.state, "confirmed");
}

#[tokio::test]
async fn a_free_booking_is_confirmed_at_once_and_cancelled_without_money() {
    let world = World::new().await;
    let request = pb::CreateRequest {
        house_id: 99,
        ..booking_with_key("free")
    };
    let order = world.create(GUEST, request.clone()).await.unwrap();
    assert_eq!(
        (order.state.as_str(), order.due_cents, order.total_cents),
        ("confirmed", 0, 0)
    );
    assert_eq!(order.trade_code.len(), 8);
    assert_eq!(
        world.create(GUEST, request).await.unwrap(),
        world.order(&order.sn).await
    );
    let outbox = world.outbox().await;
    assert!(outbox.contains(&format!(
        "job mqueue.notify_order_paid notify.paid:{}:guest",
        order.sn
    )));
    assert!(!outbox.iter().any(|entry| entry.contains("order.close")));
    let cancelled = world.cancel(GUEST, &order.sn).await.unwrap();
    assert_eq!((cancelled.state.as_str(), cancelled.kept_cents), ("cancelled", 0));
    assert!(world.travel.held(&order.sn).is_empty());
}

#[tokio::test]
async fn a_refund_that_payment_rpc_refuses_is_a_case_for_an_operator() {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.payment.state().refuses_refunds = true;
    world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(world.payment.state().cases, [format!("{payment}:cancel")]);
    assert_eq!(world.advance(&sn).await.unwrap(), "refund_pending");
    assert_eq!(world.payment.state().cases.len(), 1);
}

#[tokio::test]
async fn a_call_lost_at_any_point_of_a_paid_cancellation_is_made_good_by_its_job() {
    for before in [100 * HOUR, HOUR] {
        let (world, sn, _) = paid_before(before).await;
        world.faults.none();
        world.cancel(GUEST, &sn).await.unwrap();
        let calls = world.faults.calls();
        let want = (
            world.order(&sn).await.state,
            world
                .payment
                .state()
                .settled
                .values()
                .copied()
                .collect::<Vec<_>>(),
        );
        assert!(calls >= 3, "{calls}");
        for nth in 0..calls {
            for fault in [peers::Fault::Request, peers::Fault::Reply] {
                let (world, sn, payment) = paid_before(before).await;
                world.faults.lose(nth, fault);
                let _ = world.cancel(GUEST, &sn).await;
                world.faults.none();
                let follow_up = format!("job order.advance order.cancelled.paid:{sn}");
                assert!(world.outbox().await.contains(&follow_up));
                world.advance(&sn).await.unwrap();
                let got = (
                    world.order(&sn).await.state,
                    world
                        .payment
                        .state()
                        .settled
                        .values()
                        .copied()
                        .collect::<Vec<_>>(),
                );
                assert_eq!(got, want, "{nth} {fault:?}");
                assert!(world.travel.held(&sn).is_empty(), "{nth} {fault:?}");
                let order = world.order(&sn).await;
                assert_eq!(world.payment.back(&payment), order.refund_cents);
            }
        }
    }
}
