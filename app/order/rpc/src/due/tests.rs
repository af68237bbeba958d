use homestay_error::Code;

use super::*;
use crate::order::HouseSnapshot;
use State::{AwaitingPayment, Cancelled, Confirmed, Expired, RefundPending, Refunded, Used};

const PAY_BEFORE: i64 = 1_000_000;
const GIVE_UP: i64 = 600_000;
const TODAY: i64 = 20_000;

fn order(state: State) -> Order {
    Order {
        id: 1,
        sn: "HSO2026112110155912345678".parse().unwrap(),
        hold_key: "k".into(),
        fingerprint: String::new(),
        user_id: 1,
        house: HouseSnapshot {
            id: 7,
            shop_id: 5,
            host_id: 6,
            title: String::new(),
            sub_title: String::new(),
            cover: String::new(),
            info: String::new(),
            people_num: 2,
            row_type: 0,
            food_info: String::new(),
            food_cents: 0,
            price_cents: 100,
            market_cents: 100,
            time_zone: "UTC".into(),
        },
        check_in_day: TODAY,
        check_out_day: TODAY + 1,
        guests: 1,
        meals: false,
        remark: String::new(),
        unit: 1,
        attempt: 1,
        currency: "CNY".into(),
        room_cents: 100,
        meal_cents: 0,
        total_cents: 100,
        lines: Vec::new(),
        state,
        created_at_ms: 1,
        pay_before_ms: PAY_BEFORE,
        trade_code: String::new(),
        paid_at_ms: 0,
        payment_sn: if matches!(state, AwaitingPayment | Cancelled(_)) {
            ""
        } else {
            "own"
        }
        .into(),
        pay_type: String::new(),
        released_at_ms: if state.keeps_nights() { 0 } else { 5 },
        cancel_requested_at_ms: 0,
        cancel_reason: String::new(),
    }
}

fn payment(sn: &str, state: PaymentState, amount_cents: i64, captured_at_ms: i64) -> Payment {
    Payment {
        sn: sn.into(),
        state,
        amount_cents,
        currency: "CNY".into(),
        captured_at_ms,
        pay_type: String::new(),
    }
}

fn captured(sn: &str) -> Payment {
    payment(sn, PaymentState::Captured, 100, 10)
}

fn known(payments: Vec<Payment>) -> Money {
    Money {
        payments: Some(payments),
        closed: true,
        trouble: None,
    }
}

fn silent() -> Money {
    Money {
        trouble: Some(Error::new(Code::Unavailable)),
        ..Money::default()
    }
}

fn at(now_ms: i64) -> At {
    At {
        now_ms,
        today: TODAY,
        give_up_ms: GIVE_UP,
        release_failed: false,
    }
}

#[test]
fn an_order_that_waits_for_payment_is_confirmed_closed_or_left() {
    let open = Money {
        closed: false,
        ..known(vec![payment("p", PaymentState::Open, 100, 0)])
    };
    let none = known(vec![]);
    let silent = silent();
    let order = order(AwaitingPayment);
    let cases = [
        (&open, PAY_BEFORE - 1, Next::Nothing),
        (&silent, PAY_BEFORE - 1, Next::Nothing),
        (&none, PAY_BEFORE - 1, Next::Nothing),
        (&none, PAY_BEFORE, Next::Close(By::Timeout)),
        (&open, PAY_BEFORE, Next::Nothing),
        (&silent, PAY_BEFORE + GIVE_UP - 1, Next::Nothing),
        (&silent, PAY_BEFORE + GIVE_UP, Next::Close(By::Timeout)),
    ];
    for (money, now, want) in cases {
        assert_eq!(next(&order, Some(money), at(now)), want, "{money:?} {now}");
    }
    assert_eq!(next(&order, None, at(PAY_BEFORE)), Next::AskMoney);
    // Whenever it came and whoever is silent, captured money wins.
    let paid = Money {
        closed: false,
        ..known(vec![captured("p")])
    };
    for now in [0, PAY_BEFORE, PAY_BEFORE + GIVE_UP] {
        assert_eq!(next(&order, Some(&paid), at(now)), Next::Confirm(&captured("p")));
    }
}

#[test]
fn the_first_captured_payment_of_the_right_amount_counts() {
    let mut dollars = captured("dollars");
    dollars.currency = "USD".into();
    let money = known(vec![
        payment("late", PaymentState::Captured, 100, 30),
        payment("cheap", PaymentState::Captured, 99, 1),
        dollars,
        payment("first", PaymentState::Captured, 100, 20),
        payment("back", PaymentState::Refunded, 100, 2),
        payment("going", PaymentState::RefundPending, 100, 2),
    ]);
    let order = order(AwaitingPayment);
    match next(&order, Some(&money), at(0)) {
        Next::Confirm(payment) => assert_eq!(payment.sn, "first"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn late_money_buys_the_nights_or_goes_back() {
    let money = known(vec![captured("p")]);
    let p = captured("p");
    let cases = [
        (By::Timeout, TODAY, Next::TakeAgain(&p)),
        (By::Timeout, TODAY + 1, Next::TakeAgain(&p)),
        (By::Timeout, TODAY - 1, Next::GiveBack(&p, "the stay had begun")),
        (
            By::Guest,
            TODAY + 1,
            Next::GiveBack(&p, "the guest had cancelled"),
        ),
    ];
    for (by, check_in_day, want) in cases {
        let order = Order {
            check_in_day,
            ..order(Cancelled(by))
        };
        assert_eq!(next(&order, Some(&money), at(0)), want, "{by:?} {check_in_day}");
        assert_eq!(next(&order, Some(&known(vec![])), at(0)), Next::Nothing);
    }
}

#[test]
fn nights_of_an_ended_order_are_given_back_first_and_do_not_hold_up_a_refund() {
    for state in State::ALL {
        let held = Order {
            released_at_ms: 0,
            ..order(state)
        };
        let releases = next(&held, None, at(0)) == Next::Release;
        assert_eq!(releases, !state.keeps_nights(), "{state:?}");
    }
    let failed = At {
        release_failed: true,
        ..at(0)
    };
    let money = known(vec![captured("p")]);
    let held = |by| Order {
        released_at_ms: 0,
        ..order(Cancelled(by))
    };
    assert_eq!(next(&held(By::Timeout), Some(&money), failed), Next::Nothing);
    let back = next(&held(By::Guest), Some(&money), failed);
    assert!(matches!(back, Next::GiveBack(..)), "{back:?}");
}

#[test]
fn a_pending_refund_ends_when_all_the_money_is_back() {
    let order = order(RefundPending);
    for (state, want) in [
        (PaymentState::Refunded, Next::Refunded),
        (PaymentState::RefundPending, Next::Nothing),
        (PaymentState::Captured, Next::Nothing),
    ] {
        let money = known(vec![
            payment("own", state, 100, 1),
            payment("x", PaymentState::Refunded, 100, 1),
        ]);
        assert_eq!(next(&order, Some(&money), at(0)), want, "{state:?}");
    }
    let money = known(vec![payment("x", PaymentState::Refunded, 100, 1)]);
    assert_eq!(next(&order, Some(&money), at(0)), Next::Nothing);
}

#[test]
fn only_a_confirmed_order_is_reversed_and_only_by_its_own_refund() {
    let own = payment("own", PaymentState::Refunded, 100, 1);
    for state in [Confirmed, Used, Expired] {
        let order = order(state);
        let (back, other) = (
            known(vec![own.clone()]),
            known(vec![payment("x", PaymentState::Refunded, 100, 1)]),
        );
        let want = if state == Confirmed {
            Next::Reverse(&own)
        } else {
            Next::Nothing
        };
        assert_eq!(next(&order, Some(&back), at(0)), want, "{state:?}");
        assert_eq!(next(&order, Some(&other), at(0)), Next::Nothing, "{state:?}");
    }
}

#[test]
fn refunds_are_owed_for_all_captured_money_but_the_orders_own() {
    let money = known(vec![
        captured("own"),
        captured("second"),
        payment("wrong", PaymentState::Captured, 7, 1),
        payment("open", PaymentState::Open, 100, 0),
        payment("back", PaymentState::Refunded, 100, 1),
        payment("going", PaymentState::RefundPending, 100, 1),
    ]);
    let others: &[&str] = &["second", "wrong"];
    let cases: [(State, &[&str]); 8] = [
        // What pays the order changes its state instead.
        (AwaitingPayment, &["wrong"]),
        (Cancelled(By::Guest), &["wrong"]),
        (Cancelled(By::Timeout), &["wrong"]),
        (Confirmed, others),
        (Used, others),
        (Expired, others),
        (Refunded, others),
        (RefundPending, &["own", "second", "wrong"]),
    ];
    for (state, want) in cases {
        let order = order(state);
        let got: Vec<&str> = refunds(&order, &money)
            .into_iter()
            .map(|(p, _)| p.sn.as_str())
            .collect();
        assert_eq!(got, want, "{state:?}");
    }
    let pending = known(vec![payment("own", PaymentState::RefundPending, 100, 1)]);
    assert_eq!(refunds(&order(RefundPending), &pending).len(), 1);
    assert!(refunds(&order(Confirmed), &pending).is_empty());
    assert!(refunds(&order(Confirmed), &silent()).is_empty());
}

#[test]
fn a_silent_peer_leaves_something_undone_unless_its_answer_no_longer_matters() {
    let not_closed = Money {
        payments: Some(vec![]),
        ..silent()
    };
    let provider_silent = Money {
        payments: Some(vec![]),
        trouble: Some(Error::new(Code::Provider)),
        closed: false,
    };
    for state in State::ALL {
        let order = order(state);
        assert!(!unfinished(&order, &known(vec![])), "{state:?}");
        assert!(unfinished(&order, &silent()), "{state:?}");
        let waits = matches!(state, AwaitingPayment | Cancelled(_));
        assert_eq!(unfinished(&order, &not_closed), waits, "{state:?}");
        let waits = state == AwaitingPayment;
        assert_eq!(unfinished(&order, &provider_silent), waits, "{state:?}");
    }
}

#[test]
fn payment_rpc_is_told_to_close_when_no_money_is_wanted_any_more() {
    for state in State::ALL {
        let before = wants_closing(&order(state), PAY_BEFORE - 1);
        let after = wants_closing(&order(state), PAY_BEFORE);
        let want = match state {
            AwaitingPayment => (false, true),
            Cancelled(_) => (true, true),
            _ => (false, false),
        };
        assert_eq!((before, after), want, "{state:?}");
    }
}

#[test]
fn an_order_that_its_guest_wants_cancelled_ends_as_at_its_time_but_by_the_guest() {
    const ASKED: i64 = 1_000;
    let order = Order {
        cancel_requested_at_ms: ASKED,
        ..order(AwaitingPayment)
    };
    assert!(!wants_closing(&order, ASKED - 1));
    assert!(wants_closing(&order, ASKED));
    let paid = known(vec![captured("p")]);
    let silent = silent();
    for (money, now, want) in [
        (&known(vec![]), ASKED, Next::Close(By::Guest)),
        (&silent, ASKED + GIVE_UP - 1, Next::Nothing),
        (&silent, ASKED + GIVE_UP, Next::Close(By::Guest)),
        // The money was first: the wish is void.
        (&paid, ASKED, Next::Confirm(&captured("p"))),
    ] {
        assert_eq!(next(&order, Some(money), at(now)), want, "{money:?} {now}");
    }
}
