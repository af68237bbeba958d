use homestay_error::Code;

use super::*;
use crate::books::Paying;
use crate::order::HouseSnapshot;
use crate::policy::Policy;
use State::{AwaitingPayment, Cancelled, Confirmed, Expired, RefundPending, Used};

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
        cancel_requested_by: String::new(),
        policy: Policy::flexible(),
        check_in_minute: 900,
        check_in_at_ms: 1,
        last_attempt: 0,
        charge: 0,
        change_attempt: 0,
        charged_cents: 0,
        refund_cents: 0,
        kept_cents: 0,
        settled_at_ms: 0,
        ended_by: String::new(),
        refund_percent_cap: 100,
    }
}

fn own(back_cents: i64) -> Paying {
    Paying {
        charge: 0,
        payment_sn: "own".into(),
        amount_cents: 100,
        back_cents,
    }
}

/// The books of an order as [`order`] makes it.
fn books(order: &Order) -> Books {
    let back = if order.state.keeps_nights() { 0 } else { 100 };
    Books {
        paying: (!order.payment_sn.is_empty())
            .then(|| own(back))
            .into_iter()
            .collect(),
        ..Books::default()
    }
}

fn next<'m>(order: &Order, money: Option<&'m Money>, at: At) -> Next<'m> {
    super::next(order, &books(order), money, at)
}

fn change(stage: Stage, total_cents: i64) -> Change {
    Change {
        order_sn: String::new(),
        attempt: 2,
        from_attempt: 1,
        key: String::new(),
        fingerprint: String::new(),
        stage,
        check_in_day: TODAY,
        check_out_day: TODAY + 2,
        check_in_at_ms: 1,
        guests: 1,
        meals: false,
        expected_cents: 0,
        old_total_cents: 100,
        created_at_ms: 1,
        unit: 1,
        room_cents: total_cents,
        meal_cents: 0,
        total_cents,
        lines: Vec::new(),
        refund_percent: 100,
        fee_cents: 0,
        due_cents: 0,
        due_before_ms: 0,
        refund_cents: 0,
        ended_at_ms: 0,
        error_code: String::new(),
        error: String::new(),
        released_at_ms: 0,
    }
}

fn unfinished(order: &Order, money: &Money) -> bool {
    super::unfinished(order, &books(order), money, 0)
}

fn with(order: &Order, change: Change) -> Books {
    Books {
        change: Some(change),
        ..books(order)
    }
}

fn payment(sn: &str, state: PaymentState, amount_cents: i64, captured_at_ms: i64) -> Payment {
    Payment {
        sn: sn.into(),
        charge: 0,
        state,
        amount_cents,
        reserved_cents: if matches!(state, PaymentState::RefundPending | PaymentState::Refunded) {
            amount_cents
        } else {
            0
        },
        refunded_cents: if state == PaymentState::Refunded {
            amount_cents
        } else {
            0
        },
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
        told: Closing::All,
        closed: true,
        trouble: None,
    }
}

fn silent() -> Money {
    Money {
        told: Closing::All,
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
        hold_failed: false,
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
    assert_eq!(
        next(&order, None, at(PAY_BEFORE)),
        Next::AskMoney(Closing::Charge(0))
    );
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
        (
            By::Host,
            TODAY + 1,
            Next::GiveBack(&p, "the booking was cancelled"),
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
    assert_eq!(next(&order, Some(&silent()), at(0)), Next::Nothing);
    // Of a part, the part.
    let part = Books {
        paying: vec![own(30)],
        ..Books::default()
    };
    for (refunded_cents, want) in [(0, Next::Nothing), (29, Next::Nothing), (30, Next::Refunded)] {
        let money = known(vec![Payment {
            refunded_cents,
            ..captured("own")
        }]);
        assert_eq!(
            super::next(&order, &part, Some(&money), at(0)),
            want,
            "{refunded_cents}"
        );
    }
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
        Payment {
            charge: 9,
            ..captured("given up")
        },
        payment("open", PaymentState::Open, 100, 0),
        payment("back", PaymentState::Refunded, 100, 1),
        payment("going", PaymentState::RefundPending, 100, 1),
    ]);
    let others: &[&str] = &["second", "wrong", "given up"];
    let unpaid: &[&str] = &["wrong", "given up"];
    for state in State::ALL {
        // What pays an order that was never paid changes its state instead.
        let want = if matches!(state, AwaitingPayment | Cancelled(_)) {
            unpaid
        } else {
            others
        };
        let order = order(state);
        let books = books(&order);
        let got: Vec<&str> = refunds(&order, &books, &money)
            .into_iter()
            .map(|owed| owed.payment_sn)
            .collect();
        assert_eq!(got, want, "{state:?}");
        assert!(refunds(&order, &books, &silent()).is_empty());
    }
    // The money of a booking that was cancelled after it was paid is kept: it is never late money.
    let kept = Order {
        trade_code: "12345678".into(),
        payment_sn: "own".into(),
        ..order(Cancelled(By::Guest))
    };
    let books = Books {
        paying: vec![own(0)],
        ..Books::default()
    };
    let got: Vec<&str> = refunds(&kept, &books, &money)
        .into_iter()
        .map(|owed| owed.payment_sn)
        .collect();
    assert_eq!(got, others);
    assert_eq!(super::next(&kept, &books, Some(&money), at(0)), Next::Nothing);
}

#[test]
fn a_silent_peer_leaves_something_undone_unless_its_answer_no_longer_matters() {
    let not_closed = Money {
        payments: Some(vec![]),
        ..silent()
    };
    let provider_silent = Money {
        payments: Some(vec![]),
        told: Closing::All,
        trouble: Some(Error::new(Code::Provider)),
        closed: false,
    };
    for state in State::ALL {
        let order = order(state);
        assert!(!unfinished(&order, &known(vec![])), "{state:?}");
        assert!(unfinished(&order, &silent()), "{state:?}");
        let waits = matches!(state, AwaitingPayment | Cancelled(_) | RefundPending);
        assert_eq!(unfinished(&order, &not_closed), waits, "{state:?}");
        let waits = state == AwaitingPayment;
        assert_eq!(unfinished(&order, &provider_silent), waits, "{state:?}");
    }
}

#[test]
fn payment_rpc_is_told_to_close_when_no_money_is_wanted_any_more() {
    use Closing::{All, Charge, Nothing};
    for state in State::ALL {
        let order = order(state);
        let before = wants_closing(&order, &books(&order), PAY_BEFORE - 1);
        let after = wants_closing(&order, &books(&order), PAY_BEFORE);
        let want = match state {
            AwaitingPayment => (Nothing, Charge(0)),
            Cancelled(_) => (Charge(0), Charge(0)),
            RefundPending => (Charge(0), Charge(0)),
            _ => (Nothing, Nothing),
        };
        assert_eq!((before, after), want, "{state:?}");
    }
    // What was paid may have changes of which each can be paid.
    for state in [Cancelled(By::Guest), RefundPending] {
        let paid = Order {
            trade_code: "12345678".into(),
            ..order(state)
        };
        assert_eq!(wants_closing(&paid, &Books::default(), 0), All);
    }
    let changed = Order {
        charge: 3,
        ..order(AwaitingPayment)
    };
    assert_eq!(wants_closing(&changed, &Books::default(), PAY_BEFORE), Charge(3));
}

#[test]
fn an_order_that_its_guest_wants_cancelled_ends_as_at_its_time_but_by_the_guest() {
    const ASKED: i64 = 1_000;
    let order = Order {
        cancel_requested_at_ms: ASKED,
        ..order(AwaitingPayment)
    };
    let none = Books::default();
    assert_eq!(wants_closing(&order, &none, ASKED - 1), Closing::Nothing);
    assert_eq!(wants_closing(&order, &none, ASKED), Closing::Charge(0));
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

mod changes;
