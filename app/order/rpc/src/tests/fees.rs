//! What a change keeps of a stay that becomes cheaper, and that it opens no window of the policy again.

use super::cancelling::{CHECK_IN_MS, HOST, HOUR, moderate, paid_before};
use super::changing::{PAY_TIME, changes, nights, quote, with_key};
use super::*;

const MS: Duration = Duration::from_millis(1);
const DAY_MS: i64 = 24 * 3_600_000;

/// The usual booking moved by so many days.
fn moved(sn: &str, days: i8) -> pb::ChangeRequest {
    pb::ChangeRequest {
        check_in: format!("2026-12-{:02}", 1 + days),
        check_out: format!("2026-12-{:02}", 3 + days),
        ..nights(sn, 2)
    }
}

fn expecting(request: pb::ChangeRequest, cents: i64) -> pb::ChangeRequest {
    pb::ChangeRequest {
        expected_total_cents: cents,
        ..request
    }
}

fn fees(lines: &[homestay_proto::common::PriceLine]) -> Vec<(String, i64)> {
    let fees = lines.iter().filter(|line| line.kind == "change_fee");
    fees.map(|line| {
        assert_eq!((line.quantity, line.unit_cents), (1, line.total_cents));
        (line.date.clone(), line.total_cents)
    })
    .collect()
}

#[tokio::test]
async fn a_cheaper_stay_gives_back_what_a_cancellation_would_of_the_difference() {
    for (before, fee) in [
        (120 * HOUR, 0),
        (120 * HOUR - MS, 5_000),
        (24 * HOUR, 5_000),
        (24 * HOUR - MS, 10_000),
    ] {
        let (world, sn, payment) = paid_before(before).await;
        let quoted = quote(&world, nights(&sn, 1)).await;

        let reply = world.change(nights(&sn, 1)).await.unwrap();

        let (change, order) = (reply.change.unwrap(), reply.order.unwrap());
        for told in [&quoted, &change] {
            assert_eq!(
                (
                    told.fee_cents,
                    told.refund_cents,
                    told.total_cents,
                    told.due_cents
                ),
                (fee, 10_000 - fee, 10_000 + fee, 0),
                "{before:?}"
            );
        }
        assert_eq!(quoted.lines, change.lines);
        assert_eq!(change.lines, order.lines);
        let want: Vec<_> = (fee > 0)
            .then(|| ("2026-12-01".to_owned(), fee))
            .into_iter()
            .collect();
        assert_eq!(fees(&order.lines), want);
        assert_eq!(
            (
                order.state.as_str(),
                order.total_cents,
                order.charged_cents,
                order.refund_cents
            ),
            ("confirmed", 10_000 + fee, TOTAL, 10_000 - fee)
        );
        assert_eq!(
            order.lines.iter().map(|line| line.total_cents).sum::<i64>(),
            order.total_cents
        );
        assert_eq!(world.payment.back(&payment), 10_000 - fee);
        assert_eq!(world.travel.held(&sn), [2]);
    }
}

#[tokio::test]
async fn a_stay_made_cheap_and_cancelled_gives_back_no_more_than_a_cancelled_one() {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.change(nights(&sn, 1)).await.unwrap();
    let preview = world.preview(GUEST, &sn).await.unwrap();
    assert_eq!(
        (
            preview.charged_cents,
            preview.refund_cents,
            preview.kept_cents,
            preview.percent
        ),
        (15_000, 5_000, 10_000, 50)
    );
    let cancelled = world.cancel(GUEST, &sn).await.unwrap();
    assert_eq!(
        (cancelled.refund_cents, cancelled.kept_cents),
        (TOTAL / 2, TOTAL / 2)
    );
    assert_eq!(world.payment.back(&payment), TOTAL / 2);
    assert_eq!(world.payment.state().settled.get(&sn), Some(&(TOTAL / 2)));
    // The host gives the fee back too.
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.change(nights(&sn, 1)).await.unwrap();
    let request = pb::CancelRequest {
        sn: sn.clone(),
        ..Default::default()
    };
    world.as_role(HOST, Role::Host).cancel(request).await.unwrap();
    assert_eq!(world.payment.back(&payment), TOTAL);
}

#[tokio::test]
async fn later_changes_keep_the_fees_of_earlier_ones() {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    world.change(nights(&sn, 1)).await.unwrap();
    // Of the same price: nothing of the fee goes back, however often.
    for day in 1..4 {
        let request = pb::ChangeRequest {
            check_in: format!("2026-12-{:02}", 1 + day),
            check_out: format!("2026-12-{:02}", 2 + day),
            ..nights(&sn, 1)
        };
        let order = world.change(request).await.unwrap().order.unwrap();
        assert_eq!((order.total_cents, order.refund_cents), (15_000, 5_000));
        assert_eq!(fees(&order.lines), [(order.check_in.clone(), 5_000)]);
    }
    // Dearer: the stay's difference is due, and no fee.
    let change = world.change(nights(&sn, 3)).await.unwrap().change.unwrap();
    assert_eq!(
        (
            change.due_cents,
            change.fee_cents,
            change.total_cents,
            change.old_total_cents
        ),
        (20_000, 0, 35_000, 15_000)
    );
    world.payment.has_for(&sn, change.attempt, "captured", 20_000);
    world.advance(&sn).await.unwrap();
    let order = world.order(&sn).await;
    assert_eq!((order.total_cents, order.charged_cents), (35_000, 40_000));
    // Cheaper again: one more line.
    let order = world.change(nights(&sn, 2)).await.unwrap().order.unwrap();
    assert_eq!((order.total_cents, order.refund_cents), (30_000, 10_000));
    let day = "2026-12-01".to_owned();
    assert_eq!(fees(&order.lines), [(day.clone(), 5_000), (day, 5_000)]);
    assert_eq!(world.payment.back(&payment), 5_000);
}

#[tokio::test]
async fn a_booking_that_was_moved_cancels_for_no_more_than_before() {
    for (before, cap) in [(120 * HOUR, 100), (100 * HOUR, 50), (24 * HOUR - MS, 0)] {
        let (world, sn, _) = paid_before(before).await;
        let order = world.change(moved(&sn, 20)).await.unwrap().order.unwrap();
        assert_eq!(
            (order.total_cents, order.refund_cents, order.check_in.as_str()),
            (TOTAL, 0, "2026-12-21")
        );
        let preview = world.preview(GUEST, &sn).await.unwrap();
        let check_in = CHECK_IN_MS + 20 * DAY_MS;
        let until = match cap {
            100 => check_in - 5 * DAY_MS,
            50 => check_in - DAY_MS,
            _ => 0,
        };
        assert_eq!(
            (preview.percent, preview.refund_cents, preview.valid_until_ms),
            (cap, TOTAL * cap / 100, until)
        );
        // Shortening it now goes by the cap, too.
        let quoted = quote(
            &world,
            pb::ChangeRequest {
                check_out: "2026-12-22".into(),
                ..moved(&sn, 20)
            },
        )
        .await;
        assert_eq!(
            (quoted.refund_cents, quoted.fee_cents),
            (100 * cap, 10_000 - 100 * cap)
        );
        // And a later change does not lift it.
        world.change(moved(&sn, 25)).await.unwrap();
        assert_eq!(world.preview(GUEST, &sn).await.unwrap().percent, cap);
        let cancelled = world.cancel(GUEST, &sn).await.unwrap();
        assert_eq!(
            (cancelled.refund_cents, cancelled.kept_cents),
            (TOTAL * cap / 100, TOTAL - TOTAL * cap / 100)
        );
    }
}

#[tokio::test]
async fn a_dearer_stay_keeps_the_window_in_which_it_was_paid() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    // Asked for ten minutes before the window closes, and paid so long after that.
    for (paid_after, late, percent) in [(5, 0, 100), (5, 10, 100), (15, 0, 50)] {
        let (world, sn, _) = paid_before(120 * HOUR + minutes(10)).await;
        let longer = pb::ChangeRequest {
            check_out: "2026-12-25".into(),
            ..moved(&sn, 20)
        };
        let change = world.change(longer).await.unwrap().change.unwrap();
        assert_eq!((change.due_cents, change.fee_cents), (20_000, 0));
        world.clock.advance(minutes(paid_after));
        let payment = world.payment.has_for(&sn, 2, "captured", 20_000);
        let now_ms = world.clock.now_ms();
        {
            let mut all = world.payment.state();
            let payment = all.payments.iter_mut().find(|p| p.sn == payment).unwrap();
            payment.captured_at_ms = now_ms;
        }
        world.clock.advance(minutes(late));
        world.advance(&sn).await.unwrap();
        let preview = world.preview(GUEST, &sn).await.unwrap();
        assert_eq!(
            (preview.charged_cents, preview.percent),
            (40_000, percent),
            "{paid_after} {late}"
        );
    }
    // One that nobody pays lowers nothing.
    let (world, sn, _) = paid_before(120 * HOUR + minutes(10)).await;
    world.change(nights(&sn, 3)).await.unwrap();
    world.clock.advance(PAY_TIME);
    world.advance(&sn).await.unwrap();
    assert_eq!(changes(&world, &sn).await, [(2, "dropped".into())]);
    world.change(moved(&sn, 20)).await.unwrap();
    assert_eq!(world.preview(GUEST, &sn).await.unwrap().percent, 50);
}

#[tokio::test]
async fn the_fee_is_fixed_when_travel_has_answered() {
    let (world, sn, payment) = paid_before(24 * HOUR).await;
    let ask = || world.change(with_key(nights(&sn, 1), "k"));
    let (fail, succeed) = if world.db.postgres_url().is_some() {
        (
            "ALTER TABLE orders ADD CONSTRAINT disk_full CHECK (attempt = 1) NOT VALID",
            "ALTER TABLE orders DROP CONSTRAINT disk_full",
        )
    } else {
        (
            "CREATE TRIGGER disk_full BEFORE UPDATE OF attempt ON orders BEGIN SELECT RAISE(ABORT, 'disk full'); END",
            "DROP TRIGGER disk_full",
        )
    };
    world.execute(fail).await;
    let cut_off = ask().await.unwrap().change.unwrap();
    assert_eq!((cut_off.state.as_str(), cut_off.fee_cents), ("held", 5_000));
    world.execute(succeed).await;
    // Now a cancellation gives nothing back.
    world.clock.advance(HOUR);
    assert_eq!(world.preview(GUEST, &sn).await.unwrap().percent, 0);

    let first = ask().await.unwrap().change.unwrap();

    assert_eq!(
        (first.state.as_str(), first.fee_cents, first.refund_cents),
        ("applied", 5_000, 5_000)
    );
    world.clock.advance(HOUR);
    assert_eq!(ask().await.unwrap().change.unwrap(), first);
    assert_eq!(world.payment.back(&payment), 5_000);
    assert_eq!(world.count("order_change").await, 1);
}

#[tokio::test]
async fn an_expected_total_is_compared_with_the_fee_in_it() {
    let (world, sn, payment) = paid_before(100 * HOUR).await;
    let before = world.order(&sn).await;
    for wrong in [10_000, 14_999, TOTAL] {
        let refused = world
            .change(with_key(expecting(nights(&sn, 1), wrong), &format!("k{wrong}")))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::PriceChanged);
        let details = refused.detail().expect("details");
        assert_eq!(
            (&details["totalCents"], &details["feeCents"]),
            (&15_000.into(), &5_000.into())
        );
        assert_eq!(world.order(&sn).await, before);
        assert_eq!(world.travel.held(&sn), [1]);
    }
    // It is evaluated anew under its key.
    let again = world
        .change(with_key(expecting(nights(&sn, 1), 10_000), "k10000"))
        .await;
    assert_eq!(code(again), Code::PriceChanged);
    let right = world
        .change(with_key(expecting(nights(&sn, 1), 15_000), "k"))
        .await
        .unwrap();
    assert_eq!(right.change.unwrap().state, "applied");
    assert_eq!(world.payment.back(&payment), 5_000);
    // With the fee of before.
    let dearer = world.change(expecting(nights(&sn, 4), 45_000)).await.unwrap();
    assert_eq!(dearer.change.unwrap().due_cents, 30_000);
}

#[tokio::test]
async fn a_change_refused_for_its_price_is_tidied_up_by_its_job() {
    let (world, sn, _) = paid_before(100 * HOUR).await;
    // The release of what was held for it is lost.
    world.faults.lose(1, peers::Fault::Request);
    assert_eq!(
        code(world.change(expecting(nights(&sn, 1), 1)).await),
        Code::PriceChanged
    );
    world.faults.none();
    assert_eq!(world.travel.held(&sn), [1, 2]);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.travel.held(&sn), [1]);
    assert_eq!(changes(&world, &sn).await, [(2, "dropped".into())]);
}

#[tokio::test]
async fn an_unpaid_booking_is_changed_without_fee_or_cap() {
    let world = World::new().await;
    world.travel.state().policy = moderate();
    world.clock.advance(Duration::from_millis(
        u64::try_from(CHECK_IN_MS - world.clock.now_ms() - 3_600_000).unwrap(),
    ));
    let sn = world.booked().await.sn;
    let change = world.change(nights(&sn, 1)).await.unwrap().change.unwrap();
    assert_eq!(
        (change.fee_cents, change.refund_cents, change.total_cents),
        (0, 0, 10_000)
    );
    world.change(moved(&sn, 20)).await.unwrap();
    let order = world.order(&sn).await;
    world.payment.has_for(&sn, order.due_charge, "captured", TOTAL);
    world.advance(&sn).await.unwrap();
    assert_eq!(world.preview(GUEST, &sn).await.unwrap().percent, 100);
}
