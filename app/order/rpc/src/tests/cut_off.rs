//! Changes of which a call is lost at any point.

use peers::Fault;

use super::changing::{PAY_TIME, changes, nights};
use super::*;

/// A change that is cut off, and where it comes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Cheaper,
    Kept,
    Dearer,
    Paid,
    TimedOut,
    Unpaid,
}

#[tokio::test]
async fn a_call_lost_at_any_point_of_a_change_is_made_good_by_the_next_run() {
    for way in [
        Way::Cheaper,
        Way::Kept,
        Way::Dearer,
        Way::Paid,
        Way::TimedOut,
        Way::Unpaid,
    ] {
        let (want, calls) = play(way, None).await;
        assert!(calls > 0);
        for nth in 0..calls {
            for fault in [Fault::Request, Fault::Reply] {
                let (got, _) = play(way, Some((nth, fault))).await;
                assert_eq!(got, want, "{way:?} {nth} {fault:?}");
            }
        }
    }
}

type Rest = (
    String,
    Vec<String>,
    Vec<i64>,
    Vec<(String, i64)>,
    Vec<(i64, String)>,
    i64,
);

async fn play(way: Way, lost: Option<(usize, Fault)>) -> (Rest, usize) {
    let world = World::new().await;
    let sn = match way {
        Way::Kept => {
            super::cancelling::paid_in(&world, 100 * super::cancelling::HOUR)
                .await
                .0
        }
        Way::Unpaid => {
            let sn = world.booked().await.sn;
            world.payment.has(&sn, "pending", TOTAL);
            sn
        }
        _ => world.paid().await.0,
    };
    let wanted = if matches!(way, Way::Cheaper | Way::Kept) {
        1
    } else {
        4
    };
    if matches!(way, Way::Paid | Way::TimedOut) {
        world.change(nights(&sn, wanted)).await.unwrap();
    }
    match way {
        Way::Paid => {
            world.payment.has_for(&sn, 2, "captured", 20_000);
        }
        Way::TimedOut => {
            world.payment.has_for(&sn, 2, "pending", 20_000);
            world.clock.advance(PAY_TIME);
        }
        _ => {}
    }
    world.faults.none();
    if let Some((nth, fault)) = lost {
        world.faults.lose(nth, fault);
    }
    let _ = match way {
        Way::Paid | Way::TimedOut => world.advance(&sn).await.map(|_| ()),
        _ => world.change(nights(&sn, wanted)).await.map(|_| ()),
    };
    let calls = world.faults.calls();
    world.faults.none();
    world.advance(&sn).await.unwrap();
    world.advance(&sn).await.unwrap();
    let order = world.order(&sn).await;
    let payments = world
        .payment
        .state()
        .payments
        .iter()
        .map(|p| (p.state.clone(), p.refund_reserved_cents))
        .collect();
    let rest = (
        order.state.clone(),
        steps(&order),
        world.travel.held(&sn),
        payments,
        changes(&world, &sn).await,
        order.due_cents,
    );
    (rest, calls)
}
