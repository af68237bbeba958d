//! Every run twice equals once, and a failure at every call to a peer leaves nothing behind that the next run does not
//! put right.

use peers::Fault;

use super::*;

/// A way an order can go: what is prepared, and where it comes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Untouched,
    Paid,
    PaidTwice,
    PaidWrongly,
    Closed,
    CapturedAtClose,
    Cancelled,
    LateAndFree,
    LateAndTaken,
    LateAfterCancel,
    LateTwice,
    RefundDone,
    Reversed,
}

const WAYS: [(Way, &str); 13] = [
    (Way::Untouched, "awaiting_payment"),
    (Way::Paid, "confirmed"),
    (Way::PaidTwice, "confirmed"),
    (Way::PaidWrongly, "awaiting_payment"),
    (Way::Closed, "cancelled"),
    (Way::CapturedAtClose, "confirmed"),
    (Way::Cancelled, "cancelled"),
    (Way::LateAndFree, "confirmed"),
    (Way::LateAndTaken, "refund_pending"),
    (Way::LateAfterCancel, "refund_pending"),
    (Way::LateTwice, "confirmed"),
    (Way::RefundDone, "refunded"),
    (Way::Reversed, "refunded"),
];

/// Prepares an order of which something is due.
async fn prepare(world: &World, way: Way) -> String {
    let late = matches!(way, Way::LateAndFree | Way::LateAndTaken | Way::LateTwice);
    let sn = if late {
        world.timed_out().await.sn
    } else {
        world.booked().await.sn
    };
    let captured = |amount| world.payment.has(&sn, "captured", amount);
    match way {
        Way::Untouched => {}
        Way::Paid | Way::LateAndFree => {
            captured(TOTAL);
        }
        Way::PaidTwice | Way::LateTwice => {
            captured(TOTAL);
            captured(TOTAL);
        }
        Way::PaidWrongly => {
            captured(TOTAL + 1);
        }
        Way::Closed | Way::CapturedAtClose => {
            world.payment.has(&sn, "pending", TOTAL);
            world.payment.state().captured_at_close = way == Way::CapturedAtClose;
            world.clock.advance(Duration::from_secs(30 * 60));
        }
        Way::Cancelled => {
            world.travel.state().down = true;
            world.cancel(GUEST, &sn).await.unwrap();
            world.travel.state().down = false;
        }
        Way::LateAndTaken => {
            world.travel.taken_by_another();
            captured(TOTAL);
        }
        Way::LateAfterCancel => {
            world.cancel(GUEST, &sn).await.unwrap();
            captured(TOTAL);
        }
        Way::Reversed => {
            let payment = captured(TOTAL);
            world.advance(&sn).await.unwrap();
            world.payment.refunded_by_provider(&payment);
        }
        Way::RefundDone => {
            world.cancel(GUEST, &sn).await.unwrap();
            captured(TOTAL);
            world.advance(&sn).await.unwrap();
            world.payment.refunds_done();
        }
    }
    sn
}

/// What must be the same however the order got there.
async fn outcome(world: &World, sn: &str) -> (String, Vec<String>, Vec<i64>, Vec<(String, String)>, usize) {
    let order = world.order(sn).await;
    let payments = world
        .payment
        .state()
        .payments
        .iter()
        .map(|p| (p.sn.clone(), p.state.clone()))
        .collect();
    let events = world.outbox().await.len();
    (
        order.state.clone(),
        steps(&order),
        world.travel.held(sn),
        payments,
        events,
    )
}

#[tokio::test]
async fn advancing_twice_changes_nothing_more_wherever_the_order_stands() {
    for (way, state) in WAYS {
        let world = World::new().await;
        let sn = prepare(&world, way).await;
        assert_eq!(world.advance(&sn).await.unwrap(), state, "{way:?}");
        let (once, refunds) = (world.dump().await, world.payment.state().refunds.clone());
        assert_eq!(world.advance(&sn).await.unwrap(), state, "{way:?}");
        assert_eq!(world.dump().await, once, "{way:?}");
        assert_eq!(world.payment.state().refunds, refunds, "{way:?}");
    }
}

#[tokio::test]
async fn a_call_lost_at_any_point_is_made_good_by_the_next_run() {
    for (way, state) in WAYS {
        let plain = World::new().await;
        let sn = prepare(&plain, way).await;
        plain.faults.none();
        plain.advance(&sn).await.unwrap();
        let calls = plain.faults.calls();
        let want = outcome(&plain, &sn).await;
        assert!(calls > 0, "{way:?}");

        for nth in 0..calls {
            for fault in [Fault::Request, Fault::Reply] {
                let world = World::new().await;
                let sn = prepare(&world, way).await;
                world.faults.lose(nth, fault);
                // It may fail or find another way; the next one, undisturbed, must come to the same end.
                let _ = world.advance(&sn).await;
                world.faults.none();
                assert_eq!(
                    world.advance(&sn).await.unwrap(),
                    state,
                    "{way:?} {nth} {fault:?}"
                );
                let got = outcome(&world, &sn).await;
                // Numbers differ from world to world.
                assert_eq!(
                    (&got.0, &got.1, &got.2, &got.4),
                    (&want.0, &want.1, &want.2, &want.4),
                    "{way:?} {nth} {fault:?}"
                );
                assert_eq!(got.3, want.3, "{way:?} {nth} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_lost_at_any_point_of_a_cancellation_leaves_no_nights_and_no_open_payment() {
    for nth in 0..3 {
        for fault in [Fault::Request, Fault::Reply] {
            let world = World::new().await;
            let sn = world.booked().await.sn;
            let payment = world.payment.has(&sn, "pending", TOTAL);
            world.faults.lose(nth, fault);
            assert_eq!(
                world.cancel(GUEST, &sn).await.unwrap().state,
                "cancelled",
                "{nth} {fault:?}"
            );
            world.faults.none();
            // The job that the cancellation left.
            world.advance(&sn).await.unwrap();
            assert!(world.travel.held(&sn).is_empty(), "{nth} {fault:?}");
            assert_eq!(world.payment.of(&payment), "closed", "{nth} {fault:?}");
        }
    }
}

/// Has every change of an order's state fail from the moment payment-rpc has closed the next order, until what it returns is
/// executed.
fn writes_fail_after_closing(world: &World) -> &'static str {
    let db = world.db.db.clone();
    let (fail, succeed) = if world.db.postgres_url().is_some() {
        (
            "ALTER TABLE orders ADD CONSTRAINT disk_full CHECK (state = 'awaiting_payment') NOT VALID",
            "ALTER TABLE orders DROP CONSTRAINT disk_full",
        )
    } else {
        (
            "CREATE TRIGGER disk_full BEFORE UPDATE OF state ON orders BEGIN SELECT RAISE(ABORT, 'disk full'); END",
            "DROP TRIGGER disk_full",
        )
    };
    world.payment.state().meanwhile = Some(Box::new(move |_| Box::pin(execute(db.clone(), fail))));
    succeed
}

#[tokio::test]
async fn a_cancellation_that_ends_after_payments_are_closed_is_carried_on_by_its_job() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    let succeed = writes_fail_after_closing(&world);
    assert_eq!(code(world.cancel(GUEST, &sn).await), Code::Database);
    world.execute(succeed).await;
    // Nobody can pay any more, and the nights are held.
    assert!(world.payment.state().closed.contains(&sn));
    assert_eq!(world.order(&sn).await.state, "awaiting_payment");
    let follow_up = format!("job order.advance order.cancelled:{sn}");
    assert!(world.outbox().await.contains(&follow_up));

    assert_eq!(world.advance(&sn).await.unwrap(), "cancelled");

    let order = world.order(&sn).await;
    assert_eq!(order.cancelled_by, "guest");
    assert_eq!(order.steps[1].error, "cancelled by the guest");
    assert!(world.travel.held(&sn).is_empty());
}

#[tokio::test]
async fn money_that_came_before_a_cancellation_that_was_cut_off_wins() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    world.payment.has(&sn, "pending", TOTAL);
    world.payment.state().captured_at_close = true;
    let succeed = writes_fail_after_closing(&world);
    assert_eq!(code(world.cancel(GUEST, &sn).await), Code::Database);
    world.execute(succeed).await;

    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    assert_eq!(world.advance(&sn).await.unwrap(), "confirmed");
    assert_eq!(world.travel.held(&sn), [1]);
}

#[tokio::test]
async fn a_payment_rpc_that_hangs_leaves_time_to_cancel_and_to_release() {
    let world = World::new().await;
    let sn = world.booked().await.sn;
    world.payment.state().hangs = true;
    let cancelled = homestay_rpc::deadline::scope(Duration::from_secs(2), world.cancel(GUEST, &sn)).await;
    assert_eq!(cancelled.unwrap().state, "cancelled");
    assert!(world.travel.held(&sn).is_empty());
}
